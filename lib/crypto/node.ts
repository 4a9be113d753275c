/** The backend over node:crypto: slower than libcrypto (it makes objects for each packet), but always there. @module */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  getRandomValues,
  type Hash,
  type Hmac,
} from "node:crypto";
import type { Arena } from "../octets/arena.ts";
import { type Bytes, concat, equalConstantTime, erase } from "../octets/bytes.ts";
import { givenIvOctets, packetCipherRow, packetMacRow } from "./algorithms.ts";
import { type Block64, decryptCbc64, encryptCbc64 } from "./block64.ts";
import { BLOCK64_CIPHERS, createCbc } from "./cipher.ts";
import { Ghash } from "./ghash.ts";
import { HASHES, type HashName } from "./hash.ts";
import { erased, Key } from "./key.ts";
import { filledKey } from "./keyed.ts";
import type { Aead, AeadName, MacName, PacketCipher, PacketCipherName, PacketCrypto, PacketMac } from "./packet.ts";
import { xcbcSubkeys } from "./xcbc.ts";

const NONCE_OCTETS = 12;
const TAG_OCTETS = 16;
/** Most octets that getRandomValues gives at once. */
const RANDOM_OCTETS = 65536;

/** A backend for packets in `arena`. It needs no native library and no permission. */
export function createNodeCrypto(arena: Arena): PacketCrypto {
  function random(at: number, octets: number): void {
    for (const end = at + octets; at < end; at += RANDOM_OCTETS) {
      getRandomValues(arena.u8.subarray(at, Math.min(at + RANDOM_OCTETS, end)));
    }
  }
  return {
    name: "node:crypto",
    aead(algorithm: AeadName, key: Uint8Array): Aead {
      packetCipherRow(algorithm, key.length);
      if (algorithm === "aes-gcm" && key.length === 24) return gcm192(arena, new Key(key));
      return nodeAead(arena, algorithm === "aes-gcm" ? `aes-${8 * key.length}-gcm` : algorithm, new Key(key));
    },
    cipher(algorithm: PacketCipherName, key: Uint8Array): PacketCipher {
      const ivOctets = givenIvOctets(packetCipherRow(algorithm, key.length));
      const cipher = cipherOf(arena, algorithm, key);
      return {
        ...cipher,
        encryptFresh(ivAt, dataAt, dataOctets) {
          random(ivAt, ivOctets);
          cipher.encrypt(ivAt, dataAt, dataOctets);
        },
      };
    },
    mac(algorithm: MacName, key: Uint8Array): PacketMac {
      const row = packetMacRow(algorithm, key.length);
      if (algorithm === "aes-xcbc") return xcbc(arena, key);
      if (algorithm === "keyed-md5") return hashMac(arena, "md5", new Key(key), startKeyed("md5"));
      if (algorithm === "keyed-sha1") return hashMac(arena, "sha1", new Key(key), startKeyed("sha1"));
      return hashMac(arena, row.hash!, new Key(key), (key) => createHmac(row.hash!, key));
    },
    random,
  };
}

function nodeAead({ u8 }: Arena, algorithm: string, key: Key): Aead {
  const options = { authTagLength: TAG_OCTETS };
  return {
    seal(nonceAt, aadAt, aadOctets, dataAt, dataOctets, tagAt) {
      const cipher = createCipheriv(
        algorithm as "aes-128-gcm",
        key.octets,
        u8.slice(nonceAt, nonceAt + NONCE_OCTETS),
        options,
      );
      cipher.setAAD(u8.subarray(aadAt, aadAt + aadOctets));
      const sealed = cipher.update(u8.subarray(dataAt, dataAt + dataOctets));
      cipher.final();
      u8.set(sealed, dataAt);
      u8.set(cipher.getAuthTag(), tagAt);
    },
    open(nonceAt, aadAt, aadOctets, dataAt, dataOctets, tagAt) {
      const cipher = createDecipheriv(
        algorithm as "aes-128-gcm",
        key.octets,
        u8.slice(nonceAt, nonceAt + NONCE_OCTETS),
        options,
      );
      cipher.setAAD(u8.subarray(aadAt, aadAt + aadOctets));
      cipher.setAuthTag(u8.slice(tagAt, tagAt + TAG_OCTETS));
      const opened = cipher.update(u8.subarray(dataAt, dataAt + dataOctets));
      try {
        cipher.final();
      } catch {
        return false; // the only thing that final can complain about is the tag
      }
      u8.set(opened, dataAt);
      return true;
    },
    [Symbol.dispose]: () => key.erase(),
  };
}

