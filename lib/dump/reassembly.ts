/** Fragments of IPv4 and IPv6 put together, within bounds, so that what they carry can be shown. @module */
import { writeHeaderChecksum } from "../ip/checksum.ts";
import { IPV4, IPV6 } from "../ip/headers.ts";
import type { HeaderWalk } from "../ip/walk.ts";
import type { Bytes } from "../octets/bytes.ts";

/** Packets that wait for fragments at the same time; the oldest is forgotten first. */
const MOST_PACKETS = 64;
const MOST_OCTETS = 65535;
const MOST_PIECES = 128;

/** Where a fragment belongs. */
export interface FragmentFacts {
  readonly identification: number;
  readonly offset: number;
  readonly more: boolean;
  /** Octets of data. */
  readonly octets: number;
}

interface Waiting {
  readonly pieces: Map<number, Uint8Array>;
  header?: Uint8Array;
  total?: number;
}

/** What the headers of a fragment say; `walk` has walked `packet`. */
export function fragmentFacts(packet: Uint8Array, walk: HeaderWalk): FragmentFacts {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  const octets = walk.octets - dataAt(packet, walk);
  if (walk.family === 4) {
    const bits = view.getUint16(IPV4.FRAGMENT);
    return {
      identification: view.getUint16(IPV4.IDENTIFICATION),
      offset: walk.fragmentOffset,
      more: (bits & IPV4.MF) !== 0,
      octets,
    };
  }
  const at = fragmentHeaderAt(packet, walk);
  return {
    identification: view.getUint32(at + 4),
    offset: walk.fragmentOffset,
    more: (view.getUint16(at + 2) & 1) !== 0,
    octets,
  };
}

/** Offset of the IPv6 fragment header, which the walk has seen. */
function fragmentHeaderAt(packet: Uint8Array, walk: HeaderWalk): number {
  let next = packet[IPV6.NEXT_HEADER];
  let at: number = IPV6.OCTETS;
  while (next !== 44 && at < walk.payloadAt) {
    next = packet[at];
    at += (packet[at + 1] + 1) << 3;
  }
  return at;
}

/** Where the data of a fragment begin; of IPv6 extension headers may be among them. */
const dataAt = (packet: Uint8Array, walk: HeaderWalk) =>
  walk.family === 4 ? walk.payloadAt : fragmentHeaderAt(packet, walk) + IPV6.FRAGMENT_OCTETS;

/** Collects fragments. Knows no time: a packet is forgotten when too many others wait. */
export class Reassembler {
  readonly #waiting = new Map<string, Waiting>();

  /** Takes a fragment; returns the whole packet when this was the last missing one. */
  add(packet: Uint8Array, walk: HeaderWalk): Bytes | undefined {
    const facts = fragmentFacts(packet, walk);
    const [from, addressOctets] = walk.family === 4 ? [IPV4.SOURCE, 4] : [IPV6.SOURCE, 16];
    const ends = packet.subarray(from, from + 2 * addressOctets);
    const key = `${ends} ${walk.family === 4 ? walk.protocol : ""} ${facts.identification}`;
    let waiting = this.#waiting.get(key);
    if (!waiting) {
      if (this.#waiting.size === MOST_PACKETS) this.#waiting.delete(this.#waiting.keys().next().value!);
      this.#waiting.set(key, waiting = { pieces: new Map() });
    }
    const { offset, octets, more } = facts;
    if (offset + octets > MOST_OCTETS || waiting.pieces.size === MOST_PIECES) {
      this.#waiting.delete(key);
      return undefined;
    }
    waiting.pieces.set(offset, packet.slice(dataAt(packet, walk), walk.octets));
    if (offset === 0) waiting.header = wholeHeader(packet, walk);
    if (!more) waiting.total = offset + octets;
    const whole = join(waiting);
    if (whole) this.#waiting.delete(key);
    return whole;
  }
}

/** The first fragment's header without what made it a fragment. */
function wholeHeader(packet: Uint8Array, walk: HeaderWalk): Uint8Array {
  if (walk.family === 4) return packet.slice(0, walk.payloadAt);
  const at = fragmentHeaderAt(packet, walk);
  const header = packet.slice(0, at);
  // Whoever named the fragment header now names what it named.
  let nextAt: number = IPV6.NEXT_HEADER;
  for (let here: number = IPV6.OCTETS; here < at; here += (packet[here + 1] + 1) << 3) nextAt = here;
  header[nextAt] = packet[at];
  return header;
}

function join({ pieces, header, total }: Waiting): Bytes | undefined {
  if (!header || total === undefined) return undefined;
  const data = new Uint8Array(total);
  let end = 0;
  for (const [offset, piece] of [...pieces].sort(([a], [b]) => a - b)) {
    if (offset > end || offset + piece.length > total) return undefined;
    data.set(piece, offset);
    end = Math.max(end, offset + piece.length);
  }
  if (end < total || header.length + total > MOST_OCTETS) return undefined;
  const packet = new Uint8Array(header.length + total);
  packet.set(header);
  packet.set(data, header.length);
  const view = new DataView(packet.buffer);
  if (header[0] >> 4 === 4) {
    view.setUint16(IPV4.TOTAL_LENGTH, packet.length);
    view.setUint16(IPV4.FRAGMENT, 0);
    writeHeaderChecksum(view, 0, header.length);
  } else view.setUint16(IPV6.PAYLOAD_LENGTH, packet.length - IPV6.OCTETS);
  return packet;
}

/** `(frag 4711:1480@0+)`: identification, octets, offset, more to come. */
export const formatFragment = ({ identification, octets, offset, more }: FragmentFacts): string =>
  `(frag ${identification}:${octets}@${offset}${more ? "+" : ""})`;
