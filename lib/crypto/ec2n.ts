/**
 * The elliptic curves over GF(2^m) of RFC 2409 6.3-6.4 (groups 3 and 4), y^2 + xy = x^3 + ax^2 + b, for old peers.
 * Scalars go through a Montgomery ladder on x alone (Lopez and Dahab).
 *
 * @module
 */

/** A curve with a = 0. Field elements are bigints, bit i the coefficient of x^i. */
export interface BinaryCurve {
  readonly m: number;
  /** The field polynomial is x^m + x^k + 1. */
  readonly k: number;
  readonly b: bigint;
  readonly x: bigint;
  readonly y: bigint;
  readonly generatorOrder: bigint;
  /** A multiple of the order of every small subgroup: 12 and 4. */
  readonly cofactor: bigint;
}

/** Groups 3 and 4. */
export const EC2N_CURVES: { readonly 3: BinaryCurve; readonly 4: BinaryCurve } = {
  3: {
    m: 155,
    k: 62,
    b: 0x07338fn,
    x: 0x7bn,
    y: 0x1c8n,
    generatorOrder: 0x02aaaaaaaaaaaaaaaaaac7f3c7881bd0868fa86cn,
    cofactor: 12n,
  },
  4: {
    m: 185,
    k: 69,
    b: 0x1ee9n,
    x: 0x18n,
    y: 0xdn,
    generatorOrder: 0xffffffffffffffffffffffedf97c44db9f2420bafca75en,
    cofactor: 4n,
  },
};

function reduce({ m, k }: BinaryCurve, a: bigint): bigint {
  const M = BigInt(m), K = BigInt(k), mask = (1n << M) - 1n;
  for (let high = a >> M; high !== 0n; high = a >> M) a = (a & mask) ^ high ^ (high << K);
  return a;
}

function multiply(curve: BinaryCurve, a: bigint, b: bigint): bigint {
  const multiples = [0n, a];
  for (let i = 2; i < 16; i++) multiples.push(i & 1 ? multiples[i - 1] ^ a : multiples[i >> 1] << 1n);
  let product = 0n;
  for (const digit of b.toString(16)) product = (product << 4n) ^ multiples[parseInt(digit, 16)];
  return reduce(curve, product);
}

/** Squaring over GF(2) puts a zero between the bits. */
const square = (curve: BinaryCurve, a: bigint): bigint => reduce(curve, BigInt("0x" + spread(a.toString(16))));
const SPREAD = Array.from({ length: 16 }, (_, i) => parseInt(i.toString(2), 4).toString(16).padStart(2, "0"));
function spread(hex: string): string {
  let out = "";
  for (const digit of hex) out += SPREAD[parseInt(digit, 16)];
  return out;
}

/** a^(2^m - 2). */
function invert(curve: BinaryCurve, a: bigint): bigint {
  let result = 1n, power = a;
  for (let i = 1; i < curve.m; i++) {
    power = square(curve, power);
    result = multiply(curve, result, power);
  }
  return result;
}

/** Whether (x, y) fulfils the curve's equation, both in the field. */
export function isOnBinaryCurve(curve: BinaryCurve, x: bigint, y: bigint): boolean {
  const xx = square(curve, x);
  return (square(curve, y) ^ multiply(curve, x, y)) === (multiply(curve, xx, x) ^ curve.b);
}

/** Whether some point of the curve has this x (not 0): the trace of x + b/x^2 is 0. */
export function hasBinaryPoint(curve: BinaryCurve, x: bigint): boolean {
  const value = x ^ multiply(curve, curve.b, square(curve, invert(curve, x)));
  let trace = value, power = value;
  for (let i = 1; i < curve.m; i++) trace ^= power = square(curve, power);
  return trace === 0n;
}

/**
 * The point `scalar` times P, where x (not 0) is P's: its x alone or, when y is given too, both coordinates.
 *
 * @returns undefined for the point at infinity
 */
export function multiplyBinaryPoint(
  curve: BinaryCurve,
  scalar: bigint,
  x: bigint,
  y?: bigint,
): { x: bigint; y?: bigint } | undefined {
  // (X1 : Z1) = nP and (X2 : Z2) = (n+1)P for the leading bits n of the scalar.
  let [X1, Z1, X2, Z2] = [1n, 0n, x, 1n];
  const twice = (X: bigint, Z: bigint): [bigint, bigint] => {
    const XX = square(curve, X), ZZ = square(curve, Z);
    return [square(curve, XX) ^ multiply(curve, curve.b, square(curve, ZZ)), multiply(curve, XX, ZZ)];
  };
  for (const bit of scalar.toString(2)) {
    const a = multiply(curve, X1, Z2), b = multiply(curve, X2, Z1);
    const Z = square(curve, a ^ b);
    const X = multiply(curve, x, Z) ^ multiply(curve, a, b);
    if (bit === "0") [[X1, Z1], [X2, Z2]] = [twice(X1, Z1), [X, Z]];
    else [[X2, Z2], [X1, Z1]] = [twice(X2, Z2), [X, Z]];
  }
  if (Z1 === 0n) return undefined;
  const x1 = multiply(curve, X1, invert(curve, Z1));
  if (y === undefined) return { x: x1 };
  if (Z2 === 0n) return { x, y: x ^ y }; // scalar = -1
  const x2 = multiply(curve, X2, invert(curve, Z2));
  const slope = multiply(curve, x1 ^ x, multiply(curve, x1 ^ x, x2 ^ x) ^ square(curve, x) ^ y);
  return { x: x1, y: multiply(curve, slope, invert(curve, x)) ^ y };
}
