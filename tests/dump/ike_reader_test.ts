import { assert, assertEquals } from "@std/assert";
import { Describer } from "../../lib/dump/describe.ts";
import { IkeReader } from "../../lib/dump/ike_reader.ts";
import { parseEspRow, parseIkeSecret } from "../../lib/dump/wireshark.ts";
import { espSecretLine, ikeSecretLine } from "../../lib/daemon/wireshark.ts";
import { encodePayloads } from "../../lib/isakmp/message.ts";
import { formatHex, parseHex } from "../../lib/octets/hex.ts";
import { CASES, isakmpOf } from "../ike/recorded.ts";
import { saOf, seen, udp } from "./packets.ts";
import { PACKET_VECTORS } from "../vectors/ipsec_packets.ts";

const endOf = (text: string) => text.replace(/:(\d+)$/, ".$1");

/** The encryption key of a recorded negotiation, by the initiator's cookie. */
function keyOf(recorded: typeof CASES[number]) {
  const cookie = recorded.messages[0].header.cky_i;
  return { cookie, key: parseHex(recorded.phase1.cipher_key) };
}

for (const recorded of CASES) {
  Deno.test(`every message of ${recorded.name} is read with its phase 1 key, also when it comes twice`, () => {
    const { cookie, key } = keyOf(recorded);
    assert(key.length > 0, Object.keys(recorded.phase1).join());
    const reader = new IkeReader((wanted) => wanted === cookie ? key : undefined);
    for (const message of recorded.messages) {
      for (const _ of ["first", "again"]) {
        const read = reader.read(endOf(message.src), isakmpOf(message));
        if (message.plaintext === undefined) continue;
        assertEquals(read.reason, undefined, `message ${message.n}`);
        assert(read.decrypted);
        const plain = formatHex(encodePayloads(read.payloads!));
        assert(message.plaintext.startsWith(plain), `message ${message.n}`);
      }
    }
  });
}

Deno.test("without a key, or without the beginning, encrypted messages stay encrypted and say why", () => {
  const recorded = CASES[0];
  const encrypted = recorded.messages.filter(({ plaintext }) => plaintext !== undefined);
  const late = new IkeReader(() => new Uint8Array(16));
  assertEquals(
    late.read(endOf(encrypted[0].src), isakmpOf(encrypted[0])).reason,
    "the choice of algorithms was not seen",
  );
  const describer = new Describer({ verbosity: 1 });
  const last = recorded.messages.map((message) =>
    describer.describe(seen(udp(endOf(message.src), endOf(message.dst), isakmpOf(message))))
  ).at(-1)!;
  assert(/: encrypted, \d+ octets \(no key for these cookies\)$/.test(last[0]), last[0]);
  const { cookie } = keyOf(recorded);
  const wrong = new IkeReader((wanted) =>
    wanted === cookie ? parseHex("0f".repeat(keyOf(recorded).key.length)) : undefined
  );
  const reasons = recorded.messages.map((message) => wrong.read(endOf(message.src), isakmpOf(message)).reason);
  assert(reasons.includes("the key does not fit"), reasons.join());
});

Deno.test("Wireshark's tables, as isakmpd writes them, are read again", () => {
  const line = ikeSecretLine(parseHex("0102030405060708"), parseHex("aa".repeat(24)));
  assertEquals(parseIkeSecret(line), { initiatorCookie: "0102030405060708", encryptionKey: parseHex("aa".repeat(24)) });
  const sas = PACKET_VECTORS.filter(({ protocol, more }) => protocol === 50 && !more?.oldHeader).map(saOf);
  let written = 0;
  for (const sa of sas) {
    const row = espSecretLine({ ...sa, protocol: "esp", direction: "in" } as never);
    if (row === undefined) continue;
    written++;
    const { spi, source, destination, encryption = "null", encryptionKey, authentication, authenticationKey } = sa;
    const read = parseEspRow(row);
    assertEquals(
      { ...read, encryption: read.encryption ?? "null" },
      { ...read, spi, source, destination, encryption, encryptionKey, authentication, authenticationKey },
    );
  }
  assert(written > 5);
});
