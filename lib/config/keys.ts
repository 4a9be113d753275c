/** Key files of ipsecadm and rc.vpn: hexadecimal text. @module */
import type { Bytes } from "../octets/bytes.ts";
import { parseHex } from "../octets/hex.ts";

/** A key file holds at least 1 and at most this many octets of text. */
export const MAX_KEY_FILE_OCTETS = 1024;

/**
 * The key that a file's text says. Blanks and newlines between digits do not count, so that two lines of a generator can
 * make one key.
 *
 * @throws {SyntaxError} saying what is wrong, with no digit of the key
 */
export function parseKeyText(text: string): Bytes {
  const digits = text.replaceAll(/\s/g, "");
  if (digits === "") throw new SyntaxError("the file holds no key: hexadecimal digits are needed");
  if (text.length > MAX_KEY_FILE_OCTETS) {
    throw new SyntaxError(`the file holds ${text.length} octets: ${MAX_KEY_FILE_OCTETS} are the most`);
  }
  return parseHex(digits);
}

/** What is wrong with a key file's mode; undefined: only its owner can read it. */
export function keyFileComplaint(mode: number): string | undefined {
  if (mode & 0o077) {
    return `others can read or change it (mode 0${(mode & 0o777).toString(8)}): "chmod 600" makes it private`;
  }
  return undefined;
}
