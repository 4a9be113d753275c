/** Variable Precision Integers, RFC 2522 2.3: a Size in bits in one of three forms, then the value. @module */
import type { Bytes } from "../octets/bytes.ts";
import { Builder } from "../octets/builder.ts";
import { DecodeError, Reader } from "../octets/reader.ts";

/** Sizes from here on take the 4-octet form, whose low 3 octets count from here. */
const MEDIUM_BITS = 65_280;
/** Sizes from here on take the 8-octet form, whose low 6 octets count from here. */
const LONG_BITS = 16_776_960;
/** A datagram cannot hold more; a larger Size is refused before it is used. */
const MAXIMUM_BITS = 8 * 65_535;

/** Octets of the Size field of a value of `bits` bits. */
export function sizeFieldOctets(bits: number): 2 | 4 | 8 {
  return bits < MEDIUM_BITS ? 2 : bits < LONG_BITS ? 4 : 8;
}

/** Appends a Size field. */
export function writeSize(builder: Builder, bits: number): void {
  if (bits < MEDIUM_BITS) builder.u16(bits);
  else if (bits < LONG_BITS) builder.u32((0xff000000 + (bits - MEDIUM_BITS)) >>> 0);
  else builder.u16(0xffff).u16(Math.floor((bits - LONG_BITS) / 2 ** 32)).u32((bits - LONG_BITS) % 2 ** 32);
}

/** Reads a Size field and answers the bits. @throws {DecodeError} */
export function readSize(reader: Reader, what: string): number {
  const first = reader.u8(`${what} Size`);
  const second = reader.u8(`${what} Size`);
  if (first < 255) return first << 8 | second;
  if (second < 255) return (second << 16 | reader.u16(`${what} Size`)) + MEDIUM_BITS;
  return reader.u16(`${what} Size`) * 2 ** 32 + reader.u32(`${what} Size`) + LONG_BITS;
}

/** Bits that a big-endian number needs; 0 for zero. */
export function significantBits(value: Uint8Array): number {
  const at = value.findIndex((octet) => octet !== 0);
  return at < 0 ? 0 : 8 * (value.length - at) - (Math.clz32(value[at]) - 24);
}

/** `value` without its leading zero octets. */
export function minimal(value: Uint8Array): Bytes {
  const at = value.findIndex((octet) => octet !== 0);
  return (at < 0 ? value.subarray(value.length) : value.subarray(at)).slice() as Bytes;
}

/**
 * A VPI of `bits` bits: Size and value. The value is right-justified: shorter ones get zero octets in front.
 *
 * @throws {RangeError} when the value does not fit in `bits`
 */
export function encodeVpi(value: Uint8Array, bits: number = 8 * value.length): Bytes {
  const octets = Math.ceil(bits / 8);
  if (significantBits(value) > bits) {
    throw new RangeError(`Cannot encode a value of ${significantBits(value)} bits in ${bits}`);
  }
  const builder = new Builder();
  writeSize(builder, bits);
  const used = minimal(value);
  return builder.zeros(octets - used.length).bytes(used).finish();
}

/** A decoded VPI. */
export interface Vpi {
  readonly bits: number;
  /** ceil(bits / 8) octets. */
  readonly value: Bytes;
  /** Size and value as they stood on the wire, for hashing. */
  readonly raw: Bytes;
}

/** Reads one VPI. @throws {DecodeError} on a Size beyond the datagram or unused bits that are not zero */
export function readVpi(reader: Reader, what = "value"): Vpi {
  const start = reader.at;
  const bits = readSize(reader, what);
  if (bits > MAXIMUM_BITS) throw new DecodeError(`${what}: Size ${bits} is more than a datagram holds`);
  const sizeOctets = reader.at - start;
  const value = reader.copy(Math.ceil(bits / 8), what);
  if (bits % 8 && value[0] >> bits % 8) {
    throw new DecodeError(`${what}: bits beyond Size ${bits} are set`); // a negative number, RFC 2522 2.3: not required
  }
  const builder = new Builder();
  writeSize(builder, bits);
  if (builder.length !== sizeOctets) throw new DecodeError(`${what}: Size ${bits} is not in its shortest form`);
  return { bits, value, raw: builder.bytes(value).finish() };
}

/** The VPI that is all of `octets`. @throws {DecodeError} */
export function decodeVpi(octets: Uint8Array, what = "value"): Vpi {
  const reader = new Reader(octets);
  const vpi = readVpi(reader, what);
  reader.end(what);
  return vpi;
}
