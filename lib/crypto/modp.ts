/** Diffie-Hellman modulo a prime: RFC 2409 6.1-6.2, RFC 3526, and moduli of Photuris peers (RFC 2522). @module */
import type { Bytes } from "../octets/bytes.ts";
import { bitLength, fromBigInt, modPow, scaledPi, toBigInt } from "./bignum.ts";
import { nativeModExp } from "./libcrypto_octets.ts";

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

/**
 * Octets of a private exponent modulo a safe prime, whose group has no small subgroup in which an attacker could look for a
 * part of it: twice the strength of the modulus (RFC 3526 8, RFC 7919 5.2: 225 bits for a modulus of 2048, 275, 325, 375 and
 * 400 for the larger ones), in whole words of the 64 bits that an exponentiation works on, at least 256 bits.
 */
function shortExponentOctets(modulusBits: number): number {
  const sizes = [[2048, 32], [3072, 40], [6144, 48]];
  return sizes.find(([bits]) => modulusBits <= bits)?.[1] ?? 56;
}

/**
 * base to the exponent modulo modulus, all big-endian, as long as the modulus. libcrypto computes it where it can be
 * loaded, because it hides the exponent's bits from those who measure time; bigint arithmetic does not. Speed is no
 * reason: 0.3 against 0.7 ms for a 256-bit exponent and a 2048-bit modulus on one core of an AMD EPYC. (node:crypto's
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

/** A private exponent with its top bit set, and generator^exponent. `isSafe`: the modulus is known to be a safe prime. */
export function modpKeyPair(
  { generator, modulus }: ModpParameters,
  random: (octets: number) => Bytes,
  isSafe: boolean,
) {
  const bits = bitLength(modulus);
  const longest = Math.ceil(bits / 8) - 1;
  const privateKey = random(isSafe ? Math.min(shortExponentOctets(bits), longest) : longest).slice();
  privateKey[0] |= 0x80;
  return { privateKey, publicValue: modExp(generator, privateKey, modulus) };
}

/** What is wrong with a public value: its length, or that it is not in 2 ... p-2; undefined when nothing is. */
export function modpFault({ modulus }: ModpParameters, publicValue: Uint8Array): string | undefined {
  if (publicValue.length !== modulus.length) {
    return `it has ${publicValue.length} octets, ${modulus.length} are needed`;
  }
  const last = publicValue.length - 1;
  // Public values are mostly in range: their first octets say so.
  let at = 0;
  while (at < last && publicValue[at] === 0) at++;
  if (at === last && publicValue[last] < 2) return `it is ${publicValue[last]}`;
  at = 0;
  while (at < last && publicValue[at] === modulus[at]) at++;
  if (publicValue[at] < modulus[at]) {
    return at === last && publicValue[last] === modulus[last] - 1 ? "it is the modulus less 1" : undefined;
  }
  return "it is not less than the modulus";
}
