/** Fragmentation of packets that this host built: outer packets larger than the path takes. @module */
import { writeHeaderChecksum } from "./checksum.ts";
import { IP_PROTOCOL, IPV4, IPV6 } from "./headers.ts";
import { HeaderWalk, walkHeaders } from "./walk.ts";

/** Takes one finished fragment; it must be sent or copied before the call returns. */
export type Emit = (at: number, octets: number) => void;

const walk = new HeaderWalk();

/** Octets of data in each fragment but the last, 0 when that is impossible. */
function chunkOctets(mtu: number, headerOctets: number): number {
  const chunk = mtu - headerOctets & ~7;
  // Each header is written over the end of the fragment before it, whose own header must stay readable meanwhile.
  return chunk >= headerOctets ? chunk : 0;
}

/** Drops options that only the first fragment carries (RFC 791 3.1: copied flag 0) and pads; returns the new length. */
function reduceOptions(view: DataView, at: number, headerOctets: number): number {
  let from = at + IPV4.OCTETS;
  let to = from;
  const end = at + headerOctets;
  while (from < end) {
    const type = view.getUint8(from);
    if (type === 0) break;
    const octets = type === 1 ? 1 : from + 1 < end ? view.getUint8(from + 1) : 0;
    if (octets < 1 || (type !== 1 && octets < 2) || octets > end - from) break;
    if (type & 0x80) { for (let i = 0; i < octets; i++) view.setUint8(to++, view.getUint8(from + i)); }
    from += octets;
  }
  while (to - at & 3) view.setUint8(to++, 0);
  return to - at;
}

function fragment4(bytes: Uint8Array, view: DataView, at: number, octets: number, mtu: number, emit: Emit): number {
  const first = walk.payloadAt - at;
  const bits = view.getUint16(at + IPV4.FRAGMENT);
  const chunk = chunkOctets(mtu, first);
  if (chunk === 0 || bits & IPV4.DF) return 0;
  const end = at + octets;
  let headerAt = at;
  let headerOctets = first;
  let dataAt = at + first;
  let offset = bits & IPV4.OFFSET_MASK;
  let count = 0;
  while (dataAt < end) {
    const data = Math.min(chunk, end - dataAt);
    const more = dataAt + data < end ? IPV4.MF : bits & IPV4.MF;
    view.setUint16(headerAt + IPV4.TOTAL_LENGTH, headerOctets + data);
    view.setUint16(headerAt + IPV4.FRAGMENT, more | offset);
    writeHeaderChecksum(view, headerAt, headerOctets);
    emit(headerAt, headerOctets + data);
    count++;
    offset += data >> 3;
    dataAt += data;
    if (dataAt >= end) break;
    if (count === 1 && headerOctets > IPV4.OCTETS) {
      headerOctets = reduceOptions(view, headerAt, headerOctets);
      view.setUint8(headerAt, 0x40 | headerOctets >> 2);
    }
    bytes.copyWithin(dataAt - headerOctets, headerAt, headerAt + headerOctets);
    headerAt = dataAt - headerOctets;
  }
  return count;
}

function fragment6(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  octets: number,
  mtu: number,
  identification: number,
  emit: Emit,
): number {
  const kept = walk.insertAt - at;
  const headerOctets = kept + IPV6.FRAGMENT_OCTETS;
  const chunk = chunkOctets(mtu, headerOctets);
  if (chunk === 0) return 0;
  const end = at + octets;
  let dataAt = walk.insertAt;
  const nextHeader = view.getUint8(walk.insertNextHeaderAt);
  view.setUint8(walk.insertNextHeaderAt, IP_PROTOCOL.FRAGMENT);
  let headerAt = at - IPV6.FRAGMENT_OCTETS;
  bytes.copyWithin(headerAt, at, at + kept);
  let offset = 0;
  let count = 0;
  while (dataAt < end) {
    const data = Math.min(chunk, end - dataAt);
    const fragmentAt = headerAt + kept;
    view.setUint16(headerAt + IPV6.PAYLOAD_LENGTH, headerOctets - IPV6.OCTETS + data);
    view.setUint8(fragmentAt, nextHeader);
    view.setUint8(fragmentAt + 1, 0);
    view.setUint16(fragmentAt + 2, offset | (dataAt + data < end ? 1 : 0));
    view.setInt32(fragmentAt + 4, identification);
    emit(headerAt, headerOctets + data);
    count++;
    offset += data;
    dataAt += data;
    if (dataAt >= end) break;
    bytes.copyWithin(dataAt - headerOctets, headerAt, headerAt + headerOctets);
    headerAt = dataAt - headerOctets;
  }
  return count;
}

/**
 * Cuts the packet at `at` into fragments of at most `mtu` octets, in place: each is emitted in order and then partly
 * overwritten. A packet that fits is emitted as it is. IPv6 gets fragment headers with `identification` and needs 8
 * octets before the packet.
 *
 * @returns the number of fragments; 0 when it cannot be cut: DF is set, it is unsound, it already has a fragment header
 * (IPv6), or `mtu` leaves too little room (less than two headers and 8 octets).
 */
export function fragment(
  view: DataView,
  at: number,
  octets: number,
  mtu: number,
  identification: number,
  emit: Emit,
): number {
  if (!walkHeaders(view, at, octets, walk)) return 0;
  if (walk.octets <= mtu) {
    emit(at, walk.octets);
    return 1;
  }
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  if (walk.family === 4) return fragment4(bytes, view, at, walk.octets, mtu, emit);
  return walk.fragment ? 0 : fragment6(bytes, view, at, walk.octets, mtu, identification, emit);
}
