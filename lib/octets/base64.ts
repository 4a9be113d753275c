/** Base64 text (RFC 4648 section 4). @module */
import type { Bytes } from "./bytes.ts";

/** Base64 with padding, on one line. */
export function formatBase64(octets: Uint8Array): string {
  let text = "";
  for (let at = 0; at < octets.length; at += 8192) text += String.fromCharCode(...octets.subarray(at, at + 8192));
  return btoa(text);
}

/**
 * Octets of base64 text without blanks; padding may be left out.
 *
 * @throws {SyntaxError} on any other character or an impossible length. The message never repeats the text.
 */
export function parseBase64(text: string): Bytes {
  const digits = text.replace(/={0,2}$/, "");
  const bad = /[^A-Za-z0-9+/]/.exec(digits);
  if (bad) throw new SyntaxError(`Cannot parse base64: character ${bad.index + 1} is not one of its digits`);
  if (digits.length % 4 === 1 || (text.length > digits.length && text.length % 4 !== 0)) {
    throw new SyntaxError(`Cannot parse base64: ${text.length} characters cannot be`);
  }
  const decoded = atob(digits);
  const octets = new Uint8Array(decoded.length);
  for (let i = 0; i < octets.length; i++) octets[i] = decoded.charCodeAt(i);
  return octets;
}
