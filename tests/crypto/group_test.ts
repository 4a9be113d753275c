import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { bitLength, fromBigInt, modInverse, modPow, scaledPi, toBigInt } from "../../lib/crypto/bignum.ts";
import { EC2N_CURVES, hasBinaryPoint, isOnBinaryCurve, multiplyBinaryPoint } from "../../lib/crypto/ec2n.ts";
import {
  checkPublicValue,
  generateKeyPair,
  type Group,
  groupByName,
  groupOf,
  GROUPS,
  isProbablePrime,
  modExp,
  sharedSecret,
} from "../../lib/crypto/group.ts";
import { CURVES } from "../../lib/crypto/ecdh.ts";
import { multiplyAndAdd } from "../../lib/crypto/prime_curve.ts";
import { hash } from "../../lib/crypto/hash.ts";
import { configureLibcrypto } from "../../lib/crypto/libcrypto.ts";
import { nativeModExp } from "../../lib/crypto/libcrypto_octets.ts";
import type { Bytes } from "../../lib/octets/bytes.ts";
import { formatHex, parseHex } from "../../lib/octets/hex.ts";
import vectors from "../vectors/dh.json" with { type: "json" };

const ALL = Object.values(GROUPS) as Group[];
const of = (...kinds: string[]) => ALL.filter(({ kind }) => kinds.includes(kind));
const random = (octets: number): Bytes => crypto.getRandomValues(new Uint8Array(octets));
/** The same octets for the same seed. */
const counter = (seed: number) => (octets: number): Bytes => {
  let out = new Uint8Array(0);
  while (out.length < octets) out = new Uint8Array([...out, ...hash("sha256", Uint8Array.of(seed++))]);
  return out.slice(0, octets);
};

Deno.test("the MODP primes have their published hashes and values, and so do their last octets", () => {
  const table: Record<number, [bits: number, tail: string, sha256: string]> = {
    1: [768, "f44c42e9a63a3620", "b52ba6a3026520a6"],
    2: [1024, "49286651ece65381", "3f35a3f5f6c4376a"],
    5: [1536, "f1746c08ca237327", "64fcc83ec403930b"],
    14: [2048, "15728e5a8aacaa68", "d66436f79bbd6b2e"],
    15: [3072, "4b82d120a93ad2ca", "48cf8b092fbce435"],
    16: [4096, "4df435c934063199", "4ee95187682bcb23"],
    17: [6144, "e694f91e6dcc4024", "d1bfe6d0925ce7e4"],
    18: [8192, "60c980dd98edd3df", "39ab4feab950a312"],
  };
  assertEquals(of("modp").map(({ number }) => number), Object.keys(table).map(Number));
  for (const { number, bits, modp } of of("modp")) {
    const [size, tail, sha256] = table[number];
    const hex = formatHex(modp!.modulus);
    assertEquals([bits, hex.slice(-32), formatHex(hash("sha256", modp!.modulus)).slice(0, 16)], [
      size,
      tail + "f".repeat(16),
      sha256,
    ]);
    assertEquals(hex, vectors.modp.find(({ group }) => group === number)!.prime);
    assertEquals(modp!.generator, Uint8Array.of(2));
  }
});

Deno.test("every MODP vector: public values and shared secret", () => {
  assertEquals(vectors.modp.map(({ group }) => group), of("modp").map(({ number }) => number));
  for (const vector of vectors.modp) {
    const x = parseHex(vector.private_x), y = parseHex(vector.private_y), { modp } = groupOf(vector.group);
    assertEquals(formatHex(modExp(modp!.generator, x, modp!.modulus)), vector.public_x);
    assertEquals(formatHex(modExp(modp!.generator, y, modp!.modulus)), vector.public_y);
    assertEquals(formatHex(sharedSecret(vector.group, x, parseHex(vector.public_y))), vector.shared);
    assertEquals(formatHex(sharedSecret(vector.group, y, parseHex(vector.public_x))), vector.shared);
  }
});

