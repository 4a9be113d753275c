import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { parseAddress } from "../../lib/ip/address.ts";
import { decodeHeader, encodeMessage, isEncrypted } from "../../lib/isakmp/message.ts";
import { DOI, EXCHANGE, FLAG, NOTIFY, PAYLOAD, PROTOCOL_ID } from "../../lib/isakmp/numbers.ts";
import { NOTIFY_LAYOUT } from "../../lib/isakmp/payloads.ts";
import type { Bytes } from "../../lib/octets/bytes.ts";
import { blocked, Gateway } from "../simulation/ike_node.ts";
import { Network } from "../simulation/network.ts";
import { configuration, connection, peer, selector, suite } from "./configurations.ts";
import { connected, EAST, type Ends, gateways, NAME, WEST } from "./gateways.ts";

const ends500 = (from: string, to: string) =>
  [{ address: parseAddress(from), port: 500 }, { address: parseAddress(to), port: 500 }] as const;

/** All messages that west sends from now on. */
function recordWest({ network }: Ends): Bytes[] {
  const sent: Bytes[] = [];
  network.tap = (_now, from, _to, octets) => {
    if (from.address.octets[3] === 1) sent.push(octets.slice());
  };
  return sent;
}

function lossy({ network }: Ends, loss: number) {
  network.conditions = { loss, duplication: 0, reordering: 0, reorderMs: 0, corruption: 0, delayMs: [5, 5] };
}

Deno.test("a teardown deletes the SAs of both sides and the connection stays down", () => {
  const { west, east, network } = connected();
  west.input((ike, now) => ike.teardown(now, NAME));
  network.run(200_000);
  assertEquals([west, east].map(({ kernel }) => kernel.inbound.size + kernel.outbound.size + kernel.flows.length), [
    0,
    0,
  ]);
  assertEquals(west.ike.isUp(NAME), false);
  assertEquals(west.ike.phase1Status().length, 1, "phase 1 is not bound to it");
  west.input((ike, now) => ike.connect(now, NAME));
  network.run(201_000);
  assertEquals(blocked(east, west, NAME), undefined);
});

Deno.test("an address names its peer in any spelling", () => {
  const WEST6 = "2001:db8::1", EAST6 = "2001:db8::2";
  const network = new Network(1);
  const ids = (local: string, remote: string) => ({ local, remote });
  const link = ids("fd00:1::/64", "fd00:2::/64");
  const west = new Gateway(network, WEST6, configuration([peer("east", EAST6)], [connection(NAME, "east", link)]));
  const mirrored = ids(link.remote, link.local);
  new Gateway(
    network,
    EAST6,
    configuration([peer("west", WEST6)], [connection(NAME, "west", mirrored, { active: false })]),
  );
  west.input((ike, now) => ike.start(now));
  network.run(1000);
  for (const name of [EAST6, "2001:0DB8:0::0:2", "2001:db8:0:0:0:0:0.0.0.2"]) {
    assertEquals(west.ike.connectionsNamed(name), [NAME], name);
  }
  assertEquals(west.ike.connectionsNamed("2001:db8::3"), []);
  assertEquals(west.ike.teardown(network.now, "2001:DB8:0:0::2").refused, undefined);
  assertEquals(west.ike.isUp(NAME), false);
  assertEquals(west.ike.teardownPhase1(network.now, "2001:DB8:0:0::2").refused, undefined);
  assertEquals(west.ike.phase1Status(), []);
});

Deno.test("c for a connection that is up negotiates it anew, though its peer be dead: what works stays until then", () => {
  const { west, east, network } = connected({ westConnection: { active: false } });
  const connect = () => {
    let renews = false;
    west.input((ike, now) => {
      const done = ike.connect(now, NAME);
      renews = done.renews;
      return done;
    });
    return renews;
  };
  assertEquals(connect(), false, "it is down");
  network.run(2000);
  for (let i = 0; i < 5; i++) {
    const { spi } = west.kernel.current(NAME)!;
    assertEquals(connect(), true);
    network.run(network.now + 10_000);
    assert(west.kernel.current(NAME)!.spi !== spi);
    assertEquals([west, east].map(({ ike }) => ike.pairStatus().length), [1, 1], "SAs do not pile up");
    assertEquals([blocked(west, east, NAME), blocked(east, west, NAME)], [undefined, undefined]);
  }

  network.remove(east);
  const before = west.kernel.current(NAME);
  connect();
  network.run(network.now + 30_000);
  assertEquals(west.kernel.current(NAME), before);
  const again = new Gateway(
    network,
    EAST,
    configuration([peer("west", WEST)], [
      connection(NAME, "west", { local: "10.2.0.0/16", remote: "10.1.0.0/16" }, { active: false }),
    ]),
  );
  network.run(network.now + 200_000);
  assertEquals(blocked(west, again, NAME), undefined);
});

