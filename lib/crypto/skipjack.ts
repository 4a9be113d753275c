/** SKIPJACK (NIST, SKIPJACK and KEA Algorithm Specifications, 1998): 80-bit key, 64-bit block, 32 rounds. @module */
import { parseHex } from "../octets/hex.ts";
import type { Block64 } from "./block64.ts";

const F = parseHex(
  "a3d70983f848f6f4b321157899b1aff9e72d4d8ace4cca2e5295d91e4e3844280adf02a017f1606812b77ac3e9fa3d53" +
    "96846bbaf2639a197caee5f5f7166aa239b67b0fc193811beeb41aead0912fb855b9da853f41bfe05a58805f660bd890" +
    "35d5c0a733066569450094566d989b7697fcb2c2b0fedb20e1ebd6e4dd474a1d42ed9e6e493ccd4327d207d4dec76718" +
    "89cb301f8dc68faac874dcc95d5c31a47088612c9f0d2b8750825464267d0340344b1c73d1c4fd3bccfb7fabe63e5ba5" +
    "ad04239c145122f02979717eff8c0ee20cefbc72756f37a1ecd38e628b8610e8087711be924f24c532369dcff3a6bbac" +
    "5e6ca9135725b5e3bda83a0105592a46",
);

/** A SKIPJACK key of 10 octets. */
export class Skipjack implements Block64 {
  left = 0;
  right = 0;
  /** The key over and over, one octet for each use of F. */
  readonly #key = new Uint8Array(128);

  constructor(key: Uint8Array) {
    for (let i = 0; i < 128; i++) this.#key[i] = key[i % 10];
  }

  /** The permutation G of step `k` (0 to 31) on one 16-bit word. */
  #g(k: number, word: number): number {
    const key = this.#key;
    let high = word >> 8, low = word & 255;
    for (let i = 4 * k; i < 4 * k + 4; i++) {
      const next = F[low ^ key[i]] ^ high;
      high = low;
      low = next;
    }
    return high << 8 | low;
  }

  #inverseG(k: number, word: number): number {
    const key = this.#key;
    let high = word >> 8, low = word & 255;
    for (let i = 4 * k + 3; i >= 4 * k; i--) {
      const previous = F[high ^ key[i]] ^ low;
      low = high;
      high = previous;
    }
    return high << 8 | low;
  }

  encrypt(): void {
    let w1 = this.left >>> 16, w2 = this.left & 0xffff, w3 = this.right >>> 16, w4 = this.right & 0xffff;
    for (let k = 0; k < 32; k++) {
      const g = this.#g(k, w1), last = w4;
      w4 = w3;
      if ((k & 8) === 0) { // rule A: steps 1 to 8 and 17 to 24
        w3 = w2;
        w1 = g ^ last ^ (k + 1);
      } else { // rule B
        w3 = w1 ^ w2 ^ (k + 1);
        w1 = last;
      }
      w2 = g;
    }
    this.left = w1 << 16 | w2;
    this.right = w3 << 16 | w4;
  }

  decrypt(): void {
    let w1 = this.left >>> 16, w2 = this.left & 0xffff, w3 = this.right >>> 16, w4 = this.right & 0xffff;
    for (let k = 31; k >= 0; k--) {
      const first = this.#inverseG(k, w2), g = w2;
      if ((k & 8) === 0) {
        const last = w1 ^ g ^ (k + 1);
        w2 = w3;
        w3 = w4;
        w4 = last;
      } else {
        w2 = first ^ w3 ^ (k + 1);
        w3 = w4;
        w4 = w1;
      }
      w1 = first;
    }
    this.left = w1 << 16 | w2;
    this.right = w3 << 16 | w4;
  }

  erase(): void {
    this.#key.fill(0);
    this.left = this.right = 0;
  }
}
