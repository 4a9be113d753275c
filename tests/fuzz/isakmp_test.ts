/**
 * ISAKMP and the IKE core under damaged input: recorded messages and their decrypted contents, changed; damaged copies beside
 * the true messages of a negotiation; and a peer that knows the keys and sends nonsense under them.
 */
import { assert, assertEquals } from "@std/assert";
import { BUILDERS } from "../../lib/ike/builders.ts";
import type { Context } from "../../lib/ike/state.ts";
import { describeDatagram, describePayload } from "../../lib/isakmp/describe.ts";
import { IsakmpError } from "../../lib/isakmp/error.ts";
import { Reassembly } from "../../lib/isakmp/fragments.ts";
import { decodePayloads, encodePayloads, type Payload } from "../../lib/isakmp/message.ts";
import { PAYLOAD } from "../../lib/isakmp/numbers.ts";
import { ATTRIBUTE_LAYOUT, LAYOUTS } from "../../lib/isakmp/payloads.ts";
import { decodeAttributes, encodeAttributes } from "../../lib/isakmp/attributes.ts";
import { decodeSa, encodeSa } from "../../lib/isakmp/proposals.ts";
import type { Bytes } from "../../lib/octets/bytes.ts";
import { formatHex } from "../../lib/octets/hex.ts";
import { phase1Transform, secret, selector, suite } from "../ike/configurations.ts";
import { gateways, NAME, type Options } from "../ike/gateways.ts";
import { CASES, hex, isakmpOf } from "../ike/recorded.ts";
import { blocked } from "../simulation/ike_node.ts";
import { SeededRandom } from "../simulation/network.ts";
import { generator, mutateOctets } from "./mutate.ts";

const ROUNDS = Number(Deno.env.get("FUZZ_ROUNDS") ?? 20_000);

const DATAGRAMS: Bytes[] = CASES.flatMap(({ messages }) => messages.map(isakmpOf));
const BODIES: { first: number; body: Bytes }[] = CASES.flatMap(({ messages }) =>
  messages.filter(({ payloads }) => payloads).map((message) => ({
    first: message.payloads![0].type,
    body: message.plaintext ? hex(message.plaintext) : isakmpOf(message).slice(28),
  }))
);

/** Runs what may refuse; anything but a refusal is a defect. */
function refusing<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    assert(
      error instanceof IsakmpError || error instanceof RangeError && error.message.startsWith("Cannot"),
      String(error),
    );
    return undefined;
  }
}

Deno.test("whatever octets come, they are described or refused, and nothing else is thrown", () => {
  const random = generator(1);
  const corpus = [...DATAGRAMS, ...BODIES.map(({ body }) => body)];
  let decoded = 0;
  const reassembly = new Reassembly();
  for (let round = 0; round < ROUNDS; round++) {
    const datagram = mutateOctets(random, DATAGRAMS[random(DATAGRAMS.length)], corpus);
    assert(describeDatagram(datagram).length > 0);
    const { first, body } = BODIES[random(BODIES.length)];
    const chain = refusing(() => decodePayloads(first, mutateOctets(random, body, corpus)));
    for (const payload of chain?.payloads ?? []) {
      decoded++;
      describePayload(payload);
      refusing(() => LAYOUTS.get(payload.type)?.decode(payload.body));
      if (payload.type === PAYLOAD.FRAGMENT) refusing(() => reassembly.add(payload.body));
    }
  }
  assert(decoded > ROUNDS / 4, `only ${decoded} payloads could be read`);
});

Deno.test("what is decoded and encoded again says the same", () => {
  const random = generator(2);
  const corpus = BODIES.map(({ body }) => body);
  for (let round = 0; round < ROUNDS; round++) {
    const { first, body } = BODIES[random(BODIES.length)];
    const changed = mutateOctets(random, body, corpus);
    const chain = refusing(() => decodePayloads(first, changed));
    if (!chain) continue;
    const again = decodePayloads(chain.payloads[0]?.type ?? 0, encodePayloads(chain.payloads));
    assertEquals(again.payloads.length, chain.payloads.length);
    for (const [i, { type, body }] of chain.payloads.entries()) {
      assertEquals(formatHex(again.payloads[i].body), formatHex(body));
      if (type === PAYLOAD.SA) {
        const sa = refusing(() => decodeSa(body));
        if (sa) assertEquals(decodeSa(encodeSa(sa.proposals)), sa);
      }
      const attributes = type === PAYLOAD.ATTRIBUTE &&
        refusing(() => decodeAttributes(ATTRIBUTE_LAYOUT.decode(body).attributes));
      if (attributes) assertEquals(decodeAttributes(encodeAttributes(attributes)), attributes);
    }
  }
});

