/**
 * Text as KeyNote sees it: octets. RFC 2704 speaks of ASCII strings compared by octet, and `"\351"` makes an octet, so
 * every string in lib/keynote is an *octet string*: a JavaScript string whose characters are all below U+0100.
 *
 * @module
 */
import { type Bytes, encodeText } from "../octets/bytes.ts";

/** A stretch of an assertion's text: offsets of its first character and of the one after its last. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** Where an assertion came from: a file (or any name for people), and the line it begins on, counted from 1. */
export interface Source {
  readonly name: string;
  readonly line: number;
}

/** Bounds on what is accepted. RFC 2704 section 3 asks for 2048 characters in names and values at least. */
export const LIMITS = {
  assertionOctets: 1 << 20,
  valueOctets: 1 << 16,
  nesting: 100,
  regexStates: 20_000,
  /** Elementary steps of one query: tree nodes visited plus states visited by regular expressions. */
  querySteps: 5_000_000,
} as const;

/** Assertion text that is not KeyNote: what, and where in the assertion. */
export class KeyNoteSyntaxError extends Error {
  override name = "KeyNoteSyntaxError";
  constructor(message: string, readonly span: Span) {
    super(message);
  }
}

/** The octet string of octets. */
export function octetString(octets: Uint8Array): string {
  let text = "";
  for (let at = 0; at < octets.length; at += 8192) text += String.fromCharCode(...octets.subarray(at, at + 8192));
  return text;
}

/** The octet string of ordinary text, in UTF-8. */
export const octetsOfText = (text: string): string => /^[\0-\x7f]*$/.test(text) ? text : octetString(encodeText(text));

/** The octets of an octet string. */
export function octetsOf(text: string): Bytes {
  const octets = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) octets[i] = text.charCodeAt(i);
  return octets;
}

/** Line and column, both from 1, of an offset within an assertion that begins at `source`. */
export function positionOf(text: string, source: Source, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  const lastNewline = before.lastIndexOf("\n");
  let newlines = 0;
  for (const character of before) if (character === "\n") newlines++;
  return { line: source.line + newlines, column: offset - lastNewline };
}
