import { assert } from "@std/assert";
import { addressOf } from "../../lib/ffi/libc.ts";
import { Nap } from "../../lib/linux/nap.ts";
import { createArena } from "../../lib/octets/arena.ts";

Deno.test("a nap takes as long as it was made for, and not a millisecond", () => {
  const nap = new Nap(createArena(65536, addressOf), 200);
  const took = Array.from({ length: 50 }, () => {
    const start = performance.now();
    nap.take();
    return performance.now() - start;
  });
  assert(Math.min(...took) >= 0.19, `${Math.min(...took)} ms`);
  assert(Math.min(...took) < 0.9, `${Math.min(...took)} ms`);
});
