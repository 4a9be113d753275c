import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { parsePrefix } from "../../lib/ip/address.ts";
import { DEFAULT_MARK } from "../../lib/linux/sockets.ts";
import { removeTable, runNft } from "../../lib/linux/nft.ts";
import { NftElements } from "../../lib/linux/nft_elements.ts";
import { type FilteredFlow, PolicyFilter } from "../../lib/linux/policy_filter.ts";
import { mapName, VerdictMap } from "../../lib/linux/verdict_map.ts";
import { Netlink } from "../../lib/linux/netlink.ts";
import { listAddresses } from "../../lib/linux/rtnetlink.ts";
import { inside } from "./inside.ts";
import { type Host, topology, twoGateways, twoHosts } from "./topology.ts";

type Rest = [transport?: number, sourcePort?: number, destinationPort?: number];

function flow(
  source: string,
  destination: string,
  type: FilteredFlow["type"],
  [transport = 0, sourcePort = 0, destinationPort = 0]: Rest = [],
  direction: "in" | "out" = "in",
): FilteredFlow {
  const ends = { source: parsePrefix(source), destination: parsePrefix(destination) };
  return { selector: { ...ends, transport, sourcePort, destinationPort, direction }, type };
}

function listAddressesHere() {
  using netlink = new Netlink();
  return listAddresses(netlink);
}

const newFilter = () => new PolicyFilter({ interfaceName: "enc0", mark: DEFAULT_MARK });

const ruleset = async (host: Host) => (await host.exec(["nft", "list", "ruleset"])).stdout;
/** Whether an echo goes there and back. */
const answers = async (host: Host, to: string) => (await host.ping(to, { waitSeconds: 0.3 })).received === 1;

Deno.test("cleartext of flows that demand protection is dropped, by the most specific flow, and counted", async () => {
  using net = await topology("nft", twoGateways({ clearRoutes: true }));
  const [west, westlan, east1, east2] = ["west", "westlan", "east1", "east2"].map((name) => net.host(name));
  const both = async () => [await answers(westlan, "208.1.2.10"), await answers(westlan, "208.1.5.10")];
  const filter = inside(west, newFilter);
  const update = (add: FilteredFlow[], remove: FilteredFlow[] = []) =>
    inside(west, () => filter.update({ add, remove }));
  assertEquals(update([flow("208.1.2.0/24", "192.168.99.0/24", "use")]), []);
  assertEquals(await ruleset(west), "");

  const wide = flow("208.1.0.0/16", "192.168.99.0/24", "require");
  assertEquals(update([wide]), []);
  assertEquals(await both(), [true, false]);
  assertEquals(inside(west, () => filter.dropped()), 1);

  update([flow("208.1.2.0/24", "192.168.99.0/24", "deny"), flow("208.1.5.10", "192.168.99.0/24", "bypass")]);
  assertEquals(await both(), [false, true]);
  // The other direction is not concerned: what comes back to the east is dropped at west no more than before.
  assertEquals(await answers(east2, "192.168.99.10"), true);

  update([], [flow("208.1.2.0/24", "192.168.99.0/24", "deny")]);
  assertEquals(await both(), [false, true]);
  update([flow("208.1.2.0/24", "192.168.99.0/24", "acquire")]);
  assertEquals(await both(), [true, true]);
  update([], [flow("208.1.2.0/24", "192.168.99.0/24", "acquire"), wide]);
  assertEquals([await both(), await ruleset(west)], [[true, true], ""]);

  // One protocol and port; everything of a family.
  const web = flow("208.1.2.0/24", "192.168.99.0/24", "require", [17, 0, 80]);
  update([web]);
  const received = westlan.spawn(["tcpdump", "-n", "-i", "eth0", "-c", "1", "-U", "-l", "udp dst port 81"]);
  await new Promise((resolve) => setTimeout(resolve, 300));
  const before = inside(west, () => filter.dropped());
  await east1.exec(`bash -c 'echo x >/dev/udp/192.168.99.10/80; echo x >/dev/udp/192.168.99.10/81'`);
  await new Promise((resolve) => setTimeout(resolve, 200));
  assertEquals([inside(west, () => filter.dropped()) - before, received.ended()], [1, true]);
  assertEquals(await both(), [true, true]);
  assertEquals(update([flow("::/0", "::/0", "require")], [web]), []);
  assertEquals([await answers(westlan, "fd02::10"), await answers(westlan, "208.1.2.10")], [false, true]);
  inside(west, () => filter.close());
  assertEquals(await ruleset(west), "");
});

