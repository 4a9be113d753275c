/** Asymmetric keys in files: PEM and DER, PKCS#1, PKCS#8, SEC1, SubjectPublicKeyInfo. @module */
import { Buffer } from "node:buffer";
import { createPrivateKey, createPublicKey, KeyObject } from "node:crypto";
import { formatBase64, parseBase64 } from "../octets/base64.ts";
import { type Bytes, compare, concat } from "../octets/bytes.ts";
import {
  contextTag,
  DER,
  derChildren,
  type DerElement,
  derOid,
  derUnsigned,
  encodeBitString,
  encodeDer,
  encodeNull,
  encodeOctetString,
  encodeOid,
  encodeSequence,
  encodeUnsigned,
  expectTag,
  readDer,
} from "../octets/der.ts";
import { DecodeError } from "../octets/reader.ts";
import { bitLength, fromBigInt, modPow, toBigInt } from "./bignum.ts";
import { type Curve, curveFault, CURVES } from "./ecdh.ts";

/** A private key of node:crypto: RSA, DSA, or ECDSA on P-256, P-384 or P-521. */
export type { KeyObject };

/** A public key: numbers, big-endian, without leading zeros, and no secret. */
export type PublicKey = RsaPublicKey | DsaPublicKey | EcPublicKey | Ed25519PublicKey;
export interface RsaPublicKey {
  readonly kind: "rsa";
  readonly modulus: Bytes;
  readonly exponent: Bytes;
}
/** Prime, order of the subgroup, generator, public value. */
export interface DsaPublicKey {
  readonly kind: "dsa";
  readonly p: Bytes;
  readonly q: Bytes;
  readonly g: Bytes;
  readonly y: Bytes;
}
export interface EcPublicKey {
  readonly kind: "ec";
  /** Object identifier of the curve. */
  readonly curve: string;
  /** x | y, each as long as the field. */
  readonly point: Bytes;
}

/** A key that signs certificates only: IKE (version 1) has no signature for it. */
export interface Ed25519PublicKey {
  readonly kind: "ed25519";
  /** The 32 octets of RFC 8032 section 5.1.5. */
  readonly value: Bytes;
}

/** Sizes that are accepted: the peer chooses them, and the time of a verification grows with them. */
const RSA_BITS = { min: 512, max: 16384 };
const RSA_EXPONENT_BITS = 64;
const DSA_BITS = { min: 512, max: 4096 };
const DSA_ORDER_BITS = 512;

/** Key algorithms as SubjectPublicKeyInfo and PKCS#8 name them. */
export const KEY_OIDS = {
  rsa: "1.2.840.113549.1.1.1",
  dsa: "1.2.840.10040.4.1",
  ec: "1.2.840.10045.2.1",
  ed25519: "1.3.101.112",
} as const;

/** Kinds of keys that sign here. */
const PRIVATE_KINDS = ["rsa", "dsa", "ec"];
const ED25519_OCTETS = 32;

/** A key file that cannot be read: why, and where it helps, what to do. It repeats nothing of the key. */
export class KeyError extends Error {
  override name = "KeyError";
}

const ZERO = encodeUnsigned(new Uint8Array(0));
const ONE = encodeUnsigned(new Uint8Array([1]));
const PEM = /-----BEGIN ([A-Z0-9 ]+)-----([\s\S]*?)-----END \1-----/g;
const PRIVATE_LABELS = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY"];
const KINDS = "RSA, DSA and ECDSA keys are known here";
/** What every peer knows. */
const MAKES_KEY = '"openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out FILE" makes one';
const PUBLIC_LABELS = ["PUBLIC KEY", "RSA PUBLIC KEY"];