Deno.test("every EC2N vector: public values, shared secret, with x | y and with x alone", () => {
  assertEquals(vectors.ec2n.map(({ group }) => group), of("ec2n").map(({ number }) => number));
  for (const vector of vectors.ec2n) {
    const curve = EC2N_CURVES[vector.group as 3 | 4];
    assert(isOnBinaryCurve(curve, curve.x, curve.y));
    assertEquals(multiplyBinaryPoint(curve, curve.generatorOrder, curve.x, curve.y), undefined);
    for (const [own, other] of [["a", "b"], ["b", "a"]] as const) {
      const point = multiplyBinaryPoint(curve, toBigInt(parseHex(vector[`private_${own}`])), curve.x, curve.y)!;
      assertEquals([point.x, point.y], [
        toBigInt(parseHex(vector[`public_${own}_x`])),
        toBigInt(parseHex(vector[`public_${own}_y`])),
      ]);
      const privateKey = parseHex(vector[`private_${own}`]);
      const x = vector[`public_${other}_x`], y = vector[`public_${other}_y`];
      assertEquals(formatHex(sharedSecret(vector.group, privateKey, parseHex(x + y))), vector.shared_x);
      assertEquals(formatHex(sharedSecret(vector.group, privateKey, parseHex(x))), vector.shared_x);
    }
  }
});

Deno.test("ECDH on P-256 has the values of RFC 5903 8.1", () => {
  const i = parseHex("c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433");
  const g_r = parseHex(
    "d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63" +
      "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab",
  );
  const g_i = "dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c3772581180" +
    "5271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3";
  assertEquals(formatHex(generateKeyPair(19, () => i).publicValue), g_i);
  assertEquals(
    formatHex(sharedSecret(19, i, g_r)),
    "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de",
  );
});

Deno.test("X25519 has the values of RFC 7748 6.1", () => {
  const alice = parseHex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
  const bob = parseHex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
  const alicePublic = "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a";
  const bobPublic = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f";
  const shared = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
  assertEquals(formatHex(generateKeyPair(31, () => alice).publicValue), alicePublic);
  assertEquals(formatHex(generateKeyPair(31, () => bob).publicValue), bobPublic);
  assertEquals(formatHex(sharedSecret(31, alice, parseHex(bobPublic))), shared);
  assertEquals(formatHex(sharedSecret(31, bob, parseHex(alicePublic))), shared);
});

Deno.test("both ends of every group get the same secret, of the lengths that the table tells", () => {
  for (const group of ALL) {
    const [a, b] = [generateKeyPair(group, random), generateKeyPair(group.number, random)];
    const secret = sharedSecret(group.number, a.privateKey, b.publicValue);
    assertEquals(secret, sharedSecret(group, b.privateKey, a.publicValue), group.name);
    assertEquals([a.publicValue.length, secret.length], [group.publicOctets, group.sharedOctets], group.name);
    assertNotEquals(a.privateKey, b.privateKey);
    assertEquals(groupByName(group.name.toLowerCase()), group);
    assertEquals(groupOf(group.number), group);
  }
});

Deno.test("ECDH by node:crypto is what point arithmetic of our own gives", () => {
  for (const number of [19, 20, 21] as const) {
    const { prime, fieldOctets } = CURVES[number];
    const [a, b] = [generateKeyPair(number, random), generateKeyPair(number, random)];
    const point = (value: Uint8Array) => ({
      x: toBigInt(value.subarray(0, fieldOctets)),
      y: toBigInt(value.subarray(fieldOctets)),
    });
    const d = toBigInt(a.privateKey);
    assertEquals(multiplyAndAdd(prime!, d, 0n, prime!.generator), point(a.publicValue).x);
    const x = multiplyAndAdd(prime!, 0n, d, point(b.publicValue))!;
    assertEquals(fromBigInt(x, fieldOctets), sharedSecret(number, a.privateKey, b.publicValue));
    assertEquals(multiplyAndAdd(prime!, prime!.order, 0n, prime!.generator), undefined);
    assertEquals(multiplyAndAdd(prime!, d, prime!.order - d, prime!.generator), undefined);
  }
});

