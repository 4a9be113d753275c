import { assert } from "@std/assert";
import { runChaos } from "../chaos/chaos.ts";

Deno.test("40 seconds of faults: tunnels come back by themselves, nothing goes out in clear, no process grows", async () => {
  const counts = await runChaos({ seconds: 40, seed: 20, log: (line) => console.log(`      ${line}`) });
  assert(Object.keys(counts).length >= 5, JSON.stringify(counts));
});
