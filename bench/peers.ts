/**
 * The datapath beside its peers in one run: strongSwan's libipsec, wireguard-go, ours over raw ESP and in UDP, and plain
 * veth. Everything alternates, so that a machine that is busy for a while is busy for all of them.
 *
 *     bench/peers [--rounds N] [--seconds N] [--json FILE]
 */
import { parseArgs } from "../lib/std/parse_args.ts";
import { ensurePackages } from "../scripts/packages.ts";
import { Charon } from "../tests/interop/charon.ts";
import { ipsecadm, key, protect, startEngine } from "../tests/netns/engine.ts";
import { type Background, type Host, topology, waitFor } from "../tests/netns/topology.ts";
import { median, roundTrip, smallPackets, table, tcp, workerPid } from "./measure.ts";

/** Inside the tunnel. */
const A = "10.98.0.1";
const B = "10.98.0.2";
const OUTER = { a: "10.99.0.1", b: "10.99.0.2" } as const;

interface Ends {
  readonly a: Host;
  readonly b: Host;
}
/** Brings a tunnel up; answers its processes and how to take it down. */
type Start = (ends: Ends) => Promise<{ pids: number[]; stop: () => Promise<void> }>;

const PSK = "a secret for a benchmark";

const libipsec = (esp: string): Start => async ({ a, b }) => {
  const conf = (own: "a" | "b", peer: "a" | "b", ownInner: string, peerInner: string) =>
    `connections { gw { version = 2
  local_addrs = ${OUTER[own]}
  remote_addrs = ${OUTER[peer]}
  proposals = aes128-sha256-modp2048
  local { auth = psk }
  remote { auth = psk }
  children { tunnel {
    local_ts = ${ownInner}/32
    remote_ts = ${peerInner}/32
    esp_proposals = ${esp} } } } }
secrets { ike-1 { secret = "${PSK}" } }
`;
  const charons = [await Charon.start(a, conf("a", "b", A, B)), await Charon.start(b, conf("b", "a", B, A))];
  await charons[0].swanctl(["--initiate", "--child", "tunnel"]);
  return {
    pids: charons.map(({ process }) => workerPid(process.pid)),
    stop: async () => {
      for (const charon of charons) await charon.process.stop();
    },
  };
};

const ours = (sa: string): Start => async ({ a, b }) => {
  const engines = await Promise.all([startEngine(a), startEngine(b)]);
  await protect([{ host: a, address: OUTER.a }, { host: b, address: OUTER.b }], sa, [[`${A}/32`, `${B}/32`]]);
  return {
    pids: engines.map(({ pid }) => workerPid(pid)),
    stop: async () => {
      await Promise.all([a, b].map((host) => ipsecadm(host, "flush")));
      for (const engine of engines) await engine.stop();
    },
  };
};

const wireguard: Start = async ({ a, b }) => {
  const keys = await Promise.all([a, b].map(async (host) => {
    const secret = (await host.exec("wg genkey")).stdout.trim();
    const open = (await host.exec("wg pubkey", { input: secret })).stdout.trim();
    Deno.writeTextFileSync(`${host.folder}/wg.key`, secret, { mode: 0o600 });
    return open;
  }));
  const processes: Background[] = [];
  for (const [host, peer, outer, inner] of [[a, keys[1], OUTER.b, B], [b, keys[0], OUTER.a, A]] as const) {
    processes.push(host.spawn(["wireguard-go", "-f", "wg0"]));
    await waitFor(async () => (await host.exec("ip link show wg0", { check: false })).code === 0, "wg0");
    await host.exec(
      `wg set wg0 listen-port 51820 private-key ${host.folder}/wg.key peer ${peer} endpoint ${outer}:51820 ` +
        `allowed-ips ${inner}/32 && ip link set wg0 up && ip route add ${inner}/32 dev wg0 src ${inner === A ? B : A}`,
    );
  }
  return {
    pids: processes.map(({ pid }) => workerPid(pid)),
    stop: async () => {
      for (const process of processes) await process.stop();
    },
  };
};

const plain: Start = async ({ a, b }) => {
  await a.exec(`ip route add ${B}/32 via ${OUTER.b} src ${A}`);
  await b.exec(`ip route add ${A}/32 via ${OUTER.a} src ${B}`);
  return {
    pids: [],
    stop: async () => {
      await a.exec(`ip route del ${B}/32`);
      await b.exec(`ip route del ${A}/32`);
    },
  };
};

