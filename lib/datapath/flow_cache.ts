/** What was decided for a packet's 5-tuple, remembered, so that the common packet costs one probe. @module */
import { TUPLE } from "../ip/tuple.ts";

/** So many that of 10,000 flows hardly any is pushed out; what is not used costs no memory but the list of decisions. */
const ENTRIES = 131072;
/** Words of a row, a line of the processor's cache: the tuple, then these. */
const ROW_WORDS = 16;
const SALT = TUPLE.WORDS;
/** One more than the generation, in two words; 0: nothing stored. */
const GENERATION = SALT + 1;
const HIGH = 2 ** 32;

/**
 * A cache of decisions by tuple, each in one of two rows. A decision is good only for the generation it was stored with;
 * whoever stores adds up the generations of the tables that the decision came from. Nothing is allocated by a probe.
 */
export class FlowCache<Decision> {
  readonly #rows = new Int32Array(ENTRIES * ROW_WORDS);
  readonly #decisions: (Decision | null)[] = new Array(ENTRIES).fill(null);

  /** The row for a tuple; the other one is its neighbour, the row with this number ^ 1. */
  #rowOf(tuple: Int32Array, salt: number): number {
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

  #isCurrent(row: number, generation: number): boolean {
    const rows = this.#rows;
    const at = row * ROW_WORDS + GENERATION;
    return rows[at] === (generation + 1 | 0) && rows[at + 1] === ((generation + 1) / HIGH | 0);
  }

  #holds(row: number, tuple: Int32Array, salt: number, generation: number): boolean {
    const rows = this.#rows;
    const at = row * ROW_WORDS;
    for (let i = 0; i < TUPLE.WORDS; i++) if (rows[at + i] !== tuple[i]) return false;
    return rows[at + SALT] === salt && this.#isCurrent(row, generation);
  }

  /** The decision stored for this tuple and salt at this generation; null when there is none. */
  find(tuple: Int32Array, salt: number, generation: number): Decision | null {
    const row = this.#rowOf(tuple, salt);
    if (this.#holds(row, tuple, salt, generation)) return this.#decisions[row];
    return this.#holds(row ^ 1, tuple, salt, generation) ? this.#decisions[row ^ 1] : null;
  }

  /** Stores a decision that is not there, in a row that is out of date or in place of what shared its own. */
  store(tuple: Int32Array, salt: number, generation: number, decision: Decision): void {
    const own = this.#rowOf(tuple, salt);
    const row = this.#isCurrent(own, generation) && !this.#isCurrent(own ^ 1, generation) ? own ^ 1 : own;
    const rows = this.#rows;
    const at = row * ROW_WORDS;
    rows.set(tuple, at);
    rows[at + SALT] = salt;
    rows[at + GENERATION] = generation + 1; // modulo 2^32
    rows[at + GENERATION + 1] = (generation + 1) / HIGH;
    this.#decisions[row] = decision;
  }
}
