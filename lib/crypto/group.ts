/** The Diffie-Hellman groups of IKE (RFC 2409 6, RFC 3526, RFC 5903, RFC 8031), and arbitrary moduli. @module */
import type { Bytes } from "../octets/bytes.ts";
import { fromBigInt, toBigInt } from "./bignum.ts";
import { type BinaryCurve, EC2N_CURVES, hasBinaryPoint, isOnBinaryCurve, multiplyBinaryPoint } from "./ec2n.ts";
import { type Curve, curveFault, curveKeyPair, CURVES, curveSecret } from "./ecdh.ts";
import { modExp, modpFault, modpKeyPair, type ModpParameters, modpPrime } from "./modp.ts";

export { isProbablePrime } from "./bignum.ts";
export { modExp, type ModpParameters } from "./modp.ts";

/** A group by its IKE number. */
export interface Group {
  readonly number: number;
  /** As isakmpd.conf writes it. */
  readonly name: string;
  readonly kind: "modp" | "ec2n" | "ecp" | "x25519";
  /** Size of the modulus or field. */
  readonly bits: number;
  /** Octets of the Key Exchange payload's data that we send. */
  readonly publicOctets: number;
  /** Octets of g^xy. */
  readonly sharedOctets: number;
  /** Why it should not be used any more; absent: no warning. */
  readonly weak?: string;
  /** Generator and prime, derived on first use; MODP groups only. */
  readonly modp?: ModpParameters;
}

/** A key pair; `privateKey` belongs to the group that made it. */
export interface KeyPair {
  readonly privateKey: Bytes;
  readonly publicValue: Bytes;
}

const GENERATOR_2 = new Uint8Array([2]);

function modp(number: number, bits: number, k: number, weak?: string): Group {
  let parameters: ModpParameters | undefined;
  return {
    number,
    name: `MODP_${bits}`,
    kind: "modp",
    bits,
    publicOctets: bits / 8,
    sharedOctets: bits / 8,
    weak,
    get modp() {
      return parameters ??= { generator: GENERATOR_2, modulus: modpPrime(bits, k) };
    },
  };
}

const ec2n = (number: 3 | 4): Group => {
  const bits = EC2N_CURVES[number].m, octets = Math.ceil(bits / 8);
  return {
    number,
    name: `EC2N_${bits}`,
    kind: "ec2n",
    bits,
    publicOctets: 2 * octets,
    sharedOctets: octets,
    weak: `its ${bits}-bit field is too small and its curve has a subfield structure that helps attackers`,
  };
};

const ecp = (number: 19 | 20 | 21, bits: number): Group => ({
  number,
  name: `ECP_${bits}`,
  kind: "ecp",
  bits,
  publicOctets: 2 * CURVES[number].fieldOctets,
  sharedOctets: CURVES[number].fieldOctets,
});

const SMALL = (bits: number) => `logarithms modulo its ${bits}-bit prime are within reach of rich attackers`;

const ROWS: readonly Group[] = [
  modp(1, 768, 149686, SMALL(768)),
  modp(2, 1024, 129093, SMALL(1024)),
  ec2n(3),
  ec2n(4),
  modp(5, 1536, 741804),
  modp(14, 2048, 124476),
  modp(15, 3072, 1690314),
  modp(16, 4096, 240904),
  modp(17, 6144, 929484),
  modp(18, 8192, 4743158),
  ecp(19, 256),
  ecp(20, 384),
  ecp(21, 521),
  { number: 31, name: "CURVE25519", kind: "x25519", bits: 255, publicOctets: 32, sharedOctets: 32 },
];

/** The groups by IKE number (attribute Group Description). */
export const GROUPS: Readonly<Record<number, Group | undefined>> = Object.fromEntries(
  ROWS.map((row) => [row.number, row]),
);

/** A group's number, its row, or a generator and a modulus of one's own. */
export type GroupChoice = number | Group | ModpParameters;

/** The row of a number. @throws {RangeError} when there is no such group */
export function groupOf(number: number): Group {
  const group = GROUPS[number];
  if (!group) throw new RangeError(`Cannot use group ${number}: known are ${Object.keys(GROUPS).join(", ")}`);
  return group;
}

/** The row of `MODP_1024` and the like; case does not matter. */
export const groupByName = (name: string): Group | undefined => ROWS.find((row) => row.name === name.toUpperCase());

type Resolved =
  | { name: string; modp: ModpParameters; isSafe: boolean }
  | { name: string; binary: BinaryCurve }
  | { name: string; curve: Curve };