/** The DER octets in `input`: itself, or the first PEM block with one of the labels. */
function derOf(input: string | Uint8Array, what: string, labels: readonly string[]): Uint8Array {
  const text = typeof input === "string"
    ? input
    : input[0] === DER.SEQUENCE
    ? undefined
    : new TextDecoder().decode(input);
  if (text === undefined) return input as Uint8Array;
  const found: string[] = [];
  for (const [, label, body] of text.matchAll(PEM)) {
    if (label === "ENCRYPTED PRIVATE KEY" || /^Proc-Type:.*ENCRYPTED/m.test(body)) {
      throw new KeyError(`Cannot read ${what}: it is encrypted; decrypt it with "openssl pkey -in FILE -out FILE"`);
    }
    if (labels.includes(label)) {
      try {
        return parseBase64(body.replace(/\s+/g, ""));
      } catch (error) {
        throw new KeyError(`Cannot read ${what}: ${(error as Error).message}`);
      }
    }
    found.push(label);
  }
  throw new KeyError(
    `Cannot read ${what}: no PEM block ${labels.join(", ")}${found.length ? `, only ${found.join(", ")}` : ""}`,
  );
}

const pkcs8 = (der: Uint8Array) => createPrivateKey({ key: Buffer.from(der), format: "der", type: "pkcs8" });

/** PKCS#8 around what the older formats have inside: PKCS#1 RSA, SEC1 EC (RFC 5915), OpenSSL's DSA. */
function toPkcs8(der: Uint8Array): Bytes | Uint8Array {
  const children = derChildren(readDer(der, DER.SEQUENCE, "private key"), "private key");
  if (children[1]?.tag === DER.SEQUENCE) return der;
  if (children[1]?.tag === DER.OCTET_STRING) {
    const curve = children.find((child) => child.tag === contextTag(0));
    if (!curve) throw new DecodeError("EC private key: it names no curve");
    return encodeSequence(ZERO, encodeSequence(encodeOid(KEY_OIDS.ec), curve.content), encodeOctetString(der));
  }
  if (children.length === 6) {
    const [p, q, g, , x] = children.slice(1).map((child) => encodeUnsigned(derUnsigned(child)));
    return encodeSequence(
      ZERO,
      encodeSequence(encodeOid(KEY_OIDS.dsa), encodeSequence(p, q, g)),
      encodeOctetString(x),
    );
  }
  const rsa = encodeSequence(encodeOid(KEY_OIDS.rsa), encodeNull());
  return encodeSequence(ZERO, rsa, encodeOctetString(der));
}

/** What node:crypto or our reader makes of it, its complaints in our words. */
function convert<Key>(what: string, make: () => Key): Key {
  try {
    return make();
  } catch (error) {
    if (error instanceof KeyError) throw error;
    const reason = error instanceof DecodeError ? error.message : "it is damaged, or of a kind that is not known here";
    throw new KeyError(`Cannot read ${what}: ${reason}`);
  }
}

/**
 * A private key from PEM or DER: PKCS#8, PKCS#1 (RSA), SEC1 (EC), OpenSSL's DSA form.
 *
 * @throws {KeyError} when it is encrypted, damaged or of another kind
 */
export function parsePrivateKey(input: string | Uint8Array): KeyObject {
  const der = derOf(input, "private key", PRIVATE_LABELS);
  const key = convert("private key", () => {
    const whole = toPkcs8(der);
    const [, algorithm] = derChildren(readDer(whole, DER.SEQUENCE, "private key"), "private key");
    const [oid, curve] = derChildren(algorithm, "private key");
    if (derOid(oid) === KEY_OIDS.ec) ecCurve(derOid(curve, "EC curve")); // others are damaged to node:crypto, or good
    return pkcs8(whole);
  });
  if (!PRIVATE_KINDS.includes(key.asymmetricKeyType ?? "")) {
    throw new KeyError(`Cannot use private key of type ${key.asymmetricKeyType}: ${KINDS}; ${MAKES_KEY}`);
  }
  return key;
}

/**
 * A public key from PEM or DER: SubjectPublicKeyInfo or PKCS#1 RSAPublicKey.
 *
 * @throws {KeyError} when it is damaged or of another kind
 */
