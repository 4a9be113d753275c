/** The packet log of `-l`, `-L` and `p on`: ISAKMP messages in clear as a pcap file, for tcpdump and Wireshark. @module */
import { fold, pseudoSum, sum, writeHeaderChecksum } from "../ip/checksum.ts";
import { pcapHeader, pcapRecord } from "../dump/pcap.ts";
import type { Address } from "../ip/address.ts";
import { Builder } from "../octets/builder.ts";
import type { Bytes } from "../octets/bytes.ts";

interface Endpoint {
  readonly address: Address;
  readonly port: number;
}

const UDP = 17;
const UDP_HEADER_OCTETS = 8;
const NAT_PORT = 4500;
const HOP_LIMIT = 64;
const NON_ESP_MARKER = new Uint8Array(4);

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
