/**
 * What the datapath asks of cryptography: operations in place on the arena, with one key schedule per SA. Two backends
 * satisfy it: libcrypto through FFI (`libcrypto.ts`, fast) and node:crypto (`node.ts`, always there).
 *
 * All `...At` arguments are arena offsets, all `...Octets` arguments are lengths. Nothing here allocates per call in the
 * libcrypto backend. Contexts are created on first use of each direction, because most SAs are used in only one.
 *
 * @module
 */

/** AEAD algorithms: AES-GCM (RFC 4106; also GMAC, with no data), ChaCha20-Poly1305 (RFC 7634). */
export type AeadName = "aes-gcm" | "chacha20-poly1305";
/** Ciphers without authentication; the key length chooses AES-128/192/256. */
export type PacketCipherName =
  | "des-cbc"
  | "3des-cbc"
  | "blowfish-cbc"
  | "cast128-cbc"
  | "skipjack-cbc"
  | "aes-cbc"
  | "aes-ctr";
/** MACs; `keyed-*` are the RFC 1828/1852 forms H(key, fill, data, key). */
export type MacName =
  | "hmac-md5"
  | "hmac-sha1"
  | "hmac-ripemd160"
  | "hmac-sha256"
  | "hmac-sha384"
  | "hmac-sha512"
  | "aes-xcbc"
  | "keyed-md5"
  | "keyed-sha1";

/** An AEAD keyed for one SA; the 12-octet nonce (salt, IV) lies at `nonceAt`, the tag is 16 octets. */
export interface Aead extends Disposable {
  /** Encrypts `dataOctets` octets in place and writes the tag to `tagAt`. */
  seal(nonceAt: number, aadAt: number, aadOctets: number, dataAt: number, dataOctets: number, tagAt: number): void;
  /** Decrypts in place; false when the tag at `tagAt` is wrong, and the data is then worthless. */
  open(nonceAt: number, aadAt: number, aadOctets: number, dataAt: number, dataOctets: number, tagAt: number): boolean;
}

/** A cipher keyed for one SA. CBC: `dataOctets` is a multiple of the block; the IV is one block. CTR: the IV is the whole 16-octet first counter block. */
export interface PacketCipher extends Disposable {
  encrypt(ivAt: number, dataAt: number, dataOctets: number): void;
  /** Writes an unpredictable IV to `ivAt` and encrypts under it. */
  encryptFresh(ivAt: number, dataAt: number, dataOctets: number): void;
  /** The IV may be lost. */
  decrypt(ivAt: number, dataAt: number, dataOctets: number): void;
}

/** A MAC keyed for one SA. `finish` and `compute` write the whole, untruncated value ({@linkcode PacketMac.octets} octets). */
export interface PacketMac extends Disposable {
  readonly octets: number;
  compute(dataAt: number, dataOctets: number, outAt: number): void;
  begin(): void;
  update(dataAt: number, dataOctets: number): void;
  finish(outAt: number): void;
}

/** A backend bound to one arena. */
export interface PacketCrypto {
  readonly name: "libcrypto" | "node:crypto";
  /** @throws {RangeError} on a key length the algorithm does not have; the salt is not part of `key`. */
  aead(algorithm: AeadName, key: Uint8Array): Aead;
  /** @throws {RangeError} likewise, or when this backend has no such cipher (the message says what would help). */
  cipher(algorithm: PacketCipherName, key: Uint8Array): PacketCipher;
  mac(algorithm: MacName, key: Uint8Array): PacketMac;
  /** Fills with unpredictable octets (IVs, padding). */
  random(at: number, octets: number): void;
}
