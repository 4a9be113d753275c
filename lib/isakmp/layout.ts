/**
 * A small language for payload layouts: a layout is written once, and decode, encode and describe come from it.
 *
 * @module
 */
import { Builder } from "../octets/builder.ts";
import type { Bytes } from "../octets/bytes.ts";
import { formatHex } from "../octets/hex.ts";
import { Reader } from "../octets/reader.ts";
import { decoding, IsakmpError } from "./error.ts";
import { nameOf, type Registry } from "./numbers.ts";

type Values = Record<string, number | Bytes>;

/** One field. `T` is what it decodes to; a field that only counts another one decodes to nothing. */
export interface Field<T extends number | Bytes | undefined> {
  decode(reader: Reader, label: string, read: Values, lengths: Record<string, number>): T;
  encode(builder: Builder, value: T, values: Values, label: string): void;
  /** Undefined: not worth showing. */
  describe(value: T): string | undefined;
}

type Width = 1 | 2 | 4;
const read = (reader: Reader, width: Width, label: string) =>
  width === 1 ? reader.u8(label) : width === 2 ? reader.u16(label) : reader.u32(label);
const write = (builder: Builder, width: Width, value: number) =>
  width === 1 ? builder.u8(value) : width === 2 ? builder.u16(value) : builder.u32(value);

/** A number of `width` octets; with a registry it is shown by its name. */
export function number(width: Width, registry?: Registry): Field<number> {
  return {
    decode: (reader, label) => read(reader, width, label),
    encode: (builder, value) => void write(builder, width, value),
    describe: (value) => registry ? nameOf(registry, value) : String(value),
  };
}

/** Octets that are sent as zero and ignored on receipt. */
export function reserved(octets: number): Field<undefined> {
  return {
    decode: (reader, label) => void reader.skip(octets, label),
    encode: (builder) => void builder.zeros(octets),
    describe: () => undefined,
  };
}

/** The length of field `of` in octets. */
export function lengthOf(of: string): Field<undefined> {
  return {
    decode: (reader, label, _read, lengths) => void (lengths[of] = reader.u8(label)),
    encode: (builder, _value, values) => void builder.u8((values[of] as Bytes).length),
    describe: () => undefined,
  };
}

/** The length of each element of field `of` in octets, all of the same length; `size` is a field of the value, too. */
export function elementLength(of: string): Field<number> {
  return {
    decode(reader, label, _read, lengths) {
      const octets = reader.u8(label);
      lengths[of] = octets;
      return octets;
    },
    encode: (builder, value) => void builder.u8(value),
    describe: () => undefined,
  };
}

/** How many elements field `of` has; follows its `elementLength`, which is field `size`. */
export function countOf(of: string, size: string): Field<undefined> {
  return {
    decode: (reader, label, _read, lengths) => void (lengths[of] *= reader.u16(label)),
    encode(builder, _value, values) {
      builder.u16((values[of] as Bytes).length / Math.max(1, values[size] as number));
    },
    describe: () => undefined,
  };
}

/** Octets whose length an earlier field gives. */
export function sized(): Field<Bytes> {
  return {
    decode: (reader, label, _read, lengths) => reader.copy(lengths[label], label),
    encode: (builder, value) => void builder.bytes(value),
    describe: (value) => value.length ? formatHex(value) : undefined,
  };
}

/** All that is left; `show` words it (hexadecimal digits otherwise). */
export function rest(least = 0, most = 65535, show: (value: Bytes) => string = formatHex): Field<Bytes> {
  return {
    decode(reader, label) {
      const { remaining } = reader;
      if (remaining < least || remaining > most) {
        throw new IsakmpError("PAYLOAD_MALFORMED", `${label} of ${remaining} octets, ${least} to ${most} allowed`);
      }
      return reader.copy(remaining, label);
    },
    encode: (builder, value) => void builder.bytes(value),
    describe: (value) => value.length ? show(value) : undefined,
  };
}

type Fields = Readonly<Record<string, Field<any>>>;
type FieldValue<F> = F extends Field<infer T> ? T : never;
/** The value of a layout: its fields without those that only count. */
export type ValueOf<F extends Fields> = {
  -readonly [K in keyof F as FieldValue<F[K]> extends undefined ? never : K]: FieldValue<F[K]>;
};

/** A payload's body. */
export interface Layout<V> {
  readonly name: string;
  /** Where it is defined. */
  readonly source: string;
  /** @throws {IsakmpError} PAYLOAD_MALFORMED */
  decode(body: Uint8Array): V;
  encode(value: V): Bytes;
  /** `field: value` for each field worth showing. @throws {IsakmpError} */
  describe(body: Uint8Array): string[];
}

/** Makes a layout of fields in wire order. */
export function layout<F extends Fields>(name: string, source: string, fields: F): Layout<ValueOf<F>> {
  const entries = Object.entries(fields);
  const decode = (body: Uint8Array) =>
    decoding(`${name} payload`, () => {
      const reader = new Reader(body);
      const values: Values = {};
      const lengths: Record<string, number> = {};
      for (const [label, field] of entries) {
        const value = field.decode(reader, label, values, lengths);
        if (value !== undefined) values[label] = value;
      }
      reader.end(`${name} payload`);
      return values as ValueOf<F>;
    });
  return {
    name,
    source,
    decode,
    encode(value) {
      const builder = new Builder();
      for (const [label, field] of entries) field.encode(builder, (value as Values)[label], value as Values, label);
      return builder.finish();
    },
    describe(body) {
      const values = decode(body) as Values;
      return entries.flatMap(([label, field]) => {
        const text = label in values ? field.describe(values[label]) : undefined;
        return text === undefined ? [] : [`${label}: ${text}`];
      });
    },
  };
}
