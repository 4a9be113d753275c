/**
 * IKE as responder, ours beside charon in the same run, in turns: negotiations (phase 1 and 2) completed per second with
 * 500 peers, one negotiation alone, the answer to a first message, CPU and memory; then what idle connections cost.
 *
 *     bench/ike [--rounds N] [--seconds N] [--idle N] [--dpd SECONDS] [--json FILE]
 *
 * `--rounds 0` measures idle connections alone, `--idle 0` leaves them out.
 *
 * The initiators are one process of ours (ike_load.ts) on the other core; they compute the same Diffie-Hellman.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { optionsOf } from "../scripts/options.ts";
import { ensurePackages } from "../scripts/packages.ts";
import { Charon } from "../tests/interop/charon.ts";
import { Daemon, startEngine } from "../tests/netns/isakmpd_hosts.ts";
import { type Host, topology } from "../tests/netns/topology.ts";
import { cpuSeconds, median, pack, rssMiB, table, workerPid } from "./measure.ts";

const RESPONDER = "10.98.0.1";
const FIRST = "10.50.0.1";
const PEERS = 500;
const PROPOSALS = [
  {
    name: "3des-sha1-modp1024",
    ours: ["3DES-SHA", "QM-ESP-3DES-SHA-SUITE"],
    charon: ["3des-sha1-modp1024", "3des-sha1"],
  },
  {
    name: "aes128-sha256-modp2048",
    ours: ["AES-128-SHA2-256-GRP14", "QM-ESP-AES-128-SHA2-256-SUITE"],
    charon: ["aes128-sha256-modp2048", "aes128-sha256"],
  },
] as const;
type Proposal = typeof PROPOSALS[number];

const { rounds, seconds, idle: idleCount, dpd, json } = optionsOf("bench/ike", {
  rounds: { value: 3, least: 0 },
  seconds: { value: 8, least: 1 },
  idle: { value: 10_000, least: 0 },
  dpd: { value: 300, least: 0 },
}, { json: "FILE" });
/** Idle connections are watched for so long. */
const WATCH_MS = 60_000;

await ensurePackages("test");
await pack();
await using net = await topology("bike", {
  hosts: { load: {}, peer: { routes: [`10.50.0.0/16 via 10.98.0.2`] } },
  links: [{ ends: [["load", "eth0", "10.98.0.2/24"], ["peer", "eth0", `${RESPONDER}/24`]] }],
});
const [load, peer] = [net.host("load"), net.host("peer")];
await load.exec("ip route add local 10.50.0.0/16 dev lo");
await peer.exec("sysctl -q net.core.rmem_max=8388608; true");

/** Runs the initiators; the numbers are in the line they print. */
async function run(
  proposal: Proposal,
  mode: string,
  count: number,
  duration: number,
  upFile = "",
): Promise<Record<string, number>> {
  const { stdout, stderr } = await load.exec([
    Deno.execPath(),
    "run",
    "-A",
    "--quiet",
    new URL("./ike_load.ts", import.meta.url).pathname,
    RESPONDER,
    FIRST,
    String(count),
    proposal.ours.join(","),
    mode,
    String(duration),
    upFile,
  ], { timeoutMs: 1000 * (duration + 120) + 20 * count });
  if (stderr) console.error(stderr.split("\n").slice(0, 3).join("\n"));
  return JSON.parse(stdout.split("\n")[0]);
}

const isakmpdConf = ({ ours: [transform, suite] }: Proposal, general = "") =>
  `[General]
Listen-on=${RESPONDER}
${general}
[Phase 1]
Default=anybody
[Phase 2]
Passive-connections=any
[anybody]
Phase=1
Configuration=main
Authentication=mekmitasdigoat
[main]
EXCHANGE_TYPE=ID_PROT
Transforms=${transform}
[any]
Phase=2
ISAKMP-peer=anybody
Configuration=quick
[quick]
EXCHANGE_TYPE=QUICK_MODE
Suites=${suite}
`;

const swanctlConf = ({ charon: [ike, esp] }: Proposal) =>
  `connections { any { version = 1
  local_addrs = ${RESPONDER}
  remote_addrs = %any
  proposals = ${ike}
  local { auth = psk }
  remote { auth = psk }
  children { any { local_ts = dynamic
    remote_ts = dynamic
    esp_proposals = ${esp} } } } }
secrets { ike-1 { secret = "mekmitasdigoat" } }
`;

interface Figures {
  readonly perSecond: number;
  readonly singleMs: number;
  readonly firstMessageMs: number;
  /** CPU of the responder's processes for each negotiation. */
  readonly cpuMs: number;
  readonly rssMiB: number;
}

const sum = (pids: readonly number[], of: (pid: number) => number) => pids.reduce((total, pid) => total + of(pid), 0);

async function measure(proposal: Proposal, pids: readonly number[]): Promise<Figures> {
  await run(proposal, "single", PEERS, 1); // warm up
  const first = await run(proposal, "first", PEERS, 3);
  const single = await run(proposal, "single", PEERS, 3);
  const before = sum(pids, cpuSeconds);
  const rate = await run(proposal, "rate", PEERS, seconds);
  const cpuMs = 1000 * (sum(pids, cpuSeconds) - before) / rate.completed;
  if (rate.failed) console.error(`${proposal.name}: ${rate.failed} negotiations failed`);
  return {
    perSecond: rate.perSecond,
    singleMs: single.medianMs,
    firstMessageMs: first.firstMessageMs,
    cpuMs,
    rssMiB: sum(pids, rssMiB),
  };
}

