import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { parsePrefix } from "../../lib/ip/address.ts";
import { type FilteredFlow, InboundFilter } from "../../lib/linux/nft.ts";
import { inside } from "./inside.ts";
import { type Host, topology, twoGateways, twoHosts } from "./topology.ts";

function flow(source: string, destination: string, type: FilteredFlow["type"], rest: [number?, number?, number?] = []) {
  const [transport = 0, sourcePort = 0, destinationPort = 0] = rest;
  const selector = { source: parsePrefix(source), destination: parsePrefix(destination), transport, sourcePort };
  return { selector: { ...selector, destinationPort }, type };
}

const ruleset = async (host: Host) => (await host.exec(["nft", "list", "ruleset"])).stdout;
/** Whether an echo goes there and back. */
const answers = async (host: Host, to: string) => (await host.ping(to, { waitSeconds: 0.3 })).received === 1;

Deno.test("cleartext of flows that demand protection is dropped, by the most specific flow, and counted", async () => {
  using net = await topology("nft", twoGateways({ clearRoutes: true }));
  const [west, westlan, east1, east2] = ["west", "westlan", "east1", "east2"].map((name) => net.host(name));
  const both = async () => [await answers(westlan, "208.1.2.10"), await answers(westlan, "208.1.5.10")];
  const filter = inside(west, () => new InboundFilter({ interfaceName: "enc0" }));
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
  using filter = inside(a, () => new InboundFilter({ interfaceName: "enc0" }));
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

Deno.test("a crashed engine's table is removed, other tables stay", async () => {
  using net = await topology("nftold", twoHosts());
  const west = net.host("west");
  await west.exec(["nft", "add table inet other; add table inet ipsecbox; add chain inet ipsecbox x"]);
  inside(west, () => new InboundFilter({ interfaceName: "enc0" }));
  assertEquals(await ruleset(west), "table inet other {\n}\n");
});

Deno.test("without nft one line says so, and the flows stay", async () => {
  using net = await topology("nonft", twoHosts());
  const west = net.host("west");
  await west.exec("mkdir /run/empty");
  const script = `
    import { InboundFilter } from "${new URL("../../lib/linux/nft.ts", import.meta.url)}";
    const filter = new InboundFilter({ interfaceName: "enc0" });
    const { parsePrefix } = await import("${new URL("../../lib/ip/address.ts", import.meta.url)}");
    const selector = { source: parsePrefix("10.0.0.1"), destination: parsePrefix("10.0.0.2"), transport: 0, sourcePort: 0, destinationPort: 0 };
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

Deno.test("10,000 flows load within 5 seconds, then one changes at once", async () => {
  using net = await topology("nftmany", twoHosts());
  const west = net.host("west");
  using filter = inside(west, () => new InboundFilter({ interfaceName: "enc0" }));
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
  const changeMs = timed(() => filter.update({ add: [flow("11.0.0.0/24", "192.168.5.1", "deny")] }));
  const removeMs = timed(() => filter.update({ remove: flows }));
  console.log(
    `      loaded in ${loadMs.toFixed(0)} ms, one more in ${changeMs.toFixed(0)} ms, removed in ${
      removeMs.toFixed(0)
    } ms`,
  );
  assertEquals(loadMs < 5000, true, `${loadMs} ms`);
  assertStringIncludes(await ruleset(west), "11.0.0.0 . 192.168.5.1 : goto unprotected");
});
