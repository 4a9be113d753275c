/** Strangers: floods of first messages, bounded memory, bounded answers. */
import { assert, assertEquals } from "@std/assert";
import { address } from "../../lib/ip/address.ts";
import { encodeMessage } from "../../lib/isakmp/message.ts";
import { EXCHANGE, PAYLOAD } from "../../lib/isakmp/numbers.ts";
import { encodeSa } from "../../lib/isakmp/proposals.ts";
import { offerPhase1, UNTRANSLATED } from "../../lib/ike/negotiate.ts";
import { configuration, connection, peer, phase1Transform, selector } from "../ike/configurations.ts";
import { EAST, NAME, WEST } from "../ike/gateways.ts";
import { blocked, Gateway } from "./ike_node.ts";
import { Network } from "./network.ts";

const OFFER = encodeSa(offerPhase1([phase1Transform()], UNTRANSLATED));
const UNACCEPTABLE = encodeSa(offerPhase1([phase1Transform({ cipher: "DES_CBC" })], UNTRANSLATED));

function world() {
  const network = new Network(1);
  const west = new Gateway(
    network,
    WEST,
    configuration([peer("east", EAST)], [
      connection(NAME, "east", { local: "10.1.0.0/16", remote: "10.2.0.0/16" }),
    ]),
  );
  const east = new Gateway(
    network,
    EAST,
    configuration([peer("anybody", undefined)], [
      connection(NAME, "anybody", { local: "10.2.0.0/16" }, {
        active: false,
        anyRemote: true,
        remoteId: selector("0.0.0.0/0"),
      }),
    ]),
  );
  network.conditions = { loss: 0, duplication: 0, reordering: 0, reorderMs: 0, corruption: 0, delayMs: [40, 60] };
  return { network, west, east };
}

/** Sends first messages to east, `perSecond` for `seconds`, each from an address of its own unless `from` is given. */
function flood(network: Network, body: typeof OFFER, perSecond: number, seconds: number, from?: Uint8Array) {
  const { random } = network;
  const target = { address: address(new Uint8Array([192, 0, 2, 2])), port: 500 };
  for (let i = 0; i < perSecond * seconds; i++) {
    network.at(i * 1000 / perSecond, () => {
      const message = encodeMessage({
        initiatorCookie: random.octets(8),
        responderCookie: new Uint8Array(8),
        nextPayload: PAYLOAD.SA,
        exchange: EXCHANGE.ID_PROT,
        flags: 0,
        messageId: 0,
      }, [{ type: PAYLOAD.SA, body }]);
      const source = from ?? new Uint8Array([172, ...random.octets(3)]);
      network.send({ address: address(source), port: 500 }, target, message);
    });
  }
}

for (const [what, body] of [["that could be meant", OFFER], ["that are refused", UNACCEPTABLE]] as const) {
  Deno.test(`10,000 first messages a second ${what}, from random sources, do not keep a peer from connecting`, () => {
    const { network, west, east } = world();
    flood(network, body, 10_000, 3);
    network.at(1500, () => west.input((ike, now) => ike.start(now)));
    network.run(2900);
    assertEquals(blocked(west, east, NAME), undefined);
    assert(east.ike.sizes().halfOpen <= 8192);
    network.run(60_000);
    assertEquals(east.ike.sizes().halfOpen, 0, "what was half open is forgotten");
    assert(east.outcomes.length < 100, `${east.outcomes.length} outcomes were told`);
    assert(east.log.length < 100, `${east.log.length} lines were logged`);
  });
}

Deno.test("one source can hold 16 half-open SAs at most, and is not sent more than twice its octets", () => {
  const { network, east } = world();
  let received = 0, sent = 0;
  network.tap = (_now, from, _to, octets) => {
    if (from.address.octets[3] === 2) sent += octets.length;
    else received += octets.length;
  };
  flood(network, OFFER, 100, 10, new Uint8Array([203, 0, 113, 1]));
  network.run(9_000);
  assertEquals(east.ike.sizes().halfOpen, 16);
  network.run(60_000);
  // Message 2 carries the choice and our vendor IDs; it is sent once for each message received.
  assert(sent <= 2 * received, `${sent} octets for ${received}`);
});

Deno.test("what is refused is answered once a second for each source", () => {
  const { network } = world();
  let answers = 0;
  network.tap = (_now, from) => {
    if (from.address.octets[3] === 2) answers++;
  };
  flood(network, UNACCEPTABLE, 1000, 3, new Uint8Array([203, 0, 113, 1]));
  network.run(10_000);
  assert(answers >= 3 && answers <= 5, `${answers} answers`);
});

Deno.test("a flood does not push out a peer two seconds away that has sent our cookie back", () => {
  const { network, west, east } = world();
  network.conditions = { loss: 0, duplication: 0, reordering: 0, reorderMs: 0, corruption: 0, delayMs: [900, 1000] };
  west.input((ike, now) => ike.start(now));
  network.run(2500); // message 3 is on its way or there
  assertEquals(east.ike.sizes().halfOpen + east.ike.sizes().reachable, 1);
  network.run(3100);
  flood(network, OFFER, 10_000, 2); // its times are past: all at once
  network.run(8000);
  assertEquals(blocked(west, east, NAME), undefined);
  assertEquals(west.texts("failed"), []);
});

