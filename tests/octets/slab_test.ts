import { assertEquals } from "@std/assert";
import { Slab } from "../../lib/octets/slab.ts";

Deno.test("A slab's copies are what was copied, apart from each other and from the original", () => {
  const slab = new Slab();
  const copies: Uint8Array[] = [];
  const wanted: Uint8Array[] = [];
  for (let i = 0; i < 2000; i++) {
    const octets = Uint8Array.from({ length: i * 7 % 200 }, (_, k) => i + k);
    wanted.push(octets.slice());
    copies.push(slab.copy(octets));
    octets.fill(0xee);
  }
  assertEquals(copies, wanted);
  copies.forEach((copy, i) => i % 2 && copy.fill(0));
  wanted.forEach((octets, i) => i % 2 && octets.fill(0));
  assertEquals(copies, wanted);
});
