/** The computations of key exchange as plain data, so that a Worker can do them. @module */
import { isProbablePrime } from "../crypto/bignum.ts";
import { generateKeyPair, groupOf, sharedSecret } from "../crypto/group.ts";
import { modExp } from "../crypto/modp.ts";
import {
  type KeyObject,
  parsePrivateKey,
  parsePublicKey,
  type PublicKey,
  signDsa,
  signEcdsa,
  signRsaBare,
  verifyDsa,
  verifyEcdsa,
  verifyRsaBare,
} from "../crypto/signature.ts";
import type { Bytes } from "../octets/bytes.ts";
import { randomOctets } from "./clock.ts";

/** How IKEv1 signs HASH_I and HASH_R: RSA without DigestInfo, the others with the hash as the message digest. */
export type Scheme = "rsa" | "ecdsa" | "dsa";

/** One computation. Keys are DER (PKCS#8, SubjectPublicKeyInfo). */
export type Calculation =
  | { readonly op: "generateKeyPair"; readonly group: number }
  | { readonly op: "sharedSecret"; readonly group: number; readonly privateKey: Bytes; readonly peerPublicValue: Bytes }
  | { readonly op: "sign"; readonly scheme: Scheme; readonly privateKey: Bytes; readonly octets: Bytes }
  | {
    readonly op: "verify";
    readonly scheme: Scheme;
    readonly publicKey: Bytes;
    readonly octets: Bytes;
    readonly signature: Bytes;
  }
  /** base to the exponent modulo modulus: Photuris, whose moduli come from files and peers. */
  | { readonly op: "power"; readonly base: Bytes; readonly exponent: Bytes; readonly modulus: Bytes }
  /** Whether p and (p-1)/2 are probably prime. */
  | { readonly op: "isSafePrime"; readonly candidate: Bytes };

/** What each gives. */
export interface CalculationValues {
  generateKeyPair: { readonly privateKey: Bytes; readonly publicValue: Bytes };
  sharedSecret: Bytes;
  sign: Bytes;
  verify: boolean;
  power: Bytes;
  isSafePrime: boolean;
}

/** What decides how long a computation takes. */
export function sizeOf(calculation: Calculation): string {
  if ("group" in calculation) return `${calculation.op} ${groupOf(calculation.group).name}`;
  if (calculation.op === "power") return `power ${calculation.modulus.length} ${calculation.exponent.length >> 3}`;
  if (calculation.op === "isSafePrime") return `isSafePrime ${calculation.candidate.length}`;
  const key = calculation.op === "sign" ? calculation.privateKey : calculation.publicKey;
  return `${calculation.op} ${calculation.scheme} ${key.length >> 6}`;
}

/** Does it here and now. @throws {RangeError} saying what is wrong with a peer's value @throws {KeyError} */
export function calculate(calculation: Calculation): CalculationValues[Calculation["op"]] {
  switch (calculation.op) {
    case "generateKeyPair":
      return generateKeyPair(calculation.group, randomOctets);
    case "sharedSecret":
      return sharedSecret(calculation.group, calculation.privateKey, calculation.peerPublicValue);
    case "sign":
      return sign(calculation.scheme, parsePrivateKey(calculation.privateKey), calculation.octets);
    case "verify":
      return verify(
        calculation.scheme,
        parsePublicKey(calculation.publicKey),
        calculation.octets,
        calculation.signature,
      );
    case "power":
      return modExp(calculation.base, calculation.exponent, calculation.modulus);
    case "isSafePrime":
      return isSafePrime(calculation.candidate);
  }
}

/** (p-1)/2 of an odd p is its octets, shifted by one bit. */
function isSafePrime(candidate: Bytes): boolean {
  if (!((candidate.at(-1) ?? 0) & 1)) return false;
  const half = candidate.map((octet, at) => octet >> 1 | (at ? candidate[at - 1] << 7 & 0xff : 0));
  return isProbablePrime(candidate) && isProbablePrime(half);
}

function sign(scheme: Scheme, key: KeyObject, octets: Bytes): Bytes {
  if (scheme === "rsa") return signRsaBare(key, octets);
  return scheme === "dsa" ? signDsa(key, "sha1", octets) : signEcdsa(key, octets);
}

function verify(scheme: Scheme, key: PublicKey, octets: Bytes, signature: Bytes): boolean {
  if (scheme === "rsa") return verifyRsaBare(key, octets, signature);
  return scheme === "dsa" ? verifyDsa(key, octets, signature) : verifyEcdsa(key, octets, signature);
}
