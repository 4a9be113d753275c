/** A growing octet string whose length fields write themselves. @module */
import type { Bytes } from "./bytes.ts";

/** Appends big-endian fields. Lengths are written by {@linkcode Builder.sized}, never computed by hand. */
export class Builder {
  #octets: Bytes = new Uint8Array(256);
  #view = new DataView(this.#octets.buffer);
  /** Octets written so far. */
  length = 0;

  #grow(octets: number): number {
    const at = this.length;
    this.length += octets;
    if (this.length > this.#octets.length) {
      const bigger = new Uint8Array(Math.max(2 * this.#octets.length, this.length));
      bigger.set(this.#octets.subarray(0, at));
      this.#octets.fill(0);
      this.#octets = bigger;
      this.#view = new DataView(bigger.buffer);
    }
    return at;
  }

  u8(value: number): this {
    const at = this.#grow(1);
    this.#view.setUint8(at, value);
    return this;
  }
  u16(value: number): this {
    const at = this.#grow(2);
    this.#view.setUint16(at, value);
    return this;
  }
  u32(value: number): this {
    const at = this.#grow(4);
    this.#view.setUint32(at, value);
    return this;
  }
  u64(value: bigint): this {
    const at = this.#grow(8);
    this.#view.setBigUint64(at, value);
    return this;
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
    if (width === 1) this.#view.setUint8(at, value);
    else if (width === 2) this.#view.setUint16(at, value);
    else this.#view.setUint32(at, value);
  }

  /** A copy of what was written. */
  finish(): Bytes {
    return this.#octets.slice(0, this.length);
  }
}
