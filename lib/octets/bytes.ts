/** Operations on octet strings that every layer needs. @module */
import { timingSafeEqual } from "@std/crypto/timing-safe-equal";

/** Octets backed by an ordinary ArrayBuffer. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** The octets of all `parts`, one after the other. */
export function concat(...parts: Uint8Array[]): Bytes {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Whether two octet strings are the same, in time that depends on the content of neither. For MACs, hashes, cookies, keys. */
export function equalConstantTime(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Whether two public octet strings are the same; may stop at the first difference. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Order of two octet strings as big-endian numbers of their own length: shorter first, then by value. */
export function compare(a: Uint8Array, b: Uint8Array): number {
  if (a.length !== b.length) return a.length - b.length;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return 0;
}

/** Overwrites secrets that are no longer needed. */
export function erase(...secrets: Uint8Array[]): void {
  for (const secret of secrets) secret.fill(0);
}

const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder();

/** The UTF-8 octets of `text`. */
export const encodeText = (text: string): Bytes => utf8Encoder.encode(text) as Bytes;

/** The text of UTF-8 octets; a malformed sequence becomes U+FFFD. */
export const decodeText = (octets: Uint8Array): string => utf8Decoder.decode(octets);
