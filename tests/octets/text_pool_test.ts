import { assertEquals } from "@std/assert";
import { TextPool } from "../../lib/octets/text_pool.ts";

Deno.test("A text pool reads what a decoder reads, however many texts it has read before", () => {
  const pool = new TextPool();
  const encoder = new TextEncoder();
  let state = 7;
  const below = (limit: number) => (state = Math.imul(state, 1103515245) + 12345 >>> 0) % 65521 % limit;
  const letters = ["a", "b", "-", "_", "0", "\u00e5", "\u{1f600}", "\0"];
  for (let i = 0; i < 50_000; i++) {
    const text = Array.from({ length: below(4) ? below(6) : below(90) }, () => letters[below(letters.length)]).join("");
    const octets = encoder.encode(`..${text}..`);
    assertEquals(pool.read(octets, 2, octets.length - 4), text);
  }
});

Deno.test("Two texts that a text pool takes for one by their hash are read apart", () => {
  const pool = new TextPool();
  const hashOf = (octets: Uint8Array) => octets.reduce((hash, octet) => Math.imul(hash ^ octet, 0x01000193), 8);
  const byHash = new Map<number, Uint8Array>();
  let state = 1;
  for (;;) {
    const octets = Uint8Array.from(
      { length: 8 },
      () => 33 + (state = Math.imul(state, 1103515245) + 12345 >>> 0) % 65521 % 90,
    );
    const other = byHash.get(hashOf(octets));
    if (other) {
      for (const each of [octets, other, octets]) assertEquals(pool.read(each, 0, 8), String.fromCharCode(...each));
      break;
    }
    byHash.set(hashOf(octets), octets);
  }
});
