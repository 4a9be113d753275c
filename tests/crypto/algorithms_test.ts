import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  authenticatorByAhTransform,
  authenticatorByAttribute,
  authenticatorByName,
  authenticatorByPfkey,
  AUTHENTICATORS,
  checkKey,
  cipherByEspTransform,
  cipherByIke,
  cipherByName,
  cipherByPfkey,
  ESP_CIPHERS,
  forKeyLength,
  hashByIke,
  keyLengthsText,
  keymatOctets,
} from "../../lib/crypto/algorithms.ts";
import { HASHES } from "../../lib/crypto/hash.ts";
import { parseHex } from "../../lib/octets/hex.ts";

Deno.test("ciphers have the numbers of PF_KEY, RFC 2407 and RFC 2409", () => {
  const numbers = ESP_CIPHERS.map(({ name, pfkey, espTransform, ikeCipher }) => [name, pfkey, espTransform, ikeCipher]);
  assertEquals(numbers, [
    ["des", 2, 2, 1],
    ["3des", 3, 3, 5],
    ["blf", 7, 7, 3],
    ["cast", 6, 6, 6],
    ["skipjack", 249, undefined, undefined],
    ["aes", 12, 12, 7],
    ["aesctr", 13, 13, undefined],
    ["aes-gcm", 20, 20, undefined],
    ["aes-gmac", 21, 23, undefined],
    ["chacha20-poly1305", 22, undefined, undefined],
    ["null", 11, 11, undefined],
  ]);
});

Deno.test("authenticators have the numbers of PF_KEY, RFC 2407 and RFC 2409", () => {
  const gmac = (first: number) => ({ 16: first, 24: first + 1, 32: first + 2 });
  const numbers = AUTHENTICATORS.map((row) => [row.name, row.pfkey, row.ahTransform, row.authentication, row.ikeHash]);
  assertEquals(numbers, [
    ["md5", 2, 2, 1, 1],
    ["sha1", 3, 3, 2, 2],
    ["rmd160", 8, 8, 8, undefined],
    ["sha2-256", 5, 5, 5, 4],
    ["sha2-384", 6, 6, 6, 5],
    ["sha2-512", 7, 7, 7, 6],
    ["aes-xcbc", 251, 9, 9, undefined],
    ["aes-gmac", gmac(9), gmac(11), gmac(11), undefined],
    ["keyed-md5", 249, 2, 4, undefined],
    ["keyed-sha1", 250, 3, 4, undefined],
  ]);
});

Deno.test("every lookup finds every row by what the row says", () => {
  for (const row of ESP_CIPHERS) {
    for (const name of [row.name, row.name.toUpperCase(), ...row.aliases]) assertEquals(cipherByName(name), row);
    assertEquals(cipherByPfkey(row.pfkey as number), row);
    if (row.espTransform) assertEquals(cipherByEspTransform(row.espTransform), row);
    if (row.ikeCipher) assertEquals(cipherByIke(row.ikeCipher), row);
  }
  for (const row of AUTHENTICATORS) {
    for (const name of [row.name, row.name.toUpperCase(), ...row.aliases]) assertEquals(authenticatorByName(name), row);
    for (const keyOctets of [16, 24, 32]) {
      const [pfkey, transform, attribute] = [row.pfkey, row.ahTransform, row.authentication].map((number) =>
        forKeyLength(number, keyOctets)!
      );
      assertEquals(authenticatorByPfkey(pfkey), row);
      assertEquals(authenticatorByAttribute(attribute, transform), row);
      if (!row.name.startsWith("keyed-")) assertEquals(authenticatorByAhTransform(transform), row);
    }
    if (row.ikeHash) assertEquals(hashByIke(row.ikeHash), row);
  }
  for (const none of ["", "des4", "__proto__"]) {
    assertEquals([cipherByName(none), authenticatorByName(none)], [undefined, undefined]);
  }
  for (const none of [0, 4, 99, NaN]) {
    assertEquals([cipherByPfkey(none), cipherByEspTransform(none), hashByIke(none || 99)], [
      undefined,
      undefined,
      none === 4 ? hashByIke(4) : undefined,
    ]);
  }
});

Deno.test("no name or alias means two things, and no two rows share a name of isakmpd.conf", () => {
  for (const rows of [ESP_CIPHERS, AUTHENTICATORS]) {
    const words = rows.flatMap((row) => [row.name, ...row.aliases]);
    assertEquals(new Set(words).size, words.length);
    const suites = rows.flatMap((row) => row.suiteName ?? []);
    assertEquals(new Set(suites).size, suites.length);
    assertEquals(new Set(rows.map((row) => row.kernelName)).size, rows.length);
  }
});

Deno.test("old AH means the keyed forms by md5 and sha1, and nothing new by the others", () => {
  assertEquals(authenticatorByName("md5", true)?.name, "keyed-md5");
  assertEquals(authenticatorByName("sha1", true)?.name, "keyed-sha1");
  assertEquals(authenticatorByName("rmd160", true)?.uses.includes("old ah"), false);
  for (const row of AUTHENTICATORS) assertEquals(row.uses.includes("old ah"), row.name.startsWith("keyed-"));
});

