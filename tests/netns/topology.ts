// Networks for tests: hosts are network namespaces joined by veth pairs, and everything goes away with the test.
// `await using net = await topology("name", twoHosts())`, then net.host("west").exec(...), .spawn(...), .ping(...).
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Bytes, decodeText } from "../../lib/octets/bytes.ts";

/** One host: its routes as words of `ip route add`, sysctls by name, and whether it forwards. */
export interface HostSpec {
  readonly forwarding?: boolean;
  /** `["default via 192.168.5.254", "fd00:25::/64 via fd00:5::fe"]` */
  readonly routes?: readonly string[];
  /** `{"net.ipv4.conf.all.rp_filter": 1}`, set before the links are made, so that `default` counts. */
  readonly sysctls?: Readonly<Record<string, string | number>>;
}

/** One end of a link: host, interface, addresses with prefix lengths. */
export type LinkEnd = readonly [host: string, interfaceName: string, ...addresses: string[]];

export interface TopologySpec {
  readonly hosts: Readonly<Record<string, HostSpec>>;
  readonly links: readonly { readonly ends: readonly [LinkEnd, LinkEnd]; readonly mtu?: number }[];
}

export interface ExecResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ExecOptions {
  /** Throw when the command fails; default yes. */
  readonly check?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly timeoutMs?: number;
}

/** A command that runs in the background. */
export interface Background extends Disposable {
  readonly pid: number;
  /** What it has written so far, standard error and output together. */
  output(): string;
  /** Whether it has ended. */
  ended(): boolean;
  /** Its exit status (128 + signal for a signal); undefined while it runs. */
  status(): number | undefined;
  signal(name: Deno.Signal): void;
  /** Signals (SIGTERM) and waits for the end; SIGKILL after `timeoutMs`. Returns the exit status. */
  stop(name?: Deno.Signal, timeoutMs?: number): Promise<number>;
}

export interface CapturedPacket {
  /** Seconds since the epoch. */
  readonly time: number;
  /** The packet from its IP header on. */
  readonly ip: Bytes;
}

/** A tcpdump that writes to a file. */
export interface Capture {
  readonly file: string;
  /** Ends the capture when nothing has come for a moment. */
  stop(): Promise<void>;
  /** The IP packets captured (stops first, but waits for `atLeast` of them). */
  packets(atLeast?: number): Promise<CapturedPacket[]>;
  /** The output of `tshark -r FILE ARGUMENTS...` (stops first). */
  tshark(...args: string[]): Promise<string>;
}

export interface PingOptions {
  readonly count?: number;
  readonly source?: string;
  /** Octets of payload; default 56. */
  readonly size?: number;
  /** Set DF. */
  readonly dontFragment?: boolean;
  /** Seconds to wait for each answer; default 1. */
  readonly waitSeconds?: number;
  readonly intervalSeconds?: number;
}

