/** From an IP header to what it carries: one bounded walk for all who ask, over untrusted octets. @module */
import { IP_PROTOCOL, IPV4, IPV6 } from "./headers.ts";

/** Extension headers beyond this many are taken for an attack. */
const MAX_EXTENSIONS = 16;

/** What {@linkcode walkHeaders} found. Reuse one object. */
export class HeaderWalk {
  family = 0;
  /** Length of the packet by its own header; at most the octets given. */
  octets = 0;
  /** Protocol of what is at `payloadAt`. */
  protocol = 0;
  /** Offset after the IP header, its options or extension headers. */
  payloadAt = 0;
  /** Offset of the octet that holds `protocol`. */
  nextHeaderAt = 0;
  /** A fragment header, or MF or an offset in IPv4. */
  fragment = false;
  /** In octets; not 0: `payloadAt` is no transport header. */
  fragmentOffset = 0;
  /**
   * Where a transport-mode header goes (RFC 2402 3.1.1, RFC 2406 3.1.1): after hop-by-hop, routing and the destination
   * options between them; in IPv4 `payloadAt`. `insertNextHeaderAt` names what is there now.
   */
  insertAt = 0;
  insertNextHeaderAt = 0;
  /** Offset of an IPv6 routing header; 0: none. */
  routingAt = 0;
}

function walk4(view: DataView, at: number, octets: number, walk: HeaderWalk): boolean {
  if (octets < IPV4.OCTETS) return false;
  const headerOctets = (view.getUint8(at) & 15) << 2;
  const total = view.getUint16(at + IPV4.TOTAL_LENGTH);
  if (headerOctets < IPV4.OCTETS || total < headerOctets || total > octets) return false;
  const fragment = view.getUint16(at + IPV4.FRAGMENT);
  walk.family = 4;
  walk.octets = total;
  walk.protocol = view.getUint8(at + IPV4.PROTOCOL);
  walk.payloadAt = walk.insertAt = at + headerOctets;
  walk.nextHeaderAt = walk.insertNextHeaderAt = at + IPV4.PROTOCOL;
  walk.fragment = (fragment & (IPV4.MF | IPV4.OFFSET_MASK)) !== 0;
  walk.fragmentOffset = (fragment & IPV4.OFFSET_MASK) << 3;
  walk.routingAt = 0;
  return true;
}

function walk6(view: DataView, at: number, octets: number, walk: HeaderWalk): boolean {
  if (octets < IPV6.OCTETS) return false;
  const total = IPV6.OCTETS + view.getUint16(at + IPV6.PAYLOAD_LENGTH);
  if (total > octets) return false;
  const end = at + total;
  walk.family = 6;
  walk.octets = total;
  walk.fragment = false;
  walk.fragmentOffset = 0;
  walk.routingAt = 0;
  let nextHeaderAt = at + IPV6.NEXT_HEADER;
  let here = at + IPV6.OCTETS;
  walk.insertAt = here;
  walk.insertNextHeaderAt = nextHeaderAt;
  for (let count = 0; count <= MAX_EXTENSIONS; count++) {
    const protocol = view.getUint8(nextHeaderAt);
    const fragment = protocol === IP_PROTOCOL.FRAGMENT;
    const extension = protocol === IP_PROTOCOL.HOP_BY_HOP || protocol === IP_PROTOCOL.ROUTING ||
      protocol === IP_PROTOCOL.DESTINATION;
    if (!(fragment || extension) || (walk.fragmentOffset !== 0)) {
      walk.protocol = protocol;
      walk.payloadAt = here;
      walk.nextHeaderAt = nextHeaderAt;
      return true;
    }
    if (end - here < 8) return false;
    const headerOctets = fragment ? IPV6.FRAGMENT_OCTETS : (view.getUint8(here + 1) + 1) << 3;
    if (headerOctets > end - here) return false;
    if (fragment) {
      walk.fragment = true;
      walk.fragmentOffset = view.getUint16(here + 2) & 0xfff8;
    }
    if (protocol === IP_PROTOCOL.ROUTING) walk.routingAt = here;
    nextHeaderAt = here;
    here += headerOctets;
    if (protocol === IP_PROTOCOL.HOP_BY_HOP || protocol === IP_PROTOCOL.ROUTING) {
      walk.insertAt = here;
      walk.insertNextHeaderAt = nextHeaderAt;
    }
  }
  return false;
}

/**
 * Walks the headers of the packet at `at`, of which `octets` octets are there. False when it is not a sound IPv4 or IPv6
 * packet: wrong version, lengths that do not fit, too many extension headers. Never throws; reads nothing beyond the
 * packet.
 */
export function walkHeaders(view: DataView, at: number, octets: number, walk: HeaderWalk): boolean {
  if (octets < IPV4.OCTETS) return false;
  const version = view.getUint8(at) >> 4;
  return version === 4 ? walk4(view, at, octets, walk) : version === 6 && walk6(view, at, octets, walk);
}
