import { assertEquals, assertThrows } from "@std/assert";
import { IsakmpError } from "../../lib/isakmp/error.ts";
import { decodeHeader, decodePayloads, encodeMessage, type Header, type Payload } from "../../lib/isakmp/message.ts";
import { EXCHANGE, NOTIFY, type NotifyName, PAYLOAD } from "../../lib/isakmp/numbers.ts";
import { DELETE_LAYOUT, NONCE_LAYOUT, NOTIFY_LAYOUT } from "../../lib/isakmp/payloads.ts";
import { formatHex, parseHex } from "../../lib/octets/hex.ts";

const HEADER: Header = {
  initiatorCookie: parseHex("0102030405060708"),
  responderCookie: parseHex("1112131415161718"),
  nextPayload: 0,
  exchange: EXCHANGE.INFO,
  flags: 0,
  messageId: 0xdeadbeef,
};
const NONCE: Payload = { type: PAYLOAD.NONCE, body: parseHex("aabbccddeeff0011") };

/** Refused with this notify. */
function assertRefused(notify: NotifyName, run: () => unknown) {
  assertEquals(assertThrows(run, IsakmpError).notify, notify);
}

Deno.test("a message is a header and a chain of payloads (RFC 2408 3.1, 3.2)", () => {
  const octets = encodeMessage(HEADER, [NONCE, { type: PAYLOAD.VENDOR, body: parseHex("55") }]);
  assertEquals(
    formatHex(octets),
    "01020304050607081112131415161718" + "0a100500deadbeef0000002d" + "0d00000caabbccddeeff0011" + "0000000555",
  );
  const { header, body } = decodeHeader(octets);
  assertEquals(header, { ...HEADER, nextPayload: PAYLOAD.NONCE });
  assertEquals(decodePayloads(header.nextPayload, body).payloads, [NONCE, {
    type: PAYLOAD.VENDOR,
    body: parseHex("55"),
  }]);
});

Deno.test("a longer datagram is cut to the length the header says", () => {
  const octets = encodeMessage(HEADER, [NONCE]);
  assertEquals(decodeHeader(new Uint8Array([...octets, 1, 2, 3])).body.length, octets.length - 28);
});

const changed = (at: number, value: number) => {
  const octets = encodeMessage(HEADER, [NONCE]);
  octets[at] = value;
  return octets;
};
const REFUSED_HEADERS: readonly (readonly [string, NotifyName, () => Uint8Array])[] = [
  ["too few octets", "PAYLOAD_MALFORMED", () => new Uint8Array(27)],
  ["another major version", "INVALID_MAJOR_VERSION", () => changed(17, 0x20)],
  ["unknown flags", "INVALID_FLAGS", () => changed(19, 0x08)],
  ["a length beyond the datagram", "UNEQUAL_PAYLOAD_LENGTHS", () => changed(27, 200)],
  ["a length below the header", "UNEQUAL_PAYLOAD_LENGTHS", () => changed(27, 27)],
  ["a zero cookie", "INVALID_COOKIE", () => encodeMessage({ ...HEADER, initiatorCookie: new Uint8Array(8) }, [])],
];
for (const [what, notify, octets] of REFUSED_HEADERS) {
  Deno.test(`a header with ${what} is refused with ${notify}`, () =>
    assertRefused(notify, () => decodeHeader(octets())));
}

Deno.test("payloads: lengths, unknown types, too many of a kind", () => {
  assertRefused("PAYLOAD_MALFORMED", () => decodePayloads(PAYLOAD.NONCE, parseHex("00000003")));
  assertRefused("PAYLOAD_MALFORMED", () => decodePayloads(PAYLOAD.NONCE, parseHex("00000009aabb")));
  assertRefused("PAYLOAD_MALFORMED", () => decodePayloads(PAYLOAD.NONCE, parseHex("0a000004")));
  assertRefused("INVALID_PAYLOAD_TYPE", () => decodePayloads(15, parseHex("00000004")));
  assertRefused("INVALID_PAYLOAD_TYPE", () => decodePayloads(PAYLOAD.PROPOSAL, parseHex("00000004")));
  assertRefused("PAYLOAD_MALFORMED", () => decodePayloads(PAYLOAD.NONCE, parseHex("0a00000400000004")));
  assertRefused("PAYLOAD_MALFORMED", () => decodePayloads(PAYLOAD.VENDOR, parseHex("0d000004".repeat(60))));
  assertEquals(decodePayloads(200, parseHex("000000052a")).payloads, [{ type: 200, body: parseHex("2a") }]);
  assertEquals(decodePayloads(PAYLOAD.NONCE, parseHex("00ff000c" + "aa".repeat(8) + "0000")).octets, 12);
});

Deno.test("notify and delete payloads as recorded", () => {
  const notify = "00000001" + "01" + "10" + "8d28" + "aabbccddeeff00112233445566778899" + "031635d8";
  const value = NOTIFY_LAYOUT.decode(parseHex(notify));
  assertEquals([value.type, value.protocol, value.spi.length, formatHex(value.data)], [
    NOTIFY.R_U_THERE,
    1,
    16,
    "031635d8",
  ]);
  assertEquals(formatHex(NOTIFY_LAYOUT.encode(value)), notify);
  const deleted = "00000001" + "03" + "04" + "0002" + "d6392490" + "00000100";
  const { spis, ...rest } = DELETE_LAYOUT.decode(parseHex(deleted));
  assertEquals([formatHex(spis), rest], ["d639249000000100", { doi: 1, protocol: 3, spiOctets: 4 }]);
  assertEquals(formatHex(DELETE_LAYOUT.encode({ spis, ...rest })), deleted);
  assertRefused("PAYLOAD_MALFORMED", () => DELETE_LAYOUT.decode(parseHex("00000001030400ff00000100")));
  assertRefused("PAYLOAD_MALFORMED", () => NOTIFY_LAYOUT.decode(parseHex("0000000101ff0001")));
});

Deno.test("a nonce has 8 to 256 octets (RFC 2409 5)", () => {
  assertEquals(NONCE_LAYOUT.decode(new Uint8Array(8)).nonce.length, 8);
  assertRefused("PAYLOAD_MALFORMED", () => NONCE_LAYOUT.decode(new Uint8Array(7)));
  assertRefused("PAYLOAD_MALFORMED", () => NONCE_LAYOUT.decode(new Uint8Array(257)));
});
