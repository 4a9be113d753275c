/**
 * Throughput through a tunnel between two namespaces, beside plain veth in the same run.
 *
 *     bench/throughput [--rounds N] [--seconds N]
 */
import { optionsOf } from "../scripts/options.ts";
import { ensurePackages } from "../scripts/packages.ts";
import { ipsecadm, key, protect, startEngine } from "../tests/netns/engine.ts";
import { A, B, median, pack, roundTrips, table, tcp, type Throughput, twoHosts, workerPid } from "./measure.ts";

const WAYS = [
  ["raw ESP  aes-128-gcm", `new esp -forcetunnel -enc aes-gcm -key ${key(20)}`],
  ["ESP-UDP  aes-128-gcm", `new esp -forcetunnel -udpencap 4500 -enc aes-gcm -key ${key(20)}`],
  ["raw ESP  aes-128 sha1", `new esp -forcetunnel -enc aes -key ${key(16)} -auth sha1 -authkey ${key(20)}`],
  [
    "ESP-UDP  aes-128 sha1",
    `new esp -forcetunnel -udpencap 4500 -enc aes -key ${key(16)} -auth sha1 -authkey ${key(20)}`,
  ],
  ["raw ESP  3des sha1", `new esp -forcetunnel -enc 3des -key ${key(24)} -auth sha1 -authkey ${key(20)}`],
  [
    "ESP-UDP  3des sha1",
    `new esp -forcetunnel -udpencap 4500 -enc 3des -key ${key(24)} -auth sha1 -authkey ${key(20)}`,
  ],
] as const;

const { rounds, seconds } = optionsOf("bench/throughput", {
  rounds: { value: 3, least: 1 },
  seconds: { value: 4, least: 1 },
});

await ensurePackages("test");
await pack();
await using net = await twoHosts("throughput");
const [a, b] = [net.host("a"), net.host("b")];
const runs = new Map<string, Throughput[]>();
const trips = new Map<string, number[]>();
const record = async (name: string, pids: number[]) => {
  trips.set(name, [...trips.get(name) ?? [], (await roundTrips(a, B, 100)).median]);
  runs.set(name, [...runs.get(name) ?? [], await tcp(a, b, B, "eth0", pids, { seconds })]);
};
for (let round = 0; round < rounds; round++) {
  await record("veth alone", []);
  const engines = await Promise.all([startEngine(a), startEngine(b)]);
  for (const [name, sa] of WAYS) {
    await protect([{ host: a, address: A }, { host: b, address: B }], sa, [[`${A}/32`, `${B}/32`]]);
    await record(name, engines.map(({ pid }) => workerPid(pid)));
    await Promise.all([a, b].map((host) => ipsecadm(host, "flush")));
  }
  for (const engine of engines) await engine.stop();
}
const rows = [...runs].map(([name, results]) => {
  const of = (pick: (result: Throughput) => number) => median(results.map(pick));
  return [
    name,
    of(({ mbits }) => mbits).toFixed(0),
    (of(({ packetsPerSecond }) => packetsPerSecond) / 1000).toFixed(0),
    of(({ cpuPerGbit }) => cpuPerGbit).toFixed(2),
    of(({ rssMiB }) => rssMiB).toFixed(0),
    median(trips.get(name)!).toFixed(2),
  ];
});
console.log(`TCP, one stream, ${seconds} s, median of ${rounds}; both ends and iperf3 share this machine's processors`);
console.log(table(["", "Mbit/s", "kpackets/s", "CPU s/Gbit", "RSS MiB", "round trip ms"], rows));
