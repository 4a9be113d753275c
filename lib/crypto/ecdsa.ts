/**
 * ECDSA over a hash value on P-256, P-384 and P-521 (FIPS 186-4 6.4; RFC 4754 for IKE, which signs HASH_I as it is).
 * node:crypto hashes what it signs, so that its signatures are no use there.
 *
 * @module
 */
import { type KeyObject, randomBytes } from "node:crypto";
import { type Bytes, concat } from "../octets/bytes.ts";
import { DER, derChildren, readDer } from "../octets/der.ts";
import { fromBigInt, modInverse, toBigInt } from "./bignum.ts";
import { curveKeyPair } from "./ecdh.ts";
import type { HashName } from "./hash.ts";
import { ecCurve, encodePrivateKey, KeyError, type PublicKey, publicKeyOfKind } from "./keys.ts";
import { nonces, truncateHash } from "./nonce.ts";
import { multiplyAndAdd } from "./prime_curve.ts";

/** The hash that goes with each curve (RFC 4754 3). */
const CURVE_HASHES: Readonly<Record<number, HashName>> = { 32: "sha256", 48: "sha384", 66: "sha512" };

const curveOf = (key: KeyObject | PublicKey) => ecCurve(publicKeyOfKind(key, "ec").curve);

/** The hash that RFC 4754 pairs with the key's curve. @throws {KeyError} */
export const ecdsaHash = (key: KeyObject | PublicKey): HashName => CURVE_HASHES[curveOf(key).fieldOctets];

/** Octets of r and of s for a key. @throws {KeyError} */
export const ecdsaOctets = (key: KeyObject | PublicKey): number => curveOf(key).fieldOctets;

/**
 * Signs a hash value.
 *
 * @returns r | s, each as long as the curve's order (RFC 4754 7)
 * @throws {KeyError} when the key is no private EC key
 */
export function signEcdsa(key: KeyObject, hashValue: Uint8Array): Bytes {
  if (key.type !== "private") throw new KeyError("Cannot sign with a public key");
  const curve = curveOf(key), { order } = curve.prime, octets = curve.fieldOctets;
  const [, , inner] = derChildren(readDer(encodePrivateKey(key), DER.SEQUENCE));
  const d = toBigInt(derChildren(readDer(inner.content, DER.SEQUENCE))[1].content);
  for (const k of nonces(CURVE_HASHES[octets], order, d, hashValue)) {
    const { publicValue } = curveKeyPair(curve, () => fromBigInt(k, octets)); // k times the generator
    const r = toBigInt(publicValue.subarray(0, octets)) % order;
    // Blinded, because the inversion's time depends on what is inverted.
    const blind = 1n + toBigInt(randomBytes(octets + 8)) % (order - 1n);
    const s = modInverse(k * blind, order) * (blind * (truncateHash(hashValue, order) + r * d)) % order;
    if (r !== 0n && s !== 0n) return concat(fromBigInt(r, octets), fromBigInt(s, octets));
  }
  throw new Error("unreachable: nonces never end");
}

/** Whether `signature` (r | s) is the key's over a hash value. @throws {KeyError} when the key is no EC key */
export function verifyEcdsa(key: KeyObject | PublicKey, hashValue: Uint8Array, signature: Uint8Array): boolean {
  const { curve: oid, point } = publicKeyOfKind(key, "ec");
  const { prime, fieldOctets: octets } = ecCurve(oid), { order } = prime;
  if (signature.length !== 2 * octets) return false;
  const r = toBigInt(signature.subarray(0, octets)), s = toBigInt(signature.subarray(octets));
  if (r === 0n || r >= order || s === 0n || s >= order) return false;
  const w = modInverse(s, order);
  const x = multiplyAndAdd(prime, truncateHash(hashValue, order) * w % order, r * w % order, {
    x: toBigInt(point.subarray(0, octets)),
    y: toBigInt(point.subarray(octets)),
  });
  return x !== undefined && x % order === r;
}
