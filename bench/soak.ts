/**
 * Full load between two namespaces for as long as wanted: TCP both ways through AES-128-GCM in UDP, a flood of small
 * packets beyond capacity every half minute, new SAs every minute. Fails when an engine's memory grows, when the garbage
 * collector holds a packet Worker up for more than 5 ms, or when the tunnel stands still.
 *
 *     deno task soak [--seconds=N] [--nice=N] [--json FILE]      default: an hour
 *
 * The engines run at nice -20, so that time for which another process had their processor is not taken for a pause of
 * the collector; --nice=0 leaves the others their share.
 */
import { existsSync } from "node:fs";
import { optionsOf } from "../scripts/options.ts";
import { ensurePackages } from "../scripts/packages.ts";
import { ipsecadmAll, key } from "../tests/netns/engine.ts";
import { type Background, type Host, ipsecboxCommand, waitFor } from "../tests/netns/topology.ts";
import { A, B, median, pack, percentile, rssMiB, table, twoHosts, workerPid } from "./measure.ts";
import { byThread, type Collection, collections, growth, MOST_PAUSE_MS } from "./soak_rules.ts";

const FLOOD_EVERY = 30;
const FLOOD_SECONDS = 2;
const REKEY_EVERY = 60;
/** Seconds without an octet after which the tunnel counts as broken. */
const STANDSTILL = 10;
/** The old SAs stay for packets on their way. */
const OVERLAP_MS = 1000;
/** The tables of a young process still fill, and its code is still being compiled. */
const WARM_UP_MS = 5000;

const { seconds, nice, json } = optionsOf("deno task soak", {
  seconds: { value: 3600, least: 8 },
  nice: { value: -20, least: -20 },
}, { json: "FILE" });

await ensurePackages("bench");
await pack();
await using net = await twoHosts("soak");
const [a, b] = [net.host("a"), net.host("b")];

const spiOf = (generation: number, direction: number) => (0x1000 + 2 * generation + direction).toString(16);
/** Adds a pair of SAs with keys of their own, receivers first: who sends takes the newest. */
const addSas = async (generation: number) => {
  const pair = [[A, B], [B, A]].map(([from, to], i) =>
    `new esp -forcetunnel -udpencap 4500 -src ${from} -dst ${to} -spi ${spiOf(generation, i)} ` +
    `-enc aes-gcm -key ${key(20, generation)}`
  );
  await ipsecadmAll(b, [pair[0]]);
  await ipsecadmAll(a, [pair[1]]);
  await ipsecadmAll(a, [pair[0]]);
  await ipsecadmAll(b, [pair[1]]);
};
const removeSas = async (generation: number) => {
  for (const host of [a, b]) {
    await ipsecadmAll(host, [B, A].map((to, i) => `delspi -dst ${to} -spi ${spiOf(generation, i)} -proto esp`));
  }
};
const addFlows = async (host: Host, own: string, peer: string) => {
  const flow = `flow -proto esp -src ${own} -dst ${peer}`;
  await ipsecadmAll(host, [
    `${flow} -addr ${own}/32 ${peer}/32 -out -require`,
    `${flow} -addr ${peer}/32 ${own}/32 -in -require`,
  ]);
};

const started = performance.now();
const traced = { DENO_V8_FLAGS: "--trace-gc" };
const engines: Background[] = [];
for (const host of [a, b]) {
  const engine = host.spawn(["nice", "-n", String(nice), ...ipsecboxCommand(), "enc"], traced);
  await waitFor(() => engine.output().includes("ready"), `the engine of ${host.name}`, 20_000);
  engines.push(engine);
}
const pids = engines.map(({ pid }) => workerPid(pid));
// Where the scheduler groups processes by session, niceness counts within a group alone, and groups have one of their own.
for (const pid of pids) {
  const group = `/proc/${pid}/autogroup`;
  if (existsSync(group)) Deno.writeTextFileSync(group, String(nice));
}
await addSas(0);
await addFlows(a, A, B);
await addFlows(b, B, A);
await waitFor(async () => (await a.ping(B)).received === 1, "the tunnel to carry a packet", 20_000);

const receivedBy = async (host: Host) =>
  Number((await host.exec(["cat", "/sys/class/net/enc0/statistics/rx_bytes"])).stdout);
/** Everything an engine counts, by name, and what its interface had no room for. */
const countersOf = async (host: Host): Promise<[string, number][]> => {
  const statistics = JSON.parse((await host.ipsecbox(["netstat", "-s", "--json"])).stdout) as Record<string, object>;
  const counted = Object.entries(statistics).flatMap(([protocol, counts]) =>
    Object.entries(counts).map(([name, count]): [string, number] => [`${protocol}.${name}`, Number(count)])
  );
  const full = (await host.exec(["cat", "/sys/class/net/enc0/statistics/tx_dropped"])).stdout;
  return [...counted.filter(([, count]) => count > 0), ["enc0.txDropped", Number(full)]];
};

b.spawn(["iperf3", "-s", "-p", "5201"]);
b.spawn(["iperf3", "-s", "-p", "5202"]);
const startLoad = () => a.spawn(["iperf3", "-c", B, "-p", "5201", "-t", "86400", "--bidir", "-P", "2", "-i", "0"]);
let load = startLoad();
const ping = a.spawn(["ping", "-n", "-i", "0.1", B]);

