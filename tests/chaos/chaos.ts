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
import { type Background, type Host, readPcap, type Topology, topology, waitFor } from "../netns/topology.ts";

export interface ChaosOptions {
  readonly seconds: number;
  readonly seed: number;
  readonly log: (line: string) => void;
  /** Kinds of faults; absent: all of FAULTS. */
  readonly faults?: readonly string[];
}

/**
 * So long may the manual and the negotiated tunnels take to work again once a fault is over. A Photuris responder turns who
 * has forgotten an exchange away until that is half a minute old, and the initiator asks at growing intervals.
 */
export const RECOVERY_MS = { manual: 10_000, negotiated: 40_000, photuris: 90_000 } as const;
/** So much may one process grow, from the first time that it was seen working: octets of memory, file descriptors. */
const GROWTH = { memory: 64 << 20, descriptors: 16 } as const;
const RESTART_MS = 200;
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
  /** What the process had when it was first measured, and has had at most. */
  #first: Size | undefined;
  #most: Size | undefined;
  #open = true;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly host: Host, readonly args: readonly string[], readonly environment: Record<string, string>) {
    this.#start();
  }

  #start(): void {
    this.process = this.host.startIpsecbox(this.args, this.environment);
    this.starts++;
    this.#first = this.#most = undefined;
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

  /**
   * Measures the process.
   *
   * @returns its growth in words
   * @throws {Error} when it has grown too much since it was first measured
   */
  measure(): string {
    const now = sizeOf(this.process.pid);
    if (!now) return "";
    this.#first ??= now;
    this.#most = {
      memory: Math.max(now.memory, this.#most?.memory ?? 0),
      descriptors: Math.max(now.descriptors, this.#most?.descriptors ?? 0),
    };
    const [first, most] = [this.#first, this.#most];
    const text = `${this.args[0]} of ${this.host.name}, start ${this.starts}: ` +
      `${first.memory >> 20} to at most ${
        most.memory >> 20
      } MiB, ${first.descriptors} to ${most.descriptors} descriptors`;
    if (now.memory - first.memory > GROWTH.memory || now.descriptors - first.descriptors > GROWTH.descriptors) {
      throw new Error(`grown: ${text}`);
    }
    return text;
  }

  close(): void {
    this.#open = false;
    clearTimeout(this.#timer);
  }
}

interface Size {
  readonly memory: number;
  readonly descriptors: number;
}

/** Octets resident and open file descriptors of a process; undefined while it is not there. */
function sizeOf(pid: number): Size | undefined {
  try {
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    return {
      memory: 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(status)![1]),
      descriptors: [...Deno.readDirSync(`/proc/${pid}/fd`)].length,
    };
  } catch {
    return undefined;
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
    ...flows(["10.1.0.0/24", "10.2.0.0/24", own, peer]),
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

/** What a host's clock is ahead of this machine's. */
const clockFile = (host: Host) => join(host.folder, "clock");

/** A fault, and its end; answers what it did. */
type Fault = (chaos: Chaos) => Promise<string>;

class Chaos {
  /** In the second half the daemons of east live on, so that slow growth shows. */
  isLate = false;

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

  /** Whose daemons are killed. */
  victim(): Gateway {
    return this.isLate ? this.gateways[0] : this.gateway();
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
    const { name, daemons } = chaos.victim();
    const which = chaos.pick(Object.keys(daemons));
    daemons[which].kill();
    await pause(chaos.between(0, 500));
    return `${which} of ${name} killed`;
  },
  async killAll(chaos) {
    const { name, daemons } = chaos.victim();
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
    const { daemons, name } = chaos.victim();
    const which = chaos.pick(Object.keys(daemons));
    daemons[which].kill();
    await pause(ms);
    await internet.exec("nft delete table inet loss");
    return `30 % loss for ${ms} ms, and ${which} of ${name} killed`;
  },
  async disk(chaos) {
    const { host, name, daemons } = chaos.victim();
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
  async clock(chaos) {
    const { host, name } = chaos.gateway();
    const offset = chaos.pick(["+1d", "-1d", "+1h", "+0"]);
    Deno.writeTextFileSync(clockFile(host), `${offset}\n`);
    // The daemons look at the file once a second.
    await pause(chaos.between(1200, 2500));
    return `clock of ${name} at ${offset}`;
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

/** Faults that nothing may survive: they show that this test can fail. */
const SABOTAGE: Readonly<Record<string, Fault>> = {
  async open(chaos) {
    for (const { host } of chaos.gateways) await host.ipsecbox(["ipsecadm", "flush"]);
    await pause(300);
    return "flows flushed";
  },
  async stay(chaos) {
    const { daemons } = chaos.gateways[0];
    daemons.isakmpd.close();
    daemons.isakmpd.kill();
    await chaos.gateways[1].host.ipsecbox(["ipsecadm", "flush", "esp"]);
    return "isakmpd of west killed for good";
  },
};

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
  for (const name of ["photuris.conf", "attributes.conf", "secrets.conf"]) {
    const text = Deno.readTextFileSync(new URL(`../../examples/photuris/etc/${name}`, import.meta.url));
    writePrivate(host, `photuris/${name}`, text);
  }
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
        took = await recovered(chaos);
        for (const daemon of supervised()) daemon.measure();
        if (clearPackets()) throw new Error("cleartext on the wire");
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