export function parsePublicKey(input: string | Uint8Array): PublicKey {
  const der = derOf(input, "public key", PUBLIC_LABELS);
  return convert("public key", () => {
    const children = derChildren(readDer(der, DER.SEQUENCE, "public key"), "public key");
    return children[0]?.tag === DER.SEQUENCE ? readSpki(children) : readRsa(children);
  });
}

/** SEQUENCE { modulus, exponent }. */
function readRsa([modulus, exponent]: DerElement[]): RsaPublicKey {
  return rsaPublicKey({
    modulus: derUnsigned(modulus, "RSA modulus"),
    exponent: derUnsigned(exponent, "RSA exponent"),
  });
}

/** SEQUENCE { algorithm { oid, parameters }, key }. */
function readSpki([algorithm, value]: DerElement[]): PublicKey {
  const [oid, parameters] = derChildren(algorithm, "public key");
  const key = bitString(expectTag(value, DER.BIT_STRING, "public key"));
  switch (derOid(oid)) {
    case KEY_OIDS.rsa:
      return readRsa(derChildren(readDer(key, DER.SEQUENCE, "RSA key"), "RSA key"));
    case KEY_OIDS.dsa: {
      const [p, q, g] = derChildren(expectTag(parameters, DER.SEQUENCE, "DSA parameters"));
      const y = derUnsigned(readDer(key, DER.INTEGER, "DSA key"), "DSA key");
      return dsaPublicKey({ p: derUnsigned(p), q: derUnsigned(q), g: derUnsigned(g), y });
    }
    case KEY_OIDS.ec: {
      if (key[0] !== 4) throw new DecodeError("EC key: its point is compressed");
      return ecPublicKey(derOid(parameters, "EC curve"), key.slice(1));
    }
    case KEY_OIDS.ed25519: {
      if (key.length !== ED25519_OCTETS) throw new DecodeError(`Ed25519 key: of ${key.length} octets`);
      if (parameters) throw new DecodeError("Ed25519 key: it has parameters");
      return { kind: "ed25519", value: key };
    }
    default:
      throw new KeyError(`Cannot use public key of type ${derOid(oid)}: ${KINDS}`);
  }
}

/** An RSA public key from its numbers. @throws {KeyError} on sizes that are not accepted */
export function rsaPublicKey({ modulus, exponent }: { modulus: Uint8Array; exponent: Uint8Array }): RsaPublicKey {
  const bits = bitLength(modulus);
  if (bits < RSA_BITS.min || bits > RSA_BITS.max) {
    throw new KeyError(`Cannot use RSA key of ${bits} bits: ${RSA_BITS.min} to ${RSA_BITS.max} are allowed`);
  }
  if (bitLength(exponent) > RSA_EXPONENT_BITS) {
    throw new KeyError(
      `Cannot use RSA key: its exponent has ${bitLength(exponent)} bits, more than ${RSA_EXPONENT_BITS}`,
    );
  }
  if (!isOdd(modulus) || !isOdd(exponent) || bitLength(exponent) < 2) {
    throw new KeyError("Cannot use RSA key: modulus and exponent must be odd and not 1");
  }
  return { kind: "rsa", modulus: stripZeros(modulus), exponent: stripZeros(exponent) };
}

/** A DSA public key from its numbers. @throws {KeyError} on numbers that cannot be a key's */
export function dsaPublicKey(
  numbers: { p: Uint8Array; q: Uint8Array; g: Uint8Array; y: Uint8Array },
): DsaPublicKey {
  const [p, q, g, y] = [numbers.p, numbers.q, numbers.g, numbers.y].map(stripZeros);
  const bits = bitLength(p);
  if (bits < DSA_BITS.min || bits > DSA_BITS.max || bitLength(q) > DSA_ORDER_BITS) {
    throw new KeyError(
      `Cannot use DSA key of ${bits} bits: ${DSA_BITS.min} to ${DSA_BITS.max}, and ${DSA_ORDER_BITS} of order, are allowed`,
    );
  }
  const inRange = (number: Bytes) => compare(number, Uint8Array.of(1)) > 0 && compare(number, p) < 0;
  if (!isOdd(p) || !isOdd(q) || ![q, g, y].every(inRange)) {
    throw new KeyError("Cannot use DSA key: its numbers are out of range");
  }
  return { kind: "dsa", p, q, g, y };
}

