/** The fast backend, over OpenSSL's libcrypto: one context an SA and direction, nothing allocated per packet. @module */
import { getRandomValues } from "node:crypto";
import { cString, libcryptoReason, loadLibcrypto } from "../ffi/libcrypto.ts";
import { OSSL_PARAM } from "../ffi/structs.ts";
import type { Arena } from "../octets/arena.ts";
import { type Bytes, concat, erase } from "../octets/bytes.ts";
import { packetCipherRow, packetMacRow } from "./algorithms.ts";
import { erased, Key } from "./key.ts";
import { createHashMacs } from "./libcrypto_hash.ts";
import { createNodeCrypto } from "./node.ts";
import type { Aead, AeadName, MacName, PacketCipher, PacketCipherName, PacketCrypto, PacketMac } from "./packet.ts";
import { xcbcSubkeys } from "./xcbc.ts";

export {
  configureLibcrypto,
  type Libcrypto,
  libcryptoChoice,
  libcryptoReason,
  loadLibcrypto,
} from "../ffi/libcrypto.ts";

/** Address of an EVP_CIPHER_CTX; 0n is none. */
type Context = bigint;

const TAG_OCTETS = 16;
/** OSSL_PARAM_OCTET_STRING, a data type of OSSL_PARAM. */
const PARAM_OCTET_STRING = 5;
/** Octets of AES-XCBC's waste, and of random octets drawn ahead. */
const SCRATCH_OCTETS = 2048;
const POOL_OCTETS = 4096;

/** libcrypto's names of the ciphers; DES without the legacy provider is 3DES with one key three times. */
const CIPHERS: Partial<Record<PacketCipherName | AeadName, { name: (keyOctets: number) => string; legacy?: true }>> = {
  "aes-gcm": { name: (octets) => `AES-${8 * octets}-GCM` },
  "chacha20-poly1305": { name: () => "ChaCha20-Poly1305" },
  "aes-cbc": { name: (octets) => `AES-${8 * octets}-CBC` },
  "aes-ctr": { name: (octets) => `AES-${8 * octets}-CTR` },
  "3des-cbc": { name: () => "DES-EDE3-CBC" },
  "des-cbc": { name: () => "DES-CBC", legacy: true },
  "blowfish-cbc": { name: () => "BF-CBC", legacy: true },
  "cast128-cbc": { name: () => "CAST5-CBC", legacy: true },
};

function failed(call: string): never {
  throw new Error(`libcrypto: ${call} failed`);
}

/**
 * A backend for packets in `arena`, which must know its address (`createArena(octets, addressOf)`). Use it on the thread
 * that made it. SKIPJACK and, where the legacy provider is missing, Blowfish and CAST-128 are computed by our own code.
 *
 * @throws {Error} when libcrypto cannot be loaded
 */
