/** Principals: labels, and keys that are compared by their value (RFC 2704 sections 4.5 and 5.2, RFC 2792, RFC 5708). @module */
import { formatBase64, parseBase64 } from "../octets/base64.ts";
import { type Bytes, compare } from "../octets/bytes.ts";
import {
  DER,
  derChildren,
  type DerElement,
  derOid,
  derUnsigned,
  encodeSequence,
  encodeUnsigned,
  expectTag,
  readDer,
} from "../octets/der.ts";
import { formatHex, parseHex } from "../octets/hex.ts";
import { DecodeError } from "../octets/reader.ts";

/** A key's numbers, big-endian and without leading zeros. `other` is a certificate's key of another kind. */
export type PublicKey =
  | { readonly kind: "rsa"; readonly modulus: Bytes; readonly exponent: Bytes }
  | { readonly kind: "dsa"; readonly y: Bytes; readonly p: Bytes; readonly q: Bytes; readonly g: Bytes }
  | { readonly kind: "other"; readonly spki: Bytes };

/** A principal identifier and what it stands for. */
export interface Principal {
  /** As it was written. */
  readonly text: string;
  /** Two principals are the same if and only if these are. */
  readonly canonical: string;
  readonly key?: PublicKey;
}

/** The principal at the root of every decision (section 5.3). */
export const POLICY = "POLICY";

/** A key identifier whose algorithm is known and whose bits are not a key of it. */
export class PrincipalError extends Error {
  override name = "PrincipalError";
}

const OID_RSA = "1.2.840.113549.1.1.1";
const OID_DSA = "1.2.840.10040.4.1";

function integersOf(octets: Uint8Array, count: number, what: string): Bytes[] {
  const children = derChildren(readDer(octets, DER.SEQUENCE, what), what);
  if (children.length !== count) throw new DecodeError(`${what}: ${children.length} elements in place of ${count}`);
  return children.map((child) => derUnsigned(child, what));
}

/**
 * An RSA key from SEQUENCE(modulus, exponent), which is PKCS#1 and what OpenBSD wrote, or SEQUENCE(exponent, modulus),
 * which is RFC 2792 section 3.2: the modulus is the larger number.
 */
function decodeRsa(octets: Uint8Array): PublicKey {
  const [first, second] = integersOf(octets, 2, "RSA key");
  const [modulus, exponent] = compare(first, second) > 0 ? [first, second] : [second, first];
  if (exponent.length === 0 || modulus.length < 8) throw new DecodeError("RSA key: no modulus");
  return { kind: "rsa", modulus, exponent };
}

/** A DSA key from SEQUENCE(y, p, q, g) (RFC 2792 section 3.1). */
function decodeDsa(octets: Uint8Array): PublicKey {
  const [y, p, q, g] = integersOf(octets, 4, "DSA key");
  return { kind: "dsa", y, p, q, g };
}

/** The key of a SubjectPublicKeyInfo. @throws {DecodeError} */
export function keyOfSpki(spki: Uint8Array): PublicKey {
  const [algorithm, bits] = derChildren(readDer(spki, DER.SEQUENCE, "public key"), "public key");
  const [oid, parameters] = derChildren(expectTag(algorithm, DER.SEQUENCE, "public key"), "public key");
  const { content } = expectTag(bits, DER.BIT_STRING, "public key");
  if (content[0] !== 0) throw new DecodeError("public key: not a whole number of octets");
  switch (derOid(oid)) {
    case OID_RSA:
      return decodeRsa(content.subarray(1));
    case OID_DSA: {
      if (!parameters) break; // inherited parameters
      const [p, q, g] = integersOf(parameters.raw, 3, "DSA parameters");
      return { kind: "dsa", y: derUnsigned(readDer(content.subarray(1)), "DSA key"), p, q, g };
    }
  }
  return { kind: "other", spki: spki.slice() as Bytes };
}

/** The key in a DER certificate, which is all that KeyNote reads of it (RFC 5708 section 2). @throws {DecodeError} */
export function keyOfCertificate(certificate: Uint8Array): PublicKey {
  const what = "certificate";
  const [tbs] = derChildren(readDer(certificate, DER.SEQUENCE, what), what);
  const fields: DerElement[] = derChildren(expectTag(tbs, DER.SEQUENCE, what), what);
  // [0] version, serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo
  const spki = fields[fields[0]?.tag === 0xa0 ? 6 : 5];
  return keyOfSpki(expectTag(spki, DER.SEQUENCE, what).raw);
}

function canonicalKey(key: PublicKey): string {
  switch (key.kind) {
    case "rsa":
      return `rsa ${formatHex(key.exponent)} ${formatHex(key.modulus)}`;
    case "dsa":
      return `dsa ${[key.y, key.p, key.q, key.g].map(formatHex).join(" ")}`;
    case "other":
      return `key ${formatHex(key.spki)}`;
  }
}

/** Every key format: how the decoded bits become a canonical form. Names are in any case (RFC 2704 section 9.2). */
const FORMATS: Record<string, (octets: Bytes) => Pick<Principal, "canonical" | "key">> = {
  rsa: (octets) => withKey(decodeRsa(octets)),
  dsa: (octets) => withKey(decodeDsa(octets)),
  binary: (octets) => ({ canonical: `binary ${formatHex(octets)}` }),
  x509: (octets) => withKey(keyOfCertificate(octets)),
};

const withKey = (key: PublicKey) => ({ canonical: canonicalKey(key), key });

const KEY_PREFIX = /^(rsa|dsa|binary|x509)-(hex|base64):/i;

/** Whether `text` names a key that can sign, without decoding it. */
export const isKeyText = (text: string): boolean => /^(rsa|dsa|x509)-(hex|base64):/i.test(text);

/**
 * The principal that `text` identifies. An unknown algorithm makes a label, compared as it stands.
 *
 * @throws {PrincipalError} when the algorithm is known and the rest is not a key of it
 */
export function parsePrincipal(text: string): Principal {
  const prefix = KEY_PREFIX.exec(text);
  if (!prefix) return { text, canonical: `"${text}` };
  const encoded = text.slice(prefix[0].length);
  try {
    const octets = prefix[2].toLowerCase() === "hex" ? parseHex(encoded) : parseBase64(encoded);
    return { text, ...FORMATS[prefix[1].toLowerCase()](octets) };
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof DecodeError)) throw error;
    throw new PrincipalError(`principal "${prefix[0]}...": ${error.message}`);
  }
}

/** The canonical form of the label or key `text`. @throws {PrincipalError} */
export const canonicalPrincipal = (text: string): string => parsePrincipal(text).canonical;

/** The DER form in which a key is written: PKCS#1 for RSA, RFC 2792's for DSA. */
export function encodeKey(key: PublicKey): Bytes {
  switch (key.kind) {
    case "rsa":
      return encodeSequence(encodeUnsigned(key.modulus), encodeUnsigned(key.exponent));
    case "dsa":
      return encodeSequence(...[key.y, key.p, key.q, key.g].map(encodeUnsigned));
    case "other":
      throw new RangeError("KeyNote names only RSA and DSA keys; this one can stand in a certificate (x509-base64:)");
  }
}

/** A key as a principal identifier, for instance `rsa-hex:3081...`. @throws {RangeError} on keys of other kinds */
export function formatPrincipal(key: PublicKey, encoding: "hex" | "base64" = "hex"): string {
  const octets = encodeKey(key);
  return `${key.kind}-${encoding}:${encoding === "hex" ? formatHex(octets) : formatBase64(octets)}`;
}