/** An EC public key from its curve's object identifier and x | y. @throws {KeyError} when that is no point of the curve */
export function ecPublicKey(curve: string, point: Bytes): EcPublicKey {
  const known = ecCurve(curve);
  const fault = curveFault(known, point);
  if (fault) throw new KeyError(`Cannot use EC key: ${fault}`);
  return { kind: "ec", curve, point };
}

/** The curve of an object identifier. @throws {KeyError} when it is none of those with which IKE signs */
export function ecCurve(oid: string): Curve & { readonly prime: NonNullable<Curve["prime"]> } {
  const curve = [CURVES[19], CURVES[20], CURVES[21]].find((curve) => curve.oid === oid);
  if (!curve?.prime) throw new KeyError(`Cannot use EC key on the curve ${oid}: P-256, P-384, P-521 are known here`);
  return { ...curve, prime: curve.prime };
}

/** The public half of a private key; a public key itself. @throws {KeyError} */
export function publicKeyOf(key: KeyObject | PublicKey): PublicKey {
  if (!(key instanceof KeyObject)) return key;
  if (key.type === "public") return parsePublicKey(new Uint8Array(key.export({ format: "der", type: "spki" })));
  if (key.asymmetricKeyType === "dsa") {
    const { p, q, g, x } = dsaPrivateNumbers(key);
    return dsaPublicKey({ p, q, g, y: fromBigInt(modPow(toBigInt(g), toBigInt(x), toBigInt(p))) });
  }
  if (key.asymmetricKeyType === "ec") {
    return parsePublicKey(new Uint8Array(createPublicKey(key).export({ format: "der", type: "spki" })));
  }
  // Not over node:crypto, whose public keys end at 4096 bits.
  const [, , inner] = derChildren(readDer(encodePrivateKey(key), DER.SEQUENCE));
  return readRsa(derChildren(readDer(inner.content, DER.SEQUENCE)).slice(1));
}

/** The public half, which must be of a kind. @throws {KeyError} when it is of another */
export function publicKeyOfKind<Kind extends PublicKey["kind"]>(
  key: KeyObject | PublicKey,
  kind: Kind,
): Extract<PublicKey, { kind: Kind }> {
  const given = key instanceof KeyObject ? key.asymmetricKeyType : key.kind;
  if (given === kind) return publicKeyOf(key) as Extract<PublicKey, { kind: Kind }>;
  throw new KeyError(`Cannot use a key of type ${given}: one of type ${kind} is needed`);
}

/** The numbers of an RSA key. @throws {KeyError} when it is no RSA key */
export const rsaNumbers = (key: KeyObject | PublicKey): RsaPublicKey => publicKeyOfKind(key, "rsa");

/** The public numbers of a DSA key. @throws {KeyError} when it is no DSA key */
export const dsaNumbers = (key: KeyObject | PublicKey): DsaPublicKey => publicKeyOfKind(key, "dsa");

/** The numbers of a private DSA key, `x` being the secret. */
export function dsaPrivateNumbers(key: KeyObject): { p: Bytes; q: Bytes; g: Bytes; x: Bytes } {
  const [, algorithm, value] = derChildren(readDer(encodePrivateKey(key), DER.SEQUENCE));
  const [p, q, g] = derChildren(derChildren(algorithm)[1]).map((child) => derUnsigned(child));
  return { p, q, g, x: derUnsigned(readDer(value.content, DER.INTEGER)) };
}