export function createLibcrypto(arena: Arena): PacketCrypto {
  const library = loadLibcrypto();
  if (!library) throw new Error(`Cannot load libcrypto: ${libcryptoReason()}`);
  if (arena.base === 0n) throw new Error("Cannot use libcrypto: the arena does not know its address");
  const { u8, u32, view, base, baseNumber } = arena;
  const s = library.symbols;
  const ours = createNodeCrypto(arena);
  const hashMacs = createHashMacs(library, arena);

  /** Algorithms of libcrypto by name; fetching is slow, and the same for all contexts. */
  const fetched = new Map<string, Deno.PointerValue>();
  function fetch(name: string): Deno.PointerValue {
    let algorithm = fetched.get(name);
    if (!algorithm) {
      algorithm = s.EVP_CIPHER_fetch(library!.context, cString(name), null);
      if (!algorithm) throw new RangeError(`Cannot use ${name}: ${library!.version} has no such algorithm`);
      fetched.set(name, algorithm);
    }
    return algorithm;
  }

  const lengthAt = arena.reserve(8);
  const lengthAddress = base + BigInt(lengthAt);
  const scratchAt = arena.reserve(SCRATCH_OCTETS);
  const scratchAddress = base + BigInt(scratchAt);

  const zeroIvAddress = base + BigInt(arena.reserve(16));
  const blockAt = arena.reserve(16), blockAddress = base + BigInt(blockAt);

  // The OSSL_PARAM list { "tag", octet string, address, 16 }; the address is written for each packet.
  const tagNameAt = arena.reserve(8);
  u8.set(cString("tag"), tagNameAt);
  const tagParamAt = arena.reserve(2 * OSSL_PARAM.octets);
  view.setBigUint64(tagParamAt, base + BigInt(tagNameAt), true);
  view.setUint32(tagParamAt + OSSL_PARAM.at.dataType, PARAM_OCTET_STRING, true);
  view.setBigUint64(tagParamAt + OSSL_PARAM.at.dataOctets, BigInt(TAG_OCTETS), true);
  const tagParamAddress = base + BigInt(tagParamAt);
  const tagDataWord = (tagParamAt + OSSL_PARAM.at.data) / 4;
  const pointTagParam = (tagAt: number) => {
    const address = baseNumber + tagAt;
    u32[tagDataWord] = address; // modulo 2^32
    u32[tagDataWord + 1] = address / 0x1_0000_0000;
  };

  /**
   * A context with its key set; the IV comes with each packet. Padding is not switched off: EVP_Cipher, which CBC uses,
   * never pads, and a context that is told so is told again, slowly, with each IV.
   */
  function cipherContext(name: PacketCipherName | AeadName, key: Bytes, encrypt: boolean): Context {
    const three = name === "des-cbc" && !library!.legacy;
    const algorithm = fetch(CIPHERS[three ? "3des-cbc" : name]!.name(key.length));
    const secret = three ? concat(key, key, key) : key.slice();
    const context = s.EVP_CIPHER_CTX_new();
    const done = s.EVP_CipherInit_ex2(context, algorithm, null, null, Number(encrypt), null) === 1 &&
      s.EVP_CIPHER_CTX_set_key_length(context, secret.length) === 1 &&
      s.EVP_CipherInit_ex2(context, null, secret, null, Number(encrypt), null) === 1;
    erase(secret);
    if (done) return context;
    s.EVP_CIPHER_CTX_free(context);
    return failed(`setting a key of ${key.length} octets for ${name}`);
  }

  function aead(algorithm: AeadName, givenKey: Uint8Array): Aead {
    packetCipherRow(algorithm, givenKey.length);
    const key = new Key(givenKey);
    let sealing: Context = 0n, opening: Context = 0n;
    return {
      seal(nonceAt, aadAt, aadOctets, dataAt, dataOctets, tagAt) {
        if (sealing === 0n) sealing = cipherContext(algorithm, key.octets, true);
        pointTagParam(tagAt);
        if (
          s.EVP_EncryptInit_ex2(sealing, 0n, 0n, base + BigInt(nonceAt | 0), 0n) !== 1 ||
          s.EVP_EncryptUpdate(sealing, 0n, lengthAddress, base + BigInt(aadAt | 0), aadOctets | 0) !== 1 ||
          (dataOctets !== 0 && s.EVP_EncryptUpdate(
                sealing,
                base + BigInt(dataAt | 0),
                lengthAddress,
                base + BigInt(dataAt | 0),
                dataOctets | 0,
              ) !== 1) ||
          s.EVP_EncryptFinal_ex(sealing, scratchAddress, lengthAddress) !== 1 ||
          s.EVP_CIPHER_CTX_get_params(sealing, tagParamAddress) !== 1
        ) failed(algorithm);
      },
      open(nonceAt, aadAt, aadOctets, dataAt, dataOctets, tagAt) {
        if (opening === 0n) opening = cipherContext(algorithm, key.octets, false);
        pointTagParam(tagAt);
        if (
          s.EVP_DecryptInit_ex2(opening, 0n, 0n, base + BigInt(nonceAt | 0), tagParamAddress) !== 1 ||
          s.EVP_DecryptUpdate(opening, 0n, lengthAddress, base + BigInt(aadAt | 0), aadOctets | 0) !== 1 ||
          (dataOctets !== 0 && s.EVP_DecryptUpdate(
                opening,
                base + BigInt(dataAt | 0),
                lengthAddress,
                base + BigInt(dataAt | 0),
                dataOctets | 0,
              ) !== 1)
        ) failed(algorithm);
        return s.EVP_DecryptFinal_ex(opening, scratchAddress, lengthAddress) === 1;
      },
      [Symbol.dispose]() {
        s.EVP_CIPHER_CTX_free(sealing);
        s.EVP_CIPHER_CTX_free(opening);
        sealing = opening = 0n;
        key.erase();
      },
    };
  }

  function cipher(algorithm: PacketCipherName, givenKey: Uint8Array): PacketCipher {
    const row = packetCipherRow(algorithm, givenKey.length);
    const known = CIPHERS[algorithm];
    if (!known || (known.legacy && !library!.legacy && algorithm !== "des-cbc")) {
      return ours.cipher(algorithm, givenKey);
    }
    const key = new Key(givenKey);
    const counter = row.blockOctets === 1; // decrypts by encrypting
    let encrypting: Context = 0n, decrypting: Context = 0n;
    const encrypt = (ivAt: number, dataAt: number, dataOctets: number) => {
      if (encrypting === 0n) encrypting = cipherContext(algorithm, key.octets, true);
      if (dataOctets === 0) return;
      if (
        s.EVP_EncryptInit_ex2(encrypting, 0n, 0n, base + BigInt(ivAt | 0), 0n) !== 1 ||
        s.EVP_Cipher(encrypting, base + BigInt(dataAt | 0), base + BigInt(dataAt | 0), dataOctets | 0) < 1
      ) failed(algorithm);
    };
    const decrypt = (ivAt: number, dataAt: number, dataOctets: number) => {
      if (decrypting === 0n) decrypting = cipherContext(algorithm, key.octets, false);
      if (dataOctets === 0) return;
      if (
        s.EVP_DecryptInit_ex2(decrypting, 0n, 0n, base + BigInt(ivAt | 0), 0n) !== 1 ||
        s.EVP_Cipher(decrypting, base + BigInt(dataAt | 0), base + BigInt(dataAt | 0), dataOctets | 0) < 1
      ) failed(algorithm);
    };
    return {
      encrypt,
      decrypt: counter ? encrypt : decrypt,
      [Symbol.dispose]() {
        s.EVP_CIPHER_CTX_free(encrypting);
        s.EVP_CIPHER_CTX_free(decrypting);
        encrypting = decrypting = 0n;
        key.erase();
      },
    };
  }

  /** RFC 3566: CBC under K1, whose output is thrown away but for the last block, which waits until it is the last. */
  function xcbc(key: Uint8Array): PacketMac {
    const subkeys = xcbcSubkeys(key);
    const K2 = subkeys.subarray(16, 32), K3 = subkeys.subarray(32);
    let context = cipherContext("aes-cbc", subkeys.subarray(0, 16), true);
    const last = new Uint8Array(16);
    let lastOctets = 0;
    const encryptLast = (toAddress: bigint) => {
      u8.set(last, blockAt);
      if (s.EVP_Cipher(context, toAddress, blockAddress, 16) < 1) failed("aes-xcbc");
    };
    const begin = () => {
      if (context === 0n) erased();
      if (s.EVP_EncryptInit_ex2(context, 0n, 0n, zeroIvAddress, 0n) !== 1) failed("aes-xcbc");
      lastOctets = 0;
    };
    const update = (dataAt: number, dataOctets: number) => {
      if (context === 0n) erased();
      for (const end = dataAt + dataOctets; dataAt < end;) {
        if (lastOctets === 16) {
          encryptLast(scratchAddress);
          lastOctets = 0;
        }
        const blocks = lastOctets === 0 ? Math.min((end - dataAt - 1) & ~15, SCRATCH_OCTETS) : 0;
        if (blocks !== 0) {
          if (s.EVP_Cipher(context, scratchAddress, base + BigInt(dataAt | 0), blocks) < 1) failed("aes-xcbc");
          dataAt += blocks;
          continue;
        }
        const taken = Math.min(16 - lastOctets, end - dataAt);
        for (let i = 0; i < taken; i++) last[lastOctets++] = u8[dataAt++];
      }
    };
    const finish = (outAt: number) => {
      if (context === 0n) erased();
      const subkey = lastOctets === 16 ? K2 : K3;
      if (lastOctets < 16) last.fill(0, lastOctets).fill(0x80, lastOctets, lastOctets + 1);
      for (let i = 0; i < 16; i++) last[i] ^= subkey[i];
      encryptLast(base + BigInt(outAt | 0));
    };
    return {
      octets: 16,
      begin,
      update,
      finish,
      compute(dataAt, dataOctets, outAt) {
        begin();
        update(dataAt, dataOctets);
        finish(outAt);
      },
      [Symbol.dispose]() {
        s.EVP_CIPHER_CTX_free(context);
        context = 0n;
        erase(subkeys, last);
      },
    };
  }

  function mac(algorithm: MacName, key: Uint8Array): PacketMac {
    const row = packetMacRow(algorithm, key.length);
    if (algorithm === "aes-xcbc") return xcbc(key);
    if (!hashMacs) return ours.mac(algorithm, key);
    if (algorithm === "keyed-md5" || algorithm === "keyed-sha1") return hashMacs.keyed(row.hash as "md5" | "sha1", key);
    return hashMacs.hmac(row.hash!, key);
  }

  // Octets drawn ahead, because IVs are short and a draw is not; each is given out once and overwritten.
  const poolAt = arena.reserve(POOL_OCTETS);
  const pool = u8.subarray(poolAt, poolAt + POOL_OCTETS);
  let poolLeft = 0;
  function random(at: number, octets: number): void {
    if (octets > POOL_OCTETS) return ours.random(at, octets);
    if (octets > poolLeft) {
      getRandomValues(pool);
      poolLeft = POOL_OCTETS;
    }
    poolLeft -= octets;
    const from = poolAt + poolLeft;
    u8.copyWithin(at, from, from + octets);
    u8.fill(0, from, from + octets);
  }

  return { name: "libcrypto", aead, cipher, mac, random };
}

/**
 * The best backend there is: libcrypto where it can be loaded and the arena knows its address, else node:crypto. The
 * environment's say is given once to {@linkcode configureLibcrypto}, by way of {@linkcode libcryptoChoice}.
 *
 * @throws {Error} when libcrypto is asked for by name and cannot be loaded
 */
export function choosePacketCrypto(arena: Arena, prefer?: PacketCrypto["name"]): PacketCrypto {
  if (prefer === "libcrypto") return createLibcrypto(arena);
  return prefer === undefined && arena.base !== 0n && loadLibcrypto()
    ? createLibcrypto(arena)
    : createNodeCrypto(arena);
}
