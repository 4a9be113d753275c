import { assertEquals } from "@std/assert";
import { hash, HASHES, type HashName, hmac } from "../../lib/crypto/hash.ts";
import { filledKey } from "../../lib/crypto/keyed.ts";
import { concat, encodeText } from "../../lib/octets/bytes.ts";
import { formatHex, parseHex } from "../../lib/octets/hex.ts";
import vectors from "../vectors/crypto.json" with { type: "json" };

/** FIPS 180 and RFC 1321 examples: the hash of "abc". */
const ABC: Record<HashName, string> = {
  md5: "900150983cd24fb0d6963f7d28e17f72",
  sha1: "a9993e364706816aba3e25717850c26c9cd0d89d",
  sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  sha384: "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
  sha512: "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" +
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
  ripemd160: "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc",
};

Deno.test("every hash has its published value and the lengths of the table", () => {
  for (const [name, { outputOctets }] of Object.entries(HASHES) as [HashName, typeof HASHES["md5"]][]) {
    assertEquals(formatHex(hash(name, encodeText("abc"))), ABC[name]);
    assertEquals(hash(name, encodeText("a"), new Uint8Array(0), encodeText("bc")), hash(name, encodeText("abc")));
    assertEquals(hash(name).length, outputOctets);
  }
});

Deno.test("HMAC has its published values, also under keys longer than a block", () => {
  const names = new Set<string>();
  for (const vector of vectors.hmacAnyKey) {
    const data = parseHex(vector.data), name = vector.hash as HashName;
    assertEquals(formatHex(hmac(name, parseHex(vector.key), data)), vector.mac, vector.source);
    assertEquals(formatHex(hmac(name, parseHex(vector.key), data.subarray(0, 3), data.subarray(3))), vector.mac);
    names.add(name);
  }
  assertEquals([...names].sort(), Object.keys(HASHES).sort());
});

Deno.test("HMAC is the construction of RFC 2104 over the table's block length", () => {
  const data = encodeText("data");
  for (const [name, { blockOctets }] of Object.entries(HASHES) as [HashName, typeof HASHES["md5"]][]) {
    for (const keyOctets of [0, 1, blockOctets - 1, blockOctets, blockOctets + 1]) {
      const key = new Uint8Array(keyOctets).fill(7);
      const block = new Uint8Array(blockOctets);
      block.set(keyOctets > blockOctets ? hash(name, key) : key);
      const inner = hash(name, block.map((octet) => octet ^ 0x36), data);
      assertEquals(hmac(name, key, data), hash(name, block.map((octet) => octet ^ 0x5c), inner));
    }
  }
});

Deno.test("the fill of a keyed hash is the padding that the hash gives the key (RFC 1828 2)", () => {
  for (const keyOctets of [1, 16, 55, 56, 63, 64, 119, 120]) {
    const key = new Uint8Array(keyOctets).fill(9);
    for (const name of ["md5", "sha1"] as const) {
      const filled = filledKey(name, key);
      assertEquals(filled.length % 64, 0);
      assertEquals(filled.subarray(0, keyOctets), key);
      assertEquals(filled.length, 64 * Math.ceil((keyOctets + 9) / 64));
      assertEquals(filled[keyOctets], 0x80);
    }
  }
  const bits = "8000000000000000";
  assertEquals(formatHex(filledKey("md5", new Uint8Array(16)).subarray(56)), bits);
  assertEquals(formatHex(filledKey("sha1", new Uint8Array(16)).subarray(56)), "0000000000000080");
  assertEquals(
    filledKey("md5", new Uint8Array(16)),
    concat(new Uint8Array(16), Uint8Array.of(0x80), new Uint8Array(39), parseHex(bits)),
  );
});
