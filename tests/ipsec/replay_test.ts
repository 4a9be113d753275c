import { assertEquals, assertThrows } from "@std/assert";
import { DROP } from "../../lib/ipsec/packet.ts";
import { MAX_WINDOW, ReplayWindow } from "../../lib/ipsec/replay.ts";
import { generator } from "./support.ts";

/** RFC 2401 appendix C over a set of all numbers ever seen. */
class NaiveWindow {
  readonly seen = new Set<number>();
  last = 0;
  constructor(readonly size: number) {}

  check(sequence: number): number {
    if (sequence === 0) return DROP.replayZero;
    if (sequence > this.last) return 0;
    if (this.last - sequence >= this.size) return DROP.replayOld;
    return this.seen.has(sequence) ? DROP.replayDuplicate : 0;
  }

  mark(sequence: number): void {
    this.seen.add(sequence);
    this.last = Math.max(this.last, sequence);
  }
}

Deno.test("Any window agrees with a set of all numbers seen, also around 2^31 and 2^32", () => {
  const next = generator(2401);
  for (const size of [1, 2, 31, 32, 33, 63, 64, 65, 100, 255, 1024, 4096]) {
    for (const start of [0, 0x7fffff00, 0xffffe000, 0xfffffff0]) {
      const window = new ReplayWindow(size);
      const naive = new NaiveWindow(size);
      let middle = start;
      for (let round = 0; round < 3000; round++) {
        const jump = next(50) === 0 ? next(3 * size) : next(4);
        middle = Math.min(0xffffffff, middle + jump);
        const sequence = Math.min(0xffffffff, Math.max(0, middle - next(size + size / 2 + 2 | 0) + next(3)));
        const reason = window.check(sequence | 0);
        assertEquals(reason, naive.check(sequence), `size ${size}, number ${sequence}, last ${naive.last}`);
        // Some packets fail authentication after the check: they must leave no trace.
        if (reason === 0 && next(5) > 0) {
          window.mark(sequence | 0);
          naive.mark(sequence);
        }
      }
      assertEquals(window.last >>> 0, naive.last);
    }
  }
});

Deno.test("A first packet may have any number but zero; what is older than the window is then refused", () => {
  const window = new ReplayWindow(32);
  assertEquals(window.check(0), DROP.replayZero);
  assertEquals(window.check(100), 0);
  window.mark(100);
  assertEquals([68, 69, 99, 100, 101].map((number) => window.check(number)), [
    DROP.replayOld,
    0,
    0,
    DROP.replayDuplicate,
    0,
  ]);
});

Deno.test("A jump over the whole window forgets everything before it", () => {
  const window = new ReplayWindow(64);
  for (let number = 1; number <= 64; number++) window.mark(number);
  window.mark(64 + 64);
  for (let number = 65; number < 128; number++) assertEquals(window.check(number), 0);
});

Deno.test("Windows of no packet, of a fraction or beyond the limit are refused", () => {
  for (const size of [0, -1, 1.5, NaN, MAX_WINDOW + 1]) {
    assertThrows(() => new ReplayWindow(size), RangeError, "replay window");
  }
});
