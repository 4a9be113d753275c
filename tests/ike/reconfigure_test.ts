// SIGHUP with another file: what is gone ends on both sides, what changed follows, what is as before is not touched;
// whichever side reads again, and whichever had begun.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Connection, Peer } from "../../lib/ike/configuration.ts";
import { blocked, Gateway } from "../simulation/ike_node.ts";
import { Network } from "../simulation/network.ts";
import { configuration, connection, peer, secret, suite } from "./configurations.ts";
import { EAST, WEST } from "./gateways.ts";

type Overrides = Readonly<Record<string, Partial<Connection> | undefined>>;

/** A side's file: three connections; `overrides` changes one, or leaves it out where it is undefined. */
function file(side: "west" | "east", overrides: Overrides = {}, ofPeer: Partial<Peer> = {}) {
  const isWest = side === "west";
  const other = isWest ? peer("east", EAST, ofPeer) : peer("west", WEST, ofPeer);
  const connections = ["one", "two", "three"].flatMap((name, i) => {
    if (name in overrides && overrides[name] === undefined) return [];
    const [west, east] = [`10.1.${i}.0/24`, `10.2.${i}.0/24`];
    const ids = isWest ? { local: west, remote: east } : { local: east, remote: west };
    return [connection(name, other.name, ids, { active: isWest, ...overrides[name] })];
  });
  return configuration([other], connections);
}

/** Both, with all connections up. */
function up() {
  const network = new Network(1);
  const west = new Gateway(network, WEST, file("west"));
  const east = new Gateway(network, EAST, file("east"));
  for (const end of [east, west]) end.input((ike, now) => ike.start(now));
  network.run(1000);
  for (const name of ["one", "two", "three"]) assertEquals(blocked(west, east, name), undefined);
  return { network, west, east };
}

const spis = ({ kernel }: Gateway, name: string) => kernel.order.get(name)?.map(({ spi }) => spi) ?? [];

for (const side of ["west", "east"] as const) {
  const who = side === "west" ? "the initiator" : "the responder";

  Deno.test(`a connection that ${who}'s file has no more ends at both ends, and the others are not touched`, () => {
    const ends = up();
    const before = [spis(ends.west, "one"), spis(ends.east, "three")];
    ends[side].input((ike, now) => ike.reconfigure(now, file(side, { two: undefined }), true));
    ends.network.run(10_000);
    assertEquals([spis(ends.west, "two"), spis(ends.east, "two")], [[], []]);
    assertEquals([spis(ends.west, "one"), spis(ends.east, "three")], before);
    assertEquals(ends[side].texts("ended", 2).filter((text) => text.includes("no longer configured")).length, 1);
    assertEquals([ends.west, ends.east].map(({ ike }) => ike.phase1Status().length), [1, 1]);
    ends.network.run(200_000);
    assertEquals([spis(ends.west, "two"), spis(ends.east, "two")], [[], []], "and is not made again");
  });

  Deno.test(`an unchanged file, read again by ${who}, changes nothing`, () => {
    const ends = up();
    const before = ["one", "two", "three"].map((name) => [spis(ends.west, name), spis(ends.east, name)]);
    let messages = 0;
    ends.network.tap = () => void messages++;
    ends[side].input((ike, now) => ike.reconfigure(now, file(side), true));
    ends.network.run(100_000);
    assertEquals(["one", "two", "three"].map((name) => [spis(ends.west, name), spis(ends.east, name)]), before);
    assertEquals(messages, 0);
  });

  Deno.test(`a connection of ${who} with other networks ends, and comes up anew once both ends have them`, () => {
    const ends = up();
    const networks = (end: "west" | "east") => {
      const [west, east] = ["10.7.0.0/24", "10.8.0.0/24"];
      const ids = end === "west" ? { local: west, remote: east } : { local: east, remote: west };
      const { localId, remoteId } = connection("two", "", ids);
      return file(end, { two: { localId, remoteId } });
    };
    const other = side === "west" ? "east" : "west";
    const before = spis(ends.west, "two");
    ends[side].input((ike, now) => ike.reconfigure(now, networks(side), true));
    ends.network.run(1500);
    ends[other].input((ike, now) => ike.reconfigure(now, networks(other), true));
    ends.network.run(70_000);
    assertEquals(blocked(ends.west, ends.east, "two"), undefined);
    assert(!spis(ends.west, "two").some((spi) => before.includes(spi)));
    assertEquals(spis(ends.west, "two").length, 1);
    assertStringIncludes(ends.west.texts("established", 2).at(-1)!, "10.7.0.0/24 to 10.8.0.0/24");
  });

  Deno.test(`other suites of ${who} hold from the next negotiation on, which Renegotiate-on-HUP begins`, () => {
    const ends = up();
    const suites = [suite({ cipher: "AES_GCM_16", authentication: null })];
    const before = spis(ends.west, "two");
    for (const end of ["west", "east"] as const) {
      ends[end].input((ike, now) => ike.reconfigure(now, file(end, { two: { suites } }), true));
    }
    ends.network.run(5000);
    assertEquals(spis(ends.west, "two"), before, "SAs stay");
    ends[side].input((ike, now) => ike.renegotiate(now));
    ends.network.run(10_000);
    assertEquals(ends.west.kernel.current("two")!.encryption, "aes-gcm");
    assertEquals(ends.west.kernel.current("one")!.encryption, "aes");
    for (const name of ["one", "two", "three"]) {
      assertEquals([blocked(ends.west, ends.east, name), blocked(ends.east, ends.west, name)], [undefined, undefined]);
    }
  });

  Deno.test(`a peer that ${who}'s file has no more, or elsewhere, loses its phase 1 and all connections`, () => {
    for (
      const next of [
        configuration([], []),
        file(side, {}, { address: { family: 4, octets: new Uint8Array([192, 0, 2, 9]) } }),
      ]
    ) {
      const ends = up();
      ends[side].input((ike, now) => ike.reconfigure(now, next, true));
      ends.network.run(5000);
      const { kernel } = ends.west;
      assertEquals([kernel.inbound.size, kernel.outbound.size, ends.east.kernel.outbound.size], [0, 0, 0]);
      assertEquals(ends.east.ike.phase1Status().filter(({ state }) => state === "established"), []);
      assertEquals(ends.west.ike.phase1Status().filter(({ state }) => state === "established"), []);
    }
  });
}

Deno.test("another pre-shared key holds from the next phase 1 on, on both sides", () => {
  const { network, west, east } = up();
  const next = { secret: secret("another key") };
  west.input((ike, now) => ike.reconfigure(now, file("west", {}, next), true));
  east.input((ike, now) => ike.reconfigure(now, file("east", {}, next), true));
  network.run(3_700_000);
  assertEquals([...west.texts("failed"), ...east.texts("failed")], []);
  assertEquals(west.texts("established", 1).length, 2, "phase 1 was renegotiated with the new key");
  for (const name of ["one", "two", "three"]) assertEquals(blocked(west, east, name), undefined);
});

Deno.test("what was torn down by hand comes up again at SIGHUP, not at an edit through the FIFO", () => {
  const { network, west, east } = up();
  west.input((ike, now) => ike.teardown(now, "two"));
  west.input((ike, now) => ike.reconfigure(now, file("west")));
  network.run(130_000);
  assertEquals(spis(west, "two"), []);
  west.input((ike, now) => ike.reconfigure(now, file("west"), true));
  network.run(131_000);
  assertEquals(blocked(west, east, "two"), undefined);
});
