import { assert, assertEquals, assertThrows } from "@std/assert";
import { generateKeyPairSync, sign, verify } from "node:crypto";
import { fromBigInt, toBigInt } from "../../lib/crypto/bignum.ts";
import { hash, type HashName } from "../../lib/crypto/hash.ts";
import {
  describeKey,
  dsaNumbers,
  dsaPublicKey,
  ecdsaHash,
  ecdsaOctets,
  ecPublicKey,
  encodePem,
  encodePublicKey,
  encodeRsaPublicKey,
  encodeTraditionalPrivateKey,
  generateRsaKey,
  KeyError,
  type KeyObject,
  parsePrivateKey,
  parsePublicKey,
  type PublicKey,
  publicKeyOf,
  rsaNumbers,
  rsaPublicKey,
  signatureFromDer,
  signatureToDer,
  signDsa,
  signEcdsa,
  signRsa,
  signRsaBare,
  verifyDsa,
  verifyEcdsa,
  verifyRsa,
  verifyRsaBare,
} from "../../lib/crypto/signature.ts";
import { concat } from "../../lib/octets/bytes.ts";
import { encodeDer, encodeOctetString, encodeOid, encodeSequence, encodeUnsigned } from "../../lib/octets/der.ts";
import { formatHex, parseHex } from "../../lib/octets/hex.ts";
import { DecodeError } from "../../lib/octets/reader.ts";
import vectors from "../vectors/crypto_keys.json" with { type: "json" };

const data = parseHex(vectors.data);

/** The signature scheme of a key, over the hash of data, with the signature as OpenSSL encodes it. */
function check(key: KeyObject | PublicKey, name: HashName, signature: Uint8Array): boolean {
  const value = hash(name, data);
  const { type } = describeKey(key);
  if (type === "rsa") return verifyRsa(key, name, data, signature);
  if (type === "ec") return verifyEcdsa(key, value, signatureFromDer(signature, ecdsaOctets(key)));
  return verifyDsa(key, value, signatureFromDer(signature, dsaNumbers(key).q.length));
}

function make(key: KeyObject, name: HashName): Uint8Array {
  const { type } = describeKey(key);
  if (type === "rsa") return signRsa(key, name, data);
  return signatureToDer(type === "ec" ? signEcdsa(key, hash(name, data)) : signDsa(key, name, hash(name, data)));
}

for (const vector of vectors.keys) {
  Deno.test(`${vector.name}: its signatures by OpenSSL verify, ours verify with node:crypto, changed ones do not`, () => {
    const key = parsePrivateKey(vector.privateKey), publicKey = parsePublicKey(vector.publicKey);
    assertEquals(describeKey(key), { type: vector.type as "rsa", bits: vector.bits });
    assertEquals(describeKey(publicKey), describeKey(key));
    assertEquals(encodePublicKey(key), encodePublicKey(publicKey));
    assertEquals(encodePublicKey(publicKeyOf(key)), encodePublicKey(publicKey));
    assertEquals(encodePublicKey(parsePrivateKey(encodeTraditionalPrivateKey(key))), encodePublicKey(key));
    for (const { hash: name, signature } of vector.signatures as { hash: HashName; signature: string }[]) {
      assert(check(publicKey, name, parseHex(signature)), `${name} by OpenSSL`);
      assert(check(key, name, parseHex(signature)), `${name} with the private key`);
      const own = make(key, name);
      assert(check(publicKey, name, own), `${name} by us`);
      if (vector.bits < 8192) assert(verify(name, data, vector.publicKey, own), `${name} by us, with node:crypto`);
      for (const at of [own.length - 1, own.length >> 1]) {
        const changed = own.slice();
        changed[at] ^= 1;
        assert(!check(publicKey, name, changed), `${name} changed at ${at}`);
      }
      const other: HashName = name === "sha1" ? "sha256" : "sha1";
      assert(!check(publicKey, other, own), `${name} taken for ${other}`);
    }
  });
}

Deno.test("RSA over a bare hash value is what OpenSSL makes, and IKE's check refuses a DigestInfo", () => {
  for (const vector of vectors.keys) {
    if (!vector.bare) continue;
    const key = parsePrivateKey(vector.privateKey), publicKey = parsePublicKey(vector.pkcs1PublicKey!);
    const value = hash("sha1", data);
    assertEquals(formatHex(signRsaBare(key, value)), vector.bare);
    assert(verifyRsaBare(publicKey, value, parseHex(vector.bare)));
    assert(!verifyRsaBare(publicKey, value.subarray(1), parseHex(vector.bare)));
    assert(!verifyRsaBare(publicKey, concat(value, new Uint8Array(1)), parseHex(vector.bare)));
    assert(!verifyRsaBare(publicKey, value, parseHex(vector.bare).subarray(1)));
    assert(!verifyRsaBare(publicKey, value, concat(new Uint8Array(1), parseHex(vector.bare))));
    assert(!verifyRsaBare(publicKey, value, signRsa(key, "sha1", data)));
    assert(!verifyRsa(publicKey, "sha1", data, parseHex(vector.bare)));
    assertEquals(formatHex(rsaNumbers(publicKey).modulus), vector.modulus!);
    assertEquals(encodePublicKey(rsaPublicKey(rsaNumbers(key))), encodePublicKey(publicKey));
    assertEquals(encodePem("RSA PUBLIC KEY", encodeRsaPublicKey(publicKey)), vector.pkcs1PublicKey);
  }
});

