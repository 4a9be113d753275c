/** The keyed hash of RFC 1828 and RFC 1852: H(key, key fill, data, key). @module */
import type { Bytes } from "../octets/bytes.ts";

/**
 * The key and its fill: the padding that the hash would append to the key alone, up to the next 64-octet boundary. The
 * length in it is little-endian for MD5, big-endian for SHA-1.
 */
export function filledKey(hash: "md5" | "sha1", key: Uint8Array): Bytes {
  const out = new Uint8Array(Math.ceil((key.length + 9) / 64) * 64);
  out.set(key);
  out[key.length] = 0x80;
  new DataView(out.buffer).setBigUint64(out.length - 8, BigInt(8 * key.length), hash === "md5");
  return out;
}