/** Set-ups that use every kind of payload. */
const SETUPS: readonly Options[] = [
  {},
  { peer: { exchange: "AGGRESSIVE" }, suites: [suite({ pfs: "CURVE_25519" })] },
  { peer: { forceEncapsulation: true, dpdSeconds: 5 }, hostToHost: true, suites: [suite({ mode: "TRANSPORT" })] },
  {
    suites: [suite({ protocol: "AH" }, { kilobytes: { offer: 1000, least: 1, most: 9999 } })],
    peer: { transforms: [phase1Transform({ cipher: "3DES_CBC" })] },
  },
  {
    west: {
      xauth: { role: "client", user: "u", password: secret("p") },
      modeConfig: { role: "client", push: false },
    },
    east: { xauth: { role: "server" }, modeConfig: { role: "server", push: false } },
    westConnection: { localId: undefined, remoteId: selector("10.2.0.0/16") },
    eastConnection: { remoteId: undefined },
    eastConfiguration: {
      xauthUsers: new Map([["u", secret("p")]]),
      clientAddressing: [{
        address: selector("10.99.0.1/32").prefix.address,
        nameservers: [],
        winsServers: [],
        dhcpServers: [],
        networks: [],
        splitInclude: [selector("10.2.0.0/16").prefix],
        origin: { file: "east.conf", line: 1, section: "ipv4/10.99.0.1" },
      }],
    },
  },
];

Deno.test("damaged copies of every message do not disturb a negotiation, nor does anything throw", () => {
  for (let seed = 1; seed <= ROUNDS / 40; seed++) {
    const options = SETUPS[seed % SETUPS.length];
    const ends = gateways({ ...options, seed });
    const { network, west, east } = ends;
    const random = generator(seed);
    network.tap = (_now, from, to, octets) => {
      for (const copies of [1, 2]) {
        if (random(2)) continue;
        const changed = mutateOctets(random, octets, DATAGRAMS);
        const node = to.address.octets[3] === 1 ? west : east;
        network.at(network.now + copies * random(20), () => node.onDatagram(network.now, from, to, changed), node);
      }
    };
    west.input((ike, now) => ike.start(now));
    network.run(5000);
    network.tap = undefined;
    // A changed message in clear may have been believed; then it fails and is begun again.
    network.run(400_000);
    assertEquals(blocked(west, east, NAME), undefined, `seed ${seed}`);
  }
});

Deno.test("a peer that knows the keys and sends nonsense under them makes nothing throw and leaves nothing behind", () => {
  const table = BUILDERS as Record<string, (context: Context) => readonly Payload[]>;
  const originals = { ...table };
  const corpus = BODIES.map(({ body }) => body);
  let reached = 0;
  try {
    for (let seed = 1; seed <= ROUNDS / 20; seed++) {
      const ends = gateways({ ...SETUPS[seed % SETUPS.length], seed });
      const { network, west, east } = ends;
      const random = generator(seed), chance = new SeededRandom(seed);
      // West is the evil one: what its builders make is sometimes changed before it is hashed and encrypted.
      for (const [token, build] of Object.entries(originals)) {
        table[token] = (context) =>
          build(context).map((payload) => {
            const isEvil = context.sa.local.address.octets[3] === 1 && chance.chance(0.2);
            return isEvil ? { ...payload, body: mutateOctets(random, payload.body, corpus) } : payload;
          });
      }
      west.input((ike, now) => ike.start(now));
      network.run(3000);
      west.input((ike, now) => ike.renegotiate(now));
      west.input((ike, now) => ike.teardownPairs(now));
      network.run(20_000);
      network.remove(west);
      network.run(200_000);
      for (const { outcomes } of [east]) reached += outcomes.filter(({ phase }) => phase === 2).length;
      const { wants, waits, halfOpen } = east.ike.sizes();
      assertEquals([wants, waits, halfOpen], [0, 0, 0], `seed ${seed}`);
      assertEquals(east.kernel.reserved.size, 0, `seed ${seed}`);
      assertEquals(east.kernel.complaints, [], `seed ${seed}`);
    }
  } finally {
    Object.assign(table, originals);
  }
  assert(reached > ROUNDS / 100, `only ${reached} came as far as phase 2`);
});

for (const exchange of ["ID_PROT", "AGGRESSIVE"] as const) {
  Deno.test(`first messages and recorded ones, whole or changed, are answered or dropped by ${exchange}`, () => {
    const random = generator(3);
    const { network, west, east } = gateways({ peer: { exchange } });
    const firsts: Bytes[] = [];
    network.tap = (_now, from, _to, octets) => void (from.address.octets[3] === 1 && firsts.push(octets));
    west.input((ike, now) => ike.start(now));
    network.remove(west);
    network.tap = undefined;
    network.run(100_000);
    const samples = [...DATAGRAMS, ...Array.from({ length: 30 }, () => firsts[0])];
    const from = { address: west.address, port: 500 }, to = { address: east.address, port: 500 };
    const begin = network.now;
    for (let round = 0; round < ROUNDS; round++) {
      const sample = samples[random(samples.length)];
      const octets = random(4) ? mutateOctets(random, sample, DATAGRAMS) : sample.slice();
      // Another initiator each time: what one has been refused once is not looked at again.
      for (let i = 0; i < 4; i++) octets[i] = random(256);
      network.at(begin + 100 * round, () => east.onDatagram(network.now, from, to, octets), east);
    }
    network.run(begin + 100 * ROUNDS + 100_000);
    const { timers: _timers, ...sizes } = east.ike.sizes();
    assertEquals(Object.values(sizes).filter(Boolean), []);
    const { refused, strangers } = east.ike.counters;
    assert(refused > 100 && strangers > 10, JSON.stringify(east.ike.counters));
  });
}
