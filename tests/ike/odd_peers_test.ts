// First messages as other implementations send them: unusual ones that are taken, wrong ones that are refused with a reason.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { encodeAttributes } from "../../lib/isakmp/attributes.ts";
import { decodeHeader, decodePayloads, encodeMessage, type Payload } from "../../lib/isakmp/message.ts";
import { EXCHANGE, NOTIFY, PAYLOAD } from "../../lib/isakmp/numbers.ts";
import { NOTIFY_LAYOUT, SA_LAYOUT } from "../../lib/isakmp/payloads.ts";
import { decodeSa } from "../../lib/isakmp/proposals.ts";
import { Builder } from "../../lib/octets/builder.ts";
import { type Bytes, concat } from "../../lib/octets/bytes.ts";
import { parseAddress } from "../../lib/ip/address.ts";
import { EAST, gateways, WEST } from "./gateways.ts";

const at = (text: string) => ({ address: parseAddress(text), port: 500 });

/** What east answers to a first message, and what it says of it. `change` makes the message out of west's own. */
function ask(change: (message: Bytes) => Bytes): { answers: Bytes[]; said: string[] } {
  const { network, west, east } = gateways();
  let first: Bytes | undefined;
  network.tap = (_now, from, _to, octets) => {
    if (from.address.octets[3] === 1) first ??= octets.slice();
  };
  west.input((ike, now) => ike.start(now));
  network.remove(west);
  network.run(1);
  const answers: Bytes[] = [];
  const message = change(first!);
  message[0] ^= 0xff; // another negotiation than west's own
  network.tap = (_now, from, _to, octets) => {
    if (from.address.octets[3] === 2 && octets[0] === message[0]) answers.push(octets.slice());
  };
  east.onDatagram(network.now, at(WEST), at(EAST), message);
  network.run(network.now + 100);
  return { answers, said: east.texts("failed") };
}

const withPayloads = (change: (payloads: Payload[]) => Payload[], flags = 0) => (message: Bytes) => {
  const { header, body } = decodeHeader(message);
  return encodeMessage({ ...header, flags }, change(decodePayloads(header.nextPayload, body).payloads));
};

/** The SA payload with other octets for its only transform, and other words in front of it. */
const withSa = ({ attributes, number = 1, spi = 0, reserved = 0 }: {
  attributes?: (octets: Bytes) => Bytes;
  number?: number;
  spi?: number;
  reserved?: number;
}) =>
  withPayloads((payloads) =>
    payloads.map((payload) => {
      if (payload.type !== PAYLOAD.SA) return payload;
      const { doi, situation, proposals: [{ transforms: [transform] }] } = decodeSa(payload.body);
      const octets = encodeAttributes(transform.attributes);
      const body = attributes ? attributes(octets) : octets;
      const proposals = new Builder()
        .u8(0).u8(reserved).u16(8 + spi + 8 + body.length).u8(number).u8(1).u8(spi).u8(1).zeros(spi)
        .u8(0).u8(reserved).u16(8 + body.length).u8(1).u8(1).u8(reserved).u8(reserved).bytes(body).finish();
      return { type: PAYLOAD.SA, body: SA_LAYOUT.encode({ doi, situation, proposals }) };
    })
  );

/** Every attribute in the form with a length, its value in four octets (RFC 2408 3.3). */
function wide(octets: Bytes): Bytes {
  const builder = new Builder();
  for (let i = 0; i < octets.length; i += 4) {
    builder.u8(octets[i] & 0x7f).u8(octets[i + 1]).u16(4).u16(0).bytes(octets.subarray(i + 2, i + 4));
  }
  return builder.finish();
}

/** The attributes in the opposite order; LIFE_TYPE stays in front of its LIFE_DURATION. */
function turned(octets: Bytes): Bytes {
  const each = Array.from({ length: octets.length / 4 }, (_, i) => octets.slice(4 * i, 4 * i + 4));
  return concat(...each.slice(-2), ...each.slice(0, -2).reverse());
}

