/** Diffie-Hellman over the NIST prime curves (RFC 5903) and Curve25519 (RFC 7748), computed by node:crypto. @module */
import { createPrivateKey, createPublicKey, diffieHellman, type KeyObject } from "node:crypto";
import { type Bytes, concat } from "../octets/bytes.ts";
import {
  DER,
  encodeBitString,
  encodeDer,
  encodeOctetString,
  encodeOid,
  encodeSequence,
  encodeUnsigned,
} from "../octets/der.ts";
import { toBigInt } from "./bignum.ts";
import type { PrimeCurve } from "./prime_curve.ts";

/** A curve as its keys are wrapped for node:crypto; the NIST ones with their numbers. */
export interface Curve {
  readonly oid: string;
  readonly fieldOctets: number;
  readonly prime?: PrimeCurve & { readonly b: bigint; readonly order: bigint };
}

const P256 = (1n << 256n) - (1n << 224n) + (1n << 192n) + (1n << 96n) - 1n;
const P384 = (1n << 384n) - (1n << 128n) - (1n << 96n) + (1n << 32n) - 1n;
const P521 = (1n << 521n) - 1n;

/** The curves by IKE group. */
export const CURVES: { readonly 19: Curve; readonly 20: Curve; readonly 21: Curve; readonly 31: Curve } = {
  19: {
    oid: "1.2.840.10045.3.1.7",
    fieldOctets: 32,
    prime: {
      p: P256,
      generator: {
        x: 0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n,
        y: 0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n,
      },
      b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
      order: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
    },
  },
  20: {
    oid: "1.3.132.0.34",
    fieldOctets: 48,
    prime: {
      p: P384,
      generator: {
        x: 0xaa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7n,
        y: 0x3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5fn,
      },
      b: 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn,
      order: 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
    },
  },
  21: {
    oid: "1.3.132.0.35",
    fieldOctets: 66,
    prime: {
      p: P521,
      generator: {
        x: BigInt(
          "0x00c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ff" +
            "a8de3348b3c1856a429bf97e7e31c2e5bd66",
        ),
        y: BigInt(
          "0x011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e662c97ee72995ef42640c550b9013fad" +
            "0761353c7086a272c24088be94769fd16650",
        ),
      },
      b: BigInt(
        "0x0051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf07" +
          "3573df883d2c34f1ef451fd46b503f00",
      ),
      order: BigInt(
        "0x01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d0" +
          "3bb5c9b8899c47aebb6fb71e91386409",
      ),
    },
  },
  31: { oid: "1.3.101.110", fieldOctets: 32 },
};

const algorithm = ({ oid, prime }: Curve): Bytes =>
  prime ? encodeSequence(encodeOid("1.2.840.10045.2.1"), encodeOid(oid)) : encodeSequence(encodeOid(oid));

function privateKeyObject(curve: Curve, privateKey: Uint8Array): KeyObject {
  const inner = curve.prime
    ? encodeSequence(encodeUnsigned(new Uint8Array([1])), encodeOctetString(privateKey)) // RFC 5915
    : encodeOctetString(privateKey); // RFC 8410
  const pkcs8 = encodeSequence(encodeDer(DER.INTEGER, new Uint8Array(1)), algorithm(curve), encodeOctetString(inner));
  return createPrivateKey({ key: pkcs8 as unknown as Buffer, format: "der", type: "pkcs8" });
}

/** The public value behind its wrapping: x | y without the octet 04, or Curve25519's u. */
function publicValueOf(curve: Curve, key: KeyObject): Bytes {
  const spki = new Uint8Array(key.export({ format: "der", type: "spki" }));
  return spki.slice(-(curve.prime ? 2 : 1) * curve.fieldOctets);
}

/** A private key in 1 ... order-1 (Curve25519: any 32 octets), and its public value. */
export function curveKeyPair(curve: Curve, random: (octets: number) => Bytes) {
  let privateKey: Bytes;
  do {
    privateKey = random(curve.fieldOctets).slice();
    if (curve.oid === CURVES[21].oid) privateKey[0] &= 1; // 521 bits in 528
  } while (curve.prime && (toBigInt(privateKey) === 0n || toBigInt(privateKey) >= curve.prime.order));
  const key = createPublicKey(privateKeyObject(curve, privateKey) as unknown as Buffer);
  return { privateKey, publicValue: publicValueOf(curve, key) };
}

/** What is wrong with a public value: its length, or that the point is not on the curve; undefined when nothing is. */
export function curveFault(curve: Curve, publicValue: Uint8Array): string | undefined {
  const needed = (curve.prime ? 2 : 1) * curve.fieldOctets;
  if (publicValue.length !== needed) return `it has ${publicValue.length} octets, ${needed} are needed`;
  if (!curve.prime) return undefined; // every u is a point of the curve or of its twist; the result tells
  const { p, b } = curve.prime;
  const x = toBigInt(publicValue.subarray(0, curve.fieldOctets)), y = toBigInt(publicValue.subarray(curve.fieldOctets));
  if (x >= p || y >= p) return "a coordinate is not less than the field's prime";
  if ((y * y - (x * x - 3n) * x - b) % p !== 0n) return "the point is not on the curve";
  return undefined;
}

/** The shared x (or u), with a public value that has passed {@linkcode curveFault}; undefined when it is zero. */
export function curveSecret(curve: Curve, privateKey: Uint8Array, publicValue: Uint8Array): Bytes | undefined {
  const point = curve.prime ? concat(new Uint8Array([4]), publicValue) : publicValue;
  const spki = encodeSequence(algorithm(curve), encodeBitString(point));
  const publicKey = createPublicKey({ key: spki as unknown as Buffer, format: "der", type: "spki" });
  let shared: Bytes;
  try {
    shared = new Uint8Array(diffieHellman({ privateKey: privateKeyObject(curve, privateKey), publicKey }));
  } catch {
    return undefined; // what node:crypto does on a point of low order
  }
  return shared.some((octet) => octet !== 0) ? shared : undefined;
}
