/**
 * Many SAs and flows: how long they take to load, the memory they take, and what a packet costs among them. Each of N
 * pairs is an SA of its own and the flow to one address that names it: outbound on one host, inbound on the other.
 *
 *     bench/scale [--sizes 1,1000,...] [--rounds N] [--seconds N] [--rate N] [--json FILE]
 */
import { optionsOf } from "../scripts/options.ts";
import { ensurePackages } from "../scripts/packages.ts";
import { key, startEngine } from "../tests/netns/engine.ts";
import { type Host, waitFor } from "../tests/netns/topology.ts";
import {
  A,
  B,
  cpuSeconds,
  machine,
  median,
  pack,
  packetReceiver,
  PACKETS,
  rssMiB,
  table,
  twoHosts,
  workerPid,
} from "./measure.ts";
import type { Spread } from "./packets.ts";

/** The flows' addresses: 10.128.0.0 and on, all of which are host b. */
const NETWORK = "10.128.0.0/9";
const addressOf = (i: number) => `10.${128 + (i >> 16)}.${i >> 8 & 255}.${i & 255}`;
const FIRST_SPI = 0x1000;
const PORT = "7001";
/** So many flows one after the other leave no two packets of a flow in one system call. */
const BATCHED = 64;
/** What loading has left is collected in the seconds after it; then nothing happens for so many seconds in a row. */
const QUIET_SECONDS = 8;
const MOST_SETTLE_SECONDS = 90;
/** Of a processor, of both engines: less is quiet. */
const QUIET_SHARE = 0.02;

interface Row {
  readonly pairs: number;
  readonly loadSeconds: number;
  readonly rssMiB: readonly [out: number, in_: number];
  /** Microseconds of both engines' CPU time for a packet, at the same rate. */
  readonly oneFlowUs: number;
  readonly allFlowsUs: number;
  /** Share of the packets to all flows that arrived. */
  readonly arrived: number;
  /** Of a processor, while nothing moves. */
  readonly idlePercent: number;
  readonly burst: { readonly sent: number; readonly arrived: number; readonly counted: number };
}

const { rounds, seconds, rate, json: file, sizes: sizeList = "1,1000,10000,100000" } = optionsOf("bench/scale", {
  rounds: { value: 3, least: 1 },
  seconds: { value: 3, least: 1 },
  rate: { value: 20_000, least: 1 },
}, { sizes: "1,1000,...", json: "FILE" });
const sizes = sizeList.split(",").map(Number);
if (!sizes.every((size) => Number.isInteger(size) && size >= 1 && size <= 131072)) {
  console.error(
    `bench/scale: --sizes ${sizeList}: whole numbers from 1 to 131072 are needed, with commas between them`,
  );
  Deno.exit(2);
}

/** SAs and flows of one host as ipsecadm's lines. */
function lines(pairs: number, direction: "in" | "out"): string[] {
  const [own, peer] = direction === "out" ? [A, B] : [B, A];
  const secret = key(20);
  return Array.from({ length: pairs }, (_, i) => {
    const spi = (FIRST_SPI + i).toString(16);
    return [
      `new esp -forcetunnel -udpencap 4500 -src ${A} -dst ${B} -spi ${spi} -enc aes-gcm -key ${secret}`,
      `flow -proto esp -src ${own} -dst ${peer} -spi ${spi} -addr ${A}/32 ${addressOf(i)}/32 -${direction} -require`,
    ];
  }).flat();
}

const load = (host: Host, pairs: number, direction: "in" | "out") =>
  host.ipsecbox(["ipsecadm", "-f", "-"], { input: lines(pairs, direction).join("\n") + "\n", timeoutMs: 600_000 });

/** Packets that something on their way has counted as dropped: device queue, engine, sockets. */
async function dropsOf(host: Host): Promise<number> {
  const device = Number((await host.exec("cat /sys/class/net/enc0/statistics/tx_dropped")).stdout);
  const protocols = JSON.parse((await host.ipsecbox(["netstat", "-s", "--json"])).stdout) as Record<string, object>;
  const engine = Object.values(protocols).flatMap((counts) => Object.entries(counts)).filter(([name]) =>
    !/^(input|output)(Packets|Octets)$/.test(name)
  );
  const udp = (await host.exec("cat /proc/net/snmp")).stdout.split("\n").filter((line) => line.startsWith("Udp: "));
  const column = udp[0].split(" ").indexOf("RcvbufErrors");
  return device + engine.reduce((sum, [, count]) => sum + Number(count), 0) + Number(udp[1].split(" ")[column]);
}

