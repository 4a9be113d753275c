/**
 * RSA signatures with PKCS#1 v1.5 padding (RFC 8017 8.2), with and without a DigestInfo around the hash, and the
 * verification of RSASSA-PSS (8.1), with which certificates may be signed.
 *
 * @module
 */
import { constants, generateKeyPairSync, type KeyObject, privateEncrypt } from "node:crypto";
import { type Bytes, compare, concat, equalConstantTime } from "../octets/bytes.ts";
import { encodeNull, encodeOctetString, encodeOid, encodeSequence } from "../octets/der.ts";
import { bitLength } from "./bignum.ts";
import { hash, HASHES, type HashName } from "./hash.ts";
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

/** RSAVP1 (RFC 8017 5.2.2); undefined for what is no signature of this modulus, so that none has a second form. */
function messageRepresentative(
  { modulus, exponent }: { modulus: Bytes; exponent: Bytes },
  signature: Uint8Array,
): Bytes | undefined {
  if (signature.length !== modulus.length || compare(signature, modulus) >= 0) return undefined;
  return modExp(signature, exponent, modulus);
}

/**
 * Whether `signature` is the key's over `enclosed` as it is. The padded block is made and compared whole, never parsed,
 * so that no slack in it can be used to forge (RFC 8017 8.2.2).
 *
 * @throws {KeyError} when the key is no RSA key
 */
export function verifyRsaBare(key: KeyObject | PublicKey, enclosed: Uint8Array, signature: Uint8Array): boolean {
  const numbers = rsaNumbers(key);
  const { modulus } = numbers;
  const representative = messageRepresentative(numbers, signature);
  if (!representative || enclosed.length + PADDING_OCTETS > modulus.length) return false;
  const fill = new Uint8Array(modulus.length - enclosed.length - 3).fill(0xff);
  const block = concat(Uint8Array.of(0, 1), fill, Uint8Array.of(0), enclosed);
  return equalConstantTime(representative, block);
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

/** What a signature of RSASSA-PSS was made with: the message's hash, that of MGF1, octets of salt. */
export interface PssParameters {
  readonly hash: HashName;
  readonly maskHash: HashName;
  readonly saltOctets: number;
}

/** MGF1 (RFC 8017 B.2.1). */
function mask(name: HashName, seed: Uint8Array, octets: number): Bytes {
  const blocks: Bytes[] = [];
  for (let counter = 0; counter * HASHES[name].outputOctets < octets; counter++) {
    blocks.push(hash(name, seed, Uint8Array.of(counter >>> 24, counter >>> 16, counter >>> 8, counter)));
  }
  return concat(...blocks).subarray(0, octets);
}

const PSS_TRAILER = 0xbc;

/** Whether `signature` is the key's over `data` by RSASSA-PSS (RFC 8017 8.1.2, 9.1.2). @throws {KeyError} */
export function verifyRsaPss(
  key: KeyObject | PublicKey,
  parameters: PssParameters,
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  const numbers = rsaNumbers(key);
  const { hash: name, maskHash, saltOctets } = parameters;
  const hashOctets = HASHES[name].outputOctets;
  const bits = bitLength(numbers.modulus) - 1;
  const octets = Math.ceil(bits / 8);
  const maskedOctets = octets - hashOctets - 1;
  const power = messageRepresentative(numbers, signature);
  if (!power || maskedOctets < saltOctets + 1) return false;
  const block = power.subarray(power.length - octets);
  if (power.length > octets && power[0] !== 0) return false;
  const unused = 8 * octets - bits;
  const masked = block.subarray(0, maskedOctets), value = block.subarray(maskedOctets, octets - 1);
  if (block[octets - 1] !== PSS_TRAILER || masked[0] >> (8 - unused) !== 0) return false;
  const plain = mask(maskHash, value, maskedOctets).map((octet, i) => octet ^ masked[i]);
  plain[0] &= 0xff >> unused;
  const salt = plain.subarray(maskedOctets - saltOctets);
  const padding = new Uint8Array(maskedOctets - saltOctets);
  padding[padding.length - 1] = 1;
  return equalConstantTime(plain.subarray(0, padding.length), padding) &&
    equalConstantTime(hash(name, new Uint8Array(8), hash(name, data), salt), value);
}

/** A new RSA key with the exponent 65537. @throws {RangeError} when `bits` is not 1024 to 8192, in steps of 8 */
export function generateRsaKey(bits: number): KeyObject {
  if (!Number.isInteger(bits) || bits < 1024 || bits > 8192 || bits % 8) {
    throw new RangeError(`Cannot make an RSA key of ${bits} bits: 1024 to 8192 in steps of 8 are allowed`);
  }
  return generateKeyPairSync("rsa", { modulusLength: bits }).privateKey;
}
