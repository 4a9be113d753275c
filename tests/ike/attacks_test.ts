import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { parseAddress } from "../../lib/ip/address.ts";
import { bodyOf, decodeHeader, decodePayloads, encodeMessage, isEncrypted } from "../../lib/isakmp/message.ts";
import { EXCHANGE, NOTIFY, PAYLOAD } from "../../lib/isakmp/numbers.ts";
import { NOTIFY_LAYOUT } from "../../lib/isakmp/payloads.ts";
import { decodeSa, encodeSa } from "../../lib/isakmp/proposals.ts";
import { numberAttribute } from "../../lib/isakmp/attributes.ts";
import { formatHex } from "../../lib/octets/hex.ts";
import type { Bytes } from "../../lib/octets/bytes.ts";
import { blocked } from "../simulation/ike_node.ts";
import { phase1Transform, secret } from "./configurations.ts";
import { connected, EAST, type Ends, gateways, NAME, WEST } from "./gateways.ts";

const endpoint = (text: string) => ({ address: parseAddress(text), port: 500 });

/** Whatever west sends comes back to it, as from east. */
function reflect({ network, west }: Ends) {
  network.tap = (now, from, to, octets) => {
    if (from.address.octets[3] !== 1) return;
    network.at(now + 1, () => west.onDatagram(network.now, to, from, octets.slice()), west);
  };
}

Deno.test("messages reflected to their sender do nothing, and a mirror is no peer", () => {
  for (const exchange of ["ID_PROT", "AGGRESSIVE"] as const) {
    const ends = gateways({ peer: { exchange, dpdSeconds: 5 } });
    reflect(ends);
    ends.west.input((ike, now) => ike.start(now));
    ends.network.run(30_000);
    assertEquals(blocked(ends.west, ends.east, NAME), undefined, exchange);
    assertEquals(ends.west.ike.phase1Status().length, 1);
    const alone = gateways({ peer: { exchange } });
    alone.network.remove(alone.east);
    reflect(alone);
    alone.west.input((ike, now) => ike.start(now));
    alone.network.run(50_000);
    assertEquals(alone.west.ike.pairStatus().length, 0);
    assertEquals(alone.west.texts("established").length, 0);
  }
});

/** Changes each message from east to west that `change` cares for. */
function inTheMiddle(ends: Ends, change: (octets: Bytes) => Bytes) {
  const deliver = ends.west.onDatagram.bind(ends.west);
  ends.west.onDatagram = (now, from, to, octets) => deliver(now, from, to, change(octets));
}

const inClear = (octets: Bytes) => {
  const { header, body } = decodeHeader(octets);
  return isEncrypted(header) ? undefined : { header, payloads: decodePayloads(header.nextPayload, body).payloads };
};

Deno.test("our own public value or nonce, sent back, is refused", () => {
  for (const type of [PAYLOAD.KEY_EXCH, PAYLOAD.NONCE]) {
    const ends = gateways();
    let own: Bytes | undefined;
    ends.network.tap = (_now, from, _to, octets) => {
      const clear = inClear(octets);
      if (from.address.octets[3] === 1 && clear) own ??= bodyOf(clear.payloads, type);
    };
    inTheMiddle(ends, (octets) => {
      const clear = inClear(octets);
      if (!clear || !own || clear.header.exchange !== EXCHANGE.ID_PROT) return octets;
      return encodeMessage(clear.header, clear.payloads.map((p) => p.type === type ? { type, body: own! } : p));
    });
    ends.west.input((ike, now) => ike.start(now));
    ends.network.run(30_000);
    assertEquals(ends.west.ike.pairStatus().length, 0);
    assertStringIncludes(ends.west.texts("failed", 1)[0], "is our own, sent back");
  }
});

Deno.test("an answer that is none of our proposals is refused", () => {
  const ends = gateways({
    west: { transforms: [phase1Transform({ cipher: "AES_CBC" })] },
    east: { transforms: [phase1Transform({ cipher: "AES_CBC" })] },
  });
  inTheMiddle(ends, (octets) => {
    const clear = inClear(octets);
    const body = clear && bodyOf(clear.payloads, PAYLOAD.SA);
    if (!body) return octets;
    const [proposal] = decodeSa(body).proposals;
    const weaker = {
      ...proposal.transforms[0],
      attributes: proposal.transforms[0].attributes.map((a) => a.type === 1 ? numberAttribute(1, 1) : a),
    };
    return encodeMessage(
      clear!.header,
      clear!.payloads.map((p) =>
        p.type === PAYLOAD.SA ? { type: p.type, body: encodeSa([{ ...proposal, transforms: [weaker] }]) } : p
      ),
    );
  });
  ends.west.input((ike, now) => ike.start(now));
  ends.network.run(30_000);
  assertStringIncludes(ends.west.texts("failed", 1)[0], "chooses a transform that was not offered; refused");
});

