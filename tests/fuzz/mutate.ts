/** Small changes to octets and text, the same in every run. @module */
import type { Bytes } from "../../lib/octets/bytes.ts";

/** Numbers below the argument. */
export type Random = (below: number) => number;

/** A generator that gives the same numbers in every run. */
export function generator(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * below);
  };
}

export const read = (folder: URL, name: string): Uint8Array => Deno.readFileSync(new URL(name, folder));

/** One to three changes: an octet or bit replaced, a piece cut, doubled, or taken from another of the corpus. */
export function mutateOctets(random: Random, octets: Uint8Array, corpus: readonly Uint8Array[]): Bytes {
  let list = Array.from(octets);
  for (let changes = 1 + random(3); changes > 0; changes--) {
    const at = random(list.length + 1);
    const piece = list.slice(at, at + 1 + random(12));
    const other = corpus[random(corpus.length)];
    const from = random(other.length);
    switch (random(6)) {
      case 0:
        list[at] = random(256);
        break;
      case 1:
        if (at < list.length) list[at] ^= 1 << random(8);
        break;
      case 2:
        list.splice(at, piece.length);
        break;
      case 3:
        list.splice(at, 0, ...piece);
        break;
      case 4:
        list = list.slice(0, at);
        break;
      case 5:
        list.splice(at, random(8), ...other.subarray(from, from + random(16)));
    }
  }
  return Uint8Array.from(list);
}

/** The same for an octet string. */
export function mutateText(random: Random, text: string, corpus: readonly string[]): string {
  const octets = (of: string) => Uint8Array.from(of, (character) => character.charCodeAt(0));
  return String.fromCharCode(...mutateOctets(random, octets(text), corpus.map(octets)));
}
