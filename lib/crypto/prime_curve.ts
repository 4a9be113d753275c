/** Point arithmetic on y^2 = x^3 - 3x + b over a prime field, for public numbers only: its time tells them. @module */
import { modInverse } from "./bignum.ts";

/** A prime curve with its generator. */
export interface PrimeCurve {
  readonly p: bigint;
  readonly generator: { readonly x: bigint; readonly y: bigint };
}

/** Jacobian coordinates: x = X/Z^2, y = Y/Z^3; Z = 0 is the point at infinity. */
type Point = readonly [X: bigint, Y: bigint, Z: bigint];
const INFINITY: Point = [1n, 1n, 0n];

function double([X, Y, Z]: Point, p: bigint): Point {
  const YY = Y * Y % p, ZZ = Z * Z % p;
  const S = 4n * X * YY % p;
  const M = 3n * (X - ZZ) * (X + ZZ) % p;
  const X3 = (M * M - 2n * S) % p;
  return [X3, (M * (S - X3) - 8n * YY * YY) % p, 2n * Y * Z % p];
}

function add(a: Point, b: Point, p: bigint): Point {
  const [X1, Y1, Z1] = a, [X2, Y2, Z2] = b;
  if (Z1 === 0n) return b;
  if (Z2 === 0n) return a;
  const ZZ1 = Z1 * Z1 % p, ZZ2 = Z2 * Z2 % p;
  const U = X1 * ZZ2 % p, S = Y1 * Z2 * ZZ2 % p;
  const H = (X2 * ZZ1 - U) % p, R = (Y2 * Z1 * ZZ1 - S) % p;
  if (H === 0n) return R === 0n ? double(a, p) : INFINITY;
  const HH = H * H % p, V = U * HH % p, HHH = H * HH % p;
  const X3 = (R * R - HHH - 2n * V) % p;
  return [X3, (R * (V - X3) - S * HHH) % p, H * Z1 % p * Z2 % p];
}

/** The x coordinate of u times the generator plus v times a point; undefined when that is the point at infinity. */
export function multiplyAndAdd(
  { p, generator }: PrimeCurve,
  u: bigint,
  v: bigint,
  point: { readonly x: bigint; readonly y: bigint },
): bigint | undefined {
  const first: Point = [generator.x, generator.y, 1n], second: Point = [point.x, point.y, 1n];
  const sums = [INFINITY, first, second, add(first, second, p)];
  const bits = Math.max(u.toString(2).length, v.toString(2).length);
  const uBits = u.toString(2).padStart(bits, "0"), vBits = v.toString(2).padStart(bits, "0");
  let sum = INFINITY;
  for (let i = 0; i < bits; i++) sum = add(double(sum, p), sums[Number(uBits[i]) + 2 * Number(vBits[i])], p);
  // Remainders keep the sign of what was divided, so that Z may be negative, and 0 only as 0.
  const [X, , Z] = sum;
  if (Z === 0n) return undefined;
  const inverse = modInverse(Z, p);
  return ((X * inverse % p * inverse) % p + p) % p;
}
