// Chaos between two gateways: faults in random order, and what must hold all the while.
//
//   westlan 192.168.99.10 - west 208.1.1.1 ==== internet ==== 208.2.2.2 east - east1 208.1.2.10, east2 208.1.5.10
//
// The internet knows the way to all networks, so that a clear packet would arrive. Keys to east1's network come from
// isakmpd, to east2's they are manual (IPv6 outside); both have -require flows in rc.conf.
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { key } from "../netns/engine.ts";
import { twoGateways } from "../netns/shapes.ts";
import { type Background, type Host, readPcap, type Topology, topology, waitFor } from "../netns/topology.ts";

export interface ChaosOptions {
  readonly seconds: number;
  readonly seed: number;
  readonly log: (line: string) => void;
}

/** So long may the manual and the negotiated tunnel take to work again once a fault is over. */
export const RECOVERY_MS = { manual: 10_000, negotiated: 40_000 } as const;
/** So much may the memory of one process grow. */
const GROWTH_OCTETS = 192 << 20;
const RESTART_MS = 200;
const CLEAR = "ip and (net 192.168.99.0/24 or net 208.1.2.0/24 or net 208.1.5.0/24)";

interface Gateway {
  readonly name: "west" | "east";
  readonly host: Host;
  readonly own: string;
  readonly peer: string;
  readonly own6: string;
  readonly peer6: string;
  readonly lan: string;
  readonly daemons: Record<string, Supervised>;
}

/** A daemon as a supervisor keeps it: started again whenever it has ended. */
class Supervised {
  process!: Background;
  starts = 0;
  #open = true;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly host: Host, readonly args: readonly string[]) {
    this.#start();
  }

  #start(): void {
    this.process = this.host.startIpsecbox(this.args);
    this.starts++;
    const look = () => {
      if (!this.#open) return;
      if (this.process.ended()) this.#start();
      else this.#timer = setTimeout(look, RESTART_MS);
    };
    this.#timer = setTimeout(look, RESTART_MS);
  }

  kill(): void {
    this.process.signal("SIGKILL");
  }

  /** Octets resident; 0 while it is not there. */
  memory(): number {
    try {
      return 1024 *
        Number(/^VmRSS:\s+(\d+)/m.exec(Deno.readTextFileSync(`/proc/${this.process.pid}/status`))?.[1] ?? 0);
    } catch {
      return 0;
    }
  }

  close(): void {
    this.#open = false;
    clearTimeout(this.#timer);
  }
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

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

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
  ].join("\n") + "\n";
}

function writePrivate(host: Host, path: string, text: string): void {
  Deno.writeTextFileSync(join(host.folder, path), text, { mode: 0o600 });
  Deno.chmodSync(join(host.folder, path), 0o600);
}

/** Octets that no protocol has, sent as fast as Python can from a host to an address. */
const FLOOD = `
import os, random, socket, sys, time
to, seed, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
random.seed(seed)
sockets = [(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), p) for p in (500, 4500, 468)]
sockets += [(socket.socket(socket.AF_INET, socket.SOCK_RAW, p), 0) for p in (50, 51)]
end, sent = time.time() + seconds, 0
while time.time() < end:
    for s, port in sockets:
        data = random.randbytes(random.choice((0, 1, 4, 8, 28, 29, 60, 200, 1400)))
        if port and random.random() < .5: data = bytes(8 * (random.random() < .5)) + data[:8] + bytes([0] * 8) + data[16:]
        try: s.sendto(data, (to, port)); sent += 1
        except OSError: pass
print(sent)
`;

/** A fault, and its end; answers what it did. */
type Fault = (chaos: Chaos) => Promise<string>;

class Chaos {
  constructor(
    readonly net: Topology,
    readonly gateways: readonly Gateway[],
    readonly random: () => number,
  ) {}

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.random() * items.length)];
  }

  gateway(): Gateway {
    return this.pick(this.gateways);
  }

  /** A time between two, in milliseconds. */
  between(low: number, high: number): number {
    return Math.round(low + this.random() * (high - low));
  }
}

/** An interface that was down, or an address that was gone, loses the routes that led over it; who manages them adds them. */
const restoreRoutes = ({ host, name }: Gateway) =>
  host.exec(
    name === "west"
      ? "ip route replace default via 208.1.1.254; ip -6 route replace default via 2001:db8:1::fe"
      : "ip route replace default via 208.2.2.254; ip -6 route replace default via 2001:db8:2::fe",
  );