Deno.test("the peer cannot tell a proof that decrypts to garbage from one that is wrong", () => {
  const told = (east: Parameters<typeof gateways>[0]) => {
    const notifies: number[] = [];
    const ends = gateways(east);
    ends.network.tap = (_now, from, _to, octets) => {
      const clear = inClear(octets);
      const body = clear && bodyOf(clear.payloads, PAYLOAD.NOTIFY);
      if (from.address.octets[3] === 2 && body) notifies.push(NOTIFY_LAYOUT.decode(body).type);
    };
    ends.west.input((ike, now) => ike.start(now));
    ends.network.run(20_000);
    return notifies;
  };
  const garbage = told({ east: { secret: secret("another") } });
  const wrongId = told({ east: { remoteId: { type: 2, protocol: 0, port: 0, data: new Uint8Array([97]) } } });
  assertEquals(garbage, [NOTIFY.AUTHENTICATION_FAILED]);
  assertEquals(wrongId, garbage);
});

Deno.test("a forged message under the cookies of an SA moves no IV and ends nothing", () => {
  const { network, west, east } = connected();
  const { initiatorCookie, responderCookie } = west.ike.phase1Status()[0];
  for (let i = 0; i < 100; i++) {
    const header = {
      initiatorCookie,
      responderCookie,
      nextPayload: PAYLOAD.HASH,
      exchange: [5, 6, 32, 33][i % 4],
      flags: 1,
      messageId: 1 + i,
    };
    const octets = encodeMessage(header, [{ type: PAYLOAD.HASH, body: network.random.octets(28) }]);
    network.send(endpoint(WEST), endpoint(EAST), octets);
  }
  network.run(2000);
  assertEquals(east.ike.exchangeStatus(), []);
  assertEquals(east.ike.sizes().exchanges, 2, "only what lingers of the negotiation");
  west.input((ike, now) => ike.renegotiate(now));
  network.run(3000);
  assertEquals(blocked(west, east, NAME), undefined);
  assertEquals(west.ike.pairStatus().length, 2);
});

Deno.test("a limit of phase 1 in kilobytes is kept", () => {
  const kilobytes = {
    type: "KILOBYTES" as const,
    duration: { offer: 2, least: 1, most: 9 },
    origin: phase1Transform().origin,
  };
  const transform = phase1Transform();
  const lives = [...transform.lives as (typeof kilobytes)[], kilobytes];
  const { west, east, network } = connected({ peer: { transforms: [{ ...transform, lives }], dpdSeconds: 2 } });
  const cookies = () => west.ike.phase1Status().map(({ initiatorCookie }) => formatHex(initiatorCookie));
  const [first] = cookies();
  network.run(100_000);
  const now = cookies();
  assert(now.length > 0 && !now.includes(first), "another SA took over, and the first one is used up");
  assertEquals(blocked(west, east, NAME), undefined);
});

/** Puts other lives into the SA payload of east's answer. */
function answerWithLife(ends: Ends, ...attributes: ReturnType<typeof numberAttribute>[]) {
  inTheMiddle(ends, (octets) => {
    const clear = inClear(octets);
    const body = clear && bodyOf(clear.payloads, PAYLOAD.SA);
    if (!body) return octets;
    const [proposal] = decodeSa(body).proposals;
    const [transform] = proposal.transforms;
    const plain = transform.attributes.filter(({ type }) => type !== 11 && type !== 12);
    const sa = encodeSa([{ ...proposal, transforms: [{ ...transform, attributes: [...plain, ...attributes] }] }]);
    return encodeMessage(clear!.header, clear!.payloads.map((p) => p.type === PAYLOAD.SA ? { ...p, body: sa } : p));
  });
}

const life = (seconds: number) => [numberAttribute(11, 1), numberAttribute(12, seconds)];

Deno.test("a life that the responder adds or shortens holds, one that it lengthens does not, and the log says so", () => {
  const run = (seconds: number, offersLife: boolean) => {
    const transform = offersLife ? phase1Transform() : { ...phase1Transform(), lives: [] };
    const ends = gateways({ peer: { transforms: [transform] }, westEnvironment: { wantsLog: () => true } });
    answerWithLife(ends, ...life(seconds));
    ends.west.input((ike, now) => ike.start(now));
    ends.network.run(1000);
    assertEquals(blocked(ends.west, ends.east, NAME), undefined);
    const told = ends.west.log.filter((line) => /the responder (adds|answers)/.test(line));
    return [ends.west.ike.phase1Status()[0].lifeSeconds, ...told];
  };
  assertEquals(run(600, false), [600, "Phase 1 with peer east: the responder adds a life of 600 seconds"]);
  assertEquals(run(600, true), [
    600,
    "Phase 1 with peer east: the responder answers 600 seconds for 3600; 600 hold",
  ]);
  assertEquals(run(7200, true), [
    3600,
    "Phase 1 with peer east: the responder answers 7200 seconds for 3600; 3600 hold",
  ]);
  assertEquals(run(3600, true), [3600]);
});

Deno.test("a life of nothing is refused", () => {
  const ends = gateways();
  answerWithLife(ends, ...life(0));
  ends.west.input((ike, now) => ike.start(now));
  ends.network.run(30_000);
  assertStringIncludes(ends.west.texts("failed", 1)[0], "chooses a transform that was not offered; refused");
});