async function ours<T>(proposal: Proposal, general: string, body: (pids: readonly number[]) => Promise<T>): Promise<T> {
  const engine = await startEngine(peer);
  const daemon = await Daemon.start(peer, isakmpdConf(proposal, general), ["-K"]);
  try {
    return await body([daemon.process.pid, engine.pid].map(workerPid));
  } finally {
    await daemon.stop();
    await engine.stop();
  }
}

async function charons<T>(proposal: Proposal, host: Host, body: (pids: readonly number[]) => Promise<T>): Promise<T> {
  const charon = await Charon.start(host, swanctlConf(proposal), { log: "-1" });
  try {
    return await body([workerPid(charon.process.pid)]);
  } finally {
    await charon.stop();
  }
}

/** The median of each figure. */
function middle(all: readonly Figures[]): Figures {
  const of = (name: keyof Figures) => median(all.map((figures) => figures[name]));
  return {
    perSecond: of("perSecond"),
    singleMs: of("singleMs"),
    firstMessageMs: of("firstMessageMs"),
    cpuMs: of("cpuMs"),
    rssMiB: of("rssMiB"),
  };
}

const rows: string[][] = [];
const results: Record<string, unknown> = {};
for (const proposal of rounds ? PROPOSALS : []) {
  const [them, us]: [Figures[], Figures[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    them.push(await charons(proposal, peer, (pids) => measure(proposal, pids)));
    us.push(await ours(proposal, "", (pids) => measure(proposal, pids)));
  }
  results[proposal.name] = { isakmpd: us, charon: them };
  const theirRate = middle(them).perSecond;
  for (const [name, figures] of [["charon", middle(them)], ["isakmpd", middle(us)]] as const) {
    rows.push([
      `${proposal.name} ${name}`,
      figures.perSecond.toFixed(0),
      name === "charon" ? "" : (figures.perSecond / theirRate).toFixed(2),
      figures.singleMs.toFixed(1),
      figures.firstMessageMs.toFixed(2),
      figures.cpuMs.toFixed(1),
      figures.rssMiB.toFixed(0),
    ]);
  }
}
if (rows.length) {
  console.log(
    `Responder, ${PEERS} peers, ${seconds} s, median of ${rounds}; isakmpd's CPU and memory are with the engine's`,
  );
  console.log(
    table(["", "per second", "x charon", "one alone, ms", "first message, ms", "CPU ms each", "RSS MiB"], rows),
  );
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

if (idleCount) {
  const [, proposal] = PROPOSALS;
  const idle = await ours(proposal, `DPD-check-interval=${dpd}\n`, async (pids) => {
    const before = pids.map(rssMiB);
    const begin = performance.now();
    // The load makes the file when all are up, and then answers for so long.
    const upFile = join(load.folder, "up");
    const held = run(proposal, "hold", idleCount, WATCH_MS / 1000 + 30, upFile);
    while (!existsSync(upFile)) await Promise.race([held, pause(200)]);
    for (let last = -1, quiet = 0; quiet < 5;) {
      await pause(1000);
      const cpu = cpuSeconds(pids[0]);
      quiet = cpu - last < 0.15 ? quiet + 1 : 0;
      last = cpu;
    }
    const from = pids.map(cpuSeconds);
    const at = performance.now();
    await pause(WATCH_MS);
    const watchedMs = performance.now() - at;
    const percents = pids.map((pid, i) => 100_000 * (cpuSeconds(pid) - from[i]) / watchedMs);
    const after = pids.map(rssMiB);
    const { established, failed, ms } = await held;
    return {
      established,
      failed,
      seconds: ms / 1000,
      restSeconds: (at - begin) / 1000,
      daemon: {
        cpuPercent: percents[0],
        rssMiB: after[0],
        perThousandMiB: 1000 * (after[0] - before[0]) / established,
      },
      engine: {
        cpuPercent: percents[1],
        rssMiB: after[1],
        perThousandMiB: 1000 * (after[1] - before[1]) / established,
      },
    };
  });
  results.idle = idle;
  console.log(
    `\n${idle.established} connections of ${proposal.name} up in ${
      idle.seconds.toFixed(0)
    } s (${idle.failed} failed), ` +
      `DPD every ${dpd} s, then idle for ${WATCH_MS / 1000} s`,
  );
  console.log(
    table(
      ["", "CPU %", "RSS MiB", "MiB per 1,000 pairs"],
      (["daemon", "engine"] as const).map((name) => {
        const { cpuPercent, rssMiB, perThousandMiB } = idle[name];
        return [
          name === "daemon" ? "isakmpd" : name,
          cpuPercent.toFixed(1),
          rssMiB.toFixed(0),
          perThousandMiB.toFixed(1),
        ];
      }),
    ),
  );
}
if (json) Deno.writeTextFileSync(json, `${JSON.stringify(results, null, 2)}\n`);
