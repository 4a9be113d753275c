/** CAST-128 (RFC 2144): key of 5 to 16 octets, 64-bit block, 12 or 16 rounds. Used where libcrypto cannot be. @module */
import type { Block64 } from "./block64.ts";
import { CAST128_BOXES } from "./cast128_boxes.ts";

let boxes: Int32Array[] | undefined;

/** S1 to S8. */
function substitutionBoxes(): Int32Array[] {
  if (!boxes) {
    const octets = Uint8Array.from(atob(CAST128_BOXES.replaceAll("\n", "")), (char) => char.charCodeAt(0));
    const view = new DataView(octets.buffer);
    boxes = Array.from(
      { length: 8 },
      (_, box) => Int32Array.from({ length: 256 }, (_, i) => view.getInt32(1024 * box + 4 * i)),
    );
  }
  return boxes;
}

// RFC 2144 2.4. The schedule makes z from x, four subkeys, x from z, four subkeys, and so on. Each digit of a step is
// an octet's index: the word it starts from, then the indices into S5, S6, S7, S8 and the extra one with its box.
// The first word of a new string takes its indices from the old string, the other words from the new one; the extra
// index is always into the old one.
const Z_FROM_X = [["0", "dfce", "8", 7], ["8", "0213", "a", 8], ["c", "7654", "9", 5], ["4", "a9b8", "b", 6]] as const;
const X_FROM_Z = [["8", "5746", "0", 7], ["0", "0213", "2", 8], ["4", "7654", "1", 5], ["c", "a9b8", "3", 6]] as const;
const SUBKEYS = [
  ["89762", "ab546", "cd329", "ef10c"],
  ["32cd8", "10efd", "76893", "54ab7"],
  ["32cd9", "10efc", "76892", "54ab6"],
  ["89763", "ab547", "cd328", "ef10d"],
] as const;

/** The 32 subkeys of a key padded to 16 octets. */
function schedule(key: Uint8Array): Int32Array {
  const [, , , , S5, S6, S7, S8] = substitutionBoxes();
  const box = (n: number) => substitutionBoxes()[n - 1];
  let from = key;
  const subkeys = new Int32Array(32);
  for (let half = 0, n = 0; n < 32; half++) {
    const to = new Uint8Array(16), toView = new DataView(to.buffer), fromView = new DataView(from.buffer);
    (half % 2 ? X_FROM_Z : Z_FROM_X).forEach(([start, indices, extra, extraBox], i) => {
      const octets = i === 0 ? from : to;
      const [a, b, c, d] = Array.from(indices, (digit) => octets[parseInt(digit, 16)]);
      toView.setInt32(
        4 * i,
        fromView.getInt32(parseInt(start, 16)) ^ S5[a] ^ S6[b] ^ S7[c] ^ S8[d] ^
          box(extraBox)[from[parseInt(extra, 16)]],
      );
    });
    for (const [i, digits] of SUBKEYS[half % 4].entries()) {
      const [a, b, c, d, e] = Array.from(digits, (digit) => to[parseInt(digit, 16)]);
      subkeys[n++] = S5[a] ^ S6[b] ^ S7[c] ^ S8[d] ^ box(5 + i)[e];
    }
    from = to;
  }
  return subkeys;
}

/** A CAST-128 key of 5 to 16 octets; up to 10 octets there are 12 rounds (RFC 2144 2.5). */
export class Cast128 implements Block64 {
  left = 0;
  right = 0;
  readonly #rounds: number;
  /** Masking subkeys Km1 to Km16, then rotation subkeys Kr1 to Kr16. */
  readonly #subkeys: Int32Array;
  readonly #boxes = substitutionBoxes();

  constructor(key: Uint8Array) {
    this.#rounds = key.length <= 10 ? 12 : 16;
    const padded = new Uint8Array(16);
    padded.set(key);
    this.#subkeys = schedule(padded);
    padded.fill(0);
  }

  #f(round: number, half: number): number {
    const boxes = this.#boxes;
    const mask = this.#subkeys[round], rotation = this.#subkeys[16 + round] & 31, type = round % 3;
    const mixed = type === 0 ? mask + half : type === 1 ? mask ^ half : mask - half;
    const i = mixed << rotation | (mixed >>> 1) >>> (31 - rotation);
    const a = boxes[0][i >>> 24], b = boxes[1][i >>> 16 & 255], c = boxes[2][i >>> 8 & 255], d = boxes[3][i & 255];
    if (type === 0) return (a ^ b) - c + d | 0;
    if (type === 1) return (a - b + c) ^ d;
    return ((a + b) ^ c) - d | 0;
  }

  encrypt(): void {
    let left = this.left, right = this.right;
    for (let round = 0; round < this.#rounds; round++) {
      const next = left ^ this.#f(round, right);
      left = right;
      right = next;
    }
    this.left = right;
    this.right = left;
  }

  decrypt(): void {
    let left = this.left, right = this.right;
    for (let round = this.#rounds - 1; round >= 0; round--) {
      const next = left ^ this.#f(round, right);
      left = right;
      right = next;
    }
    this.left = right;
    this.right = left;
  }

  erase(): void {
    this.#subkeys.fill(0);
    this.left = this.right = 0;
  }
}
