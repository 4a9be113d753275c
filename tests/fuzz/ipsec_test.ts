// Hostile packets: random octets and mutations of valid ones must be dropped or passed, never throw, never take long,
// never write outside the room that the caller grants.
import { assert, assertEquals } from "@std/assert";
import { parseAddress } from "../../lib/ip/address.ts";
import { classify, classifyQuoted } from "../../lib/ip/classify.ts";
import { fragment } from "../../lib/ip/fragment.ts";
import { MAX_ERROR_OCTETS, writeTooBig } from "../../lib/ip/icmp.ts";
import { createTuple, TUPLE } from "../../lib/ip/tuple.ts";
import { locate } from "../../lib/ipsec/locate.ts";
import { DROPS, HEADROOM, TAILROOM } from "../../lib/ipsec/packet.ts";
import { checkInbound } from "../../lib/ipsec/policy.ts";
import type { Sa } from "../../lib/ipsec/sa.ts";
import { Spd } from "../../lib/ipsec/spd.ts";
import { decapsulate, encapsulate } from "../../lib/ipsec/transform.ts";
import { PROTOCOL, type SaParameters } from "../../lib/ipsec/types.ts";
import { concat } from "../../lib/octets/bytes.ts";
import { parseHex } from "../../lib/octets/hex.ts";
import { type Bench, bench, counting, generator, GUARD, ipPacket } from "../ipsec/support.ts";

const ROUNDS = 40_000;
const ends6 = { source: parseAddress("2001:db8::1"), destination: parseAddress("2001:db8::2") };
const ALGORITHMS: Partial<SaParameters>[] = [
  { encryption: "aes-gcm", encryptionKey: counting(0, 20) },
  { encryption: "aes", encryptionKey: counting(0, 16) }, // no ICV: what comes out is arbitrary
  { encryption: "null", authentication: "sha1", authenticationKey: counting(0, 20) },
  { encryption: "des", encryptionKey: counting(1, 8), oldHeader: true, halfIv: true },
  { protocol: PROTOCOL.AH, authentication: "sha2-512", authenticationKey: counting(0, 64) },
  { protocol: PROTOCOL.AH, authentication: "md5", authenticationKey: counting(0, 16), oldHeader: true },
  { protocol: PROTOCOL.IPIP },
];

function sas(b: Bench): Sa[] {
  return ALGORITHMS.flatMap((parameters) =>
    [{}, ends6].flatMap((ends) => [false, true].map((tunnel) => b.sa({ ...parameters, ...ends, tunnel })))
  );
}

/** Packets with everything a walk can meet. */
const SEEDS: Uint8Array[] = [
  ipPacket({ source: "10.0.0.1", destination: "10.0.0.2", protocol: 6 }),
  ipPacket({ source: "192.168.1.1", destination: "192.168.2.2", protocol: 17, payload: counting(0, 1200) }),
  ipPacket({ source: "10.0.0.1", destination: "10.0.0.2", fragment: 0x2010 }),
  withOptions("940400000707080a00000100" + "8307040a00000a00"),
  ipPacket({ source: "2001:db8::1", destination: "2001:db8::2", protocol: 58 }),
  ipPacket({
    source: "2001:db8::1",
    destination: "2001:db8::2",
    protocol: 0,
    payload: concat(
      parseHex("2b003e02aabb0100" + "3c02000100000000" + "20010db8000000000000000000000002" + "2c00010400000000"),
      parseHex("1100000100000007"),
      counting(0, 30),
    ),
  }),
  ipPacket({
    source: "10.9.9.9",
    destination: "10.0.0.2",
    payload: concat(parseHex("0304000000000500"), ipPacket({ source: "10.0.0.2", destination: "10.0.0.1" })),
  }),
];

function withOptions(hex: string): Uint8Array {
  const packet = concat(
    ipPacket({ source: "10.0.0.1", destination: "10.0.0.2" }).slice(0, 20),
    parseHex(hex),
    counting(0, 20),
  );
  packet[0] = 0x40 | (20 + hex.length / 2) / 4;
  packet[3] = packet.length;
  return packet;
}

/** Some octets changed, some inserted or cut off; lengths often repaired so that the walk gets further. */
function mutate(seed: Uint8Array, next: (below: number) => number): Uint8Array {
  let octets: Uint8Array = seed.slice();
  const interesting = [0, 1, 4, 0x2c, 0x32, 0x33, 0x3c, 0x7f, 0x80, 0xff];
  for (let changes = next(6); changes > 0; changes--) {
    if (!octets.length) break;
    const at = next(3) ? next(Math.min(octets.length, 80)) : next(octets.length);
    octets[at] = next(2) ? next(256) : interesting[next(interesting.length)];
  }
  if (next(6) === 0) octets = octets.slice(0, next(octets.length + 1));
  if (next(8) === 0) octets = concat(octets, Uint8Array.from({ length: next(40) }, () => next(256)));
  if (next(3) && octets.length >= 40) {
    const view = new DataView(octets.buffer, octets.byteOffset);
    if (octets[0] >> 4 === 4) view.setUint16(2, octets.length);
    else if (octets[0] >> 4 === 6) view.setUint16(4, octets.length - 40);
  }
  return octets;
}

function randomOctets(next: (below: number) => number): Uint8Array {
  const octets = Uint8Array.from({ length: next(200) }, () => next(256));
  if (octets.length && next(4)) octets[0] = [0x45, 0x46, 0x4f, 0x60][next(4)];
  return octets;
}

