import { assert, assertEquals, assertThrows } from "@std/assert";
import { AUTHENTICATORS, ESP_CIPHERS, givenIvOctets } from "../../lib/crypto/algorithms.ts";
import type { KeyLengths } from "../../lib/crypto/algorithms.ts";
import { choosePacketCrypto, createLibcrypto } from "../../lib/crypto/libcrypto.ts";
import { createNodeCrypto } from "../../lib/crypto/node.ts";
import type { AeadName, MacName, PacketCipherName, PacketCrypto } from "../../lib/crypto/packet.ts";
import { addressOf } from "../../lib/ffi/address.ts";
import { createArena } from "../../lib/octets/arena.ts";
import { formatHex, parseHex } from "../../lib/octets/hex.ts";
import vectors from "../vectors/crypto.json" with { type: "json" };

const arena = createArena(1 << 18, addressOf);
const BACKENDS: PacketCrypto[] = [createNodeCrypto(arena), createLibcrypto(arena)];
const [node, native] = BACKENDS;
const at = arena.reserve(1 << 17);
const NONCE = at + 17, AAD = at + 99, DATA = at + 4097, TAG = at + 120_001; // odd on purpose

const put = (where: number, hex: string) => {
  const octets = parseHex(hex);
  arena.u8.set(octets, where);
  return octets.length;
};
const read = (where: number, octets: number) => formatHex(arena.u8.subarray(where, where + octets));

// A small deterministic generator, so that a failure can be repeated.
let seed = 0x2545f491;
function below(limit: number): number {
  seed ^= seed << 13;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  return (seed >>> 0) % limit;
}
const octets = (length: number) => Uint8Array.from({ length }, () => below(256));
function lengths({ min, max, step }: KeyLengths): number[] {
  const all = Array.from({ length: (max - min) / step + 1 }, (_, i) => min + i * step);
  return all.length > 60 ? [...all.slice(0, 30), 55, 56, 64, 119, 120, 128, max] : all;
}
/** Lengths around the edges of blocks, and some long ones. */
const someLengths = (unit: number) =>
  [0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 88, 89, 127, 128, 129, 200, 511, below(3000), below(60_000)].map((n) =>
    n * unit
  )
    .filter((n) => n < 100_000);