const GCM = `-enc aes-gcm -key ${key(20)}`;
const CBC1 = `-enc aes -key ${key(16)} -auth sha1 -authkey ${key(20)}`;
const CBC256 = `-enc aes -key ${key(16)} -auth sha2-256 -authkey ${key(32)}`;
const TRIPLE = `-enc 3des -key ${key(24)} -auth sha1 -authkey ${key(20)}`;
/** Name, what it is compared with, and how it starts. */
const WAYS: readonly (readonly [string, string | undefined, Start])[] = [
  ["veth alone", undefined, plain],
  ["libipsec aes128gcm16", undefined, libipsec("aes128gcm16")],
  ["wireguard-go", "libipsec aes128gcm16", wireguard],
  ["ESP-UDP aes-128-gcm", "libipsec aes128gcm16", ours(`new esp -forcetunnel -udpencap 4500 ${GCM}`)],
  ["raw ESP aes-128-gcm", "libipsec aes128gcm16", ours(`new esp -forcetunnel ${GCM}`)],
  ["libipsec aes128-sha1", undefined, libipsec("aes128-sha1")],
  ["ESP-UDP aes-128 sha1", "libipsec aes128-sha1", ours(`new esp -forcetunnel -udpencap 4500 ${CBC1}`)],
  ["libipsec aes128-sha256", undefined, libipsec("aes128-sha256")],
  ["ESP-UDP aes-128 sha-256", "libipsec aes128-sha256", ours(`new esp -forcetunnel -udpencap 4500 ${CBC256}`)],
  ["libipsec 3des-sha1", undefined, libipsec("3des-sha1")],
  ["ESP-UDP 3des sha1", "libipsec 3des-sha1", ours(`new esp -forcetunnel -udpencap 4500 ${TRIPLE}`)],
];

interface Result {
  mbits: number[];
  cpu: number[];
  rss: number[];
  trip: number[];
  kpps: number[];
}

const options = parseArgs(Deno.args, { string: ["rounds", "seconds", "json"], default: { rounds: "3", seconds: "4" } });
const rounds = Number(options.rounds);
const seconds = Number(options.seconds);

await ensurePackages("bench");
const packed = await new Deno.Command(Deno.execPath(), { args: ["run", "-A", "scripts/pack.ts"] }).output();
if (!packed.success) throw new Error(new TextDecoder().decode(packed.stderr));
await using net = await topology("peers", {
  hosts: { a: {}, b: {} },
  links: [{ ends: [["a", "eth0", `${OUTER.a}/24`], ["b", "eth0", `${OUTER.b}/24`]] }],
});
const ends: Ends = { a: net.host("a"), b: net.host("b") };
await ends.a.exec(`ip addr add ${A}/32 dev lo`);
await ends.b.exec(`ip addr add ${B}/32 dev lo`);
const results = new Map<string, Result>();
for (let round = 0; round < rounds; round++) {
  for (const [name, , start] of WAYS) {
    const tunnel = await start(ends);
    await waitFor(
      async () => (await ends.a.ping(B, { source: A })).received === 1,
      `${name} to carry a packet`,
      20_000,
    );
    const result = results.get(name) ?? { mbits: [], cpu: [], rss: [], trip: [], kpps: [] };
    results.set(name, result);
    result.trip.push(await roundTrip(ends.a, B, 150, A));
    const run = await tcp(ends.a, ends.b, B, "eth0", tunnel.pids, { seconds, args: ["-B", A] });
    result.mbits.push(run.mbits);
    result.cpu.push(run.cpuPerGbit);
    result.kpps.push(await smallPackets(ends.a, ends.b, A, B));
    result.rss.push(run.rssMiB);
    await tunnel.stop();
  }
}
const rows = WAYS.map(([name, peer]) => {
  const result = results.get(name)!;
  const ratio = peer === undefined ? "" : (median(result.mbits) / median(results.get(peer)!.mbits)).toFixed(1);
  return [
    name,
    median(result.mbits).toFixed(0),
    ratio,
    median(result.cpu).toFixed(2),
    median(result.trip).toFixed(2),
    median(result.kpps).toFixed(0),
    median(result.rss).toFixed(0),
  ];
});
const header = ["", "TCP Mbit/s", "x peer", "CPU s/Gbit", "round trip ms", "64-octet kpps received", "RSS MiB"];
console.log(`One stream, ${seconds} s, median of ${rounds}; both ends and iperf3 share this machine's processors`);
console.log(table(header, rows));
if (options.json !== undefined) {
  await Deno.writeTextFile(String(options.json), JSON.stringify(Object.fromEntries(results), undefined, 2) + "\n");
}
