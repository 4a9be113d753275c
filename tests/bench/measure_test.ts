import { assert, assertEquals } from "@std/assert";
import { cpuSeconds, median, peakRssMiB, percentile, rssMiB, table } from "../../bench/measure.ts";
import { WAYS } from "../../bench/tunnels.ts";

Deno.test("medians and percentiles are values of the series; of nothing they are no number", () => {
  assertEquals([median([5, 1, 3]), median([4, 1, 3, 2]), median([7])], [3, 3, 7]);
  assertEquals([percentile([3, 1, 2], 0.99), percentile([3, 1, 2], 0), percentile([3, 1, 2], 1)], [3, 1, 3]);
  assert(Number.isNaN(median([])));
});

Deno.test("a table has its first column on the left, the others on the right, and no blanks at the end", () => {
  assertEquals(
    table(["", "Mbit/s", "x"], [["veth", "20000", ""], ["a tunnel", "5", "1.0"]]),
    [
      "          Mbit/s    x",
      "veth       20000",
      "a tunnel       5  1.0",
    ].join("\n"),
  );
});

Deno.test("a process's time and memory are read from its own files", () => {
  const before = cpuSeconds(Deno.pid);
  const end = performance.now() + 5000;
  while (cpuSeconds(Deno.pid) === before && performance.now() < end);
  const used = cpuSeconds(Deno.pid) - before;
  assert(used > 0 && used < 10, `${used}`);
  assert(rssMiB(Deno.pid) > 10 && peakRssMiB(Deno.pid) >= rssMiB(Deno.pid) - 1);
});

Deno.test("every way has a name of its own and is compared with one that is measured", () => {
  const names = WAYS.map(({ name }) => name);
  assertEquals(new Set(names).size, names.length);
  for (const { name, peer } of WAYS) assert(peer === undefined || names.indexOf(peer) < names.indexOf(name), name);
});
