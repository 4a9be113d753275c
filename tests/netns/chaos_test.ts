import { assert, assertRejects } from "@std/assert";
import { runChaos } from "../chaos/chaos.ts";

const log = (line: string) => console.log(`      ${line}`);

Deno.test("40 seconds of faults: tunnels come back by themselves, nothing goes out in clear, no process grows", async () => {
  const counts = await runChaos({ seconds: 40, seed: 20, log });
  assert(Object.keys(counts).length >= 5, JSON.stringify(counts));
});

Deno.test("the chaos test fails when flows are flushed and packets go out in clear", async () => {
  await assertRejects(
    () => runChaos({ seconds: 1, seed: 1, log, faults: ["open"] }),
    Error,
    "seed 1, open: flows flushed: cleartext on the wire",
  );
});
