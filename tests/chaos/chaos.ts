// Chaos between two gateways: faults in random order, and what must hold all the while.
//
//   westlan 192.168.99.10 - west 208.1.1.1 ==== internet ==== 208.2.2.2 east - east1 208.1.2.10, east2 208.1.5.10
//
// The internet knows the way to all networks, so that a clear packet would arrive. Keys to east1's network come from
// isakmpd, to east2's they are manual (IPv6 outside), between 10.1.0.0/24 of west itself and 10.2.0.0/24 of east they come
// from photurisd; all have -require flows in rc.conf.
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { key } from "../netns/engine.ts";
import { twoGateways } from "../netns/shapes.ts";
import { type Host, readPcap, type Topology, topology, waitFor } from "../netns/topology.ts";
import { Chaos, clockFile, FAULTS, type Gateway, SABOTAGE } from "./faults.ts";
import { Supervised } from "./supervised.ts";

export interface ChaosOptions {
  readonly seconds: number;
  readonly seed: number;
  readonly log: (line: string) => void;
  /** Kinds of faults; absent: all of FAULTS. */
  readonly faults?: readonly string[];
}

/** So long may the manual and the negotiated tunnels take to work again once a fault is over. */
export const RECOVERY_MS = { manual: 10_000, negotiated: 40_000, photuris: 40_000 } as const;
const CLEAR =
  "ip and (net 192.168.99.0/24 or net 208.1.2.0/24 or net 208.1.5.0/24 or net 10.1.0.0/24 or net 10.2.0.0/24)";

/** What lets a daemon's clock jump while it runs: a library of Debian's package faketime, which reads a file. */
function clockEnvironment(file: string): Record<string, string> {
  const library = [...Deno.readDirSync("/usr/lib")].map(({ name }) => `/usr/lib/${name}/faketime/libfaketime.so.1`)
    .find((path) => {
      try {
        return Deno.statSync(path).isFile;
      } catch {
        return false;
      }
    });
  if (!library) throw new Error("the clock cannot jump: Debian's package faketime is missing");
  return {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_CACHE_DURATION: "1",
    // Time since the start goes on evenly, as the kernel's does when somebody sets the clock.
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
    NO_FAKE_STAT: "1",
  };
}

/** Mulberry32: the same faults for the same seed. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ state >>> 15, 1 | state);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) / 4294967296;
  };
}

function isakmpdConf({ name, own, peer }: Gateway): string {
  const net = (section: string, network: string) =>
    `[${section}]\nID-type= IPV4_ADDR_SUBNET\nNetwork= ${network}\nNetmask= 255.255.255.0\n`;
  const [local, remote] = name === "west" ? ["west", "east"] : ["east", "west"];
  return `[General]
Listen-on= ${own}
DPD-check-interval= 5
[Phase 1]
${peer}= peer
[Phase 2]
Connections= tunnel
[peer]
Phase= 1
Address= ${peer}
Configuration= main
Authentication= mekmitasdigoat
[tunnel]
Phase= 2
ISAKMP-peer= peer
Configuration= quick
Local-ID= net-${local}
Remote-ID= net-${remote}
${net("net-west", "192.168.99.0")}${net("net-east", "208.1.2.0")}[main]
DOI= IPSEC
EXCHANGE_TYPE= ID_PROT
Transforms= AES-SHA
[quick]
DOI= IPSEC
EXCHANGE_TYPE= QUICK_MODE
Suites= QM-ESP-AES-SHA-SUITE
`;
}

function rcConf({ name, own, peer, own6, peer6 }: Gateway): string {
  const [west6, east6] = name === "west" ? [own6, peer6] : [peer6, own6];
  const flows = ([a, b, from, to]: readonly string[]) => {
    const [l, r] = name === "west" ? [a, b] : [b, a];
    return [
      `flow -proto esp -src ${from} -dst ${to} -addr ${l} ${r} -out -require`,
      `flow -proto esp -src ${from} -dst ${to} -addr ${r} ${l} -in -require`,
    ];
  };
  return [
    `new esp -src ${west6} -dst ${east6} -spi 1000 -forcetunnel -enc aes-gcm -key ${key(20)}`,
    `new esp -src ${east6} -dst ${west6} -spi 1001 -forcetunnel -enc aes-gcm -key ${key(20)}`,
    ...flows(["192.168.99.0/24", "208.1.5.0/24", own6, peer6]),
    ...flows(["192.168.99.0/24", "208.1.2.0/24", own, peer]),
    ...flows(["10.1.0.0/24", "10.2.0.0/24", own, peer]),
  ].join("\n") + "\n";
}

function writePrivate(host: Host, path: string, text: string): void {
  Deno.writeTextFileSync(join(host.folder, path), text, { mode: 0o600 });
  Deno.chmodSync(join(host.folder, path), 0o600);
}

/** What each daemon says when it works. */
const READY = /ready: |listening on|Ready: /;
const TARGETS = { manual: "208.1.5.10", negotiated: "208.1.2.10", photuris: "10.2.0.1" } as const;

