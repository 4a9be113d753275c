import { assert, assertEquals } from "@std/assert";
import { Spin } from "../../lib/daemon/spin.ts";

/** How many of `sleeps` sleeps are preceded by a look that always ends like this. */
function looks(spin: Spin, sleeps: number, found: boolean): number {
  let count = 0;
  for (let i = 0; i < sleeps; i++) {
    if (!spin.worthwhile) continue;
    count++;
    spin.settle(found);
  }
  return count;
}

Deno.test("a Worker looks for more before it sleeps while that helps, hardly ever when it does not", () => {
  const spin = new Spin();
  assertEquals(looks(spin, 1000, true), 1000, "request and answer");
  const idle = looks(spin, 10_000, false);
  assert(idle < 10_000 / 25, `${idle} looks in vain`);
  assert(looks(spin, 1000, true) > 900, "comes back when it helps again");
});
