/** The secret number of a DSA or ECDSA signature, from key and hash alone (RFC 6979 3.2). @module */
import { bitLength, fromBigInt, toBigInt } from "./bignum.ts";
import { concat } from "../octets/bytes.ts";
import { HASHES, type HashName, hmac } from "./hash.ts";

/** The leftmost bits of a hash value, as many as the order has (FIPS 186-4 4.6). */
export function truncateHash(value: Uint8Array, order: bigint): bigint {
  const excess = 8 * value.length - bitLength(fromBigInt(order));
  return excess > 0 ? toBigInt(value) >> BigInt(excess) : toBigInt(value);
}

/** Numbers k in 1 ... order-1, one after the other, for a private key `x` and a hash value. */
export function* nonces(name: HashName, order: bigint, x: bigint, hashValue: Uint8Array): Generator<bigint, never> {
  const octets = fromBigInt(order).length, { outputOctets } = HASHES[name];
  const seed = concat(fromBigInt(x, octets), fromBigInt(truncateHash(hashValue, order) % order, octets));
  let K = new Uint8Array(outputOctets), V = new Uint8Array(outputOctets).fill(1);
  for (const octet of [0, 1]) {
    K = hmac(name, K, V, Uint8Array.of(octet), seed);
    V = hmac(name, K, V);
  }
  for (;;) {
    let bits = new Uint8Array(0);
    while (bits.length < octets) {
      V = hmac(name, K, V);
      bits = concat(bits, V);
    }
    const k = truncateHash(bits.subarray(0, octets), order);
    if (k > 0n && k < order) yield k;
    K = hmac(name, K, V, Uint8Array.of(0));
    V = hmac(name, K, V);
  }
}
