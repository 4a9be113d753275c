// What happens to the two gateways of chaos.ts.
import { join } from "node:path";
import type { Host, Topology } from "../netns/topology.ts";
import type { Supervised } from "./supervised.ts";

export interface Gateway {
  readonly name: "west" | "east";
  readonly host: Host;
  readonly own: string;
  readonly peer: string;
  readonly own6: string;
  readonly peer6: string;
  readonly lan: string;
  readonly daemons: Record<string, Supervised>;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

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
export const clockFile = (host: Host) => join(host.folder, "clock");

/** A fault, and its end; answers what it did. */
type Fault = (chaos: Chaos) => Promise<string>;

export class Chaos {
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

export const FAULTS: Readonly<Record<string, Fault>> = {
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
export const SABOTAGE: Readonly<Record<string, Fault>> = {
  async open(chaos) {
    for (const { host } of chaos.gateways) await host.ipsecbox(["ipsecadm", "flush"]);
    await pause(1000);
    return "flows flushed";
  },
};