interface Sample {
  readonly second: number;
  readonly mbits: number;
  readonly rss: readonly number[];
}
const samples: Sample[] = [];
const end = performance.now() + seconds * 1000;
const first = performance.now();
let before = { at: first, octets: await receivedBy(a) + await receivedBy(b) };
let generation = 0;
let restarts = 0;
let still = 0;
let flood: Background | undefined;
for (let second = 1; performance.now() < end; second++) {
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, first + second * 1000 - performance.now())));
  const now = { at: performance.now(), octets: await receivedBy(a) + await receivedBy(b) };
  const mbits = (now.octets - before.octets) * 8 / 1e3 / (now.at - before.at);
  before = now;
  const ended = engines.find((engine) => engine.ended());
  if (ended) throw new Error(`an engine ended: ${ended.output().slice(-2000)}`);
  still = mbits < 1 ? still + 1 : 0;
  if (still >= STANDSTILL) throw new Error(`the tunnel has carried nothing for ${STANDSTILL} s after ${second} s`);
  samples.push({ second, mbits, rss: pids.map(rssMiB) });
  if (load.ended()) {
    restarts++;
    load = startLoad();
  }
  if (second % FLOOD_EVERY === FLOOD_EVERY / 2) {
    flood = a.spawn(["iperf3", "-c", B, "-p", "5202", "-u", "-b", "0", "-l", "64", "-t", String(FLOOD_SECONDS)]);
  }
  if (second % REKEY_EVERY === 0) {
    await addSas(++generation);
    await new Promise((resolve) => setTimeout(resolve, OVERLAP_MS));
    await removeSas(generation - 1);
  }
  if (second % 60 === 0) {
    const last = samples.slice(-60);
    console.log(
      `${second} s: ${median(last.map((sample) => sample.mbits)).toFixed(0)} Mbit/s, ` +
        `RSS ${pids.map((_, i) => median(last.map(({ rss }) => rss[i])).toFixed(0)).join(" and ")} MiB`,
    );
  }
}
flood?.[Symbol.dispose]();
load[Symbol.dispose]();
await ping.stop("SIGINT");

const faults: string[] = [];
const trips = [...ping.output().matchAll(/time=([\d.]+)/g)].map(([, time]) => Number(time));
const counters = await Promise.all([a, b].map(countersOf));
// V8 writes its trace in blocks, the last of them at the end.
for (const engine of engines) await engine.stop();
const threads = engines.flatMap((engine, i) =>
  byThread(collections(engine.output()), first - started + WARM_UP_MS).map((list, thread) => ({
    name: `engine ${"ab"[i]}, ${thread === 0 ? "main thread" : `packet Worker ${thread}`}`,
    inPacketPath: thread > 0,
    list,
  }))
);
const pauses = (list: readonly Collection[]) => list.map(({ pauseMs }) => pauseMs);
for (const { name, inPacketPath, list } of threads) {
  const longest = Math.max(0, ...pauses(list));
  if (inPacketPath && longest > MOST_PAUSE_MS) faults.push(`${name} stood still for ${longest} ms`);
}
const memory = pids.map((_, i) => growth(samples.map(({ rss }) => rss[i])));
memory.forEach(({ early, late, grows }, i) => {
  if (grows) faults.push(`engine ${"ab"[i]} grew from ${early.toFixed(1)} to ${late.toFixed(1)} MiB`);
});
const speed = growth(samples.map(({ mbits }) => mbits));

console.log(`\n${samples.length} s, ${generation} rekeyings; load restarted ${restarts} times`);
console.log(table(["", "second quarter", "last quarter", "most"], [
  ["Mbit/s, both directions", speed.early.toFixed(0), speed.late.toFixed(0), ""],
  ...memory.map(({ early, late }, i) => [
    `RSS of engine ${"ab"[i]}, MiB`,
    early.toFixed(1),
    late.toFixed(1),
    Math.max(...samples.map(({ rss }) => rss[i])).toFixed(1),
  ]),
]));
console.log(
  `\n` + table(
    ["garbage collections", "count", "median ms", "longest ms"],
    threads.map(({ name, list }) => [
      name,
      String(list.length),
      list.length ? median(pauses(list)).toFixed(2) : "-",
      list.length ? Math.max(...pauses(list)).toFixed(2) : "-",
    ]),
  ),
);
console.log(
  `\nRound trip of a ping beside it, ms: median ${median(trips).toFixed(2)}, 99 % ${
    percentile(trips, 0.99).toFixed(2)
  }` +
    `, longest ${Math.max(...trips).toFixed(2)}`,
);
for (const [i, counts] of counters.entries()) {
  console.log(`Counters of engine ${"ab"[i]}: ${counts.map(([name, count]) => `${name} ${count}`).join(", ")}`);
}
if (json) {
  const report = { samples, memory, speed, threads, counters, trips: { median: median(trips) }, faults };
  await Deno.writeTextFile(json, JSON.stringify(report, undefined, 2) + "\n");
}
for (const fault of faults) console.error(`FAULT: ${fault}`);
console.log(faults.length ? "" : `No growth, no pause above ${MOST_PAUSE_MS} ms in the packet path`);
Deno.exitCode = faults.length ? 1 : 0;
