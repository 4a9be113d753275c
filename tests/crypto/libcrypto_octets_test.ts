import { assertEquals, assertThrows } from "@std/assert";
import { type CbcName, createCbc } from "../../lib/crypto/cipher.ts";
import { hash, HASHES, type HashName, hmac } from "../../lib/crypto/hash.ts";
import { configureLibcrypto } from "../../lib/crypto/libcrypto.ts";
import { NativeCbc, nativeHash, nativeHmac } from "../../lib/crypto/libcrypto_octets.ts";

/** What `work` gives without libcrypto. */
function withoutLibcrypto<T>(work: () => T): T {
  configureLibcrypto(false);
  try {
    assertEquals(nativeHash("md5", []), undefined);
    assertEquals(NativeCbc.create("AES-128-CBC", new Uint8Array(16)), undefined);
    return work();
  } finally {
    configureLibcrypto(true);
  }
}

const octets = (length: number, seed: number) => Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 7) >> 1 & 0xff);
const LENGTHS = [0, 1, 55, 56, 64, 111, 128, 1500, 65_535, 65_664, 200_000];

Deno.test("hashes and HMACs of every length are the same with libcrypto and without", () => {
  for (const name of Object.keys(HASHES) as HashName[]) {
    const all = () =>
      LENGTHS.flatMap((length) => {
        const parts = [octets(length >> 1, 1), octets(length - (length >> 1), 2)];
        return [hash(name, ...parts), ...[0, 20, 64, 128, 300].map((key) => hmac(name, octets(key, 3), ...parts))];
      });
    assertEquals(withoutLibcrypto(all), all(), name);
    assertEquals(nativeHash(name, [octets(65_000, 1)])?.length, HASHES[name].outputOctets);
    assertEquals(nativeHmac(name, octets(300, 1), [octets(65_000, 1)])?.length, HASHES[name].outputOctets);
  }
});

Deno.test("CBC messages of every length are the same with libcrypto and without", () => {
  const ciphers: [CbcName, number][] = [
    ["des-cbc", 8],
    ["3des-cbc", 24],
    ["aes-cbc", 16],
    ["aes-cbc", 24],
    ["aes-cbc", 32],
  ];
  for (const [name, keyOctets] of ciphers) {
    const key = octets(keyOctets, 5).map((octet, i) => octet ^ i << 4);
    const all = () => {
      using cbc = createCbc(name, key);
      const iv = octets(cbc.blockOctets, 9);
      return LENGTHS.map((length) => {
        const data = octets(length - length % 16, 4);
        const encrypted = cbc.encrypt(iv, data);
        assertEquals(cbc.decrypt(iv, encrypted), data);
        return encrypted;
      });
    };
    assertEquals(withoutLibcrypto(all), all(), `${name} ${keyOctets}`);
  }
  assertThrows(() => createCbc("aes-cbc", new Uint8Array(15)), RangeError);
});
