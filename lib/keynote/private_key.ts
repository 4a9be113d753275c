/** Private keys as `keynote keygen` writes them, `"private-rsa-hex:3082..."`, and as PEM. @module */
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { formatBase64, parseBase64 } from "../octets/base64.ts";
import type { Bytes } from "../octets/bytes.ts";
import {
  DER,
  derChildren,
  derUnsigned,
  encodeOctetString,
  encodeOid,
  encodeSequence,
  encodeUnsigned,
  readDer,
} from "../octets/der.ts";
import { formatHex, parseHex } from "../octets/hex.ts";
import { DecodeError } from "../octets/reader.ts";
import { keyOfSpki, PrincipalError, type PublicKey } from "./principal.ts";

const OID_DSA = "1.2.840.10040.4.1";
const PREFIX = /^private-(rsa|dsa)-(hex|base64):/i;
const ZERO = encodeUnsigned(new Uint8Array(0));

/** A DSA key in PKCS#8 from the older SEQUENCE(0, p, q, g, y, x). */
function pkcs8OfDsa(octets: Uint8Array): Bytes {
  const children = derChildren(readDer(octets, DER.SEQUENCE, "DSA private key"), "DSA private key");
  if (children.length !== 6) throw new DecodeError(`DSA private key: ${children.length} numbers in place of 6`);
  const [, p, q, g, , x] = children.map((child) => encodeUnsigned(derUnsigned(child)));
  return encodeSequence(ZERO, encodeSequence(encodeOid(OID_DSA), encodeSequence(p, q, g)), encodeOctetString(x));
}

/** The older form from PKCS#8, whose public value is computed. */
function dsaOfPkcs8(key: KeyObject): Bytes {
  const { y, p, q, g } = publicKeyOf(key) as PublicKey & { kind: "dsa" };
  const pkcs8 = derChildren(readDer(new Uint8Array(key.export({ format: "der", type: "pkcs8" })), DER.SEQUENCE));
  const x = derUnsigned(readDer(pkcs8[2].content, DER.INTEGER));
  return encodeSequence(ZERO, ...[p, q, g, y, x].map(encodeUnsigned));
}

/** The public half of a private key. */
export const publicKeyOf = (key: KeyObject): PublicKey =>
  keyOfSpki(new Uint8Array(createPublicKey(key).export({ format: "der", type: "spki" })));

/**
 * The private key in a file: PEM, or a KeyNote string with or without its quotes. The message of an error repeats
 * nothing of it.
 *
 * @param value the contents, with the string's escapes already resolved
 * @throws {PrincipalError}
 */
export function parsePrivateKey(value: string): KeyObject {
  try {
    if (value.includes("-----BEGIN")) return createPrivateKey(value);
    const prefix = PREFIX.exec(value);
    if (!prefix) throw new SyntaxError('neither PEM nor "private-rsa-…:" or "private-dsa-…:"');
    const encoded = value.slice(prefix[0].length);
    const octets = prefix[2].toLowerCase() === "hex" ? parseHex(encoded) : parseBase64(encoded);
    return prefix[1].toLowerCase() === "rsa"
      ? createPrivateKey({ key: octets as never, format: "der", type: "pkcs1" })
      : createPrivateKey({ key: pkcs8OfDsa(octets) as never, format: "der", type: "pkcs8" });
  } catch (error) {
    const known = error instanceof SyntaxError || error instanceof DecodeError;
    throw new PrincipalError(`private key: ${known ? (error as Error).message : "cannot be decoded"}`);
  }
}

/** A private key as a KeyNote string. */
export function formatPrivateKey(key: KeyObject, encoding: "hex" | "base64"): string {
  const kind = key.asymmetricKeyType;
  const octets = kind === "rsa" ? new Uint8Array(key.export({ format: "der", type: "pkcs1" })) : dsaOfPkcs8(key);
  return `private-${kind}-${encoding}:${encoding === "hex" ? formatHex(octets) : formatBase64(octets)}`;
}