/** From where each tunnel is pinged. */
const sourceOf = (chaos: Chaos, tunnel: keyof typeof TARGETS) =>
  tunnel === "photuris"
    ? { host: chaos.net.host("west"), source: "10.1.0.1" }
    : { host: chaos.net.host("westlan"), source: undefined };

/** Waits until all tunnels work. @returns how long each took, in milliseconds */
async function recovered(chaos: Chaos): Promise<Record<keyof typeof TARGETS, number>> {
  const start = performance.now();
  const took = async (tunnel: keyof typeof TARGETS) => {
    const { host, source } = sourceOf(chaos, tunnel);
    await waitFor(
      async () => (await host.ping(TARGETS[tunnel], { waitSeconds: 0.5, source })).received === 1,
      `the ${tunnel} tunnel to work again`,
      RECOVERY_MS[tunnel],
    );
    return Math.round(performance.now() - start);
  };
  const [manual, negotiated, photuris] = await Promise.all([took("manual"), took("negotiated"), took("photuris")]);
  for (const { name, daemons } of chaos.gateways) {
    for (const [which, daemon] of Object.entries(daemons)) {
      const isReady = () => READY.test(daemon.process.output()) && !daemon.process.ended();
      await waitFor(isReady, `${which} of ${name} to be ready`, RECOVERY_MS.manual);
    }
  }
  return { manual, negotiated, photuris };
}

const inWords = ({ manual, negotiated, photuris }: Record<keyof typeof TARGETS, number>) =>
  `manual ${manual} ms, negotiated ${negotiated} ms, Photuris ${photuris} ms`;

function gatewaysOf(net: Topology): Gateway[] {
  const ends = [
    { name: "west", own: "208.1.1.1", own6: "2001:db8:1::1", lan: "192.168.99.0/24" },
    { name: "east", own: "208.2.2.2", own6: "2001:db8:2::2", lan: "208.1.2.0/24" },
  ] as const;
  return ends.map((end, i) => {
    const other = ends[1 - i];
    return { ...end, host: net.host(end.name), peer: other.own, peer6: other.own6, daemons: {} };
  });
}

function startDaemons(gateway: Gateway): void {
  const { host, daemons } = gateway;
  writePrivate(host, "etc/rc.conf", rcConf(gateway));
  writePrivate(host, "isakmpd.conf", isakmpdConf(gateway));
  Deno.mkdirSync(join(host.folder, "photuris"), { mode: 0o700 });
  const example = (name: string) =>
    Deno.readTextFileSync(new URL(`../../examples/photuris/etc/${name}`, import.meta.url));
  writePrivate(host, "photuris/attributes.conf", example("attributes.conf"));
  // A responder turns away who has forgotten an exchange until that is exchange_timeout old: by default a minute.
  writePrivate(
    host,
    "photuris/photuris.conf",
    example("photuris.conf").replace(/^config exchange_retransmit_timeout .*$/m, "config exchange_retransmit_timeout 3")
      .replace(/^config exchange_timeout .*$/m, "config exchange_timeout 10"),
  );
  const [[localNet, local], [remoteNet, remote]] = gateway.name === "west"
    ? [["10.1.0.0", "alpha"], ["10.2.0.0", "beta"]]
    : [["10.2.0.0", "beta"], ["10.1.0.0", "alpha"]];
  writePrivate(
    host,
    "photuris/secrets.conf",
    `identity local "Default" "${local}"\nidentity remote "Default" "${remote}"\n`,
  );
  const mask = "255.255.255.0";
  writePrivate(
    host,
    "photuris/photuris.startup",
    `dst=${gateway.peer} options=enc\ntsrc=${localNet}/${mask}\ntdst=${remoteNet}/${mask}\n`,
  );
  Deno.writeTextFileSync(clockFile(host), "+0\n");
  const environment = clockEnvironment(clockFile(host));
  daemons.enc = new Supervised(host, ["enc", "--hold"], environment);
  const files = ["-f", join(host.folder, "isakmpd.fifo"), "-i", join(host.folder, "isakmpd.pid")];
  const isakmpd = ["isakmpd", "-d", "-K", ...files, "-c", join(host.folder, "isakmpd.conf")];
  daemons.isakmpd = new Supervised(host, isakmpd, environment);
  daemons.photurisd = new Supervised(host, ["photurisd", "-f", "-d", join(host.folder, "photuris")], environment);
}

