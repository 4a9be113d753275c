/**
 * libcrypto for whole octet strings: what key exchange hashes, encrypts and raises to powers. Octets go through one
 * memory of this thread, which holds nothing any more when a call returns. Where libcrypto cannot be loaded, lacks
 * something or the octets are too many, the answer is undefined; then node:crypto or our own code does it.
 *
 * @module
 */
import { addressOf } from "../ffi/address.ts";
import { cString, type Libcrypto, loadLibcrypto } from "../ffi/libcrypto.ts";
import { type Arena, createArena } from "../octets/arena.ts";
import { type Bytes, concat, erase } from "../octets/bytes.ts";
import { HASHES, type HashName } from "./hash.ts";
import { type HashFunctions, hashFunctions, MOST_STATE_OCTETS } from "./libcrypto_hash.ts";

/** An HMAC's padded key and the largest message: whole blocks of every cipher. */
const DATA_OCTETS = 128 + 65536;
const MOST_OUTPUT_OCTETS = 64;

interface Native {
  readonly library: Libcrypto;
  readonly arena: Arena;
  readonly hashes: HashFunctions | undefined;
  readonly stateAt: number;
  readonly outAt: number;
  readonly dataAt: number;
  /** EVP_CIPHERs by name; 0n: there is none. */
  readonly ciphers: Map<string, bigint>;
}

let native: Native | undefined;

function load(): Native | undefined {
  const library = loadLibcrypto();
  if (!library) return undefined;
  if (native?.library === library) return native;
  const arena = createArena(DATA_OCTETS + 4096, addressOf);
  return native = {
    library,
    arena,
    hashes: hashFunctions(library),
    stateAt: arena.reserve(MOST_STATE_OCTETS),
    outAt: arena.reserve(MOST_OUTPUT_OCTETS),
    dataAt: arena.reserve(DATA_OCTETS),
    ciphers: new Map(),
  };
}

function failed(call: string): never {
  throw new Error(`libcrypto: ${call} failed`);
}

const total = (parts: readonly Uint8Array[]) => {
  let octets = 0;
  for (const part of parts) octets += part.length;
  return octets;
};

/** Hashes the `octets` at `dataAt` to `outAt`. */
function digest({ arena: { base }, hashes, stateAt, outAt, dataAt }: Native, name: HashName, octets: number): void {
  const [init, update, final] = hashes![name];
  init(base + BigInt(stateAt | 0));
  update(base + BigInt(stateAt | 0), base + BigInt(dataAt | 0), BigInt(octets | 0));
  final(base + BigInt(outAt | 0), base + BigInt(stateAt | 0));
}

/** Forgets what was hashed, which may be a secret, and gives the result out. */
function result({ arena: { u8 }, stateAt, outAt, dataAt }: Native, name: HashName, octets: number): Bytes {
  const { outputOctets } = HASHES[name];
  const out = new Uint8Array(outputOctets);
  for (let i = 0; i < outputOctets; i++) out[i] = u8[outAt + i];
  u8.fill(0, stateAt, outAt + outputOctets);
  u8.fill(0, dataAt, dataAt + octets);
  return out;
}

/** The hash of all `parts`, one after the other. */
export function nativeHash(name: HashName, parts: readonly Uint8Array[]): Bytes | undefined {
  const here = load();
  const octets = total(parts);
  if (!here?.hashes || octets > DATA_OCTETS) return undefined;
  let at = here.dataAt;
  for (const part of parts) {
    here.arena.u8.set(part, at);
    at += part.length;
  }
  digest(here, name, octets);
  return result(here, name, octets);
}

/** HMAC of all `parts`, one after the other. */
export function nativeHmac(name: HashName, givenKey: Uint8Array, parts: readonly Uint8Array[]): Bytes | undefined {
  const here = load();
  const { blockOctets, outputOctets } = HASHES[name];
  const octets = blockOctets + total(parts);
  if (!here?.hashes || octets > DATA_OCTETS) return undefined;
  const key = givenKey.length > blockOctets ? nativeHash(name, [givenKey]) : givenKey;
  if (!key) return undefined;
  const { arena: { u8 }, dataAt, outAt } = here;
  const pad = (octet: number) => {
    u8.fill(octet, dataAt, dataAt + blockOctets);
    for (let i = 0; i < key.length; i++) u8[dataAt + i] = key[i] ^ octet;
  };
  pad(0x36);
  let at = dataAt + blockOctets;
  for (const part of parts) {
    u8.set(part, at);
    at += part.length;
  }
  digest(here, name, octets);
  pad(0x5c);
  u8.copyWithin(dataAt + blockOctets, outAt, outAt + outputOctets);
  digest(here, name, blockOctets + outputOctets);
  return result(here, name, Math.max(octets, blockOctets + outputOctets));
}

