/** One object for each address, where thousands of SAs and flows name the same few. @module */
import { Slab } from "../octets/slab.ts";
import type { Address } from "./address.ts";

/** More different addresses than this and the pool starts anew, so that it holds no more than it is worth. */
const MOST = 4096;

/** Equal addresses as one object. */
export class AddressPool {
  readonly #v4 = new Map<number, Address>();
  readonly #v6 = new Map<string, Address>();
  readonly #slab = new Slab();

  /** The address of 4 or 16 octets at `at`. */
  read(octets: Uint8Array, at: number, length: 4 | 16): Address {
    if (length === 4) {
      const key = octets[at] << 24 | octets[at + 1] << 16 | octets[at + 2] << 8 | octets[at + 3];
      return this.#v4.get(key) ?? this.#keep(this.#v4, key, octets, at, 4);
    }
    const key = String.fromCharCode(...octets.subarray(at, at + 16));
    return this.#v6.get(key) ?? this.#keep(this.#v6, key, octets, at, 16);
  }

  /** The pool's object for an address. */
  share({ octets }: Address): Address {
    return this.read(octets, 0, octets.length as 4 | 16);
  }

  #keep<Key>(pool: Map<Key, Address>, key: Key, octets: Uint8Array, at: number, length: 4 | 16): Address {
    if (pool.size >= MOST) pool.clear();
    const made: Address = { family: length === 4 ? 4 : 6, octets: this.#slab.copy(octets.subarray(at, at + length)) };
    pool.set(key, made);
    return made;
  }
}