/** AES-192-GCM, which Deno's node:crypto lacks, from AES-192-ECB, AES-192-CTR and our GHASH (SP 800-38D 7). */
function gcm192({ u8 }: Arena, key: Key): Aead {
  const encryptBlock = (block: Uint8Array) => {
    const cipher = createCipheriv("aes-192-ecb", key.octets, null);
    cipher.setAutoPadding(false);
    return cipher.update(block);
  };
  const ghash = new Ghash(concat(encryptBlock(new Uint8Array(16))));
  const counter = new Uint8Array(16); // J0 = nonce, 00000001; the data starts with the counter 2
  const tag = new Uint8Array(TAG_OCTETS);
  const crypt = (dataAt: number, dataOctets: number) => {
    counter[15] = 2;
    const cipher = createCipheriv("aes-192-ctr", key.octets, counter);
    u8.set(cipher.update(u8.subarray(dataAt, dataAt + dataOctets)), dataAt);
  };
  const computeTag = (aadAt: number, aadOctets: number, dataAt: number, dataOctets: number) => {
    counter[15] = 1;
    ghash.begin();
    ghash.update(u8.subarray(aadAt, aadAt + aadOctets));
    ghash.update(u8.subarray(dataAt, dataAt + dataOctets));
    tag.set(ghash.finish(aadOctets, dataOctets));
    const mask = encryptBlock(counter);
    for (let i = 0; i < TAG_OCTETS; i++) tag[i] ^= mask[i];
  };
  return {
    seal(nonceAt, aadAt, aadOctets, dataAt, dataOctets, tagAt) {
      counter.set(u8.subarray(nonceAt, nonceAt + NONCE_OCTETS));
      crypt(dataAt, dataOctets);
      computeTag(aadAt, aadOctets, dataAt, dataOctets);
      u8.set(tag, tagAt);
    },
    open(nonceAt, aadAt, aadOctets, dataAt, dataOctets, tagAt) {
      counter.set(u8.subarray(nonceAt, nonceAt + NONCE_OCTETS));
      computeTag(aadAt, aadOctets, dataAt, dataOctets);
      if (!equalConstantTime(tag, u8.subarray(tagAt, tagAt + TAG_OCTETS))) return false;
      crypt(dataAt, dataOctets);
      return true;
    },
    [Symbol.dispose]() {
      key.erase();
      ghash.erase();
    },
  };
}

/** A cipher that is given its IVs. */
type GivenIvCipher = Omit<PacketCipher, "encryptFresh">;

function cipherOf(arena: Arena, algorithm: PacketCipherName, key: Uint8Array): GivenIvCipher {
  if (algorithm === "aes-ctr") return counterMode(arena, new Key(key));
  const Block = BLOCK64_CIPHERS[algorithm];
  if (!Block) return nodeCbc(arena, algorithm, key);
  let block: Block64 | undefined = new Block(key);
  return {
    encrypt: (ivAt, dataAt, dataOctets) => encryptCbc64(block ?? erased(), arena.view, ivAt, dataAt, dataOctets),
    decrypt: (ivAt, dataAt, dataOctets) => decryptCbc64(block ?? erased(), arena.view, ivAt, dataAt, dataOctets),
    [Symbol.dispose]() {
      block?.erase();
      block = undefined;
    },
  };
}

function counterMode({ u8 }: Arena, key: Key): GivenIvCipher {
  const crypt = (ivAt: number, dataAt: number, dataOctets: number) => {
    const cipher = createCipheriv(`aes-${8 * key.octets.length}-ctr`, key.octets, u8.slice(ivAt, ivAt + 16));
    u8.set(cipher.update(u8.subarray(dataAt, dataAt + dataOctets)), dataAt);
  };
  return { encrypt: crypt, decrypt: crypt, [Symbol.dispose]: () => key.erase() };
}

