/** Signature algorithms of certificates and CRLs. @module */
import {
  dsaNumbers,
  ecdsaOctets,
  HASH_OIDS,
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
  verifyEd25519,
  verifyRsa,
  verifyRsaPss,
} from "../crypto/signature.ts";
import { hash, type HashName } from "../crypto/hash.ts";
import type { Bytes } from "../octets/bytes.ts";
import {
  contextTag,
  DER,
  derChildren,
  type DerElement,
  derOid,
  derUnsigned,
  encodeNull,
  encodeOid,
  encodeSequence,
  expectTag,
  readDer,
} from "../octets/der.ts";
import { DecodeError } from "../octets/reader.ts";
import { CertificateError } from "./error.ts";

/** A signature algorithm. `weak`: collisions can be computed, so that a signature can be moved to another certificate. */
export interface SignatureAlgorithm {
  readonly oid: string;
  readonly name: string;
  readonly key: PublicKey["kind"];
  readonly hash: HashName;
  readonly weak?: "broken" | "old";
  /** Of RSASSA-PSS: the hash of its mask generation function, and octets of salt. */
  readonly pss?: { readonly maskHash: HashName; readonly saltOctets: number };
}

/** RFC 3279, RFC 4055, RFC 5758, RFC 8410; the first row of a key and hash is the one that is written. */
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
  { oid: "1.3.101.112", name: "Ed25519", key: "ed25519", hash: "sha512" },
];

/** RSASSA-PSS, of signatures and of keys that make no others (RFC 4055). */
export const OID_PSS = "1.2.840.113549.1.1.10";
const OID_MGF1 = "1.2.840.113549.1.1.8";

/** What RSASSA-PSS-params say; {@linkcode readPss} of a signature, and of a key the least that its signatures must be. */
export type Pss = Pick<SignatureAlgorithm, "hash"> & NonNullable<SignatureAlgorithm["pss"]>;

/** The hash that an AlgorithmIdentifier names. */
function hashOf(element: DerElement): HashName {
  const oid = derOid(derChildren(expectTag(element, DER.SEQUENCE, "hash"), "hash")[0]);
  const found = Object.entries(HASH_OIDS).find(([, value]) => value === oid);
  if (!found) throw new DecodeError(`RSASSA-PSS: the hash ${oid} is not known`);
  return found[0] as HashName;
}

/** RSASSA-PSS-params (RFC 4055 section 3.1). @throws {DecodeError} on what is none or is not known */
export function readPss(parameters: DerElement | undefined): Pss {
  const inner = (element: DerElement) => readDer(element.content, undefined, "RSASSA-PSS");
  let [hashName, maskHash, saltOctets]: [HashName, HashName, number] = ["sha1", "sha1", 20];
  let last = -1;
  for (const element of derChildren(expectTag(parameters, DER.SEQUENCE, "RSASSA-PSS"), "RSASSA-PSS")) {
    const number = element.tag - contextTag(0);
    if (number <= last || number > 3) throw new DecodeError("RSASSA-PSS: parts that do not belong to it");
    last = number;
    if (number === 0) hashName = hashOf(inner(element));
    else if (number === 1) {
      const [oid, of] = derChildren(expectTag(inner(element), DER.SEQUENCE, "RSASSA-PSS"), "RSASSA-PSS");
      if (derOid(oid) !== OID_MGF1) throw new DecodeError("RSASSA-PSS: its mask is not MGF1");
      maskHash = hashOf(expectTag(of, DER.SEQUENCE, "MGF1"));
    } else {
      const octets = derUnsigned(inner(element), "RSASSA-PSS");
      if (octets.length > 2) throw new DecodeError("RSASSA-PSS: a number too large");
      const value = octets.reduce((sum, octet) => 256 * sum + octet, 0);
      if (number === 2) saltOctets = value;
      else if (value !== 1) throw new DecodeError(`RSASSA-PSS: trailer ${value}`);
    }
  }
  return { hash: hashName, maskHash, saltOctets };
}

/** Which hashes can be attacked: what their rows of PKCS#1 v1.5 say. */
const weaknessOf = (name: HashName) => SIGNATURE_ALGORITHMS.find((row) => row.key === "rsa" && row.hash === name)?.weak;

/** The algorithm of an AlgorithmIdentifier, if it is a known one. @throws {DecodeError} */
export function readSignatureAlgorithm(
  element: DerElement,
): { readonly oid: string; readonly algorithm?: SignatureAlgorithm } {
  const [identifier, parameters] = derChildren(expectTag(element, DER.SEQUENCE, "algorithm"), "algorithm");
  const oid = derOid(identifier);
  if (oid !== OID_PSS) return { oid, algorithm: SIGNATURE_ALGORITHMS.find((row) => row.oid === oid) };
  const { hash: name, ...pss } = readPss(parameters);
  const weak = weaknessOf(name);
  return { oid, algorithm: { oid, name: `RSASSA-PSS with ${name}`, key: "rsa", hash: name, pss, weak } };
}

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
        if (algorithm.pss) return verifyRsaPss(key, { hash: algorithm.hash, ...algorithm.pss }, octets, signature);
        return verifyRsa(key, algorithm.hash, octets, signature);
      case "ed25519":
        return key.kind === "ed25519" && verifyEd25519(key, octets, signature);
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

/**
 * The value of a signatureValue field, of a row of the table with a key that we sign with.
 *
 * @throws {RangeError} when the key is too short for the hash
 */
export function signOctets(key: KeyObject, algorithm: SignatureAlgorithm, octets: Uint8Array): Bytes {
  switch (algorithm.key) {
    case "ed25519":
      throw new CertificateError("Ed25519 keys verify here and do not sign");
    case "rsa":
      return signRsa(key, algorithm.hash, octets);
    case "dsa":
      return signatureToDer(signDsa(key, algorithm.hash, hash(algorithm.hash, octets)));
    case "ec":
      return signatureToDer(signEcdsa(key, hash(algorithm.hash, octets)));
  }
}
