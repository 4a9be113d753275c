/** Asymmetric keys in files: PEM and DER, PKCS#1, PKCS#8, SEC1, SubjectPublicKeyInfo. @module */
import { Buffer } from "node:buffer";
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { parseBase64 } from "../octets/base64.ts";
import type { Bytes } from "../octets/bytes.ts";
import {
  contextTag,
  DER,
  derChildren,
  type DerElement,
  derOid,
  derUnsigned,
  encodeBitString,
  encodeOctetString,
  encodeOid,
  encodeSequence,
  encodeUnsigned,
  readDer,
} from "../octets/der.ts";
import { DecodeError } from "../octets/reader.ts";
import { bitLength, fromBigInt, modPow, toBigInt } from "./bignum.ts";

/** A key of node:crypto: RSA, DSA, or ECDSA on P-256, P-384 or P-521. */
export type { KeyObject };

/** Key algorithms as SubjectPublicKeyInfo and PKCS#8 name them. */
export const KEY_OIDS = {
  rsa: "1.2.840.113549.1.1.1",
  dsa: "1.2.840.10040.4.1",
  ec: "1.2.840.10045.2.1",
} as const;

/** A key file that cannot be read: why, and where it helps, what to do. It repeats nothing of the key. */
export class KeyError extends Error {
  override name = "KeyError";
}

const ZERO = encodeUnsigned(new Uint8Array(0));
const ONE = encodeUnsigned(new Uint8Array([1]));
const PEM = /-----BEGIN ([A-Z0-9 ]+)-----([\s\S]*?)-----END \1-----/g;
const PRIVATE_LABELS = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY"];
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
const spki = (der: Uint8Array) => createPublicKey({ key: Buffer.from(der), format: "der", type: "spki" });

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
  const rsa = encodeSequence(encodeOid(KEY_OIDS.rsa), new Uint8Array([DER.NULL, 0]));
  return encodeSequence(ZERO, rsa, encodeOctetString(der));
}

/** SubjectPublicKeyInfo, also around a PKCS#1 RSAPublicKey. */
function toSpki(der: Uint8Array): Bytes | Uint8Array {
  const [first, second] = derChildren(readDer(der, DER.SEQUENCE, "public key"), "public key");
  if (first?.tag === DER.SEQUENCE) return der;
  return spkiOfRsa(derUnsigned(first, "RSA modulus"), derUnsigned(second, "RSA exponent"));
}

function spkiOfRsa(modulus: Uint8Array, exponent: Uint8Array): Bytes {
  return encodeSequence(
    encodeSequence(encodeOid(KEY_OIDS.rsa), new Uint8Array([DER.NULL, 0])),
    encodeBitString(encodeSequence(encodeUnsigned(modulus), encodeUnsigned(exponent))),
  );
}

/** What node:crypto makes of it, its complaints in our words. */
function convert(what: string, make: () => KeyObject): KeyObject {
  let key: KeyObject;
  try {
    key = make();
  } catch (error) {
    const reason = error instanceof DecodeError ? error.message : "it is damaged, or of a kind that is not known here";
    throw new KeyError(`Cannot read ${what}: ${reason}`);
  }
  if (!Object.hasOwn(KEY_OIDS, key.asymmetricKeyType ?? "")) {
    throw new KeyError(`Cannot use ${what} of type ${key.asymmetricKeyType}: RSA, DSA and ECDSA keys are known here`);
  }
  return key;
}

/**
 * A private key from PEM or DER: PKCS#8, PKCS#1 (RSA), SEC1 (EC), OpenSSL's DSA form.
 *
 * @throws {KeyError} when it is encrypted, damaged or of another kind
 */
export function parsePrivateKey(input: string | Uint8Array): KeyObject {
  const der = derOf(input, "private key", PRIVATE_LABELS);
  return convert("private key", () => pkcs8(toPkcs8(der)));
}

/**
 * A public key from PEM or DER: SubjectPublicKeyInfo or PKCS#1 RSAPublicKey.
 *
 * @throws {KeyError} when it is damaged or of another kind
 */
export function parsePublicKey(input: string | Uint8Array): KeyObject {
  const der = derOf(input, "public key", PUBLIC_LABELS);
  return convert("public key", () => spki(toSpki(der)));
}

/** The public half of a private key. */
export function publicKeyOf(key: KeyObject): KeyObject {
  if (key.type === "public") return key;
  if (key.asymmetricKeyType !== "dsa") return createPublicKey(key);
  const { p, q, g, y } = dsaNumbers(key);
  return dsaPublicKey({ p, q, g, y });
}

/** The numbers of an RSA public key, big-endian, without leading zeros. */
export interface RsaNumbers {
  readonly modulus: Bytes;
  readonly exponent: Bytes;
}

/** An RSA public key from its numbers. @throws {KeyError} */
export const rsaPublicKey = ({ modulus, exponent }: { modulus: Uint8Array; exponent: Uint8Array }): KeyObject =>
  convert("public key", () => spki(spkiOfRsa(modulus, exponent)));

/** The numbers of an RSA key, private or public. @throws {KeyError} when it is no RSA key */
export function rsaNumbers(key: KeyObject): RsaNumbers {
  requireType(key, "rsa");
  const [modulus, exponent] = derChildren(readDer(encodeRsaPublicKey(key), DER.SEQUENCE));
  return { modulus: derUnsigned(modulus), exponent: derUnsigned(exponent) };
}

