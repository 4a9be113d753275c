/** Old AH (RFC 1826 with the keyed hashes of RFC 1828 and 1852): no sequence number, the whole digest. @module */
import { authenticate, verify } from "./ah_icv.ts";
import { disclose, enclose, place } from "./outer.ts";
import { DROP, type Packet } from "./packet.ts";
import type { Transform } from "./sa.ts";
import { PROTOCOL } from "./types.ts";

/** Next header, length of the digest in words, reserved, SPI. */
const FIXED_OCTETS = 8;
const LENGTH_AT = 1;
const SPI_AT = 4;

export const oldAh: Transform = {
  encapsulate({ view }, sa, packet: Packet) {
    packet.bare = false;
    const drop = place(view, sa, packet);
    if (drop !== 0) return drop;
    if (packet.tunnelled && !sa.sourceKnown) return DROP.noRoute;
    const endAt = packet.at + packet.octets;
    const ahAt = packet.payloadAt - sa.headOctets;
    if (!enclose(view, sa, packet, ahAt, endAt, PROTOCOL.AH)) return DROP.tooBig;
    view.setInt32(ahAt, packet.nextHeader << 24 | sa.icvOctets >> 2 << 16);
    view.setInt32(ahAt + SPI_AT, sa.spi);
    for (let i = FIXED_OCTETS; i < sa.headOctets; i += 4) view.setInt32(ahAt + i, 0);
    return authenticate(view, sa, packet, ahAt, ahAt + FIXED_OCTETS, true);
  },

  decapsulate({ view }, sa, packet) {
    if (packet.protocol !== PROTOCOL.AH || packet.bare) return DROP.wrongProtocol;
    const ahAt = packet.securityAt;
    const octets = packet.at + packet.octets - ahAt;
    if (octets < sa.headOctets) return DROP.short;
    if (view.getUint8(ahAt + LENGTH_AT) << 2 !== sa.icvOctets) return DROP.badLength;
    const drop = verify(view, sa, packet, ahAt, ahAt + FIXED_OCTETS, true);
    if (drop !== 0) return drop;
    return disclose(view, sa, packet, ahAt + sa.headOctets, octets - sa.headOctets, view.getUint8(ahAt));
  },

  securedOctets: (sa, data) => sa.headOctets + data,
  maxData: (sa, octets) => octets - sa.headOctets,
};
