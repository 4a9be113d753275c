import process from "node:process";
import { assertEquals, assertMatch } from "@std/assert";
import { formatPrefix, parseAddress, parsePrefix } from "../../lib/ip/address.ts";
import { clearLeftovers } from "../../lib/linux/routes.ts";
import { inside } from "./inside.ts";
import { startEngine, type TestFlow } from "./ipip_engine.ts";
import { type Host, topology, twoGateways, twoHosts, waitFor } from "./topology.ts";

function flow(source: string, destination: string, peer: string, transport = 0): TestFlow {
  const [from, to] = [parsePrefix(source), parsePrefix(destination)];
  return {
    selector: { source: from, destination: to, transport, sourcePort: 0, destinationPort: 0 },
    peer: parseAddress(peer),
  };
}

/** Everything of the kind that an engine makes: rules, routes in all tables, filters. */
async function state(host: Host): Promise<string> {
  const { stdout } = await host.exec(
    "ip rule; ip -6 rule; ip route show table all; ip -6 route show table all; ip -br link; grep . /proc/sys/net/ipv4/conf/*/rp_filter",
  );
  return stdout;
}

Deno.test("host to host: the peer itself is the flow's destination, with strict filters everywhere", async () => {
  using net = await topology("h2h", twoHosts({ rpFilter: 1 }));
  const [west, east, router] = ["west", "east", "router"].map((name) => net.host(name));
  const before = [await state(west), await state(east)];
  {
    await using w = startEngine(west, parseAddress("192.168.5.1"));
    await using e = startEngine(east, parseAddress("192.168.25.9"));
    assertEquals(w.update([flow("192.168.5.1", "192.168.25.9", "192.168.25.9")]), []);
    assertEquals(e.update([flow("192.168.25.9", "192.168.5.1", "192.168.5.1")]), []);
    assertEquals(Deno.readTextFileSync(`${west.environment.IPSECBOX_RUN}/rp_filter.json`), '{"eth0":"1"}\n');
    const wire = await router.capture("eth0", "ip");
    assertEquals((await west.ping("192.168.25.9", { count: 3 })).received, 3);
    assertEquals((await east.ping("192.168.5.1")).received, 1);
    assertEquals((await wire.packets(6)).every(({ ip }) => ip[9] === 4), true);
    assertEquals(w.seen[0], "192.168.5.1 > 192.168.25.9");
    // What no flow is about stays out of enc0.
    w.seen.length = 0;
    assertEquals((await west.ping("192.168.5.254")).received, 1);
    assertEquals(w.seen, []);
    assertEquals([w.complaints, e.complaints], [[], []]);
  }
  assertEquals([await state(west), await state(east)], before);
});

Deno.test("gateways: forwarded packets, the gateways' own, and two networks behind one", async () => {
  using net = await topology("gateways", twoGateways({ rpFilter: 1 }));
  const [west, east, westlan, east1, east2] = ["west", "east", "westlan", "east1", "east2"].map((n) => net.host(n));
  const before = [await state(west), await state(east)];
  {
    await using w = startEngine(west, parseAddress("208.1.1.1"));
    await using e = startEngine(east, parseAddress("208.2.2.2"));
    const pairs = [["192.168.99.0/24", "208.1.2.0/24"], ["192.168.99.0/24", "208.1.5.0/24"], [
      "208.1.1.1",
      "208.2.2.2",
    ]];
    pairs.push(["fd99::/64", "fd02::/64"]);
    assertEquals(w.update(pairs.map(([a, b]) => flow(a, b, "208.2.2.2"))), []);
    assertEquals(e.update(pairs.map(([a, b]) => flow(b, a, "208.1.1.1"))), []);
    const pings: [Host, string][] = [
      [westlan, "208.1.2.10"],
      [westlan, "208.1.5.10"],
      [east1, "192.168.99.10"],
      [east2, "192.168.99.10"],
      [westlan, "fd02::10"],
      [east1, "fd99::10"],
      [west, "208.2.2.2"],
    ];
    for (const [host, to] of pings) assertEquals([to, (await host.ping(to)).received], [to, 1]);
    // The gateway's own packets to the other network take the address that the flow is about.
    w.seen.length = 0;
    assertEquals((await west.ping("208.1.2.10")).received, 1);
    assertEquals((await west.ping("fd02::10")).received, 1);
    assertEquals(w.seen, ["192.168.99.1 > 208.1.2.10", "fd99::1 > fd02::10"]);
    // A path through enc0 has enc0's MTU, and a larger packet that must not be fragmented is answered with that.
    assertMatch((await westlan.ping("208.1.2.10", { size: 1400, dontFragment: true })).output, /mtu.?=.?1400/i);
    assertEquals([w.complaints, e.complaints], [[], []]);
  }
  assertEquals([await state(west), await state(east)], before);
});

