/** Addresses as int32 words, the form in which the packet path compares and hashes them. @module */
import type { Address } from "./address.ts";

/** The four int32 words of an address; an IPv4 address is the first, the others are 0. */
export function addressWords(address: Address | undefined): Int32Array {
  const words = new Int32Array(4);
  const octets = address?.octets;
  for (let i = 0; octets && i < octets.length; i += 4) {
    words[i >> 2] = octets[i] << 24 | octets[i + 1] << 16 | octets[i + 2] << 8 | octets[i + 3];
  }
  return words;
}

const MOST_SHARED = 4096;
const shared = new Map<string, Int32Array>();

/** {@linkcode addressWords} as one object for equal addresses, where many SAs and flows name the same few: not to be changed. */
export function sharedWords(address: Address): Int32Array {
  const key = String.fromCharCode(...address.octets);
  let words = shared.get(key);
  if (!words) {
    if (shared.size >= MOST_SHARED) shared.clear();
    shared.set(key, words = addressWords(address));
  }
  return words;
}

/** The address of such words. */
export function wordsAddress(family: 4 | 6, words: Int32Array, from = 0): Address {
  const octets = new Uint8Array(family === 4 ? 4 : 16);
  const view = new DataView(octets.buffer);
  for (let i = 0; i < octets.length / 4; i++) view.setInt32(4 * i, words[from + i]);
  return { family, octets };
}

/** Whether the address of `family` at arena offset `at` has these words. */
export function sameAddressAt(view: DataView, at: number, family: number, words: Int32Array): boolean {
  return view.getInt32(at) === words[0] && (family === 4 ||
    (view.getInt32(at + 4) === words[1] && view.getInt32(at + 8) === words[2] && view.getInt32(at + 12) === words[3]));
}