for (const backend of BACKENDS) {
  Deno.test(`${backend.name}: every published AEAD vector seals and opens`, () => {
    for (const vector of vectors.aead) {
      using aead = backend.aead(vector.algorithm as AeadName, parseHex(vector.key));
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
      using cipher = backend.cipher(vector.algorithm as PacketCipherName, parseHex(vector.key));
      for (let round = 0; round < 2; round++) {
        put(NONCE, vector.iv);
        const length = put(DATA, vector.plaintext);
        cipher.encrypt(NONCE, DATA, length);
        assertEquals(read(DATA, length), vector.ciphertext, vector.source);
        cipher.decrypt(NONCE, DATA, length);
        assertEquals(read(DATA, length), vector.plaintext, vector.source);
      }
    }
  });

  Deno.test(`${backend.name}: a fresh IV is written, is another each time, and decrypts, wherever it lies`, () => {
    for (const row of ESP_CIPHERS) {
      if (!row.cipher) continue;
      const ivOctets = givenIvOctets(row);
      const key = octets(row.key.recommended);
      using writer = backend.cipher(row.cipher, key);
      using reader = backend.cipher(row.cipher, key);
      using given = backend.cipher(row.cipher, key);
      const seen = new Set<string>();
      for (const ivAt of [DATA - ivOctets, NONCE, DATA - ivOctets, NONCE]) {
        for (const length of [16, 48, 1408]) {
          const plain = octets(length);
          arena.u8.fill(0, ivAt, ivAt + ivOctets);
          arena.u8.set(plain, DATA);
          writer.encryptFresh(ivAt, DATA, length);
          const iv = read(ivAt, ivOctets), sealed = read(DATA, length);
          seen.add(iv);
          reader.decrypt(ivAt, DATA, length);
          assertEquals(read(DATA, length), formatHex(plain), row.name);
          put(NONCE, iv);
          arena.u8.set(plain, DATA);
          given.encrypt(NONCE, DATA, length);
          assertEquals(read(DATA, length), sealed, `${row.name}: the same as under that IV when given`);
          reader.decrypt(NONCE, DATA, length);
          assertEquals(read(DATA, length), formatHex(plain), row.name);
        }
      }
      assertEquals(seen.size, 12, row.name);
    }
  });

  Deno.test(`${backend.name}: every published MAC vector, whole and in pieces`, () => {
    for (const vector of vectors.mac) {
      using mac = backend.mac(vector.algorithm as MacName, parseHex(vector.key));
      const length = put(DATA, vector.data);
      assertEquals(mac.octets, vector.mac.length / 2);
      for (let cut = 0; cut <= length; cut++) {
        mac.compute(DATA, length, TAG);
        assertEquals(read(TAG, mac.octets), vector.mac, vector.source);
        mac.begin();
        mac.update(DATA, cut);
        mac.update(DATA + cut, length - cut);
        mac.finish(TAG);
        assertEquals(read(TAG, mac.octets), vector.mac, `${vector.source}, cut at ${cut}`);
      }
    }
  });

  Deno.test(`${backend.name}: open refuses every changed bit of nonce, AAD, data and tag`, () => {
    for (const [name, keyOctets] of [["aes-gcm", 16], ["aes-gcm", 24], ["aes-gcm", 32], ["chacha20-poly1305", 32]]) {
      using aead = backend.aead(name as AeadName, octets(keyOctets as number));
      const dataOctets = 37, aadOctets = 12;
      const fields: [number, number][] = [[NONCE, 12], [AAD, aadOctets], [DATA, dataOctets], [TAG, 16]];
      for (const [where, length] of fields) arena.u8.set(octets(length), where);
      const plaintext = read(DATA, dataOctets);
      aead.seal(NONCE, AAD, aadOctets, DATA, dataOctets, TAG);
      const sealed = fields.map(([where, length]) => arena.u8.slice(where, where + length));
      const restore = () => fields.forEach(([where], i) => arena.u8.set(sealed[i], where));
      for (const [where, length] of fields) {
        for (let bit = 0; bit < 8 * length; bit++) {
          arena.u8[where + (bit >> 3)] ^= 1 << (bit & 7);
          assert(!aead.open(NONCE, AAD, aadOctets, DATA, dataOctets, TAG), `${name} ${where} bit ${bit}`);
          restore();
        }
      }
      assert(!aead.open(NONCE, AAD, aadOctets - 1, DATA, dataOctets, TAG), "shorter AAD");
      restore();
      assert(!aead.open(NONCE, AAD, aadOctets, DATA, dataOctets - 1, TAG), "shorter data");
      restore();
      arena.u8.fill(0, TAG + 12, TAG + 16);
      assert(!aead.open(NONCE, AAD, aadOctets, DATA, dataOctets, TAG), "a tag of 12 octets");
      restore();
      assert(aead.open(NONCE, AAD, aadOctets, DATA, dataOctets, TAG), "good again after refusals");
      assertEquals(read(DATA, dataOctets), plaintext);
    }
  });

  Deno.test(`${backend.name}: keys of every other length are refused with the lengths that are allowed`, () => {
    for (let length = 0; length <= 70; length++) {
      const key = octets(length);
      for (const row of ESP_CIPHERS) {
        const make = row.aead
          ? () => backend.aead(row.aead!, key)
          : row.cipher
          ? () => backend.cipher(row.cipher!, key)
          : undefined;
        if (!make) continue;
        if (lengths(row.key).includes(length)) make()[Symbol.dispose]();
        else assertThrows(make, RangeError, `Cannot use key of ${length} octets for`);
      }
      for (const row of AUTHENTICATORS) {
        if (!row.mac) continue;
        const make = () => backend.mac(row.mac!, key);
        if (length >= row.key.min && length <= row.key.max) make()[Symbol.dispose]();
        else assertThrows(make, RangeError, `Cannot use key of ${length} octets for`);
      }
    }
  });

  Deno.test(`${backend.name}: contexts do not disturb each other, and none works after its end`, () => {
    const one = backend.mac("hmac-sha1", octets(20)), two = backend.mac("aes-xcbc", octets(16));
    const three = backend.mac("aes-xcbc", octets(16)), four = backend.mac("keyed-md5", octets(7));
    const macs = [one, two, three, four];
    arena.u8.set(octets(100), DATA);
    const alone = macs.map((mac) => (mac.compute(DATA, 100, TAG), read(TAG, mac.octets)));
    for (const mac of macs) mac.begin();
    for (let i = 0; i < 100; i += 25) for (const mac of macs) mac.update(DATA + i, 25);
    assertEquals(macs.map((mac) => (mac.finish(TAG), read(TAG, mac.octets))), alone);
    const gone = { name: Error, words: "key has been erased" };
    for (const mac of macs) {
      mac[Symbol.dispose]();
      mac[Symbol.dispose]();
      assertThrows(() => mac.compute(DATA, 8, TAG), gone.name, gone.words);
    }
    const aeads = [16, 24, 32].map((length) => backend.aead("aes-gcm", octets(length)));
    for (const aead of aeads) {
      aead.seal(NONCE, AAD, 8, DATA, 8, TAG);
      aead[Symbol.dispose]();
      assertThrows(() => aead.seal(NONCE, AAD, 8, DATA, 8, TAG), gone.name, gone.words);
      assertThrows(() => aead.open(NONCE, AAD, 8, DATA, 8, TAG), gone.name, gone.words);
    }
    for (const { name, length } of CIPHER_KEYS) {
      const cipher = backend.cipher(name, octets(length));
      cipher.encrypt(NONCE, DATA, 16);
      cipher[Symbol.dispose]();
      assertThrows(() => cipher.encrypt(NONCE, DATA, 16), gone.name, gone.words, name);
      assertThrows(() => cipher.decrypt(NONCE, DATA, 16), gone.name, gone.words, name);
    }
  });

  Deno.test(`${backend.name}: random fills what it is told, and only that, and does not repeat`, () => {
    const seen = new Set<string>();
    for (let i = 0; i < 2000; i++) {
      backend.random(DATA, 8);
      seen.add(read(DATA, 8));
    }
    assertEquals(seen.size, 2000);
    for (const length of [0, 1, 16, 4096, 4097, 70_000]) {
      arena.u8.fill(0, DATA - 1, DATA + length + 1);
      backend.random(DATA, length);
      assertEquals([arena.u8[DATA - 1], arena.u8[DATA + length]], [0, 0]);
      const zeros = arena.u8.subarray(DATA, DATA + length).filter((octet) => octet === 0).length;
      assert(zeros <= length / 256 + 6 * Math.sqrt(length / 256) + 4, `${zeros} zeros of ${length}`);
    }
  });
}

