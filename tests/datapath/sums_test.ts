import { assertEquals } from "@std/assert";
import { createSums, fold, swap16 } from "../../lib/datapath/sums.ts";
import { createArena } from "../../lib/octets/arena.ts";

/** RFC 1071 as it is written: 16-bit words, end-around carry, an odd octet padded with zero. */
function slowSum(octets: Uint8Array, initial: number): number {
  let sum = initial;
  for (let i = 0; i < octets.length; i += 2) {
    sum += octets[i] | (octets[i + 1] ?? 0) << 8;
    if (sum > 0xffff) sum = (sum & 0xffff) + 1;
  }
  return sum;
}

// 0 and 0xffff are the same number in one's complement.
const same = (sum: number) => sum % 0xffff;

Deno.test("sum and copySum agree with the plain definition for every length and alignment", () => {
  const arena = createArena(1 << 20);
  const sums = createSums(arena);
  crypto.getRandomValues(arena.u8.subarray(0, 65536));
  for (let octets = 0; octets < 300; octets++) {
    for (const from of [64, 65, 66, 71, 80]) {
      for (const initial of [0, 1, 0xffff, 0x1234]) {
        const wanted = same(slowSum(arena.u8.slice(from, from + octets), initial));
        assertEquals(same(sums.sum(from, octets, initial)), wanted, `sum ${octets}@${from}`);
        arena.u8.fill(0xee, 70000, 71000);
        assertEquals(same(sums.copySum(70100, from, octets, initial)), wanted, `copySum ${octets}@${from}`);
        assertEquals(arena.u8.slice(70100, 70100 + octets), arena.u8.slice(from, from + octets));
        assertEquals([arena.u8[70099], arena.u8[70100 + octets]], [0xee, 0xee], "wrote outside");
      }
    }
  }
});

Deno.test("sums of 64 KiB of 0xff do not overflow", () => {
  const arena = createArena(1 << 18);
  const sums = createSums(arena);
  arena.u8.fill(0xff, 64, 64 + 65535);
  assertEquals(same(sums.sum(64, 65535, 0xffff)), same(slowSum(arena.u8.slice(64, 64 + 65535), 0xffff)));
});

Deno.test("fold and swap16 keep the sum", () => {
  assertEquals(fold(0x1fffe), 0xffff);
  assertEquals(swap16(0x1234), 0x3412);
});
