import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { isWeakDesKey } from "../../lib/crypto/algorithms.ts";
import { hash } from "../../lib/crypto/hash.ts";
import { concat, encodeText } from "../../lib/octets/bytes.ts";
import { formatHex, parseHex } from "../../lib/octets/hex.ts";
import { isDiscardedDesKey } from "../../lib/photuris/des_weak.ts";
import { hashFill, ipmac, keyGeneration, privacyKeys, sessionKeys, sharedSecret } from "../../lib/photuris/keys.ts";
import { hide, reveal } from "../../lib/photuris/privacy.ts";
import {
  chosenScheme,
  decodeSchemes,
  encodeSchemes,
  exchangeValueFault,
  exponentBits,
  groupsFor,
  pickScheme,
  schemeOf,
  SCHEMES,
} from "../../lib/photuris/schemes.ts";
import { offer, power, SMALL_PRIMES, toBigInt } from "./host.ts";

Deno.test("A fill is what the hash itself appends, so that hash(key, fill) continued equals a running hash", () => {
  assertEquals(formatHex(hashFill("md5", 16)), `80${"00".repeat(39)}8000000000000000`);
  assertEquals(formatHex(hashFill("sha1", 20)), `80${"00".repeat(35)}00000000000000a0`);
  for (const octets of [0, 1, 54, 55, 56, 63, 64, 65, 119, 120]) {
    const fill = hashFill("ripemd160", octets);
    assertEquals((octets + fill.length) % 64, 0);
    assert(fill.length >= 9 && fill.length <= 72);
  }
});

Deno.test("IPMAC is H(key, keyfill, data, datafill, key) with counts that go on", () => {
  const [key, data] = [encodeText("0123456789abcdef"), encodeText("data")];
  const keyfill = hashFill("md5", 16);
  const datafill = hashFill("md5", 64 + data.length);
  assertEquals(ipmac("md5", key, data), hash("md5", concat(key, keyfill, data, datafill, key)));
});

Deno.test("Digests repeat the shared-secret once more each time, and the rest of a digest is thrown away", () => {
  const [prefix, shared] = [encodeText("prefix"), encodeText("secret")];
  const next = keyGeneration("sha1", prefix, shared);
  for (const times of [1, 2, 3]) {
    assertEquals(next(), hash("sha1", prefix, ...Array.from({ length: times }, () => shared)));
  }
  const [first, second] = sessionKeys("md5", prefix, new Uint8Array(), new Uint8Array(), new Uint8Array(), shared, [
    { octets: 20, isDes: false },
    { octets: 4, isDes: false },
  ]);
  const digest = (times: number) => hash("md5", prefix, ...Array.from({ length: times }, () => shared));
  assertEquals(first, concat(digest(1), digest(2)).slice(0, 20));
  assertEquals(second, digest(3).slice(0, 4));
});

Deno.test("The shared-secret is hashed without leading zeros", () => {
  assertEquals(sharedSecret(parseHex("0000123400")), parseHex("123400"));
});

Deno.test("64 DES keys are discarded, whatever their parity: weak, semi-weak and possibly weak ones", () => {
  const parity = (hex: string) => parseHex(hex);
  for (
    const hex of [
      "0101010101010101", // weak
      "fefefefefefefefe",
      "1f1f1f1f0e0e0e0e",
      "e0e0e0e0f1f1f1f1",
      "01fe01fe01fe01fe", // semi-weak
      "e01fe01ff10ef10e",
      "1f1f01010e0e0101", // possibly weak
      "011f1f01010e0e01",
      "e00101e0f10101f1",
      "fee0e0fefef1f1fe",
    ]
  ) {
    assert(isDiscardedDesKey(parity(hex)), hex);
    assert(isDiscardedDesKey(parity(hex).map((octet) => octet ^ 1)), hex);
  }
  let found = 0;
  const halves = ["01", "1f", "e0", "fe"];
  // All keys made of octets whose bits 1 to 3 and 5 to 7 are alike: the weak ones are among them.
  const lower: Record<string, string> = { "01": "01", "1f": "0e", "e0": "f1", "fe": "fe" };
  for (let at = 0; at < 256; at++) {
    const four = [at & 3, at >> 2 & 3, at >> 4 & 3, at >> 6].map((two) => halves[two]);
    const key = parseHex(four.join("") + four.map((octet) => lower[octet]).join(""));
    if (isDiscardedDesKey(key)) found++;
    else assert(!isWeakDesKey(key), formatHex(key));
  }
  assertEquals(found, 64);
});

Deno.test("Privacy keys: a mask as long as the message, then DES keys that differ", () => {
  const header = new Uint8Array(40);
  for (const desKeys of [0, 1, 3] as const) {
    const keys = privacyKeys("md5", encodeText("a"), encodeText("b"), header, encodeText("s"), 100, desKeys);
    assertEquals([keys.mask.length, keys.desKeys.length], [100, desKeys]);
    assertEquals(new Set(keys.desKeys.map(formatHex)).size, desKeys);
  }
});

