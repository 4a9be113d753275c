import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { join } from "node:path";
import { parseAddress, parsePrefix } from "../../lib/ip/address.ts";
import { flowsFor, readAcquire, readExpire, saOf } from "../../lib/daemon/photurisd_engine.ts";
import { ConfigurationError, readConfiguration } from "../../lib/daemon/photurisd_files.ts";
import { answer, splitRequests } from "../../lib/daemon/photurisd_pipe.ts";
import { PROTOCOL } from "../../lib/ipsec/types.ts";
import type { Effect, SpiSection } from "../../lib/photuris/effects.ts";
import { DEFINITIONS } from "../photuris/host.ts";

const EXAMPLES = new URL("../../examples/photuris/etc/", import.meta.url);
const [LOCAL, PEER] = [parseAddress("192.0.2.1"), parseAddress("192.0.2.2")];

/** A directory with the shipped files, for the time of one test. */
function withFiles(test: (directory: string) => void): void {
  const directory = Deno.makeTempDirSync({ prefix: "ipsecbox-photurisd-" });
  try {
    for (const name of ["photuris.conf", "attributes.conf", "secrets.conf"]) {
      Deno.writeTextFileSync(join(directory, name), Deno.readTextFileSync(new URL(name, EXAMPLES)), { mode: 0o600 });
    }
    test(directory);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

Deno.test("The shipped files are a configuration; the placeholder secrets bring warnings", () => {
  withFiles((directory) => {
    const { conf, startup, warnings, secrets } = readConfiguration(directory);
    assertEquals([conf.schemes.length, startup.length, warnings.length], [4, 0, 2]);
    assertEquals(secrets.local()?.entry, `${directory}/secrets.conf:10`);
  });
});

Deno.test("Faults of all files are told together; what is missing is told with where to find an example", () => {
  withFiles((directory) => {
    Deno.removeSync(join(directory, "attributes.conf"));
    Deno.writeTextFileSync(join(directory, "photuris.startup"), "options=enc\n");
    Deno.writeTextFileSync(join(directory, "photuris.conf"), "modul 1\n");
    const { message } = assertThrows(() => readConfiguration(directory), ConfigurationError);
    for (
      const words of [
        'photuris.conf:1: found "modul"',
        "attributes.conf: does not exist; examples/photuris/etc has one to start from",
        "photuris.startup:1: dst is missing",
      ]
    ) assertStringIncludes(message, words);
  });
});

Deno.test("Secrets that others may read, that are a link or belong to somebody else are not read", () => {
  withFiles((directory) => {
    const file = join(directory, "secrets.conf");
    const refused = (words: string) =>
      assertStringIncludes(assertThrows(() => readConfiguration(directory), ConfigurationError).message, words);
    for (const mode of [0o640, 0o604, 0o620]) {
      Deno.chmodSync(file, mode);
      refused(`secrets.conf: mode 0${mode.toString(8)} lets others at it, allowed 0600: chmod 600 ${file}`);
    }
    Deno.chmodSync(file, 0o600);
    Deno.renameSync(file, join(directory, "real"));
    Deno.symlinkSync("real", file);
    refused("secrets.conf: it is a symbolic link");
    Deno.removeSync(file);
    Deno.mkdirSync(file, { mode: 0o700 });
    refused("secrets.conf: it is no regular file");
    Deno.removeSync(file);
    refused("secrets.conf: does not exist; examples/photuris/etc has one to start from");
    if (Deno.uid() === 0) {
      Deno.renameSync(join(directory, "real"), file);
      Deno.chownSync(file, 12345, null);
      refused("user 12345 owns it, allowed root");
    }
  });
});

Deno.test("A lookup of a user that does not exist keeps the daemon from starting, a user's missing file does not", () => {
  withFiles((directory) => {
    const file = join(directory, "secrets.conf");
    const good = Deno.readTextFileSync(file);
    Deno.writeTextFileSync(file, `${good}identity lookup "u:" no-such-user\n`);
    assertStringIncludes(assertThrows(() => readConfiguration(directory)).message, 'there is no user "no-such-user"');
    Deno.writeTextFileSync(file, `${good}identity lookup "u:" daemon\n`);
    const { warnings } = readConfiguration(directory);
    assert(warnings.some((text) => text.includes(".photuris_secrets: warning: does not exist")), warnings.join("\n"));
  });
});

Deno.test("Requests in one read are told apart by their answer item", () => {
  assertEquals(splitRequests("dst=10.0.0.1 options=auth "), ["dst=10.0.0.1 options=auth"]);
  assertEquals(splitRequests("dst=a answer=startkey.1.0 dst=b options=enc answer=startkey.2.0 "), [
    "dst=a answer=startkey.1.0",
    "dst=b options=enc answer=startkey.2.0",
  ]);
  assertEquals(splitRequests(" \n"), []);
});

Deno.test("An answer goes to a socket in the daemon's directory and nowhere else", async () => {
  const directory = Deno.makeTempDirSync({ prefix: "ipsecbox-photurisd-" });
  try {
    const name = "startkey.4711.0123abcd";
    using listener = Deno.listen({ transport: "unix", path: join(directory, name) });
    const received = listener.accept().then((connection) => new Response(connection.readable).text());
    await answer(directory, name, true, "Established keys");
    assertEquals(await received, "established Established keys\n");
    for (const bad of ["../x", "/etc/passwd", "startkey.1.xyz", "startkey.1.0123abcd/../y", ""]) {
      await answer(directory, bad, true, "text"); // nobody is there, nothing is thrown
    }
    await answer(directory, "startkey.4712.0123abcd", true, "a startkey that has gone");
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

const definition = (number: number) => DEFINITIONS.find((one) => one.number === number)!;
const keyed = (number: number) => ({
  definition: definition(number),
  key: new Uint8Array(definition(number).keyOctets).fill(number),
});
const install = (sections: SpiSection[], more: Partial<Extract<Effect, { do: "install" }>> = {}) => ({
  do: "install" as const,
  role: "owner" as const,
  spi: 0x1234,
  peer: PEER,
  local: LOCAL,
  protocols: sections.map(({ protocol }) => protocol),
  sections,
  lifeSeconds: 100,
  isFirst: true,
  peerPort: 468,
  ...more,
});

Deno.test("Attributes become the engine's algorithms: HMAC with replay protection, keyed hashes and old ESP without", () => {
  const esp: SpiSection = { protocol: "esp", encryption: keyed(18), authentication: keyed(6), hmac: true };
  const { encryption, authentication, replayWindow, oldHeader, source, destination, hard, soft, encryptionKey } = saOf(
    install([esp]),
    esp,
    true,
    1000,
  );
  assertEquals([encryption, authentication, replayWindow, oldHeader], ["3des", "sha1", 32, false]);
  assertEquals([source, destination, encryptionKey], [PEER, LOCAL, keyed(18).key]);
  assertEquals([hard.bytes, hard.addSeconds, soft.bytes, soft.addSeconds], [1000, 100, 900, 90]);
  const ah: SpiSection = { protocol: "ah", authentication: keyed(5), hmac: false };
  const old = saOf(install([ah], { role: "user" }), ah, true, 0);
  assertEquals([old.authentication, old.replayWindow, old.oldHeader, old.source], ["keyed-md5", 0, true, LOCAL]);
  const des: SpiSection = { protocol: "esp", encryption: keyed(8), hmac: false };
  const rfc1829 = saOf(install([des]), des, true, 0);
  assertEquals([rfc1829.encryption, rfc1829.halfIv, rfc1829.randomPadding, rfc1829.oldHeader], [
    "des",
    true,
    true,
    true,
  ]);
});

Deno.test("Only the inner SA of a bundle makes the tunnel", () => {
  const esp: SpiSection = { protocol: "esp", encryption: keyed(16), hmac: false };
  const ah: SpiSection = { protocol: "ah", authentication: keyed(6), hmac: true };
  const tunnel = { source: parsePrefix("10.1.0.0/24"), destination: parsePrefix("10.2.0.0/24") };
  const endpoint = { address: PEER, port: 468 };
  const effect = install([esp, ah], { request: { peer: endpoint, local: endpoint, tunnel } });
  assertEquals([saOf(effect, esp, true, 0).tunnel, saOf(effect, ah, false, 0).tunnel], [true, false]);
});

Deno.test("A wish requires protection both ways and lets Photuris in; a peer's own wish is served as far as it goes", () => {
  const endpoint = { address: PEER, port: 468 };
  const protocols = { in: PROTOCOL.ESP, out: PROTOCOL.AH };
  const words = (flows: ReturnType<typeof flowsFor>) =>
    flows.map(({ selector, type, protocol }) =>
      [selector.direction, type, protocol, selector.transport, selector.destinationPort].join(" ")
    );
  const wish = { peer: endpoint, local: endpoint };
  assertEquals(words(flowsFor(PEER, LOCAL, wish, protocols, 468)), [
    "in bypass 50 17 468",
    "out require 51 0 0",
    "in require 50 0 0",
  ]);
  assertEquals(words(flowsFor(PEER, LOCAL, undefined, protocols, 468)), ["out use 51 0 0", "in use 50 0 0"]);
  const tunnel = { source: parsePrefix("10.1.0.0/24"), destination: parsePrefix("10.2.0.0/24") };
  assertEquals(words(flowsFor(PEER, LOCAL, { ...wish, tunnel }, protocols, 468)), [
    "out require 51 0 0",
    "in require 50 0 0",
  ]);
});

Deno.test("The engine's ACQUIRE and EXPIRE are read; others' messages are not ours", () => {
  const socket = (address: typeof PEER) => ({ address, port: 0 });
  const base = { satype: "ESP" as const, seq: 7, pid: 0 };
  const acquire = {
    ...base,
    type: "ACQUIRE" as const,
    extensions: { ADDRESS_SRC: socket(LOCAL), ADDRESS_DST: socket(PEER) },
  };
  assertEquals(readAcquire(acquire), { peer: PEER, local: LOCAL, protocol: "esp", seq: 7 });
  assertEquals(readAcquire({ ...acquire, pid: 99 }), undefined);
  assertEquals(readAcquire({ ...acquire, errno: "ETIMEDOUT" }), undefined);
  const SA = { spi: 5, replay: 0, state: 2, auth: 0, encrypt: 0, flags: 0 };
  const extensions = { SA, ADDRESS_SRC: socket(PEER), ADDRESS_DST: socket(LOCAL) };
  const isLocal = (address: typeof PEER) => address === LOCAL;
  const expire = { ...base, type: "EXPIRE" as const, extensions };
  assertEquals(readExpire(expire, isLocal), { role: "owner", peer: PEER, spi: 5, isGone: false });
  const swapped = { ...extensions, ADDRESS_SRC: socket(LOCAL), ADDRESS_DST: socket(PEER) };
  assertEquals(readExpire({ ...expire, extensions: swapped }, isLocal)?.role, "user");
  assertEquals(readExpire({ ...expire, type: "ADD" }, isLocal), undefined);
});
