/** IP in IP (RFC 2003, RFC 4213 for IPv6): tunnelling without security. @module */
import { IP_PROTOCOL, IPV4, IPV6 } from "../ip/headers.ts";
import { sameAddressAt } from "../ip/words.ts";
import { disclose, enclose, place } from "./outer.ts";
import { DROP, type Packet } from "./packet.ts";
import type { Sa, Transform } from "./sa.ts";
import { PROTOCOL } from "./types.ts";

/** Whether the packet is already what this SA makes of packets: it would go round for ever (RFC 2003 3.2). */
function loops(view: DataView, sa: Sa, packet: Packet): boolean {
  const { at, octets } = packet;
  if (octets < IPV4.OCTETS || view.getUint8(at) >> 4 !== sa.family) return false;
  const v4 = sa.family === 4;
  const protocol = v4 ? view.getUint8(at + IPV4.PROTOCOL) : view.getUint8(at + IPV6.NEXT_HEADER);
  return (protocol === IP_PROTOCOL.IPIP || protocol === IP_PROTOCOL.IPV6) && (v4 || octets >= IPV6.OCTETS) &&
    sameAddressAt(view, at + (v4 ? IPV4.SOURCE : IPV6.SOURCE), sa.family, sa.source) &&
    sameAddressAt(view, at + (v4 ? IPV4.DESTINATION : IPV6.DESTINATION), sa.family, sa.destination);
}

export const ipip: Transform = {
  encapsulate({ view }, sa, packet) {
    packet.bare = false;
    if (loops(view, sa, packet)) return DROP.looping;
    const drop = place(view, sa, packet);
    if (drop !== 0) return drop;
    const inner = packet.payloadAt;
    const lifeAt = inner + (packet.nextHeader === IP_PROTOCOL.IPIP ? IPV4.TTL : IPV6.HOP_LIMIT);
    if (view.getUint8(lifeAt) === 0) return DROP.malformedHeader;
    return enclose(view, sa, packet, inner, packet.at + packet.octets, packet.nextHeader) ? DROP.none : DROP.tooBig;
  },

  decapsulate({ view }, sa, packet) {
    const innerAt = packet.securityAt;
    if (packet.protocol !== PROTOCOL.IPIP) return DROP.wrongProtocol;
    const octets = packet.at + packet.octets - innerAt;
    return disclose(view, sa, packet, innerAt, octets, view.getUint8(packet.nextHeaderAt));
  },

  securedOctets: (_sa, data) => data,
  maxData: (_sa, octets) => octets,
};
