/** Signature algorithms of certificates and CRLs. @module */
import {
  dsaNumbers,
  ecdsaOctets,
  KeyError,
  type KeyObject,
  type PublicKey,
  signatureFromDer,
  signatureToDer,
  signDsa,
  signEcdsa,
  signRsa,
  verifyDsa,
  verifyEcdsa,
  verifyRsa,
} from "../crypto/signature.ts";
import { hash, type HashName } from "../crypto/hash.ts";
import type { Bytes } from "../octets/bytes.ts";
import { encodeNull, encodeOid, encodeSequence } from "../octets/der.ts";
import { DecodeError } from "../octets/reader.ts";
import { CertificateError } from "./error.ts";

/** A signature algorithm. `weak`: collisions can be computed, so that a signature can be moved to another certificate. */
export interface SignatureAlgorithm {
  readonly oid: string;
  readonly name: string;
  readonly key: "rsa" | "dsa" | "ec";
  readonly hash: HashName;
  readonly weak?: "broken" | "old";
}

/** RFC 3279, RFC 4055, RFC 5758; the first row of a key and hash is the one that is written. */
export const SIGNATURE_ALGORITHMS: readonly SignatureAlgorithm[] = [
  { oid: "1.2.840.113549.1.1.4", name: "md5WithRSAEncryption", key: "rsa", hash: "md5", weak: "broken" },
  { oid: "1.2.840.113549.1.1.5", name: "sha1WithRSAEncryption", key: "rsa", hash: "sha1", weak: "old" },
  { oid: "1.3.14.3.2.29", name: "sha1WithRSA", key: "rsa", hash: "sha1", weak: "old" },
  { oid: "1.3.36.3.3.1.2", name: "ripemd160WithRSA", key: "rsa", hash: "ripemd160", weak: "old" },
  { oid: "1.2.840.113549.1.1.11", name: "sha256WithRSAEncryption", key: "rsa", hash: "sha256" },
  { oid: "1.2.840.113549.1.1.12", name: "sha384WithRSAEncryption", key: "rsa", hash: "sha384" },
  { oid: "1.2.840.113549.1.1.13", name: "sha512WithRSAEncryption", key: "rsa", hash: "sha512" },
  { oid: "1.2.840.10040.4.3", name: "dsa-with-sha1", key: "dsa", hash: "sha1", weak: "old" },
  { oid: "2.16.840.1.101.3.4.3.2", name: "dsa-with-sha256", key: "dsa", hash: "sha256" },
  { oid: "1.2.840.10045.4.1", name: "ecdsa-with-SHA1", key: "ec", hash: "sha1", weak: "old" },
  { oid: "1.2.840.10045.4.3.2", name: "ecdsa-with-SHA256", key: "ec", hash: "sha256" },
  { oid: "1.2.840.10045.4.3.3", name: "ecdsa-with-SHA384", key: "ec", hash: "sha384" },
  { oid: "1.2.840.10045.4.3.4", name: "ecdsa-with-SHA512", key: "ec", hash: "sha512" },
];

/** The algorithm of an OBJECT IDENTIFIER, if it is a known one. */
export const signatureAlgorithm = (oid: string): SignatureAlgorithm | undefined =>
  SIGNATURE_ALGORITHMS.find((row) => row.oid === oid);

/** The algorithm for a kind of key and a hash. @throws {CertificateError} when there is none */
export function algorithmFor(key: KeyObject, hashName: HashName): SignatureAlgorithm {
  const found = SIGNATURE_ALGORITHMS.find((row) => row.key === key.asymmetricKeyType && row.hash === hashName);
  if (!found) throw new CertificateError(`no signature of ${key.asymmetricKeyType} keys with ${hashName}`);
  return found;
}

/** AlgorithmIdentifier: RSA has NULL parameters, the others none (RFC 3279 section 2.2). */
export const encodeAlgorithm = ({ oid, key }: SignatureAlgorithm): Bytes =>
  key === "rsa" ? encodeSequence(encodeOid(oid), encodeNull()) : encodeSequence(encodeOid(oid));

/** Whether `signature` is the key's over `octets`. A malformed signature is none. */
export function verifyOctets(
  key: PublicKey,
  algorithm: SignatureAlgorithm,
  octets: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (key.kind !== algorithm.key) return false;
  try {
    switch (algorithm.key) {
      case "rsa":
        return verifyRsa(key, algorithm.hash, octets, signature);
      case "dsa":
        return verifyDsa(key, hash(algorithm.hash, octets), signatureFromDer(signature, dsaNumbers(key).q.length));
      case "ec":
        return verifyEcdsa(key, hash(algorithm.hash, octets), signatureFromDer(signature, ecdsaOctets(key)));
    }
  } catch (error) {
    if (error instanceof DecodeError || error instanceof KeyError) return false;
    throw error;
  }
}

/** The value of a signatureValue field. @throws {RangeError} when the key is too short for the hash */
export function signOctets(key: KeyObject, algorithm: SignatureAlgorithm, octets: Uint8Array): Bytes {
  switch (algorithm.key) {
    case "rsa":
      return signRsa(key, algorithm.hash, octets);
    case "dsa":
      return signatureToDer(signDsa(key, algorithm.hash, hash(algorithm.hash, octets)));
    case "ec":
      return signatureToDer(signEcdsa(key, hash(algorithm.hash, octets)));
  }
}
