/**
 * Keys, hashes and IVs of IKE, written as RFC 2409 writes them. Nothing here decides anything: these are the formulas.
 *
 * @module
 */
import type { CipherRow } from "../crypto/algorithms.ts";
import { hash, HASHES, type HashName, hmac } from "../crypto/hash.ts";
import { Builder } from "../octets/builder.ts";
import { type Bytes, concat } from "../octets/bytes.ts";

/** prf = HMAC of the negotiated hash; no other is registered (RFC 2409 4). */
export const prf = (H: HashName, key: Uint8Array, ...parts: Uint8Array[]): Bytes => hmac(H, key, ...parts);

const octet = (value: number) => new Uint8Array([value]);
const u32 = (value: number) => new Builder().u32(value).finish();

/** RFC 2409 5: the key of everything, by the kind of authentication. */
export const SKEYID = {
  /** Signatures: prf(Ni_b | Nr_b, g^xy). */
  signature: (H: HashName, Ni_b: Uint8Array, Nr_b: Uint8Array, g_xy: Uint8Array) => prf(H, concat(Ni_b, Nr_b), g_xy),
  /** Pre-shared key: prf(pre-shared-key, Ni_b | Nr_b). */
  preShared: (H: HashName, key: Uint8Array, Ni_b: Uint8Array, Nr_b: Uint8Array) => prf(H, key, Ni_b, Nr_b),
};

/** The three keys of a phase 1 SA and the encryption key made of the last. */
export interface SkeyidKeys {
  readonly SKEYID: Bytes;
  readonly SKEYID_d: Bytes;
  readonly SKEYID_a: Bytes;
  readonly SKEYID_e: Bytes;
}

/** RFC 2409 5. */
export function deriveSkeyids(
  H: HashName,
  SKEYID: Bytes,
  g_xy: Uint8Array,
  CKY_I: Uint8Array,
  CKY_R: Uint8Array,
): SkeyidKeys {
  const SKEYID_d = prf(H, SKEYID, g_xy, CKY_I, CKY_R, octet(0));
  const SKEYID_a = prf(H, SKEYID, SKEYID_d, g_xy, CKY_I, CKY_R, octet(1));
  const SKEYID_e = prf(H, SKEYID, SKEYID_a, g_xy, CKY_I, CKY_R, octet(2));
  return { SKEYID, SKEYID_d, SKEYID_a, SKEYID_e };
}

/** The phase 1 encryption key: SKEYID_e, or K1 | K2 | ... where it is too short (RFC 2409 appendix B). */
export function encryptionKey(H: HashName, SKEYID_e: Uint8Array, keyOctets: number): Bytes {
  if (SKEYID_e.length >= keyOctets) return SKEYID_e.slice(0, keyOctets) as Bytes;
  const blocks = [prf(H, SKEYID_e, octet(0))];
  while (blocks.length * HASHES[H].outputOctets < keyOctets) blocks.push(prf(H, SKEYID_e, blocks.at(-1)!));
  return concat(...blocks).slice(0, keyOctets);
}

/** RFC 2409 5: proves the initiator. `SAi_b` and `IDii_b` are the octets that were sent. */
export function HASH_I(
  H: HashName,
  SKEYID: Uint8Array,
  { g_xi, g_xr, CKY_I, CKY_R, SAi_b, IDii_b }: Record<
    "g_xi" | "g_xr" | "CKY_I" | "CKY_R" | "SAi_b" | "IDii_b",
    Uint8Array
  >,
): Bytes {
  return prf(H, SKEYID, g_xi, g_xr, CKY_I, CKY_R, SAi_b, IDii_b);
}

/** RFC 2409 5: proves the responder. */
export function HASH_R(
  H: HashName,
  SKEYID: Uint8Array,
  { g_xi, g_xr, CKY_I, CKY_R, SAi_b, IDir_b }: Record<
    "g_xi" | "g_xr" | "CKY_I" | "CKY_R" | "SAi_b" | "IDir_b",
    Uint8Array
  >,
): Bytes {
  return prf(H, SKEYID, g_xr, g_xi, CKY_R, CKY_I, SAi_b, IDir_b);
}

/** RFC 2409 5.5: HASH(1); also the hash of informational and transaction messages. `rest`: the payloads after it, without padding. */
export const HASH_1 = (H: HashName, SKEYID_a: Uint8Array, messageId: number, rest: Uint8Array): Bytes =>
  prf(H, SKEYID_a, u32(messageId), rest);

export const HASH_2 = (
  H: HashName,
  SKEYID_a: Uint8Array,
  messageId: number,
  Ni_b: Uint8Array,
  rest: Uint8Array,
): Bytes => prf(H, SKEYID_a, u32(messageId), Ni_b, rest);

export const HASH_3 = (
  H: HashName,
  SKEYID_a: Uint8Array,
  messageId: number,
  Ni_b: Uint8Array,
  Nr_b: Uint8Array,
): Bytes => prf(H, SKEYID_a, octet(0), u32(messageId), Ni_b, Nr_b);

/** The IV of the first encrypted message of phase 1 (RFC 2409 appendix B). */
export const phase1Iv = (H: HashName, g_xi: Uint8Array, g_xr: Uint8Array, blockOctets: number): Bytes =>
  hash(H, g_xi, g_xr).slice(0, blockOctets);

/** The IV of the first message of an exchange after phase 1; `lastBlock` is the last cipher block of phase 1. */
export const exchangeIv = (H: HashName, lastBlock: Uint8Array, messageId: number, blockOctets: number): Bytes =>
  hash(H, lastBlock, u32(messageId)).slice(0, blockOctets);

/** What one direction of one protocol of a Quick Mode is keyed from. */
export interface KeymatInput {
  readonly SKEYID_d: Uint8Array;
  /** g(qm)^xy; absent without PFS. */
  readonly g_qm_xy?: Uint8Array;
  readonly protocol: number;
  /** Chosen by the receiver of the SA's packets. */
  readonly spi: Uint8Array;
  readonly Ni_b: Uint8Array;
  readonly Nr_b: Uint8Array;
}

/** KEYMAT of `octets` octets (RFC 2409 5.5). */
export function KEYMAT(H: HashName, input: KeymatInput, octets: number): Bytes {
  const { SKEYID_d, g_qm_xy = new Uint8Array(0), protocol, spi, Ni_b, Nr_b } = input;
  const seed = concat(g_qm_xy, octet(protocol), spi, Ni_b, Nr_b);
  const blocks = [prf(H, SKEYID_d, seed)];
  while (blocks.length * HASHES[H].outputOctets < octets) blocks.push(prf(H, SKEYID_d, blocks.at(-1)!, seed));
  return concat(...blocks).slice(0, octets);
}

/** Key length of ciphers with a variable one, where none was negotiated (RFC 2451 2.1, RFC 2409 appendix A): 128 bits. */
const DEFAULT_KEY_BITS = 128;

/** The negotiated key length in octets; `keyBits` undefined: none was negotiated. */
export function keyOctetsOf(cipher: CipherRow, keyBits: number | undefined): number {
  if (keyBits !== undefined) return keyBits / 8;
  return cipher.keyLengthAttribute === "forbidden" ? cipher.key.recommended : DEFAULT_KEY_BITS / 8;
}

/** NAT-D payload: H(CKY-I | CKY-R | IP | port), RFC 3947 3.2. */
export function natHash(H: HashName, CKY_I: Uint8Array, CKY_R: Uint8Array, ip: Uint8Array, port: number): Bytes {
  return hash(H, CKY_I, CKY_R, ip, new Builder().u16(port).finish());
}
