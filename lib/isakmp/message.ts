/** ISAKMP messages: the header and the chain of payloads (RFC 2408 3.1, 3.2). Encryption is not of this layer. @module */
import { Builder } from "../octets/builder.ts";
import { type Bytes, concat } from "../octets/bytes.ts";
import { Reader } from "../octets/reader.ts";
import { decoding, IsakmpError } from "./error.ts";
import { FLAG, nameOf, PAYLOAD } from "./numbers.ts";
import { LAYOUTS, MOST_PER_MESSAGE } from "./payloads.ts";

export const HEADER_OCTETS = 28;
/** Major and minor version, RFC 2408 3.1. */
export const VERSION = 0x10;
const COOKIE_OCTETS = 8;
const GENERIC_HEADER_OCTETS = 4;
const MOST_PAYLOADS = 100;
/** Where a datagram of several fragments ends. */
export const MOST_MESSAGE_OCTETS = 65535;

export interface Header {
  readonly initiatorCookie: Bytes;
  /** Eight zeros in the first message of phase 1. */
  readonly responderCookie: Bytes;
  /** Type of the first payload. */
  readonly nextPayload: number;
  readonly exchange: number;
  readonly flags: number;
  /** 0 in phase 1. */
  readonly messageId: number;
}

/** A payload: its type and what follows its generic header. Of a received one that is a part of the message, not a copy. */
export interface Payload {
  readonly type: number;
  readonly body: Bytes;
}

/** A datagram after its header was read. `body` may be encrypted. */
export interface Received {
  readonly header: Header;
  readonly body: Uint8Array;
}

export const isEncrypted = (header: Header): boolean => (header.flags & FLAG.ENCRYPTION) !== 0;

/**
 * The header and the octets that its length field covers; a longer datagram is cut.
 *
 * @throws {IsakmpError} on a datagram that is too short, another version, unknown flags, a cookie of zeros.
 */
export function decodeHeader(datagram: Uint8Array): Received {
  return decoding("header", () => {
    const reader = new Reader(datagram);
    const initiatorCookie = reader.copy(COOKIE_OCTETS, "initiator cookie");
    const responderCookie = reader.copy(COOKIE_OCTETS, "responder cookie");
    const nextPayload = reader.u8("next payload");
    const version = reader.u8("version");
    const exchange = reader.u8("exchange type");
    const flags = reader.u8("flags");
    const messageId = reader.u32("message ID");
    const length = reader.u32("length");
    if (version >> 4 !== VERSION >> 4) {
      throw new IsakmpError("INVALID_MAJOR_VERSION", `header: version ${version >> 4}.${version & 15}, 1.0 allowed`);
    }
    if (flags & ~(FLAG.ENCRYPTION | FLAG.COMMIT | FLAG.AUTH_ONLY)) {
      throw new IsakmpError("INVALID_FLAGS", `header: flags 0x${flags.toString(16)}, 0x0 to 0x7 allowed`);
    }
    if (initiatorCookie.every((octet) => octet === 0)) {
      throw new IsakmpError("INVALID_COOKIE", "header: initiator cookie is zero");
    }
    if (length < HEADER_OCTETS || length > datagram.length) {
      throw new IsakmpError(
        "UNEQUAL_PAYLOAD_LENGTHS",
        `header: length ${length}, ${HEADER_OCTETS} to ${datagram.length} possible`,
      );
    }
    return {
      header: { initiatorCookie, responderCookie, nextPayload, exchange, flags, messageId },
      body: datagram.subarray(HEADER_OCTETS, length),
    };
  });
}

/** What a chain of payloads holds, and how many of its octets it takes; the rest is padding. */
export interface Chain {
  readonly payloads: Payload[];
  readonly octets: number;
}

/**
 * The payloads of a body in clear, the first of type `first`. Unknown types below 128 are refused, private ones kept.
 *
 * @throws {IsakmpError}
 */
export function decodePayloads(first: number, body: Uint8Array): Chain {
  return decoding("payloads", () => {
    const reader = new Reader(body);
    const payloads: Payload[] = [];
    const counts = new Map<number, number>();
    for (let type = first; type !== PAYLOAD.NONE;) {
      if (payloads.length === MOST_PAYLOADS) {
        throw new IsakmpError("PAYLOAD_MALFORMED", `more than ${MOST_PAYLOADS} payloads`);
      }
      const name = nameOf(PAYLOAD, type);
      if (!LAYOUTS.has(type) && type < 128) {
        throw new IsakmpError("INVALID_PAYLOAD_TYPE", `payload type ${type} is not allowed here`);
      }
      const count = (counts.get(type) ?? 0) + 1;
      if (LAYOUTS.has(type) && count > (MOST_PER_MESSAGE.get(type) ?? 1)) {
        throw new IsakmpError("PAYLOAD_MALFORMED", `more than ${count - 1} ${name} payloads`);
      }
      counts.set(type, count);
      const next = reader.u8(`${name} payload`);
      reader.skip(1, `${name} payload`); // RFC 2408 3.2 wants zero; nothing is gained by insisting
      const length = reader.u16(`${name} payload`);
      if (length < GENERIC_HEADER_OCTETS) {
        throw new IsakmpError("PAYLOAD_MALFORMED", `${name} payload of ${length} octets, at least 4 needed`);
      }
      payloads.push({ type, body: reader.take(length - GENERIC_HEADER_OCTETS, `${name} payload`) as Bytes });
      type = next;
    }
    return { payloads, octets: reader.at };
  });
}

/** Payloads with their generic headers. */
export function encodePayloads(payloads: readonly Payload[]): Bytes {
  const builder = new Builder();
  payloads.forEach(({ body }, i) => {
    builder.u8(payloads[i + 1]?.type ?? PAYLOAD.NONE).u8(0).sized(2, () => void builder.bytes(body), 4);
  });
  return builder.finish();
}

/** The header for a body of `bodyOctets` octets. */
export function encodeHeader(header: Header, bodyOctets: number): Bytes {
  return new Builder()
    .bytes(header.initiatorCookie, header.responderCookie)
    .u8(header.nextPayload).u8(VERSION).u8(header.exchange).u8(header.flags)
    .u32(header.messageId).u32(HEADER_OCTETS + bodyOctets)
    .finish();
}

/** A whole message in clear. `nextPayload` of the header is ignored: the payloads decide. */
export function encodeMessage(header: Header, payloads: readonly Payload[]): Bytes {
  const body = encodePayloads(payloads);
  return concat(encodeHeader({ ...header, nextPayload: payloads[0]?.type ?? PAYLOAD.NONE }, body.length), body);
}

/** The bodies of all payloads of a type. */
export const bodiesOf = (payloads: readonly Payload[], type: number): Bytes[] =>
  payloads.filter((payload) => payload.type === type).map((payload) => payload.body);

/** The body of the first payload of a type. */
export const bodyOf = (payloads: readonly Payload[], type: number): Bytes | undefined =>
  payloads.find((payload) => payload.type === type)?.body;