const CIPHER_KEYS = ESP_CIPHERS.filter((row) => row.cipher).map((row) => ({
  name: row.cipher!,
  length: row.key.recommended,
}));

Deno.test("every row of the registries has a vector, AES and CAST-128 one for each kind of key", () => {
  const keys = (list: { algorithm: string; key: string }[], name: string) =>
    new Set(list.filter(({ algorithm }) => algorithm === name).map(({ key }) => key.length / 2));
  for (const row of ESP_CIPHERS) {
    if (!row.cipher && !row.aead) continue; // NULL
    const found = row.aead ? keys(vectors.aead, row.aead) : keys(vectors.cipher, row.cipher!);
    const wanted = row.key.step === 8 ? [16, 24, 32] : row.cipher === "cast128-cbc" ? [5, 10, 16] : [];
    assert(found.size > 0 && wanted.every((length) => found.has(length)), `${row.name}: ${[...found]}`);
  }
  for (const row of AUTHENTICATORS) {
    if (row.mac) assert(keys(vectors.mac, row.mac).size > 0, row.name);
    else assert(row.aead && keys(vectors.aead, row.aead).size > 0, row.name);
  }
});

Deno.test("both backends compute the same for all key lengths, random data, lengths and offsets", () => {
  const check = (what: string, length: number, run: (backend: PacketCrypto, dataAt: number) => string) => {
    const dataAt = DATA + below(64);
    const data = octets(length);
    const results = BACKENDS.map((backend) => {
      arena.u8.set(data, dataAt);
      arena.u8[dataAt - 1] = arena.u8[dataAt + length] = 0x5a;
      const result = run(backend, dataAt);
      assertEquals([arena.u8[dataAt - 1], arena.u8[dataAt + length]], [0x5a, 0x5a], `${what} keeps to its octets`);
      return result;
    });
    assert(results[0] === results[1], `${what}, ${length} octets`);
  };
  for (const row of ESP_CIPHERS) {
    for (const keyOctets of lengths(row.key)) {
      const key = octets(keyOctets);
      arena.u8.set(octets(16), NONCE);
      for (const length of someLengths(row.blockOctets).filter((n) => keyOctets === row.key.recommended || n < 500)) {
        const what = `${row.name} with ${keyOctets} octets of key`;
        if (row.aead) {
          const aadOctets = below(40);
          check(what, length, (backend, dataAt) => {
            using aead = backend.aead(row.aead!, key);
            aead.seal(NONCE, AAD, aadOctets, dataAt, length, TAG);
            const sealed = read(dataAt, length) + read(TAG, 16);
            assert(aead.open(NONCE, AAD, aadOctets, dataAt, length, TAG), what);
            return sealed + read(dataAt, length);
          });
        } else if (row.cipher) {
          check(what, length, (backend, dataAt) => {
            using cipher = backend.cipher(row.cipher!, key);
            cipher.encrypt(NONCE, dataAt, length);
            const encrypted = read(dataAt, length);
            cipher.decrypt(NONCE, dataAt, length);
            return encrypted + read(dataAt, length);
          });
        }
      }
    }
  }
  for (const row of AUTHENTICATORS) {
    if (!row.mac) continue;
    for (const keyOctets of lengths(row.key)) {
      const key = octets(keyOctets);
      for (const length of someLengths(1).filter((n) => keyOctets === row.key.recommended || n < 500)) {
        const cut = below(length + 1);
        check(`${row.name} with ${keyOctets} octets of key`, length, (backend, dataAt) => {
          using mac = backend.mac(row.mac!, key);
          mac.compute(dataAt, length, TAG);
          const whole = read(TAG, mac.octets);
          mac.begin();
          mac.update(dataAt, cut);
          mac.update(dataAt + cut, length - cut);
          mac.finish(TAG);
          assertEquals(read(TAG, mac.octets), whole);
          return whole;
        });
      }
    }
  }
});

