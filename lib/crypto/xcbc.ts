/** The subkeys of AES-XCBC-MAC (RFC 3566 4). @module */
import { createCipheriv } from "node:crypto";
import { type Bytes, concat } from "../octets/bytes.ts";

/** K1 (the cipher's key), K2 (added to a full last block) and K3 (added to a filled-up one), one after the other. */
export function xcbcSubkeys(key: Uint8Array): Bytes {
  const cipher = createCipheriv("aes-128-ecb", key, null);
  cipher.setAutoPadding(false);
  return concat(...[1, 2, 3].map((octet) => cipher.update(new Uint8Array(16).fill(octet))));
}