/** PKCS#1 RSAPublicKey of an RSA key, private or public. @throws {KeyError} when it is no RSA key */
export function encodeRsaPublicKey(key: KeyObject | PublicKey): Bytes {
  const { modulus, exponent } = rsaNumbers(key);
  return encodeSequence(encodeUnsigned(modulus), encodeUnsigned(exponent));
}

/** SubjectPublicKeyInfo of a key, private or public. */
export function encodePublicKey(key: KeyObject | PublicKey): Bytes {
  const numbers = publicKeyOf(key);
  const info = (parameters: Uint8Array, value: Uint8Array) =>
    encodeSequence(encodeSequence(encodeOid(KEY_OIDS[numbers.kind]), parameters), encodeBitString(value));
  if (numbers.kind === "ed25519") return info(new Uint8Array(0), numbers.value);
  if (numbers.kind === "rsa") return info(encodeNull(), encodeRsaPublicKey(numbers));
  if (numbers.kind === "ec") return info(encodeOid(numbers.curve), concat(Uint8Array.of(4), numbers.point));
  const { p, q, g, y } = numbers;
  return info(encodeSequence(...[p, q, g].map(encodeUnsigned)), encodeUnsigned(y));
}

/** PKCS#8 of a private key. */
export const encodePrivateKey = (key: KeyObject): Bytes => new Uint8Array(key.export({ format: "der", type: "pkcs8" }));

/** A private key as PKCS#1 (RSA), SEC1 (EC) or OpenSSL's DSA form. */
export function encodeTraditionalPrivateKey(key: KeyObject): Bytes {
  const numbers = publicKeyOf(key);
  if (numbers.kind === "ed25519") throw new KeyError("Cannot use private key of type ed25519");
  if (numbers.kind === "dsa") {
    const { p, q, g, y } = numbers;
    return encodeSequence(ZERO, ...[p, q, g, y, dsaPrivateNumbers(key).x].map(encodeUnsigned));
  }
  const [, , inner] = derChildren(readDer(encodePrivateKey(key), DER.SEQUENCE));
  if (numbers.kind === "rsa") return inner.content.slice() as Bytes;
  // RFC 5915 inside PKCS#8 leaves the curve out; on its own it must name it.
  const [, secret] = derChildren(readDer(inner.content, DER.SEQUENCE));
  return encodeSequence(
    ONE,
    encodeOctetString(secret.content),
    encodeDer(contextTag(0), encodeOid(numbers.curve)),
    encodeDer(contextTag(1), encodeBitString(concat(Uint8Array.of(4), numbers.point))),
  );
}

/** `octets` as PEM. */
export const encodePem = (label: string, octets: Uint8Array): string =>
  `-----BEGIN ${label}-----\n${formatBase64(octets).replace(/.{1,64}/g, "$&\n")}-----END ${label}-----\n`;

/** Kind and size of a key: RSA and DSA by their modulus, EC by its field, Ed25519 by its octets. */
export function describeKey(key: KeyObject | PublicKey): { type: PublicKey["kind"]; bits: number } {
  const numbers = publicKeyOf(key);
  const type = numbers.kind;
  if (type === "rsa") return { type, bits: bitLength(numbers.modulus) };
  if (type === "dsa") return { type, bits: bitLength(numbers.p) };
  if (type === "ed25519") return { type, bits: 8 * ED25519_OCTETS };
  return { type, bits: ecCurve(numbers.curve).prime.p.toString(2).length };
}

const isOdd = (number: Uint8Array) => (number[number.length - 1] & 1) === 1;

function stripZeros(number: Uint8Array): Bytes {
  const first = number.findIndex((octet) => octet !== 0);
  return (first < 0 ? new Uint8Array(0) : number.slice(first)) as Bytes;
}

/** What a BIT STRING of whole octets holds. */
function bitString({ content }: DerElement): Bytes {
  if (content[0] !== 0) throw new DecodeError("BIT STRING: not whole octets");
  return content.slice(1) as Bytes;
}