Deno.test("a default-route flow takes everything but multicast, broadcast and what carries the mark", async () => {
  using net = await topology("default", twoGateways({ rpFilter: 1 }));
  const [west, east, westlan] = ["west", "east", "westlan"].map((name) => net.host(name));
  await using w = startEngine(west, parseAddress("208.1.1.1"));
  await using e = startEngine(east, parseAddress("208.2.2.2"));
  w.update([flow("192.168.99.0/24", "0.0.0.0/0", "208.2.2.2"), flow("208.1.1.1", "0.0.0.0/0", "208.2.2.2")]);
  e.update([flow("0.0.0.0/0", "192.168.99.0/24", "208.1.1.1"), flow("0.0.0.0/0", "208.1.1.1", "208.1.1.1")]);
  assertEquals((await westlan.ping("208.1.5.10")).received, 1);
  assertEquals((await west.ping("208.1.2.10")).received, 1);
  assertEquals(w.seen.at(-1), "208.1.1.1 > 208.1.2.10");
  assertEquals((await west.ping("208.2.2.2")).received, 1);
  w.seen.length = 0;
  await west.exec("ping -c1 -W1 -I eth0 224.0.0.1; ping -b -c1 -W1 255.255.255.255; ping -b -c1 -W1 208.1.1.255", {
    check: false,
  });
  assertEquals(w.seen, []);
});

Deno.test("routes follow addresses that go and come back, and the interface that was down", async () => {
  using net = await topology("addresses", twoHosts());
  const [west, east] = [net.host("west"), net.host("east")];
  await west.exec("ip addr add 10.1.1.1/32 dev lo; ip addr add fd01::1/128 dev lo");
  await using w = startEngine(west, parseAddress("192.168.5.1"));
  await using e = startEngine(east, parseAddress("192.168.25.9"));
  w.update([flow("10.1.0.0/16", "192.168.25.9", "192.168.25.9"), flow("fd01::/64", "fd00:25::9", "192.168.25.9")]);
  e.update([flow("192.168.25.9", "10.1.0.0/16", "192.168.5.1"), flow("fd00:25::9", "fd01::/64", "192.168.5.1")]);
  const goesThrough = async (to: string) => {
    w.seen.length = 0;
    const { received } = await west.ping(to);
    return received === 1 ? w.seen.join() : "no answer";
  };
  assertEquals(await goesThrough("192.168.25.9"), "10.1.1.1 > 192.168.25.9");
  assertEquals(await goesThrough("fd00:25::9"), "fd01::1 > fd00:25::9");

  await west.exec("ip addr del 10.1.1.1/32 dev lo; ip addr del fd01::1/128 dev lo");
  await waitFor(async () => await goesThrough("192.168.25.9") === "", "the flow's address to be forgotten");
  assertEquals(await goesThrough("fd00:25::9"), "");

  await west.exec("ip addr add 10.1.1.1/32 dev lo; ip addr add fd01::1/128 dev lo");
  await waitFor(async () => await goesThrough("192.168.25.9") === "10.1.1.1 > 192.168.25.9", "the address again");
  await waitFor(async () => await goesThrough("fd00:25::9") === "fd01::1 > fd00:25::9", "the IPv6 address again");

  await west.exec("ip addr del 10.1.1.1/32 dev lo; ip addr add 10.1.1.1/32 dev lo");
  await waitFor(async () => await goesThrough("192.168.25.9") === "10.1.1.1 > 192.168.25.9", "the address replaced");

  await west.exec("ip link set enc0 down; ip link set enc0 up");
  await waitFor(async () => await goesThrough("192.168.25.9") === "10.1.1.1 > 192.168.25.9", "the interface again");
  await waitFor(async () => await goesThrough("fd00:25::9") === "fd01::1 > fd00:25::9", "the interface again");
  assertEquals([w.complaints, e.complaints], [[], []]);
});