Deno.test("a signature plus the modulus, the same number to an exponentiation, is refused", () => {
  const key = generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey as KeyObject;
  const { modulus } = rsaNumbers(key);
  for (let i = 0, tried = 0; tried < 3; i++) {
    const value = hash("sha1", Uint8Array.of(i >> 8, i));
    const signature = signRsaBare(key, value);
    const sum = toBigInt(signature) + toBigInt(modulus);
    if (sum >> BigInt(8 * modulus.length)) continue;
    tried++;
    assert(verifyRsaBare(key, value, signature));
    assert(!verifyRsaBare(key, value, fromBigInt(sum, modulus.length)));
  }
});

Deno.test("a signature whose padding is short or followed by more is refused, though its exponent is 3", () => {
  // With e = 3 a cube whose first octets look right is easy to find, if what follows the hash is not looked at.
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 1024, publicExponent: 3 });
  const key = privateKey as KeyObject, value = hash("sha1", data);
  assert(verifyRsaBare(key, value, signRsaBare(key, value)));
  const cubeRoot = (n: bigint) => {
    let low = 0n, high = 1n << 512n;
    while (low < high) {
      const middle = (low + high) >> 1n;
      if (middle ** 3n < n) low = middle + 1n;
      else high = middle;
    }
    return low;
  };
  const wanted = concat(new Uint8Array([0, 1, ...Array(8).fill(0xff), 0]), value, new Uint8Array(128 - 11 - 20));
  const forged = parseHex(cubeRoot(BigInt("0x" + formatHex(wanted))).toString(16).padStart(256, "0"));
  assert(!verifyRsaBare(key, value, forged));
});

Deno.test("a 512-bit RSA signature verifies, and what does not fit is refused by name", () => {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 512 });
  const key = privateKey as KeyObject;
  assert(verifyRsaBare(key, hash("sha256", data), signRsaBare(key, hash("sha256", data))));
  assertThrows(
    () => signRsaBare(key, hash("sha512", data)),
    RangeError,
    "Cannot sign 64 octets with an RSA key of 512 bits",
  );
  assertEquals(describeKey(generateRsaKey(1024)), { type: "rsa", bits: 1024 });
  for (const bits of [512, 1023, 16384, NaN]) {
    assertThrows(() => generateRsaKey(bits), RangeError, "1024 to 8192 in steps of 8");
  }
});

Deno.test("public numbers that cost too much or cannot be a key's are refused", () => {
  const three = Uint8Array.of(3);
  for (
    const [modulus, exponent, words] of [
      [new Uint8Array(2049).fill(0xff), three, "16392 bits: 512 to 16384 are allowed"],
      [new Uint8Array(63).fill(0xff), three, "504 bits: 512 to 16384 are allowed"],
      [new Uint8Array(128).fill(0xff), new Uint8Array(9).fill(0xff), "its exponent has 72 bits"],
      [new Uint8Array(128).fill(0xfe), three, "must be odd"],
      [new Uint8Array(128).fill(0xff), Uint8Array.of(1), "must be odd and not 1"],
      [new Uint8Array(128).fill(0xff), new Uint8Array(0), "must be odd and not 1"],
    ] as const
  ) assertThrows(() => rsaPublicKey({ modulus, exponent }), KeyError, words);
  const { p, q, g, y } = dsaNumbers(parsePublicKey(vectors.keys.find(({ type }) => type === "dsa")!.publicKey));
  for (
    const wrong of [{ y: p }, { y: Uint8Array.of(1) }, { g: new Uint8Array(0) }, { q: Uint8Array.of(2) }, { p: q }]
  ) {
    assertThrows(() => dsaPublicKey({ p, q, g, y, ...wrong }), KeyError, "Cannot use DSA key");
  }
  assertThrows(() => ecPublicKey("1.2.840.10045.3.1.7", new Uint8Array(64)), KeyError, "not on the curve");
  assertThrows(() => ecPublicKey("1.3.132.0.10", new Uint8Array(64)), KeyError, "P-256, P-384, P-521 are known here");
});

Deno.test("ECDSA makes the signature of RFC 6979 A.2.5", () => {
  const d = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721";
  const inner = encodeSequence(encodeUnsigned(Uint8Array.of(1)), encodeOctetString(parseHex(d)));
  const key = parsePrivateKey(encodeSequence(
    encodeUnsigned(new Uint8Array(0)),
    encodeSequence(encodeOid("1.2.840.10045.2.1"), encodeOid("1.2.840.10045.3.1.7")),
    encodeOctetString(inner),
  ));
  assertEquals(ecdsaHash(key), "sha256");
  const value = hash("sha256", new TextEncoder().encode("sample"));
  assertEquals(
    formatHex(signEcdsa(key, value)),
    "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716" +
      "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
  );
});

