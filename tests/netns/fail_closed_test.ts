// Nothing that a demanding flow covers is ever sent in clear: the networks between know the way in clear, a sniffer
// watches it, and packets go every 5 ms.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { ipsecadm, ipsecadmAll, key, protect, startEngine } from "./engine.ts";
import { twoGateways } from "./shapes.ts";
import { type Host, topology, waitFor } from "./topology.ts";

const GCM = `new esp -forcetunnel -enc aes-gcm -key ${key(20)}`;
const PAIRS = [["192.168.99.0/24", "208.1.2.0/24"], ["fd99::/64", "fd02::/64"]] as const;
const TARGETS = ["208.1.2.10", "fd02::10"];
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function gateways(name: string) {
  const net = await topology(name, twoGateways({ clearRoutes: true }));
  const [west, east, westlan, internet] = ["west", "east", "westlan", "internet"].map((each) => net.host(each));
  const engine = await startEngine(west, "--port", "0");
  await startEngine(east, "--port", "0");
  const ends = [{ host: west, address: "208.1.1.1" }, { host: east, address: "208.2.2.2" }] as const;
  await protect(ends, GCM, PAIRS);
  return { net, west, east, westlan, internet, engine };
}

/** What `protect` said to west. */
const WEST_LINES = [
  GCM.replace("new esp", "new esp -src 208.1.1.1 -dst 208.2.2.2 -spi 1000"),
  GCM.replace("new esp", "new esp -src 208.2.2.2 -dst 208.1.1.1 -spi 1001"),
  ...PAIRS.flatMap(([a, b]) => [
    `flow -proto esp -src 208.1.1.1 -dst 208.2.2.2 -addr ${a} ${b} -out -require`,
    `flow -proto esp -src 208.1.1.1 -dst 208.2.2.2 -addr ${b} ${a} -in -require`,
  ]),
];

/** Pings from behind and from the gateway, without a pause, until stopped. */
function pingAll(hosts: readonly Host[]): () => Promise<void> {
  const pings = hosts.flatMap((host) => TARGETS.map((to) => host.spawn(["ping", "-n", "-q", "-i", "0.005", to])));
  return async () => {
    await Promise.all(pings.map((ping) => ping.stop("SIGINT")));
  };
}

const allAnswer = async (host: Host) =>
  (await Promise.all(TARGETS.map((to) => host.ping(to, { waitSeconds: 0.3 })))).every(({ received }) => received === 1);

Deno.test("a killed engine, a restart, an interface taken down: not one packet goes out in clear", async () => {
  const { net, west, east, westlan, internet, engine } = await gateways("closed");
  await using _ = net;
  assert(await allAnswer(westlan));
  assert(await allAnswer(west));
  const wire = await internet.capture("eth0", "icmp or icmp6 and ip6[40] < 133");
  const stop = pingAll([westlan, west]);
  await pause(300);

  await engine.stop("SIGKILL");
  await pause(500);
  // What only looks, or fails to start, opens nothing.
  assertEquals((await west.ipsecbox(["enc", "-n"])).code, 0);
  assertEquals((await west.ipsecbox(["enc", "-i", "a-name-too-long-for-linux"], { check: false })).code, 1);
  const again = await startEngine(west);
  assertMatch(again.output(), /cleartext of 4 flows is held back until they are given again or flushed/);
  assertMatch((await west.ipsecbox(["enc", "--open"], { check: false })).stderr, /runs already as process/);
  await pause(300);
  await ipsecadmAll(west, WEST_LINES);
  await waitFor(() => allAnswer(westlan), "the tunnel to work again");
  await waitFor(() => allAnswer(west), "the tunnel to work again");

  await west.exec("ip link set enc0 down");
  await pause(300);
  await west.exec("ip link set enc0 up");
  await waitFor(() => allAnswer(westlan), "the tunnel to work again");

  // An own address that goes takes its routes along.
  await west.exec("ip addr del 192.168.99.1/24 dev eth1");
  await pause(200);
  await west.exec("ip addr add 192.168.99.1/24 dev eth1");
  await waitFor(() => allAnswer(west), "the tunnel to work again");

  await again.stop("SIGKILL");
  await pause(200);
  await stop();
  assertEquals((await wire.packets()).length, 0, "cleartext on the wire");

  // The administrator opens.
  const last = await startEngine(west);
  await ipsecadm(east, "flush");
  assertEquals(await allAnswer(westlan), false);
  await ipsecadm(west, "flush");
  assert(await allAnswer(westlan));
  assertEquals((await west.exec("nft list tables")).stdout, "");
  assertEquals(await last.stop(), 0);
});

Deno.test("SIGTERM opens; with --hold it does not, until --open does", async () => {
  const { net, west, east, westlan, engine } = await gateways("hold");
  await using _ = net;
  assertEquals(await engine.stop(), 0);
  await ipsecadm(east, "flush");
  assert(await allAnswer(westlan));
  const holding = await startEngine(west, "--hold");
  await ipsecadmAll(west, WEST_LINES);
  assertEquals(await holding.stop(), 0);
  const { stdout } = await west.exec("ip -o link; ip rule; ip route show table all; ls $IPSECBOX_RUN");
  assertEquals(/enc0|fwmark|proto 50|sock/.test(stdout), false, stdout);
  assertEquals(await allAnswer(westlan), false);
  await west.ipsecbox(["enc", "--open"]);
  assert(await allAnswer(westlan));
});
