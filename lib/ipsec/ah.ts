/** AH (RFC 2402; GMAC per RFC 4543): authentication of the whole packet, its IP header included. @module */
import { authenticate, verify } from "./ah_icv.ts";
import { writeIv } from "./esp_protection.ts";
import { disclose, enclose, place } from "./outer.ts";
import { DROP, type Packet } from "./packet.ts";
import type { Transform } from "./sa.ts";
import { PROTOCOL } from "./types.ts";

/** Next header, length, reserved, SPI, sequence number. */
const FIXED_OCTETS = 12;
const LENGTH_AT = 1;
const SPI_AT = 4;
const SEQUENCE_AT = 8;

export const ah: Transform = {
  encapsulate({ view }, sa, packet: Packet) {
    packet.bare = false;
    const sequence = sa.sequence + 1 | 0;
    if (sequence === 0 && sa.replay !== null) return DROP.sequence;
    const drop = place(view, sa, packet);
    if (drop !== 0) return drop;
    if (packet.tunnelled && !sa.sourceKnown) return DROP.noRoute;
    const { headOctets } = sa;
    const endAt = packet.at + packet.octets;
    const ahAt = packet.payloadAt - headOctets;
    if (!enclose(view, sa, packet, ahAt, endAt, PROTOCOL.AH)) return DROP.tooBig;
    sa.sequence = sequence;
    view.setInt32(ahAt, packet.nextHeader << 24 | (headOctets >> 2) - 2 << 16);
    view.setInt32(ahAt + SPI_AT, sa.spi);
    view.setInt32(ahAt + SEQUENCE_AT, sequence);
    for (let i = FIXED_OCTETS; i < headOctets; i += 4) view.setInt32(ahAt + i, 0);
    if (sa.ivOctets !== 0) writeIv(view, sa, ahAt + FIXED_OCTETS);
    return authenticate(view, sa, packet, ahAt, ahAt + FIXED_OCTETS + sa.ivOctets, false);
  },

  decapsulate({ view }, sa, packet) {
    if (packet.protocol !== PROTOCOL.AH || packet.bare) return DROP.wrongProtocol;
    const ahAt = packet.securityAt;
    const octets = packet.at + packet.octets - ahAt;
    const exact = FIXED_OCTETS + sa.ivOctets + sa.icvOctets;
    if (octets < exact) return DROP.short;
    // IPv6 asks for a multiple of 8 octets, but OpenBSD does not fill up to it: both are good.
    const ahOctets = view.getUint8(ahAt + LENGTH_AT) + 2 << 2;
    if ((ahOctets !== exact && ahOctets !== sa.headOctets) || ahOctets > octets) return DROP.badLength;
    const sequence = view.getInt32(ahAt + SEQUENCE_AT);
    if (sa.replay !== null) {
      const drop = sa.replay.check(sequence);
      if (drop !== 0) return drop;
    }
    const drop = verify(view, sa, packet, ahAt, ahAt + FIXED_OCTETS + sa.ivOctets, false);
    if (drop !== 0) return drop;
    if (sa.replay !== null) sa.replay.mark(sequence);
    return disclose(view, sa, packet, ahAt + ahOctets, octets - ahOctets, view.getUint8(ahAt));
  },

  securedOctets: (sa, data) => sa.headOctets + data,
  maxData: (sa, octets) => octets - sa.headOctets,
};
