/** Finding the security header of an arriving packet. @module */
import { IP_PROTOCOL, IPV4, IPV6, UDP } from "../ip/headers.ts";
import { HeaderWalk, walkHeaders } from "../ip/walk.ts";
import type { Arena } from "../octets/arena.ts";
import { DROP, type Packet } from "./packet.ts";
import { PROTOCOL } from "./types.ts";

const walk = new HeaderWalk();
/** ESP: SPI and at least the octets of a sequence number or half IV; AH: its fixed part without sequence number. */
const MIN_OCTETS = 8;

/**
 * Fills in what `packet` says about its security header: `securityAt`, `protocol`, `spi`, outer addresses. The packet may
 * start with an IP header, with UDP between it and ESP (RFC 3948), or, when `bare`, with ESP itself.
 *
 * @returns 0; `malformedHeader`, `fragment` (it must be reassembled first), `short`, `wrongProtocol` (no security header)
 * or `badSpi` (0: over UDP that is IKE).
 */
export function locate(arena: Arena, packet: Packet): number {
  const view = arena.view;
  const at = packet.at;
  if (packet.bare) {
    packet.securityAt = at;
    packet.protocol = PROTOCOL.ESP;
    packet.nextHeaderAt = 0;
    if (packet.octets < MIN_OCTETS) return DROP.short;
    packet.spi = view.getInt32(at);
    return packet.spi === 0 ? DROP.badSpi : DROP.none;
  }
  if (!walkHeaders(view, at, packet.octets, walk)) return DROP.malformedHeader;
  const v4 = walk.family === 4;
  packet.octets = walk.octets;
  packet.family = walk.family;
  packet.sourceAt = at + (v4 ? IPV4.SOURCE : IPV6.SOURCE);
  packet.destinationAt = at + (v4 ? IPV4.DESTINATION : IPV6.DESTINATION);
  packet.headerEnd = packet.securityAt = walk.payloadAt;
  packet.nextHeaderAt = walk.nextHeaderAt;
  packet.protocol = walk.protocol;
  packet.spi = 0;
  if (walk.fragment) return DROP.fragment;
  const octets = at + walk.octets - walk.payloadAt;
  switch (walk.protocol) {
    case IP_PROTOCOL.IPIP:
      return DROP.none;
    case IP_PROTOCOL.IPV6:
      packet.protocol = PROTOCOL.IPIP;
      return DROP.none;
    case IP_PROTOCOL.UDP: {
      if (octets < UDP.OCTETS + MIN_OCTETS) return DROP.short;
      const udpOctets = view.getUint16(walk.payloadAt + UDP.LENGTH);
      if (udpOctets > octets || udpOctets < UDP.OCTETS + MIN_OCTETS) return DROP.short;
      packet.protocol = PROTOCOL.ESP;
      packet.securityAt += UDP.OCTETS;
      packet.octets -= octets - udpOctets;
      packet.spi = view.getInt32(packet.securityAt);
      break;
    }
    case IP_PROTOCOL.ESP:
      if (octets < MIN_OCTETS) return DROP.short;
      packet.spi = view.getInt32(walk.payloadAt);
      break;
    case IP_PROTOCOL.AH:
      if (octets < MIN_OCTETS) return DROP.short;
      packet.spi = view.getInt32(walk.payloadAt + 4);
      break;
    default:
      return DROP.wrongProtocol;
  }
  return packet.spi === 0 ? DROP.badSpi : DROP.none;
}