/** A first message of one initiator. */
function firstMessage(cookie: number, exchange: number, payloads: Parameters<typeof encodeMessage>[1]) {
  const initiatorCookie = new Uint8Array(8).fill(cookie);
  const header = { initiatorCookie, responderCookie: new Uint8Array(8), nextPayload: 0, flags: 0, messageId: 0 };
  return encodeMessage({ ...header, exchange }, payloads);
}

const endpoint = (...octets: number[]) => ({ address: address(new Uint8Array(octets)), port: 500 });
const ATTACKER = endpoint(203, 0, 113, 1), TARGET = endpoint(192, 0, 2, 2);

Deno.test("a first message that comes a thousand times is answered eleven times, and what waits for nobody is not repeated", () => {
  const { network } = world();
  let answers = 0;
  network.tap = (_now, from) => {
    if (from.address.octets[3] === 2) answers++;
  };
  const message = firstMessage(1, EXCHANGE.ID_PROT, [{ type: PAYLOAD.SA, body: OFFER }]);
  for (let i = 0; i < 1000; i++) network.at(i * 10, () => network.send(ATTACKER, TARGET, message));
  network.run(60_000);
  assertEquals(answers, 11);
});

Deno.test("Aggressive Mode answers a first message four times at most without being asked again", () => {
  const { network } = world();
  const east = new Gateway(network, EAST, configuration([peer("anybody", undefined, { exchange: "AGGRESSIVE" })], []));
  let answers = 0;
  network.tap = (_now, from) => {
    if (from.address.octets[3] === 2) answers++;
  };
  const message = firstMessage(2, EXCHANGE.AGGRESSIVE, [
    { type: PAYLOAD.SA, body: OFFER },
    { type: PAYLOAD.KEY_EXCH, body: new Uint8Array(32).fill(9) },
    { type: PAYLOAD.NONCE, body: new Uint8Array(16).fill(7) },
    { type: PAYLOAD.ID, body: new Uint8Array([1, 0, 0, 0, 203, 0, 113, 1]) },
  ]);
  network.send(ATTACKER, TARGET, message);
  network.run(200_000);
  assertEquals(answers, 4);
  assertEquals(east.ike.sizes().halfOpen, 0);
});

Deno.test("the seventeenth first message of a source pushes out its first, and nobody else's", () => {
  const { network, east } = world();
  const other = endpoint(203, 0, 113, 2);
  network.send(other, TARGET, firstMessage(99, EXCHANGE.ID_PROT, [{ type: PAYLOAD.SA, body: OFFER }]));
  for (let i = 1; i <= 17; i++) {
    const message = firstMessage(i, EXCHANGE.ID_PROT, [{ type: PAYLOAD.SA, body: OFFER }]);
    network.at(i * 100, () => network.send(ATTACKER, TARGET, message));
  }
  network.run(3000);
  const cookies = east.ike.phase1Status().map(({ initiatorCookie }) => initiatorCookie[0]).sort((a, b) => a - b);
  assertEquals(cookies, [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 99]);
});

Deno.test("a message of an unknown cookie costs as much with 4,000 negotiations of ours under way as with none", () => {
  const idle = new Network(1), busy = new Network(1);
  const peers = Array.from({ length: 4000 }, (_, i) => peer(`p${i}`, `10.${i >> 16}.${i >> 8 & 255}.${i & 255}`));
  const connections = peers.map(({ name }, i) => connection(`c${i}`, name, { local: "10.1.0.0/16" }));
  const none = new Gateway(idle, WEST, configuration([], []));
  const all = new Gateway(busy, WEST, configuration(peers, connections));
  all.input((ike, now) => ike.start(now));
  assertEquals(all.ike.sizes().openings, 4000);
  const header = { nextPayload: 0, exchange: EXCHANGE.ID_PROT, flags: 0, messageId: 0 };
  const messages = Array.from({ length: 1000 }, () => {
    const [initiatorCookie, responderCookie] = [idle.random.octets(8), idle.random.octets(8)];
    return encodeMessage({ ...header, initiatorCookie, responderCookie }, [{ type: PAYLOAD.SA, body: OFFER }]);
  });
  const milliseconds = ({ ike }: Gateway) => {
    const start = performance.now();
    for (const message of messages) ike.onDatagram(0, ATTACKER, TARGET, message);
    return performance.now() - start;
  };
  const least = [none, all].map(() => Infinity);
  for (let round = 0; round < 5; round++) {
    for (const [i, gateway] of [none, all].entries()) least[i] = Math.min(least[i], milliseconds(gateway));
  }
  assertEquals(all.ike.counters.unknownCookies, 5000);
  assert(least[1] < 10 * least[0], `${least[1].toFixed(1)} ms instead of ${least[0].toFixed(1)}`);
});
