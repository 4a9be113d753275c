/**
 * How the body of an extension is written down once: decode, encode and describe come from the same row.
 *
 * Every extension starts with its length in 8-octet words and its type; offsets here count from the extension's start, so
 * that the first field lies at 4. Integers are little-endian (host order of every machine we run on) except those marked
 * `be`, RFC 2367 1.5.
 *
 * @module
 */
import { PfkeyError } from "./numbers.ts";

/** Reads and writes one kind of extension. `view` and `octets` cover exactly one extension, header included. */
export interface Codec<T> {
  /** Octets of the whole extension; a multiple of 8. */
  size(value: T): number;
  /** Fills in everything behind the 4 octets of header; `view` is zero before. */
  write(value: T, view: DataView, octets: Uint8Array): void;
  /** @throws {PfkeyError} EINVAL on a wrong length, a reserved field that is not zero, a value out of its range. */
  read(view: DataView, octets: Uint8Array): T;
  /** For a person; never holds a secret. */
  describe(value: T): string;
}

/** Width and order of an integer. u64 is read as a number: beyond 2^53 the nearest one. */
export type Width = "u8" | "u16" | "u32" | "u64" | "be16" | "be32";

const WIDTH_OCTETS: Record<Width, number> = { u8: 1, u16: 2, u32: 4, u64: 8, be16: 2, be32: 4 };

/** Field name -> width and offset. What no field covers is reserved: written and demanded as zero. */
export type Fields = Record<string, readonly [Width, number]>;
export type Values<F extends Fields> = { -readonly [K in keyof F]: number };

export function readField(view: DataView, [width, at]: readonly [Width, number]): number {
  switch (width) {
    case "u8":
      return view.getUint8(at);
    case "u16":
      return view.getUint16(at, true);
    case "be16":
      return view.getUint16(at);
    case "u32":
      return view.getUint32(at, true);
    case "be32":
      return view.getUint32(at);
    case "u64":
      return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
  }
}

const MAX_U64 = 2n ** 64n - 1n;

export function writeField(view: DataView, [width, at]: readonly [Width, number], value: number): void {
  switch (width) {
    case "u8":
      return view.setUint8(at, value);
    case "u16":
      return view.setUint16(at, value, true);
    case "be16":
      return view.setUint16(at, value);
    case "u32":
      return view.setUint32(at, value, true);
    case "be32":
      return view.setUint32(at, value);
    case "u64": {
      const whole = BigInt(Math.max(0, Math.floor(value)));
      return view.setBigUint64(at, whole > MAX_U64 ? MAX_U64 : whole, true);
    }
  }
}

/** Rounds up to whole 8-octet words. */
export const words = (octets: number): number => Math.ceil(octets / 8) * 8;

/** @throws {PfkeyError} EINVAL when an octet from `from` up to `to` is not zero. */
export function demandZero(octets: Uint8Array, from: number, to: number, what: string): void {
  for (let at = from; at < to; at++) {
    if (octets[at]) throw new PfkeyError("EINVAL", `${what}: reserved octet ${at} is ${octets[at]}, 0 is needed`);
  }
}

/** @throws {PfkeyError} EINVAL when the extension has not exactly `size` octets. */
export function demandSize(octets: Uint8Array, size: number, what: string): void {
  if (octets.length !== size) throw new PfkeyError("EINVAL", `${what}: ${octets.length} octets, ${size} are needed`);
}

/** Offsets of an extension of `size` octets, from `from` on, that no field covers. */
export function reservedOffsets(fields: Fields, from: number, size: number): number[] {
  const free = new Set(Array.from({ length: size - from }, (_, i) => from + i));
  for (const [width, at] of Object.values(fields)) {
    for (let i = 0; i < WIDTH_OCTETS[width]; i++) free.delete(at + i);
  }
  return [...free];
}

/** An extension of fixed size with integer fields. `describe` words the values; the default lists them. */
export function fixed<const F extends Fields>(
  what: string,
  size: number,
  fields: F,
  describe: (values: Values<F>) => string,
  check?: (values: Values<F>) => void,
): Codec<Values<F>> {
  const entries = Object.entries(fields);
  const reserved = reservedOffsets(fields, 4, size);
  return {
    size: () => size,
    write(values, view) {
      for (const [name, field] of entries) writeField(view, field, values[name]);
    },
    read(view, octets) {
      demandSize(octets, size, what);
      for (const at of reserved) demandZero(octets, at, at + 1, what);
      const values = Object.fromEntries(entries.map(([name, field]) => [name, readField(view, field)])) as Values<F>;
      check?.(values);
      return values;
    },
    describe,
  };
}