Deno.test("AES-CTR counts its whole last word, and 16 octets of counter block, alike in both backends", () => {
  const key = octets(16);
  const run = (backend: PacketCrypto) => {
    arena.u8.fill(0xff, NONCE, NONCE + 16);
    arena.u8.fill(0, DATA, DATA + 64);
    using cipher = backend.cipher("aes-ctr", key);
    cipher.encrypt(NONCE, DATA, 64);
    return read(DATA, 64);
  };
  assertEquals(run(node), run(native));
});

Deno.test("200,000 packets through libcrypto leave nothing on the heap", () => {
  using aead = native.aead("aes-gcm", octets(16));
  using cbc = native.cipher("aes-cbc", octets(16));
  // Two hashes: a call that is made to either of two functions would put its addresses on the heap.
  using mac = native.mac("hmac-sha256", octets(32));
  using otherMac = native.mac("hmac-sha1", octets(20));
  const work = (count: number) => {
    for (let i = 0; i < count; i++) {
      native.random(NONCE, 16);
      aead.seal(NONCE, AAD, 8, DATA, 128, TAG);
      if (!aead.open(NONCE, AAD, 8, DATA, 128, TAG)) throw new Error("does not open");
      cbc.encrypt(NONCE, DATA, 128);
      mac.compute(DATA, 128, TAG);
      otherMac.compute(DATA, 128, TAG);
    }
  };
  // One object a packet would be at least 240,000 octets a round, and a collection makes a round negative. The compiler
  // works beside us and takes its time; from then on every round must be clean.
  const growth: number[] = [];
  let clean = 0;
  for (let round = 0; round < 100 && clean < 10; round++) {
    const before = Deno.memoryUsage().heapUsed;
    work(20_000);
    const octets = Deno.memoryUsage().heapUsed - before;
    growth.push(octets);
    clean = octets >= 0 && octets < 60_000 ? clean + 1 : 0;
  }
  assert(clean === 10, `heap growth a round: ${growth}`);
});

Deno.test("the backend is libcrypto where it can be, node:crypto when told so or without an address", () => {
  assertEquals(choosePacketCrypto(arena).name, "libcrypto");
  assertEquals(choosePacketCrypto(arena, "node:crypto").name, "node:crypto");
  assertEquals(choosePacketCrypto(createArena(65536)).name, "node:crypto");
  assertThrows(() => createLibcrypto(createArena(65536)), Error, "the arena does not know its address");
});