/** PKCS#1 RSAPublicKey of an RSA key, private or public. @throws {KeyError} when it is no RSA key */
export function encodeRsaPublicKey(key: KeyObject): Bytes {
  requireType(key, "rsa");
  return bitString(derChildren(readDer(encodePublicKey(key), DER.SEQUENCE))[1]);
}

/** The numbers of a DSA key, big-endian: prime, order of the subgroup, generator, public value. */
export interface DsaNumbers {
  readonly p: Bytes;
  readonly q: Bytes;
  readonly g: Bytes;
  readonly y: Bytes;
  /** The private value, of a private key. */
  readonly x?: Bytes;
}

/** A DSA public key from its numbers. @throws {KeyError} */
export function dsaPublicKey(
  { p, q, g, y }: { p: Uint8Array; q: Uint8Array; g: Uint8Array; y: Uint8Array },
): KeyObject {
  const parameters = encodeSequence(encodeUnsigned(p), encodeUnsigned(q), encodeUnsigned(g));
  const info = encodeSequence(
    encodeSequence(encodeOid(KEY_OIDS.dsa), parameters),
    encodeBitString(encodeUnsigned(y)),
  );
  return convert("public key", () => spki(info));
}

/** The numbers of a DSA key. @throws {KeyError} when it is no DSA key */
export function dsaNumbers(key: KeyObject): DsaNumbers {
  requireType(key, "dsa");
  const isPrivate = key.type === "private";
  const outer = derChildren(readDer(isPrivate ? encodePrivateKey(key) : encodePublicKey(key), DER.SEQUENCE));
  const [algorithm, value] = isPrivate ? outer.slice(1) : outer;
  const [p, q, g] = derChildren(derChildren(algorithm)[1]).map((child) => derUnsigned(child));
  const number = derUnsigned(readDer(isPrivate ? value.content : bitString(value), DER.INTEGER));
  if (!isPrivate) return { p, q, g, y: number };
  const y = modPow(toBigInt(g), toBigInt(number), toBigInt(p));
  return { p, q, g, x: number, y: fromBigInt(y) };
}

/** SubjectPublicKeyInfo of a key, private or public. */
export const encodePublicKey = (key: KeyObject): Bytes =>
  new Uint8Array(publicKeyOf(key).export({ format: "der", type: "spki" }));

/** PKCS#8 of a private key. */
export const encodePrivateKey = (key: KeyObject): Bytes => new Uint8Array(key.export({ format: "der", type: "pkcs8" }));

/** A private key as PKCS#1 (RSA), SEC1 (EC) or OpenSSL's DSA form. */
export function encodeTraditionalPrivateKey(key: KeyObject): Bytes {
  if (key.asymmetricKeyType === "dsa") {
    const { p, q, g, y, x } = dsaNumbers(key);
    return encodeSequence(ZERO, ...[p, q, g, y, x!].map(encodeUnsigned));
  }
  const [, algorithm, inner] = derChildren(readDer(encodePrivateKey(key), DER.SEQUENCE));
  if (key.asymmetricKeyType === "rsa") return inner.content.slice() as Bytes;
  // RFC 5915 inside PKCS#8 leaves the curve out; on its own it must name it.
  const [, secret] = derChildren(readDer(inner.content, DER.SEQUENCE));
  const point = bitString(derChildren(readDer(encodePublicKey(key), DER.SEQUENCE))[1]);
  return encodeSequence(
    ONE,
    encodeOctetString(secret.content),
    tagged(0, derChildren(algorithm)[1].raw),
    tagged(1, encodeBitString(point)),
  );
}

function tagged(number: number, content: Uint8Array): Bytes {
  const sequence = encodeSequence(content);
  sequence[0] = contextTag(number);
  return sequence;
}

/** `octets` as PEM. */
export function encodePem(label: string, octets: Uint8Array): string {
  const base64 = Buffer.from(octets).toString("base64");
  return `-----BEGIN ${label}-----\n${base64.replace(/.{1,64}/g, "$&\n")}-----END ${label}-----\n`;
}

/** Kind and size of a key: `RSA 2048`, `DSA 1024`, `ECDSA 256`. */
export function describeKey(key: KeyObject): { type: "rsa" | "dsa" | "ec"; bits: number } {
  const type = key.asymmetricKeyType as "rsa" | "dsa" | "ec";
  if (type === "rsa") return { type, bits: bitLength(rsaNumbers(key).modulus) };
  if (type === "dsa") return { type, bits: bitLength(dsaNumbers(key).p) };
  return { type, bits: { "1.2.840.10045.3.1.7": 256, "1.3.132.0.34": 384, "1.3.132.0.35": 521 }[curveOid(key)]! };
}

/** The curve of an EC key. */
export function curveOid(key: KeyObject): string {
  requireType(key, "ec");
  const [algorithm] = derChildren(readDer(encodePublicKey(key), DER.SEQUENCE));
  return derOid(derChildren(algorithm)[1]);
}

/** @throws {KeyError} when the key is of another type */
export function requireType(key: KeyObject, type: "rsa" | "dsa" | "ec"): void {
  if (key.asymmetricKeyType === type) return;
  const words = { rsa: "an RSA", dsa: "a DSA", ec: "an EC" }[type];
  throw new KeyError(`Cannot use a key of type ${key.asymmetricKeyType}: ${words} key is needed`);
}

/** What a BIT STRING of whole octets holds. */
export function bitString(element: DerElement): Bytes {
  if (element.tag !== DER.BIT_STRING || element.content[0] !== 0) throw new DecodeError("BIT STRING: not whole octets");
  return element.content.slice(1) as Bytes;
}
