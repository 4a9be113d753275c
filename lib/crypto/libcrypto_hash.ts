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

  /** A MAC that goes on from `start`; `end` makes the value of what was hashed. */
  function mac(hash: HashName, start: Bytes, end: (outAt: number) => void, secrets: Bytes[]): PacketMac {
    const update = functions[hash][1];
    let alive = true;
    /** What was hashed so far, between the calls of one message in several parts. */
    const state = new Uint8Array(start.length);
    const resume = (from: Bytes) => {
      if (!alive) erased();
      u8.set(from, workAt);
    };
    return {
      octets: HASHES[hash].outputOctets,
      compute(dataAt, dataOctets, outAt) {
        resume(start);
        update(work, base + BigInt(dataAt | 0), BigInt(dataOctets | 0));
        end(outAt);
      },
      begin() {
        if (!alive) erased();
        state.set(start);
      },
      update(dataAt, dataOctets) {
        resume(state);
        update(work, base + BigInt(dataAt | 0), BigInt(dataOctets | 0));
        state.set(u8.subarray(workAt, workAt + state.length));
      },
      finish(outAt) {
        resume(state);
        end(outAt);
      },
      [Symbol.dispose]() {
        alive = false;
        erase(start, state, ...secrets);
      },
    };
  }

  return {
    hmac(hash, key) {
      const [, update, final] = functions[hash];
      const { blockOctets, outputOctets } = HASHES[hash];
      const block = new Uint8Array(blockOctets);
      block.set(key);
      const pads = [0x36, 0x5c].map((pad) => block.map((octet) => octet ^ pad));
      const [inner, outer] = pads.map((pad) => stateAfter(hash, pad));
      erase(block, ...pads);
      const octets = BigInt(outputOctets);
      const end = (outAt: number) => {
        final(base + BigInt(outAt | 0), work);
        u8.set(outer, workAt);
        update(work, base + BigInt(outAt | 0), octets);
        final(base + BigInt(outAt | 0), work);
      };
      return mac(hash, inner, end, [outer]);
    },

    keyed(hash, givenKey) {
      const [, update, final] = functions[hash];
      const key = concat(givenKey), octets = BigInt(key.length);
      const filled = filledKey(hash, key);
      const start = stateAfter(hash, filled);
      erase(filled);
      const end = (outAt: number) => {
        u8.set(key, partAt);
        update(work, part, octets);
        u8.fill(0, partAt, partAt + key.length);
        final(base + BigInt(outAt | 0), work);
      };
      return mac(hash, start, end, [key]);
    },
  };
}
