/** Blowfish (B. Schneier, 1993): key of 5 to 56 octets, 64-bit block, 16 rounds. Used where libcrypto cannot be. @module */
import { scaledPi } from "./bignum.ts";
import type { Block64 } from "./block64.ts";

const ROUNDS = 16;
/** Words of the P-array, then four S-boxes. */
const WORDS = ROUNDS + 2 + 4 * 256;

let initial: Uint32Array | undefined;

/** The first words of the fraction of pi, which fill P-array and S-boxes. */
function initialWords(): Uint32Array {
  if (initial) return initial;
  const hex = scaledPi(32 * WORDS).toString(16).slice(1); // without the 3 before the point
  initial = Uint32Array.from({ length: WORDS }, (_, i) => parseInt(hex.slice(8 * i, 8 * i + 8), 16));
  return initial;
}

/** A Blowfish key of 5 to 56 octets. */
export class Blowfish implements Block64 {
  left = 0;
  right = 0;
  /** P-array, then S-boxes, as int32 so that no operation leaves the small integers. */
  readonly #words: Int32Array;

  constructor(key: Uint8Array) {
    const words = this.#words = Int32Array.from(initialWords());
    for (let i = 0, at = 0; i < ROUNDS + 2; i++) {
      let word = 0;
      for (let n = 0; n < 4; n++) word = word << 8 | key[at++ % key.length];
      words[i] ^= word;
    }
    for (let i = 0; i < WORDS; i += 2) {
      this.encrypt();
      words[i] = this.left;
      words[i + 1] = this.right;
    }
  }

  encrypt(): void {
    const words = this.#words;
    let left = this.left, right = this.right;
    for (let round = 0; round < ROUNDS; round++) {
      const l = left ^ words[round];
      left = right ^ (((words[18 + (l >>> 24)] + words[274 + (l >>> 16 & 255)]) ^ words[530 + (l >>> 8 & 255)]) +
        words[786 + (l & 255)]);
      right = l;
    }
    this.left = right ^ words[ROUNDS + 1];
    this.right = left ^ words[ROUNDS];
  }

  decrypt(): void {
    const words = this.#words;
    let left = this.left, right = this.right;
    for (let round = ROUNDS + 1; round > 1; round--) {
      const l = left ^ words[round];
      left = right ^ (((words[18 + (l >>> 24)] + words[274 + (l >>> 16 & 255)]) ^ words[530 + (l >>> 8 & 255)]) +
        words[786 + (l & 255)]);
      right = l;
    }
    this.left = right ^ words[0];
    this.right = left ^ words[1];
  }

  erase(): void {
    this.#words.fill(0);
    this.left = this.right = 0;
  }
}
