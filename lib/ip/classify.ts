/** The 5-tuple of a packet, for policies and caches. @module */
import { IP_PROTOCOL, IPV4, IPV6 } from "./headers.ts";
import { FRAGMENT, TUPLE } from "./tuple.ts";
import { HeaderWalk, walkHeaders } from "./walk.ts";

/** Protocols whose header starts with source and destination port. */
const HAS_PORTS = new Uint8Array(256);
for (const protocol of ["TCP", "UDP", "DCCP", "SCTP", "UDPLITE"] as const) HAS_PORTS[IP_PROTOCOL[protocol]] = 1;

/** Whether packets of an IP protocol begin with ports. */
export const hasPorts = (protocol: number): boolean => HAS_PORTS[protocol] !== 0;

const ownWalk = new HeaderWalk();

/** Writes addresses, protocol, ports and fragment flag of a packet whose headers have been walked. */
export function fillTuple(view: DataView, at: number, walk: HeaderWalk, tuple: Int32Array): void {
  const family = walk.family;
  tuple[TUPLE.FAMILY] = family;
  if (family === 4) {
    tuple[TUPLE.SOURCE] = view.getInt32(at + IPV4.SOURCE);
    tuple[TUPLE.DESTINATION] = view.getInt32(at + IPV4.DESTINATION);
    for (let i = 1; i < 4; i++) tuple[TUPLE.SOURCE + i] = tuple[TUPLE.DESTINATION + i] = 0;
  } else {
    for (let i = 0; i < 4; i++) {
      tuple[TUPLE.SOURCE + i] = view.getInt32(at + IPV6.SOURCE + 4 * i);
      tuple[TUPLE.DESTINATION + i] = view.getInt32(at + IPV6.DESTINATION + 4 * i);
    }
  }
  tuple[TUPLE.PROTOCOL] = walk.protocol;
  const portsFollow = hasPorts(walk.protocol) && walk.fragmentOffset === 0 &&
    at + walk.octets - walk.payloadAt >= 4;
  tuple[TUPLE.SOURCE_PORT] = portsFollow ? view.getUint16(walk.payloadAt) : 0;
  tuple[TUPLE.DESTINATION_PORT] = portsFollow ? view.getUint16(walk.payloadAt + 2) : 0;
  tuple[TUPLE.FRAGMENT] = !walk.fragment ? FRAGMENT.NONE : portsFollow ? FRAGMENT.FIRST : FRAGMENT.LATER;
}

/** The tuple of the packet at `at`; false (and the tuple unspecified) when it is no sound IP packet. Never throws. */
export function classify(view: DataView, at: number, octets: number, tuple: Int32Array): boolean {
  if (!walkHeaders(view, at, octets, ownWalk)) return false;
  fillTuple(view, at, ownWalk, tuple);
  return true;
}

/** ICMP types that are errors and quote a packet: RFC 792 (3, 4, 5, 11, 12); ICMPv6 errors are below 128. */
export function isIcmpError(family: number, type: number): boolean {
  return family === 4 ? type === 3 || type === 4 || type === 5 || type === 11 || type === 12 : type < 128;
}

/**
 * The tuple of the packet that an ICMP error quotes (RFC 2401 5.2.1 judges the error by it). False when the packet at
 * `at` is no ICMP error or quotes too little. A quote is usually cut off, so its length field may be larger.
 */
export function classifyQuoted(view: DataView, at: number, octets: number, tuple: Int32Array): boolean {
  if (!walkHeaders(view, at, octets, ownWalk) || ownWalk.fragment) return false;
  const { family, payloadAt } = ownWalk;
  if (ownWalk.protocol !== (family === 4 ? IP_PROTOCOL.ICMP : IP_PROTOCOL.ICMPV6)) return false;
  const quoted = at + ownWalk.octets - payloadAt - 8;
  if (quoted < IPV4.OCTETS || !isIcmpError(family, view.getUint8(payloadAt))) return false;
  const inner = payloadAt + 8;
  const lengthAt = inner + (family === 4 ? IPV4.TOTAL_LENGTH : IPV6.PAYLOAD_LENGTH);
  const length = view.getUint16(lengthAt);
  const fixed = family === 4 ? 0 : IPV6.OCTETS;
  if (view.getUint8(inner) >> 4 !== family || quoted < fixed) return false;
  view.setUint16(lengthAt, Math.min(length, quoted - fixed));
  const sound = walkHeaders(view, inner, quoted, ownWalk);
  if (sound) fillTuple(view, inner, ownWalk, tuple);
  view.setUint16(lengthAt, length);
  return sound;
}
