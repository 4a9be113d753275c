import { assertEquals, assertMatch } from "@std/assert";
import { ipsecadmAll, startEngine } from "./engine.ts";
import { twoHosts } from "./shapes.ts";
import { topology } from "./topology.ts";

const WEST = "192.168.5.1";
const EAST = "192.168.25.9";

Deno.test("an ip4 SA at each sender is enough: the receiver needs no counterpart, but its policy holds", async () => {
  await using net = await topology("ip4", twoHosts());
  const [west, east, router] = ["west", "east", "router"].map((name) => net.host(name));
  await Promise.all([startEngine(west), startEngine(east)]);
  await west.exec("ip addr add 10.5.0.1/32 dev lo");
  await east.exec("ip addr add 10.25.0.9/32 dev lo");
  const ends = [[west, WEST, "10.5.0.1", EAST, "10.25.0.9", "3000"], [
    east,
    EAST,
    "10.25.0.9",
    WEST,
    "10.5.0.1",
    "3001",
  ]] as const;
  for (const [host, me, inner, peer, peerInner, spi] of ends) {
    await ipsecadmAll(host, [
      `ip4 -src ${me} -dst ${peer} -spi ${spi}`,
      `flow -proto ip4 -src ${me} -dst ${peer} -addr ${inner}/32 ${peerInner}/32 -out -require`,
    ]);
  }
  const wire = await router.capture("eth0", "ip proto 4");
  const { received, output } = await west.ping("10.25.0.9", { count: 3, source: "10.5.0.1" });
  assertEquals(received, 3, output);
  assertEquals((await wire.packets(6)).length, 6);
  await east.exec("ip addr add 10.26.0.9/32 dev lo");
  await ipsecadmAll(west, [
    `flow -proto ip4 -src ${WEST} -dst ${EAST} -addr 10.5.0.1/32 10.26.0.9/32 -out -require`,
  ]);
  assertEquals(
    (await west.ping("10.26.0.9", { count: 2, source: "10.5.0.1" })).received,
    0,
    "no flow of east's for it",
  );
  assertMatch((await east.ipsecbox(["netstat", "-s"])).stdout, /2 packets that the policy does not allow/);
});