const UNUSUAL: Readonly<Record<string, (message: Bytes) => Bytes>> = {
  "every attribute in the long form, lives of four octets": withSa({ attributes: wide }),
  "attributes in another order": withSa({ attributes: turned }),
  "proposal number 0": withSa({ number: 0 }),
  "an SPI of eight octets in phase 1": withSa({ spi: 8 }),
  "reserved octets that are not zero": withSa({ reserved: 0x5a }),
  "a private payload nobody knows": withPayloads((payloads) => [
    payloads[0],
    { type: 200, body: new Uint8Array(5) },
    ...payloads.slice(1),
  ]),
  "the SA payload last": withPayloads((payloads) => [...payloads.slice(1), payloads[0]]),
  "vendor IDs of Cisco, Windows and nobody": withPayloads((payloads) => [
    ...payloads,
    ...["12f5f28c457168a9702d9fe274cc0100", "1e2b516905991c7d7c96fcbfb587e46100000009", "ff"].map((hex) => ({
      type: PAYLOAD.VENDOR,
      body: Uint8Array.fromHex(hex),
    })),
  ]),
  "the commit bit": withPayloads((payloads) => payloads, 2),
  "three octets of padding inside the length": (message) => {
    const padded = concat(message, new Uint8Array(3));
    new DataView(padded.buffer).setUint32(24, padded.length);
    return padded;
  },
  "octets behind the length": (message) => concat(message, new Uint8Array([1, 2, 3, 4, 5])),
};

for (const [what, change] of Object.entries(UNUSUAL)) {
  Deno.test(`taken: ${what}`, () => {
    const { answers, said } = ask(change);
    assertEquals(said, []);
    assertEquals(answers.length, 1);
    const { header, body } = decodeHeader(answers[0]);
    const { payloads } = decodePayloads(header.nextPayload, body);
    assertEquals([header.exchange, payloads[0].type], [EXCHANGE.ID_PROT, PAYLOAD.SA]);
  });
}

const WRONG: Readonly<Record<string, readonly [change: (message: Bytes) => Bytes, says: RegExp]>> = {
  "an attribute twice": [
    withSa({ attributes: (octets) => concat(octets, new Uint8Array([0x80, 14, 0, 192])) }),
    /KEY_LENGTH: given twice$/,
  ],
  "a payload type nobody knows": [
    withPayloads((payloads) => [...payloads, { type: 99, body: new Uint8Array(4) }]),
    /first message: payload type 99 is not allowed here$/,
  ],
  "an attribute that is cut off": [
    withSa({ attributes: (octets) => octets.slice(0, -1) }),
    /attributes: attribute 12: needs 2 octets, 1 left$/,
  ],
  "no SA payload": [withPayloads((payloads) => payloads.slice(1)), /first message: ID_PROT needs SA/],
};

for (const [what, [change, says]] of Object.entries(WRONG)) {
  Deno.test(`refused with a reason: ${what}`, () => {
    const { answers, said } = ask(change);
    assertEquals(said.length, 1);
    assertMatch(said[0], says);
    assert(answers.length <= 1);
  });
}

Deno.test("IKEv2 is refused by INVALID_MAJOR_VERSION and a line that says what to set", () => {
  const init = (message: Bytes) => {
    const changed = message.slice();
    changed.set([33, 0x20, 34, 0x08], 16);
    return changed;
  };
  const { answers, said } = ask(init);
  assertMatch(said[0], /version: offered IKEv2, allowed IKEv1 .*Set the peer to IKEv1/);
  assertEquals([answers.length, said.length], [1, 1]);
  const { header, body } = decodeHeader(answers[0]);
  const [{ body: notify }] = decodePayloads(header.nextPayload, body).payloads;
  assertEquals(NOTIFY_LAYOUT.decode(notify).type, NOTIFY.INVALID_MAJOR_VERSION);
  const answer = ask((message) => {
    const changed = init(message);
    changed[19] = 0x20;
    return changed;
  });
  assertEquals([answer.answers.length, answer.said.length], [0, 0], "an answer of IKEv2 is not answered");
});