Deno.test("protected packets, key management, fragments and neighbours pass; others to this host do not", async () => {
  using net = await topology("nftpass", {
    hosts: { a: {}, b: {} },
    links: [{ ends: [["a", "eth0", "10.0.0.1/24", "fd00::1/64"], ["b", "eth0", "10.0.0.2/24", "fd00::2/64"]] }],
  });
  const [a, b] = [net.host("a"), net.host("b")];
  using filter = inside(a, newFilter);
  assertEquals(
    inside(
      a,
      () => filter.update({ add: [flow("10.0.0.2", "10.0.0.1", "require"), flow("fd00::2", "fd00::1", "require")] }),
    ),
    [],
  );
  const send = (packets: string) =>
    b.exec(["/usr/bin/python3", "-c", `from scapy.all import *\nfor p in [${packets}]: send(p, verbose=0)`]);
  const v4 = `IP(dst="10.0.0.1")`, v6 = `IPv6(dst="fd00::1")`;
  await send(
    [
      `${v4}/ESP(spi=1)`,
      `${v4}/AH(spi=1)`,
      `${v4}/UDP(sport=9,dport=500)`,
      `${v4}/UDP(dport=4500)`,
      `${v4}/UDP(dport=468)`,
      `IP(dst="10.0.0.1",frag=100,proto=17)/Raw(b"x"*8)`,
      `${v6}/ESP(spi=1)`,
      `${v6}/AH(spi=1)/UDP(dport=7)`,
      `${v6}/IPv6ExtHdrDestOpt()/AH(spi=1)/UDP(dport=7)`,
      `${v6}/UDP(dport=500)`,
      `${v6}/IPv6ExtHdrFragment(offset=100,nh=17)/Raw(b"x"*8)`,
    ].join(),
  );
  assertEquals(inside(a, () => filter.dropped()), 0);
  await send(`${v4}/UDP(dport=7),${v4}/ICMP(),${v6}/UDP(dport=7),${v6}/TCP(dport=500),${v4}/IP(dst="10.0.0.1")`);
  assertEquals(inside(a, () => filter.dropped()), 5);
  // Neighbour discovery of the peer goes on.
  await b.exec("ip neigh flush all; ip -6 neigh flush all");
  await b.ping("fd00::1", { waitSeconds: 0.2 });
  assertMatch((await b.exec("ip -6 neigh show fd00::1")).stdout, /lladdr/);
});

Deno.test("a table that holds nothing is removed, other tables stay", async () => {
  using net = await topology("nftold", twoHosts());
  const west = net.host("west");
  await west.exec(["nft", "add table inet other; add table inet ipsecbox; add chain inet ipsecbox x"]);
  assertEquals(inside(west, newFilter).leftovers(), 0);
  assertEquals(await ruleset(west), "table inet other {\n}\n");
});

Deno.test("without nft one line says so, and the flows stay", async () => {
  using net = await topology("nonft", twoHosts());
  const west = net.host("west");
  await west.exec("mkdir /run/empty");
  const script = `
    import { PolicyFilter } from "${new URL("../../lib/linux/policy_filter.ts", import.meta.url)}";
    const filter = new PolicyFilter({ interfaceName: "enc0", mark: 1 });
    const { parsePrefix } = await import("${new URL("../../lib/ip/address.ts", import.meta.url)}");
    const selector = { source: parsePrefix("10.0.0.1"), destination: parsePrefix("10.0.0.2"), transport: 0, sourcePort: 0, destinationPort: 0, direction: "in" };
    console.log(filter.update({ add: [{ selector, type: "require" }] }).join("|"));
    console.log(filter.update({ add: [{ selector, type: "deny" }] }).join("|"));
    filter.close();`;
  const { stdout } = await west.exec(
    `mount --bind /run/empty /usr/sbin 2>/dev/null; mount --bind /run/empty /sbin 2>/dev/null; exec "$DENO" run -A --config "$CONFIG" -`,
    {
      input: script,
      env: {
        DENO: Deno.execPath(),
        CONFIG: new URL("../../deno.json", import.meta.url).pathname,
        PATH: "/run/empty:/usr/bin:/bin",
      },
    },
  );
  assertEquals(
    stdout,
    "-require cannot drop cleartext that should have been protected: install nftables; everything else works\n\n",
  );
});

