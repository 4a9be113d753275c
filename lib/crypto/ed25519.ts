/** Ed25519 signatures of certificates (RFC 8032, RFC 8410), by node:crypto. @module */
import { Buffer } from "node:buffer";
import { createPublicKey, verify } from "node:crypto";
import { type Ed25519PublicKey, encodePublicKey } from "./keys.ts";

const SIGNATURE_OCTETS = 64;

/** Whether `signature` is the key's over `data`. */
export function verifyEd25519(key: Ed25519PublicKey, data: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_OCTETS) return false;
  const object = createPublicKey({ key: Buffer.from(encodePublicKey(key)), format: "der", type: "spki" });
  return verify(null, data, object, signature);
}