Deno.test("an active connection deleted by the peer is made again by the watchdog", () => {
  const { west, east, network } = connected();
  east.input((ike, now) => ike.teardownPairs(now));
  network.run(2000);
  assertEquals(west.kernel.outbound.size, 0);
  network.run(62_000);
  assertEquals(blocked(west, east, NAME), undefined);
});

Deno.test("shutdown sends deletes for everything and forgets everything", () => {
  const { west, east, network } = connected();
  west.input((ike, now) => ike.shutdown(now));
  network.run(2000);
  assertEquals([east.ike.phase1Status().length, east.kernel.inbound.size, east.kernel.outbound.size], [0, 0, 0]);
  const { timers, ...sizes } = west.ike.sizes();
  assertEquals(Object.values(sizes).concat(timers).filter(Boolean), []);
});

Deno.test("phase 1 may go while phase 2 stays, and the next need makes a new one", () => {
  const { west, east, network } = connected();
  west.input((ike, now) => ike.teardownPhase1(now, "east"));
  network.run(2000);
  assertEquals([west, east].map(({ ike }) => ike.phase1Status().length), [0, 0]);
  assertEquals(blocked(west, east, NAME), undefined);
  west.input((ike, now) => ike.renegotiate(now));
  network.run(3000);
  assertEquals(west.ike.phase1Status().length, 1);
  assertEquals(west.ike.pairStatus().length, 2);
});

Deno.test("a restarted peer says INITIAL-CONTACT and the old SAs are forgotten", () => {
  const ends = connected();
  const { network, east } = ends;
  const old = [...east.kernel.outbound.keys()];
  network.remove(ends.west);
  network.run(30_000);
  const west = new Gateway(
    network,
    WEST,
    configuration([peer("east", EAST)], [
      connection(NAME, "east", { local: "10.1.0.0/16", remote: "10.2.0.0/16" }),
    ]),
  );
  west.input((ike, now) => ike.start(now));
  network.run(31_000);
  assertEquals(blocked(east, west, NAME), undefined);
  assertEquals(east.kernel.outbound.size, 1);
  assert(!east.kernel.outbound.has(old[0]));
});

Deno.test("a dead peer is noticed by DPD and everything with it is forgotten", () => {
  const { west, east, network } = connected({ peer: { dpdSeconds: 10 } });
  network.run(60_000);
  assertEquals(west.ike.phase1Status().length, 1, "as long as it answers nothing happens");
  network.remove(east);
  network.run(120_000);
  assertEquals([west.kernel.outbound.size, west.kernel.flows.length], [0, 0]);
  assert(west.texts("ended", 2).some((text) => text.includes("the peer does not answer (DPD)")));
  network.add(east);
  network.run(260_000);
  assertEquals(blocked(west, east, NAME), undefined, "and it comes back");
});

Deno.test("without DPD a peer that lost phase 1 is found out by the next Quick Mode", () => {
  const { west, east, network } = connected();
  east.input((ike, now) => ike.shutdown(now, true));
  network.run(2000);
  west.input((ike, now) => ike.renegotiate(now));
  network.run(100_000);
  assertEquals(blocked(west, east, NAME), undefined);
  assertEquals(west.ike.phase1Status().length, 1);
});

