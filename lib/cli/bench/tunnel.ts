/** A tunnel between two network namespaces of this machine, made, measured and removed. @module */
import { join } from "node:path";
import { ownCommand } from "../../daemon/detach.ts";
import { formatHex } from "../../octets/hex.ts";
import { DEFAULT_PORT, type StreamResult } from "./stream.ts";

/** What is measured: a name, and the SA in ipsecadm's words; plain: none. */
interface Way {
  readonly name: string;
  readonly sa?: () => string;
}

export interface TunnelResult extends StreamResult {
  readonly name: string;
  /** Share of what plain veth carries. */
  readonly ofPlain: number;
  /** What the tunnel adds to the round trip. */
  readonly addedMs?: number;
}

/** Of the network that RFC 2544 sets aside for benchmarks. */
const ADDRESSES = { a: "198.18.0.1", b: "198.18.0.2" } as const;
/** Each end with its peer. */
const ENDS = [["a", "b"], ["b", "a"]] as const;
const READY_MS = 20_000;
const END_MS = 5000;

const key = (octets: number) => formatHex(crypto.getRandomValues(new Uint8Array(octets)));
const IN_UDP = "new esp -forcetunnel -udpencap 4500";

const WAYS: readonly Way[] = [
  { name: "plain veth" },
  { name: "ESP in UDP, aes-gcm", sa: () => `${IN_UDP} -enc aes-gcm -key ${key(20)}` },
  { name: "ESP, aes-gcm", sa: () => `new esp -forcetunnel -enc aes-gcm -key ${key(20)}` },
  {
    name: "ESP in UDP, aes + sha2-256",
    sa: () => `${IN_UDP} -enc aes -key ${key(16)} -auth sha2-256 -authkey ${key(32)}`,
  },
  { name: "ESP in UDP, 3des + sha1", sa: () => `${IN_UDP} -enc 3des -key ${key(24)} -auth sha1 -authkey ${key(20)}` },
];

/** A program that could not do what it should; the message has its words. */
class ProgramError extends Error {
  override name = "ProgramError";
}

interface RunOptions {
  readonly env?: Record<string, string>;
  readonly input?: string;
  /** Told of the process as soon as there is one. */
  readonly started?: (child: Deno.ChildProcess) => void;
}