Deno.test("the RFC 1829 numbers of PF_KEY are DES", () => {
  assertEquals([cipherByPfkey(1)?.name, cipherByPfkey(9)?.name], ["des", "des"]);
});

Deno.test("lengths agree with the RFCs: ICV of half a SHA-2, 96 bits of the older ones, KEYMAT with salt", () => {
  for (const row of AUTHENTICATORS) {
    if (!row.hash) continue;
    const { outputOctets } = HASHES[row.hash];
    if (row.name.startsWith("keyed")) assertEquals(row.icvOctets, outputOctets, row.name);
    else {
      assertEquals(row.icvOctets, row.name.startsWith("sha2") ? outputOctets / 2 : 12, row.name);
      assertEquals(row.key.max, outputOctets, row.name);
    }
  }
  const keymat = (name: string, octets?: number) => keymatOctets(cipherByName(name)!, octets);
  assertEquals([keymat("aes-gcm"), keymat("aes-gcm", 32), keymat("aesctr", 24), keymat("3des")], [20, 36, 28, 24]);
  assertEquals([keymat("chacha20-poly1305"), keymat("null"), keymat("blf", 16)], [36, 0, 16]);
});

Deno.test("allowed key lengths read as words", () => {
  const text = (name: string) => keyLengthsText(cipherByName(name)!);
  assertEquals(["3des", "aes", "aes-gcm", "blf", "null"].map(text), [
    "24",
    "16, 24 or 32",
    "20, 28 or 36",
    "5 to 56",
    "0",
  ]);
});

Deno.test("a key of a wrong length is refused with both lengths and without the key", () => {
  const refused = (name: string, octets: number) =>
    assertThrows(() => checkKey(cipherByName(name)!, new Uint8Array(octets).fill(0xab)), RangeError).message;
  assertEquals(refused("3des", 23), "Cannot use key of 23 octets for 3des: 24 octets are allowed");
  assertEquals(refused("aes", 20), "Cannot use key of 20 octets for aes: 16, 24 or 32 octets are allowed");
  assertEquals(
    refused("aes-gcm", 16),
    "Cannot use key of 16 octets for aes-gcm: 20, 28 or 36 octets are allowed (the last 4 are the salt)",
  );
  assertEquals(refused("blf", 57), "Cannot use key of 57 octets for blf: 5 to 56 octets are allowed");
  for (const row of [...ESP_CIPHERS, ...AUTHENTICATORS]) {
    const key = Uint8Array.from({ length: row.key.recommended + row.saltOctets }, (_, i) => i * 29 + 3);
    checkKey(row, key);
    assertThrows(() => checkKey(row, new Uint8Array(row.key.max + row.saltOctets + 1)), RangeError, row.name);
    if (row.key.min) assertThrows(() => checkKey(row, key.subarray(0, row.key.min + row.saltOctets - 1)), RangeError);
  }
});

Deno.test("weak and semi-weak DES keys are refused with any parity, others are not", () => {
  const des = cipherByName("des")!;
  const weak =
    "0101010101010101 fefefefefefefefe 1f1f1f1f0e0e0e0e e0e0e0e0f1f1f1f1 01fe01fe01fe01fe fe01fe01fe01fe01 " +
    "1fe01fe00ef10ef1 e01fe01ff10ef10e 01e001e001f101f1 e001e001f101f101 1ffe1ffe0efe0efe fe1ffe1ffe0efe0e " +
    "011f011f010e010e 1f011f010e010e01 e0fee0fef1fef1fe fee0fee0fef1fef1";
  for (const hex of weak.split(" ")) {
    const key = parseHex(hex);
    for (const parity of [0, 1, 0xff]) {
      const variant = key.map((octet, i) => octet ^ (parity === 0xff ? i & 1 : parity));
      assertThrows(() => checkKey(des, variant), RangeError, "weak and semi-weak DES keys");
    }
    const other = key.slice();
    other[3] ^= 0x10;
    checkKey(des, other);
  }
});

Deno.test("3DES keys whose first two or last two parts are the same are refused, first and last may be", () => {
  const row = cipherByName("3des")!;
  const [a, b] = ["0123456789abcdef", "23456789abcdef01"], aOtherParity = "0022446688aaccee";
  checkKey(row, parseHex(a + b + a));
  checkKey(row, parseHex(a + b + "456789abcdef0123"));
  assertThrows(() => checkKey(row, parseHex(a + a + b)), RangeError, "its first and second part are the same");
  assertThrows(() => checkKey(row, parseHex(b + a + a)), RangeError, "its second and third part are the same");
  assertThrows(() => checkKey(row, parseHex(aOtherParity + a + b)), RangeError, "its first and second part");
});

Deno.test("weak algorithms say why", () => {
  const weak = [...ESP_CIPHERS, ...AUTHENTICATORS].filter((row) => row.weak);
  assertEquals(weak.map((row) => row.name), ["des", "skipjack", "md5", "keyed-md5", "keyed-sha1"]);
  for (const row of weak) assert(row.weak!.length > 20);
});
