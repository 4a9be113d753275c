/** RSA signatures with PKCS#1 v1.5 padding (RFC 8017 8.2), with and without a DigestInfo around the hash. @module */
import { constants, generateKeyPairSync, type KeyObject, privateEncrypt } from "node:crypto";
import { type Bytes, concat, equalConstantTime } from "../octets/bytes.ts";
import { encodeNull, encodeOctetString, encodeOid, encodeSequence } from "../octets/der.ts";
import { hash, type HashName } from "./hash.ts";
import { type PublicKey, rsaNumbers } from "./keys.ts";
import { modExp } from "./modp.ts";

/** Octets of padding around the enclosed value. */
const PADDING_OCTETS = 11;

/** Object identifiers of the hashes. */
export const HASH_OIDS: Readonly<Record<HashName, string>> = {
  md5: "1.2.840.113549.2.5",
  sha1: "1.3.14.3.2.26",
  sha256: "2.16.840.1.101.3.4.2.1",
  sha384: "2.16.840.1.101.3.4.2.2",
  sha512: "2.16.840.1.101.3.4.2.3",
  ripemd160: "1.3.36.3.2.1",
};

/** The DigestInfo of a hash value (RFC 8017 9.2). */
export const digestInfo = (name: HashName, value: Uint8Array): Bytes =>
  encodeSequence(encodeSequence(encodeOid(HASH_OIDS[name]), encodeNull()), encodeOctetString(value));

/**
 * Signs `enclosed` as it is, without a DigestInfo: IKEv1 does so with HASH_I and HASH_R (RFC 2409 5.1).
 *
 * @throws {KeyError} when the key is no RSA key
 * @throws {RangeError} when `enclosed` does not fit the modulus
 */
export function signRsaBare(key: KeyObject, enclosed: Uint8Array): Bytes {
  const { modulus } = rsaNumbers(key);
  if (enclosed.length + PADDING_OCTETS > modulus.length) {
    throw new RangeError(`Cannot sign ${enclosed.length} octets with an RSA key of ${8 * modulus.length} bits`);
  }
  return new Uint8Array(privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, enclosed));
}

/**
 * Whether `signature` is the key's over `enclosed` as it is. The padded block is made and compared whole, never parsed,
 * so that no slack in it can be used to forge (RFC 8017 8.2.2).
 *
 * @throws {KeyError} when the key is no RSA key
 */
export function verifyRsaBare(key: KeyObject | PublicKey, enclosed: Uint8Array, signature: Uint8Array): boolean {
  const { modulus, exponent } = rsaNumbers(key);
  if (signature.length !== modulus.length || enclosed.length + PADDING_OCTETS > modulus.length) return false;
  const fill = new Uint8Array(modulus.length - enclosed.length - 3).fill(0xff);
  const block = concat(Uint8Array.of(0, 1), fill, Uint8Array.of(0), enclosed);
  return equalConstantTime(modExp(signature, exponent, modulus), block);
}

/** Signs the hash of `data`, in a DigestInfo (RSASSA-PKCS1-v1_5). @throws as {@linkcode signRsaBare} */
export const signRsa = (key: KeyObject, name: HashName, data: Uint8Array): Bytes =>
  signRsaBare(key, digestInfo(name, hash(name, data)));

/** Whether `signature` is the key's over the hash of `data`, in a DigestInfo. @throws {KeyError} */
export const verifyRsa = (
  key: KeyObject | PublicKey,
  name: HashName,
  data: Uint8Array,
  signature: Uint8Array,
): boolean => verifyRsaBare(key, digestInfo(name, hash(name, data)), signature);

/** A new RSA key with the exponent 65537. @throws {RangeError} when `bits` is not 1024 to 8192, in steps of 8 */
export function generateRsaKey(bits: number): KeyObject {
  if (!Number.isInteger(bits) || bits < 1024 || bits > 8192 || bits % 8) {
    throw new RangeError(`Cannot make an RSA key of ${bits} bits: 1024 to 8192 in steps of 8 are allowed`);
  }
  return generateKeyPairSync("rsa", { modulusLength: bits }).privateKey;
}
