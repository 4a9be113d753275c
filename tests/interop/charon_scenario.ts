/**
 * isakmpd and the engine against strongSwan's charon (kernel-libipsec: tunnel mode, ESP in UDP 4500 only): networks,
 * files of both and what is asked of either role. @module
 */
import { assertEquals, assertMatch } from "@std/assert";
import { Daemon, startEngine } from "../netns/isakmpd_hosts.ts";
import { type Host, type Topology, topology, type TopologySpec, waitFor } from "../netns/topology.ts";
import { Charon, type CharonOptions } from "./charon.ts";

/** lan 192.168.1.2 - gw 10.1.0.1 ==== 10.1.0.2 far - 192.168.2.2 farlan; charon is on far. */
export const NET: TopologySpec = {
  hosts: {
    lan: { routes: ["default via 192.168.1.1"] },
    gw: { forwarding: true },
    far: { forwarding: true },
    farlan: { routes: ["default via 192.168.2.1"] },
  },
  links: [
    { ends: [["lan", "eth0", "192.168.1.2/24"], ["gw", "lan", "192.168.1.1/24"]] },
    { ends: [["gw", "wan", "10.1.0.1/24"], ["far", "wan", "10.1.0.2/24"]] },
    { ends: [["farlan", "eth0", "192.168.2.2/24"], ["far", "lan", "192.168.2.1/24"]] },
  ],
};

/** What one scenario differs in. */
export interface Scenario {
  /** As charon and as isakmpd.conf call it. */
  readonly ike: readonly [charon: string, transform: string];
  readonly esp: readonly [charon: string, suite: string];
  readonly aggressive?: boolean;
  /** Host to host: the gateways' own addresses are all there is. */
  readonly hosts?: boolean;
  /** Lines for our files. */
  readonly general?: string;
  readonly peer?: string;
  readonly rest?: string;
  /** Lines for charon's connection and child. */
  readonly connection?: string;
  readonly child?: string;
  readonly auth?: string;
}

/** Our end of a scenario. */
export function isakmpdConf(
  { ike, esp, aggressive, hosts, general = "", peer = "Authentication=mekmitasdigoat\n", rest = "" }: Scenario,
): string {
  const net = (name: string, address: string) =>
    `[${name}]\nID-type=IPV4_ADDR_SUBNET\nNetwork=${address}\nNetmask=255.255.255.0\n`;
  return `[General]
Listen-on=10.1.0.1
${general}
[Phase 1]
10.1.0.2=charon
[Phase 2]
Passive-connections=tunnel
[charon]
Phase=1
Local-address=10.1.0.1
Address=10.1.0.2
Configuration=main
${peer}
[tunnel]
Phase=2
ISAKMP-peer=charon
Configuration=quick
${hosts ? "" : "Local-ID=here\nRemote-ID=there\n"}
${net("here", "192.168.1.0")}
${net("there", "192.168.2.0")}
[main]
EXCHANGE_TYPE=${aggressive ? "AGGRESSIVE" : "ID_PROT"}
Transforms=${ike[1]}
[quick]
EXCHANGE_TYPE=QUICK_MODE
Suites=${esp[1]}
${rest}
`;
}

/** The end of charon. */
export function swanctlConf(
  { ike, esp, aggressive, hosts, connection = "", child = "", auth = "local { auth = psk }\n remote { auth = psk }" }:
    Scenario,
): string {
  return `connections { gw { version = 1
  local_addrs = 10.1.0.2
  remote_addrs = 10.1.0.1
  proposals = ${ike[0]}
  aggressive = ${aggressive ? "yes" : "no"}
  ${auth}
  ${connection}
  children { tunnel {
    local_ts = ${hosts ? "10.1.0.2/32" : "192.168.2.0/24"}
    remote_ts = ${hosts ? "10.1.0.1/32" : "192.168.1.0/24"}
    esp_proposals = ${esp[0]}
    ${child}
  } } } }
secrets { ike-1 { secret = "mekmitasdigoat" }
  xauth-1 { id = alice
    secret = "open sesame" } }
pools { office { addrs = 10.99.0.1-10.99.0.9
  dns = 192.168.2.53 } }
`;
}

/** Both ends of a scenario on one network; the engine stays. */
export class Bench implements AsyncDisposable {
  private constructor(readonly net: Topology) {}

  static async make(spec: TopologySpec = NET): Promise<Bench> {
    const net = await topology("charon", spec);
    await startEngine(net.host("gw"));
    return new Bench(net);
  }

