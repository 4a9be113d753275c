/** What was decided for a packet's 5-tuple, remembered, so that the common packet costs one probe. @module */
import { TUPLE } from "../ip/tuple.ts";

/** So many that of 10,000 flows few share a slot; what is not used costs no memory but the list of decisions. */
const ENTRIES = 65536;
const STRIDE = 16;

/**
 * A direct-mapped cache of decisions by tuple. A decision is good only for the generation it was stored with; whoever
 * stores adds up the generations of the tables that the decision came from. Nothing is allocated by a probe.
 */
export class FlowCache<Decision> {
  readonly #keys = new Int32Array(ENTRIES * STRIDE);
  /** One more than the generation; 0: nothing stored. */
  readonly #generations = new Float64Array(ENTRIES);
  readonly #decisions: (Decision | null)[] = new Array(ENTRIES).fill(null);

  #slot(tuple: Int32Array, salt: number): number {
    let hash = Math.imul(tuple[TUPLE.SOURCE] ^ salt, 0x9e3779b1);
    hash = Math.imul(hash ^ hash >>> 15 ^ tuple[TUPLE.DESTINATION], 0x85ebca6b);
    if (tuple[TUPLE.FAMILY] === 6) {
      for (let i = 1; i < 4; i++) {
        hash = Math.imul(hash ^ hash >>> 15 ^ tuple[TUPLE.SOURCE + i], 0x9e3779b1);
        hash = Math.imul(hash ^ hash >>> 15 ^ tuple[TUPLE.DESTINATION + i], 0x85ebca6b);
      }
    }
    hash ^= tuple[TUPLE.PROTOCOL] << 24 ^ tuple[TUPLE.SOURCE_PORT] << 16 ^ tuple[TUPLE.DESTINATION_PORT];
    hash = Math.imul(hash ^ hash >>> 15, 0xc2b2ae35);
    return (hash ^ hash >>> 13) & ENTRIES - 1;
  }

  /** The decision stored for this tuple and salt at this generation; null when there is none. */
  find(tuple: Int32Array, salt: number, generation: number): Decision | null {
    const slot = this.#slot(tuple, salt);
    if (this.#generations[slot] !== generation + 1) return null;
    const keys = this.#keys;
    const at = slot * STRIDE;
    if (keys[at + TUPLE.WORDS] !== salt) return null;
    for (let i = 0; i < TUPLE.WORDS; i++) if (keys[at + i] !== tuple[i]) return null;
    return this.#decisions[slot];
  }

  /** Stores a decision, in place of whatever shared its slot. */
  store(tuple: Int32Array, salt: number, generation: number, decision: Decision): void {
    const slot = this.#slot(tuple, salt);
    this.#keys.set(tuple, slot * STRIDE);
    this.#keys[slot * STRIDE + TUPLE.WORDS] = salt;
    this.#generations[slot] = generation + 1;
    this.#decisions[slot] = decision;
  }
}
