/** ICMP errors (RFC 792, RFC 1191, RFC 4443) written to the arena. @module */
import { isIcmpError } from "./classify.ts";
import { pseudoSum, sum, writeHeaderChecksum } from "./checksum.ts";
import { ICMP, IP_PROTOCOL, IPV4, IPV6 } from "./headers.ts";
import { HeaderWalk, walkHeaders } from "./walk.ts";

/** Largest ICMP error: RFC 1812 4.3.2.3, RFC 4443 2.4 c. */
const LIMIT = { 4: 576, 6: 1280 } as const;
/** Octets that an error may take at the place given to the writers. */
export const MAX_ERROR_OCTETS = 1280;
const HOP_LIMIT = 64;

const walk = new HeaderWalk();

/** Whether an error may be sent about the packet just walked (RFC 1122 3.2.2, RFC 4443 2.4 e). */
function mayAnswer(view: DataView, at: number): boolean {
  if (walk.fragmentOffset !== 0) return false;
  const icmp = walk.family === 4 ? IP_PROTOCOL.ICMP : IP_PROTOCOL.ICMPV6;
  if (
    walk.protocol === icmp && at + walk.octets > walk.payloadAt &&
    isIcmpError(walk.family, view.getUint8(walk.payloadAt))
  ) {
    return false;
  }
  if (walk.family === 6) return view.getUint8(at + IPV6.SOURCE) !== 0xff && view.getInt32(at + IPV6.SOURCE + 12) !== 0;
  const first = view.getUint8(at + IPV4.SOURCE);
  return first !== 0 && first < 224 && view.getUint8(at + IPV4.DESTINATION) < 224;
}

/**
 * Writes an ICMP or ICMPv6 error about the packet at `at` to `outAt` (up to {@linkcode MAX_ERROR_OCTETS}), from the
 * address at `sourceAt` to the packet's sender.
 *
 * @returns the octets written; 0 when the packet is unsound or must not be answered.
 */
export function writeIcmpError(
  view: DataView,
  at: number,
  octets: number,
  type: number,
  code: number,
  rest: number,
  sourceAt: number,
  outAt: number,
): number {
  if (!walkHeaders(view, at, octets, walk) || !mayAnswer(view, at)) return 0;
  const v4 = walk.family === 4;
  const headerOctets = v4 ? IPV4.OCTETS : IPV6.OCTETS;
  const quoted = Math.min(walk.octets, LIMIT[v4 ? 4 : 6] - headerOctets - ICMP.OCTETS);
  const total = headerOctets + ICMP.OCTETS + quoted;
  const icmpAt = outAt + headerOctets;
  const addressOctets = v4 ? 4 : 16;
  const source = v4 ? IPV4.SOURCE : IPV6.SOURCE;
  const destination = v4 ? IPV4.DESTINATION : IPV6.DESTINATION;
  if (v4) {
    view.setInt32(outAt, 0x45000000 | total);
    view.setInt32(outAt + IPV4.IDENTIFICATION, 0);
    view.setInt32(outAt + IPV4.TTL, HOP_LIMIT << 24 | IP_PROTOCOL.ICMP << 16);
  } else {
    view.setInt32(outAt, 0x60000000);
    view.setUint16(outAt + IPV6.PAYLOAD_LENGTH, ICMP.OCTETS + quoted);
    view.setUint16(outAt + IPV6.NEXT_HEADER, IP_PROTOCOL.ICMPV6 << 8 | HOP_LIMIT);
  }
  for (let i = 0; i < addressOctets; i += 4) {
    view.setInt32(outAt + source + i, view.getInt32(sourceAt + i));
    view.setInt32(outAt + destination + i, view.getInt32(at + source + i));
  }
  view.setUint8(icmpAt + ICMP.TYPE, type);
  view.setUint8(icmpAt + ICMP.CODE, code);
  view.setUint16(icmpAt + ICMP.CHECKSUM, 0);
  view.setInt32(icmpAt + ICMP.REST, rest);
  for (let i = 0; i < quoted; i++) view.setUint8(icmpAt + ICMP.OCTETS + i, view.getUint8(at + i));
  const icmpOctets = ICMP.OCTETS + quoted;
  const initial = v4 ? 0 : pseudoSum(view, 6, outAt + source, outAt + destination, IP_PROTOCOL.ICMPV6, icmpOctets);
  view.setUint16(icmpAt + ICMP.CHECKSUM, ~sum(view, icmpAt, icmpOctets, initial) & 0xffff);
  if (v4) writeHeaderChecksum(view, outAt, IPV4.OCTETS);
  return total;
}

/**
 * "Fragmentation needed" (type 3 code 4, RFC 1191) or "packet too big" (type 2, RFC 4443), by the packet's version: the
 * largest packet that would get through is `mtu`. Arguments and result as {@linkcode writeIcmpError}.
 */
export function writeTooBig(
  view: DataView,
  at: number,
  octets: number,
  mtu: number,
  sourceAt: number,
  outAt: number,
): number {
  const v6 = octets > 0 && view.getUint8(at) >> 4 === 6;
  return writeIcmpError(view, at, octets, v6 ? 2 : 3, v6 ? 0 : 4, mtu, sourceAt, outAt);
}
