/** The anti-replay window of RFC 2401 appendix C. @module */
import { DROP } from "./packet.ts";

const SIGN = 0x80000000 | 0;

/** Largest window, in packets. */
export const MAX_WINDOW = 65536;

/**
 * Which of the last `size` sequence numbers have been seen. The bitmap is a ring indexed by the number itself, so that
 * advancing clears bits instead of shifting the map. All numbers are int32; they are compared as unsigned ones.
 */
export class ReplayWindow {
  readonly size: number;
  /** Highest number seen, int32. */
  last = 0;
  readonly #map: Int32Array;
  readonly #mask: number;

  /** @throws {RangeError} when `size` is not 1 to {@linkcode MAX_WINDOW}. */
  constructor(size: number) {
    if (!Number.isInteger(size) || size < 1 || size > MAX_WINDOW) {
      throw new RangeError(`Cannot use a replay window of ${size} packets: 1 to ${MAX_WINDOW} are allowed`);
    }
    this.size = size;
    let bits = 32;
    while (bits < size) bits *= 2;
    this.#map = new Int32Array(bits / 32);
    this.#mask = bits - 1;
  }

  /** 0 when `sequence` may be accepted, else the reason. Changes nothing: the packet is not authenticated yet. */
  check(sequence: number): number {
    if (sequence === 0) return DROP.replayZero;
    if ((sequence ^ SIGN) > (this.last ^ SIGN)) return DROP.none;
    if ((this.last - sequence) >>> 0 >= this.size) return DROP.replayOld;
    const bit = sequence & this.#mask;
    return this.#map[bit >> 5] >>> (bit & 31) & 1 ? DROP.replayDuplicate : DROP.none;
  }

  /** Records an authenticated number for which `check` has just answered 0. */
  mark(sequence: number): void {
    const map = this.#map;
    const mask = this.#mask;
    if ((sequence ^ SIGN) > (this.last ^ SIGN)) {
      if ((sequence - this.last) >>> 0 > mask) map.fill(0);
      else {
        for (let number = this.last + 1 | 0; number !== sequence; number = number + 1 | 0) {
          const bit = number & mask;
          map[bit >> 5] &= ~(1 << (bit & 31));
        }
      }
      this.last = sequence;
    }
    const bit = sequence & mask;
    map[bit >> 5] |= 1 << (bit & 31);
  }
}
