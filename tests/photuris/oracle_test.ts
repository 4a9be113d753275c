import { assertEquals, assertNotEquals } from "@std/assert";
import { parseAddress } from "../../lib/ip/address.ts";
import type { Bytes } from "../../lib/octets/bytes.ts";
import { formatHex, parseHex } from "../../lib/octets/hex.ts";
import { encodeAttributes } from "../../lib/photuris/attributes.ts";
import { offersOf } from "../../lib/photuris/choose.ts";
import { PHOTURIS_PORT } from "../../lib/photuris/messages.ts";
import { encodeSchemes, SCHEMES } from "../../lib/photuris/schemes.ts";
import { Network } from "../simulation/network.ts";
import { DEFINITIONS, Host, type Installed, secretBook, settingsOf, SMALL_PRIMES } from "./host.ts";
import { fileOf, formatRecording, offersFor, record, type Recording } from "./record.ts";

const ORACLE = new URL("./oracle.py", import.meta.url).pathname;

async function check(file: string): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command("python3", { args: [ORACLE, "check", file] }).output();
  const decoder = new TextDecoder();
  return code === 0 ? decoder.decode(stdout).trim() : decoder.decode(stderr);
}

for (const { number, name } of SCHEMES) {
  Deno.test(`${name}: the exchange recorded is the exchange made today`, () => {
    assertEquals(formatRecording(record(number)), Deno.readTextFileSync(fileOf(number)));
  });

  Deno.test(`${name}: a second implementation recomputes every value, key and Verification of the recording`, async () => {
    assertEquals(await check(fileOf(number)), "ok");
  });
}

Deno.test("The second implementation finds a changed octet, whichever message it is in", async () => {
  const recording: Recording = JSON.parse(Deno.readTextFileSync(fileOf(8)));
  const file = await Deno.makeTempFile();
  try {
    for (const [at, { datagram, message }] of recording.datagrams.entries()) {
      if (message === "Cookie_Request") continue; // nothing depends on it but the cookie that all others repeat
      const octets = parseHex(datagram);
      octets[octets.length - 20] ^= 1;
      const datagrams = recording.datagrams.with(at, { ...recording.datagrams[at], datagram: formatHex(octets) });
      await Deno.writeTextFile(file, JSON.stringify({ ...recording, datagrams }));
      assertNotEquals(await check(file), "ok", message);
    }
  } finally {
    await Deno.remove(file);
  }
});

/** The other implementation as a host: datagrams are lines of its standard input and output. */
class Other implements Disposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #buffered = "";

  constructor(role: "initiator" | "responder", config: unknown) {
    this.#child = new Deno.Command("python3", {
      args: [ORACLE, role, JSON.stringify(config)],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#reader = this.#child.stdout.getReader();
  }

  async line(): Promise<string> {
    while (!this.#buffered.includes("\n")) {
      const { value, done } = await this.#reader.read();
      if (done) throw new Error("The second implementation refuses what it was sent");
      this.#buffered += new TextDecoder().decode(value);
    }
    const at = this.#buffered.indexOf("\n");
    const line = this.#buffered.slice(0, at);
    this.#buffered = this.#buffered.slice(at + 1);
    return line;
  }

  async send(datagram: Bytes): Promise<void> {
    await this.#writer.write(new TextEncoder().encode(`${formatHex(datagram)}\n`));
  }

  async end(): Promise<void> {
    await this.#writer.close();
    await this.#reader.cancel();
    await this.#child.status;
  }

  [Symbol.dispose](): void {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
  }
}

interface OtherKeys {
  own: [number, string][];
  update: [number, string][];
  peerSpi: number;
  peer: [number, string][];
}

const OTHER = { address: parseAddress("10.0.0.9"), port: PHOTURIS_PORT };
const OFFERS = [7, 6, 5, 2, 254, 18, 8, 6, 1, 254, 5];
const keysOf = (sa: Installed) =>
  sa.sections.flatMap(({ encryption, authentication }) =>
    [encryption, authentication].flatMap((one): [number, string][] =>
      one ? [[one.definition.number, formatHex(one.key)]] : []
    )
  );

function setUp(number: number, role: "initiator" | "responder") {
  const scheme = SCHEMES.find((row) => row.number === number)!;
  const schemes = offersFor(scheme);
  const network = new Network(number);
  const book = secretBook(["ours", "our own secret"], { theirs: "the other's secret" });
  const host = new Host(network, "ours", "10.0.0.1", settingsOf({ schemes, offers: OFFERS }, book), number);
  const sent: Bytes[] = [];
  network.tap = (_now, _from, _to, octets) => sent.push(octets);
  const { generator } = schemes.find(({ group }) => group)!.group!;
  const other = new Other(role, {
    scheme: number,
    generator: formatHex(generator),
    modulus: formatHex(SMALL_PRIMES[256]),
    exponent: "8".padEnd(64, "3"),
    cookie: "c0".repeat(16),
    name: "theirs",
    secret: "the other's secret",
    peerSecret: "our own secret",
    offeredAttributes: formatHex(encodeAttributes(offersOf(OFFERS))),
    offeredSchemes: formatHex(encodeSchemes(schemes)),
    attributeChoices: "0201ff12000600fe00010005" + "00fe00",
    identityChoice: [5, 6, 7][number % 3],
    keyOctets: Object.fromEntries(DEFINITIONS.map((one) => [one.number, one.keyOctets])),
    spi: 0x4711,
    keyfill: SCHEMES.indexOf(scheme) % 2 === 0,
  });
  /** Hands a datagram of the other to ours and lets time pass; answers what ours sent. */
  const deliver = async () => {
    const datagram = parseHex(await other.line());
    host.onDatagram(network.now, OTHER, host.endpoint, datagram);
    network.touched(host);
    network.run(network.now + 50);
    return sent.at(-1);
  };
  return { network, host, sent, other, deliver };
}

function compare(host: Host, keys: OtherKeys): void {
  const [owner] = host.of("owner");
  const [first, second] = host.of("user");
  assertEquals(owner.spi, keys.peerSpi);
  assertEquals(keysOf(owner), keys.peer);
  assertEquals([first.spi, second.spi], [0x4711, 0x4712], host.log.join("\n"));
  assertEquals(keysOf(first), keys.own);
  assertEquals(keysOf(second), keys.update);
}

for (const { number, name } of SCHEMES) {
  Deno.test(`${name}: an initiator written elsewhere gets our keys, and its SPI_Update is accepted`, async () => {
    const { host, other, deliver } = setUp(number, "initiator");
    using _ = other;
    for (let message = 0; message < 3; message++) await other.send((await deliver())!);
    await deliver(); // SPI_Update
    compare(host, JSON.parse(await other.line()));
    await other.end();
  });

  Deno.test(`${name}: a responder written elsewhere gets our keys, and its SPI_Update is accepted`, async () => {
    const { network, host, other, sent, deliver } = setUp(number, "responder");
    using _ = other;
    host.perform(host.core.start(network.now, { peer: OTHER, local: host.endpoint }));
    for (let message = 0; message < 3; message++) {
      await other.send(sent.at(-1)!);
      await deliver();
    }
    await deliver(); // SPI_Update
    compare(host, JSON.parse(await other.line()));
    await other.end();
  });
}