/** Runs `work` on a placed packet and demands that what lies outside headroom and tailroom stays as it was. */
function guarded(b: Bench, octets: Uint8Array, headroom: number, tailroom: number, work: () => void): void {
  b.put(octets);
  const { u8 } = b.arena;
  const from = b.packetAt - headroom;
  const to = b.packetAt + octets.length + tailroom;
  u8.fill(0x5a, from - GUARD, from);
  u8.fill(0xa5, to, to + GUARD);
  work();
  for (let i = 0; i < GUARD; i++) assert(u8[from - 1 - i] === 0x5a && u8[to + i] === 0xa5, `written outside at ${i}`);
}

Deno.test("Decapsulation survives mutated and random packets, whatever the SA", () => {
  const b = bench();
  const next = generator(950);
  const all = sas(b);
  const spd = new Spd();
  const tuple = createTuple();
  const reasons = new Set<string>();
  const secured = all.flatMap((sa) =>
    SEEDS.flatMap((seed) => {
      b.put(seed);
      return encapsulate(b.arena, sa, b.packet) === 0 ? [{ sa, octets: b.octets() }] : [];
    })
  );
  assert(secured.length > 100);
  const start = performance.now();
  for (let round = 0; round < ROUNDS; round++) {
    const { sa, octets } = secured[next(secured.length)];
    const packet = next(4) ? mutate(octets, next) : randomOctets(next);
    const bare = sa.protocol === PROTOCOL.ESP && next(5) === 0;
    guarded(b, packet, 64, 0, () => {
      Object.assign(b.packet, { bare, family: sa.family, sourceAt: 128, destinationAt: 144, tos: next(256) });
      const drop = locate(b.arena, b.packet) || decapsulate(b.arena, next(20) ? sa : all[next(all.length)], b.packet);
      reasons.add(DROPS[drop].name);
      if (drop !== 0) return;
      const { at, octets } = b.packet;
      assert(at >= b.packetAt - 64 && at + octets <= b.packetAt + packet.length && octets >= 20);
      if (!classify(b.arena.view, at, octets, tuple)) return;
      checkInbound(spd, b.arena, at, octets, tuple, [sa], 1);
    });
  }
  assert(performance.now() - start < 30_000);
  for (const name of ["none", "badIcv", "badPadding", "badInner", "short", "malformedHeader", "badLength"]) {
    assert(reasons.has(name), `the fuzzer never came to ${name}: ${[...reasons]}`);
  }
});

Deno.test("Encapsulation survives mutated and random packets, within headroom and tailroom", () => {
  const b = bench();
  const next = generator(951);
  const all = sas(b).concat(sas(b).filter(({ protocol }) => protocol === PROTOCOL.ESP).slice(0, 2));
  all.forEach((sa, i) => {
    if (sa.protocol === PROTOCOL.ESP && i % 3 === 0) sa.udpPort = 4500;
  });
  let passed = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const sa = all[next(all.length)];
    const packet = next(5) ? mutate(SEEDS[next(SEEDS.length)], next) : randomOctets(next);
    guarded(b, packet, HEADROOM, TAILROOM, () => {
      b.packet.bare = next(3) === 0;
      if (encapsulate(b.arena, sa, b.packet) !== 0) return;
      passed++;
      const { at, octets } = b.packet;
      assert(at >= b.packetAt - HEADROOM && at + octets <= b.packetAt + packet.length + TAILROOM);
    });
  }
  assert(passed > ROUNDS / 5);
});

Deno.test("Classification of mutated and random packets neither throws nor writes", () => {
  const b = bench();
  const next = generator(952);
  const tuple = createTuple();
  let sound = 0;
  for (let round = 0; round < 4 * ROUNDS; round++) {
    const packet = next(5) ? mutate(SEEDS[next(SEEDS.length)], next) : randomOctets(next);
    guarded(b, packet, 0, 0, () => {
      const { at, octets } = b.packet;
      if (classify(b.arena.view, at, octets, tuple)) {
        sound++;
        assert(tuple[TUPLE.FAMILY] === 4 || tuple[TUPLE.FAMILY] === 6);
        assert(tuple[TUPLE.SOURCE_PORT] >= 0 && tuple[TUPLE.SOURCE_PORT] <= 65535);
      }
      classifyQuoted(b.arena.view, at, octets, tuple);
    });
    assertEquals(b.octets(), packet);
  }
  assert(sound > ROUNDS && sound < 4 * ROUNDS);
});

Deno.test("Fragmentation and ICMP errors survive mutated and random packets", () => {
  const b = bench();
  const next = generator(953);
  const outAt = b.arena.reserve(MAX_ERROR_OCTETS);
  let pieces = 0;
  let errors = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const packet = next(5) ? mutate(SEEDS[next(SEEDS.length)], next) : randomOctets(next);
    guarded(b, packet, 8, 0, () => {
      const { at, octets } = b.packet;
      const written = writeTooBig(b.arena.view, at, octets, 1280, outAt, outAt);
      assert(written <= MAX_ERROR_OCTETS);
      errors += written ? 1 : 0;
      const mtu = next(2) ? 68 + next(600) : next(2000);
      pieces += fragment(b.arena.view, at, octets, mtu, 1, (pieceAt, length) => {
        assert(length <= mtu && pieceAt >= at - 8 && pieceAt + length <= at + octets);
      });
    });
  }
  assert(pieces > 100 && errors > 100);
});