function resolve(choice: GroupChoice): Resolved {
  if (typeof choice === "object" && "modulus" in choice) {
    return { name: `${8 * choice.modulus.length}-bit modulus`, modp: choice, isSafe: false };
  }
  const { number, name, modp } = typeof choice === "number" ? groupOf(choice) : choice;
  if (modp) return { name, modp, isSafe: true };
  if (number === 3 || number === 4) return { name, binary: EC2N_CURVES[number] };
  return { name, curve: CURVES[number as keyof typeof CURVES] };
}

/**
 * A fresh key pair, the same for the same `random`. The public value is what the Key Exchange payload carries: MODP as
 * long as the modulus, ECP and EC2N x | y (isakmpd's form; the first half alone is RFC 2409's), X25519 32 octets.
 *
 * @throws {RangeError} when there is no such group
 */
export function generateKeyPair(choice: GroupChoice, random: (octets: number) => Bytes): KeyPair {
  const group = resolve(choice);
  if ("modp" in group) return modpKeyPair(group.modp, random, group.isSafe);
  if ("curve" in group) return curveKeyPair(group.curve, random);
  const curve = group.binary, octets = Math.ceil(curve.m / 8);
  for (;;) {
    const scalar = toBigInt(random(octets)) & ((1n << BigInt(curve.m)) - 1n);
    const point = scalar < curve.generatorOrder && multiplyBinaryPoint(curve, scalar, curve.x, curve.y);
    if (!point) continue;
    const publicValue = new Uint8Array(2 * octets);
    publicValue.set(fromBigInt(point.x, octets));
    publicValue.set(fromBigInt(point.y!, octets), octets);
    return { privateKey: fromBigInt(scalar, octets), publicValue };
  }
}

function binaryFault(curve: BinaryCurve, publicValue: Uint8Array): string | undefined {
  const octets = Math.ceil(curve.m / 8);
  if (publicValue.length !== octets && publicValue.length !== 2 * octets) {
    return `it has ${publicValue.length} octets, ${octets} or ${2 * octets} are needed`;
  }
  const x = toBigInt(publicValue.subarray(0, octets)), y = toBigInt(publicValue.subarray(octets));
  if (x >> BigInt(curve.m) || y >> BigInt(curve.m)) return "a coordinate is not in the field";
  if (x === 0n) return "its x is 0";
  const onCurve = publicValue.length === octets ? hasBinaryPoint(curve, x) : isOnBinaryCurve(curve, x, y);
  if (!onCurve) return "the point is not on the curve";
  if (!multiplyBinaryPoint(curve, curve.cofactor, x)) return "its order is small";
  return undefined;
}

/**
 * Checks a peer's public value: length; 2 to p-2, or a point of the curve that is of no small order.
 *
 * @param own our own public value, which a peer must not send back
 * @throws {RangeError} saying what is wrong
 */
export function checkPublicValue(choice: GroupChoice, publicValue: Uint8Array, own?: Uint8Array): void {
  const group = resolve(choice);
  const fault = "modp" in group
    ? modpFault(group.modp, publicValue)
    : "curve" in group
    ? curveFault(group.curve, publicValue)
    : binaryFault(group.binary, publicValue);
  if (fault) throw new RangeError(`Cannot use public value for ${group.name}: ${fault}`);
  if (own?.length === publicValue.length && own.every((octet, i) => octet === publicValue[i])) {
    throw new RangeError(`Cannot use public value for ${group.name}: it is our own, sent back`);
  }
}

/**
 * g^xy: MODP as long as the modulus, ECP and EC2N the x coordinate, X25519 32 octets.
 *
 * @throws {RangeError} saying what is wrong with the peer's public value, as {@linkcode checkPublicValue} does
 */
export function sharedSecret(choice: GroupChoice, privateKey: Uint8Array, peerPublicValue: Uint8Array): Bytes {
  const group = resolve(choice);
  checkPublicValue(choice, peerPublicValue);
  let shared: Bytes | undefined;
  if ("modp" in group) {
    shared = modExp(peerPublicValue, privateKey, group.modp.modulus);
    // Only possible modulo a prime that is not a safe one, or no prime at all.
    if (!group.isSafe && modpFault(group.modp, shared)) shared = undefined;
  } else if ("curve" in group) {
    shared = curveSecret(group.curve, privateKey, peerPublicValue);
  } else {
    const curve = group.binary, octets = Math.ceil(curve.m / 8);
    const x = toBigInt(peerPublicValue.subarray(0, octets));
    const point = multiplyBinaryPoint(curve, toBigInt(privateKey), x);
    shared = point && fromBigInt(point.x, octets);
  }
  if (!shared) throw new RangeError(`Cannot use public value for ${group.name}: its order is small`);
  return shared;
}
