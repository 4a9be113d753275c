import { assertEquals } from "@std/assert";
import { FewEntries } from "../../lib/octets/few_entries.ts";

Deno.test("few entries behave as a Map does, in any order of settings and deletions", () => {
  const few = new FewEntries<number, number | undefined>();
  const map = new Map<number, number | undefined>();
  let state = 1;
  for (let i = 0; i < 2000; i++) {
    state = Math.imul(state, 1103515245) + 12345 | 0;
    const key = state >>> 16 & 3;
    if (state >>> 20 & 1) {
      few.set(key, i);
      map.set(key, i);
    } else {
      few.delete(key);
      map.delete(key);
    }
    assertEquals([few.size, few.first, [...few.values()]], [map.size, map.values().next().value, [...map.values()]]);
  }
});
