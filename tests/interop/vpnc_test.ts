// vpnc, a client for Cisco's concentrators with a datapath of its own, against isakmpd as its server.
//   lan 192.168.1.2 - gw 10.1.0.1 ==== 10.1.0.9 cafe (NAT) - 10.0.0.7 alice
//                                  \=== 10.2.0.7 bob
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Daemon, shown, startEngine } from "../netns/isakmpd_hosts.ts";
import { type Background, type Host, topology, type TopologySpec, waitFor } from "../netns/topology.ts";

const NET: TopologySpec = {
  hosts: {
    lan: { routes: ["default via 192.168.1.1"] },
    gw: { forwarding: true },
    cafe: { forwarding: true },
    alice: { routes: ["default via 10.0.0.1"] },
    bob: { routes: ["default via 10.2.0.1"] },
  },
  links: [
    { ends: [["lan", "eth0", "192.168.1.2/24"], ["gw", "lan", "192.168.1.1/24"]] },
    { ends: [["gw", "wan", "10.1.0.1/24"], ["cafe", "wan", "10.1.0.9/24"]] },
    { ends: [["gw", "wan2", "10.2.0.1/24"], ["bob", "eth0", "10.2.0.7/24"]] },
    { ends: [["cafe", "lan", "10.0.0.1/24"], ["alice", "eth0", "10.0.0.7/24"]] },
  ],
};

const conf = new URL("../../examples/vpnc-roadwarrior/gateway.conf", import.meta.url);
/** The example's file with the addresses of this network, and phase 2 renewed every few seconds. */
const gatewayConf = () =>
  Deno.readTextFileSync(conf).replaceAll("203.0.113.1", "10.1.0.1, 10.2.0.1").replace(
    /^Default-phase-2-lifetime=.*/m,
    "Default-phase-2-lifetime=3,2:3",
  );

const VPNC_CONF = new URL("../../examples/vpnc-roadwarrior/vpnc.conf", import.meta.url);
const SCRIPT = new URL("../../examples/vpnc-roadwarrior/vpnc-script", import.meta.url).pathname;

/** Starts vpnc with the example's file; `lines` come first, and of a word given twice the first counts. */
function call(host: Host, lines: string): Background {
  const path = `${host.folder}/vpnc.conf`;
  const text = Deno.readTextFileSync(VPNC_CONF).replace("203.0.113.1", host.name === "bob" ? "10.2.0.1" : "10.1.0.1");
  Deno.writeTextFileSync(path, `${lines}\nNo Detach\nDebug 1\nScript ${SCRIPT}\n${text}`, { mode: 0o600 });
  return host.spawn(["vpnc", "--pid-file", `${host.folder}/vpnc.pid`, path]);
}

const connected = (vpnc: Background) =>
  waitFor(
    () => {
      if (vpnc.ended()) throw new Error(`vpnc ended: ${vpnc.output().slice(-2000)}`);
      return /^connected /m.test(vpnc.output());
    },
    "vpnc to be connected",
    15_000,
  );

Deno.test("vpnc: two users of one group, through a NAT and without one, renewed under traffic, each gone alone", async () => {
  await using net = await topology("vpnc", NET);
  const [gw, alice, bob] = ["gw", "alice", "bob"].map((name) => net.host(name));
  await net.host("cafe").exec(
    "nft add table ip t && nft add chain ip t post '{ type nat hook postrouting priority 100; }' && " +
      "nft add rule ip t post oifname wan masquerade",
  );
  await startEngine(gw);
  const ours = await Daemon.start(gw, gatewayConf());
  const refused = call(alice, "Xauth password something else");
  await ours.says(/XAUTH user "alice" refused/);
  await waitFor(refused.ended, "vpnc to give up", 15_000);

  const hers = call(alice, "");
  await connected(hers);
  const his = call(bob, "Xauth username bob\nXauth password quite another\nNAT Traversal Mode none");
  await connected(his);
  assertMatch(hers.output(), /^connected 10\.99\.0\.7 dns 192\.168\.1\.53 domain office\.example\.org/m);
  assertMatch(hers.output(), /^split 192\.168\.1\.0\/24/m);
  assertMatch(his.output(), /^connected 10\.99\.0\.8/m);
  // vpnc's script runs before its Quick Mode.
  await ours.up(2);
  const sas = await shown(gw);
  assertMatch(sas, /from 10\.1\.0\.9 to 10\.1\.0\.1 tunnel[^]*from 10\.2\.0\.7 to 10\.2\.0\.1 tunnel/);

  const pings = [alice, bob].map((host) => host.spawn(["ping", "-n", "-O", "-i", "0.05", "-c", "120", "192.168.1.2"]));
  for (const to of ["10.99.0.7", "10.99.0.8"]) {
    const { received, output } = await net.host("lan").ping(to, { count: 3 });
    assertEquals(received, 3, output);
  }
  await waitFor(() => pings.every((ping) => ping.ended()), "the pings to end", 15_000);
  for (const ping of pings) {
    // vpnc has one SA: what is under way when it takes the next one may be lost.
    const received = Number(/(\d+) received/.exec(ping.output())![1]);
    assert(received >= 116, ping.output());
  }
  const renewed = ours.output().match(/Established phase 2/g)!.length;
  assert(renewed >= 5, `${renewed} times phase 2`);

  await his.stop();
  await ours.says(/Ended phase 1 .*10\.2\.0\.7.*deleted by the peer/);
  // vpnc deletes the pair that it has; one that was about to be replaced ends by itself.
  await ours.says(/Ended phase 2 .*10\.2\.0\.7/);
  const { received, output } = await alice.ping("192.168.1.2", { count: 3 });
  assertEquals(received, 3, `alice after bob has left: ${output}`);
  await hers.stop();
  await ours.says(/Ended phase 1 .*10\.1\.0\.9.*deleted by the peer/);
  await ours.stop();
});
