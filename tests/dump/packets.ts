// Packets for these tests, built from words.
import { udpPacket } from "../../lib/daemon/packet_log.ts";
import { type Address, parseAddress } from "../../lib/ip/address.ts";
import { writeHeaderChecksum } from "../../lib/ip/checksum.ts";
import { NO_LIMIT, type SaParameters } from "../../lib/ipsec/types.ts";
import { Builder } from "../../lib/octets/builder.ts";
import type { Bytes } from "../../lib/octets/bytes.ts";
import { parseHex } from "../../lib/octets/hex.ts";
import { see, type Seen } from "../../lib/dump/seen.ts";
import type { PacketVector } from "../vectors/ipsec_packets.ts";

export const WEST = "192.168.5.1";
export const EAST = "192.168.25.9";

/** An IP packet around `payload`. */
export function ipPacket(from: string, to: string, protocol: number, payload: Uint8Array, more = 0): Bytes {
  const [source, destination] = [from, to].map(parseAddress);
  const packet = new Builder();
  if (source.family === 4) {
    packet.u8(0x45).u8(0).u16(20 + payload.length).u16(4711).u16(more).u8(64).u8(protocol).u16(0);
  } else packet.u32(0x60000000).u16(payload.length).u8(protocol).u8(64);
  const octets = packet.bytes(source.octets, destination.octets, payload).finish();
  if (source.family === 4) writeHeaderChecksum(new DataView(octets.buffer), 0, 20);
  return octets;
}

const end = (text: string): { address: Address; port: number } => {
  const at = text.lastIndexOf(".");
  return { address: parseAddress(text.slice(0, at)), port: Number(text.slice(at + 1)) };
};

/** A UDP packet between `192.0.2.1.500` and the like; on port 4500 the non-ESP marker is put in front. */
export const udp = (from: string, to: string, payload: Uint8Array): Bytes => udpPacket(end(from), end(to), payload);

/** ESP: SPI, sequence number, and so many octets in all. */
export function esp(spi: number, sequence: number, octets = 116): Bytes {
  return new Builder().u32(spi).u32(sequence).zeros(octets - 8).finish();
}

/** AH with a 12-octet ICV around `inner`. */
export function ah(next: number, spi: number, sequence: number, inner: Uint8Array): Bytes {
  return new Builder().u8(next).u8(4).u16(0).u32(spi).u32(sequence).zeros(12).bytes(inner).finish();
}

export const ECHO_REQUEST = parseHex("0800000000010002aaaaaaaa");

/** `see`, for packets that are sound. */
export function seen(packet: Uint8Array): Seen {
  const found = see(packet);
  if (!found) throw new Error("no sound IP packet");
  return found;
}

/** The SA of a packet vector. */
export function saOf(vector: PacketVector): SaParameters {
  const key = (hex: string | undefined) => hex === undefined ? undefined : parseHex(hex);
  return {
    protocol: vector.protocol,
    spi: vector.spi,
    source: parseAddress(vector.source),
    destination: parseAddress(vector.destination),
    encryption: vector.encryption,
    encryptionKey: key(vector.encryptionKey),
    authentication: vector.authentication,
    authenticationKey: key(vector.authenticationKey),
    tunnel: vector.tunnel ?? false,
    oldHeader: false,
    halfIv: false,
    randomPadding: false,
    replayWindow: 0,
    hard: NO_LIMIT,
    soft: NO_LIMIT,
    ...vector.more,
  };
}
