/** The IP header as AH authenticates it: mutable fields zero, predictable ones as the receiver sees them. @module */
import { IP_PROTOCOL, IPV4, IPV6 } from "../ip/headers.ts";

/** IPv4 options that stay as they are (RFC 2402 appendix A1): the others are zeroed whole. */
const IMMUTABLE = new Uint8Array(256);
for (const type of [0, 1, 130, 133, 134, 148, 149]) IMMUTABLE[type] = 1;
/** What OpenBSD's old AH leaves: the security options. */
const IMMUTABLE_OLD = new Uint8Array(256);
for (const type of [130, 133, 134]) IMMUTABLE_OLD[type] = 1;

const END_OF_LIST = 0, NO_OPERATION = 1, LOOSE_ROUTE = 131, STRICT_ROUTE = 137;
/** Bit of an IPv6 option type: its data may change on the way (RFC 8200 4.2). */
const MUTABLE_OPTION = 0x20;

function options4(view: DataView, at: number, headerOctets: number, immutable: Uint8Array): boolean {
  const end = at + headerOctets;
  let here = at + IPV4.OCTETS;
  while (here < end) {
    const type = view.getUint8(here);
    if (type === END_OF_LIST) return true;
    if (type === NO_OPERATION) {
      if (!immutable[type]) view.setUint8(here, 0);
      here++;
      continue;
    }
    if (here + 2 > end) return false;
    const octets = view.getUint8(here + 1);
    if (octets < 2 || here + octets > end) return false;
    if ((type === LOOSE_ROUTE || type === STRICT_ROUTE) && octets >= 7 && view.getUint8(here + 2) <= octets) {
      // Hops are left: the last one is where the packet ends up.
      view.setInt32(at + IPV4.DESTINATION, view.getInt32(here + octets - 4));
    }
    if (!immutable[type]) { for (let i = 0; i < octets; i++) view.setUint8(here + i, 0); }
    here += octets;
  }
  return true;
}

/**
 * Normalizes the IPv4 header of `headerOctets` octets at `at` in place (RFC 2402 3.3.3.1.1). `old`: as OpenBSD does for
 * RFC 1826, which keeps DF. False when an option's length is wrong.
 */
export function normalizeV4(view: DataView, at: number, headerOctets: number, old: boolean): boolean {
  view.setUint8(at + IPV4.TOS, 0);
  view.setUint16(at + IPV4.FRAGMENT, old ? view.getUint16(at + IPV4.FRAGMENT) & IPV4.DF : 0);
  view.setUint8(at + IPV4.TTL, 0);
  view.setUint16(at + IPV4.CHECKSUM, 0);
  return headerOctets === IPV4.OCTETS || options4(view, at, headerOctets, old ? IMMUTABLE_OLD : IMMUTABLE);
}

/** Zeroes the data of options that may change, in a hop-by-hop or destination options header. */
function options6(view: DataView, at: number, octets: number): boolean {
  const end = at + octets;
  let here = at + 2;
  while (here < end) {
    const type = view.getUint8(here);
    if (type === 0) {
      here++;
      continue;
    }
    if (here + 2 > end) return false;
    const data = view.getUint8(here + 1);
    if (here + 2 + data > end) return false;
    if (type & MUTABLE_OPTION) { for (let i = 0; i < data; i++) view.setUint8(here + 2 + i, 0); }
    here += 2 + data;
  }
  return true;
}

/** Rearranges a type 0 routing header and the destination as the last hop leaves them (RFC 2402 3.3.3.1.2.3). */
function routing(view: DataView, at: number, here: number, octets: number): boolean {
  const left = view.getUint8(here + 3);
  if (left === 0) return true;
  const addresses = octets - 8 >> 4;
  if (view.getUint8(here + 2) !== 0 || left > addresses || (octets - 8 & 15) !== 0) return false;
  for (let i = addresses - left; i < addresses; i++) {
    for (let word = 0; word < 16; word += 4) {
      const destinationAt = at + IPV6.DESTINATION + word;
      const addressAt = here + 8 + 16 * i + word;
      const hop = view.getInt32(destinationAt);
      view.setInt32(destinationAt, view.getInt32(addressAt));
      view.setInt32(addressAt, hop);
    }
  }
  view.setUint8(here + 3, 0);
  return true;
}

/**
 * Normalizes an IPv6 header and its extension headers, `headerOctets` octets in all, in place (RFC 2402 3.3.3.1.2).
 * False when an option or routing header is not as it should be.
 */
export function normalizeV6(view: DataView, at: number, headerOctets: number): boolean {
  view.setInt32(at, 0x60000000);
  view.setUint8(at + IPV6.HOP_LIMIT, 0);
  const end = at + headerOctets;
  let protocol = view.getUint8(at + IPV6.NEXT_HEADER);
  let here = at + IPV6.OCTETS;
  while (here < end) {
    const octets = (view.getUint8(here + 1) + 1) << 3;
    if (octets > end - here) return false;
    if (protocol === IP_PROTOCOL.ROUTING) {
      if (!routing(view, at, here, octets)) return false;
    } else if (protocol === IP_PROTOCOL.HOP_BY_HOP || protocol === IP_PROTOCOL.DESTINATION) {
      if (!options6(view, here, octets)) return false;
    } else return false;
    protocol = view.getUint8(here);
    here += octets;
  }
  return true;
}
