import { assert, assertEquals, assertThrows } from "@std/assert";
import { concat } from "../../lib/octets/bytes.ts";
import { formatHex, parseHex } from "../../lib/octets/hex.ts";
import { DecodeError } from "../../lib/octets/reader.ts";
import {
  decodeMasked,
  decodeMessage,
  describe,
  encodeMasked,
  encodeMessage,
  isMasked,
  LAYOUTS,
  type Message,
  MessageError,
  type MessageName,
  padding,
  paddingOctets,
} from "../../lib/photuris/messages.ts";
import { decodeVpi } from "../../lib/photuris/vpi.ts";
import { SCHEMES } from "../../lib/photuris/schemes.ts";
import { fileOf, type Recording } from "./record.ts";

const COOKIES = { initiatorCookie: parseHex("11".repeat(16)), responderCookie: parseHex("22".repeat(16)) };
const VPI = decodeVpi(parseHex("0010abcd"));
const OFFERS = parseHex("0600050002010010000100"); // SHA1, MD5, ESP with PayloadType 0, Blowfish, AH

/** One message of each kind and its octets after the cookies. */
const SAMPLES: [Message, string][] = [
  [{ name: "Cookie_Request", ...COOKIES, counter: 7 }, "0007"],
  [
    { name: "Cookie_Response", ...COOKIES, counter: 8, offeredSchemes: parseHex("000400000002000865") },
    "0108000400000002000865",
  ],
  [
    { name: "Value_Request", ...COOKIES, counter: 8, schemeChoice: 4, exchangeValue: VPI, offeredAttributes: OFFERS },
    "020800040010abcd0600050002010010000100",
  ],
  [
    { name: "Value_Response", ...COOKIES, reserved: parseHex("000000"), exchangeValue: VPI, offeredAttributes: OFFERS },
    "030000000010abcd0600050002010010000100",
  ],
  [
    { name: "Identity_Request", ...COOKIES, lifeTime: 600, spi: 0xdeadbeef, masked: parseHex("01020304") },
    "04000258deadbeef01020304",
  ],
  [{ name: "Secret_Response", ...COOKIES, content: parseHex("aa") }, "05aa"],
  [{ name: "Secret_Request", ...COOKIES, content: new Uint8Array() }, "06"],
  [{ name: "Identity_Response", ...COOKIES, lifeTime: 0xfffffe, spi: 1, masked: parseHex("09") }, "07fffffe0000000109"],
  [{ name: "SPI_Needed", ...COOKIES, random: 1, zero: 0, masked: parseHex("0a") }, "08000001000000000a"],
  [{ name: "SPI_Update", ...COOKIES, lifeTime: 0, spi: 0, masked: parseHex("0b") }, "0900000000000000" + "0b"],
  [{ name: "Bad_Cookie", ...COOKIES }, "0a"],
  [{ name: "Resource_Limit", ...COOKIES, counter: 255 }, "0bff"],
  [{ name: "Verification_Failure", ...COOKIES }, "0c"],
  [{ name: "Message_Reject", ...COOKIES, badMessage: 6, offset: 32 }, "0d060020"],
];

Deno.test("Every message of the table encodes to its octets and decodes to itself", () => {
  assertEquals(SAMPLES.map(([{ name }]) => name), Object.keys(LAYOUTS) as MessageName[]);
  for (const [message, hex] of SAMPLES) {
    const octets = encodeMessage(message);
    assertEquals(formatHex(octets), "11".repeat(16) + "22".repeat(16) + hex, message.name);
    assertEquals(decodeMessage(octets), message);
  }
});

Deno.test("A datagram cut short or with octets too many is refused, with the place of the fault", () => {
  for (const [message] of SAMPLES) {
    const octets = encodeMessage(message);
    for (let length = 0; length < octets.length; length++) {
      try {
        const cut = decodeMessage(octets.subarray(0, length));
        // A list or a masked part may end early; all fixed fields must have been there.
        assert(isMasked(message.name) || /Value|Secret|Cookie_Response/.test(message.name), message.name);
        assertEquals(cut.name, message.name);
      } catch (error) {
        assert(error instanceof DecodeError);
      }
    }
  }
  for (const name of ["Cookie_Request", "Bad_Cookie", "Resource_Limit", "Verification_Failure", "Message_Reject"]) {
    const [message] = SAMPLES.find(([one]) => one.name === name)!;
    const error = assertThrows(() => decodeMessage(concat(encodeMessage(message), new Uint8Array(1))), MessageError);
    assert(error.known && error.offset >= 33);
  }
  const unknown = concat(new Uint8Array(32), new Uint8Array([14]));
  const error = assertThrows(() => decodeMessage(unknown), MessageError, "unknown message 14");
  assertEquals([error.known, error.offset, error.number], [false, 32, 14]);
});

Deno.test("A masked part carries its padding and gives it back", () => {
  const fields = {
    identityChoice: parseHex("0500"),
    identification: VPI,
    verification: decodeVpi(parseHex("0080" + "77".repeat(16))),
    attributeChoices: parseHex("01000500"),
  };
  const open = encodeMasked("Identity_Request", fields);
  for (const count of [8, 100, 255]) {
    const decoded = decodeMasked("Identity_Request", concat(open, padding(count)));
    assertEquals(decoded, { fields, padding: padding(count) });
  }
  const bad = [padding(7), new Uint8Array(), concat(padding(7), new Uint8Array([9])), new Uint8Array(20).fill(20)];
  for (const tail of bad) assertThrows(() => decodeMasked("Identity_Request", concat(open, tail)), DecodeError);
  assertThrows(() => decodeMasked("SPI_Update", padding(8)), DecodeError);
});

Deno.test("Padding fills the message to a multiple of 128 octets and varies by one such step", () => {
  for (let open = 0; open < 400; open++) {
    for (const random of [0, 1]) {
      const count = paddingOctets(open, random);
      assert(count >= 8 && count <= 255, `${open}: ${count}`);
      assertEquals((40 + open + count) % 128, 0);
    }
  }
  assertEquals([paddingOctets(50, 0), paddingOctets(50, 1)], [38, 166]);
});

Deno.test("The description of a message names every field", () => {
  const [message] = SAMPLES[1];
  assertEquals(describe(encodeMessage(message)), [
    "Photuris Cookie_Response (1), 43 octets",
    `Initiator-Cookie: ${"11".repeat(16)}`,
    `Responder-Cookie: ${"22".repeat(16)}`,
    "Counter: 8",
    "Offered-Schemes: DH_G_2_DES_MD5 0, DH_G_2_MD5 7",
  ]);
  assertEquals(describe(encodeMessage(SAMPLES[2][0])).slice(3), [
    "Counter: 8",
    "Scheme-Choice: 4",
    "Initiator-Exchange-Value: 16 bits, abcd",
    "Initiator-Offered-Attributes: SHA1-IPMAC, MD5-IPMAC; ESP-Attributes: Blowfish (OpenBSD); AH-Attributes:",
  ]);
  assertEquals(describe(new Uint8Array(5)), [
    "Photuris, 5 octets, malformed: Initiator-Cookie: needs 16 octets, 5 left",
  ]);
});

Deno.test("Every recorded datagram is described without a fault and encodes to itself", () => {
  for (const { number } of SCHEMES) {
    const { datagrams }: Recording = JSON.parse(Deno.readTextFileSync(fileOf(number)));
    for (const { datagram, message } of datagrams) {
      const octets = parseHex(datagram);
      assertEquals(describe(octets)[0].split(" ")[1], message);
      assertEquals(formatHex(encodeMessage(decodeMessage(octets))), datagram);
    }
  }
});
