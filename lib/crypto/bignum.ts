/** Whole numbers as octets and as bigint, modular arithmetic, pi. @module */
import { checkPrimeSync } from "node:crypto";
import type { Bytes } from "../octets/bytes.ts";
import { formatHex, parseHex } from "../octets/hex.ts";

/** The number of big-endian octets; no octets are 0. */
export const toBigInt = (octets: Uint8Array): bigint => octets.length ? BigInt("0x" + formatHex(octets)) : 0n;

/** `number` as `length` big-endian octets (as few as it needs, if not given). @throws {RangeError} when it does not fit */
export function fromBigInt(number: bigint, length?: number): Bytes {
  const digits = number === 0n ? "" : number.toString(16);
  const needed = Math.ceil(digits.length / 2);
  if (length !== undefined && needed > length) throw new RangeError(`Cannot put ${needed} octets into ${length}`);
  return parseHex(digits.padStart(2 * (length ?? needed), "0"));
}

/** Significant bits of a number of big-endian octets. */
export function bitLength(octets: Uint8Array): number {
  const first = octets.findIndex((octet) => octet !== 0);
  return first < 0 ? 0 : 8 * (octets.length - first) - (Math.clz32(octets[first]) - 24);
}

/** base to the exponent modulo modulus, with a fixed window of four bits. */
export function modPow(base: bigint, exponent: bigint, modulus: bigint): bigint {
  const powers = [1n % modulus];
  for (let i = 1; i < 16; i++) powers.push(powers[i - 1] * base % modulus);
  let result = powers[0];
  for (const digit of exponent.toString(16)) {
    for (let i = 0; i < 4; i++) result = result * result % modulus;
    result = result * powers[parseInt(digit, 16)] % modulus;
  }
  return result;
}

/** The inverse of `number` modulo `modulus`. @throws {RangeError} when there is none */
export function modInverse(number: bigint, modulus: bigint): bigint {
  let [a, b, x, y] = [((number % modulus) + modulus) % modulus, modulus, 1n, 0n];
  while (a > 0n) {
    const quotient = b / a;
    [a, b, x, y] = [b - quotient * a, a, y - quotient * x, x];
  }
  if (b !== 1n) throw new RangeError("Cannot invert: the number and the modulus have a common factor");
  return ((y % modulus) + modulus) % modulus;
}

/**
 * Whether a number of big-endian octets is prime: Miller-Rabin with `rounds` random bases, so that a hostile composite
 * passes with a probability of at most 4^-rounds.
 */
export const isProbablePrime = (number: Uint8Array, rounds = 24): boolean =>
  checkPrimeSync(number as Bytes, { checks: rounds });

/** The integer part of 2^bits times pi: 16 atan(1/5) - 4 atan(1/239) (Machin). */
export function scaledPi(bits: number): bigint {
  const guardBits = 64, one = 1n << BigInt(bits + guardBits);
  const arctangentOfInverse = (n: bigint): bigint => {
    let power = one / n, sum = power;
    for (let k = 3n; power !== 0n; k += 2n) {
      power /= -n * n;
      sum += power / k;
    }
    return sum;
  };
  return (16n * arctangentOfInverse(5n) - 4n * arctangentOfInverse(239n)) >> BigInt(guardBits);
}
