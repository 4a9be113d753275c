/** A reader that can only move forward or fail. @module */
import { type Bytes, decodeText } from "./bytes.ts";

/** Octets that are not what their format says: what was read, how much it needed, how much there was. */
export class DecodeError extends Error {
  override name = "DecodeError";
}

/** Reads big-endian fields from octets, front to back. Every method throws {@linkcode DecodeError} when too few are left. */
export class Reader {
  readonly #octets: Uint8Array;
  /** Offset of the next octet. */
  at = 0;

  constructor(octets: Uint8Array) {
    this.#octets = octets;
  }

  /** Octets not read yet. */
  get remaining(): number {
    return this.#octets.length - this.at;
  }

  #advance(octets: number, what: string): number {
    if (octets > this.remaining) throw new DecodeError(`${what}: needs ${octets} octets, ${this.remaining} left`);
    const at = this.at;
    this.at += octets;
    return at;
  }

  u8(what = "u8"): number {
    const at = this.#advance(1, what);
    return this.#octets[at];
  }
  u16(what = "u16"): number {
    const at = this.#advance(2, what), octets = this.#octets;
    return octets[at] << 8 | octets[at + 1];
  }
  u32(what = "u32"): number {
    const at = this.#advance(4, what), octets = this.#octets;
    return (octets[at] << 24 | octets[at + 1] << 16 | octets[at + 2] << 8 | octets[at + 3]) >>> 0;
  }
  u64(what = "u64"): bigint {
    if (this.remaining < 8) this.#advance(8, what);
    return BigInt(this.u32()) << 32n | BigInt(this.u32());
  }

  /** The next `octets` octets as a view, not a copy. */
  take(octets: number, what = "octets"): Uint8Array {
    const at = this.#advance(octets, what);
    return this.#octets.subarray(at, at + octets);
  }

  /** The next `octets` octets as a copy that outlives the datagram. */
  copy(octets: number, what = "octets"): Bytes {
    return this.take(octets, what).slice() as Bytes;
  }

  /** A reader of the next `octets` octets alone. */
  sub(octets: number, what = "octets"): Reader {
    return new Reader(this.take(octets, what));
  }

  text(octets: number, what = "text"): string {
    return decodeText(this.take(octets, what));
  }

  skip(octets: number, what = "octets"): void {
    this.#advance(octets, what);
  }

  /** All that is left. */
  rest(): Uint8Array {
    return this.take(this.remaining);
  }

  /** @throws {DecodeError} when octets are left. */
  end(what: string): void {
    if (this.remaining) throw new DecodeError(`${what}: ${this.remaining} octets too many`);
  }
}