Deno.test("the same randomness makes the same key pair, other randomness another", () => {
  for (const group of ALL) {
    const pair = generateKeyPair(group, counter(1));
    assertEquals(generateKeyPair(group, counter(1)), pair, group.name);
    assertNotEquals(generateKeyPair(group, counter(100)), pair, group.name);
  }
});

Deno.test("private MODP exponents have at least 256 bits, twice the strength of the modulus", () => {
  const bits = of("modp").map((group) => bitLength(generateKeyPair(group, random).privateKey));
  assertEquals(bits, [256, 256, 256, 256, 320, 384, 384, 448]);
  // Nobody vouches for a modulus of one's own.
  const { modp } = groupOf(14);
  assertEquals(bitLength(generateKeyPair({ ...modp! }, random).privateKey), 2040);
});

Deno.test("private keys out of range are drawn again", () => {
  for (const [number, top] of [[19, 0xff], [20, 0xff], [21, 0xff], [3, 0xff], [4, 0xff]]) {
    const octets = Math.ceil(groupOf(number).bits / 8);
    let draws = 0;
    const pair = generateKeyPair(number, (wanted) => {
      assertEquals(wanted, octets);
      draws++;
      assert(draws <= 3, "more than three draws");
      return draws === 1
        ? new Uint8Array(wanted)
        : new Uint8Array(wanted).fill(draws === 2 ? top : 1, draws === 2 ? 0 : wanted - 1);
    });
    assertEquals([draws, pair.privateKey[octets - 1]], [3, 1], `group ${number}`);
  }
});

Deno.test("MODP public values 0, 1, p-1, p, beyond p and of other lengths are refused", () => {
  for (const { number, name, modp, publicOctets } of of("modp")) {
    const p = toBigInt(modp!.modulus), privateKey = random(32);
    for (
      const [value, words] of [
        [0n, "it is 0"],
        [1n, "it is 1"],
        [p - 1n, "it is the modulus less 1"],
        [p, "it is not less than the modulus"],
        [p + 1n, "it is not less than the modulus"],
      ] as const
    ) {
      const publicValue = fromBigInt(value, publicOctets);
      assertThrows(() => sharedSecret(number, privateKey, publicValue), RangeError, `${name}: ${words}`);
    }
    checkPublicValue(number, fromBigInt(2n, publicOctets));
    checkPublicValue(number, fromBigInt(p - 2n, publicOctets));
    for (const length of [0, publicOctets - 1, publicOctets + 1]) {
      assertThrows(
        () => sharedSecret(number, privateKey, new Uint8Array(length).fill(5)),
        RangeError,
        `it has ${length} octets, ${publicOctets} are needed`,
      );
    }
  }
});

Deno.test("points off the curve, out of the field and at infinity are refused", () => {
  for (const group of of("ecp")) {
    const { privateKey, publicValue } = generateKeyPair(group, random);
    const octets = publicValue.length / 2;
    const off = publicValue.slice();
    off[publicValue.length - 1] ^= 1;
    for (const wrong of [off, new Uint8Array(2 * octets), publicValue.toReversed() as Bytes]) {
      assertThrows(() => sharedSecret(group, privateKey, wrong), RangeError, group.name);
    }
    const high = publicValue.slice().fill(0xff, 0, octets);
    assertThrows(() => sharedSecret(group, privateKey, high), RangeError, "not less than the field's prime");
    for (const length of [0, octets, 2 * octets - 1, 2 * octets + 1]) {
      assertThrows(() => sharedSecret(group, privateKey, new Uint8Array(length)), RangeError, "are needed");
    }
  }
});

