/**
 * What the kernel leaves to us when it hands over a packet with offloads: finishing one checksum, or cutting a TCP or UDP
 * super-packet of up to 64 KiB into packets. Each segment is copied and summed in one go to where it will be encrypted.
 *
 * @module
 */
import { IP_PROTOCOL, IPV4, IPV6, TCP, UDP } from "../ip/headers.ts";
import type { Arena } from "../octets/arena.ts";
import { fold, type Sums, swap16 } from "./sums.ts";
import { GSO, NEEDS_SUM, VNET, VNET_OCTETS } from "./vnet.ts";

/** Cuts one packet as read from the TUN device into segments; one object serves all packets. */
export class Segmenter {
  /** Segments of the packet given to {@linkcode begin}. */
  count = 0;
  /** Octets of every segment but the last, and of the last. */
  segmentOctets = 0;
  lastOctets = 0;

  readonly #arena: Arena;
  readonly #sums: Sums;
  #at = 0;
  #total = 0;
  #version = 4;
  #ipOctets = 0;
  #headerOctets = 0;
  #payloadOctets = 0;
  #tcp = false;
  #sequence = 0;
  #flags = 0;
  #identification = 0;
  #ipSum = 0;
  #transportSum = 0;

  constructor(arena: Arena, sums: Sums) {
    this.#arena = arena;
    this.#sums = sums;
  }

  /**
   * Takes the packet whose vnet header is at `vnetAt`, `octets` octets with it. The packet's own checksum is finished in
   * place when it needs no cutting.
   *
   * @returns false when the header and the packet contradict each other; nothing can be sent then
   */
  begin(vnetAt: number, octets: number): boolean {
    const { u8, view } = this.#arena;
    const at = this.#at = vnetAt + VNET_OCTETS;
    const total = this.#total = octets - VNET_OCTETS;
    this.#headerOctets = 0;
    if (total < IPV4.OCTETS) return false;
    const type = u8[vnetAt + VNET.GSO_TYPE] & ~GSO.ECN;
    if (type === GSO.NONE) {
      this.count = 1;
      this.segmentOctets = this.lastOctets = total;
      if ((u8[vnetAt + VNET.FLAGS] & NEEDS_SUM) === 0) return true;
      const start = view.getUint16(vnetAt + VNET.SUM_START, true);
      const field = start + view.getUint16(vnetAt + VNET.SUM_OFFSET, true);
      if (field + 2 > total) return false;
      // Finished once: the packet may be begun again, when it must take another way.
      u8[vnetAt + VNET.FLAGS] &= ~NEEDS_SUM;
      view.setUint16(at + field, ~this.#sums.sum(at + start, total - start, 0) & 0xffff, true);
      return true;
    }
    return this.#beginCutting(at, total, type, view.getUint16(vnetAt + VNET.GSO_OCTETS, true));
  }

  #beginCutting(at: number, total: number, type: number, gsoOctets: number): boolean {
    const { u8, view } = this.#arena;
    const v4 = u8[at] >>> 4 === 4;
    this.#version = v4 ? 4 : 6;
    const ipOctets = this.#ipOctets = v4 ? (u8[at] & 15) << 2 : IPV6.OCTETS;
    const tcp = this.#tcp = type === GSO.TCP_V4 || type === GSO.TCP_V6;
    if (!tcp && type !== GSO.UDP || total < ipOctets + (tcp ? TCP.OCTETS : UDP.OCTETS)) return false;
    const protocol = v4 ? u8[at + IPV4.PROTOCOL] : u8[at + IPV6.NEXT_HEADER];
    if (protocol !== (tcp ? IP_PROTOCOL.TCP : IP_PROTOCOL.UDP)) return false;
    const transport = at + ipOctets;
    const transportOctets = tcp ? u8[transport + TCP.DATA_OFFSET] >>> 4 << 2 : UDP.OCTETS;
    const headerOctets = this.#headerOctets = ipOctets + transportOctets;
    if (transportOctets < (tcp ? TCP.OCTETS : UDP.OCTETS) || headerOctets >= total || gsoOctets === 0) return false;
    this.#payloadOctets = gsoOctets;
    this.count = Math.ceil((total - headerOctets) / gsoOctets);
    this.segmentOctets = headerOctets + gsoOctets;
    this.lastOctets = total - (this.count - 1) * gsoOctets;

    // What differs between segments is zeroed, so that the sums of the rest are taken once.
    view.setUint16(transport + (tcp ? TCP.CHECKSUM : UDP.CHECKSUM), 0);
    if (tcp) {
      this.#sequence = view.getInt32(transport + TCP.SEQUENCE);
      this.#flags = u8[transport + TCP.FLAGS];
      view.setInt32(transport + TCP.SEQUENCE, 0);
      u8[transport + TCP.FLAGS] = 0;
    } else view.setUint16(transport + UDP.LENGTH, 0);
    const addresses = v4 ? IPV4.SOURCE : IPV6.SOURCE;
    const pseudo = this.#sums.sum(at + addresses, v4 ? 8 : 32, swap16(protocol));
    this.#transportSum = this.#sums.sum(transport, transportOctets, pseudo);
    if (v4) {
      this.#identification = view.getUint16(at + IPV4.IDENTIFICATION);
      view.setUint16(at + IPV4.TOTAL_LENGTH, 0);
      view.setUint16(at + IPV4.IDENTIFICATION, 0);
      view.setUint16(at + IPV4.CHECKSUM, 0);
      this.#ipSum = this.#sums.sum(at, ipOctets, 0);
    }
    return true;
  }