Deno.test("a replayed first message of Quick Mode is refused", () => {
  const ends = gateways();
  const sent = recordWest(ends);
  ends.west.input((ike, now) => ike.start(now));
  ends.network.run(1000);
  const quick = sent.find((octets) => decodeHeader(octets).header.exchange === EXCHANGE.QUICK_MODE)!;
  ends.network.run(100_000); // the exchange is forgotten, its message ID is not
  const before = ends.east.kernel.inbound.size;
  ends.network.send(...ends500(WEST, EAST), quick);
  ends.network.run(101_000);
  assertEquals(ends.east.kernel.inbound.size, before);
  assertEquals(ends.east.ike.counters.replay, 1);
});

Deno.test("replayed deletes and notifies are refused", () => {
  const ends = connected();
  const sent = recordWest(ends);
  ends.west.input((ike, now) => ike.teardown(now, NAME));
  ends.network.run(3000);
  ends.west.input((ike, now) => ike.connect(now, NAME));
  ends.network.run(4000);
  for (const octets of [...sent]) ends.network.send(...ends500(WEST, EAST), octets);
  ends.network.run(5000);
  assertEquals(blocked(ends.west, ends.east, NAME), undefined);
});

Deno.test("an error notify in clear only shortens the wait; the negotiation can still succeed", () => {
  const ends = gateways();
  const { west, east, network } = ends;
  lossy(ends, 1);
  west.input((ike, now) => ike.start(now));
  const { initiatorCookie } = west.ike.phase1Status()[0];
  const forged = encodeMessage({
    initiatorCookie,
    responderCookie: new Uint8Array(8),
    nextPayload: PAYLOAD.NOTIFY,
    exchange: EXCHANGE.INFO,
    flags: 0,
    messageId: 7,
  }, [{
    type: PAYLOAD.NOTIFY,
    body: NOTIFY_LAYOUT.encode({
      doi: DOI.IPSEC,
      protocol: PROTOCOL_ID.ISAKMP,
      type: NOTIFY.NO_PROPOSAL_CHOSEN,
      spi: new Uint8Array(0),
      data: new Uint8Array(0),
    }),
  }]);
  lossy(ends, 0);
  network.send(...ends500(EAST, WEST), forged);
  network.run(20_000);
  assertEquals(blocked(west, east, NAME), undefined);
});

Deno.test("deletes in clear are ignored", () => {
  const { west, east, network } = connected();
  const { initiatorCookie, responderCookie } = east.ike.phase1Status()[0];
  const header = { initiatorCookie, responderCookie, nextPayload: 0, exchange: EXCHANGE.INFO, flags: 0, messageId: 9 };
  const spi = [...east.kernel.outbound.values()][0].spi;
  const body = new Uint8Array([0, 0, 0, 1, 3, 4, 0, 1, spi >>> 24, spi >>> 16 & 255, spi >>> 8 & 255, spi & 255]);
  network.send(...ends500(WEST, EAST), encodeMessage(header, [{ type: PAYLOAD.DELETE, body }]));
  network.run(3000);
  assertEquals(blocked(east, west, NAME), undefined);
});

Deno.test("the commit bit is tolerated", () => {
  const ends = gateways();
  const deliver = ends.east.onDatagram.bind(ends.east);
  ends.east.onDatagram = (now, from, to, octets) => {
    if (isEncrypted(decodeHeader(octets).header)) octets[19] |= FLAG.COMMIT;
    deliver(now, from, to, octets);
  };
  ends.west.input((ike, now) => ike.start(now));
  ends.network.run(1000);
  assertEquals(blocked(ends.west, ends.east, NAME), undefined);
});

Deno.test("an ACQUIRE brings a connection up on demand, also one that only defaults describe", () => {
  const request = (local: string, remote: string) => ({
    local: selector(local),
    remote: selector(remote),
    peer: parseAddress(EAST),
  });
  const configured = gateways({ westConnection: { active: false } });
  configured.west.input((ike, now) => ike.acquire(now, request("10.1.5.6/32", "10.2.7.8/32")));
  configured.network.run(1000);
  assertEquals(blocked(configured.west, configured.east, NAME), undefined);

  const open = gateways({
    westConnection: { active: false },
    eastConnection: { localId: selector("10.2.0.0/16"), remoteId: undefined },
    westConfiguration: { defaultSuites: [suite()] },
  });
  open.west.input((ike, now) => ike.acquire(now, request("172.16.0.0/24", "10.2.9.0/24")));
  open.network.run(1000);
  assertStringIncludes(open.east.texts("established", 2)[0], "10.2.9.0/24 to 172.16.0.0/24");
  const nobody = open.west.ike.acquire(open.network.now, {
    ...request("10.0.0.0/8", "10.9.0.0/16"),
    peer: parseAddress("203.0.113.9"),
  });
  assertEquals(nobody.refused, "no peer is configured for 203.0.113.9, and there is no Default");
});