Deno.test("10,000 flows load within 5 seconds, then 1,000 more at once", async () => {
  using net = await topology("nftmany", twoHosts());
  const west = net.host("west");
  using filter = inside(west, newFilter);
  const flows = Array.from(
    { length: 10_000 },
    (_, i) => flow(`10.${i >> 8}.${i & 255}.0/24`, "192.168.5.1", "require", i % 2 ? [6, 0, 80] : []),
  );
  const timed = (work: () => string[]) => {
    const start = performance.now();
    assertEquals(inside(west, work), []);
    return performance.now() - start;
  };
  const loadMs = timed(() => filter.update({ add: flows }));
  const more = Array.from({ length: 1000 }, (_, i) => flow(`11.${i >> 8}.${i & 255}.0/24`, "192.168.5.1", "deny"));
  const changeMs = timed(() => filter.update({ add: more }));
  const removeMs = timed(() => filter.update({ remove: flows }));
  console.log(
    `      loaded in ${loadMs.toFixed(0)} ms, 1,000 more in ${changeMs.toFixed(0)} ms, removed in ${
      removeMs.toFixed(0)
    } ms`,
  );
  assertEquals(loadMs < 5000, true, `${loadMs} ms`);
  assertStringIncludes(await ruleset(west), "11.0.0.0 . 192.168.5.1 : goto unprotected");
});

Deno.test("elements of maps of every shape change by netlink as nft would change them", async () => {
  using net = await topology("nftelem", twoHosts());
  const west = net.host("west");
  const shapes: [string, string, Rest][] = [
    ["10.1.0.0/16", "192.168.5.1", [6, 1024, 80]],
    ["10.1.0.0/16", "0.0.0.0/0", []],
    ["0.0.0.0/0", "0.0.0.0/0", [17]],
    ["0.0.0.0/0", "0.0.0.0/0", []],
    ["0.0.0.0/0", "10.1.2.3", [17, 0, 7]],
    ["fd00:1::/64", "fd00:2::1", [6, 0, 443]],
    ["::/0", "::/0", []],
  ];
  using elements = new NftElements();
  const list = async () => (await west.exec("nft -n list table inet ipsecbox")).stdout;
  for (const kind of ["in", "out", "own", "fragment"] as const) {
    for (const [source, destination, rest] of shapes) {
      const { selector } = flow(source, destination, "require", rest);
      const other = { ...selector, transport: selector.transport && 99, destination: parsePrefix("10.9.9.9") };
      const map = new VerdictMap(kind, selector);
      map.add(selector, "accept");
      const script = `add table inet ipsecbox\nadd chain inet ipsecbox chain_1\n${map.declaration()}\n`;
      assertEquals(inside(west, () => runNft(script)), undefined);
      map.settle(true);
      // One with another verdict, then one element less and one more, as far as the shape has others.
      const change = (work: () => void) => {
        work();
        const changes = map.elementChanges()!;
        assertEquals(inside(west, () => elements.apply(changes)), true, map.name);
        map.settle(true);
        return changes.map(({ verb }) => verb);
      };
      assertEquals(change(() => map.add(selector, "goto chain_1")), ["delete", "add"]);
      if (mapName(kind, other) === map.name) {
        assertEquals(change(() => map.add(other, "accept")), ["add"]);
        assertEquals(change(() => (map.remove(selector), map.remove(selector))), ["delete"]);
      }
      const changed = await list();
      assertEquals(
        inside(west, () => runNft(`delete table inet ipsecbox\n${script.replace(/add map.*/, map.declaration())}`)),
        undefined,
      );
      assertEquals(changed, await list());
      assertEquals(inside(west, removeTable), undefined);
    }
  }
  const missing = { verb: "add", map: "nowhere", elements: [{ key: new Uint8Array(4), verdict: "accept" }] } as const;
  assertEquals(inside(west, () => elements.apply([missing])), false);
});

