/** One string for each short text that comes again and again: names of members, algorithms, policies. @module */

/** More different texts than this and the pool starts anew, so that it holds no more than it is worth. */
const MOST = 1024;
const MOST_OCTETS = 64;

const decoder = new TextDecoder();

/** Equal texts as one string. */
export class TextPool {
  readonly #texts = new Map<number, string>();

  /** The text of `length` octets of UTF-8 at `at`. */
  read(octets: Uint8Array, at: number, length: number): string {
    if (length > MOST_OCTETS) return decoder.decode(octets.subarray(at, at + length));
    let hash = length;
    for (let i = at; i < at + length; i++) hash = Math.imul(hash ^ octets[i], 0x01000193);
    const known = this.#texts.get(hash);
    if (known !== undefined && isAscii(known, octets, at, length)) return known;
    const text = decoder.decode(octets.subarray(at, at + length));
    if (text.length !== length) return text;
    if (this.#texts.size >= MOST) this.#texts.clear();
    this.#texts.set(hash, text);
    return text;
  }
}

/** Whether `text` is what these octets are in ASCII. */
function isAscii(text: string, octets: Uint8Array, at: number, length: number): boolean {
  if (text.length !== length) return false;
  for (let i = 0; i < length; i++) if (text.charCodeAt(i) !== octets[at + i]) return false;
  return true;
}
