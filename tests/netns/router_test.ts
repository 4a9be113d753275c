// What happens around a tunnel on a router: networks that stay in clear, narrow paths, addresses and routes that come and go.
import { assert, assertEquals } from "@std/assert";
import { ipsecadmAll, key, protect, startEngine } from "./engine.ts";
import { type Host, topology, twoGateways, waitFor } from "./topology.ts";

const SA = `new esp -forcetunnel -enc aes-gcm -key ${key(20)}`;

/** Two gateways with strict reverse-path filters, everything from west's network through the tunnel, its own in clear. */
async function sites(name: string, pairs: readonly (readonly [string, string])[]) {
  const net = await topology(name, twoGateways({ rpFilter: 1 }));
  const [west, east, lan, far] = ["west", "east", "westlan", "east1"].map((host) => net.host(host));
  await Promise.all([startEngine(west), startEngine(east)]);
  await protect([{ host: west, address: "208.1.1.1" }, { host: east, address: "208.2.2.2" }], SA, pairs);
  return { net, west, east, lan, far };
}

const reaches = async (from: Host, to: string, options = {}) =>
  (await from.ping(to, { count: 2, waitSeconds: 2, ...options })).received;

Deno.test("everything through the tunnel, but bypass flows: the own network stays in clear, with its links' MTU", async () => {
  const { net, west, lan } = await sites("routeall", [["192.168.99.0/24", "0.0.0.0/0"]]);
  using _ = net;
  assertEquals(await reaches(lan, "208.1.2.10"), 2);
  assertEquals(await reaches(lan, "192.168.99.1", { waitSeconds: 0.3 }), 0, "as the policy says");
  await ipsecadmAll(west, ["out", "in"].map((way) => `flow -bypass -${way} -addr 192.168.99.0/24 192.168.99.0/24`));
  for (const [from, to] of [[lan, "192.168.99.1"], [west, "192.168.99.10"]] as const) {
    assertEquals(await reaches(from, to, { size: 1472, dontFragment: true }), 2, `${from.name} to ${to}`);
  }
  assertEquals(await reaches(lan, "208.1.2.10"), 2, "the rest goes on through the tunnel");
  assertEquals(await reaches(lan, "208.2.2.2"), 2, "to the other gateway, too, and its ESP does not loop");
});

Deno.test("a path of less than 1280 octets: its senders are told how much passes, and what may be cut is cut", async () => {
  const { net, lan } = await sites("routenarrow", [["192.168.99.0/24", "208.1.2.0/24"]]);
  using _ = net;
  assertEquals(await reaches(lan, "208.1.2.10", { size: 1372, dontFragment: true }), 2);
  await Promise.all([
    net.host("internet").exec("ip link set eth1 mtu 1200"),
    net.host("east").exec("ip link set eth0 mtu 1200"),
  ]);
  let told = "";
  await waitFor(async () => {
    const { output } = await lan.ping("208.1.2.10", { size: 1240, dontFragment: true, waitSeconds: 0.3 });
    told = /mtu ?= ?(\d+)/.exec(output)?.[1] ?? told;
    return Number(told) < 1200 && told !== "";
  }, "an ICMP error that names an MTU below 1200");
  assert(Number(told) > 1100, told);
  assertEquals(await reaches(lan, "208.1.2.10", { size: Number(told) - 28, dontFragment: true }), 2);
  assertEquals(await reaches(lan, "208.1.2.10", { size: 3000, dontFragment: false }), 2);
});

Deno.test("an address that goes, and comes back before its default route does, leaves no strict filter behind", async () => {
  const { net, west, lan } = await sites("routeback", [
    ["208.1.1.1/32", "208.2.2.2/32"],
    ["192.168.99.0/24", "208.1.2.0/24"],
  ]);
  using _ = net;
  assertEquals(await reaches(west, "208.2.2.2"), 2);
  const filter = async () => (await west.exec("cat /proc/sys/net/ipv4/conf/eth0/rp_filter")).stdout.trim();
  assertEquals(await filter(), "2");
  await west.exec("ip addr del 208.1.1.1/24 dev eth0");
  assertEquals(await reaches(lan, "208.1.2.10", { waitSeconds: 0.2 }), 0);
  await west.exec("ip addr add 208.1.1.1/24 dev eth0 && sleep 0.2 && ip route add default via 208.1.1.254");
  await waitFor(async () => await reaches(west, "208.2.2.2", { waitSeconds: 0.3 }) === 2, "the gateways to meet again");
  assertEquals(await reaches(lan, "208.1.2.10"), 2);
  assertEquals(await filter(), "2");
});