Deno.test("ECDSA and DSA refuse r and s of 0, of the order, of another length", () => {
  for (const vector of vectors.keys) {
    if (vector.type === "rsa") continue;
    const key = parsePublicKey(vector.publicKey);
    const ec = vector.type === "ec";
    const octets = ec ? ecdsaOctets(key) : dsaNumbers(key).q.length;
    const run = ec ? verifyEcdsa : verifyDsa;
    const { hash: name, signature } = vector.signatures[0] as { hash: HashName; signature: string };
    const value = hash(name, data), good = signatureFromDer(parseHex(signature), octets);
    assert(run(key, value, good));
    for (const fill of [0, 0xff]) {
      assert(!run(key, value, concat(new Uint8Array(octets).fill(fill), good.subarray(octets))));
      assert(!run(key, value, concat(good.subarray(0, octets), new Uint8Array(octets).fill(fill))));
    }
    assert(!run(key, value, good.subarray(1)));
    assert(!run(key, value, concat(good, new Uint8Array(1))));
    assert(!run(key, value, new Uint8Array(0)));
    assertThrows(() => signatureFromDer(parseHex(signature).subarray(1), octets), DecodeError);
    assertThrows(() => signatureFromDer(parseHex(signature), octets - 1), DecodeError);
    assertEquals(signatureToDer(good), parseHex(signature));
  }
});

Deno.test("our ECDSA verifies what node:crypto signs with fresh keys", () => {
  for (const namedCurve of ["P-256", "P-384", "P-521"]) {
    for (let i = 0; i < 4; i++) {
      const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve });
      const key = publicKey as KeyObject, name = ecdsaHash(key);
      const message = new Uint8Array(i);
      const signature = new Uint8Array(sign(name, message, { key: privateKey, dsaEncoding: "ieee-p1363" }));
      assert(verifyEcdsa(key, hash(name, message), signature), `${namedCurve} ${i}`);
    }
  }
});

Deno.test("DSA keys pass through their numbers", () => {
  const key = parsePrivateKey(vectors.keys.find(({ name }) => name === "dsa_trad.pem")!.privateKey);
  const { p, q, g, y } = dsaNumbers(key);
  assertEquals([8 * p.length, 8 * q.length], [1024, 160]);
  assertEquals(encodePublicKey(dsaPublicKey({ p, q, g, y })), encodePublicKey(key));
  assertEquals(publicKeyOf(key), { kind: "dsa", p, q, g, y });
});

Deno.test("key files that cannot be used say why, and show nothing of the key", () => {
  for (const pem of vectors.encrypted) {
    assertThrows(() => parsePrivateKey(pem), KeyError, "it is encrypted");
  }
  const ofKind = (kind: Uint8Array) => encodeSequence(encodeUnsigned(new Uint8Array(0)), kind, encodeOctetString(rsa));
  const rsa = encodeTraditionalPrivateKey(parsePrivateKey(vectors.keys[0].privateKey));
  const pss = ofKind(encodeSequence(encodeOid("1.2.840.113549.1.1.10")));
  const words =
    'RSA, DSA and ECDSA keys are known here; "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 ';
  assertThrows(() => parsePrivateKey(vectors.ed25519), KeyError, `of type ed25519: ${words}`);
  assertThrows(() => parsePrivateKey(pss), KeyError, `of type rsa-pss: ${words}`);
  const brainpool = ofKind(encodeSequence(encodeOid("1.2.840.10045.2.1"), encodeOid("1.3.36.3.3.2.8.1.1.7")));
  assertThrows(() => parsePrivateKey(brainpool), KeyError, "on the curve 1.3.36.3.3.2.8.1.1.7: P-256, P-384, P-521");
  assertThrows(() => parsePrivateKey(""), KeyError, "no PEM block PRIVATE KEY");
  const [{ privateKey, publicKey }] = vectors.keys;
  assertThrows(() => parsePrivateKey(publicKey), KeyError, "only PUBLIC KEY");
  assertThrows(() => parsePublicKey(privateKey), KeyError, "only RSA PRIVATE KEY");
  const broken = privateKey.replace(/\n[A-Za-z0-9+/=]{64}\n/, "\n");
  const message = assertThrows(() => parsePrivateKey(broken), KeyError, "Cannot read private key").message;
  for (const line of privateKey.split("\n").slice(1, -2)) assert(!message.includes(line));
  for (const octets of [new Uint8Array([0x30]), encodeDer(0x30), encodeSequence(encodeSequence())]) {
    assertThrows(() => parsePrivateKey(octets), KeyError);
    assertThrows(() => parsePublicKey(octets), KeyError);
  }
  assertThrows(() => signEcdsa(parsePrivateKey(privateKey), data), KeyError, "one of type ec is needed");
  assertThrows(() => signDsa(parsePrivateKey(privateKey), "sha1", data), KeyError, "one of type dsa is needed");
  assertThrows(() => rsaNumbers(parsePrivateKey(vectors.keys[3].privateKey)), KeyError, "one of type rsa is needed");
});