/**
 * Faults for so many seconds. After each all tunnels must work again within {@linkcode RECOVERY_MS} without help, no process
 * may have grown, and no clear packet have been seen.
 *
 * @returns how many faults of each kind there were
 * @throws {Error} naming the seed, the fault and what did not hold
 */
export async function runChaos({ seconds, seed, log, faults }: ChaosOptions): Promise<Record<string, number>> {
  await using net = await topology("chaos", twoGateways({ clearRoutes: true }));
  const gateways = gatewaysOf(net);
  const chaos = new Chaos(net, gateways, generator(seed));
  const captures = await Promise.all(["eth0", "eth1"].map((each) => net.host("internet").capture(each, CLEAR)));
  const clearPackets = () => captures.reduce((sum, { file }) => sum + readPcap(Deno.readFileSync(file)).length, 0);
  for (const { host, name } of gateways) {
    await host.exec(`ip addr add 10.${name === "west" ? 1 : 2}.0.1/24 dev lo`);
  }
  await net.host("internet").exec("ip route add 10.1.0.0/24 via 208.1.1.1; ip route add 10.2.0.0/24 via 208.2.2.2");
  for (const { host } of gateways) await host.exec("mount -t tmpfs -o size=64k,mode=700 tmpfs $IPSECBOX_RUN");
  const counts: Record<string, number> = {};
  const supervised = () => gateways.flatMap(({ daemons }) => Object.values(daemons));
  try {
    gateways.forEach(startDaemons);
    // Before the first flows are there nothing forbids cleartext.
    await Promise.all(
      gateways.map(({ name, daemons }) =>
        waitFor(() => /ready/.test(daemons.enc.process.output()), `the engine of ${name}`, 20_000)
      ),
    );
    const pings = (Object.keys(TARGETS) as (keyof typeof TARGETS)[]).map((tunnel) => {
      const { host, source } = sourceOf(chaos, tunnel);
      return host.spawn(["ping", "-n", "-q", "-i", "0.01", ...source ? ["-I", source] : [], TARGETS[tunnel]]);
    });
    pings.push(net.host("east1").spawn(["ping", "-n", "-q", "-i", "0.01", "192.168.99.10"]));
    let step = `the start (seed ${seed})`;
    let took = await recovered(chaos);
    log(`start: ${inWords(took)}`);
    const [begin, end] = [performance.now(), performance.now() + 1000 * seconds];
    const names = faults ?? Object.keys(FAULTS);
    let deck: string[] = [];
    while (performance.now() < end) {
      // Every kind before any again, in random order.
      if (deck.length === 0) deck = names.map((name) => [chaos.random(), name] as const).sort().map(([, name]) => name);
      const kind = deck.pop()!;
      chaos.isLate = performance.now() > (begin + end) / 2;
      try {
        step = await { ...FAULTS, ...SABOTAGE }[kind](chaos);
        const assertNothingClear = () => {
          if (clearPackets()) throw new Error("cleartext on the wire");
        };
        assertNothingClear();
        took = await recovered(chaos).finally(assertNothingClear);
        for (const daemon of supervised()) daemon.measure();
      } catch (error) {
        const outputs = gateways.map(({ name, daemons }) =>
          Object.entries(daemons).map(([daemon, { process }]) =>
            `--- ${daemon} of ${name}\n${process.output().slice(-1500)}`
          )
        );
        throw new Error(`seed ${seed}, ${kind}: ${step}: ${(error as Error).message}\n${outputs.flat().join("\n")}`);
      }
      counts[kind] = (counts[kind] ?? 0) + 1;
      log(`${step}: ${inWords(took)}`);
    }
    for (const ping of pings) await ping.stop("SIGINT");
    for (const daemon of supervised()) log(daemon.measure());
    assertEquals(clearPackets(), 0, `seed ${seed}: cleartext on the wire`);
    // A sniffer that sees nothing proves something only if it would have seen it.
    await Promise.all(gateways.map(({ host }) => host.ipsecbox(["ipsecadm", "flush"])));
    await net.host("westlan").ping(TARGETS.manual, { count: 3 });
    await waitFor(() => clearPackets() > 0, "the sniffer to see what is allowed to be clear");
    return counts;
  } finally {
    for (const daemon of supervised()) daemon.close();
    for (const { host } of gateways) await host.exec("umount -l $IPSECBOX_RUN", { check: false });
  }
}
