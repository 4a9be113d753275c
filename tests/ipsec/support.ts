// A bench for single packets: an arena, a backend whose random octets the test may choose, and short-hands.
import { packetCipherRow } from "../../lib/crypto/algorithms.ts";
import { addressOf } from "../../lib/ffi/address.ts";
import { createNodeCrypto } from "../../lib/crypto/node.ts";
import type { PacketCrypto } from "../../lib/crypto/packet.ts";
import { type Address, parseAddress } from "../../lib/ip/address.ts";
import { locate } from "../../lib/ipsec/locate.ts";
import { DROPS, HEADROOM, Packet, TAILROOM } from "../../lib/ipsec/packet.ts";
import { createSa, type Sa, type SaOptions } from "../../lib/ipsec/sa.ts";
import { setIdentification } from "../../lib/ipsec/scratch.ts";
import { decapsulate, encapsulateBundle } from "../../lib/ipsec/transform.ts";
import { NO_LIMIT, PROTOCOL, type SaParameters } from "../../lib/ipsec/types.ts";
import { type Arena, createArena } from "../../lib/octets/arena.ts";
import { formatHex, parseHex } from "../../lib/octets/hex.ts";

export type MakeCrypto = (arena: Arena) => PacketCrypto;

const ROOM = 65536;
/** Octets around the room of packets that nobody may touch. */
export const GUARD = 512;

export interface Bench {
  readonly arena: Arena;
  readonly crypto: PacketCrypto;
  readonly packet: Packet;
  /** Where packets are put; there is headroom before and tailroom after. */
  readonly packetAt: number;
  /** An SA; ESP from 10.0.0.1 to 10.0.0.2 with SPI 0x1000 unless told otherwise. */
  sa(parameters: Partial<SaParameters>, options?: SaOptions): Sa;
  /** Places octets (hex or bytes) as the current packet. */
  put(octets: string | Uint8Array): void;
  octets(): Uint8Array;
  hex(): string;
  /** Encapsulates a packet through `sa` and those grouped around it; hex of the result, or the name of the drop reason. */
  wrap(sa: Sa, octets: string | Uint8Array): string;
  /** Locates and decapsulates through the SAs, outermost first; hex or the drop reason. */
  unwrap(sas: Sa | Sa[], octets: string | Uint8Array): string;
}

export interface BenchOptions {
  crypto?: MakeCrypto;
  /** Hex: what "random" octets are, repeated as often as needed. Without it they are random. */
  random?: string;
  /** Identification of the next outer IPv4 header. */
  identification?: number;
}

export function bench({ crypto: make = createNodeCrypto, random, identification = 0 }: BenchOptions = {}): Bench {
  const arena = createArena(4 * ROOM, addressOf);
  const real = make(arena);
  const fixed = random === undefined ? undefined : parseHex(random);
  const crypto = fixed ? withFixedIvs(real, arena, fixed) : real;
  const packetAt = arena.reserve(GUARD + HEADROOM + ROOM + TAILROOM + GUARD) + GUARD + HEADROOM;
  setIdentification(arena, identification);
  const packet = new Packet();
  const octets = () => arena.u8.slice(packet.at, packet.at + packet.octets);
  const put = (given: string | Uint8Array) => {
    const content = typeof given === "string" ? parseHex(given) : given;
    packet.at = packetAt;
    packet.octets = content.length;
    packet.bare = false;
    arena.u8.set(content, packetAt);
  };
  return {
    arena,
    crypto,
    packet,
    packetAt,
    put,
    octets,
    hex: () => formatHex(octets()),
    sa: (parameters, options) => createSa(saParameters(parameters), crypto, arena, options),
    wrap(sa, given) {
      put(given);
      const drop = encapsulateBundle(arena, sa, packet);
      return drop === 0 ? formatHex(octets()) : DROPS[drop].name;
    },
    unwrap(sas, given) {
      put(given);
      for (const sa of Array.isArray(sas) ? sas : [sas]) {
        const drop = locate(arena, packet) || decapsulate(arena, sa, packet);
        if (drop !== 0) return DROPS[drop].name;
      }
      return formatHex(octets());
    },
  };
}

/** A backend whose "random" octets are given. */
function withFixedIvs(real: PacketCrypto, arena: Arena, fixed: Uint8Array): PacketCrypto {
  const random = (at: number, octets: number) => {
    for (let i = 0; i < octets; i++) arena.u8[at + i] = fixed[i % fixed.length];
  };
  return {
    ...real,
    random,
    cipher(name, key) {
      const { blockOctets } = packetCipherRow(name, key.length);
      const cipher = real.cipher(name, key);
      cipher.encryptFresh = (ivAt, dataAt, dataOctets) => {
        random(ivAt, blockOctets);
        cipher.encrypt(ivAt, dataAt, dataOctets);
      };
      return cipher;
    },
  };
}

/** Full parameters from the few that matter. */
export function saParameters(given: Partial<SaParameters>): SaParameters {
  const v6 = given.destination?.family === 6;
  return {
    source: parseAddress(v6 ? "2001:db8::1" : "10.0.0.1"),
    destination: parseAddress("10.0.0.2"),
    spi: 0x1000,
    protocol: PROTOCOL.ESP,
    tunnel: false,
    oldHeader: false,
    halfIv: false,
    randomPadding: false,
    replayWindow: 0,
    hard: NO_LIMIT,
    soft: NO_LIMIT,
    ...given,
  };
}

/** `count` octets counting up from `first`. */
export function counting(first: number, count: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: count }, (_, i) => first + i & 255);
}

/** An IPv4 or IPv6 packet with a payload; header fields by name. */
export function ipPacket(
  fields: {
    source: string;
    destination: string;
    protocol?: number;
    payload?: Uint8Array;
    tos?: number;
    identification?: number;
    fragment?: number;
    ttl?: number;
    flow?: number;
  },
): Uint8Array<ArrayBuffer> {
  const { protocol = 1, payload = counting(0, 40), tos = 0, identification = 7, fragment = 0, ttl = 64, flow = 0 } =
    fields;
  const source: Address = parseAddress(fields.source);
  const destination = parseAddress(fields.destination);
  const v4 = source.family === 4;
  const headerOctets = v4 ? 20 : 40;
  const octets = new Uint8Array(headerOctets + payload.length);
  const view = new DataView(octets.buffer);
  octets.set(payload, headerOctets);
  if (v4) {
    view.setUint8(0, 0x45);
    view.setUint8(1, tos);
    view.setUint16(2, octets.length);
    view.setUint16(4, identification);
    view.setUint16(6, fragment);
    view.setUint8(8, ttl);
    view.setUint8(9, protocol);
    octets.set(source.octets, 12);
    octets.set(destination.octets, 16);
    view.setUint16(10, naiveChecksum(octets.subarray(0, 20)));
  } else {
    view.setUint32(0, 0x60000000 + tos * 2 ** 20 + flow);
    view.setUint16(4, payload.length);
    view.setUint8(6, protocol);
    view.setUint8(7, ttl);
    octets.set(source.octets, 8);
    octets.set(destination.octets, 24);
  }
  return octets;
}

/** RFC 1071 in the plainest form, for comparison. */
export function naiveChecksum(octets: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < octets.length; i++) sum += octets[i] << (i & 1 ? 0 : 8);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 65536);
  return ~sum & 0xffff;
}

/** A small deterministic generator (xorshift) for property tests. */
export function generator(seed: number): (below: number) => number {
  let state = seed | 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
