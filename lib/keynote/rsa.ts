/** RSA signatures over octets that are enclosed as they are: PKCS#1 v1.5 padding of type 1 without a DigestInfo. @module */
import { constants, type KeyObject, privateEncrypt } from "node:crypto";
import { modExp } from "../crypto/group.ts";
import { type Bytes, concat, equal } from "../octets/bytes.ts";

/** Longer keys are refused: verification's time grows with the cube of the length. */
export const RSA_MODULUS_OCTETS = 2048;
const RSA_EXPONENT_OCTETS = 8;

/** Signs `enclosed` with an RSA private key. @throws {RangeError} when it does not fit the modulus */
export function signRsaBare(key: KeyObject, enclosed: Uint8Array): Bytes {
  const modulusOctets = Math.ceil((key.asymmetricKeyDetails?.modulusLength ?? 0) / 8);
  if (enclosed.length + 11 > modulusOctets) {
    throw new RangeError(`Cannot sign ${enclosed.length} octets with an RSA key of ${8 * modulusOctets} bits`);
  }
  return new Uint8Array(privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, enclosed));
}

/**
 * Whether `signature` is the key's over `enclosed`. The padded block is built and compared whole, never parsed, so that
 * no slack in it can be used to forge (RFC 8017 section 8.2.2).
 */
export function verifyRsaBare(
  key: { readonly modulus: Uint8Array; readonly exponent: Uint8Array },
  enclosed: Uint8Array,
  signature: Uint8Array,
): boolean {
  const { modulus, exponent } = key;
  if (modulus.length > RSA_MODULUS_OCTETS || exponent.length > RSA_EXPONENT_OCTETS) return false;
  const fill = modulus.length - enclosed.length - 3;
  if (signature.length !== modulus.length || fill < 8) return false;
  const block = concat(Uint8Array.of(0, 1), new Uint8Array(fill).fill(0xff), Uint8Array.of(0), enclosed);
  return equal(modExp(signature, exponent, modulus), block);
}