const repository = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** The program under test: IPSECBOX_BIN, else dist/ipsecbox, else main.ts. */
export function ipsecboxCommand(): string[] {
  const named = Deno.env.get("IPSECBOX_BIN");
  if (named) return [named];
  const packed = join(repository, "dist", "ipsecbox");
  return exists(packed) ? [packed] : [Deno.execPath(), "run", "-A", join(repository, "main.ts")];
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

function runSync(command: readonly string[], input?: string): string {
  const child = input === undefined ? command : ["sh", "-c", `printf '%s' "$0" | exec "$@"`, input, ...command];
  const { code, stdout, stderr } = new Deno.Command(child[0], { args: child.slice(1) }).outputSync();
  if (code !== 0) throw new Error(`Cannot run ${command.join(" ")}: ${decodeText(stderr)}${decodeText(stdout)}`);
  return decodeText(stdout);
}

/** Waits until `condition` holds. @throws {Error} naming `what` when it has not after `timeoutMs`. */
export async function waitFor(
  condition: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = 5000,
): Promise<void> {
  const end = performance.now() + timeoutMs;
  for (let delayMs = 5; !await condition(); delayMs = Math.min(2 * delayMs, 100)) {
    if (performance.now() > end) throw new Error(`Waited ${timeoutMs} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, delayMs));
  }
}

/** Whether a process exists and is no zombie. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s*[ZX]/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}

function kill(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound) && !(error instanceof Error && /ESRCH/.test(error.message))) {
      throw error;
    }
  }
}

/** One namespace and the commands in it. They share a mount namespace with a /run of their own. */
export class Host {
  readonly name: string;
  /** As `ip netns` calls it. */
  readonly namespace: string;
  /** A directory of this host outside its namespace: logs, captures, run and etc of ipsecbox. */
  readonly folder: string;
  #keeper: number;
  #background: number[] = [];
  #number = 0;

  constructor(name: string, namespace: string, folder: string) {
    this.name = name;
    this.namespace = namespace;
    this.folder = folder;
    Deno.mkdirSync(folder, { recursive: true });
    for (const each of ["run", "etc"]) Deno.mkdirSync(join(folder, each), { mode: 0o700 });
    runSync(["ip", "netns", "add", namespace]);
    const pidFile = join(folder, "keeper.pid");
    runSync([
      "sh",
      "-c",
      `ip netns exec "$1" sh -c 'mount -t tmpfs -o mode=755 tmpfs /run && echo $$ >"$1" && exec sleep infinity' sh "$2" ` +
      `>/dev/null 2>"$2.log" </dev/null & for i in $(seq 500); do [ -s "$2" ] && exit 0; sleep 0.01; done; cat "$2.log" >&2; exit 1`,
      "sh",
      namespace,
      pidFile,
    ]);
    this.#keeper = Number(Deno.readTextFileSync(pidFile));
    runSync(this.#enter(["ip", "link", "set", "lo", "up"]));
  }

  #enter(command: readonly string[]): string[] {
    return ["nsenter", "-t", String(this.#keeper), "-m", "-n", "--", ...command];
  }

  /** A text with blanks is given to the shell. */
  #words(command: string | readonly string[]): readonly string[] {
    return typeof command === "string" ? ["sh", "-c", command] : command;
  }

  /** Environment of every command: where this host's ipsecbox keeps its files. */
  get environment(): Record<string, string> {
    return { IPSECBOX_RUN: join(this.folder, "run"), IPSECBOX_ETC: join(this.folder, "etc") };
  }

  /** Runs a command to its end. @throws {Error} with its output when it fails, unless `check` is false. */
  async exec(command: string | readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const words = this.#enter(this.#words(command));
    const child = new Deno.Command(words[0], {
      args: words.slice(1),
      env: { ...this.environment, ...options.env },
      stdin: options.input === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    if (options.input !== undefined) {
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode(options.input)).catch(() => {});
      await writer.close().catch(() => {});
    }
    const timer = setTimeout(() => kill(child.pid, "SIGKILL"), options.timeoutMs ?? 60_000);
    const output = await child.output().finally(() => clearTimeout(timer));
    const result = { code: output.code, stdout: decodeText(output.stdout), stderr: decodeText(output.stderr) };
    if (result.code !== 0 && (options.check ?? true)) {
      const text = Array.isArray(command) ? command.join(" ") : command;
      throw new Error(`${this.name}: "${text}" ended with ${result.code}\n${result.stderr}${result.stdout}`);
    }
    return result;
  }

  /** Starts a command in the background; the topology's end ends it. */
  spawn(command: string | readonly string[], env: Readonly<Record<string, string>> = {}): Background {
    const base = join(this.folder, `background-${++this.#number}`);
    // A shell that is nobody's child waits for the command, so that its status is known and no handle leaks.
    new Deno.Command("setsid", {
      args: [
        "sh",
        "-c",
        `base=$1; shift; ("$@" >"$base.log" 2>&1 </dev/null & echo $! >"$base.pid.new"; mv "$base.pid.new" "$base.pid"; wait $!; ` +
        `echo $? >"$base.status.new"; mv "$base.status.new" "$base.status") >/dev/null 2>&1 </dev/null & ` +
        `while [ ! -e "$base.pid" ]; do sleep 0.005; done`,
        "sh",
        base,
        ...this.#enter(this.#words(command)),
      ],
      env: { ...this.environment, ...env },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).outputSync();
    const pid = Number(Deno.readTextFileSync(`${base}.pid`));
    this.#background.push(pid);
    const status = () => exists(`${base}.status`) ? Number(Deno.readTextFileSync(`${base}.status`)) : undefined;
    const background: Background = {
      pid,
      output: () => exists(`${base}.log`) ? Deno.readTextFileSync(`${base}.log`) : "",
      ended: () => status() !== undefined,
      status,
      signal: (name) => kill(pid, name),
      stop: async (name = "SIGTERM", timeoutMs = 5000) => {
        kill(pid, name);
        try {
          await waitFor(background.ended, `process ${pid} to end`, timeoutMs);
        } catch {
          kill(pid, "SIGKILL");
          await waitFor(background.ended, `process ${pid} to end`, timeoutMs);
        }
        return status()!;
      },
      [Symbol.dispose]: () => {
        if (!background.ended()) kill(pid, "SIGKILL");
      },
    };
    return background;
  }

  /** Runs `ipsecbox ARGUMENTS...` to its end. */
  ipsecbox(args: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    return this.exec([...ipsecboxCommand(), ...args], options);
  }

  /** Starts `ipsecbox ARGUMENTS...` in the background. */
  startIpsecbox(args: readonly string[], env: Readonly<Record<string, string>> = {}): Background {
    return this.spawn([...ipsecboxCommand(), ...args], env);
  }

  /** Pings; returns how many answers came, and ping's own words. */
  async ping(address: string, options: PingOptions = {}): Promise<{ received: number; output: string }> {
    const args = ["ping", "-n", "-c", String(options.count ?? 1), "-W", String(options.waitSeconds ?? 1)];
    args.push("-i", String(options.intervalSeconds ?? 0.05));
    if (options.source) args.push("-I", options.source);
    if (options.size !== undefined) args.push("-s", String(options.size));
    if (options.dontFragment !== undefined) args.push("-M", options.dontFragment ? "do" : "dont");
    const { stdout, stderr } = await this.exec([...args, address], { check: false });
    const received = /(\d+) received/.exec(stdout);
    return { received: received ? Number(received[1]) : 0, output: stdout + stderr };
  }

  /** Starts a capture and waits until it sees packets. */
  async capture(interfaceName: string, filter = ""): Promise<Capture> {
    const file = join(this.folder, `capture-${++this.#number}.pcap`);
    const command = ["tcpdump", "-Z", "root", "-n", "-p", "-U", "--immediate-mode", "-s", "0", "-i", interfaceName];
    const tcpdump = this.spawn([...command, "-w", file, ...filter.split(" ").filter(Boolean)]);
    await waitFor(() => {
      if (tcpdump.ended()) throw new Error(`${this.name}: tcpdump ended: ${tcpdump.output()}`);
      return /listening on/.test(tcpdump.output());
    }, `tcpdump on ${interfaceName}`);
    // A tcpdump that is told to end forgets what it has not read yet.
    const stop = async () => {
      if (tcpdump.ended()) return;
      let before = -1;
      await waitFor(async () => {
        await new Promise((resolve) => setTimeout(resolve, 50));
        const { size } = Deno.statSync(file);
        const quiet = size === before;
        before = size;
        return quiet;
      }, `${interfaceName} to be quiet`);
      await tcpdump.stop("SIGINT");
    };
    return {
      file,
      stop,
      packets: async (atLeast = 0) => {
        const arrived = () => Deno.statSync(file).size < 24 ? -1 : readPcap(Deno.readFileSync(file)).length;
        await waitFor(() => arrived() >= atLeast, `${atLeast} packets`);
        await stop();
        return readPcap(Deno.readFileSync(file));
      },
      tshark: async (...args) => {
        await stop();
        const { code, stdout, stderr } = await new Deno.Command("tshark", { args: ["-r", file, ...args] }).output();
        if (code !== 0) throw new Error(`tshark ended with ${code}: ${decodeText(stderr)}`);
        return decodeText(stdout);
      },
    };
  }

  /** Ends every process of this host that is still there, and removes the namespace. */
  dispose(): void {
    for (const pid of this.#background) if (isAlive(pid)) kill(pid, "SIGKILL");
    // What a daemon forked off is found by its namespace; the keeper, which holds it, is among them.
    const { stdout } = new Deno.Command("ip", { args: ["netns", "pids", this.namespace] }).outputSync();
    for (const pid of decodeText(stdout).split("\n").filter(Boolean)) kill(Number(pid), "SIGKILL");
    new Deno.Command("ip", { args: ["netns", "del", this.namespace] }).outputSync();
  }
}

/** The packets of a pcap file, from the IP header on; frames that carry no IP are left out. */
export function readPcap(octets: Uint8Array): CapturedPacket[] {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  if (octets.length < 24 || view.getUint32(0, true) !== 0xa1b2c3d4) throw new Error("Cannot read pcap: no pcap file");
  const linkType = view.getUint32(20, true);
  const [ETHERNET, RAW, RAW_OPENBSD, COOKED] = [1, 101, 12, 113];
  const skip = new Map([[ETHERNET, 14], [RAW, 0], [RAW_OPENBSD, 0], [COOKED, 16]]).get(linkType);
  if (skip === undefined) throw new Error(`Cannot read pcap: link type ${linkType}`);
  const packets: CapturedPacket[] = [];
  for (let at = 24; at + 16 <= octets.length;) {
    const captured = view.getUint32(at + 8, true);
    const start = at + 16;
    if (start + captured > octets.length) break; // still being written
    const ip = octets.slice(start + skip, start + captured) as Bytes;
    const etherType = skip ? view.getUint16(start + skip - 2) : ip[0] >> 4 === 4 ? 0x0800 : 0x86dd;
    if (etherType === 0x0800 || etherType === 0x86dd) {
      packets.push({ time: view.getUint32(at, true) + view.getUint32(at + 4, true) / 1e6, ip });
    }
    at = start + captured;
  }
  return packets;
}

/** Removes a folder; a process that was killed a moment ago may still have put something into it. */
function removeTree(folder: string): void {
  for (let tries = 50;; tries--) {
    try {
      return Deno.removeSync(folder, { recursive: true });
    } catch (error) {
      if (tries === 0) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
}

const INTERRUPTS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

/** A network of hosts. Dispose of it to remove them. */
export class Topology implements Disposable, AsyncDisposable {
  readonly folder: string;
  readonly #hosts = new Map<string, Host>();
  /** Whoever interrupts a demo or a bench leaves nothing behind. */
  readonly #interrupts = Object.entries(INTERRUPTS).map(([signal, number]) => ({
    signal: signal as keyof typeof INTERRUPTS,
    listener: () => {
      this[Symbol.dispose]();
      Deno.exit(128 + number);
    },
  }));

  constructor(name: string, spec: TopologySpec) {
    for (const { signal, listener } of this.#interrupts) Deno.addSignalListener(signal, listener);
    this.folder = Deno.makeTempDirSync({ prefix: `ipsecbox-${name}-` });
    try {
      for (const [hostName, host] of Object.entries(spec.hosts)) {
        const made = new Host(
          hostName,
          `${PREFIX}${name}-${hostName}-${Deno.pid}-${++count}`,
          join(this.folder, hostName),
        );
        this.#hosts.set(hostName, made);
        const settings = Object.entries({
          "net.ipv4.conf.all.rp_filter": 0,
          "net.ipv4.conf.default.rp_filter": 0,
          "net.ipv4.ip_forward": host.forwarding ? 1 : 0,
          "net.ipv6.conf.all.forwarding": host.forwarding ? 1 : 0,
          "net.ipv6.conf.default.accept_dad": 0,
          "net.ipv4.ping_group_range": "0 2147483647",
          ...host.sysctls,
        });
        runSync([
          "ip",
          "netns",
          "exec",
          made.namespace,
          "sh",
          "-c",
          settings.map(([key, value]) => `echo ${value} >/proc/sys/${key.replaceAll(".", "/")}`).join(" && "),
        ]);
      }
      for (const { ends, mtu } of spec.links) this.#link(ends, mtu);
      for (const [hostName, { routes = [] }] of Object.entries(spec.hosts)) {
        const lines = routes.map((route) => `route add ${route}`);
        if (lines.length) runSync(["ip", "-n", this.host(hostName).namespace, "-batch", "-"], lines.join("\n") + "\n");
      }
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  #link(ends: readonly [LinkEnd, LinkEnd], mtu = 1500): void {
    const [a, b] = ends.map(([host, interfaceName]) => [this.host(host).namespace, interfaceName]);
    runSync(["ip", "-n", a[0], "link", "add", a[1], "type", "veth", "peer", "name", b[1], "netns", b[0]]);
    for (const [host, interfaceName, ...addresses] of ends) {
      const lines = [
        `link set ${interfaceName} mtu ${mtu} up`,
        ...addresses.map((address) =>
          `addr add ${address} dev ${interfaceName}${address.includes(":") ? " nodad" : ""}`
        ),
      ];
      runSync(["ip", "-n", this.host(host).namespace, "-batch", "-"], lines.join("\n") + "\n");
    }
  }

  /** The host of this name. @throws {Error} when there is none. */
  host(name: string): Host {
    const host = this.#hosts.get(name);
    if (!host) throw new Error(`No host "${name}": ${[...this.#hosts.keys()].join(", ")}`);
    return host;
  }

  [Symbol.dispose](): void {
    for (const { signal, listener } of this.#interrupts.splice(0)) Deno.removeSignalListener(signal, listener);
    for (const host of this.#hosts.values()) host.dispose();
    this.#hosts.clear();
    removeTree(this.folder);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this[Symbol.dispose]();
    return Promise.resolve();
  }
}

const PREFIX = "ib-";
let count = 0;

/** Removes namespaces of test processes that were killed before they could. */
function removeOrphans(): void {
  for (const line of runSync(["ip", "netns", "list"]).split("\n")) {
    const match = /^ib-\S+-(\d+)-\d+(?= |$)/.exec(line);
    if (!match || isAlive(Number(match[1]))) continue;
    const pids = new Deno.Command("ip", { args: ["netns", "pids", match[0]] }).outputSync();
    for (const pid of decodeText(pids.stdout).split("\n").filter(Boolean)) kill(Number(pid), "SIGKILL");
    new Deno.Command("ip", { args: ["netns", "del", match[0]] }).outputSync();
  }
}

/** Makes a network. `name`: short, of letters and digits. */
export async function topology(name: string, spec: TopologySpec): Promise<Topology> {
  removeOrphans();
  const net = new Topology(name, spec);
  await Promise.resolve();
  return net;
}

export { type ShapeOptions, twoGateways, twoHosts } from "./shapes.ts";
