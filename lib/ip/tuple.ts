/** The layout of a packet's 5-tuple as int32 words, the form that policies and caches compare. @module */

/** Words of a tuple. An IPv4 address takes the first of its four words, the others are 0. */
export const TUPLE = {
  FAMILY: 0,
  SOURCE: 1,
  DESTINATION: 5,
  PROTOCOL: 9,
  /** Ports are 0 for protocols that have none and for fragments that do not hold them. */
  SOURCE_PORT: 10,
  DESTINATION_PORT: 11,
  /** A number of {@linkcode FRAGMENT}. */
  FRAGMENT: 12,
  WORDS: 13,
} as const;

/** Whole packets, first fragments (which hold the ports), and those whose ports cannot be known. */
export const FRAGMENT = { NONE: 0, FIRST: 1, LATER: 2 } as const;

/** A tuple of {@linkcode TUPLE} words, to be reused for every packet. */
export function createTuple(): Int32Array {
  return new Int32Array(TUPLE.WORDS);
}

/** Writes `tuple` with its ends swapped into `into`. */
export function mirrorTuple(tuple: Int32Array, into: Int32Array): void {
  into[TUPLE.FAMILY] = tuple[TUPLE.FAMILY];
  into[TUPLE.PROTOCOL] = tuple[TUPLE.PROTOCOL];
  into[TUPLE.FRAGMENT] = tuple[TUPLE.FRAGMENT];
  for (let i = 0; i < 4; i++) {
    const source = tuple[TUPLE.SOURCE + i];
    into[TUPLE.SOURCE + i] = tuple[TUPLE.DESTINATION + i];
    into[TUPLE.DESTINATION + i] = source;
  }
  const port = tuple[TUPLE.SOURCE_PORT];
  into[TUPLE.SOURCE_PORT] = tuple[TUPLE.DESTINATION_PORT];
  into[TUPLE.DESTINATION_PORT] = port;
}