Deno.test("EC2N points off the curve, out of the field, of small order and of other lengths are refused", () => {
  for (const group of of("ec2n")) {
    const { privateKey, publicValue } = generateKeyPair(group, random);
    const octets = group.sharedOctets;
    const refused = (value: Uint8Array, words: string) =>
      assertThrows(() => sharedSecret(group, privateKey, value), RangeError, words);
    const off = publicValue.slice();
    off[2 * octets - 1] ^= 1;
    refused(off, "the point is not on the curve");
    refused(new Uint8Array(2 * octets), "its x is 0");
    refused(new Uint8Array(octets), "its x is 0");
    refused(publicValue.slice().fill(0xff, 0, 1), "not in the field");
    refused(publicValue.subarray(1), `${octets} or ${2 * octets} are needed`);
    // Half of all x have no point: on average two tries find one.
    const x = publicValue.slice(0, octets);
    const without = Array.from({ length: 64 }, (_, i) => {
      const other = x.slice();
      other[octets - 1] ^= i;
      return other;
    }).filter((other) => {
      try {
        checkPublicValue(group, other);
        return false;
      } catch (error) {
        assert(error instanceof RangeError && error.message.includes("not on the curve"), String(error));
        return true;
      }
    });
    assert(without.length > 10 && without.length < 54, `${without.length} of 64 have no point`);
  }
});

Deno.test("EC2N points of small order are refused", () => {
  for (const number of [3, 4] as const) {
    const curve = EC2N_CURVES[number], octets = groupOf(number).sharedOctets;
    // The curve's order times anything is infinity, so that a point times the large prime factor has small order.
    const prime = number === 3
      ? 0xaaaaaaaaaaaaaaaaaab1fcf1e206f421a3ea1bn
      : 0x7ffffffffffffffffffffff6fcbe226dcf92105d7e53afn;
    let found = 0;
    for (let x = 2n; found < 3 && x < 200n; x++) {
      if (!hasBinaryPoint(curve, x)) continue;
      const small = multiplyBinaryPoint(curve, prime, x);
      if (!small || small.x === 0n) continue; // infinity, or the point of order 2, whose x is 0
      found++;
      assertThrows(
        () => sharedSecret(number, Uint8Array.of(5), fromBigInt(small.x, octets)),
        RangeError,
        "its order is small",
      );
    }
    assertEquals(found, 3);
  }
});

Deno.test("X25519 points of low order are refused (RFC 7748 6.1)", () => {
  const { privateKey } = generateKeyPair(31, random);
  const low = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  ];
  for (const u of low) assertThrows(() => sharedSecret(31, privateKey, parseHex(u)), RangeError, "its order is small");
  for (const length of [0, 31, 33, 64]) {
    assertThrows(() => sharedSecret(31, privateKey, new Uint8Array(length)), RangeError, "32 are needed");
  }
});

Deno.test("our own public value sent back is refused when it is given", () => {
  for (const group of ALL) {
    const { publicValue } = generateKeyPair(group, random);
    checkPublicValue(group, publicValue);
    checkPublicValue(group, publicValue, generateKeyPair(group, random).publicValue);
    assertThrows(() => checkPublicValue(group, publicValue, publicValue), RangeError, "it is our own, sent back");
  }
});

Deno.test("a generator and a modulus of one's own make a group", () => {
  const modulus = groupOf(1).modp!.modulus, parameters = { generator: Uint8Array.of(2), modulus };
  const [a, b] = [generateKeyPair(parameters, random), generateKeyPair(parameters, random)];
  const secret = sharedSecret(parameters, a.privateKey, b.publicValue);
  assertEquals(secret, sharedSecret(parameters, b.privateKey, a.publicValue));
  assertEquals(sharedSecret(1, a.privateKey, b.publicValue), secret);
  assertThrows(
    () => sharedSecret(parameters, a.privateKey, new Uint8Array(96)),
    RangeError,
    "768-bit modulus: it is 0",
  );
  // 3 is of order 5 modulo 11: a secret of 1 or of p-1 must not be accepted.
  const tiny = { generator: Uint8Array.of(3), modulus: Uint8Array.of(11) };
  assertThrows(() => sharedSecret(tiny, Uint8Array.of(5), Uint8Array.of(3)), RangeError, "its order is small");
});

Deno.test("unknown groups are refused with the known ones", () => {
  for (const number of [0, 6, 13, 22, 32, -1, NaN]) {
    assertThrows(() => generateKeyPair(number, random), RangeError, "known are 1, 2, 3, 4, 5, 14, 15");
  }
  assertEquals(groupByName("MODP_1"), undefined);
  assertEquals(ALL.filter(({ weak }) => weak).map(({ number }) => number), [1, 2, 3, 4]);
});

