import { assert, assertEquals, assertThrows } from "@std/assert";
import { AUTHENTICATORS, ESP_CIPHERS } from "../../lib/crypto/algorithms.ts";
import { createLibcrypto } from "../../lib/crypto/libcrypto.ts";
import { addressOf } from "../../lib/ffi/address.ts";
import { createNodeCrypto } from "../../lib/crypto/node.ts";
import type { PacketCrypto } from "../../lib/crypto/packet.ts";
import { type Arena, createArena } from "../../lib/octets/arena.ts";
import { formatHex, parseHex } from "../../lib/octets/hex.ts";
import vectors from "../vectors/crypto.json" with { type: "json" };

const arena: Arena = createArena(1 << 18, addressOf);
const BACKENDS: PacketCrypto[] = [createNodeCrypto(arena), createLibcrypto(arena)];
const at = arena.reserve(1 << 17);
const NONCE = at + 16, AAD = at + 64, DATA = at + 4097, TAG = at + 80_001; // odd on purpose

const put = (where: number, hex: string) => {
  const octets = parseHex(hex);
  arena.u8.set(octets, where);
  return octets.length;
};
const read = (where: number, octets: number) => formatHex(arena.u8.subarray(where, where + octets));

for (const backend of BACKENDS) {
  Deno.test(`${backend.name}: every published AEAD vector seals and opens`, () => {
    for (const vector of vectors.aead) {
      using aead = backend.aead(vector.algorithm as "aes-gcm", parseHex(vector.key));
      for (let round = 0; round < 2; round++) { // the second use of a context must not differ
        put(NONCE, vector.nonce);
        const aadOctets = put(AAD, vector.aad), dataOctets = put(DATA, vector.plaintext);
        aead.seal(NONCE, AAD, aadOctets, DATA, dataOctets, TAG);
        assertEquals(read(DATA, dataOctets), vector.ciphertext, vector.source);
        assertEquals(read(TAG, 16), vector.tag, vector.source);
        assert(aead.open(NONCE, AAD, aadOctets, DATA, dataOctets, TAG), vector.source);
        assertEquals(read(DATA, dataOctets), vector.plaintext, vector.source);
      }
    }
  });

  Deno.test(`${backend.name}: every published cipher vector encrypts and decrypts`, () => {
    for (const vector of vectors.cipher) {
      using cipher = backend.cipher(vector.algorithm as "aes-cbc", parseHex(vector.key));
      for (let round = 0; round < 2; round++) {
        put(NONCE, vector.iv);
        const octets = put(DATA, vector.plaintext);
        cipher.encrypt(NONCE, DATA, octets);
        assertEquals(read(DATA, octets), vector.ciphertext, vector.source);
        cipher.decrypt(NONCE, DATA, octets);
        assertEquals(read(DATA, octets), vector.plaintext, vector.source);
      }
    }
  });

  Deno.test(`${backend.name}: every published MAC vector, whole and in pieces`, () => {
    for (const vector of vectors.mac) {
      using mac = backend.mac(vector.algorithm as "hmac-md5", parseHex(vector.key));
      const octets = put(DATA, vector.data);
      assertEquals(mac.octets, vector.mac.length / 2);
      for (let cut = 0; cut <= octets; cut++) {
        mac.compute(DATA, octets, TAG);
        assertEquals(read(TAG, mac.octets), vector.mac, vector.source);
        mac.begin();
        mac.update(DATA, cut);
        mac.update(DATA + cut, octets - cut);
        mac.finish(TAG);
        assertEquals(read(TAG, mac.octets), vector.mac, `${vector.source}, cut at ${cut}`);
      }
    }
  });
}
