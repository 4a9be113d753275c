/** ASN.1 distinguished encoding (X.690): reading strictly, writing minimally. @module */
import { type Bytes, concat } from "./bytes.ts";
import { DecodeError } from "./reader.ts";

/** Tags of the universal types used here, in their primitive or constructed form. */
export const DER = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  NULL: 0x05,
  OBJECT_IDENTIFIER: 0x06,
  ENUMERATED: 0x0a,
  UTF8_STRING: 0x0c,
  PRINTABLE_STRING: 0x13,
  IA5_STRING: 0x16,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  SEQUENCE: 0x30,
  SET: 0x31,
} as const;

/** The context-specific tag `[number]` in its constructed or primitive form. */
export const contextTag = (number: number, constructed = true): number => (constructed ? 0xa0 : 0x80) | number;

/** One element: its tag octet, its contents, and both with the length between them. */
export interface DerElement {
  readonly tag: number;
  readonly content: Uint8Array;
  readonly raw: Uint8Array;
}

function elementAt(octets: Uint8Array, at: number, what: string): DerElement {
  if (octets.length - at < 2) {
    throw new DecodeError(`${what}: needs a tag and a length, ${octets.length - at} octets left`);
  }
  const tag = octets[at];
  if ((tag & 0x1f) === 0x1f) throw new DecodeError(`${what}: tag numbers above 30 are not used here`);
  let length = octets[at + 1];
  let header = 2;
  if (length === 0x80) throw new DecodeError(`${what}: indefinite length is not DER`);
  if (length > 0x80) {
    const count = length & 0x7f;
    if (count > 4) throw new DecodeError(`${what}: a length of ${count} octets`);
    if (octets.length - at < 2 + count) throw new DecodeError(`${what}: cut off within its length`);
    length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + octets[at + 2 + i];
    if (length < 0x80 || length < 256 ** (count - 1)) {
      throw new DecodeError(`${what}: length is not in its shortest form`);
    }
    header += count;
  }
  const end = at + header + length;
  if (end > octets.length) {
    throw new DecodeError(`${what}: needs ${length} octets, ${octets.length - at - header} left`);
  }
  return { tag, content: octets.subarray(at + header, end), raw: octets.subarray(at, end) };
}

/** The one element that `octets` is. @throws {DecodeError} when it is cut off, not DER, of another tag, or followed by more */
export function readDer(octets: Uint8Array, tag?: number, what = "DER"): DerElement {
  const element = elementAt(octets, 0, what);
  if (element.raw.length !== octets.length) {
    throw new DecodeError(`${what}: ${octets.length - element.raw.length} octets too many`);
  }
  return expectTag(element, tag, what);
}

/** `element` itself. @throws {DecodeError} when it is absent or has another tag */
export function expectTag(element: DerElement | undefined, tag: number | undefined, what: string): DerElement {
  if (!element) throw new DecodeError(`${what}: missing`);
  if (tag !== undefined && element.tag !== tag) {
    throw new DecodeError(`${what}: tag 0x${element.tag.toString(16)} in place of 0x${tag.toString(16)}`);
  }
  return element;
}

/** The elements inside a constructed one. @throws {DecodeError} */
export function derChildren(element: DerElement, what = "DER"): DerElement[] {
  const children: DerElement[] = [];
  for (let at = 0; at < element.content.length;) {
    const child = elementAt(element.content, at, what);
    children.push(child);
    at += child.raw.length;
  }
  return children;
}

/** The magnitude of a non-negative INTEGER, without leading zeros (0 is no octets). @throws {DecodeError} */
export function derUnsigned(element: DerElement | undefined, what = "INTEGER"): Bytes {
  const { content } = expectTag(element, DER.INTEGER, what);
  if (content.length === 0) throw new DecodeError(`${what}: an INTEGER of no octets`);
  if (content[0] & 0x80) throw new DecodeError(`${what}: negative`);
  if (content.length > 1 && content[0] === 0 && !(content[1] & 0x80)) {
    throw new DecodeError(`${what}: not in its shortest form`);
  }
  return content.slice(content[0] === 0 ? 1 : 0) as Bytes;
}

/** The dotted form of an OBJECT IDENTIFIER. @throws {DecodeError} */
export function derOid(element: DerElement | undefined, what = "OBJECT IDENTIFIER"): string {
  const { content } = expectTag(element, DER.OBJECT_IDENTIFIER, what);
  const arcs: number[] = [];
  let arc = 0;
  content.forEach((octet, i) => {
    arc = arc * 128 + (octet & 0x7f);
    if (arc > Number.MAX_SAFE_INTEGER) throw new DecodeError(`${what}: an arc too large`);
    if (octet & 0x80) {
      if (i === content.length - 1) throw new DecodeError(`${what}: cut off within an arc`);
      return;
    }
    if (arcs.length === 0) arcs.push(Math.min(2, Math.floor(arc / 40)), arc - 40 * Math.min(2, Math.floor(arc / 40)));
    else arcs.push(arc);
    arc = 0;
  });
  if (arcs.length === 0) throw new DecodeError(`${what}: of no octets`);
  return arcs.join(".");
}

/** An element with `tag` around the parts. */
export function encodeDer(tag: number, ...parts: Uint8Array[]): Bytes {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const digits: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) digits.unshift(rest % 256);
  const header = length < 0x80 ? [tag, length] : [tag, 0x80 | digits.length, ...digits];
  return concat(new Uint8Array(header), ...parts);
}

export const encodeSequence = (...parts: Uint8Array[]): Bytes => encodeDer(DER.SEQUENCE, ...parts);
export const encodeOctetString = (octets: Uint8Array): Bytes => encodeDer(DER.OCTET_STRING, octets);
export const encodeNull = (): Bytes => encodeDer(DER.NULL);
/** A BIT STRING of whole octets. */
export const encodeBitString = (octets: Uint8Array): Bytes => encodeDer(DER.BIT_STRING, new Uint8Array(1), octets);

/** The INTEGER of a big-endian magnitude, leading zeros allowed. */
export function encodeUnsigned(magnitude: Uint8Array): Bytes {
  let start = 0;
  while (start < magnitude.length && magnitude[start] === 0) start++;
  const octets = magnitude.subarray(start);
  return encodeDer(DER.INTEGER, new Uint8Array(octets.length === 0 || octets[0] & 0x80 ? 1 : 0), octets);
}

/** An OBJECT IDENTIFIER from its dotted form. */
export function encodeOid(dotted: string): Bytes {
  const [first, second, ...rest] = dotted.split(".").map(Number);
  const octets: number[] = [];
  for (const arc of [40 * first + second, ...rest]) {
    const digits = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) digits.unshift(0x80 | left % 128);
    octets.push(...digits);
  }
  return encodeDer(DER.OBJECT_IDENTIFIER, new Uint8Array(octets));
}