/** Runs a program to its end; answers what it printed. @throws {ProgramError} */
async function run(command: readonly string[], { env, input, started }: RunOptions = {}): Promise<string> {
  const child = new Deno.Command(command[0], {
    args: command.slice(1),
    env,
    stdin: input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  started?.(child);
  if (input !== undefined) {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(input)).then(() => writer.close(), () => {});
  }
  const { success, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  if (!success) throw new ProgramError(decoder.decode(stderr).trim() || `${command[0]} failed`);
  return decoder.decode(stdout);
}

/** Two hosts joined by a veth pair, with what runs in them. */
class Network implements AsyncDisposable {
  readonly #namespaces: string[] = [];
  readonly #children: Deno.ChildProcess[] = [];
  readonly #folder: string;
  #closed = false;

  private constructor() {
    this.#folder = Deno.makeTempDirSync({ prefix: "ipsecbox-bench-" });
  }

  /** @throws {ProgramError} when this user or this kernel may not have namespaces, or `ip` is missing */
  static async make(): Promise<Network> {
    const network = new Network();
    try {
      for (const end of ["a", "b"] as const) {
        const namespace = `ipsecbox-bench-${Deno.pid}-${end}`;
        await run(["ip", "netns", "add", namespace]);
        network.#namespaces.push(namespace);
        for (const folder of ["run", "etc"]) Deno.mkdirSync(join(network.#folder, end, folder), { recursive: true });
      }
      const [a, b] = network.#namespaces;
      await run(["ip", "-n", a, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", b]);
      for (const [i, end] of (["a", "b"] as const).entries()) {
        const ip = ["ip", "-n", network.#namespaces[i]];
        await run([...ip, "addr", "add", `${ADDRESSES[end]}/24`, "dev", "eth0"]);
        for (const device of ["lo", "eth0"]) await run([...ip, "link", "set", device, "up"]);
      }
      return network;
    } catch (error) {
      await network[Symbol.asyncDispose]();
      throw error instanceof Deno.errors.NotFound ? new ProgramError(`"ip" (iproute2) is needed`) : error;
    }
  }

  /** A command on a host. @throws {ProgramError} once all is being removed */
  #inside(end: "a" | "b", args: readonly string[]): string[] {
    if (this.#closed) throw new ProgramError("ended");
    const { program, args: before } = ownCommand();
    return ["ip", "netns", "exec", this.#namespaces[end === "a" ? 0 : 1], program, ...before, ...args];
  }

  #environment(end: "a" | "b"): Record<string, string> {
    return { IPSECBOX_RUN: join(this.#folder, end, "run"), IPSECBOX_ETC: join(this.#folder, end, "etc") };
  }

  /** Runs this program to its end on a host. @throws {ProgramError} */
  ipsecbox(end: "a" | "b", args: readonly string[], input?: string): Promise<string> {
    return run(this.#inside(end, args), {
      env: this.#environment(end),
      input,
      started: (child) => this.#children.push(child),
    });
  }

  /** Starts this program on a host; returns once its standard error has said `ready`. @throws {ProgramError} */
  async start(end: "a" | "b", args: readonly string[], ready: string): Promise<void> {
    const [program, ...words] = this.#inside(end, args);
    const env = this.#environment(end);
    const child = new Deno.Command(program, { args: words, env, stdin: "null", stdout: "null", stderr: "piped" })
      .spawn();
    this.#children.push(child);
    let said = "";
    const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
    const late = setTimeout(() => child.kill("SIGKILL"), READY_MS);
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      said += part.value;
      if (!said.includes(ready)) continue;
      clearTimeout(late);
      // What it says later is read, so that it never waits for us, and forgotten.
      (async () => {
        while (!(await reader.read()).done);
      })().catch(() => {});
      return;
    }
    clearTimeout(late);
    throw new ProgramError(said.trim() || `"ipsecbox ${args[0]}" does not start`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#children.map(async (child) => {
      const end = (signal: Deno.Signal) => {
        try {
          child.kill(signal);
        } catch {
          // It has ended by itself.
        }
      };
      end("SIGTERM");
      const late = setTimeout(() => end("SIGKILL"), END_MS);
      await child.status;
      clearTimeout(late);
    }));
    for (const namespace of this.#namespaces) await run(["ip", "netns", "del", namespace]).catch(() => {});
    Deno.removeSync(this.#folder, { recursive: true });
  }
}

/** SAs both ways and flows for one end, as ipsecadm's lines. */
function lines(sa: string, own: string, peer: string): string[] {
  const [a, b] = [ADDRESSES.a, ADDRESSES.b];
  const flow = `flow -proto esp -src ${own} -dst ${peer}`;
  return [
    ...[[a, b, "1000"], [b, a, "1001"]].map(([from, to, spi]) =>
      sa.replace("new esp", `new esp -src ${from} -dst ${to} -spi ${spi}`)
    ),
    `${flow} -addr ${own}/32 ${peer}/32 -out -require`,
    `${flow} -addr ${peer}/32 ${own}/32 -in -require`,
  ];
}

export interface TunnelOptions {
  /** Of each stream. */
  readonly seconds: number;
  readonly progress: (name: string) => void;
  /** Ends it early; everything is removed all the same. */
  readonly signal: AbortSignal;
}

/**
 * Measures plain veth, then each kind of tunnel.
 *
 * @returns what was measured before `signal` ended it
 * @throws {Error} in words for the user when there can be no namespaces or no engine
 */
export async function measureTunnel({ seconds, progress, signal }: TunnelOptions): Promise<TunnelResult[]> {
  const results: TunnelResult[] = [];
  await using network = await Network.make();
  const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  const measure = async () => {
    await network.start("b", ["bench", "receive"], "receiving");
    for (const { name, sa } of WAYS) {
      if (signal.aborted) return;
      progress(name);
      if (sa) {
        if (results.length === 1) await Promise.all(ENDS.map(([own]) => network.start(own, ["enc"], "ready")));
        const words = sa();
        await Promise.all(ENDS.map(([own, peer]) => {
          const input = ["flush", ...lines(words, ADDRESSES[own], ADDRESSES[peer]), ""].join("\n");
          return network.ipsecbox(own, ["ipsecadm", "-f", "-"], input);
        }));
      }
      const send = ["bench", "send", "--json", "--seconds", String(seconds), ADDRESSES.b, String(DEFAULT_PORT)];
      const result = JSON.parse(await network.ipsecbox("a", send)) as StreamResult;
      const plain = results[0] ?? result;
      results.push({
        name,
        ...result,
        ofPlain: result.mbits / plain.mbits,
        addedMs: sa && result.tripMs !== undefined && plain.tripMs !== undefined
          ? result.tripMs - plain.tripMs
          : undefined,
      });
    }
  };
  const measured = measure();
  // What fails because its network is taken away is no news.
  aborted.then(() => measured.catch(() => {}));
  await Promise.race([measured, aborted]);
  return results;
}
