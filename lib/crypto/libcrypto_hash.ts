/**
 * HMAC and keyed hashes over libcrypto's plain hash functions. Their state is memory of ours, so that the keyed start is
 * copied for each packet in some nanoseconds; through EVP a copy is two allocations.
 *
 * @module
 */
import type { Libcrypto } from "../ffi/libcrypto.ts";
import type { Arena } from "../octets/arena.ts";
import { type Bytes, concat, erase } from "../octets/bytes.ts";
import { HASHES, type HashName } from "./hash.ts";
import { erased } from "./key.ts";
import { filledKey } from "./keyed.ts";
import type { PacketMac } from "./packet.ts";

/** Octets of a hash's state, that is, of SHA_CTX and its like (openssl/sha.h, md5.h, ripemd.h). */
export const STATE_OCTETS: Readonly<Record<HashName, number>> = {
  md5: 92,
  sha1: 96,
  sha256: 112,
  sha384: 216,
  sha512: 216,
  ripemd160: 96,
};
export const MOST_STATE_OCTETS = 256;
/** Keys and the blocks that they are padded to are no longer. */
const MOST_PART_OCTETS = 512;

/** Makes MACs whose packets lie in `arena`. */
export interface HashMacs {
  /** RFC 2104. The key is no longer than the hash's block. */
  hmac(hash: HashName, key: Uint8Array): PacketMac;
  /** RFC 1828, 1852: H(key, fill, data, key). */
  keyed(hash: "md5" | "sha1", key: Uint8Array): PacketMac;
}

type Init = (state: bigint) => number;
type Update = (state: bigint, data: bigint, octets: bigint) => number;
type Final = (out: bigint, state: bigint) => number;

/** Steps of one hash on the state that is being worked on; places and lengths in the arena. */
interface HashSteps {
  update(at: number, octets: number): void;
  final(outAt: number): void;
}

/** The symbols where none is missing. */
type NonNullSymbols = { readonly [Name in keyof Libcrypto["symbols"]]: NonNullable<Libcrypto["symbols"][Name]> };

/** Functions that begin, go on with and end each hash; addresses are of memory that does not move. */
export type HashFunctions = Readonly<Record<HashName, readonly [Init, Update, Final]>>;

/** The plain hash functions; undefined where this libcrypto was built without them. */
export function hashFunctions({ symbols: s }: Libcrypto): HashFunctions | undefined {
  const functions = {
    md5: [s.MD5_Init, s.MD5_Update, s.MD5_Final],
    sha1: [s.SHA1_Init, s.SHA1_Update, s.SHA1_Final],
    sha256: [s.SHA256_Init, s.SHA256_Update, s.SHA256_Final],
    sha384: [s.SHA384_Init, s.SHA512_Update, s.SHA512_Final],
    sha512: [s.SHA512_Init, s.SHA512_Update, s.SHA512_Final],
    ripemd160: [s.RIPEMD160_Init, s.RIPEMD160_Update, s.RIPEMD160_Final],
  } as const;
  return Object.values(functions).flat().includes(null) ? undefined : functions as HashFunctions;
}