Deno.test("another configuration holds for what is negotiated next; removed connections are not made again", () => {
  const { west, east, network } = connected();
  const next = configuration([peer("east", EAST)], [
    connection("second", "east", { local: "10.5.0.0/16", remote: "10.6.0.0/16" }),
  ]);
  west.input((ike, now) => ike.reconfigure(now, next));
  network.run(1_300_000);
  assertEquals(west.ike.isUp(NAME), false);
  assertEquals(east.ike.isUp(NAME), false);
  assertEquals(west.ike.connect(network.now, NAME).refused, `no connection is called ${NAME}`);
});

Deno.test("messages that are captured for -l are in clear and well-formed", () => {
  const { west } = connected({ westEnvironment: { capture: { messages: true, secrets: true } } });
  assertEquals(west.captured.length, 9);
  for (const octets of west.captured) {
    const { header, body } = decodeHeader(octets);
    assertEquals(header.flags, 0);
    assertEquals(body.length + 28, octets.length);
  }
});

Deno.test("pairs whose phase 1 SA is gone are asked after with a new one: lost ones are made again, dead ones go", () => {
  const options = { peer: { dpdSeconds: 10 } };
  const lost = connected(options);
  // East forgets the pairs, and west hears only that phase 1 is gone.
  lossy(lost, 1);
  lost.east.input((ike, now) => ike.teardownPairs(now));
  lossy(lost, 0);
  lost.east.input((ike, now) => ike.teardownPhase1(now, "west"));
  lost.network.run(5000);
  assertEquals(blocked(lost.west, lost.east, NAME), undefined);

  const dead = connected(options);
  dead.east.input((ike, now) => ike.teardownPhase1(now, "west"));
  dead.network.run(1006);
  dead.network.remove(dead.east);
  dead.network.run(50_000);
  assertEquals(dead.west.kernel.outbound.size, 0);
});

Deno.test("in Aggressive Mode the initiator says INITIAL-CONTACT in its last message, the responder after it", () => {
  const aggressive = { peer: { exchange: "AGGRESSIVE" } } as const;
  const ids = { local: "10.1.0.0/16", remote: "10.2.0.0/16" };
  const first = connected(aggressive);
  const old = [...first.east.kernel.outbound.keys()];
  first.network.remove(first.west);
  first.network.run(30_000);
  const west = new Gateway(
    first.network,
    WEST,
    configuration([peer("east", EAST, aggressive.peer)], [connection(NAME, "east", ids)]),
  );
  west.input((ike, now) => ike.start(now));
  first.network.run(31_000);
  assertEquals(blocked(first.east, west, NAME), undefined);
  assertEquals(first.east.kernel.outbound.size, 1);
  assert(!first.east.kernel.outbound.has(old[0]));

  const second = connected(aggressive);
  const lost = [...second.west.kernel.outbound.keys()];
  second.network.remove(second.east);
  const east = new Gateway(
    second.network,
    EAST,
    configuration([peer("west", WEST, aggressive.peer)], [
      connection(NAME, "west", { local: ids.remote, remote: ids.local }, { active: false }),
    ]),
  );
  // West negotiates again because it is told so and hears nothing under its phase 1 SA.
  second.west.input((ike, now) => ike.renegotiate(now));
  second.network.run(100_000);
  assertEquals(blocked(second.west, east, NAME), undefined);
  assert(second.west.texts("ended", 2).some((text) => text.includes("the peer has lost it (INITIAL-CONTACT)")));
  assertEquals(second.west.kernel.outbound.size, 1);
  assert(!second.west.kernel.outbound.has(lost[0]));
});