const FAULTS: Readonly<Record<string, Fault>> = {
  async kill(chaos) {
    const { name, daemons } = chaos.gateway();
    const which = chaos.pick(Object.keys(daemons));
    daemons[which].kill();
    await pause(chaos.between(0, 500));
    return `${which} of ${name} killed`;
  },
  async killAll(chaos) {
    const { name, daemons } = chaos.gateway();
    for (const daemon of Object.values(daemons)) daemon.kill();
    await pause(chaos.between(0, 500));
    return `everything of ${name} killed`;
  },
  async link(chaos) {
    const gateway = chaos.gateway();
    const ms = chaos.between(100, 2000);
    await gateway.host.exec("ip link set eth0 down");
    await pause(ms);
    // IPv6 addresses go with the interface.
    await gateway.host.exec(`ip link set eth0 up; ip addr replace ${gateway.own6}/64 dev eth0 nodad`);
    await restoreRoutes(gateway);
    return `link of ${gateway.name} down for ${ms} ms`;
  },
  async device(chaos) {
    const { host, name } = chaos.gateway();
    const ms = chaos.between(50, 500);
    const down = await host.exec("ip link set enc0 down", { check: false });
    await pause(ms);
    await host.exec("ip link set enc0 up", { check: false });
    return `enc0 of ${name} down for ${ms} ms${down.code ? " (there was none)" : ""}`;
  },
  async address(chaos) {
    const gateway = chaos.gateway();
    const ms = chaos.between(100, 1500);
    await gateway.host.exec(`ip addr del ${gateway.own}/24 dev eth0`);
    await pause(ms);
    await gateway.host.exec(`ip addr add ${gateway.own}/24 dev eth0`);
    await restoreRoutes(gateway);
    return `address of ${gateway.name} gone for ${ms} ms`;
  },
  async loss(chaos) {
    const internet = chaos.net.host("internet");
    const ms = chaos.between(1000, 3000);
    await internet.exec([
      "nft",
      "add table inet loss; add chain inet loss f { type filter hook forward priority 0; }; " +
      "add rule inet loss f numgen random mod 100 < 30 drop",
    ]);
    const { daemons, name } = chaos.gateway();
    const which = chaos.pick(Object.keys(daemons));
    daemons[which].kill();
    await pause(ms);
    await internet.exec("nft delete table inet loss");
    return `30 % loss for ${ms} ms, and ${which} of ${name} killed`;
  },
  async disk(chaos) {
    const { host, name, daemons } = chaos.gateway();
    await host.exec("dd if=/dev/zero of=$IPSECBOX_RUN/full bs=4k 2>/dev/null", { check: false });
    const which = chaos.pick(Object.keys(daemons));
    daemons[which].kill();
    const ms = chaos.between(500, 2000);
    await pause(ms);
    await host.exec("rm -f $IPSECBOX_RUN/full");
    return `run directory of ${name} full for ${ms} ms, and ${which} killed`;
  },
  async descriptors(chaos) {
    const { host, name, daemons } = chaos.gateway();
    const which = chaos.pick(Object.keys(daemons));
    const { pid } = daemons[which].process;
    const ms = chaos.between(500, 1500);
    await host.exec(
      `n=$(ls /proc/${pid}/fd | wc -l) && prlimit --pid ${pid} --nofile=$((n + 1)):4096`,
      { check: false },
    );
    await host.exec(
      [
        "/usr/bin/python3",
        "-c",
        "import os, socket, time\ns = []\nfor i in range(30):\n  c = socket.socket(socket.AF_UNIX)\n  s.append(c)\n" +
        `  try: c.connect(os.environ['IPSECBOX_RUN'] + '/pfkey.sock')\n  except OSError: pass\ntime.sleep(${
          ms / 1000
        })`,
      ],
      { check: false },
    );
    await host.exec(`prlimit --pid ${pid} --nofile=4096:4096`, { check: false });
    return `${which} of ${name} without file descriptors for ${ms} ms`;
  },
  async flood(chaos) {
    const { name, own } = chaos.gateway();
    const seconds = chaos.between(500, 2000) / 1000;
    const seed = chaos.between(1, 1e9);
    const { stdout } = await chaos.net.host("internet").exec(
      ["/usr/bin/python3", "-c", FLOOD, own, String(seed), String(seconds)],
    );
    return `${stdout.trim()} malformed packets to ${name}`;
  },
};

/** What each daemon says when it works. */
const READY = /ready: |listening on|Ready: /;
const TARGETS = { manual: "208.1.5.10", negotiated: "208.1.2.10" } as const;

