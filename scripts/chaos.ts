/**
 * Faults between two gateways in namespaces, in random order: daemons killed, links, addresses and enc0 taken away, loss, a
 * full run directory, no file descriptors, malformed floods. Fails when a tunnel does not come back by itself in time, when
 * a process has grown, or when a single packet that a flow protects went out in clear.
 *
 *     deno task chaos [--seconds N] [--seed S]      defaults: 60 seconds, a seed from the clock, which is printed
 */
import { RECOVERY_MS, runChaos } from "../tests/chaos/chaos.ts";
import { optionsOf } from "./options.ts";
import { ensurePackages } from "./packages.ts";

const { seconds, seed } = optionsOf("deno task chaos", {
  seconds: { value: 60, least: 1 },
  seed: { value: Date.now() % 1_000_000, least: 0 },
});
const options = { seconds, seed: Math.floor(seed), log: (line: string) => console.log(line) };
await ensurePackages("test");
console.log(
  `seed ${options.seed}, ${options.seconds} s; tunnels must be back within ${JSON.stringify(RECOVERY_MS)} ms`,
);
const counts = await runChaos(options);
console.log(`held: ${Object.entries(counts).map(([kind, count]) => `${count} ${kind}`).join(", ")}`);
