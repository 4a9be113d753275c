/** Private keys as `keynote keygen` writes them, `"private-rsa-hex:3082..."`, and as PEM. @module */
import {
  encodePublicKey,
  encodeTraditionalPrivateKey,
  KeyError,
  type KeyObject,
  parsePrivateKey as parseKey,
} from "../crypto/signature.ts";
import { formatBase64, parseBase64 } from "../octets/base64.ts";
import { formatHex, parseHex } from "../octets/hex.ts";
import { keyOfSpki, PrincipalError, type PublicKey } from "./principal.ts";

const PREFIX = /^private-(rsa|dsa)-(hex|base64):/i;

/** The public half of a private key. @throws {DecodeError} on an RSA key that KeyNote cannot name */
export const publicKeyOf = (key: KeyObject): PublicKey => keyOfSpki(encodePublicKey(key));

/**
 * The private key in a file: PEM, or the value of a KeyNote string. The message of an error repeats nothing of it.
 *
 * @throws {PrincipalError}
 */
export function parsePrivateKey(value: string): KeyObject {
  try {
    if (value.includes("-----BEGIN")) return parseKey(value);
    const prefix = PREFIX.exec(value);
    if (!prefix) throw new SyntaxError('it is neither PEM nor "private-rsa-...:" nor "private-dsa-...:"');
    const encoded = value.slice(prefix[0].length);
    const key = parseKey(prefix[2].toLowerCase() === "hex" ? parseHex(encoded) : parseBase64(encoded));
    if (key.asymmetricKeyType === prefix[1].toLowerCase()) return key;
    throw new SyntaxError(`"${prefix[0]}" is followed by a key of another kind`);
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof KeyError)) throw error;
    throw new PrincipalError(`private key: ${error.message}`);
  }
}

/** A private key as a KeyNote string. */
export function formatPrivateKey(key: KeyObject, encoding: "hex" | "base64"): string {
  const octets = encodeTraditionalPrivateKey(key);
  return `private-${key.asymmetricKeyType}-${encoding}:${
    encoding === "hex" ? formatHex(octets) : formatBase64(octets)
  }`;
}
