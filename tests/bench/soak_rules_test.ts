import { assertEquals } from "@std/assert";
import { byThread, collections, growth } from "../../bench/soak_rules.ts";

const TRACE = `2026-11-24 10:50:17 enc: ready: interface enc0, process 5930
[5930:0x5586f18a5000]      206 ms: Scavenge 4.4 (5.2) -> 3.9 (6.0) MB, pooled: 0.0 MB, 17.82 / 0.00 ms (average mu = 1.000, current mu = 1.000) allocation failure; 
[5930:0x7f30040ca000]       65 ms: Scavenge 4.4 (5.0) -> 4.0 (5.8) MB, pooled: 0.0 MB, 8.89 / 0.00 ms (average mu = 1.000, current mu = 1.000) allocation failure; 
[5930:0x7f30040ca000]    10180 ms: Scavenge 8.9 (11.1) -> 7.9 (10.1) MB, pooled: 1.0 MB, 0.13 / 0.00 ms (average mu = 1.000, current mu = 1.000) allocation failure; 
[5930:0x7f30040ca000]    20180 ms: Mark-Compact 9.0 (11.1) -> 5.1 (8.1) MB, pooled: 1.0 MB, 1.50 / 0.00 ms  (+ 4.1 ms in 9 steps since start of marking, biggest step 2.7 ms, walltime since start of marking 8 ms) (average mu = 1.000, current mu = 1.000) finalize incremental marking via stack guard; GC in old space requested
[5930:0x5586f18a5000]    20409 ms: Mark-Compact (reduce) 7.9 (10.0) -> 7.5 (10.3) MB, pooled: 0.0 MB, 6.80 / 0.00 ms (average mu = 1.000, current mu = 1.000) allocation failure; `;

Deno.test("a pause of a collection is the longest time that its thread stood still, marking steps included", () => {
  assertEquals(collections(TRACE).map(({ kind, pauseMs }) => [kind, pauseMs]), [
    ["Scavenge", 17.82],
    ["Scavenge", 8.89],
    ["Scavenge", 0.13],
    ["Mark-Compact", 2.7],
    ["Mark-Compact", 6.8],
  ]);
});

Deno.test("collections are told apart by thread, the main thread first, without those of the start", () => {
  assertEquals(byThread(collections(TRACE), 5000).map((thread) => thread.map(({ atMs }) => atMs)), [
    [20409],
    [10180, 20180],
  ]);
});

Deno.test("a series grows when its last quarter is above its second by more than a twentieth and a MiB", () => {
  const series = (late: number) => Array.from({ length: 80 }, (_, i) => i < 20 ? 50 + i : i < 60 ? 96 : late);
  assertEquals(growth(series(96)), { early: 96, late: 96, grows: false });
  assertEquals(growth(series(101)).grows, false);
  assertEquals(growth(series(102)).grows, true);
});