  async run(
    scenario: Scenario,
    body: (ours: Daemon, charon: Charon) => Promise<void>,
    options: CharonOptions = {},
  ): Promise<void> {
    const charon = await Charon.start(this.net.host("far"), swanctlConf(scenario), options);
    try {
      const ours = await Daemon.start(this.net.host("gw"), isakmpdConf(scenario));
      try {
        await body(ours, charon);
      } catch (error) {
        throw new Error(
          `${(error as Error).message}\n---- isakmpd\n${ours.output().slice(-4000)}\n---- charon\n${
            charon.log().slice(-4000)
          }`,
        );
      } finally {
        await ours.stop();
      }
    } finally {
      await charon.stop();
    }
  }

  /** Traffic through the tunnel, begun on either side. */
  async traffic({ hosts }: Scenario): Promise<void> {
    const ends = hosts
      ? [["gw", "10.1.0.2"], ["far", "10.1.0.1"]]
      : [["lan", "192.168.2.2"], ["farlan", "192.168.1.2"]];
    for (const [from, to] of ends) {
      const { received, output } = await this.net.host(from).ping(to, { count: 3, waitSeconds: 2 });
      assertEquals(received, 3, `ping from ${from} to ${to}: ${output}`);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.net[Symbol.asyncDispose]();
  }
}

/** We begin, then charon does; each time traffic passes and both say that the SAs are there. */
export async function bothRoles(bench: Bench, scenario: Scenario, options: CharonOptions = {}): Promise<void> {
  await bench.run(scenario, async (ours, charon) => {
    await ours.command("c tunnel");
    await ours.up();
    await waitFor(
      async () => /ESTABLISHED, IKEv1[^]*INSTALLED, TUNNEL-in-UDP/.test(await charon.sas()),
      "charon to have the SAs",
    );
    await bench.traffic(scenario);
    await ours.command("t tunnel");
    await ours.command("t main charon");
    await waitFor(async () => !(await charon.sas()).includes("ESTABLISHED"), "charon to believe our DELETEs");

    const initiated = await charon.initiate("tunnel");
    assertEquals(initiated.code, 0, initiated.stdout + initiated.stderr);
    await ours.up(2);
    await bench.traffic(scenario);
    assertMatch(await ours.result("S"), /SA name: charon \(Phase 1\/Responder\)[^]*SA name: tunnel \(Phase 2\)/);
    await charon.swanctl(["--terminate", "--ike", "gw"]);
    await ours.says(/Ended phase 2 .*deleted by the peer/);
  }, options);
}

/** lan 192.168.1.2 - gw 10.1.0.1 ==== 10.1.0.2 nat 10.3.0.254 - 10.3.0.1 far - 192.168.2.2 farlan; nat shall masquerade. */
export const NAT: TopologySpec = {
  hosts: {
    lan: { routes: ["default via 192.168.1.1"] },
    gw: { forwarding: true },
    nat: { forwarding: true },
    far: { forwarding: true, routes: ["default via 10.3.0.254"] },
    farlan: { routes: ["default via 192.168.2.1"] },
  },
  links: [
    { ends: [["lan", "eth0", "192.168.1.2/24"], ["gw", "lan", "192.168.1.1/24"]] },
    { ends: [["gw", "wan", "10.1.0.1/24"], ["nat", "out", "10.1.0.2/24"]] },
    { ends: [["nat", "in", "10.3.0.254/24"], ["far", "wan", "10.3.0.1/24"]] },
    { ends: [["farlan", "eth0", "192.168.2.2/24"], ["far", "lan", "192.168.2.1/24"]] },
  ],
};

/** `host` translates what leaves by interface `out`: IKE and ESP in UDP get ports of 20000 to 29999, or others. */
export const masquerade = (host: Host, ports = "20000-29999") =>
  host.exec(
    "nft add table ip t && nft add chain ip t post '{ type nat hook postrouting priority 100; }' && " +
      `nft add rule ip t post oifname out udp dport '{ 500, 4500 }' masquerade to :${ports} random`,
  );

/** Plain main mode with a pre-shared key. */
export const AES: Scenario = {
  ike: ["aes128-sha256-modp2048", "AES-128-SHA2-256-GRP14"],
  esp: ["aes128-sha256", "QM-ESP-AES-128-SHA2-256-SUITE"],
};

/** Both ends where charon is behind the NAT and our file does not say at which address. */
export const roadWarrior = (scenario: Scenario): { ours: string; theirs: string } => ({
  ours: isakmpdConf(scenario).replace("10.1.0.2=charon", "Default=charon").replace("Address=10.1.0.2\n", ""),
  theirs: swanctlConf(scenario).replace("local_addrs = 10.1.0.2", "local_addrs = 10.3.0.1"),
});
