/** Attributes of RFC 2522 13, RFC 2523 5 and OpenBSD's private ones; lists of them on the wire. @module */
import { type Bytes, equal } from "../octets/bytes.ts";
import { Builder } from "../octets/builder.ts";
import { DecodeError, Reader } from "../octets/reader.ts";
import type { HashName } from "../crypto/hash.ts";

/** Numbers that the protocol itself speaks of. */
export const ATTRIBUTE = { PADDING: 0, AH: 1, ESP: 2, MD5_IPMAC: 5, HMAC_FLAG: 254, ORGANIZATIONAL: 255 } as const;

/** A number of the registry: what it is called and where. */
export interface AttributeName {
  readonly number: number;
  readonly name: string;
  /** As an Identity-Choice: the hash of its IPMAC. */
  readonly identityHash?: HashName;
}

export const ATTRIBUTE_NAMES: readonly AttributeName[] = [
  { number: 0, name: "Padding" },
  { number: 1, name: "AH-Attributes" },
  { number: 2, name: "ESP-Attributes" },
  { number: 5, name: "MD5-IPMAC", identityHash: "md5" },
  { number: 6, name: "SHA1-IPMAC", identityHash: "sha1" },
  { number: 7, name: "RIPEMD-160-IPMAC", identityHash: "ripemd160" },
  { number: 8, name: "DES-CBC" },
  { number: 9, name: "Invert" },
  { number: 10, name: "XOR" },
  { number: 16, name: "Blowfish (OpenBSD)" },
  { number: 17, name: "CAST-128 (OpenBSD)" },
  { number: 18, name: "3DES (OpenBSD)" },
  { number: 19, name: "Skipjack (OpenBSD)" },
  { number: 254, name: "HMAC flag (OpenBSD)" },
  { number: 255, name: "Organizational" },
];

const names = new Map(ATTRIBUTE_NAMES.map((row) => [row.number, row]));

/** The registry's name of an attribute. */
export const attributeName = (number: number): string => names.get(number)?.name ?? `attribute ${number}`;

/** The hash of an Identity-Choice; undefined when the attribute cannot identify. */
export const identityHash = (number: number): HashName | undefined => names.get(number)?.identityHash;

/** Where a section's attributes are used. */
export type Section = "identity" | "ah" | "esp";
/** What an attribute does; "flag": it changes its neighbours and needs no key. */
export type AttributeUse = "identity" | "encryption" | "authentication" | "flag";

/** An attribute as this host is configured to use it (attributes.conf). */
export interface AttributeDefinition {
  readonly number: number;
  readonly name: string;
  readonly uses: ReadonlySet<AttributeUse>;
  /** Octets of session key to generate for it; 0 for flags. */
  readonly keyOctets: number;
}

/** One element of a list. */
export interface Attribute {
  readonly number: number;
  readonly value: Bytes;
}

const ALIGNMENT = 8;
/** ESP-Attributes' PayloadType that means "any": in offers, and in choices for transport mode. */
export const ANY_PAYLOAD = 255;
/** IP-in-IP, the PayloadType of a tunnel. */
export const PAYLOAD_IPIP = 4;

/**
 * Encodes a list. Values of several octets are aligned on 8-octet boundaries of the list by Padding attributes in front
 * (RFC 2522 13.1); none follows the last.
 */
export function encodeAttributes(list: readonly Attribute[]): Bytes {
  const builder = new Builder();
  for (const { number, value } of list) {
    if (value.length > 1) { while ((builder.length + 2) % ALIGNMENT) builder.u8(ATTRIBUTE.PADDING); }
    builder.u8(number).sized(1, () => builder.bytes(value));
  }
  return builder.finish();
}

/** Reads one element, skipping Padding in front. */
function readAttribute(reader: Reader): Attribute | undefined {
  while (reader.remaining) {
    const number = reader.u8("Attribute");
    if (number !== ATTRIBUTE.PADDING) {
      const length = reader.u8("Attribute Length");
      return { number, value: reader.copy(length, `value of ${attributeName(number)}`) };
    }
  }
  return undefined;
}

/** Decodes a list that fills `octets`. @throws {DecodeError} on an element that runs over the end */
export function decodeAttributes(octets: Uint8Array): Attribute[] {
  const reader = new Reader(octets);
  const list: Attribute[] = [];
  for (let next = readAttribute(reader); next; next = readAttribute(reader)) list.push(next);
  return list;
}

/** Reads the single element of an Identity-Choice, as it stood on the wire. @throws {DecodeError} */
export function readChoice(reader: Reader): Bytes {
  const number = reader.u8("Identity-Choice");
  if (number === ATTRIBUTE.PADDING) throw new DecodeError("Identity-Choice: Padding is no choice");
  const length = reader.u8("Identity-Choice Length");
  const value = reader.take(length, "Identity-Choice Value");
  return new Builder().u8(number).u8(length).bytes(value).finish();
}

/** A list split at its section markers: identification attributes come before the first marker, RFC 2522 4.3. */
export interface Sections {
  readonly identity: readonly Attribute[];
  readonly ah?: readonly Attribute[];
  readonly esp?: readonly Attribute[];
}

/** Splits a list. A section that occurs twice is the concatenation of both. */
export function sectionsOf(list: readonly Attribute[]): Sections {
  const sections: { identity: Attribute[]; ah?: Attribute[]; esp?: Attribute[] } = { identity: [] };
  let current = sections.identity;
  for (const attribute of list) {
    if (attribute.number === ATTRIBUTE.AH) current = sections.ah ??= [];
    else if (attribute.number === ATTRIBUTE.ESP) current = sections.esp ??= [];
    else current.push(attribute);
  }
  return sections;
}

const has = (list: readonly Attribute[] | undefined, wanted: Attribute) =>
  list?.some((attribute) => attribute.number === wanted.number && equal(attribute.value, wanted.value)) ?? false;

/** The first attribute of `choices` that `offers` does not hold in the same section; undefined when all are offered. */
export function notOffered(offers: readonly Attribute[], choices: readonly Attribute[]): Attribute | undefined {
  const offered = sectionsOf(offers);
  const chosen = sectionsOf(choices);
  for (const section of ["identity", "ah", "esp"] as const) {
    const list = chosen[section];
    if (!list) continue;
    if (!offered[section]) return { number: ATTRIBUTE[section === "ah" ? "AH" : "ESP"], value: new Uint8Array() };
    const missing = list.find((attribute) => !has(offered[section], attribute));
    if (missing) return missing;
  }
  return undefined;
}

/** A list for people: `SHA1-IPMAC, ESP-Attributes: 3DES (OpenBSD)`. */
export function formatAttributes(list: readonly Attribute[]): string {
  let text = "";
  let separator = "";
  for (const { number, value } of list) {
    const marker = number === ATTRIBUTE.AH || number === ATTRIBUTE.ESP;
    text += (marker && text ? "; " : separator) + attributeName(number);
    if (!marker && value.length) text += ` (${value.length} octets)`;
    if (marker) text += ":";
    separator = marker ? " " : ", ";
  }
  return text || "none";
}