function nodeCbc({ u8 }: Arena, algorithm: Exclude<PacketCipherName, "aes-ctr">, key: Uint8Array): GivenIvCipher {
  const cbc = createCbc(algorithm, key);
  const run = (work: typeof cbc.encrypt, ivAt: number, dataAt: number, dataOctets: number) =>
    u8.set(work(u8.slice(ivAt, ivAt + cbc.blockOctets), u8.subarray(dataAt, dataAt + dataOctets)), dataAt);
  return {
    encrypt: (ivAt, dataAt, dataOctets) => run(cbc.encrypt, ivAt, dataAt, dataOctets),
    decrypt: (ivAt, dataAt, dataOctets) => run(cbc.decrypt, ivAt, dataAt, dataOctets),
    [Symbol.dispose]: () => cbc[Symbol.dispose](),
  };
}

/** What a hash-based MAC is made of: HMAC or, with the key at both ends, a plain hash. */
interface HashState {
  update(octets: Uint8Array): unknown;
  digest(): Uint8Array;
}

function startKeyed(name: "md5" | "sha1"): (key: Bytes) => HashState {
  return (key) => {
    const state: Hash = createHash(name);
    state.update(filledKey(name, key));
    return { update: (octets) => state.update(octets), digest: () => state.update(key).digest() };
  };
}

function hashMac({ u8 }: Arena, hash: HashName, key: Key, start: (key: Bytes) => HashState | Hmac): PacketMac {
  let state: HashState | Hmac | undefined;
  return {
    octets: HASHES[hash].outputOctets,
    begin() {
      state = start(key.octets);
    },
    update(dataAt, dataOctets) {
      state!.update(u8.subarray(dataAt, dataAt + dataOctets));
    },
    finish(outAt) {
      u8.set(state!.digest(), outAt);
      state = undefined;
    },
    compute(dataAt, dataOctets, outAt) {
      this.begin();
      this.update(dataAt, dataOctets);
      this.finish(outAt);
    },
    [Symbol.dispose]: () => key.erase(),
  };
}

/** AES-XCBC-MAC (RFC 3566): CBC under K1; the last block waits until it is known to be the last. */
function xcbc({ u8 }: Arena, key: Uint8Array): PacketMac {
  const subkeys = xcbcSubkeys(key);
  const K1 = subkeys.subarray(0, 16), K2 = subkeys.subarray(16, 32), K3 = subkeys.subarray(32);
  const start = () => createCipheriv("aes-128-cbc", K1, new Uint8Array(16)).setAutoPadding(false);
  let cipher: ReturnType<typeof start>;
  const last = new Uint8Array(16);
  let lastOctets = 0, live = true;
  return {
    octets: 16,
    begin() {
      if (!live) erased();
      cipher = start();
      lastOctets = 0;
    },
    update(dataAt, dataOctets) {
      for (const end = dataAt + dataOctets; dataAt < end;) {
        if (lastOctets === 16) {
          cipher.update(last);
          lastOctets = 0;
        }
        // Whole blocks straight from the packet, as long as more follows them.
        const blocks = lastOctets === 0 ? (end - dataAt - 1) & ~15 : 0;
        if (blocks) cipher.update(u8.subarray(dataAt, dataAt + blocks));
        dataAt += blocks;
        const taken = Math.min(16 - lastOctets, end - dataAt);
        last.set(u8.subarray(dataAt, dataAt + taken), lastOctets);
        lastOctets += taken;
        dataAt += taken;
      }
    },
    finish(outAt) {
      const whole = lastOctets === 16;
      if (!whole) last.fill(0, lastOctets).fill(0x80, lastOctets, lastOctets + 1);
      for (let i = 0; i < 16; i++) last[i] ^= whole ? K2[i] : K3[i];
      u8.set(cipher.update(last), outAt);
    },
    compute(dataAt, dataOctets, outAt) {
      this.begin();
      this.update(dataAt, dataOctets);
      this.finish(outAt);
    },
    [Symbol.dispose]() {
      live = false;
      erase(subkeys, last);
    },
  };
}
