// A peer behind a NAT that gives it another public address while its SAs are up.
//   lan 192.168.1.2 - gw 10.1.0.1 ==== 10.1.0.2, .3 nat - 10.3.0.1 far - 192.168.2.2 farlan
import { assert, assertEquals } from "@std/assert";
import { Daemon, startEngine } from "../netns/isakmpd_hosts.ts";
import { topology, type TopologySpec, waitFor } from "../netns/topology.ts";
import { Charon } from "./charon.ts";

const NET: TopologySpec = {
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

const OURS = `[General]
Listen-on=10.1.0.1
[Phase 1]
Default=warriors
[Phase 2]
Passive-connections=tunnel
[warriors]
Phase=1
Configuration=main
Authentication=mekmitasdigoat
[tunnel]
Phase=2
ISAKMP-peer=warriors
Configuration=quick
Local-ID=here
Remote-ID=there
[here]
ID-type=IPV4_ADDR_SUBNET
Network=192.168.1.0
Netmask=255.255.255.0
[there]
ID-type=IPV4_ADDR_SUBNET
Network=192.168.2.0
Netmask=255.255.255.0
[main]
EXCHANGE_TYPE=ID_PROT
Transforms=AES-128-SHA2-256-GRP14
[quick]
EXCHANGE_TYPE=QUICK_MODE
Suites=QM-ESP-AESGCM-128-SUITE
`;

const THEIRS = `connections { gw { version = 1
  local_addrs = 10.3.0.1
  remote_addrs = 10.1.0.1
  proposals = aes128-sha256-modp2048
  local { auth = psk }
  remote { auth = psk }
  children { tunnel {
    local_ts = 192.168.2.0/24
    remote_ts = 192.168.1.0/24
    esp_proposals = aes128gcm16 } } } }
secrets { ike-1 { secret = "mekmitasdigoat" } }
`;

/** Sends the last ESP datagram of a capture once more, from another address and port. */
const REPLAY = `import sys
from scapy.all import IP, UDP, PcapReader, send
esp = [p for p in PcapReader(sys.argv[1]) if UDP in p and p[IP].src == "10.1.0.3" and bytes(p[UDP].payload)[:4] != bytes(4)][-1]
send(IP(src="10.1.0.66", dst="10.1.0.1") / UDP(sport=6666, dport=4500) / bytes(esp[UDP].payload), verbose=False)
`;

Deno.test("a peer whose NAT changes its address is followed by its ESP, not by a replay of it", async () => {
  await using net = await topology("moving", NET);
  const [gw, nat, farlan, lan] = ["gw", "nat", "farlan", "lan"].map((name) => net.host(name));
  await nat.exec(
    "nft add table ip t && nft add chain ip t post '{ type nat hook postrouting priority 100; }' && " +
      "nft add rule ip t post oifname out udp dport '{ 500, 4500 }' masquerade to :20000-30000 random",
  );
  const engine = await startEngine(gw);
  const ours = await Daemon.start(gw, OURS);
  const charon = await Charon.start(net.host("far"), THEIRS);
  const initiated = await charon.initiate("tunnel");
  assertEquals(initiated.code, 0, `${initiated.stdout}${ours.output()}`);
  await ours.up();
  const before = await farlan.ping("192.168.1.2", { count: 2 });
  assertEquals(before.received, 2, before.output);

  // With the address the NAT forgets what it has translated to it.
  await nat.exec("ip addr del 10.1.0.2/24 dev out && ip addr add 10.1.0.3/24 dev out");
  const start = performance.now();
  const wire = await gw.capture("wan", "udp port 4500");
  await waitFor(
    async () => (await farlan.ping("192.168.1.2", { count: 1 })).received === 1,
    "answers from where the peer is now",
    10_000,
  ).catch((error) => {
    throw new Error(`${error.message}\n${engine.output()}\n${ours.output()}\n${charon.log().slice(-3000)}`);
  });
  const seconds = (performance.now() - start) / 1000;
  assert(seconds < 5, `after ${seconds.toFixed(1)} s`);
  const { received, output } = await lan.ping("192.168.2.2", { count: 3 });
  assertEquals(received, 3, output);

  await wire.stop();
  const told = engine.output().match(/now sends from/g)!.length;
  await nat.exec(["/usr/bin/python3", "-c", REPLAY, wire.file]);
  const after = await lan.ping("192.168.2.2", { count: 3 });
  assertEquals(after.received, 3, after.output);
  assertEquals(engine.output().match(/now sends from/g)!.length, told, engine.output());
  await ours.stop();
  await charon.stop();
});