/** Whole blocks in CBC mode under one key, of which each call makes a context anew: none lives longer than its message. */
export class NativeCbc implements Disposable {
  readonly #here: Native;
  readonly #cipher: bigint;
  readonly #key: Bytes;

  private constructor(here: Native, cipher: bigint, key: Bytes) {
    this.#here = here;
    this.#cipher = cipher;
    this.#key = key;
  }

  /** @param name libcrypto's, as "AES-128-CBC" @param key is copied */
  static create(name: string, key: Uint8Array): NativeCbc | undefined {
    const here = load();
    if (!here) return undefined;
    let cipher = here.ciphers.get(name);
    if (cipher === undefined) {
      const { symbols, context } = here.library;
      cipher = BigInt(Deno.UnsafePointer.value(symbols.EVP_CIPHER_fetch(context, cString(name), null)));
      here.ciphers.set(name, cipher);
    }
    return cipher === 0n ? undefined : new NativeCbc(here, cipher, concat(key));
  }

  encrypt(iv: Uint8Array, data: Uint8Array): Bytes {
    return this.#run(true, iv, data);
  }

  decrypt(iv: Uint8Array, data: Uint8Array): Bytes {
    return this.#run(false, iv, data);
  }

  #run(encrypt: boolean, iv: Uint8Array, data: Uint8Array): Bytes {
    const { arena: { u8, base }, dataAt, outAt, library: { symbols: s } } = this.#here;
    u8.set(iv, outAt);
    u8.set(this.#key, dataAt);
    const context = s.EVP_CIPHER_CTX_new();
    const at = base + BigInt(dataAt | 0);
    const init = encrypt ? s.EVP_EncryptInit_ex2 : s.EVP_DecryptInit_ex2;
    let done = init(context, this.#cipher, at, base + BigInt(outAt | 0), 0n) === 1;
    u8.fill(0, dataAt, dataAt + this.#key.length);
    const out = new Uint8Array(data.length);
    for (let from = 0; from < data.length; from += DATA_OCTETS) {
      const octets = Math.min(DATA_OCTETS, data.length - from);
      u8.set(data.subarray(from, from + octets), dataAt);
      // It neither pads nor keeps anything back.
      done &&= s.EVP_Cipher(context, at, at, octets) >= 1;
      out.set(u8.subarray(dataAt, dataAt + octets), from);
      u8.fill(0, dataAt, dataAt + octets);
    }
    s.EVP_CIPHER_CTX_free(context);
    return done ? out : failed("EVP_Cipher");
  }

  [Symbol.dispose](): void {
    erase(this.#key);
  }
}

/** base to the exponent modulo an odd modulus, all big-endian, in time that does not depend on the exponent's bits. */
export function nativeModExp(base: Uint8Array, exponent: Uint8Array, modulus: Uint8Array): Bytes | undefined {
  const library = loadLibcrypto();
  if (!library) return undefined;
  const s = library.symbols;
  const numbers = [base, exponent, modulus].map((octets) => s.BN_bin2bn(octets as Bytes, octets.length, null));
  const [b, e, m] = numbers;
  const result = s.BN_new(), context = s.BN_CTX_new();
  const out = new Uint8Array(modulus.length);
  const done = s.BN_nnmod(b, b, m, context) === 1 &&
    s.BN_mod_exp_mont_consttime(result, b, e, m, context, null) === 1 &&
    s.BN_bn2binpad(result, out, out.length) === out.length;
  for (const number of [...numbers, result]) s.BN_clear_free(number);
  s.BN_CTX_free(context);
  return done ? out : failed("BN_mod_exp");
}
