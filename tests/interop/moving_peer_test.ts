// A peer behind a NAT that gives it another public address while its SAs are up.
//   lan 192.168.1.2 - gw 10.1.0.1 ==== 10.1.0.2, .3 nat - 10.3.0.1 far - 192.168.2.2 farlan
import { assert, assertEquals } from "@std/assert";
import { Daemon, startEngine } from "../netns/isakmpd_hosts.ts";
import { topology, waitFor } from "../netns/topology.ts";
import { Charon } from "./charon.ts";
import { AES, masquerade, NAT, roadWarrior } from "./charon_scenario.ts";

const { ours: OURS, theirs: THEIRS } = roadWarrior({ ...AES, esp: ["aes128gcm16", "QM-ESP-AESGCM-128-SUITE"] });

/** Sends the last ESP datagram of a capture once more, from another address and port. */
const REPLAY = `import sys
from scapy.all import IP, UDP, PcapReader, send
esp = [p for p in PcapReader(sys.argv[1]) if UDP in p and p[IP].src == "10.1.0.3" and bytes(p[UDP].payload)[:4] != bytes(4)][-1]
send(IP(src="10.1.0.66", dst="10.1.0.1") / UDP(sport=6666, dport=4500) / bytes(esp[UDP].payload), verbose=False)
`;

Deno.test("a peer whose NAT changes its address is followed by its ESP, not by a replay of it", async () => {
  await using net = await topology("moving", NAT);
  const [gw, nat, farlan, lan] = ["gw", "nat", "farlan", "lan"].map((name) => net.host(name));
  await masquerade(nat);
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