Deno.test("flows of one protocol leave other protocols alone", async () => {
  using net = await topology("proto", twoGateways());
  const [west, westlan] = [net.host("west"), net.host("westlan")];
  await using w = startEngine(west, parseAddress("208.1.1.1"));
  w.update([flow("192.168.99.0/24", "208.1.2.0/24", "208.2.2.2", 17)]);
  assertEquals(w.update([flow("192.168.99.0/24", "fd02::/64", "208.2.2.2")]), [
    "Cannot route from 192.168.99.0/24 to fd02::/64: two IP versions",
  ]);
  await westlan.ping("208.1.2.10", { waitSeconds: 0.2 });
  assertEquals(w.seen, []);
  await westlan.exec(`bash -c 'echo x >/dev/udp/208.1.2.10/9'`);
  await west.exec(`bash -c 'echo x >/dev/udp/208.1.2.10/9'`);
  await waitFor(() => w.seen.length === 2, "the datagrams");
  assertEquals(w.seen, ["192.168.99.10 > 208.1.2.10", "192.168.99.1 > 208.1.2.10"]);
});

Deno.test("what a crashed engine left is removed, and nothing of others", async () => {
  using net = await topology("crash", twoHosts({ rpFilter: 1 }));
  const west = net.host("west");
  await west.exec(
    "ip rule add from 10.0.0.0/8 lookup 450001 priority 4001; ip route add 10.0.0.0/8 via 192.168.5.254 table 450001; " +
      "ip rule add from 10.0.0.0/8 lookup 77 priority 5000 protocol 50",
  );
  const before = await state(west);
  const w = startEngine(west, parseAddress("192.168.5.1"));
  w.update([flow("192.168.5.1", "192.168.25.9", "192.168.25.9"), flow("fd00:5::1", "::/0", "192.168.25.9")]);
  await w.crash();
  const left = inside(west, () => clearLeftovers(west.environment.IPSECBOX_RUN));
  // Per family: the mark's rule, the end, forwarded, local. Routes into enc0 went with it; those that take multicast
  // and neighbours out of ::/0 stayed.
  assertEquals(left, { rules: 8, routes: 4 });
  assertEquals(await state(west), before);
  assertEquals(inside(west, () => clearLeftovers(west.environment.IPSECBOX_RUN)), { rules: 0, routes: 0 });
});

Deno.test("10,000 flows load within 2 seconds of processor time, from one source or from 10,000, and go again", async () => {
  using net = await topology("many", twoHosts());
  const west = net.host("west");
  await using w = startEngine(west, parseAddress("192.168.5.1"));
  const name = (i: number) => `${i >> 8}.${i & 255}`;
  const sets = {
    "one source": Array.from({ length: 10_000 }, (_, i) => flow("192.168.5.1", `10.${name(i)}.0/24`, "192.168.25.9")),
    "many sources": Array.from(
      { length: 10_000 },
      (_, i) => flow(`10.${name(i)}.0/24`, "192.168.25.9", "192.168.25.9"),
    ),
    "IPv6": Array.from(
      { length: 10_000 },
      (_, i) => flow("fd00:5::/64", `fd01:${i.toString(16)}::/32`.replace("/32", "/64"), "192.168.25.9"),
    ),
  };
  // Not by the clock: other programs on the machine must not decide.
  const processorMs = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  };
  const clean = await state(west);
  for (const [what, flows] of Object.entries(sets)) {
    let start = processorMs();
    assertEquals(w.update(flows), []);
    const addMs = processorMs() - start;
    const rules = (await west.exec(`ip rule; ip -6 rule`)).stdout.split("\n").length;
    assertEquals(rules < 20, true, `${rules} rules`);
    start = processorMs();
    assertEquals(w.update([], flows), []);
    const removeMs = processorMs() - start;
    console.log(`      ${what}: ${addMs.toFixed(0)} ms, removed in ${removeMs.toFixed(0)} ms`);
    assertEquals(addMs < 2000, true, `${what}: ${addMs} ms`);
    assertEquals(await state(west), clean, formatPrefix(flows[0].selector.source));
  }
});
