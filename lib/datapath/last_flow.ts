/** The TCP connection of the packet before: most packets belong to it and need not be classified and judged again. @module */
import { IP_PROTOCOL, IPV4, IPV6 } from "../ip/headers.ts";
import type { Arena } from "../octets/arena.ts";

/** Both addresses and both ports, which follow each other where there are no options or extension headers. */
const MOST_WORDS = 9;
const V4 = { FROM: IPV4.SOURCE, WORDS: 3, OCTETS: IPV4.OCTETS + 4 } as const;
const V6 = { FROM: IPV6.SOURCE, WORDS: 9, OCTETS: IPV6.OCTETS + 4 } as const;

/** What the last packet that policy let pass was: connection, SA (its age) and generation of the tables. */
export class LastFlow {
  readonly #arena: Arena;
  readonly #words = new Int32Array(MOST_WORDS);
  #version = 0;
  #age = -1;
  #generation = -1;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** Version of a packet that is an unfragmented TCP segment without IP options or extension headers; else 0. */
  #plainVersion(at: number, octets: number): number {
    const { u8, view } = this.#arena;
    if (u8[at] === 0x45) {
      return octets >= V4.OCTETS && u8[at + IPV4.PROTOCOL] === IP_PROTOCOL.TCP &&
          (view.getUint16(at + IPV4.FRAGMENT) & (IPV4.MF | IPV4.OFFSET_MASK)) === 0
        ? 4
        : 0;
    }
    return u8[at] >>> 4 === 6 && octets >= V6.OCTETS && u8[at + IPV6.NEXT_HEADER] === IP_PROTOCOL.TCP ? 6 : 0;
  }

  /** Whether the sound IP packet at `at`, which came through the SA of this age, is one more of the same. */
  has(at: number, octets: number, age: number, generation: number): boolean {
    if (age !== this.#age || generation !== this.#generation) return false;
    const version = this.#plainVersion(at, octets);
    if (version === 0 || version !== this.#version) return false;
    const { view } = this.#arena;
    const { FROM, WORDS } = version === 4 ? V4 : V6;
    for (let i = 0; i < WORDS; i++) if (view.getInt32(at + FROM + 4 * i) !== this.#words[i]) return false;
    return true;
  }

  /** Remembers a packet that may pass. */
  set(at: number, octets: number, age: number, generation: number): void {
    const version = this.#plainVersion(at, octets);
    if (version === 0) return;
    this.#version = version;
    this.#age = age;
    this.#generation = generation;
    const { view } = this.#arena;
    const { FROM, WORDS } = version === 4 ? V4 : V6;
    for (let i = 0; i < WORDS; i++) this.#words[i] = view.getInt32(at + FROM + 4 * i);
  }
}
