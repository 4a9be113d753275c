import { assertEquals } from "@std/assert";
import { fold, pseudoSum, sum, updateChecksum, writeHeaderChecksum } from "../../lib/ip/checksum.ts";
import { parseHex } from "../../lib/octets/hex.ts";
import { generator, naiveChecksum } from "../ipsec/support.ts";

const viewOf = (octets: Uint8Array<ArrayBuffer>) => new DataView(octets.buffer);

Deno.test("The sum of RFC 1071's example is what the RFC says", () => {
  const view = viewOf(parseHex("0001f203f4f5f6f7"));
  assertEquals(sum(view, 0, 8, 0), 0xddf2);
});

Deno.test("The sum equals the plainest form for every length and alignment", () => {
  const next = generator(1071);
  const octets = Uint8Array.from({ length: 600 }, () => next(256));
  const view = viewOf(octets);
  for (let at = 0; at < 5; at++) {
    for (let length = 0; length < 200; length++) {
      assertEquals(~sum(view, at, length, 0) & 0xffff, naiveChecksum(octets.slice(at, at + length)));
    }
  }
});

Deno.test("The sum of 65,535 octets of ones does not overflow", () => {
  const octets = new Uint8Array(65535).fill(255);
  assertEquals(~sum(viewOf(octets), 0, octets.length, 0xffff) & 0xffff, naiveChecksum(octets));
});

Deno.test("A header checksum makes the header sum to all ones", () => {
  const octets = parseHex("4500003008fe0000400112340a0000010a000002");
  writeHeaderChecksum(viewOf(octets), 0, 20);
  assertEquals(sum(viewOf(octets), 0, 20, 0), 0xffff);
});

Deno.test("An incremental update equals a new computation (RFC 1624)", () => {
  const next = generator(1624);
  for (let round = 0; round < 2000; round++) {
    const octets = Uint8Array.from({ length: 40 }, () => next(256));
    const view = viewOf(octets);
    const checksum = ~sum(view, 0, 40, 0) & 0xffff;
    const at = 2 * next(20);
    const before = view.getUint16(at);
    const after = next(65536);
    view.setUint16(at, after);
    assertEquals(updateChecksum(checksum, before, after), ~sum(view, 0, 40, 0) & 0xffff);
  }
});

Deno.test("An incremental update keeps away from the wrong zero of RFC 1141", () => {
  // RFC 1624 section 4: checksum 0xdd2f, 0x5555 becomes 0x3285: 0x0000, not 0xffff.
  assertEquals(updateChecksum(0xdd2f, 0x5555, 0x3285), 0);
});

Deno.test("The pseudo-header sum covers addresses, protocol and length", () => {
  const octets = parseHex("0a0000010a000002");
  assertEquals(pseudoSum(viewOf(octets), 4, 0, 4, 17, 9), fold(0x0a00 + 1 + 0x0a00 + 2 + 17 + 9));
});
