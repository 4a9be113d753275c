/** Diffie-Hellman modulo a prime: RFC 2409 6.1-6.2, RFC 3526, and moduli of Photuris peers (RFC 2522). @module */
import type { Bytes } from "../octets/bytes.ts";
import { bitLength, fromBigInt, modPow, scaledPi, toBigInt } from "./bignum.ts";
import { nativeModExp } from "./libcrypto.ts";

/** A generator and a modulus, big-endian. */
export interface ModpParameters {
  readonly generator: Uint8Array;
  readonly modulus: Uint8Array;
}

/** The prime 2^n - 2^(n-64) - 1 + 2^64 (floor(2^(n-130) pi) + k) of RFC 2409 and RFC 3526. */
export function modpPrime(bits: number, k: number): Bytes {
  const n = BigInt(bits);
  return fromBigInt((1n << n) - (1n << (n - 64n)) - 1n + ((scaledPi(bits - 130) + BigInt(k)) << 64n));
}

/** Octets of a private exponent: twice the strength of a modulus (RFC 3526 8), at least 256 bits. */
function exponentOctets(modulusBits: number): number {
  const sizes = [[1536, 32], [2048, 40], [3072, 54], [4096, 60], [6144, 68]];
  const octets = sizes.find(([bits]) => modulusBits <= bits)?.[1] ?? 80;
  return Math.min(octets, Math.ceil(modulusBits / 8) - 1);
}

/**
 * base to the exponent modulo modulus, all big-endian, as long as the modulus. libcrypto computes it where it can be
 * loaded, because it hides the exponent's bits from those who measure time; bigint arithmetic does not. Speed is no
 * reason: 0.4 against 0.8 ms for a 320-bit exponent and a 2048-bit modulus on one core of an AMD EPYC. (node:crypto's
 * DiffieHellman draws exponents as long as the modulus and needs 4.9 ms.)
 *
 * @throws {RangeError} when the modulus is less than 2
 */
export function modExp(base: Uint8Array, exponent: Uint8Array, modulus: Uint8Array): Bytes {
  if (bitLength(modulus) < 2) throw new RangeError("Cannot reduce by a modulus less than 2");
  if (modulus[modulus.length - 1] & 1) {
    const result = nativeModExp(base, exponent, modulus);
    if (result) return result;
  }
  return fromBigInt(modPow(toBigInt(base), toBigInt(exponent), toBigInt(modulus)), modulus.length);
}

/** A private exponent with its top bit set, and generator^exponent. */
export function modpKeyPair({ generator, modulus }: ModpParameters, random: (octets: number) => Bytes) {
  const privateKey = random(exponentOctets(bitLength(modulus))).slice();
  privateKey[0] |= 0x80;
  return { privateKey, publicValue: modExp(generator, privateKey, modulus) };
}

/** What is wrong with a public value: its length, or that it is not in 2 ... p-2; undefined when nothing is. */
export function modpFault({ modulus }: ModpParameters, publicValue: Uint8Array): string | undefined {
  if (publicValue.length !== modulus.length) {
    return `it has ${publicValue.length} octets, ${modulus.length} are needed`;
  }
  const y = toBigInt(publicValue), p = toBigInt(modulus);
  if (y < 2n) return `it is ${y}`;
  if (y === p - 1n) return "it is the modulus less 1";
  if (y >= p) return "it is not less than the modulus";
  return undefined;
}
