/** The time and randomness that daemons hand to the protocol cores. @module */
import { hash } from "../crypto/hash.ts";
import { type Bytes, concat, encodeText } from "../octets/bytes.ts";

/** Milliseconds that never go back, from an arbitrary start: what the cores call time. */
export function monotonicMs(): number {
  return performance.now();
}

/** Milliseconds since the epoch by a clock that never jumps: the epoch at the start, then the monotonic clock. */
export function monotonicEpoch(): number {
  return performance.timeOrigin + performance.now();
}

/** Cryptographic randomness. */
export function randomOctets(octets: number): Bytes {
  const out = new Uint8Array(octets);
  for (let at = 0; at < octets; at += 65536) crypto.getRandomValues(out.subarray(at, at + 65536));
  return out;
}

/** One timer that is moved instead of multiplied: `run` is called once when the set time has come. */
export class Alarm {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #at = Infinity;

  constructor(readonly run: () => void) {}

  /** Sets the time, in terms of {@linkcode monotonicMs}; undefined or Infinity: none. */
  set(at: number | undefined): void {
    const wanted = at ?? Infinity;
    if (wanted === this.#at) return;
    this.#at = wanted;
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    if (wanted === Infinity) return;
    // setTimeout holds 31 bits; a later time is reached in steps.
    const delayMs = Math.min(Math.max(0, wanted - monotonicMs()), 2 ** 31 - 1);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#at = Infinity;
      this.run();
    }, delayMs);
  }
}

/**
 * Octets that the same seed always gives (`isakmpd -r`): hash(seed | counter), one after the other. For regression tests;
 * whoever knows the seed knows every key.
 */
export function seededRandom(seed: string): (octets: number) => Bytes {
  let counter = 0;
  let rest: Bytes = new Uint8Array(0);
  return (octets) => {
    while (rest.length < octets) rest = concat(rest, hash("sha256", encodeText(`${seed} ${counter++}`)));
    const taken = rest.slice(0, octets);
    rest = rest.slice(octets);
    return taken;
  };
}
