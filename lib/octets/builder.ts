/** A growing octet string whose length fields write themselves. @module */
import type { Bytes } from "./bytes.ts";

/** Memory of finished builders, zeroed: key exchange writes dozens of small parts for each message. */
const spares: Bytes[] = [];
const SPARE_OCTETS = 512;
const MOST_SPARES = 8;
const NONE: Bytes = new Uint8Array(0);

/** Appends big-endian fields. Lengths are written by {@linkcode Builder.sized}, never computed by hand. */
export class Builder {
  #octets: Bytes = spares.pop() ?? new Uint8Array(SPARE_OCTETS);
  /** Octets written so far. */
  length = 0;

  #grow(octets: number): number {
    const at = this.length;
    this.length += octets;
    if (this.length > this.#octets.length) {
      const bigger = new Uint8Array(Math.max(2 * this.#octets.length, this.length));
      bigger.set(this.#octets.subarray(0, at));
      this.#release(at);
      this.#octets = bigger;
    }
    return at;
  }

  /** Gives the memory back, of which `used` octets were written. */
  #release(used: number): void {
    this.#octets.fill(0, 0, used);
    if (this.#octets.length === SPARE_OCTETS && spares.length < MOST_SPARES) spares.push(this.#octets);
    this.#octets = NONE;
  }

  u8(value: number): this {
    const at = this.#grow(1);
    this.#octets[at] = value;
    return this;
  }
  u16(value: number): this {
    const at = this.#grow(2), octets = this.#octets;
    octets[at] = value >> 8;
    octets[at + 1] = value;
    return this;
  }
  u32(value: number): this {
    const at = this.#grow(4), octets = this.#octets;
    octets[at] = value >> 24;
    octets[at + 1] = value >> 16;
    octets[at + 2] = value >> 8;
    octets[at + 3] = value;
    return this;
  }
  u64(value: bigint): this {
    return this.u32(Number(value >> 32n & 0xffff_ffffn)).u32(Number(value & 0xffff_ffffn));
  }
  bytes(...parts: Uint8Array[]): this {
    for (const part of parts) {
      const at = this.#grow(part.length);
      this.#octets.set(part, at);
    }
    return this;
  }
  zeros(count: number): this {
    const at = this.#grow(count);
    this.#octets.fill(0, at, at + count);
    return this;
  }

  /** Zeros up to the next multiple of `octets`. */
  align(octets: number): this {
    return this.zeros((octets - (this.length % octets)) % octets);
  }

  /** A length field of `width` octets, then what `body` writes; the field counts the body plus `extra` octets. */
  sized(width: 1 | 2 | 4, body: () => void, extra = 0): this {
    const at = this.#grow(width);
    body();
    this.setLength(at, width, this.length - at - width + extra);
    return this;
  }

  /** Overwrites `width` octets written before at `at`. @throws {RangeError} when the value does not fit. */
  setLength(at: number, width: 1 | 2 | 4, value: number): void {
    if (value >= 2 ** (8 * width)) throw new RangeError(`Cannot encode length ${value} in ${width} octets`);
    for (let i = width - 1; i >= 0; i--, value >>>= 8) this.#octets[at + i] = value;
  }

  /** What was written; the builder is empty then. */
  finish(): Bytes {
    const { length } = this;
    const out = this.#octets.slice(0, length);
    this.#release(length);
    this.length = 0;
    return out;
  }
}
