/**
 * Plain values as octets: what the mailbox carries. Unlike structured cloning it leaves nothing behind: it writes into
 * memory that is there already, secrets lie nowhere else, and equal addresses and texts become one object each.
 *
 * @module
 */
import type { Address } from "../ip/address.ts";
import type { AddressPool } from "../ip/address_pool.ts";
import { Slab } from "../octets/slab.ts";
import type { TextPool } from "../octets/text_pool.ts";

const TAG = {
  UNDEFINED: 0,
  NULL: 1,
  FALSE: 2,
  TRUE: 3,
  INT32: 4,
  DOUBLE: 5,
  TEXT: 6,
  OCTETS: 7,
  LIST: 8,
  OBJECT: 9,
  ADDRESS: 10,
} as const;

const encoder = new TextEncoder();
const slab = new Slab();

function isAddress(value: object): value is Address {
  const { family, octets } = value as Partial<Address>;
  return (family === 4 || family === 6) && octets instanceof Uint8Array && octets.length === (family === 4 ? 4 : 16) &&
    Object.keys(value).length === 2;
}

/** Writes values into octets. @throws {RangeError} on a value that does not fit or is not plain */
export class ValueWriter {
  at = 0;
  readonly #octets: Uint8Array;
  readonly #view: DataView;

  constructor(octets: Uint8Array) {
    this.#octets = octets;
    this.#view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  }

  #room(octets: number): number {
    const at = this.at;
    if (at + octets > this.#octets.length) throw new RangeError(`Cannot send more than ${this.#octets.length} octets`);
    this.at += octets;
    return at;
  }

  #tag(tag: number, octets = 0): number {
    const at = this.#room(1 + octets);
    this.#octets[at] = tag;
    return at + 1;
  }

  #text(text: string): void {
    const at = this.#room(2 + text.length);
    this.#view.setUint16(at, text.length);
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) {
        this.at = at;
        return this.#encoded(text);
      }
      this.#octets[at + 2 + i] = code;
    }
  }

  /** A text that is not ASCII. */
  #encoded(text: string): void {
    const octets = encoder.encode(text);
    this.#view.setUint16(this.#room(2), octets.length);
    this.#octets.set(octets, this.#room(octets.length));
  }

  write(value: unknown): void {
    switch (typeof value) {
      case "undefined":
        return void this.#tag(TAG.UNDEFINED);
      case "boolean":
        return void this.#tag(value ? TAG.TRUE : TAG.FALSE);
      case "number":
        if (value === (value | 0) && !Object.is(value, -0)) return this.#view.setInt32(this.#tag(TAG.INT32, 4), value);
        return this.#view.setFloat64(this.#tag(TAG.DOUBLE, 8), value);
      case "string":
        this.#tag(TAG.TEXT);
        return this.#text(value);
      case "object":
        return value === null ? void this.#tag(TAG.NULL) : this.#object(value);
      default:
        throw new RangeError(`Cannot send a ${typeof value}`);
    }
  }

  #object(value: object): void {
    if (value instanceof Uint8Array) {
      this.#view.setUint32(this.#tag(TAG.OCTETS, 4), value.length);
      return this.#octets.set(value, this.#room(value.length));
    }
    if (Array.isArray(value)) {
      this.#view.setUint32(this.#tag(TAG.LIST, 4), value.length);
      for (const item of value) this.write(item);
      return;
    }
    if (isAddress(value)) {
      const at = this.#tag(TAG.ADDRESS, 1 + value.octets.length);
      this.#octets[at] = value.octets.length;
      return this.#octets.set(value.octets, at + 1);
    }
    const entries = Object.entries(value).filter(([, item]) => item !== undefined);
    this.#view.setUint16(this.#tag(TAG.OBJECT, 2), entries.length);
    for (const [name, item] of entries) {
      this.#text(name);
      this.write(item);
    }
  }
}

/** Reads what {@linkcode ValueWriter} wrote; arrays of octets are copies. */
export class ValueReader {
  at = 0;
  readonly #octets: Uint8Array;
  readonly #view: DataView;
  readonly #addresses: AddressPool;
  readonly #texts: TextPool;

  constructor(octets: Uint8Array, addresses: AddressPool, texts: TextPool) {
    this.#octets = octets;
    this.#view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
    this.#addresses = addresses;
    this.#texts = texts;
  }

  #take(octets: number): number {
    const at = this.at;
    this.at += octets;
    return at;
  }

  #text(): string {
    const octets = this.#view.getUint16(this.#take(2));
    return this.#texts.read(this.#octets, this.#take(octets), octets);
  }

  read(): unknown {
    switch (this.#octets[this.#take(1)]) {
      case TAG.NULL:
        return null;
      case TAG.FALSE:
        return false;
      case TAG.TRUE:
        return true;
      case TAG.INT32:
        return this.#view.getInt32(this.#take(4));
      case TAG.DOUBLE:
        return this.#view.getFloat64(this.#take(8));
      case TAG.TEXT:
        return this.#text();
      case TAG.OCTETS: {
        const octets = this.#view.getUint32(this.#take(4));
        const at = this.#take(octets);
        return slab.copy(this.#octets.subarray(at, at + octets));
      }
      case TAG.LIST:
        return Array.from({ length: this.#view.getUint32(this.#take(4)) }, () => this.read());
      case TAG.OBJECT: {
        const value: Record<string, unknown> = {};
        for (let left = this.#view.getUint16(this.#take(2)); left > 0; left--) {
          const name = this.#text();
          value[name] = this.read();
        }
        return value;
      }
      case TAG.ADDRESS: {
        const octets = this.#octets[this.#take(1)] as 4 | 16;
        return this.#addresses.read(this.#octets, this.#take(octets), octets);
      }
      default:
        return undefined;
    }
  }
}
