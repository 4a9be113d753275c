// Two gateways with isakmpd, as FAQ 13.8 has them, for tests.
//   westlan 192.168.1.2 - west 10.1.0.1 ==== 10.1.0.2 east - 192.168.2.2 eastlan
import { join } from "node:path";
import { type Background, type Host, type Topology, topology, type TopologySpec, waitFor } from "./topology.ts";

export const GATEWAYS: TopologySpec = {
  hosts: {
    westlan: { routes: ["default via 192.168.1.1"] },
    west: { forwarding: true },
    east: { forwarding: true },
    eastlan: { routes: ["default via 192.168.2.1"] },
  },
  links: [
    { ends: [["westlan", "eth0", "192.168.1.2/24"], ["west", "lan", "192.168.1.1/24"]] },
    { ends: [["west", "wan", "10.1.0.1/24", "fd10::1/64"], ["east", "wan", "10.1.0.2/24", "fd10::2/64"]] },
    { ends: [["eastlan", "eth0", "192.168.2.2/24"], ["east", "lan", "192.168.2.1/24"]] },
  ],
};

/** An example's file. */
export const exampleConf = (side: "west" | "east"): string =>
  Deno.readTextFileSync(new URL(`../../examples/isakmpd-east-west/VPN-${side}.conf`, import.meta.url));

/** Writes a file that only its owner may read; returns its path. */
export function writePrivate(host: Host, name: string, text: string): string {
  const path = join(host.folder, name);
  Deno.writeTextFileSync(path, text, { mode: 0o600 });
  Deno.chmodSync(path, 0o600);
  return path;
}

/** Starts the engine on a host and waits for it. */
export async function startEngine(host: Host): Promise<Background> {
  const engine = host.startIpsecbox(["enc"]);
  await waitFor(
    () => {
      if (engine.ended()) throw new Error(`${host.name}: enc ended: ${engine.output()}`);
      return /ready/.test(engine.output());
    },
    `enc on ${host.name}`,
    15_000,
  );
  return engine;
}

/** A running isakmpd. */
export class Daemon {
  constructor(readonly host: Host, readonly process: Background) {}

  /** Starts `isakmpd -d` with a configuration. */
  static async start(host: Host, conf: string, args: readonly string[] = ["-K"]): Promise<Daemon> {
    const path = writePrivate(host, "isakmpd.conf", conf);
    const daemon = new Daemon(host, host.startIpsecbox(["isakmpd", "-d", "-v", ...args, "-c", path]));
    await daemon.says(/listening on/, 15_000);
    return daemon;
  }

  output(): string {
    return this.process.output();
  }

  /** Waits until the log has something. */
  async says(pattern: RegExp, timeoutMs = 20_000): Promise<void> {
    await waitFor(
      () => {
        if (pattern.test(this.output())) return true;
        if (this.process.ended()) throw new Error(`${this.host.name}: isakmpd ended:\n${this.output()}`);
        return false;
      },
      `isakmpd on ${this.host.name} to say ${pattern}`,
      timeoutMs,
    ).catch((error) => {
      throw new Error(`${(error as Error).message}\n${this.output().slice(-3000)}`);
    });
  }

  /** Waits until phase 2 is up, so many times. */
  async up(times = 1): Promise<void> {
    await this.says(new RegExp(`(Established phase 2[^]*){${times}}`));
  }

  /** Gives a FIFO command. */
  async command(line: string): Promise<void> {
    await this.host.exec(`echo '${line}' >/var/run/isakmpd.fifo`);
  }

  /** A FIFO command's result file. */
  async result(line: string): Promise<string> {
    await this.host.exec("rm -f /var/run/isakmpd.result");
    await this.command(line);
    await waitFor(
      async () => (await this.host.exec("test -f /var/run/isakmpd.result", { check: false })).code === 0,
      "the result",
    );
    return (await this.host.exec("cat /var/run/isakmpd.result")).stdout;
  }

  stop(): Promise<number> {
    return this.process.stop();
  }
}

/** The SAs and flows of a host's engine, as `ipsecadm show` has them. */
export const shown = async (host: Host): Promise<string> => (await host.ipsecbox(["ipsecadm", "show"])).stdout;

/** Both gateways with engine and isakmpd. */
export async function twoGateways(
  confs: { west: string; east: string },
  args: readonly string[] = ["-K"],
): Promise<{ net: Topology; west: Daemon; east: Daemon } & AsyncDisposable> {
  const net = await topology("isakmpd", GATEWAYS);
  try {
    await Promise.all([startEngine(net.host("west")), startEngine(net.host("east"))]);
    const [west, east] = await Promise.all([
      Daemon.start(net.host("west"), confs.west, args),
      Daemon.start(net.host("east"), confs.east, args),
    ]);
    return { net, west, east, [Symbol.asyncDispose]: () => net[Symbol.asyncDispose]() };
  } catch (error) {
    net[Symbol.dispose]();
    throw error;
  }
}