  /** Writes segment `index` to `to` and answers its octets. */
  write(index: number, to: number): number {
    const { u8, view } = this.#arena;
    const at = this.#at;
    if (this.#headerOctets === 0) {
      u8.copyWithin(to, at, at + this.#total);
      return this.#total;
    }
    const headerOctets = this.#headerOctets;
    const skip = index * this.#payloadOctets;
    const last = index === this.count - 1;
    const octets = last ? this.lastOctets : this.segmentOctets;
    for (let i = 0; i < headerOctets; i += 4) view.setInt32(to + i, view.getInt32(at + i, true), true);
    let sum = this.#sums.copySum(to + headerOctets, at + headerOctets + skip, octets - headerOctets, 0);
    const ipOctets = this.#ipOctets;
    const transportOctets = octets - ipOctets;
    if (this.#version === 4) {
      const identification = this.#identification + index & 0xffff;
      view.setUint16(to + IPV4.TOTAL_LENGTH, octets);
      view.setUint16(to + IPV4.IDENTIFICATION, identification);
      const ipSum = this.#ipSum + swap16(octets) + swap16(identification);
      view.setUint16(to + IPV4.CHECKSUM, ~fold(ipSum) & 0xffff, true);
    } else view.setUint16(to + IPV6.PAYLOAD_LENGTH, transportOctets);
    const transport = to + ipOctets;
    sum += this.#transportSum + swap16(transportOctets);
    if (this.#tcp) {
      // RFC 9293 3.8.6: FIN and PSH belong to the last segment; RFC 3168 6.1.2: CWR to the first.
      let flags = this.#flags;
      if (!last) flags &= ~(TCP.FIN | TCP.PSH);
      if (index > 0) flags &= ~TCP.CWR;
      const sequence = this.#sequence + skip | 0;
      view.setInt32(transport + TCP.SEQUENCE, sequence);
      u8[transport + TCP.FLAGS] = flags;
      sum += swap16(sequence >>> 16) + swap16(sequence & 0xffff) + (flags << 8);
      view.setUint16(transport + TCP.CHECKSUM, ~fold(sum) & 0xffff, true);
    } else {
      view.setUint16(transport + UDP.LENGTH, transportOctets);
      sum = ~fold(sum + swap16(transportOctets)) & 0xffff;
      view.setUint16(transport + UDP.CHECKSUM, sum === 0 ? 0xffff : sum, true);
    }
    return octets;
  }
}
