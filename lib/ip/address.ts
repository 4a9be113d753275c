/** IPv4 and IPv6 addresses and prefixes as text and octets. @module */
import { type Bytes, equal } from "../octets/bytes.ts";

/** An IP address: 4 octets (IPv4) or 16 (IPv6), network order. */
export interface Address {
  readonly family: 4 | 6;
  readonly octets: Bytes;
}

/** A network: an address whose host bits are zero, and the length of its mask in bits. */
export interface Prefix {
  readonly address: Address;
  readonly length: number;
}

/** An address of 4 or 16 octets. @throws {RangeError} on any other number. */
export function address(octets: Uint8Array): Address {
  if (octets.length !== 4 && octets.length !== 16) {
    throw new RangeError(`Cannot make an IP address of ${octets.length} octets: 4 or 16 are needed`);
  }
  return { family: octets.length === 4 ? 4 : 6, octets: octets.slice() as Bytes };
}

/** The unspecified address, 0.0.0.0 or ::. */
export function unspecified(family: 4 | 6): Address {
  return { family, octets: new Uint8Array(family === 4 ? 4 : 16) };
}

export function isUnspecified(address: Address): boolean {
  return address.octets.every((octet) => octet === 0);
}

export function equalAddress(a: Address, b: Address): boolean {
  return equal(a.octets, b.octets);
}

function parseV4(text: string): Bytes | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (!match) return undefined;
  const octets = match.slice(1).map(Number);
  return octets.every((octet) => octet <= 255) ? new Uint8Array(octets) : undefined;
}

function parseV6(text: string): Bytes | undefined {
  let rest = text;
  const tail: number[] = [];
  const embedded = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (embedded) {
    const v4 = parseV4(embedded[2]);
    if (!v4) return undefined;
    tail.push(v4[0] << 8 | v4[1], v4[2] << 8 | v4[3]);
    rest = embedded[1].endsWith("::") ? embedded[1] : embedded[1].slice(0, -1);
  }
  const halves = rest.split("::");
  if (halves.length > 2) return undefined;
  const groups = (half: string) => half === "" ? [] : half.split(":");
  const front = groups(halves[0]);
  const back = halves.length === 2 ? groups(halves[1]) : [];
  if (![...front, ...back].every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  const known = front.length + back.length + tail.length;
  if (halves.length === 2 ? known > 7 : known !== 8) return undefined;
  const numbers = [...front, ...Array(8 - known).fill("0"), ...back].map((group) => parseInt(group, 16)).concat(tail);
  const octets = new Uint8Array(16);
  numbers.forEach((group, i) => {
    octets[2 * i] = group >> 8;
    octets[2 * i + 1] = group & 255;
  });
  return octets;
}

/** Whether `text` is a numeric IPv4 or IPv6 address. */
export function isAddress(text: string): boolean {
  return (parseV4(text) ?? parseV6(text)) !== undefined;
}

/** A numeric address. Host names are refused: who is protected must not depend on a name server. @throws {SyntaxError} */
export function parseAddress(text: string): Address {
  const octets = parseV4(text) ?? parseV6(text);
  if (!octets) throw new SyntaxError(`Cannot parse address "${text}": an IPv4 or IPv6 address is needed`);
  return address(octets);
}

/** Dotted decimal, or RFC 5952 text. */
export function formatAddress({ family, octets }: Address): string {
  if (family === 4) return octets.join(".");
  const groups = Array.from({ length: 8 }, (_, i) => octets[2 * i] << 8 | octets[2 * i + 1]);
  let best = { at: -1, length: 1 };
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (at + length < 8 && groups[at + length] === 0) length++;
    if (length > best.length) best = { at, length };
  }
  const hex = (from: number, to: number) => groups.slice(from, to).map((group) => group.toString(16)).join(":");
  return best.at < 0 ? hex(0, 8) : `${hex(0, best.at)}::${hex(best.at + best.length, 8)}`;
}

/** The mask of `length` bits as an address. */
export function maskOf(family: 4 | 6, length: number): Address {
  const octets = new Uint8Array(family === 4 ? 4 : 16);
  for (let i = 0; i < octets.length; i++) octets[i] = 0xff00 >> Math.min(8, Math.max(0, length - 8 * i)) & 0xff;
  return { family, octets };
}

/** The length of a mask in bits. @throws {RangeError} when its one bits are not contiguous. */
export function lengthOfMask(mask: Address): number {
  let length = 0;
  for (const octet of mask.octets) {
    length += 8 - (Math.clz32(~octet & 0xff) - 24 === 8 ? 0 : 32 - Math.clz32(~octet & 0xff));
  }
  if (!equalAddress(maskOf(mask.family, length), mask)) {
    throw new RangeError(`Cannot use mask ${formatAddress(mask)}: its one bits must be contiguous`);
  }
  return length;
}

/** The prefix of `length` bits that holds `address`; host bits are cleared. @throws {RangeError} on a length too long. */
export function prefixOf(address: Address, length: number): Prefix {
  const bits = 8 * address.octets.length;
  if (!Number.isInteger(length) || length < 0 || length > bits) {
    throw new RangeError(`Cannot use prefix length ${length}: 0 to ${bits} is allowed`);
  }
  const mask = maskOf(address.family, length).octets;
  return { address: { family: address.family, octets: address.octets.map((octet, i) => octet & mask[i]) }, length };
}

/** `ADDRESS/LENGTH`, or an address alone (its full length). @throws {SyntaxError} @throws {RangeError} */
export function parsePrefix(text: string): Prefix {
  const slash = text.indexOf("/");
  const parsed = parseAddress(slash < 0 ? text : text.slice(0, slash));
  const tail = slash < 0 ? String(8 * parsed.octets.length) : text.slice(slash + 1);
  if (isAddress(tail)) return prefixOf(parsed, lengthOfMask(parseAddress(tail)));
  if (!/^\d{1,3}$/.test(tail)) {
    throw new SyntaxError(`Cannot parse prefix "${text}": a length in bits follows the slash`);
  }
  return prefixOf(parsed, Number(tail));
}

export function formatPrefix({ address, length }: Prefix): string {
  return `${formatAddress(address)}/${length}`;
}

/** Whether the address lies in the prefix. */
export function contains(prefix: Prefix, address: Address): boolean {
  return prefix.address.family === address.family &&
    equalAddress(prefixOf(address, prefix.length).address, prefix.address);
}

/** Whether every address of `inner` is one of `outer`. */
export function covers(outer: Prefix, inner: Prefix): boolean {
  return outer.length <= inner.length && contains(outer, inner.address);
}

/** Whether two prefixes have an address in common. */
export function overlaps(a: Prefix, b: Prefix): boolean {
  return covers(a, b) || covers(b, a);
}
