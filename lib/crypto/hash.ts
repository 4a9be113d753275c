/**
 * Hash functions and HMAC (RFC 2104) over whole octet strings. libcrypto does them where it can be loaded, in
 * a small part of node:crypto's time: key exchange computes dozens for every SA.
 *
 * @module
 */
import { createHash, createHmac } from "node:crypto";
import type { Bytes } from "../octets/bytes.ts";
import { nativeHash, nativeHmac } from "./libcrypto_octets.ts";

/** Names as node:crypto and libcrypto both know them. */
export type HashName = "md5" | "sha1" | "sha256" | "sha384" | "sha512" | "ripemd160";

/** Output and block length of each hash. */
export const HASHES: Readonly<Record<HashName, { readonly outputOctets: number; readonly blockOctets: number }>> = {
  md5: { outputOctets: 16, blockOctets: 64 },
  sha1: { outputOctets: 20, blockOctets: 64 },
  sha256: { outputOctets: 32, blockOctets: 64 },
  sha384: { outputOctets: 48, blockOctets: 128 },
  sha512: { outputOctets: 64, blockOctets: 128 },
  ripemd160: { outputOctets: 20, blockOctets: 64 },
};

/** The hash of all `parts`, one after the other. */
export function hash(name: HashName, ...parts: Uint8Array[]): Bytes {
  const native = nativeHash(name, parts);
  if (native) return native;
  const state = createHash(name);
  for (const part of parts) state.update(part);
  return new Uint8Array(state.digest());
}

/** HMAC of all `parts`, one after the other, not truncated. */
export function hmac(name: HashName, key: Uint8Array, ...parts: Uint8Array[]): Bytes {
  const native = nativeHmac(name, key, parts);
  if (native) return native;
  const state = createHmac(name, key);
  for (const part of parts) state.update(part);
  return new Uint8Array(state.digest());
}
