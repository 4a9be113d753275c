/** The packet log of `-l`, `-L` and `p on`: ISAKMP messages in clear as a pcap file, for tcpdump and Wireshark. @module */
import { fold, pseudoSum, sum, writeHeaderChecksum } from "../ip/checksum.ts";
import type { Address } from "../ip/address.ts";
import { Builder } from "../octets/builder.ts";
import type { Bytes } from "../octets/bytes.ts";

interface Endpoint {
  readonly address: Address;
  readonly port: number;
}

const MAGIC = 0xa1b2c3d4;
/** LINKTYPE_RAW: the packet starts with its IP header. */
const LINKTYPE_RAW = 101;
const SNAPSHOT_OCTETS = 65535;
const UDP = 17;
const UDP_HEADER_OCTETS = 8;
const NAT_PORT = 4500;
const HOP_LIMIT = 64;
const NON_ESP_MARKER = new Uint8Array(4);

/** The header of a pcap file. */
export function pcapHeader(): Bytes {
  return new Builder().u32(MAGIC).u16(2).u16(4).u32(0).u32(0).u32(SNAPSHOT_OCTETS).u32(LINKTYPE_RAW).finish();
}

/** An IP packet with `payload` in UDP. On port 4500 the non-ESP marker is put in front (RFC 3948 2.2). */
export function udpPacket(from: Endpoint, to: Endpoint, payload: Uint8Array): Bytes {
  const marked = from.port === NAT_PORT || to.port === NAT_PORT;
  const length = UDP_HEADER_OCTETS + payload.length + (marked ? NON_ESP_MARKER.length : 0);
  const packet = new Builder();
  const v4 = from.address.family === 4;
  if (v4) packet.u8(0x45).u8(0).u16(20 + length).u16(0).u16(0x4000).u8(HOP_LIMIT).u8(UDP).u16(0);
  else packet.u32(0x60000000).u16(length).u8(UDP).u8(HOP_LIMIT);
  packet.bytes(from.address.octets, to.address.octets);
  const udpAt = packet.length;
  packet.u16(from.port).u16(to.port).u16(length).u16(0);
  if (marked) packet.bytes(NON_ESP_MARKER);
  const octets = packet.bytes(payload).finish();
  const view = new DataView(octets.buffer);
  if (v4) writeHeaderChecksum(view, 0, 20);
  const addressOctets = from.address.octets.length;
  const pseudo = pseudoSum(view, from.address.family, udpAt - 2 * addressOctets, udpAt - addressOctets, UDP, length);
  view.setUint16(udpAt + 6, ~fold(sum(view, udpAt, length, pseudo)) & 0xffff || 0xffff);
  return octets;
}

/** A pcap record. @param time seconds since the epoch, with fraction */
export function pcapRecord(time: number, packet: Uint8Array): Bytes {
  const seconds = Math.floor(time);
  return new Builder().u32(seconds).u32(Math.floor((time - seconds) * 1e6)).u32(packet.length).u32(packet.length)
    .bytes(packet).finish();
}

/** A file that the log is written to, mode 0600; an old one is overwritten. */
export class PacketLog implements Disposable {
  readonly #file: Deno.FsFile;

  /** @throws when the file cannot be written, or is something else than a regular file */
  constructor(readonly path: string) {
    try {
      if (!Deno.lstatSync(path).isFile) throw new Error(`${path}: found no regular file, allowed one or nothing`);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    this.#file = Deno.openSync(path, { write: true, create: true, truncate: true, mode: 0o600 });
    Deno.chmodSync(path, 0o600);
    this.#write(pcapHeader());
  }

  write(from: Endpoint, to: Endpoint, message: Uint8Array): void {
    this.#write(pcapRecord(Date.now() / 1000, udpPacket(from, to, message)));
  }

  #write(octets: Uint8Array): void {
    for (let at = 0; at < octets.length;) at += this.#file.writeSync(octets.subarray(at));
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}