/** The makers; undefined where this libcrypto was built without the plain hash functions. */
export function createHashMacs(library: Libcrypto, arena: Arena): HashMacs | undefined {
  const found = hashFunctions(library);
  if (!found) return undefined;
  const functions = found;
  const { u8, base } = arena;
  const workAt = arena.reserve(MOST_STATE_OCTETS), work = base + BigInt(workAt);
  const partAt = arena.reserve(MOST_PART_OCTETS), part = base + BigInt(partAt);

  // A call of its own for each: one that is made to several functions is slow, and puts every address on the heap.
  const s = library.symbols as NonNullSymbols;
  const sha512: HashSteps = {
    update: (at, octets) => void s.SHA512_Update(work, base + BigInt(at | 0), BigInt(octets | 0)),
    final: (at) => void s.SHA512_Final(base + BigInt(at | 0), work),
  };
  const STEPS: Readonly<Record<HashName, HashSteps>> = {
    md5: {
      update: (at, octets) => void s.MD5_Update(work, base + BigInt(at | 0), BigInt(octets | 0)),
      final: (at) => void s.MD5_Final(base + BigInt(at | 0), work),
    },
    sha1: {
      update: (at, octets) => void s.SHA1_Update(work, base + BigInt(at | 0), BigInt(octets | 0)),
      final: (at) => void s.SHA1_Final(base + BigInt(at | 0), work),
    },
    sha256: {
      update: (at, octets) => void s.SHA256_Update(work, base + BigInt(at | 0), BigInt(octets | 0)),
      final: (at) => void s.SHA256_Final(base + BigInt(at | 0), work),
    },
    sha384: sha512,
    sha512,
    ripemd160: {
      update: (at, octets) => void s.RIPEMD160_Update(work, base + BigInt(at | 0), BigInt(octets | 0)),
      final: (at) => void s.RIPEMD160_Final(base + BigInt(at | 0), work),
    },
  };

  /** The state of a hash that has taken in `octets`. It is as secret as they are. */
  function stateAfter(hash: HashName, octets: Uint8Array): Bytes {
    const [init, update] = functions[hash];
    u8.set(octets, partAt);
    init(work);
    update(work, part, BigInt(octets.length));
    const state = u8.slice(workAt, workAt + STATE_OCTETS[hash]) as Bytes;
    u8.fill(0, partAt, partAt + octets.length);
    u8.fill(0, workAt, workAt + STATE_OCTETS[hash]);
    return state;
  }

  /** A MAC that goes on from `start`. A class, because an object of functions is several times as large. */
  abstract class HashMac implements PacketMac {
    readonly octets: number;
    protected readonly steps: HashSteps;
    readonly #start: Bytes;
    /** What was hashed so far, between the calls of one message in several parts. */
    #state: Bytes | undefined;
    #alive = true;

    /** `secret` is what the end needs; it is erased with the rest. */
    constructor(hash: HashName, start: Bytes, protected readonly secret: Bytes) {
      this.octets = HASHES[hash].outputOctets;
      this.steps = STEPS[hash];
      this.#start = start;
    }

    /** Writes the value of what was hashed. */
    protected abstract end(outAt: number): void;

    #resume(from: Bytes): void {
      if (!this.#alive) erased();
      u8.set(from, workAt);
    }

    compute(dataAt: number, dataOctets: number, outAt: number): void {
      this.#resume(this.#start);
      this.steps.update(dataAt, dataOctets);
      this.end(outAt);
    }

    begin(): void {
      if (!this.#alive) erased();
      if (this.#state) this.#state.set(this.#start);
      else this.#state = this.#start.slice();
    }

    update(dataAt: number, dataOctets: number): void {
      const state = this.#state!;
      this.#resume(state);
      this.steps.update(dataAt, dataOctets);
      state.set(u8.subarray(workAt, workAt + state.length));
    }

    finish(outAt: number): void {
      this.#resume(this.#state!);
      this.end(outAt);
    }

    [Symbol.dispose](): void {
      this.#alive = false;
      erase(this.#start, this.secret);
      if (this.#state) erase(this.#state);
    }
  }

  /** The secret is the state after the outer pad. */
  class Hmac extends HashMac {
    protected override end(outAt: number): void {
      this.steps.final(outAt);
      u8.set(this.secret, workAt);
      this.steps.update(outAt, this.octets);
      this.steps.final(outAt);
    }
  }

  /** The secret is the key. */
  class Keyed extends HashMac {
    protected override end(outAt: number): void {
      const { length } = this.secret;
      u8.set(this.secret, partAt);
      this.steps.update(partAt, length);
      u8.fill(0, partAt, partAt + length);
      this.steps.final(outAt);
    }
  }

  return {
    hmac(hash, key) {
      const block = new Uint8Array(HASHES[hash].blockOctets);
      block.set(key);
      const pads = [0x36, 0x5c].map((pad) => block.map((octet) => octet ^ pad));
      const [inner, outer] = pads.map((pad) => stateAfter(hash, pad));
      erase(block, ...pads);
      return new Hmac(hash, inner, outer);
    },

    keyed(hash, givenKey) {
      const key = concat(givenKey);
      const filled = filledKey(hash, key);
      const start = stateAfter(hash, filled);
      erase(filled);
      return new Keyed(hash, start, key);
    },
  };
}
