/** A key for as long as its SA lives. @module */
import type { Bytes } from "../octets/bytes.ts";
import { Slab } from "../octets/slab.ts";

const slab = new Slab();

/** Octets that can be overwritten, and cannot be used afterwards: an erased key would still encrypt, with zeros. */
export class Key {
  #octets: Bytes | undefined;

  constructor(octets: Uint8Array) {
    this.#octets = slab.copy(octets);
  }

  /** The key itself; the caller keeps no copy. @throws {Error} after {@linkcode Key.erase} */
  get octets(): Bytes {
    return this.#octets ?? erased();
  }

  erase(): void {
    this.#octets?.fill(0);
    this.#octets = undefined;
  }
}

/** @throws {Error} that tells of the use of an SA's cipher or MAC after its end */
export function erased(): never {
  throw new Error("Cannot use a cipher or MAC whose key has been erased");
}