Deno.test("modular exponentiation is the same through libcrypto and through bigint", () => {
  const cases: [Bytes, Bytes, Bytes][] = [];
  for (const bits of [8, 64, 521, 1024, 2048]) {
    for (let i = 0; i < 10; i++) {
      const modulus = random(Math.ceil(bits / 8));
      modulus[modulus.length - 1] |= 1;
      modulus[0] |= 2;
      cases.push([
        random(modulus.length + i - 5 < 0 ? 1 : modulus.length + i - 5),
        random(i === 0 ? 0 : i * 5),
        modulus,
      ]);
    }
  }
  for (const [base, exponent, modulus] of cases) {
    const expected = modPow(toBigInt(base), toBigInt(exponent), toBigInt(modulus));
    assertEquals(toBigInt(nativeModExp(base, exponent, modulus)!), expected);
    assertEquals(modExp(base, exponent, modulus), fromBigInt(expected, modulus.length));
    const even = modulus.slice();
    even[even.length - 1] &= 0xfe;
    even[0] |= 2;
    assertEquals(toBigInt(modExp(base, exponent, even)), modPow(toBigInt(base), toBigInt(exponent), toBigInt(even)));
  }
  configureLibcrypto(false);
  try {
    const [base, exponent, modulus] = cases[cases.length - 1];
    assertEquals(nativeModExp(base, exponent, modulus), undefined);
    assertEquals(
      toBigInt(modExp(base, exponent, modulus)),
      modPow(toBigInt(base), toBigInt(exponent), toBigInt(modulus)),
    );
  } finally {
    configureLibcrypto(true);
  }
  for (const modulus of [new Uint8Array(0), Uint8Array.of(0, 0), Uint8Array.of(1)]) {
    assertThrows(() => modExp(Uint8Array.of(2), Uint8Array.of(2), modulus), RangeError, "modulus less than 2");
  }
});

Deno.test("modPow and modInverse agree with arithmetic by hand", () => {
  for (let modulus = 2n; modulus < 30n; modulus++) {
    for (let base = 0n; base < modulus; base++) {
      let power = 1n % modulus;
      for (let exponent = 0n; exponent < 20n; exponent++) {
        assertEquals(modPow(base, exponent, modulus), power);
        power = power * base % modulus;
      }
      const inverse = Array.from({ length: Number(modulus) }, (_, i) => BigInt(i)).find((i) =>
        i * base % modulus === 1n
      );
      if (inverse === undefined) assertThrows(() => modInverse(base, modulus), RangeError);
      else assertEquals(modInverse(base, modulus), inverse);
    }
  }
  assertEquals(modInverse(-1n, 7n), 6n);
});

Deno.test("numbers pass through octets", () => {
  assertEquals(fromBigInt(0n), new Uint8Array(0));
  assertEquals(fromBigInt(256n), Uint8Array.of(1, 0));
  assertEquals(fromBigInt(256n, 4), Uint8Array.of(0, 0, 1, 0));
  assertThrows(() => fromBigInt(256n, 1), RangeError, "Cannot put 2 octets into 1");
  assertEquals([toBigInt(new Uint8Array(0)), toBigInt(Uint8Array.of(0, 1, 2))], [0n, 258n]);
  assertEquals([[], [0, 0], [1], [0, 0x80], [3, 0]].map((list) => bitLength(Uint8Array.from(list))), [0, 0, 1, 8, 10]);
  assertEquals(scaledPi(64), 0x3243f6a8885a308d3n);
});

Deno.test("primes are told from composites, also from those that fool weak tests", () => {
  for (const number of [2n, 3n, 65537n, (1n << 521n) - 1n, toBigInt(groupOf(2).modp!.modulus)]) {
    assert(isProbablePrime(fromBigInt(number)), `${number}`);
  }
  // 1, squares, Carmichael numbers, a strong pseudoprime to the first twelve primes.
  const composites = [0n, 1n, 4n, 561n, 1729n, 3215031751n, 318665857834031151167461n, ((1n << 127n) - 1n) ** 2n];
  for (const number of composites) assert(!isProbablePrime(fromBigInt(number, 80)), `${number}`);
});
