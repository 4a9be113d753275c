import { assertEquals, assertThrows } from "@std/assert";
import { parseHex } from "../../lib/octets/hex.ts";
import { Builder } from "../../lib/octets/builder.ts";
import { DecodeError, Reader } from "../../lib/octets/reader.ts";
import { decodeVpi, encodeVpi, readSize, significantBits, writeSize } from "../../lib/photuris/vpi.ts";

Deno.test("A Size has the form that RFC 2522 2.3 gives to its number of bits", () => {
  for (
    const [bits, hex] of [
      [0, "0000"],
      [512, "0200"],
      [65_279, "feff"],
      [65_280, "ff000000"],
      [16_776_959, "fffeffff"],
      [16_776_960, "ffff000000000000"],
      [16_776_960 + 2 ** 40 + 5, "ffff010000000005"],
    ] as const
  ) {
    const builder = new Builder();
    writeSize(builder, bits);
    assertEquals(builder.finish(), parseHex(hex), String(bits));
    assertEquals(readSize(new Reader(parseHex(hex)), "value"), bits);
  }
});

Deno.test("A value is right-justified in the octets that its Size needs", () => {
  assertEquals(encodeVpi(parseHex("0102"), 20), parseHex("0014000102"));
  assertEquals(encodeVpi(parseHex("00000102"), 9), parseHex("00090102"));
  assertEquals(encodeVpi(new Uint8Array(), 0), parseHex("0000"));
  assertThrows(() => encodeVpi(parseHex("0102"), 8), RangeError, "9 bits in 8");
});

Deno.test("All three forms decode to the value and keep their octets for hashing", () => {
  const long = new Uint8Array(8160).fill(0xab); // 65,280 bits
  for (const value of [parseHex("abcd"), long]) {
    const raw = encodeVpi(value);
    assertEquals(decodeVpi(raw), { bits: 8 * value.length, value, raw });
  }
});

Deno.test("A VPI that is longer than its datagram, negative or not in its shortest form is refused", () => {
  for (
    const [hex, words] of [["0010ab", "needs 2 octets"], ["00", "needs 1 octets"], ["0009ffff", "bits beyond"], [
      "ffffffffffffffff",
      "more than",
    ]]
  ) {
    assertThrows(() => decodeVpi(parseHex(hex)), DecodeError, words);
  }
  assertThrows(() => decodeVpi(parseHex("0008abcd")), DecodeError, "1 octets too many");
});

Deno.test("significantBits counts from the highest one bit", () => {
  assertEquals(["", "00", "01", "0080", "ff00"].map((hex) => significantBits(parseHex(hex))), [0, 0, 1, 8, 16]);
});