async function measure(a: Host, b: Host, pairs: number): Promise<Row> {
  const engines = await Promise.all([startEngine(a), startEngine(b)]);
  // All is one-way here: nothing leads back into enc0, and a loose filter on an interface without address wants that.
  await b.exec("echo 0 >/proc/sys/net/ipv4/conf/enc0/rp_filter");
  const pids = engines.map(({ pid }) => workerPid(pid));
  const cpu = () => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  const receiver = await packetReceiver(b, "0.0.0.0", PORT);
  const send = async (count: number, rate: number, length: number): Promise<Spread> => {
    const words = ["spread", A, addressOf(0), PORT, String(count), String(rate), String(length)];
    return JSON.parse((await a.exec([...PACKETS, ...words])).stdout);
  };

  const started = performance.now();
  await load(b, pairs, "in");
  const between = performance.now();
  await load(a, pairs, "out");
  // The last flow loaded is the last to work.
  const last = async () => (await a.ping(addressOf(pairs - 1), { source: A, waitSeconds: 0.2 })).received === 1;
  await waitFor(last, `flow ${pairs} to carry a packet`, 120_000);
  const loadSeconds = Math.max(between - started, performance.now() - between) / 1000;
  let idlePercent = 0;
  for (let quiet = 0, second = 0; quiet < QUIET_SECONDS && second < MOST_SETTLE_SECONDS; second++) {
    const before = cpu();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const share = cpu() - before;
    quiet = share < QUIET_SHARE ? quiet + 1 : 0;
    idlePercent = quiet === 0 ? 100 * share : (idlePercent * (quiet - 1) + 100 * share) / quiet;
  }
  const memory = pids.map(rssMiB);

  const cost = async (count: number, length = seconds) => {
    const before = cpu();
    const { sent, arrived } = await send(count, rate, length);
    return { us: (cpu() - before) * 1e6 / arrived, arrived: arrived / sent };
  };
  // Keys are scheduled at an SA's first packet, and code is compiled for what it meets.
  await cost(1);
  await cost(pairs, Math.max(seconds, Math.ceil(2 * pairs / rate)));
  const one = [];
  const all = [];
  for (let round = 0; round < rounds; round++) {
    one.push(await cost(1));
    all.push(await cost(pairs));
  }
  const dropsBefore = await dropsOf(a) + await dropsOf(b);
  const burst = await send(pairs, 0, seconds);
  const counted = await dropsOf(a) + await dropsOf(b) - dropsBefore;
  await receiver.stop("SIGKILL");
  for (const engine of engines) await engine.stop();
  return {
    pairs,
    loadSeconds,
    rssMiB: [memory[0], memory[1]],
    oneFlowUs: median(one.map(({ us }) => us)),
    allFlowsUs: median(all.map(({ us }) => us)),
    arrived: median(all.map(({ arrived }) => arrived)),
    idlePercent,
    burst: { sent: burst.sent, arrived: burst.arrived, counted },
  };
}

await ensurePackages("bench");
await pack();
await using net = await twoHosts("scale");
const [a, b] = [net.host("a"), net.host("b")];
await a.exec(`ip route add ${NETWORK} via ${B} src ${A}`);
await b.exec(`ip route add local ${NETWORK} dev lo`);

const rows: Row[] = [];
for (const pairs of sizes) {
  rows.push(await measure(a, b, pairs));
  console.error(`${pairs} pairs: loaded in ${rows.at(-1)!.loadSeconds.toFixed(2)} s`);
}
const [first] = rows;
// Packets of one flow share system calls, those of many do not: what is spread is compared with what is spread.
const spread = rows.find(({ pairs }) => pairs >= BATCHED) ?? first;
const share = (part: number, whole: number) => `${(100 * part / whole).toFixed(1)} %`;
console.log(`${machine()}; ${rate} packets a second of 64 octets, median of ${rounds} runs of ${seconds} s\n`);
console.log(table(
  [
    "SAs and flows",
    "load s",
    "RSS out MiB",
    "RSS in MiB",
    "octets a pair",
    "us, one flow",
    "x first",
    "us, all flows",
    "x first spread",
    "arrived",
    "idle CPU",
  ],
  rows.map((row) => [
    String(row.pairs),
    row.loadSeconds.toFixed(2),
    row.rssMiB[0].toFixed(0),
    row.rssMiB[1].toFixed(0),
    row.pairs === first.pairs
      ? "-"
      : ((Math.max(...row.rssMiB) - Math.max(...first.rssMiB)) * 2 ** 20 / (row.pairs - first.pairs)).toFixed(0),
    row.oneFlowUs.toFixed(1),
    (row.oneFlowUs / first.oneFlowUs).toFixed(2),
    row.allFlowsUs.toFixed(1),
    row.pairs < spread.pairs ? "-" : (row.allFlowsUs / spread.allFlowsUs).toFixed(2),
    `${(100 * row.arrived).toFixed(1)} %`,
    `${row.idlePercent.toFixed(1)} %`,
  ]),
));
console.log("\nA burst as fast as one thread sends, over all flows\n");
console.log(
  table(
    ["SAs and flows", "sent", "arrived", "counted as dropped", "neither"],
    rows.map(({ pairs, burst }) => [
      String(pairs),
      String(burst.sent),
      share(burst.arrived, burst.sent),
      share(burst.counted, burst.sent),
      share(burst.sent - burst.arrived - burst.counted, burst.sent),
    ]),
  ),
);
if (file) {
  const json = { machine: machine(), rate, rounds, seconds, rows };
  await Deno.writeTextFile(file, JSON.stringify(json, undefined, 2) + "\n");
}
