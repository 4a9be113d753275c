/** Hexadecimal text. @module */
import type { Bytes } from "./bytes.ts";

const HEX = Array.from({ length: 256 }, (_, octet) => octet.toString(16).padStart(2, "0"));

/** Two lower-case digits an octet. */
export function formatHex(octets: Uint8Array): string {
  let text = "";
  for (const octet of octets) text += HEX[octet];
  return text;
}

/**
 * Octets of hexadecimal text, either case, no prefix, no blanks.
 *
 * @throws {SyntaxError} on an odd number of digits or a character that is no hex digit. The message never repeats the
 * text, which may be a key.
 */
export function parseHex(text: string): Bytes {
  const bad = /[^0-9a-fA-F]/.exec(text);
  if (bad) throw new SyntaxError(`Cannot parse hex: character ${bad.index + 1} is not a hexadecimal digit`);
  if (text.length % 2) throw new SyntaxError(`Cannot parse hex: ${text.length} digits, an even number is needed`);
  const octets = new Uint8Array(text.length / 2);
  for (let i = 0; i < octets.length; i++) octets[i] = parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return octets;
}
