/** Block ciphers in CBC mode over whole octet strings, without padding: what IKE and Photuris encrypt messages with. @module */
import { createCipheriv, createDecipheriv } from "node:crypto";
import { type Bytes, concat } from "../octets/bytes.ts";
import { packetCipherRow } from "./algorithms.ts";
import { type Block64, decryptCbc64, encryptCbc64 } from "./block64.ts";
import { Blowfish } from "./blowfish.ts";
import { Cast128 } from "./cast128.ts";
import { erased } from "./key.ts";
import { NativeCbc } from "./libcrypto_octets.ts";
import type { PacketCipherName } from "./packet.ts";
import { Skipjack } from "./skipjack.ts";

/** The ciphers that have a CBC form. The key length chooses AES-128, -192 or -256. */
export type CbcName = Exclude<PacketCipherName, "aes-ctr">;

/** A cipher in CBC mode with its key set. */
export interface Cbc extends Disposable {
  readonly blockOctets: number;
  /** Encrypts `data` (whole blocks) to new octets. */
  encrypt(iv: Uint8Array, data: Uint8Array): Bytes;
  decrypt(iv: Uint8Array, data: Uint8Array): Bytes;
}

/** The ciphers that are neither in node:crypto nor, always, in libcrypto. */
export const BLOCK64_CIPHERS: Partial<Record<PacketCipherName, new (key: Uint8Array) => Block64>> = {
  "blowfish-cbc": Blowfish,
  "cast128-cbc": Cast128,
  "skipjack-cbc": Skipjack,
};

/**
 * Sets the key of a cipher once for many messages. Dispose of it to erase the key.
 *
 * @throws {RangeError} on a key length that the cipher does not have
 */
export function createCbc(name: CbcName, key: Uint8Array): Cbc {
  const { blockOctets } = packetCipherRow(name, key.length);
  const Block = BLOCK64_CIPHERS[name];
  const inner = Block ? overBlock64(new Block(key)) : NativeCbc.create(...nativeCipher(name, key)) ??
    (name === "aes-cbc" && key.length === 24 ? overEcb(key) : overNode(...nodeCipher(name, key)));
  let live = true;
  const check = (iv: Uint8Array, data: Uint8Array) => {
    if (!live) erased();
    if (iv.length !== blockOctets) {
      throw new RangeError(`Cannot use IV of ${iv.length} octets for ${name}: ${blockOctets} are needed`);
    }
    if (data.length % blockOctets) {
      throw new RangeError(`Cannot use ${data.length} octets with ${name}: its blocks have ${blockOctets} octets`);
    }
  };
  return {
    blockOctets,
    encrypt: (iv, data) => (check(iv, data), inner.encrypt(iv, data)),
    decrypt: (iv, data) => (check(iv, data), inner.decrypt(iv, data)),
    [Symbol.dispose]() {
      live = false;
      inner[Symbol.dispose]();
    },
  };
}

type Inner = Omit<Cbc, "blockOctets">;

/** node:crypto's name and key for a cipher; DES is 3DES with one key three times. */
function nodeCipher(name: CbcName, key: Uint8Array): [string, Bytes] {
  if (name === "des-cbc") return ["des-ede3-cbc", concat(key, key, key)];
  return [name === "3des-cbc" ? "des-ede3-cbc" : `aes-${8 * key.length}-cbc`, concat(key)];
}

/** libcrypto's name and key for a cipher. */
function nativeCipher(name: CbcName, key: Uint8Array): [string, Uint8Array] {
  if (name === "des-cbc") return ["DES-EDE3-CBC", concat(key, key, key)];
  return [name === "3des-cbc" ? "DES-EDE3-CBC" : `AES-${8 * key.length}-CBC`, key];
}

function overNode(algorithm: string, key: Bytes): Inner {
  const run = (make: typeof createCipheriv | typeof createDecipheriv, iv: Uint8Array, data: Uint8Array): Bytes => {
    const cipher = make(algorithm, key, iv);
    cipher.setAutoPadding(false);
    return concat(cipher.update(data), cipher.final());
  };
  return {
    encrypt: (iv, data) => run(createCipheriv, iv, data),
    decrypt: (iv, data) => run(createDecipheriv, iv, data),
    [Symbol.dispose]: () => void key.fill(0),
  };
}

/** AES-192-CBC, which Deno's node:crypto lacks, from AES-192-ECB. */
function overEcb(given: Uint8Array): Inner {
  const key = concat(given);
  return {
    encrypt(iv, data) {
      const cipher = createCipheriv("aes-192-ecb", key, null);
      cipher.setAutoPadding(false);
      const out = new Uint8Array(data.length), block = new Uint8Array(iv);
      for (let at = 0; at < data.length; at += 16) {
        for (let i = 0; i < 16; i++) block[i] ^= data[at + i];
        block.set(cipher.update(block));
        out.set(block, at);
      }
      return out;
    },
    decrypt(iv, data) {
      const cipher = createDecipheriv("aes-192-ecb", key, null);
      cipher.setAutoPadding(false);
      const out = concat(cipher.update(data), cipher.final());
      for (let at = 0; at < data.length; at++) out[at] ^= at < 16 ? iv[at] : data[at - 16];
      return out;
    },
    [Symbol.dispose]: () => void key.fill(0),
  };
}

function overBlock64(block: Block64): Inner {
  const run = (work: typeof encryptCbc64, iv: Uint8Array, data: Uint8Array): Bytes => {
    const memory = concat(iv, data);
    work(block, new DataView(memory.buffer), 0, iv.length, data.length);
    return memory.subarray(iv.length);
  };
  return {
    encrypt: (iv, data) => run(encryptCbc64, iv, data),
    decrypt: (iv, data) => run(decryptCbc64, iv, data),
    [Symbol.dispose]: () => block.erase(),
  };
}

/**
 * Encrypts whole blocks.
 *
 * @throws {RangeError} on a key, IV or data length that the cipher does not have
 */
export function encryptCbc(name: CbcName, key: Uint8Array, iv: Uint8Array, plaintext: Uint8Array): Bytes {
  using cbc = createCbc(name, key);
  return cbc.encrypt(iv, plaintext);
}

/** The reverse of {@linkcode encryptCbc}. @throws {RangeError} likewise */
export function decryptCbc(name: CbcName, key: Uint8Array, iv: Uint8Array, ciphertext: Uint8Array): Bytes {
  using cbc = createCbc(name, key);
  return cbc.decrypt(iv, ciphertext);
}