/** Waits until both tunnels work. @returns how long each took, in milliseconds */
async function recovered(chaos: Chaos): Promise<Record<keyof typeof TARGETS, number>> {
  const lan = chaos.net.host("westlan");
  const start = performance.now();
  const took = async (tunnel: keyof typeof TARGETS) => {
    await waitFor(
      async () => (await lan.ping(TARGETS[tunnel], { waitSeconds: 0.5 })).received === 1,
      `the ${tunnel} tunnel to work again`,
      RECOVERY_MS[tunnel],
    );
    return Math.round(performance.now() - start);
  };
  const [manual, negotiated] = await Promise.all([took("manual"), took("negotiated")]);
  for (const { name, daemons } of chaos.gateways) {
    for (const [which, daemon] of Object.entries(daemons)) {
      const isReady = () => READY.test(daemon.process.output()) && !daemon.process.ended();
      await waitFor(isReady, `${which} of ${name} to be ready`, RECOVERY_MS.manual);
    }
  }
  return { manual, negotiated };
}

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
  for (const name of ["photuris.conf", "attributes.conf", "secrets.conf"]) {
    const text = Deno.readTextFileSync(new URL(`../../examples/photuris/etc/${name}`, import.meta.url));
    writePrivate(host, `photuris/${name}`, text);
  }
  daemons.enc = new Supervised(host, ["enc", "--hold"]);
  const files = ["-f", join(host.folder, "isakmpd.fifo"), "-i", join(host.folder, "isakmpd.pid")];
  daemons.isakmpd = new Supervised(host, ["isakmpd", "-d", "-K", ...files, "-c", join(host.folder, "isakmpd.conf")]);
  daemons.photurisd = new Supervised(host, ["photurisd", "-f", "-d", join(host.folder, "photuris")]);
}

/**
 * Faults for so many seconds. After each both tunnels must work again within {@linkcode RECOVERY_MS} without help; in the
 * end no clear packet has been seen and no process has grown.
 *
 * @returns how many faults of each kind there were
 * @throws {Error} naming the seed, the fault and what did not hold
 */
export async function runChaos({ seconds, seed, log }: ChaosOptions): Promise<Record<string, number>> {
  await using net = await topology("chaos", twoGateways({ clearRoutes: true }));
  const gateways = gatewaysOf(net);
  const chaos = new Chaos(net, gateways, generator(seed));
  const captures = await Promise.all(["eth0", "eth1"].map((each) => net.host("internet").capture(each, CLEAR)));
  const clearPackets = () => captures.reduce((sum, { file }) => sum + readPcap(Deno.readFileSync(file)).length, 0);
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
    const pings = Object.values(TARGETS).map((to) => net.host("westlan").spawn(["ping", "-n", "-q", "-i", "0.01", to]));
    pings.push(net.host("east1").spawn(["ping", "-n", "-q", "-i", "0.01", "192.168.99.10"]));
    let step = `the start (seed ${seed})`;
    let took = await recovered(chaos);
    log(`start: manual ${took.manual} ms, negotiated ${took.negotiated} ms`);
    const before = new Map(supervised().map((daemon) => [daemon, daemon.memory()]));
    const end = performance.now() + 1000 * seconds;
    const names = Object.keys(FAULTS);
    let deck: string[] = [];
    while (performance.now() < end) {
      // Every kind before any again, in random order.
      if (deck.length === 0) deck = names.map((name) => [chaos.random(), name] as const).sort().map(([, name]) => name);
      const kind = deck.pop()!;
      try {
        step = await FAULTS[kind](chaos);
        took = await recovered(chaos);
      } catch (error) {
        const outputs = gateways.map(({ name, daemons }) =>
          Object.entries(daemons).map(([daemon, { process }]) =>
            `--- ${daemon} of ${name}\n${process.output().slice(-1500)}`
          )
        );
        throw new Error(`seed ${seed}, ${kind}: ${step}: ${(error as Error).message}\n${outputs.flat().join("\n")}`);
      }
      counts[kind] = (counts[kind] ?? 0) + 1;
      log(`${step}: manual ${took.manual} ms, negotiated ${took.negotiated} ms`);
    }
    for (const ping of pings) await ping.stop("SIGINT");
    for (const [daemon, octets] of before) {
      const now = daemon.memory();
      const text = `${daemon.args[0]} of ${daemon.host.name}: ${octets >> 20} MiB, ${now >> 20} MiB at the end`;
      log(text);
      assertEquals(now - octets <= GROWTH_OCTETS, true, `seed ${seed}: ${text}`);
    }
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
