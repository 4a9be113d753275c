import { assert, assertEquals, assertThrows } from "@std/assert";
import { choosePacketCrypto, createLibcrypto } from "../../lib/crypto/libcrypto.ts";
import { addressOf } from "../../lib/ffi/address.ts";
import { configureLibcrypto, libcryptoChoice, libcryptoReason, loadLibcrypto } from "../../lib/ffi/libcrypto.ts";
import { createArena } from "../../lib/octets/arena.ts";

/** Seals, encrypts and MACs with every algorithm, in a Worker or a process. */
const PROBE = new URL("./libcrypto_probe.ts", import.meta.url);

/** What the probe prints in a process of its own. */
async function probe(permissions: string[], env: Record<string, string> = {}): Promise<Record<string, string>> {
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...permissions, PROBE.pathname],
    env,
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test("libcrypto opens once, with its version, and knows whether the legacy provider is there", () => {
  const library = loadLibcrypto()!;
  assertEquals(libcryptoReason(), undefined);
  assertEquals(loadLibcrypto(), library);
  assert(/^OpenSSL 3\./.test(library.version), library.version);
  assertEquals(typeof library.legacy, "boolean");
});

Deno.test("a libcrypto that is switched off or not found gives a reason, and packets still have a backend", () => {
  const arena = createArena(65536, addressOf);
  try {
    configureLibcrypto(false);
    assertEquals([loadLibcrypto(), libcryptoReason()], [undefined, "it is switched off"]);
    assertEquals(choosePacketCrypto(arena).name, "node:crypto");
    assertThrows(() => createLibcrypto(arena), Error, "Cannot load libcrypto: it is switched off");
    configureLibcrypto(["libnosuchcrypto.so.3", "libc.so.6"]);
    assertEquals(loadLibcrypto(), undefined);
    const reason = libcryptoReason()!;
    assert(reason.includes("libnosuchcrypto.so.3") && reason.includes("; "), reason);
    assertEquals(choosePacketCrypto(arena).name, "node:crypto");
  } finally {
    configureLibcrypto(true);
  }
  assertEquals(choosePacketCrypto(arena).name, "libcrypto");
});

Deno.test("IPSECBOX_LIBCRYPTO is off, on or a path", () => {
  assertEquals([undefined, "", "on", "off"].map(libcryptoChoice), [true, true, true, false]);
  assertEquals(libcryptoChoice("/opt/lib/libcrypto.so.3"), ["/opt/lib/libcrypto.so.3"]);
});

Deno.test("with libcrypto, without its legacy provider, without permission for it: the same results", async () => {
  const [all, noLegacy, noPermission] = await Promise.all([
    probe(["-A"]),
    probe(["-A"], { OPENSSL_MODULES: "/nonexistent" }),
    probe(["--allow-read"]),
  ]);
  assertEquals([all.backend, noLegacy.backend, noPermission.backend], ["libcrypto", "libcrypto", "node:crypto"]);
  assertEquals([noLegacy.legacy, noPermission.reason], [
    "false",
    "this program may not use native libraries (--allow-ffi)",
  ]);
  assertEquals([noLegacy.results, noPermission.results], [all.results, all.results]);
  assert(all.results.length > 500);
});

Deno.test("Workers have contexts of their own, at the same time as the main thread", async () => {
  const workers = [0, 1].map(() => new Worker(PROBE, { type: "module" }));
  try {
    const [one, two] = await Promise.all(
      workers.map((worker) =>
        new Promise<Record<string, string>>((resolve, reject) => {
          worker.onmessage = ({ data }) => resolve(data);
          worker.onerror = (event) => reject(new Error(event.message));
        })
      ),
    );
    assertEquals([one.backend, two.backend], ["libcrypto", "libcrypto"]);
    assertEquals([one.results, two.results], [(await probe(["-A"])).results, one.results]);
  } finally {
    for (const worker of workers) worker.terminate();
  }
});