Deno.test("cleartext that a flow covers does not go out, whatever route, source or device it takes", async () => {
  using net = await topology("nftout", twoGateways({ clearRoutes: true }));
  const [west, westlan, internet] = ["west", "westlan", "internet"].map((name) => net.host(name));
  using filter = inside(west, newFilter);
  const update = (add: FilteredFlow[], remove: FilteredFlow[] = []) =>
    inside(west, () => filter.update({ add, remove }));
  const [lan, far] = ["192.168.99.0/24", "208.1.2.0/24"];
  const held = () => inside(west, () => filter.held());
  assertEquals(update([flow(lan, far, "require", [], "out")]), []);
  assertEquals([await answers(westlan, "208.1.2.10"), await answers(westlan, "208.1.5.10")], [false, true]);
  // From the gateway itself without an address of its own choice: the one towards the Internet, which no flow is about.
  assertEquals(await answers(west, "208.1.2.10"), true);
  inside(west, () => filter.setAddresses(listAddressesHere()));
  assertEquals(await answers(west, "208.1.2.10"), false);
  assertEquals((await west.ping("208.1.2.10", { source: "eth0", waitSeconds: 0.3 })).received, 0);
  assertEquals(held(), 3);
  assertEquals((await west.exec("ping -c1 -W1 -m 112108 208.1.2.10")).code, 0, "the engine's own mark");

  update([flow(lan, "208.1.2.10", "bypass", [1], "out")]);
  assertEquals(await answers(westlan, "208.1.2.10"), true);
  update([flow(lan, "208.1.2.10", "deny", [1], "out")]);
  assertEquals(await answers(westlan, "208.1.2.10"), false);
  update([], [flow(lan, "208.1.2.10", "deny", [1], "out")]);

  // One port: fragments do not say theirs.
  update([flow(lan, "208.1.2.0/24", "require", [17, 0, 9], "out")], [flow(lan, far, "require", [], "out")]);
  const wire = await internet.capture("eth0", "udp or ip[6:2] & 0x1fff != 0");
  await westlan.exec(
    `bash -c 'for p in 9 10; do head -c 3000 /dev/zero >/dev/udp/208.1.2.10/$p; echo x >/dev/udp/208.1.2.10/$p; done'`,
  );
  const ports = (await wire.packets(2)).map(({ ip }) => ip[6] & 0x1f || ip[7] ? "fragment" : ip[22] << 8 | ip[23]);
  assertEquals(ports, [10, 10]);

  // Everything of IPv6 but neighbours and multicast.
  update([flow("::/0", "::/0", "require", [], "out")]);
  assertEquals(await answers(westlan, "fd02::10"), false);
  await west.exec("ip -6 neigh flush dev eth1");
  await westlan.exec("ip -6 neigh flush dev eth0");
  await answers(westlan, "fd99::1");
  assertMatch((await westlan.exec("ip -6 neigh show fd99::1")).stdout, /lladdr/);
  const before = held();
  await west.exec("ping -c1 -W1 ff02::1%eth0", { check: false });
  assertEquals(held(), before);
});

Deno.test("what a filter that was not closed held back stays held back until it is given again or flushed", async () => {
  using net = await topology("nftleft", twoGateways({ clearRoutes: true }));
  const [west, westlan] = [net.host("west"), net.host("westlan")];
  const flows = [
    flow("192.168.99.0/24", "208.1.2.0/24", "require", [], "out"),
    flow("192.168.99.0/24", "208.1.5.10", "deny", [1], "out"),
    flow("208.1.0.0/16", "192.168.99.0/24", "dontacq"),
    flow("192.168.99.0/24", "208.1.5.0/24", "bypass", [6, 0, 22], "out"),
    flow("::/0", "::/0", "require", [], "out"),
    flow("fd02::/64", "fd99::10", "require", [17, 53, 0]),
  ];
  inside(west, () => newFilter().update({ add: flows }));
  const rules = await ruleset(west);
  using filter = inside(west, newFilter);
  assertEquals([filter.leftovers(), await ruleset(west)], [6, rules]);
  const open = async () => [await answers(westlan, "208.1.2.10"), await answers(westlan, "fd02::10")];
  assertEquals(await open(), [false, false]);
  // Given again, but as something else.
  inside(west, () => filter.update({ add: [flows[0], { ...flows[2], type: "use" }] }));
  assertEquals([filter.leftovers(), await open()], [4, [false, false]]);
  inside(west, () => filter.update({ remove: [flows[0]] }));
  assertEquals([filter.leftovers(), await open()], [4, [true, false]]);
  inside(west, () => filter.replaceAll([flows[1]]));
  assertEquals([filter.leftovers(), await open()], [0, [true, true]]);
  // Someone flushed all tables: the next change makes ours again, whole.
  await west.exec("nft flush ruleset");
  inside(west, () => filter.update({ add: [flows[2]] }));
  assertMatch(await ruleset(west), /map out4_24_32_1_0_0[^]*map in4_16_24_0_0_0/);
  inside(west, () => filter.replaceAll([]));
  assertEquals(await ruleset(west), "");
});
