/** The fast backend, over OpenSSL's libcrypto: one context an SA and direction, nothing allocated per packet. @module */
import { getRandomValues } from "node:crypto";
import { cString, libcryptoReason, loadLibcrypto } from "../ffi/libcrypto.ts";
import { OSSL_PARAM } from "../ffi/structs.ts";
import type { Arena } from "../octets/arena.ts";
import { type Bytes, concat, erase } from "../octets/bytes.ts";
import { givenIvOctets, packetCipherRow, packetMacRow } from "./algorithms.ts";
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

const TAG_OCTETS = 16n;
/** As the length of "tlsivfixed": not a part of the nonce, but all of it. */
const WHOLE_NONCE = 0xffff_ffff_ffff_ffffn;
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

  const zeroIvAt = arena.reserve(16), zeroIvAddress = base + BigInt(zeroIvAt);
  const blockAt = arena.reserve(16), blockAddress = base + BigInt(blockAt);

  // OSSL_PARAM lists: tag and nonce, the nonce alone (the same list from its second row on), the tag alone. The addresses
  // are written for each packet.
  const params = arena.reserve(5 * OSSL_PARAM.octets);
  const rowAt = (row: number) => params + row * OSSL_PARAM.octets;
  const addressOfRow = (row: number) => base + BigInt(rowAt(row));
  const dataWord = (row: number) => (rowAt(row) + OSSL_PARAM.at.data) / 4;
  function writeParam(row: number, name: string, octets: bigint): void {
    const nameAt = arena.reserve(16);
    u8.set(cString(name), nameAt);
    view.setBigUint64(rowAt(row), base + BigInt(nameAt), true);
    view.setUint32(rowAt(row) + OSSL_PARAM.at.dataType, PARAM_OCTET_STRING, true);
    view.setBigUint64(rowAt(row) + OSSL_PARAM.at.dataOctets, octets, true);
  }
  writeParam(0, "tag", TAG_OCTETS);
  writeParam(1, "tlsivfixed", WHOLE_NONCE);
  writeParam(3, "tag", TAG_OCTETS);
  const tagAndNonce = addressOfRow(0), nonceAlone = addressOfRow(1), tagAlone = addressOfRow(3);
  const firstTagWord = dataWord(0), nonceWord = dataWord(1), tagWord = dataWord(3);
  const point = (word: number, at: number) => {
    const address = baseNumber + at;
    u32[word] = address; // modulo 2^32
    u32[word + 1] = address / 0x1_0000_0000;
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

  // Classes, because an object of functions is several times as large, and there is one for each SA.
  class LibcryptoAead implements Aead {
    readonly #algorithm: AeadName;
    readonly #key: Key;
    readonly #byParam: boolean;
    #sealing: Context = 0n;
    #opening: Context = 0n;

    constructor(algorithm: AeadName, key: Uint8Array, byParam: boolean) {
      packetCipherRow(algorithm, key.length);
      this.#algorithm = algorithm;
      this.#key = new Key(key);
      this.#byParam = byParam;
    }

    seal(nonceAt: number, aadAt: number, aadOctets: number, dataAt: number, dataOctets: number, tagAt: number): void {
      if (this.#sealing === 0n) this.#sealing = cipherContext(this.#algorithm, this.#key.octets, true);
      const context = this.#sealing;
      point(nonceWord, nonceAt);
      point(tagWord, tagAt);
      if (
        (this.#byParam
            ? s.EVP_CIPHER_CTX_set_params(context, nonceAlone)
            : s.EVP_EncryptInit_ex2(context, 0n, 0n, base + BigInt(nonceAt | 0), 0n)) !== 1 ||
        s.EVP_EncryptUpdate(context, 0n, lengthAddress, base + BigInt(aadAt | 0), aadOctets | 0) !== 1 ||
        (dataOctets !== 0 && s.EVP_EncryptUpdate(
              context,
              base + BigInt(dataAt | 0),
              lengthAddress,
              base + BigInt(dataAt | 0),
              dataOctets | 0,
            ) !== 1) ||
        s.EVP_EncryptFinal_ex(context, scratchAddress, lengthAddress) !== 1 ||
        s.EVP_CIPHER_CTX_get_params(context, tagAlone) !== 1
      ) failed(this.#algorithm);
    }

    open(
      nonceAt: number,
      aadAt: number,
      aadOctets: number,
      dataAt: number,
      dataOctets: number,
      tagAt: number,
    ): boolean {
      if (this.#opening === 0n) this.#opening = cipherContext(this.#algorithm, this.#key.octets, false);
      const context = this.#opening;
      point(nonceWord, nonceAt);
      point(this.#byParam ? firstTagWord : tagWord, tagAt);
      if (
        (this.#byParam
            ? s.EVP_CIPHER_CTX_set_params(context, tagAndNonce)
            : s.EVP_DecryptInit_ex2(context, 0n, 0n, base + BigInt(nonceAt | 0), tagAlone)) !== 1 ||
        s.EVP_DecryptUpdate(context, 0n, lengthAddress, base + BigInt(aadAt | 0), aadOctets | 0) !== 1 ||
        (dataOctets !== 0 && s.EVP_DecryptUpdate(
              context,
              base + BigInt(dataAt | 0),
              lengthAddress,
              base + BigInt(dataAt | 0),
              dataOctets | 0,
            ) !== 1)
      ) failed(this.#algorithm);
      return s.EVP_DecryptFinal_ex(context, scratchAddress, lengthAddress) === 1;
    }

    [Symbol.dispose](): void {
      s.EVP_CIPHER_CTX_free(this.#sealing);
      s.EVP_CIPHER_CTX_free(this.#opening);
      this.#sealing = this.#opening = 0n;
      this.#key.erase();
    }
  }

  /**
   * Whether AES-GCM takes its whole nonce as a parameter: in OpenSSL 3.0 that costs much less than EVP_EncryptInit_ex2,
   * which asks for the nonce's length by name each time. Tried out, because a nonce not taken would be one used twice.
   */
  function takesNonceAsParam(): boolean {
    const at = arena.reserve(64), nonceAt = at, dataAt = at + 16, tagAt = at + 32;
    const key = new Uint8Array(16);
    using plainly = new LibcryptoAead("aes-gcm", key, false);
    using asParam = new LibcryptoAead("aes-gcm", key, true);
    const sealed = (aead: Aead, nonce: number) => {
      u8.fill(nonce, nonceAt, dataAt).fill(0, dataAt, tagAt);
      aead.seal(nonceAt, nonceAt, 8, dataAt, 16, tagAt);
      return String(u8.subarray(dataAt, tagAt + 16));
    };
    try {
      return [1, 2].every((nonce) =>
        sealed(asParam, nonce) === sealed(plainly, nonce) && asParam.open(nonceAt, nonceAt, 8, dataAt, 16, tagAt)
      );
    } catch {
      return false; // no such parameter
    }
  }
  let nonceAsParam: boolean | undefined;

  function aead(algorithm: AeadName, key: Uint8Array): Aead {
    return new LibcryptoAead(algorithm, key, algorithm === "aes-gcm" && (nonceAsParam ??= takesNonceAsParam()));
  }

  /** A cipher whose IV libcrypto is told: all that CTR needs, where decrypting is encrypting. */
  class LibcryptoCipher implements PacketCipher {
    readonly #algorithm: PacketCipherName;
    readonly #key: Key;
    protected readonly ivOctets: number;
    protected encrypting: Context = 0n;
    protected decrypting: Context = 0n;

    constructor(algorithm: PacketCipherName, key: Uint8Array, ivOctets: number) {
      this.#algorithm = algorithm;
      this.#key = new Key(key);
      this.ivOctets = ivOctets;
    }

    encrypt(ivAt: number, dataAt: number, dataOctets: number): void {
      if (this.encrypting === 0n) this.encrypting = cipherContext(this.#algorithm, this.#key.octets, true);
      if (dataOctets === 0) return;
      if (s.EVP_EncryptInit_ex2(this.encrypting, 0n, 0n, base + BigInt(ivAt | 0), 0n) !== 1) failed(this.#algorithm);
      this.goOn(this.encrypting, dataAt, dataOctets);
    }

    encryptFresh(ivAt: number, dataAt: number, dataOctets: number): void {
      random(ivAt, this.ivOctets);
      this.encrypt(ivAt, dataAt, dataOctets);
    }

    decrypt(ivAt: number, dataAt: number, dataOctets: number): void {
      this.encrypt(ivAt, dataAt, dataOctets);
    }

    protected decryptUnder(ivAt: number, dataAt: number, dataOctets: number): void {
      if (this.decrypting === 0n) this.decrypting = cipherContext(this.#algorithm, this.#key.octets, false);
      if (dataOctets === 0) return;
      if (s.EVP_DecryptInit_ex2(this.decrypting, 0n, 0n, base + BigInt(ivAt | 0), 0n) !== 1) failed(this.#algorithm);
      this.goOn(this.decrypting, dataAt, dataOctets);
    }

    protected goOn(context: Context, at: number, octets: number): void {
      if (s.EVP_Cipher(context, base + BigInt(at | 0), base + BigInt(at | 0), octets | 0) < 1) failed(this.#algorithm);
    }

    [Symbol.dispose](): void {
      s.EVP_CIPHER_CTX_free(this.encrypting);
      s.EVP_CIPHER_CTX_free(this.decrypting);
      this.encrypting = this.decrypting = 0n;
      this.#key.erase();
    }
  }

  /**
   * CBC needs no call that sets an IV where the IV lies before the data: what a random block is encrypted to, with
   * whatever ciphertext was the last, is an unpredictable IV for what follows; and decrypted as if it were data, the IV
   * is lost, but what follows is right.
   */
  class LibcryptoCbc extends LibcryptoCipher {
    override encryptFresh(ivAt: number, dataAt: number, dataOctets: number): void {
      const { ivOctets } = this;
      if (ivAt + ivOctets !== dataAt) return super.encryptFresh(ivAt, dataAt, dataOctets);
      random(ivAt, ivOctets);
      if (this.encrypting === 0n) this.encrypt(zeroIvAt, blockAt, ivOctets);
      this.goOn(this.encrypting, ivAt, ivOctets + dataOctets);
    }

    override decrypt(ivAt: number, dataAt: number, dataOctets: number): void {
      const { ivOctets } = this;
      if (ivAt + ivOctets !== dataAt) return this.decryptUnder(ivAt, dataAt, dataOctets);
      if (this.decrypting === 0n) this.decryptUnder(zeroIvAt, blockAt, ivOctets);
      this.goOn(this.decrypting, ivAt, ivOctets + dataOctets);
    }
  }

  function cipher(algorithm: PacketCipherName, key: Uint8Array): PacketCipher {
    const row = packetCipherRow(algorithm, key.length);
    const known = CIPHERS[algorithm];
    if (!known || (known.legacy && !library!.legacy && algorithm !== "des-cbc")) return ours.cipher(algorithm, key);
    return new (row.blockOctets === 1 ? LibcryptoCipher : LibcryptoCbc)(algorithm, key, givenIvOctets(row));
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
    // An IV is a few words, for which calls cost more than a loop.
    if ((octets & 3) === 0 && octets <= 16) {
      for (let i = 0; i < octets; i += 4) {
        view.setInt32(at + i, view.getInt32(from + i));
        view.setInt32(from + i, 0);
      }
      return;
    }
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
