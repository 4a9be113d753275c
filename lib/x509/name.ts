/** Distinguished names: the one-line form with slashes, and equality (RFC 5280 section 7.1). @module */
import { type Bytes, decodeText, encodeText } from "../octets/bytes.ts";
import { DER, derChildren, derOid, encodeDer, encodeOid, encodeSequence, expectTag, readDer } from "../octets/der.ts";
import { formatHex } from "../octets/hex.ts";
import { DecodeError } from "../octets/reader.ts";
import { CertificateError } from "./error.ts";

/** A distinguished name. */
export interface DistinguishedName {
  readonly der: Bytes;
  /** `/C=SE/O=MySite/CN=gw.mysite.se`, in the order of the certificate. */
  readonly text: string;
  /** Equal for names that are equal: case of ASCII letters, blanks and string types do not count. */
  readonly key: string;
  readonly empty: boolean;
  /** Values of its emailAddress attributes. */
  readonly emailAddresses: readonly Bytes[];
}

/** Short names of attribute types as OpenSSL writes them. */
const ATTRIBUTE_NAMES: Record<string, string> = {
  "2.5.4.3": "CN",
  "2.5.4.4": "SN",
  "2.5.4.5": "serialNumber",
  "2.5.4.6": "C",
  "2.5.4.7": "L",
  "2.5.4.8": "ST",
  "2.5.4.9": "street",
  "2.5.4.10": "O",
  "2.5.4.11": "OU",
  "2.5.4.12": "title",
  "2.5.4.13": "description",
  "2.5.4.17": "postalCode",
  "2.5.4.41": "name",
  "2.5.4.42": "GN",
  "2.5.4.43": "initials",
  "2.5.4.44": "generationQualifier",
  "2.5.4.46": "dnQualifier",
  "2.5.4.65": "pseudonym",
  "0.9.2342.19200300.100.1.1": "UID",
  "0.9.2342.19200300.100.1.25": "DC",
  "1.2.840.113549.1.9.1": "emailAddress",
  "1.2.840.113549.1.9.2": "unstructuredName",
};
const OID_EMAIL = "1.2.840.113549.1.9.1";
const OID_COUNTRY = "2.5.4.6";

/** Other spellings that are read: OpenSSL wrote `Email` until 0.9.7. */
const ATTRIBUTE_OIDS: Record<string, string> = {
  ...Object.fromEntries(Object.entries(ATTRIBUTE_NAMES).map(([oid, name]) => [name.toLowerCase(), oid])),
  email: OID_EMAIL,
  e: OID_EMAIL,
  s: "2.5.4.8",
  surname: "2.5.4.4",
  givenname: "2.5.4.42",
  streetaddress: "2.5.4.9",
};

const TELETEX = 0x14, UNIVERSAL = 0x1c, BMP = 0x1e;

/** A string's characters, as its type has them. */
function textOf(tag: number, content: Uint8Array): string {
  if (tag === BMP || tag === UNIVERSAL) {
    const width = tag === BMP ? 2 : 4;
    let text = "";
    for (let at = 0; at + width <= content.length; at += width) {
      const code = content.subarray(at, at + width).reduce((sum, octet) => sum * 256 + octet, 0);
      text += code > 0x10ffff ? "\ufffd" : String.fromCodePoint(code);
    }
    return text;
  }
  if (tag === TELETEX) return String.fromCharCode(...content);
  return decodeText(content);
}

/**
 * A value in the one-line form: other octets than printable ASCII as `\xHH`, a backslash doubled, and a slash that would
 * read as the beginning of another attribute as `\/`. Otherwise O=x/CN=y would pass for O=x and CN=y in a policy.
 */
function oneLine(content: Uint8Array): string {
  let text = "";
  for (const octet of content) {
    if (octet === 0x5c) text += "\\\\";
    else if (octet >= 0x20 && octet <= 0x7e) text += String.fromCharCode(octet);
    else text += `\\x${formatHex(Uint8Array.of(octet)).toUpperCase()}`;
  }
  return text.replace(/\/(?=[A-Za-z0-9.]+=)/g, "\\/");
}

/**
 * Reads a Name, the whole of `der`.
 *
 * @throws {CertificateError}
 */
