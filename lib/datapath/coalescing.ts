/**
 * Decrypted packets on their way to the TUN device. Consecutive segments of one TCP connection (or equal UDP datagrams)
 * become one super-packet, written by one `writev` without copying: the vnet header takes the place of the dead ESP header
 * before the first packet, and the payloads stay where they were decrypted. Packets of one flow keep their order.
 *
 * @module
 */
import { IP_PROTOCOL, IPV4, IPV6, TCP, UDP } from "../ip/headers.ts";
import type { Arena } from "../octets/arena.ts";
import { fold, type Sums, swap16 } from "./sums.ts";
import { GSO, NEEDS_SUM, VNET, VNET_OCTETS } from "./vnet.ts";

/** The TUN device as the datapath writes to it. Results are octets written, or negative. */
export interface TunWriter {
  write(at: number, octets: number): number;
  /** `vectors` I/O vectors lie at `vectorsAt`. */
  writev(vectorsAt: number, vectors: number): number;
}

export interface CoalescerOptions {
  /** Whether the kernel takes UDP super-packets on this device. */
  readonly udp: boolean;
  /** Packets that the kernel would not take; `protocol` is the security protocol that they came through. */
  lost?(protocol: number, packets: number): void;
}

const LANES = 8;
const VECTORS = 64;
const VECTOR_OCTETS = 16;
/** The kernel refuses super-packets of 64 KiB and more. */
const SUPER_OCTETS = 65500;

/** One super-packet being collected. */
interface Lane {
  readonly vectorsAt: number;
  /** Packets in it; 0 when free. */
  packets: number;
  at: number;
  octets: number;
  ipOctets: number;
  headerOctets: number;
  segmentOctets: number;
  tcp: boolean;
  nextSequence: number;
  closed: boolean;
  protocol: number;
}

/** Collects packets and writes them; {@linkcode flush} before the memory they lie in is used again. */
export class Coalescer {
  readonly #arena: Arena;
  readonly #sums: Sums;
  readonly #tun: TunWriter;
  readonly #options: CoalescerOptions;
  readonly #lanes: Lane[];
  #busy = 0;
  #victim = 0;

