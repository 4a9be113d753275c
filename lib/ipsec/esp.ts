/** ESP (RFC 2406): SPI, sequence number, IV, encrypted data with its trailer, ICV. @module */
import { disclose, enclose, place, writeUdpChecksum } from "./outer.ts";
import { DROP, type Packet } from "./packet.ts";
import type { Sa, Transform } from "./sa.ts";
import { PROTOCOL } from "./types.ts";

/** Offset of the sequence number. */
const SEQUENCE_AT = 4;
/** Pad length and next header. */
export const TRAILER_OCTETS = 2;

/**
 * Appends padding, pad length and next header at `endAt`, so that what starts at `dataAt` fills whole blocks.
 *
 * @returns the new end.
 */
export function writeTrailer(view: DataView, sa: Sa, dataAt: number, endAt: number, nextHeader: number): number {
  const padding = -(endAt - dataAt + TRAILER_OCTETS) & sa.blockOctets - 1;
  if (sa.randomPadding && padding > 0) sa.crypto.random(endAt, padding);
  else for (let i = 0; i < padding; i++) view.setUint8(endAt + i, i + 1);
  view.setUint16(endAt + padding, padding << 8 | nextHeader);
  return endAt + padding + TRAILER_OCTETS;
}

/**
 * Length of the data before the trailer that ends at `endAt`; -1 when the pad length or, where it is checked, the padding
 * is wrong (RFC 2406 2.4).
 */
export function dataOctets(view: DataView, dataAt: number, endAt: number, checkContent: boolean): number {
  const padding = view.getUint8(endAt - TRAILER_OCTETS);
  const octets = endAt - TRAILER_OCTETS - padding - dataAt;
  if (octets < 0) return -1;
  if (checkContent) {
    const paddingAt = dataAt + octets;
    for (let i = 0; i < padding; i++) if (view.getUint8(paddingAt + i) !== i + 1) return -1;
  }
  return octets;
}

/** Octets of header, blocks and ICV around `data` octets; the inverse is {@linkcode maxData}. */
export function securedOctets(sa: Sa, data: number): number {
  return sa.headOctets + (data + TRAILER_OCTETS + sa.blockOctets - 1 & -sa.blockOctets) + sa.icvOctets;
}

export function maxData(sa: Sa, octets: number): number {
  return (octets - sa.headOctets - sa.icvOctets & -sa.blockOctets) - TRAILER_OCTETS;
}

export const esp: Transform = {
  encapsulate({ view }, sa, packet: Packet) {
    // RFC 2406 3.3.3: with anti-replay the counter must not cycle.
    const sequence = sa.sequence + 1 | 0;
    if (sequence === 0 && sa.replay !== null) return DROP.sequence;
    const drop = place(view, sa, packet);
    if (drop !== 0) return drop;
    const dataAt = packet.payloadAt;
    const espAt = dataAt - sa.headOctets;
    const icvAt = writeTrailer(view, sa, dataAt, packet.at + packet.octets, packet.nextHeader);
    if (!enclose(view, sa, packet, espAt, icvAt + sa.icvOctets, PROTOCOL.ESP)) return DROP.tooBig;
    sa.sequence = sequence;
    view.setInt32(espAt, sa.spi);
    view.setInt32(espAt + SEQUENCE_AT, sequence);
    sa.protection.protect(view, sa, espAt, dataAt, icvAt);
    if (sa.udpPort !== 0) writeUdpChecksum(view, packet);
    return DROP.none;
  },

  decapsulate({ view }, sa, packet) {
    const espAt = packet.securityAt;
    const endAt = packet.at + packet.octets;
    const dataAt = espAt + sa.headOctets;
    const icvAt = endAt - sa.icvOctets;
    if (packet.protocol !== PROTOCOL.ESP) return DROP.wrongProtocol;
    if (icvAt - dataAt < sa.blockOctets) return DROP.short;
    if ((icvAt - dataAt & sa.blockOctets - 1) !== 0) return DROP.badLength;
    const sequence = view.getInt32(espAt + SEQUENCE_AT);
    if (sa.replay !== null) {
      const drop = sa.replay.check(sequence);
      if (drop !== 0) return drop;
    }
    const drop = sa.protection.unprotect(view, sa, espAt, dataAt, icvAt);
    if (drop !== 0) return drop;
    if (sa.replay !== null) sa.replay.mark(sequence);
    const octets = dataOctets(view, dataAt, icvAt, !sa.randomPadding);
    if (octets < 0) return DROP.badPadding;
    return disclose(view, sa, packet, dataAt, octets, view.getUint8(icvAt - 1));
  },

  securedOctets,
  maxData,
};
