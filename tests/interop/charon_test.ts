// isakmpd and the engine against strongSwan's charon (kernel-libipsec: tunnel mode, ESP in UDP 4500 only), both roles.
//   lan 192.168.1.2 - gw 10.1.0.1 ==== 10.1.0.2 far - 192.168.2.2 farlan
import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  encodePem,
  encodePrivateKey,
  encodePublicKey,
  generateRsaKey,
  publicKeyOf,
} from "../../lib/crypto/signature.ts";
import { PAYLOAD } from "../../lib/isakmp/numbers.ts";
import { Daemon, startEngine, writePrivate } from "../netns/isakmpd_hosts.ts";
import { type Host, type Topology, topology, type TopologySpec, waitFor } from "../netns/topology.ts";
import { Charon, type CharonOptions } from "./charon.ts";

const NET: TopologySpec = {
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
interface Scenario {
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

function isakmpdConf(
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

function swanctlConf(
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
class Bench implements AsyncDisposable {
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
async function bothRoles(bench: Bench, scenario: Scenario, options: CharonOptions = {}): Promise<void> {
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
    await ours.says(
      /Ended phase 2 .*deleted by the peer[^]*Ended phase 2 .*deleted by the peer|Ended phase 2[^]*Ended phase 2/,
    );
  }, options);
}

const PSK: readonly (Scenario & { name: string })[] = [
  {
    name: "3des-sha1-modp1024 with PFS",
    ike: ["3des-sha1-modp1024", "3DES-SHA"],
    esp: ["3des-sha1-modp1024", "QM-ESP-3DES-SHA-PFS-SUITE"],
  },
  {
    name: "aes128-sha1-modp1024 without PFS",
    ike: ["aes128-sha1-modp1024", "AES-128-SHA-GRP2"],
    esp: ["aes128-sha1", "QM-ESP-AES-128-SHA-SUITE"],
  },
  {
    name: "aes128-sha256-modp2048 with PFS",
    ike: ["aes128-sha256-modp2048", "AES-128-SHA2-256-GRP14"],
    esp: ["aes128-sha256-modp2048", "QM-ESP-AES-128-SHA2-256-PFS-GRP14-SUITE"],
  },
  {
    name: "aes256-sha512-ecp256 and AES-GCM with PFS",
    ike: ["aes256-sha512-ecp256", "AES-256-SHA2-512-GRP19"],
    esp: ["aes256gcm16-ecp256", "QM-ESP-AESGCM-256-PFS-GRP19-SUITE"],
  },
  {
    name: "curve25519 in both phases",
    ike: ["aes128-sha256-curve25519", "AES-128-SHA2-256-GRP31"],
    esp: ["aes128gcm16-curve25519", "QM-ESP-AESGCM-128-PFS-GRP31-SUITE"],
  },
  {
    name: "aggressive mode",
    aggressive: true,
    ike: ["aes128-sha1-modp1024", "AES-128-SHA-GRP2"],
    esp: ["aes256-sha512", "QM-ESP-AES-256-SHA2-512-SUITE"],
  },
  {
    name: "host to host",
    hosts: true,
    ike: ["aes128-sha256-modp2048", "AES-128-SHA2-256-GRP14"],
    esp: ["aes128-sha256", "QM-ESP-AES-128-SHA2-256-SUITE"],
  },
];

Deno.test("main and aggressive mode with a pre-shared key, as initiator and as responder, carry traffic", async (t) => {
  await using bench = await Bench.make();
  for (const scenario of PSK) await t.step(scenario.name, () => bothRoles(bench, scenario));
});

Deno.test("main mode with RSA signatures and raw public keys, both roles", async () => {
  await using bench = await Bench.make();
  const gw = bench.net.host("gw");
  const [ours, theirs] = [generateRsaKey(2048), generateRsaKey(2048)];
  const pem = (key: typeof ours) => encodePem("PUBLIC KEY", encodePublicKey(publicKeyOf(key)));
  const keyFile = writePrivate(gw, "local.key", encodePem("PRIVATE KEY", encodePrivateKey(ours)));
  const keys = `${gw.folder}/pubkeys`;
  Deno.mkdirSync(`${keys}/fqdn`, { recursive: true });
  Deno.writeTextFileSync(`${keys}/fqdn/far.example.org`, pem(theirs));
  await bothRoles(bench, {
    ike: ["aes128-sha256-modp2048", "AES-128-SHA2-256-GRP14-RSA_SIG"],
    esp: ["aes128-sha256-modp2048", "QM-ESP-AES-128-SHA2-256-PFS-GRP14-SUITE"],
    general: `Pubkey-directory=${keys}\n`,
    peer: "ID=me\nRemote-ID=it\n",
    rest: `[me]\nID-type=USER_FQDN\nName=gw@example.org\n[it]\nID-type=FQDN\nName=far.example.org\n` +
      `[X509-certificates]\nPrivate-key=${keyFile}\n`,
    auth: `local { auth = pubkey
      id = far.example.org
      pubkeys = own.pem }
    remote { auth = pubkey
      id = gw@example.org
      pubkeys = peer.pem }`,
  }, {
    files: {
      "private/own.pem": encodePem("PRIVATE KEY", encodePrivateKey(theirs)),
      "pubkey/own.pem": pem(theirs),
      "pubkey/peer.pem": pem(ours),
    },
  });
});

Deno.test("charon's IKE messages come in fragments", async () => {
  await using bench = await Bench.make();
  const scenario: Scenario = {
    ike: ["aes128-sha256-modp4096", "AES-128-SHA2-256-GRP16"],
    esp: ["aes128-sha256-modp8192", "QM-ESP-AES-128-SHA2-256-PFS-GRP18-SUITE"],
    connection: "fragmentation = force",
  };
  const wire = await bench.net.host("gw").capture("wan", "udp");
  await bothRoles(bench, scenario, { settings: "fragment_size = 500" });
  const fragments = (await wire.packets()).filter(({ ip }) => {
    const udp = 4 * (ip[0] & 15);
    const marker = (ip[udp] << 8 | ip[udp + 1]) === 4500 ? 4 : 0;
    return ip[udp + 8 + marker + 16] === PAYLOAD.FRAGMENT && ip[15] === 2;
  });
  assert(fragments.length >= 8, `${fragments.length} fragments from charon`);
});

Deno.test("XAUTH and mode config: we are charon's client, and charon is ours", async (t) => {
  await using bench = await Bench.make();
  const common = {
    ike: ["aes128-sha1-modp1024", "AES-128-SHA-GRP2"],
    esp: ["aes128-sha1", "QM-ESP-AES-128-SHA-SUITE"],
  } as const;
  await t.step("client", () =>
    bench.run({
      ...common,
      peer: "Authentication=mekmitasdigoat\nFlags=xauth,ikecfg\nXAUTH-user=alice\nXAUTH-password=open sesame\n",
      connection: "pools = office",
      auth: `local { auth = psk }
      remote { auth = psk }
      remote-x { auth = xauth-generic }`,
      child: "",
    }, async (ours, charon) => {
      await charon.swanctl(["--load-pools", "--file", `${charon.folder}/swanctl.conf`]);
      await ours.command("c tunnel");
      await ours.says(/gives us .*INTERNAL_IP4_ADDRESS 10\.99\.0\.1/);
      await ours.says(/Established phase 1/);
      assertMatch(await charon.sas(), /remote '10\.1\.0\.1' @ 10\.1\.0\.1.* XAUTH?: 'alice'|alice/);
    }));
  await t.step("server", () =>
    bench.run({
      ...common,
      peer: "Authentication=mekmitasdigoat\nFlags=xauth\n",
      rest: "[XAUTH-users]\nalice=open sesame\n[ipv4/10.1.0.2]\nAddress=10.99.0.7\nNameserver=192.168.1.53\n" +
        "[ipv4/10.99.0.7]\n",
      connection: "vips = 0.0.0.0",
      auth: `local { auth = psk }
      local-x { auth = xauth-generic
        xauth_id = alice }
      remote { auth = psk }`,
    }, async (ours, charon) => {
      const initiated = await charon.initiate("tunnel");
      assertMatch(initiated.stdout, /installing new virtual IP 10\.99\.0\.7/);
      await ours.says(/Established phase 1/);
      await ours.up();
    }));
});

/** gw 10.1.0.1 - 10.1.0.254 nat 10.3.0.254 - 10.3.0.1 inside; the router in the middle masquerades. */
const NAT: TopologySpec = {
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

/** `table` translates what leaves by interface `out`. */
const masquerade = (host: Host) =>
  host.exec(
    "nft add table ip t && nft add chain ip t post '{ type nat hook postrouting priority 100; }' && " +
      "nft add rule ip t post oifname out udp dport '{ 500, 4500 }' masquerade to :20000-30000 random",
  );

const AES: Scenario = {
  ike: ["aes128-sha256-modp2048", "AES-128-SHA2-256-GRP14"],
  esp: ["aes128-sha256", "QM-ESP-AES-128-SHA2-256-SUITE"],
};

Deno.test("charon behind a NAT calls a road warrior's gateway, and its port may change", async () => {
  await using bench = await Bench.make(NAT);
  await masquerade(bench.net.host("nat"));
  const scenario: Scenario = {
    ...AES,
    aggressive: true,
    peer: "",
    rest: "[warrior@example.org]\nAuthentication=mekmitasdigoat\n",
    auth: `local { auth = psk
      id = warrior@example.org }
    remote { auth = psk }`,
  };
  const roadWarrior = isakmpdConf(scenario).replace("10.1.0.2=charon", "Default=charon").replace(
    "Address=10.1.0.2\n",
    "",
  );
  const theirs = swanctlConf(scenario).replace("local_addrs = 10.1.0.2", "local_addrs = 10.3.0.1");
  const charon = await Charon.start(bench.net.host("far"), theirs);
  const ours = await Daemon.start(bench.net.host("gw"), roadWarrior);
  const initiated = await charon.initiate("tunnel");
  assertEquals(initiated.code, 0, `${initiated.stdout}${ours.output()}`);
  await ours.up();
  assertMatch(ours.output(), /at 10\.1\.0\.2:2\d{4}/, "a translated port");
  const { received, output } = await bench.net.host("farlan").ping("192.168.1.2", { count: 3 });
  assertEquals(received, 3, output);
  // The NAT forgets; charon's next packets come from another port.
  await bench.net.host("nat").exec("nft flush ruleset");
  await masquerade(bench.net.host("nat"));
  await waitFor(
    async () => (await bench.net.host("lan").ping("192.168.2.2", { count: 1 })).received === 1,
    "traffic after the NAT's port changed",
    40_000,
  );
});

Deno.test("we behind a NAT call charon", async () => {
  const spec: TopologySpec = {
    ...NAT,
    hosts: { ...NAT.hosts, gw: { forwarding: true, routes: ["default via 10.3.0.254"] }, far: { forwarding: true } },
    links: [
      NAT.links[0],
      NAT.links[3],
      { ends: [["gw", "wan", "10.3.0.1/24"], ["nat", "in", "10.3.0.254/24"]] },
      { ends: [["nat", "out", "10.1.0.1/24"], ["far", "wan", "10.1.0.2/24"]] },
    ],
  };
  await using bench = await Bench.make(spec);
  await masquerade(bench.net.host("nat"));
  const charon = await Charon.start(
    bench.net.host("far"),
    swanctlConf({ ...AES, auth: "local { auth = psk }\n remote { auth = psk\n id = 10.3.0.1 }" }),
  );
  const ours = await Daemon.start(
    bench.net.host("gw"),
    isakmpdConf({ ...AES, general: "NAT-T-Keepalive=1\n" }).replaceAll("10.1.0.1", "10.3.0.1"),
  );
  const wire = await bench.net.host("far").capture("wan", "udp port 4500");
  await ours.command("c tunnel");
  await ours.up();
  await bench.traffic(AES);
  assertMatch(await charon.sas(), /remote '10\.3\.0\.1' @ 10\.1\.0\.1\[2\d{4}\]/);
  await new Promise((resolve) => setTimeout(resolve, 2500));
  const keepalives = (await wire.packets()).filter(({ ip }) => ip.length === 29 && ip[28] === 0xff);
  assert(keepalives.length >= 1, "no keepalive within 2.5 s");
});

Deno.test("connections that charon refuses do not hold up those begun with them", async () => {
  await using bench = await Bench.make();
  const numbers = [0, 1, 2, 3, 4];
  const [refused, taken] = ["aes256-sha512", "aes128-sha256"];
  const names = numbers.map((i) => `net${i}`);
  const ours = isakmpdConf({ ...AES, general: "Exchange-max-time=6\n" }).replace(
    "connections=tunnel",
    `connections=${names.join(",")}`,
  ) +
    numbers.map((i) =>
      `[net${i}]
Phase=2
ISAKMP-peer=charon
Configuration=quick
Local-ID=local${i}
Remote-ID=there
[local${i}]
ID-type=IPV4_ADDR_SUBNET
Network=10.50.${i}.0
Netmask=255.255.255.0
`
    ).join("");
  const theirs = swanctlConf(AES).replace(
    "children {",
    `children {${
      numbers.map((i) => `
    net${i} {
      local_ts = 192.168.2.0/24
      remote_ts = 10.50.${i}.0/24
      esp_proposals = ${i < 2 ? refused : taken} }`).join("")
    }`,
  );
  const charon = await Charon.start(bench.net.host("far"), theirs);
  const daemon = await Daemon.start(bench.net.host("gw"), ours);
  for (const name of names) await daemon.command(`c ${name}`);
  await daemon.up(3);
  assert(!daemon.output().includes("Cannot agree"), daemon.output());
  // charon's notify names no SPI; which of two under way it means shows in that neither is answered.
  await daemon.says(/connection net0\): offered .* the peer refuses it: NO_PROPOSAL_CHOSEN/);
  await daemon.says(/connection net1\): offered .* the peer refuses it: NO_PROPOSAL_CHOSEN/);
  await daemon.stop();
  await charon.stop();
});

Deno.test("charon's refusal under the keys of phase 1 is read: the pre-shared keys agree, the method does not", async () => {
  await using bench = await Bench.make();
  const auth = "local { auth = psk }\n remote { auth = psk }\n remote-x { auth = xauth-generic }";
  await bench.run({ ...AES, auth }, async (ours) => {
    await ours.command("c tunnel");
    await ours.says(/the pre-shared keys agree, but the peer refuses our ID .*: AUTHENTICATION_FAILED/);
  });
});

Deno.test("DPD: charon's questions are answered, and a charon that is gone is noticed", async () => {
  await using bench = await Bench.make();
  const scenario: Scenario = {
    ...AES,
    general: "DPD-check-interval=1\n",
    connection: "dpd_delay = 1s\n dpd_timeout = 4s",
    child: "dpd_action = clear",
  };
  await bench.run(scenario, async (ours, charon) => {
    await ours.command("c tunnel");
    await ours.up();
    await new Promise((resolve) => setTimeout(resolve, 6000));
    assertMatch(charon.log(), /sending DPD request/);
    assertMatch(await charon.sas(), /ESTABLISHED/);
    assert(!/Ended phase/.test(ours.output()), "we lost it");
    charon.process.signal("SIGKILL");
    await ours.says(/Ended phase 1 .*(dead|not answer|silent)/, 60_000);
  });
});

Deno.test("a ping every 10 ms through rekeyings of both phases loses nothing", async () => {
  await using bench = await Bench.make();
  const life = (name: string, seconds: number) => `[${name}]\nLIFE_TYPE=SECONDS\nLIFE_DURATION=${seconds},1:86400\n`;
  const scenario: Scenario = {
    ...AES,
    rest: life("LIFE_MAIN_MODE", 14) + life("LIFE_QUICK_MODE", 6),
  };
  await bench.run(scenario, async (ours) => {
    await ours.command("c tunnel");
    await ours.up();
    const ping = bench.net.host("lan").spawn(["ping", "-n", "-D", "-O", "-i", "0.01", "-c", "2500", "192.168.2.2"]);
    await waitFor(ping.ended, "ping to end", 60_000);
    const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(ping.output())!.map(Number);
    const lost = ping.output().split("\n").filter((line) => line.includes("no answer"));
    assertEquals([sent, received], [2500, 2500], lost.join("\n"));
    const count = (pattern: RegExp) => ours.output().match(pattern)?.length ?? 0;
    assert(count(/Established phase 2/g) >= 5, `${count(/Established phase 2/g)} phase 2`);
    assert(count(/Established phase 1/g) >= 2, `${count(/Established phase 1/g)} phase 1`);
  });
});

Deno.test("ike-scan gets a handshake in main and aggressive mode, and nothing for what is not allowed", async () => {
  await using bench = await Bench.make();
  const scan = async (...args: string[]) =>
    (await bench.net.host("far").exec(["ike-scan", "--sport=0", "--retry=1", "--timeout=1500", ...args, "10.1.0.1"], {
      check: false,
    }))
      .stdout;
  const gw = bench.net.host("gw");
  const conf = isakmpdConf({ ...AES, ike: ["", "3DES-SHA"] });
  const main = await Daemon.start(gw, conf);
  assertMatch(
    await scan("--trans=5,2,1,2"),
    /Main Mode Handshake returned HDR=\(CKY-R=[0-9a-f]{16}\) SA=\(Enc=3DES Hash=SHA1 (Group=2:modp1024 Auth=PSK|Auth=PSK Group=2:modp1024) LifeType=Seconds LifeDuration/,
  );
  assertMatch(await scan("--trans=1,1,1,1"), /Notify message 14 \(NO-PROPOSAL-CHOSEN\)/);
  await main.stop();
  const aggressive = await Daemon.start(
    gw,
    isakmpdConf({ ...AES, ike: ["", "3DES-SHA"], aggressive: true, peer: "", rest: "[scanner]\nAuthentication=x\n" })
      .replace("Address=10.1.0.2\n", ""),
  );
  assertMatch(
    await scan("--aggressive", "--id=scanner", "--idtype=2", "--trans=5,2,1,2", "--dhgroup=2"),
    /Aggressive Mode Handshake returned/,
  );
  await aggressive.stop();
});