for (const scheme of SCHEMES) {
  Deno.test(`${scheme.name}: what is hidden is revealed by the same context and by no other`, () => {
    const context = {
      scheme,
      senderExchangeValue: encodeText("sender"),
      receiverExchangeValue: encodeText("receiver"),
      shared: encodeText("shared"),
    };
    const header = new Uint8Array(40).fill(7);
    const plaintext = new Uint8Array(88).map((_, at) => at);
    const before = plaintext.slice();
    const hidden = hide(context, header, plaintext);
    assertEquals(plaintext, before);
    assertNotEquals(hidden, plaintext);
    assertEquals(reveal(context, header, hidden), plaintext);
    assertNotEquals(reveal({ ...context, shared: encodeText("other") }, header, hidden), plaintext);
    assertNotEquals(reveal(context, header.with(39, 8), hidden), plaintext);
    if (scheme.privacy !== "mask") assertEquals(reveal(context, header, hidden.subarray(1)), undefined);
  });
}

Deno.test("Offered-Schemes encode and decode, variable generators and unknown schemes included", () => {
  const offers = [offer(8), offer(2, SMALL_PRIMES[64]), offer(7, SMALL_PRIMES[96])];
  const octets = encodeSchemes(offers);
  assertEquals(decodeSchemes(octets), offers);
  // 4 of Size 0, 2 with 64 bits, 7 with two nested values of 4 and 96 bits
  assertEquals(formatHex(octets.subarray(0, 8)), "0008000000020040");
  assertEquals(formatHex(octets.subarray(16, 25)), "000700880004" + "0b" + "0060");
  assertEquals(decodeSchemes(parseHex("0100000812")), [{ scheme: 256 }]);
  assertThrows(() => decodeSchemes(parseHex("00020040ff")), Error, "needs 8 octets");
});

Deno.test("An element of Size 0 means the groups of the schemes that it refers to", () => {
  const offers = [offer(8), offer(4), offer(2, SMALL_PRIMES[64]), offer(2, SMALL_PRIMES[128])];
  assertEquals(groupsFor(offers, 8).map(({ modulus }) => modulus.length), [8, 16]);
  assertEquals(groupsFor([offer(8)], 8), []);
  assertEquals(groupsFor([offer(8), offer(3, SMALL_PRIMES[64])], 8), []);
});

Deno.test("The initiator picks the first of its own schemes that is offered, and never a smaller group than its own", () => {
  const small = offer(2, SMALL_PRIMES[64]), large = offer(2, SMALL_PRIMES[128]);
  const pick = (ours: ReturnType<typeof offer>[], theirs: ReturnType<typeof offer>[]) => {
    const chosen = pickScheme(ours, theirs);
    return chosen && `${chosen.scheme.name} ${8 * chosen.group.modulus.length}`;
  };
  assertEquals(pick([offer(8), small], [large, offer(8), small]), "DH_G_2_3DES_SHA1 128");
  assertEquals(pick([small, offer(8)], [large, offer(8), small]), "DH_G_2_MD5 64");
  assertEquals(pick([offer(8), large], [small, offer(8)]), undefined);
  assertEquals(pick([offer(4), small], [offer(8), small]), "DH_G_2_MD5 64");
  assertEquals(pick([offer(3, SMALL_PRIMES[64])], [small]), undefined);
});

Deno.test("The Size of the exchange value tells the responder which group was chosen", () => {
  const offers = [offer(8), offer(2, SMALL_PRIMES[64]), offer(2, SMALL_PRIMES[128])];
  assertEquals(chosenScheme(offers, 8, 128)?.group.modulus, SMALL_PRIMES[128]);
  assertEquals(chosenScheme(offers, 2, 64)?.group.modulus, SMALL_PRIMES[64]);
  assertEquals([chosenScheme(offers, 8, 96), chosenScheme(offers, 4, 64), chosenScheme(offers, 99, 64)], [
    undefined,
    undefined,
    undefined,
  ]);
});

Deno.test("Exchange values that tell too much are refused: short ones, p-1, and those not below p", () => {
  const { group } = offer(2, SMALL_PRIMES[64]);
  const value = (number: bigint) => parseHex(number.toString(16).padStart(16, "0"));
  const p = toBigInt(SMALL_PRIMES[64]);
  assertEquals(exchangeValueFault(value(power(2n, 0x1234567n, p)), 64, group!), undefined);
  for (const bad of [0n, 1n, 2n, 2n ** 32n - 1n]) {
    assert(exchangeValueFault(value(bad), 64, group!)?.includes("significant"));
  }
  assertEquals(exchangeValueFault(value(p - 1n), 64, group!), "it is p-1");
  assertEquals(exchangeValueFault(value(p), 64, group!), "it is not smaller than the modulus");
  assertEquals(exchangeValueFault(value(p - 2n), 63, group!), "its Size is 63, the modulus has 64 bits");
});

Deno.test("Exponents have at least twice the bits of every strength that is asked for", () => {
  for (const scheme of SCHEMES) {
    assert(exponentBits(offer(2, new Uint8Array(64).fill(255)).group!) >= 2 * scheme.strengthBits);
  }
  assertEquals(exponentBits(offer(2, new Uint8Array(1024).fill(255)).group!), 512);
  assertEquals(schemeOf(9), undefined);
});
