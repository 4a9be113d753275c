/**
 * Faults between two gateways in namespaces, in random order: daemons killed, links, addresses and enc0 taken away, loss, a
 * full run directory, no file descriptors, malformed floods. Fails when a tunnel does not come back by itself in time, when
 * a process has grown, or when a single packet that a flow protects went out in clear.
 *
 *     deno task chaos [--seconds N] [--seed S]      defaults: 60 seconds, a seed from the clock, which is printed
 */
import { parseArgs } from "@std/cli/parse-args";
import { RECOVERY_MS, runChaos } from "../tests/chaos/chaos.ts";
import { ensurePackages } from "./packages.ts";

const { seconds, seed } = parseArgs(Deno.args.filter((word) => word !== "--"), { string: ["seconds", "seed"] });
const options = {
  seconds: Number(seconds ?? 60),
  seed: Number(seed ?? Date.now() % 1_000_000),
  log: (line: string) => console.log(line),
};
if (!(options.seconds > 0) || !Number.isSafeInteger(options.seed)) {
  console.error("usage: deno task chaos [--seconds N] [--seed S]");
  Deno.exit(2);
}
await ensurePackages("test");
console.log(
  `seed ${options.seed}, ${options.seconds} s; tunnels must be back within ${JSON.stringify(RECOVERY_MS)} ms`,
);
const counts = await runChaos(options);
console.log(`held: ${Object.entries(counts).map(([kind, count]) => `${count} ${kind}`).join(", ")}`);
