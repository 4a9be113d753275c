/**
 * The frames of `ike.sock`. The engine owns UDP 4500; it hands IKE datagrams (RFC 3948 2.2, non-ESP marker removed) to key
 * management over this stream socket and sends what comes back. Frames go both ways, one after the other:
 *
 * ```
 * 0  u32  length of what follows
 * 4  u8   kind: 1 an IKE datagram (the engine adds and removes the marker), 2 a NAT keepalive (sent as one octet 0xFF),
 *         3 authenticated ESP for the local address came from elsewhere than its SA says (from the engine only)
 * 5  u8   IP version, 4 or 6
 * 6       local address (4 or 16 octets), u16 local port
 *         remote address (4 or 16 octets), u16 remote port
 *         the datagram (kind 2: nothing; kind 3: the SPI, u32)
 * ```
 *
 * "Local" and "remote" are the engine's view in both directions. The engine accepts several clients and gives every
 * datagram to each; a frame it cannot read ends that connection.
 *
 * @module
 */
import { type Address, address } from "../ip/address.ts";
import { Builder } from "../octets/builder.ts";
import { type Bytes, concat } from "../octets/bytes.ts";
import { DecodeError, Reader } from "../octets/reader.ts";

/** One end of a UDP datagram. */
export interface RelayEndpoint {
  readonly address: Address;
  readonly port: number;
}

/** A datagram on UDP 4500. `octets` starts with the ISAKMP header; empty for a keepalive, the SPI of a peer that moved. */
export interface RelayedDatagram {
  readonly kind: keyof typeof KINDS;
  readonly local: RelayEndpoint;
  readonly remote: RelayEndpoint;
  readonly octets: Uint8Array;
}

const KINDS = { ike: 1, keepalive: 2, moved: 3 } as const;
const LENGTH_OCTETS = 4;
/** The largest UDP datagram with the largest header of ours. */
const FRAME_LIMIT = 65535 + 38;

/** The frame of one datagram. */
export function encodeRelayed({ kind, local, remote, octets }: RelayedDatagram): Bytes {
  const frame = new Builder();
  frame.sized(4, () => {
    frame.u8(KINDS[kind]).u8(local.address.family);
    for (const end of [local, remote]) frame.bytes(end.address.octets).u16(end.port);
    frame.bytes(octets);
  });
  return frame.finish();
}

/** @throws {DecodeError} */
function decodeBody(body: Uint8Array): RelayedDatagram {
  const reader = new Reader(body);
  const kind = reader.u8("kind");
  const family = reader.u8("IP version");
  const name = (Object.keys(KINDS) as (keyof typeof KINDS)[]).find((each) => KINDS[each] === kind);
  if (!name) throw new DecodeError(`relay frame: kind ${kind}, 1 to 3 allowed`);
  if (family !== 4 && family !== 6) throw new DecodeError(`relay frame: IP version ${family}, 4 or 6 allowed`);
  const end = (): RelayEndpoint => ({
    address: address(reader.copy(family === 4 ? 4 : 16, "address")),
    port: reader.u16("port"),
  });
  const local = end();
  const remote = end();
  return { kind: name, local, remote, octets: reader.rest().slice() };
}

/** Puts frames together from a stream that comes in pieces. */
export class RelayReader {
  #pending: Uint8Array = new Uint8Array(0);

  /** The datagrams that are complete after these octets. @throws {DecodeError} when the stream is no relay stream. */
  push(octets: Uint8Array): RelayedDatagram[] {
    this.#pending = concat(this.#pending, octets);
    const complete: RelayedDatagram[] = [];
    while (this.#pending.length >= LENGTH_OCTETS) {
      const length = new Reader(this.#pending).u32();
      if (length > FRAME_LIMIT) throw new DecodeError(`relay frame: ${length} octets, at most ${FRAME_LIMIT} allowed`);
      if (this.#pending.length < LENGTH_OCTETS + length) break;
      complete.push(decodeBody(this.#pending.subarray(LENGTH_OCTETS, LENGTH_OCTETS + length)));
      this.#pending = this.#pending.subarray(LENGTH_OCTETS + length);
    }
    return complete;
  }
}