export function parseName(der: Uint8Array): DistinguishedName {
  try {
    let text = "";
    const sets: string[] = [];
    const emailAddresses: Bytes[] = [];
    for (const set of derChildren(readDer(der, DER.SEQUENCE, "name"), "name")) {
      const members: string[] = [];
      for (const pair of derChildren(expectTag(set, DER.SET, "name"), "name")) {
        const [type, value, ...more] = derChildren(expectTag(pair, DER.SEQUENCE, "name"), "name");
        if (!value || more.length > 0) throw new DecodeError("name: an attribute is a type and a value");
        const oid = derOid(type);
        if (oid === OID_EMAIL) emailAddresses.push(encodeText(textOf(value.tag, value.content)));
        text += `/${ATTRIBUTE_NAMES[oid] ?? oid}=${oneLine(value.content)}`;
        const folded = textOf(value.tag, value.content).trim().replace(/\s+/g, " ").replace(
          /[A-Z]/g,
          (l) => l.toLowerCase(),
        );
        members.push(JSON.stringify([oid, folded]));
      }
      sets.push(members.sort().join("+"));
    }
    return { der: der.slice() as Bytes, text, key: sets.join(","), empty: sets.length === 0, emailAddresses };
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new CertificateError(error.message);
  }
}

/** The one-line form as it was until OpenSSL 0.9.7, with `Email` for `emailAddress`: policies of the time have it. */
export const formerText = ({ text }: DistinguishedName): string => text.replaceAll("/emailAddress=", "/Email=");

const PRINTABLE = /^[A-Za-z0-9 '()+,\-./:=?]*$/;

/**
 * A name from its one-line form, `/C=SE/O=MySite/CN=gw.mysite.se`.
 *
 * @throws {CertificateError} on an unknown attribute type or text that is not of this form
 */
export function nameFromText(text: string): DistinguishedName {
  if (text === "/") return parseName(encodeSequence());
  if (!text.startsWith("/")) {
    throw new CertificateError(`name ${JSON.stringify(text)}: it must begin with "/", as /C=SE/CN=gw`);
  }
  const sets: Bytes[] = [];
  for (const part of text.slice(1).split(/(?<=(?:^|[^\\])(?:\\\\)*)\/(?=[A-Za-z0-9.]+=)/)) {
    const equals = part.indexOf("=");
    const type = part.slice(0, equals);
    const oid = /^[0-9.]+$/.test(type)
      ? type
      : Object.hasOwn(ATTRIBUTE_OIDS, type.toLowerCase())
      ? ATTRIBUTE_OIDS[type.toLowerCase()]
      : undefined;
    if (equals < 1 || oid === undefined || !/^\d+\.\d+(\.\d+)*$/.test(oid)) {
      const known = Object.values(ATTRIBUTE_NAMES).slice(0, 10).join(", ");
      throw new CertificateError(
        `name ${JSON.stringify(text)}: ${JSON.stringify(part)} is no TYPE=value; types are ${known}, ...`,
      );
    }
    const octets = unescape(part.slice(equals + 1));
    if (octets.length === 0) throw new CertificateError(`name ${JSON.stringify(text)}: ${type} has no value`);
    const value = decodeText(octets);
    if (oid === OID_COUNTRY && !/^[A-Za-z]{2}$/.test(value)) {
      throw new CertificateError(`name ${JSON.stringify(text)}: C is a country's two letters`);
    }
    const tag = oid === OID_EMAIL ? DER.IA5_STRING : PRINTABLE.test(value) ? DER.PRINTABLE_STRING : DER.UTF8_STRING;
    sets.push(encodeDer(DER.SET, encodeSequence(encodeOid(oid), encodeDer(tag, octets))));
  }
  return parseName(encodeSequence(...sets));
}

/** The octets of a value: `\xHH`, and `\c` for any other character. */
function unescape(value: string): Bytes {
  const octets: number[] = [];
  for (const [part, hex, escaped] of value.matchAll(/\\x([0-9A-Fa-f]{2})|\\([\s\S])|[\s\S]/gu)) {
    if (hex) octets.push(parseInt(hex, 16));
    else octets.push(...encodeText(escaped ?? part));
  }
  return new Uint8Array(octets);
}
