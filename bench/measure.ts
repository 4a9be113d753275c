/** Measuring a tunnel between two hosts: throughput, packets, latency, and what it costs. @module */
import type { Host } from "../tests/netns/topology.ts";
import { waitFor } from "../tests/netns/topology.ts";

/** What one run of iperf3 over TCP gave. */
export interface Throughput {
  readonly mbits: number;
  readonly packetsPerSecond: number;
  /** CPU seconds of the measured processes for each Gbit carried. */
  readonly cpuPerGbit: number;
  readonly rssMiB: number;
}

/** CPU seconds that a process and its threads have used. */
export function cpuSeconds(pid: number): number {
  const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).replace(/^.*\) /s, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Resident memory of a process in MiB. */
export function rssMiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1] ?? 0) / 1024;
}

const packetsOf = async (host: Host, device: string) =>
  Number((await host.exec(`cat /sys/class/net/${device}/statistics/tx_packets`)).stdout);

/** The process that an `ip netns exec`-like wrapper became, or its busiest descendant. */
export function workerPid(pid: number): number {
  const children = new TextDecoder().decode(
    new Deno.Command("pgrep", { args: ["-P", String(pid)] }).outputSync().stdout,
  ).split("\n").filter(Boolean).map(Number);
  return children.length ? workerPid(children[0]) : pid;
}

/**
 * One run of iperf3.
 *
 * @param link interface of `from` whose packets are counted
 * @param pids processes whose CPU time is the cost
 */
export async function tcp(
  from: Host,
  to: Host,
  address: string,
  link: string,
  pids: readonly number[],
  { seconds = 4, args = [] as string[] } = {},
): Promise<Throughput> {
  const server = to.spawn(["iperf3", "-s", "-1", "--forceflush"]);
  await waitFor(() => server.output().includes("listening"), "iperf3 to listen");
  const cpu = pids.map(cpuSeconds);
  const packets = await packetsOf(from, link);
  const { stdout } = await from.exec(["iperf3", "-c", address, "-t", String(seconds), "-J", ...args], {
    timeoutMs: (seconds + 30) * 1000,
  });
  const result = JSON.parse(stdout);
  const { bits_per_second: bits, bytes } = result.end.sum_received;
  const reverse = result.end.sum_received_bidir_reverse;
  const total = bits + (reverse?.bits_per_second ?? 0);
  const gbits = (bytes + (reverse?.bytes ?? 0)) * 8 / 1e9;
  return {
    mbits: total / 1e6,
    packetsPerSecond: (await packetsOf(from, link) - packets) / seconds,
    cpuPerGbit: pids.reduce((sum, pid, i) => sum + cpuSeconds(pid) - cpu[i], 0) / gbits,
    rssMiB: Math.max(0, ...pids.map(rssMiB)),
  };
}

/** Round trips at an easy pace: the median in milliseconds. */
export async function roundTrip(from: Host, address: string, count = 300, source?: string): Promise<number> {
  const own = source === undefined ? [] : ["-I", source];
  const { stdout } = await from.exec(["ping", "-n", "-i", "0.01", "-c", String(count), ...own, address]);
  const times = [...stdout.matchAll(/time=([\d.]+)/g)].map(([, time]) => Number(time)).sort((a, b) => a - b);
  return times[times.length >> 1];
}

/** UDP datagrams of 64 octets as fast as iperf3 sends them: thousands that arrive in a second. */
export async function smallPackets(from: Host, to: Host, source: string, address: string): Promise<number> {
  const server = to.spawn(["iperf3", "-s", "-1", "--forceflush"]);
  await waitFor(() => server.output().includes("listening"), "iperf3 to listen");
  const { stdout } = await from.exec(
    ["iperf3", "-c", address, "-B", source, "-u", "-b", "0", "-l", "64", "-t", "3", "-J"],
    { timeoutMs: 40_000 },
  );
  const { packets, lost_packets: lost, seconds } = JSON.parse(stdout).end.sum;
  return (packets - lost) / seconds / 1000;
}

export const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1];

/** A table in plain text: the first column left, the others right. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((cell, i) => Math.max(cell.length, ...rows.map((row) => row[i].length)));
  const line = (cells: readonly string[]) =>
    cells.map((cell, i) => i ? cell.padStart(widths[i]) : cell.padEnd(widths[i])).join("  ");
  return [line(header), ...rows.map(line)].join("\n");
}
