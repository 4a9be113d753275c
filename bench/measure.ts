/** Measuring a tunnel between two hosts: throughput, packets, latency, and what it costs. @module */
import { join } from "node:path";
import { type Background, type Host, type Topology, topology, waitFor } from "../tests/netns/topology.ts";
import type { PacketRates } from "./packets.ts";

/** Addresses of the hosts of {@linkcode twoHosts}. */
export const [A, B] = ["10.99.0.1", "10.99.0.2"] as const;

/** Hosts `a` and `b` with one link between them, eth0 on both. */
export const twoHosts = (name: string): Promise<Topology> =>
  topology(name, {
    hosts: { a: {}, b: {} },
    links: [{ ends: [["a", "eth0", `${A}/24`], ["b", "eth0", `${B}/24`]] }],
  });

/** Round trips in milliseconds. */
export interface Trips {
  readonly median: number;
  /** 99 of a hundred take no longer. */
  readonly most: number;
}

/** What one run of iperf3 over TCP gave. */
export interface Throughput {
  readonly mbits: number;
  readonly packetsPerSecond: number;
  /** CPU seconds of the measured processes for each Gbit carried. */
  readonly cpuPerGbit: number;
  readonly rssMiB: number;
  /** Of pings every 10 ms beside it, where they were asked for. */
  readonly beside?: Trips;
}

/** CPU seconds that a process and its threads have used. */
export function cpuSeconds(pid: number): number {
  const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).replace(/^.*\) /s, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

const statusMiB = (pid: number, field: string) =>
  Number(new RegExp(`${field}:\\s+(\\d+)`).exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1] ?? 0) / 1024;

/** Resident memory of a process in MiB. */
export const rssMiB = (pid: number): number => statusMiB(pid, "VmRSS");
/** The most that was ever resident. */
export const peakRssMiB = (pid: number): number => statusMiB(pid, "VmHWM");

const packetsOf = async (host: Host, device: string) =>
  Number((await host.exec(`cat /sys/class/net/${device}/statistics/tx_packets`)).stdout);

/** The process that an `ip netns exec`-like wrapper became, or its busiest descendant. */
export function workerPid(pid: number): number {
  const children = new TextDecoder().decode(
    new Deno.Command("pgrep", { args: ["-P", String(pid)] }).outputSync().stdout,
  ).split("\n").filter(Boolean).map(Number);
  return children.length ? workerPid(children[0]) : pid;
}

export interface TcpOptions {
  readonly seconds?: number;
  /** More words for iperf3. */
  readonly args?: readonly string[];
  /** Source address of pings that run beside the stream. */
  readonly pingFrom?: string;
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
  { seconds = 4, args = [], pingFrom }: TcpOptions = {},
): Promise<Throughput> {
  const server = to.spawn(["iperf3", "-s", "-1", "--forceflush"]);
  await waitFor(() => server.output().includes("listening"), "iperf3 to listen");
  const cpu = pids.map(cpuSeconds);
  const packets = await packetsOf(from, link);
  const client = from.exec(["iperf3", "-c", address, "-t", String(seconds), "-J", ...args], {
    timeoutMs: (seconds + 30) * 1000,
  });
  // The first half second is the stream's start, when no queue is full yet.
  const beside = pingFrom === undefined
    ? undefined
    : await new Promise((resolve) => setTimeout(resolve, 500)).then(() =>
      roundTrips(from, address, Math.max(20, Math.round((seconds - 0.7) * 100)), pingFrom)
    );
  const { stdout } = await client;
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
    beside,
  };
}

/** Round trips of pings every 10 ms. @throws {Error} with ping's words when none came back */
export async function roundTrips(from: Host, address: string, count = 300, source?: string): Promise<Trips> {
  const own = source === undefined ? [] : ["-I", source];
  const { stdout, stderr } = await from.exec(["ping", "-n", "-i", "0.01", "-c", String(count), ...own, address], {
    check: false,
  });
  const times = [...stdout.matchAll(/time=([\d.]+)/g)].map(([, time]) => Number(time));
  if (times.length === 0) throw new Error(`No ping of ${count} came back: ${stdout}${stderr}`);
  return { median: median(times), most: percentile(times, 0.99) };
}

/** The command of packets.ts. */
export const PACKETS = [Deno.execPath(), "run", "-A", "--quiet", join(import.meta.dirname!, "packets.ts")] as const;

/** Starts the receiver of small packets. */
export async function packetReceiver(host: Host, address: string, port: string): Promise<Background> {
  const receiver = host.spawn([...PACKETS, "receive", address, port]);
  await waitFor(() => receiver.output().includes("listening"), "the receiver of packets to listen", 20_000);
  return receiver;
}

/** How many small packets a second get through; see packets.ts. */
export async function packetRates(from: Host, to: Host, source: string, address: string): Promise<PacketRates> {
  const receiver = await packetReceiver(to, address, "7001");
  const { stdout } = await from.exec([...PACKETS, "send", source, address, "7001"]);
  await receiver.stop("SIGKILL");
  return JSON.parse(stdout);
}

export const median = (values: readonly number[]): number => percentile(values, 0.5);

/** The value that the given share of all are below; NaN of none. */
export function percentile(values: readonly number[], share: number): number {
  return [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? NaN;
}

/** Makes dist/ipsecbox of what is in the tree. */
export async function pack(): Promise<void> {
  const packed = await new Deno.Command(Deno.execPath(), { args: ["run", "-A", "scripts/pack.ts"] }).output();
  if (!packed.success) throw new Error(new TextDecoder().decode(packed.stderr));
}

/** What the figures were measured on: processor, kernel. */
export function machine(): string {
  const model = /^model name\s*:\s*(.*)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo"))?.[1] ?? Deno.build.arch;
  return `${navigator.hardwareConcurrency} x ${model}, Linux ${Deno.osRelease()}`;
}

/** A table in plain text: the first column left, the others right. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((cell, i) => Math.max(cell.length, ...rows.map((row) => row[i].length)));
  const line = (cells: readonly string[]) =>
    cells.map((cell, i) => i ? cell.padStart(widths[i]) : cell.padEnd(widths[i])).join("  ").trimEnd();
  return [line(header), ...rows.map(line)].join("\n");
}
