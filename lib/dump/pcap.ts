/** pcap files: what tcpdump and Wireshark read and write (draft-ietf-opsawg-pcap). @module */
import { Builder } from "../octets/builder.ts";
import { type Bytes, concat } from "../octets/bytes.ts";

/** LINKTYPE_RAW: a packet starts with its IP header. */
export const LINKTYPE_RAW = 101;
const MAGIC = { MICROSECONDS: 0xa1b2c3d4, NANOSECONDS: 0xa1b23c4d } as const;
/** First word of a pcapng file, the same in both byte orders. */
const PCAPNG = 0x0a0d0d0a;
const HEADER_OCTETS = 24;
const RECORD_OCTETS = 16;
const SNAPSHOT_OCTETS = 262144;

/** A file that is no pcap file, or one that is damaged. */
export class PcapError extends Error {
  override name = "PcapError";
}

/** A captured frame. */
export interface Frame {
  /** Seconds since the epoch, with fraction. */
  readonly time: number;
  /** LINKTYPE number. */
  readonly linkType: number;
  readonly octets: Uint8Array;
  /** Octets the frame had on the wire; more than were captured when it was cut. */
  readonly wireOctets: number;
}

/** The header of a pcap file of IP packets. */
export function pcapHeader(): Bytes {
  return new Builder().u32(MAGIC.MICROSECONDS).u16(2).u16(4).u32(0).u32(0).u32(SNAPSHOT_OCTETS).u32(LINKTYPE_RAW)
    .finish();
}

/** A pcap record. @param time seconds since the epoch, with fraction */
export function pcapRecord(time: number, packet: Uint8Array): Bytes {
  const microseconds = Math.round(time * 1e6);
  const seconds = Math.floor(microseconds / 1e6);
  return new Builder().u32(seconds).u32(microseconds - seconds * 1e6).u32(packet.length).u32(packet.length)
    .bytes(packet).finish();
}

interface Format {
  readonly littleEndian: boolean;
  readonly ticks: number;
  readonly linkType: number;
}

function formatOf(view: DataView): Format {
  const first = view.getUint32(0);
  if (first === PCAPNG) throw new PcapError(`this is pcapng: "editcap -F pcap IN OUT" makes it pcap`);
  for (const littleEndian of [false, true]) {
    const magic = view.getUint32(0, littleEndian);
    if (magic !== MAGIC.MICROSECONDS && magic !== MAGIC.NANOSECONDS) continue;
    // The upper bits of the link type's word say something about frame check sequences.
    const linkType = view.getUint32(20, littleEndian) & 0xffff;
    return { littleEndian, ticks: magic === MAGIC.NANOSECONDS ? 1e9 : 1e6, linkType };
  }
  throw new PcapError(`this is no pcap file: it begins with 0x${first.toString(16).padStart(8, "0")}`);
}

/** Takes a file piece by piece, both byte orders, micro- and nanoseconds. */
export class PcapReader {
  #rest: Uint8Array = new Uint8Array(0);
  #format: Format | undefined;

  /** Octets that wait for more. */
  get pending(): number {
    return this.#rest.length;
  }

  /** The frames that are complete now. @throws {PcapError} */
  push(piece: Uint8Array): Frame[] {
    const octets = this.#rest.length ? concat(this.#rest, piece) : piece;
    const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
    let at = 0;
    if (!this.#format) {
      if (octets.length < HEADER_OCTETS) {
        this.#rest = octets;
        return [];
      }
      this.#format = formatOf(view);
      at = HEADER_OCTETS;
    }
    const { littleEndian, ticks, linkType } = this.#format;
    const frames: Frame[] = [];
    while (octets.length - at >= RECORD_OCTETS) {
      const captured = view.getUint32(at + 8, littleEndian);
      if (captured > SNAPSHOT_OCTETS) {
        throw new PcapError(`a frame of ${captured} octets: ${SNAPSHOT_OCTETS} are the most; the file is damaged`);
      }
      if (octets.length - at - RECORD_OCTETS < captured) break;
      const start = at + RECORD_OCTETS;
      frames.push({
        time: view.getUint32(at, littleEndian) + view.getUint32(at + 4, littleEndian) / ticks,
        linkType,
        octets: octets.slice(start, start + captured),
        wireOctets: view.getUint32(at + 12, littleEndian),
      });
      at = start + captured;
    }
    this.#rest = octets.slice(at);
    return frames;
  }

  /** Says what is wrong with the end of the file. @throws {PcapError} when it is cut off, or was none */
  end(): void {
    if (!this.#format) throw new PcapError("this is no pcap file: it is too short");
    if (this.#rest.length) throw new PcapError("the file is cut off within a frame");
  }
}