  constructor(arena: Arena, sums: Sums, tun: TunWriter, options: CoalescerOptions) {
    this.#arena = arena;
    this.#sums = sums;
    this.#tun = tun;
    this.#options = options;
    const vectorsAt = arena.reserve(LANES * VECTORS * VECTOR_OCTETS);
    this.#lanes = Array.from({ length: LANES }, (_, i) => ({
      vectorsAt: vectorsAt + i * VECTORS * VECTOR_OCTETS,
      packets: 0,
      at: 0,
      octets: 0,
      ipOctets: 0,
      headerOctets: 0,
      segmentOctets: 0,
      tcp: false,
      nextSequence: 0,
      closed: false,
      protocol: 0,
    }));
  }

  /**
   * Takes the IP packet at `at` that came through the security protocol `protocol`; the {@linkcode VNET_OCTETS} octets
   * before it are free to be overwritten. It stays where it is until {@linkcode flush}.
   */
  deliver(at: number, octets: number, protocol: number): void {
    const { u8, view } = this.#arena;
    const v4 = u8[at] >>> 4 === 4;
    const ipOctets = v4 ? IPV4.OCTETS : IPV6.OCTETS;
    const transport = v4 ? u8[at + IPV4.PROTOCOL] : u8[at + IPV6.NEXT_HEADER];
    const whole = v4
      ? u8[at] === 0x45 && (view.getUint16(at + IPV4.FRAGMENT) & 0x3fff) === 0 &&
        view.getUint16(at + IPV4.TOTAL_LENGTH) === octets
      : octets >= IPV6.OCTETS && view.getUint16(at + IPV6.PAYLOAD_LENGTH) === octets - IPV6.OCTETS;
    const tcp = transport === IP_PROTOCOL.TCP;
    if (
      !whole || !tcp && !(transport === IP_PROTOCOL.UDP && this.#options.udp) ||
      octets <= ipOctets + (tcp ? TCP.OCTETS : UDP.OCTETS)
    ) {
      // Its flow cannot be told cheaply, and order within a flow must hold.
      if (this.#busy) this.flush();
      this.#writeAlone(at, octets, protocol);
      return;
    }
    this.#deliverTransport(at, octets, v4, ipOctets, tcp, protocol);
  }

  #deliverTransport(
    at: number,
    octets: number,
    v4: boolean,
    ipOctets: number,
    tcp: boolean,
    protocol: number,
  ): void {
    const { u8, view } = this.#arena;
    const transport = at + ipOctets;
    const headerOctets = ipOctets + (tcp ? u8[transport + TCP.DATA_OFFSET] >>> 4 << 2 : UDP.OCTETS);
    const payloadOctets = octets - headerOctets;
    const lane = this.#busy ? this.#laneOf(at, v4, transport, tcp) : undefined;
    const plain = payloadOctets > 0 && (!tcp || (u8[transport + TCP.FLAGS] & ~TCP.PSH) === TCP.ACK) &&
      headerOctets >= ipOctets + (tcp ? TCP.OCTETS : UDP.OCTETS) && this.#sumIsRight(at, octets, v4, ipOctets, tcp);
    if (!plain) {
      if (lane) this.#write(lane);
      this.#writeAlone(at, octets, protocol);
      return;
    }
    const sequence = tcp ? view.getInt32(transport + TCP.SEQUENCE) : 0;
    const pushed = tcp && (u8[transport + TCP.FLAGS] & TCP.PSH) !== 0;
    if (lane) {
      if (this.#fits(lane, at, v4, transport, headerOctets, payloadOctets, sequence)) {
        this.#setVector(lane.vectorsAt + lane.packets * VECTOR_OCTETS, at + headerOctets, payloadOctets);
        lane.packets++;
        lane.octets += payloadOctets;
        lane.nextSequence = sequence + payloadOctets | 0;
        if (pushed) u8[lane.at + lane.ipOctets + TCP.FLAGS] |= TCP.PSH;
        if (pushed || payloadOctets < lane.segmentOctets) lane.closed = true;
        return;
      }
      this.#write(lane);
    }
    const fresh = this.#freeLane();
    this.#busy++;
    fresh.packets = 1;
    fresh.at = at;
    fresh.octets = octets;
    fresh.ipOctets = ipOctets;
    fresh.headerOctets = headerOctets;
    fresh.segmentOctets = payloadOctets;
    fresh.tcp = tcp;
    fresh.nextSequence = sequence + payloadOctets | 0;
    fresh.closed = pushed;
    fresh.protocol = protocol;
    this.#setVector(fresh.vectorsAt, at - VNET_OCTETS, octets + VNET_OCTETS);
  }

  /** The lane of the packet's connection, if it is collecting one. */
  #laneOf(at: number, v4: boolean, transport: number, tcp: boolean): Lane | undefined {
    const { view, u8 } = this.#arena;
    const lanes = this.#lanes;
    for (let i = 0; i < LANES; i++) {
      const lane = lanes[i];
      if (lane.packets === 0 || lane.tcp !== tcp) continue;
      const other = lane.at;
      if (u8[at] >>> 4 !== u8[other] >>> 4) continue;
      if (view.getInt32(transport, true) !== view.getInt32(other + lane.ipOctets, true)) continue;
      const from = v4 ? IPV4.SOURCE : IPV6.SOURCE;
      const to = v4 ? IPV4.OCTETS : IPV6.OCTETS;
      let same = true;
      for (let j = from; j < to && same; j += 4) same = view.getInt32(at + j, true) === view.getInt32(other + j, true);
      if (same) return lane;
    }
    return undefined;
  }

  /** Whether the packet continues the lane's super-packet: same headers, next sequence number, room. */
  #fits(
    lane: Lane,
    at: number,
    v4: boolean,
    transport: number,
    headerOctets: number,
    payloadOctets: number,
    sequence: number,
  ): boolean {
    const { u8, view } = this.#arena;
    const other = lane.at;
    if (
      lane.closed || lane.headerOctets !== headerOctets || lane.packets === VECTORS ||
      payloadOctets > lane.segmentOctets || lane.octets + payloadOctets > SUPER_OCTETS
    ) return false;
    const sameIp = v4
      ? u8[at + IPV4.TOS] === u8[other + IPV4.TOS] && u8[at + IPV4.TTL] === u8[other + IPV4.TTL] &&
        u8[at + IPV4.FRAGMENT] === u8[other + IPV4.FRAGMENT]
      : view.getInt32(at) === view.getInt32(other) && u8[at + IPV6.HOP_LIMIT] === u8[other + IPV6.HOP_LIMIT];
    if (!sameIp || !lane.tcp) return sameIp;
    const first = other + lane.ipOctets;
    if (sequence !== lane.nextSequence) return false;
    if (view.getInt32(transport + TCP.ACKNOWLEDGEMENT) !== view.getInt32(first + TCP.ACKNOWLEDGEMENT)) return false;
    for (let i = TCP.OCTETS; i < headerOctets - lane.ipOctets; i += 4) {
      if (view.getInt32(transport + i) !== view.getInt32(first + i)) return false;
    }
    return true;
  }

  /** A wrong inner checksum must reach the receiver as it is, not be repaired by segmentation. */
  #sumIsRight(at: number, octets: number, v4: boolean, ipOctets: number, tcp: boolean): boolean {
    if (!tcp && v4 && this.#arena.view.getUint16(at + ipOctets + UDP.CHECKSUM) === 0) return false;
    // The addresses of the pseudo-header lie just before what is summed.
    const from = v4 ? IPV4.SOURCE : IPV6.SOURCE;
    const protocol = swap16(tcp ? IP_PROTOCOL.TCP : IP_PROTOCOL.UDP);
    return fold(this.#sums.sum(at + from, octets - from, protocol) + swap16(octets - ipOctets)) === 0xffff;
  }

  #freeLane(): Lane {
    const lanes = this.#lanes;
    for (let i = 0; i < LANES; i++) if (lanes[i].packets === 0) return lanes[i];
    this.#victim = (this.#victim + 1) % LANES;
    this.#write(lanes[this.#victim]);
    return lanes[this.#victim];
  }

  #setVector(vectorAt: number, at: number, octets: number): void {
    const { u32, baseNumber } = this.#arena;
    const pointer = baseNumber + at;
    const word = vectorAt >> 2;
    u32[word] = pointer >>> 0;
    u32[word + 1] = pointer / 4294967296 | 0;
    u32[word + 2] = octets;
    u32[word + 3] = 0;
  }

  #writeAlone(at: number, octets: number, protocol: number): void {
    const { u8 } = this.#arena;
    const vnet = at - VNET_OCTETS;
    for (let i = 0; i < VNET_OCTETS; i++) u8[vnet + i] = 0;
    if (this.#tun.write(vnet, octets + VNET_OCTETS) < 0) this.#options.lost?.(protocol, 1);
  }

  #write(lane: Lane): void {
    const { u8, view } = this.#arena;
    const { packets, at, octets, ipOctets, tcp } = lane;
    lane.packets = 0;
    this.#busy--;
    if (packets === 1) return this.#writeAlone(at, octets, lane.protocol);
    const vnet = at - VNET_OCTETS;
    const v4 = ipOctets === IPV4.OCTETS;
    u8[vnet + VNET.FLAGS] = NEEDS_SUM;
    u8[vnet + VNET.GSO_TYPE] = tcp ? (v4 ? GSO.TCP_V4 : GSO.TCP_V6) : GSO.UDP;
    view.setUint16(vnet + VNET.HEADER_OCTETS, lane.headerOctets, true);
    view.setUint16(vnet + VNET.GSO_OCTETS, lane.segmentOctets, true);
    view.setUint16(vnet + VNET.SUM_START, ipOctets, true);
    view.setUint16(vnet + VNET.SUM_OFFSET, tcp ? TCP.CHECKSUM : UDP.CHECKSUM, true);
    const transportOctets = octets - ipOctets;
    if (v4) {
      view.setUint16(at + IPV4.TOTAL_LENGTH, octets);
      view.setUint16(at + IPV4.CHECKSUM, 0);
      view.setUint16(at + IPV4.CHECKSUM, ~this.#sums.sum(at, IPV4.OCTETS, 0) & 0xffff, true);
    } else view.setUint16(at + IPV6.PAYLOAD_LENGTH, transportOctets);
    if (!tcp) view.setUint16(at + ipOctets + UDP.LENGTH, transportOctets);
    // NEEDS_SUM: the field holds the pseudo-header's sum, the kernel adds the rest of each segment.
    const pseudo = v4 ? this.#sums.sum(at + IPV4.SOURCE, 8, 0) : this.#sums.sum(at + IPV6.SOURCE, 32, 0);
    const sum = fold(pseudo + swap16(tcp ? IP_PROTOCOL.TCP : IP_PROTOCOL.UDP) + swap16(transportOctets));
    view.setUint16(at + ipOctets + (tcp ? TCP.CHECKSUM : UDP.CHECKSUM), sum, true);
    if (this.#tun.writev(lane.vectorsAt, packets) < 0) this.#options.lost?.(lane.protocol, packets);
  }

  /** Writes everything collected. */
  flush(): void {
    if (this.#busy === 0) return;
    const lanes = this.#lanes;
    for (let i = 0; i < LANES; i++) if (lanes[i].packets) this.#write(lanes[i]);
  }
}
