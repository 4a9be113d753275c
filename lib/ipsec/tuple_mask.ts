/** Selectors as masks over tuples: what policies and SAs match packets with. @module */
import { FRAGMENT, TUPLE } from "../ip/tuple.ts";
import { addressWords } from "../ip/words.ts";
import type { Selector } from "./types.ts";

type Ends = Omit<Selector, "direction">;

/**
 * What selectors with the same mask have in common, in the order in which specificity is compared: source and
 * destination prefix length, then 1 or 0 for a given transport, source port, destination port.
 */
export function shapeOf(selector: Ends): readonly number[] {
  const { source, destination, transport, sourcePort, destinationPort } = selector;
  return [source.length, destination.length, +(transport > 0), +(sourcePort > 0), +(destinationPort > 0)];
}

/** Negative when `a` is more specific than `b`. */
export function compareShapes(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return b[i] - a[i];
  return 0;
}

const masks = new Map<number, Int32Array>();

/** The mask over a tuple; family and fragment flag are not part of it. One object a shape: not to be changed. */
export function maskOfShape(shape: readonly number[]): Int32Array {
  const [source, destination, transport, sourcePort, destinationPort] = shape;
  const number = source << 11 | destination << 3 | transport << 2 | sourcePort << 1 | destinationPort;
  let mask = masks.get(number);
  if (mask) return mask;
  masks.set(number, mask = new Int32Array(TUPLE.WORDS));
  for (let i = 0; i < 4; i++) {
    mask[TUPLE.SOURCE + i] = maskWord(source - 32 * i);
    mask[TUPLE.DESTINATION + i] = maskWord(destination - 32 * i);
  }
  mask[TUPLE.PROTOCOL] = -transport;
  mask[TUPLE.SOURCE_PORT] = -sourcePort;
  mask[TUPLE.DESTINATION_PORT] = -destinationPort;
  return mask;
}

/** The word whose first `bits` bits are ones: none for 0 or less, all for 32 or more. */
function maskWord(bits: number): number {
  return bits <= 0 ? 0 : bits >= 32 ? -1 : -1 << 32 - bits;
}

/** The masked tuple that packets of the selector have. */
export function keyOfSelector(selector: Ends, mask: Int32Array): Int32Array {
  const key = new Int32Array(TUPLE.WORDS);
  key.set(addressWords(selector.source.address), TUPLE.SOURCE);
  key.set(addressWords(selector.destination.address), TUPLE.DESTINATION);
  key[TUPLE.PROTOCOL] = selector.transport;
  key[TUPLE.SOURCE_PORT] = selector.sourcePort;
  key[TUPLE.DESTINATION_PORT] = selector.destinationPort;
  for (let i = 0; i < TUPLE.WORDS; i++) key[i] &= mask[i];
  return key;
}

/** Whether the tuple under the mask is the key at `keys[from]`; both of `family`. */
export function sameMasked(
  tuple: Int32Array,
  mask: Int32Array,
  keys: Int32Array,
  from: number,
  family: number,
): boolean {
  const same = (tuple[1] & mask[1]) === keys[from + 1] && (tuple[5] & mask[5]) === keys[from + 5] &&
    (tuple[9] & mask[9]) === keys[from + 9] && (tuple[10] & mask[10]) === keys[from + 10] &&
    (tuple[11] & mask[11]) === keys[from + 11];
  if (!same || family === 4) return same;
  for (let i = 2; i < 5; i++) {
    if ((tuple[i] & mask[i]) !== keys[from + i] || (tuple[i + 4] & mask[i + 4]) !== keys[from + i + 4]) return false;
  }
  return true;
}

/** The selector without its ports: all that can be said of a fragment that does not hold them. */
export function withoutPorts(selector: Ends): Ends {
  return { ...selector, sourcePort: 0, destinationPort: 0 };
}

/** One selector to be matched alone. Of later fragments all but the ports must match. */
export class TupleMask {
  readonly #family: 4 | 6;
  readonly #mask: Int32Array;
  readonly #key: Int32Array;
  readonly #fragmentMask: Int32Array;
  readonly #fragmentKey: Int32Array;

  constructor(selector: Ends) {
    this.#family = selector.source.address.family;
    this.#mask = maskOfShape(shapeOf(selector));
    this.#key = keyOfSelector(selector, this.#mask);
    this.#fragmentMask = maskOfShape(shapeOf(withoutPorts(selector)));
    this.#fragmentKey = keyOfSelector(selector, this.#fragmentMask);
  }

  contains(tuple: Int32Array): boolean {
    if (tuple[TUPLE.FAMILY] !== this.#family) return false;
    return tuple[TUPLE.FRAGMENT] === FRAGMENT.LATER
      ? sameMasked(tuple, this.#fragmentMask, this.#fragmentKey, 0, this.#family)
      : sameMasked(tuple, this.#mask, this.#key, 0, this.#family);
  }
}
