/** Old ESP (RFC 1827 with RFC 1829, 1851): SPI, a 32- or 64-bit IV, encrypted data; no sequence number, no ICV. @module */
import { dataOctets, maxData, securedOctets, writeTrailer } from "./esp.ts";
import { disclose, enclose, place, writeUdpChecksum } from "./outer.ts";
import { DROP, type Packet } from "./packet.ts";
import type { Sa, Transform } from "./sa.ts";
import { SCRATCH } from "./scratch.ts";
import { PROTOCOL } from "./types.ts";

const IV_AT = 4;
const HALF_HEAD_OCTETS = IV_AT + 4;

/** Place of the 64-bit IV: in the packet, or expanded from 32 bits as the half and its complement (RFC 1829 2). */
function expandIv(view: DataView, sa: Sa, espAt: number): number {
  if (sa.headOctets !== HALF_HEAD_OCTETS) return espAt + IV_AT;
  const ivAt = sa.scratchAt + SCRATCH.IV;
  const half = view.getInt32(espAt + IV_AT);
  view.setInt32(ivAt, half);
  view.setInt32(ivAt + 4, ~half);
  return ivAt;
}

export const oldEsp: Transform = {
  encapsulate({ view }, sa, packet: Packet) {
    const drop = place(view, sa, packet);
    if (drop !== 0) return drop;
    const dataAt = packet.payloadAt;
    const espAt = dataAt - sa.headOctets;
    const endAt = writeTrailer(view, sa, dataAt, packet.at + packet.octets, packet.nextHeader);
    if (!enclose(view, sa, packet, espAt, endAt, PROTOCOL.ESP)) return DROP.tooBig;
    view.setInt32(espAt, sa.spi);
    sa.crypto.random(espAt + IV_AT, sa.headOctets - IV_AT);
    sa.cipher!.encrypt(expandIv(view, sa, espAt), dataAt, endAt - dataAt);
    if (sa.udpPort !== 0) writeUdpChecksum(view, packet);
    return DROP.none;
  },

  decapsulate({ view }, sa, packet) {
    const espAt = packet.securityAt;
    const endAt = packet.at + packet.octets;
    const dataAt = espAt + sa.headOctets;
    if (packet.protocol !== PROTOCOL.ESP) return DROP.wrongProtocol;
    if (endAt - dataAt < sa.blockOctets) return DROP.short;
    if ((endAt - dataAt & sa.blockOctets - 1) !== 0) return DROP.badLength;
    sa.cipher!.decrypt(expandIv(view, sa, espAt), dataAt, endAt - dataAt);
    const octets = dataOctets(view, dataAt, endAt, false);
    if (octets < 0) return DROP.badPadding;
    return disclose(view, sa, packet, dataAt, octets, view.getUint8(endAt - 1));
  },

  securedOctets,
  maxData,
};
