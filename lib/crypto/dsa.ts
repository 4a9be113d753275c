/** DSA over a hash value (FIPS 186-4 4), for IKE's DSS signatures and KeyNote. @module */
import { type KeyObject, randomBytes } from "node:crypto";
import { type Bytes, concat } from "../octets/bytes.ts";
import { DER, derChildren, derUnsigned, encodeSequence, encodeUnsigned, readDer } from "../octets/der.ts";
import { DecodeError } from "../octets/reader.ts";
import { fromBigInt, modInverse, toBigInt } from "./bignum.ts";
import type { HashName } from "./hash.ts";
import { dsaPrivateNumbers, KeyError, type PublicKey, publicKeyOfKind } from "./keys.ts";
import { modExp } from "./modp.ts";
import { nonces, truncateHash } from "./nonce.ts";

/**
 * Signs a hash value.
 *
 * @param name the hash from which the secret number is derived (RFC 6979); usually the one that made the value
 * @returns r | s, each as long as the order q
 * @throws {KeyError} when the key is no private DSA key
 */
export function signDsa(key: KeyObject, name: HashName, hashValue: Uint8Array): Bytes {
  if (key.type !== "private") throw new KeyError("Cannot sign with a public key");
  const { p, g, q: order } = publicKeyOfKind(key, "dsa");
  const q = toBigInt(order), qOctets = order.length, x = toBigInt(dsaPrivateNumbers(key).x);
  for (const k of nonces(name, q, x, hashValue)) {
    const r = toBigInt(modExp(g, fromBigInt(k, qOctets), p)) % q;
    // Blinded, because the inversion's time depends on what is inverted.
    const blind = 1n + toBigInt(randomBytes(qOctets + 8)) % (q - 1n);
    const s = modInverse(k * blind, q) * (blind * (truncateHash(hashValue, q) + r * x)) % q;
    if (r !== 0n && s !== 0n) return concat(fromBigInt(r, qOctets), fromBigInt(s, qOctets));
  }
  throw new Error("unreachable: nonces never end");
}

/** Whether `signature` (r | s) is the key's over a hash value. @throws {KeyError} when the key is no DSA key */
export function verifyDsa(key: KeyObject | PublicKey, hashValue: Uint8Array, signature: Uint8Array): boolean {
  const { p, q: order, g, y } = publicKeyOfKind(key, "dsa");
  const q = toBigInt(order), qOctets = order.length;
  if (signature.length !== 2 * qOctets) return false;
  const r = toBigInt(signature.subarray(0, qOctets)), s = toBigInt(signature.subarray(qOctets));
  if (r === 0n || r >= q || s === 0n || s >= q) return false;
  const w = modInverse(s, q);
  const power = (base: Bytes, exponent: bigint) => toBigInt(modExp(base, fromBigInt(exponent % q, qOctets), p));
  return power(g, truncateHash(hashValue, q) * w) * power(y, r * w) % toBigInt(p) % q === r;
}

/** r | s, each of `octets` octets, from SEQUENCE { r, s }. @throws {DecodeError} when it is not that, or does not fit */
export function signatureFromDer(der: Uint8Array, octets: number): Bytes {
  const numbers = derChildren(readDer(der, DER.SEQUENCE, "signature"), "signature");
  if (numbers.length !== 2) throw new DecodeError(`signature: ${numbers.length} numbers in place of 2`);
  return concat(...numbers.map((element) => {
    const number = derUnsigned(element, "signature");
    if (number.length > octets) throw new DecodeError(`signature: a number of ${number.length} octets, not ${octets}`);
    return concat(new Uint8Array(octets - number.length), number);
  }));
}

/** SEQUENCE { r, s } from r | s. */
export function signatureToDer(signature: Uint8Array): Bytes {
  const octets = signature.length / 2;
  return encodeSequence(encodeUnsigned(signature.subarray(0, octets)), encodeUnsigned(signature.subarray(octets)));
}
