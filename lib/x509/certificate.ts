/**
 * One certificate (RFC 5280 section 4.1). The frame is read as strict DER, because what is signed are octets; the
 * extensions' contents are read with the schemas of @peculiar/asn1-x509.
 *
 * @module
 */
import { AsnConvert } from "@peculiar/asn1-schema";
import {
  AuthorityKeyIdentifier,
  BasicConstraints,
  ExtendedKeyUsage,
  KeyUsage,
  SubjectKeyIdentifier,
} from "@peculiar/asn1-x509";
import { describeKey, KEY_OIDS, KeyError, parsePublicKey, type PublicKey } from "../crypto/signature.ts";
import { type Bytes, equal } from "../octets/bytes.ts";
import {
  contextTag,
  DER,
  derChildren,
  type DerElement,
  derOid,
  derUnsigned,
  encodeDer,
  encodeNull,
  encodeOid,
  encodeSequence,
  encodeUnsigned,
  expectTag,
  readDer,
} from "../octets/der.ts";
import { formatHex, parseHex } from "../octets/hex.ts";
import { DecodeError } from "../octets/reader.ts";
import { CertificateError } from "./error.ts";
import type { Identity } from "./identity.ts";
import { type DistinguishedName, parseName } from "./name.ts";
import { type NameConstraints, readNameConstraints } from "./constraints.ts";
import {
  type PolicyExtensions,
  readInhibitAnyPolicy,
  readPolicies,
  readPolicyConstraints,
  readPolicyMappings,
} from "./policies.ts";
import { OID_PSS, type Pss, readPss, readSignatureAlgorithm, type SignatureAlgorithm } from "./signature.ts";
import { OID } from "./oids.ts";

/** A time of a certificate: milliseconds since the epoch, and whether it was given in UTC (`Z`), as it must be. */
export interface CertificateTime {
  readonly at: number;
  readonly utc: boolean;
}

/** The bits of keyUsage that are looked at. */
export interface KeyUsageBits {
  readonly digitalSignature: boolean;
  readonly nonRepudiation: boolean;
  readonly keyCertSign: boolean;
  readonly cRLSign: boolean;
}

/** The signed frame that certificates and CRLs share. */
export interface Signed {
  /** The octets that are signed. */
  readonly tbs: Bytes;
  readonly algorithmOid: string;
  /** Absent when the algorithm is none that we know. */
  readonly algorithm?: SignatureAlgorithm;
  readonly signature: Bytes;
}

/** A GeneralName that identifies no IKE peer: the number of its form, and its contents. */
export interface OtherName {
  readonly form: number;
  readonly octets: Bytes;
}

/** A certificate, decoded but not trusted. */
export interface Certificate extends Signed, PolicyExtensions {
  readonly der: Bytes;
  /** 1, 2 or 3. */
  readonly version: number;
  /** Hexadecimal, without leading zeros; a negative one with its sign. */
  readonly serial: string;
  readonly issuer: DistinguishedName;
  readonly subject: DistinguishedName;
  readonly notBefore: CertificateTime;
  readonly notAfter: CertificateTime;
  /** SubjectPublicKeyInfo. */
  readonly spki: Bytes;
  /** The subject's key; absent when it is of a kind we cannot use. */
  readonly key?: PublicKey;
  /** `rsa` 2048, ... */
  readonly keyKind?: { readonly type: PublicKey["kind"]; readonly bits: number };
  /** Of an RSA key that signs with RSASSA-PSS only: the least that its signatures must be, or true for any. */
  readonly pssOnly?: Pss | true;
  /** subjectAltName, as far as it names IKE identities. */
  readonly alternativeNames: readonly Identity[];
  /** What else is in subjectAltName. */
  readonly otherNames: readonly OtherName[];
  readonly nameConstraints?: NameConstraints;
  readonly basicConstraints?: { readonly ca: boolean; readonly pathLength?: number };
  readonly keyUsage?: KeyUsageBits;
  readonly extendedKeyUsage?: { readonly critical: boolean; readonly purposes: readonly string[] };
  readonly subjectKeyIdentifier?: string;
  readonly authorityKeyIdentifier?: string;
  /** Critical extensions that we do not understand. */
  readonly notUnderstood: readonly string[];
  readonly selfIssued: boolean;
}

/** Calls `decode`, turning errors of the library and of DER into {@linkcode CertificateError}s that say what was read. */
export function decoding<T>(what: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof CertificateError) throw error;
    throw new CertificateError(`${what}: ${(error as Error).message}`);
  }
}

const MAXIMUM_OCTETS = 65536;

/** Reads SEQUENCE { tbs, AlgorithmIdentifier, BIT STRING }, the tbs of `what`. @throws {CertificateError} */
export function readSigned(
  der: Uint8Array,
  what: string,
): Signed & { readonly fields: DerElement[]; readonly outerAlgorithm: Uint8Array } {
  return decoding(what, () => {
    const parts = derChildren(readDer(der, DER.SEQUENCE, what), what);
    if (parts.length !== 3) throw new DecodeError(`${parts.length} parts in place of 3`);
    const [tbs, algorithm, signature] = parts;
    const bits = expectTag(signature, DER.BIT_STRING, "signature").content;
    if (bits[0] !== 0) throw new DecodeError("signature: not a whole number of octets");
    const fields = derChildren(expectTag(tbs, DER.SEQUENCE, what), what);
    const { oid, algorithm: known } = readSignatureAlgorithm(algorithm);
    return {
      fields,
      outerAlgorithm: algorithm.raw,
      tbs: tbs.raw.slice() as Bytes,
      algorithmOid: oid,
      algorithm: known,
      signature: bits.slice(1) as Bytes,
    };
  });
}

/** That the AlgorithmIdentifier inside the signed part is the outer one (RFC 5280 section 4.1.1.2). @throws {CertificateError} */
export function checkInnerAlgorithm(element: DerElement | undefined, outer: Uint8Array, what: string): void {
  if (equal(expectTag(element, DER.SEQUENCE, what).raw, outer)) return;
  throw new CertificateError(`${what}: its signature algorithm is not the same inside and outside`);
}

/** UTCTime or GeneralizedTime. @throws {DecodeError} */
export function readTime(element: DerElement | undefined, what: string): CertificateTime {
  const { tag, content } = expectTag(element, undefined, what);
  const text = String.fromCharCode(...content);
  const match = tag === DER.UTC_TIME
    ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?(Z?)$/.exec(text)
    : tag === DER.GENERALIZED_TIME
    ? /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?(Z?)$/.exec(text)
    : null;
  if (!match) throw new DecodeError(`${what}: no time`);
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map((digits) => Number(digits ?? 0));
  const fullYear = tag === DER.UTC_TIME ? year + (year < 50 ? 2000 : 1900) : year;
  const at = Date.UTC(fullYear, month - 1, day, hour, minute, second);
  const valid = new Date(at).getUTCMonth() === month - 1 && hour < 24 && minute < 60 && second < 60;
  if (!valid) throw new DecodeError(`${what}: ${text} does not exist`);
  return { at, utc: match[7] === "Z" };
}

/** An Extension, and what its value holds. */
export interface RawExtension {
  readonly oid: string;
  readonly critical: boolean;
  readonly value: Bytes;
  /** All of it. */
  readonly raw: Uint8Array;
}

/** The extensions of `[number] EXPLICIT Extensions`. @throws {CertificateError} on one that occurs twice */
export function readExtensions(list: DerElement | undefined, what: string): RawExtension[] {
  if (!list) return [];
  const found = derChildren(expectTag(list, DER.SEQUENCE, what), what).map((extension) => {
    const parts = derChildren(expectTag(extension, DER.SEQUENCE, what), what);
    const hasCritical = parts[1]?.tag === DER.BOOLEAN;
    if (parts.length !== (hasCritical ? 3 : 2)) throw new DecodeError("extension: parts that do not belong to it");
    const value = expectTag(parts[hasCritical ? 2 : 1], DER.OCTET_STRING, "extension").content;
    const flag = hasCritical && parts[1].content.length === 1 && parts[1].content[0] !== 0;
    return { oid: derOid(parts[0]), critical: flag, value: value.slice() as Bytes, raw: extension.raw };
  });
  for (const { oid } of found) {
    if (found.filter((other) => other.oid === oid).length > 1) {
      throw new CertificateError(`${what}: extension ${oid} twice`);
    }
  }
  return found;
}

/** Forms of GeneralName that identify no IKE peer: otherName, x400Address, ediPartyName, URI, registeredID. */
const OTHER_NAMES = [0, 3, 5, 6, 8];

/**
 * The names in a GeneralNames that can identify an IKE peer, and the others.
 *
 * @throws {DecodeError | CertificateError}
 */
export function readGeneralNames(value: Uint8Array): { names: Identity[]; others: OtherName[] } {
  const names: Identity[] = [], others: OtherName[] = [];
  for (const { tag, content } of derChildren(readDer(value, DER.SEQUENCE, "subjectAltName"), "subjectAltName")) {
    const octets = content.slice() as Bytes;
    if (tag === contextTag(1, false)) names.push({ type: "USER_FQDN", octets });
    else if (tag === contextTag(2, false)) names.push({ type: "FQDN", octets });
    else if (tag === contextTag(4)) {
      parseName(octets);
      names.push({ type: "DER_ASN1_DN", octets });
    } else if (tag === contextTag(7, false)) {
      if (octets.length !== 4 && octets.length !== 16) throw new DecodeError(`an address of ${octets.length} octets`);
      names.push({ type: octets.length === 4 ? "IPV4_ADDR" : "IPV6_ADDR", octets });
    } else if (OTHER_NAMES.includes(tag & 0x1f) && (tag & 0xc0) === 0x80) others.push({ form: tag & 0x1f, octets });
    else throw new DecodeError(`tag 0x${tag.toString(16)} is no GeneralName`);
  }
  return { names, others };
}

type Mutable<T> = { -readonly [K in keyof T]?: T[K] };

/** Extensions that are understood: how each becomes a property. */
const EXTENSIONS: Record<string, (extension: RawExtension, into: Mutable<Certificate>) => void> = {
  [OID.subjectKeyIdentifier]: ({ value }, into) => {
    into.subjectKeyIdentifier = formatHex(new Uint8Array(AsnConvert.parse(value, SubjectKeyIdentifier).buffer));
  },
  [OID.keyUsage]: ({ value }, into) => {
    const bits = AsnConvert.parse(value, KeyUsage).toJSON();
    into.keyUsage = {
      digitalSignature: bits.includes("digitalSignature"),
      nonRepudiation: bits.includes("nonRepudiation"),
      keyCertSign: bits.includes("keyCertSign"),
      cRLSign: bits.includes("crlSign"),
    };
  },
  [OID.subjectAltName]: ({ value }, into) => {
    const { names, others } = readGeneralNames(value);
    into.alternativeNames = names;
    into.otherNames = others;
  },
  [OID.basicConstraints]: ({ value }, into) => {
    const { cA, pathLenConstraint } = AsnConvert.parse(value, BasicConstraints);
    if (pathLenConstraint !== undefined && !(pathLenConstraint >= 0)) throw new DecodeError("a negative path length");
    into.basicConstraints = { ca: cA, pathLength: pathLenConstraint };
  },
  [OID.nameConstraints]: ({ value }, into) => {
    into.nameConstraints = readNameConstraints(value);
  },
  [OID.certificatePolicies]: ({ value }, into) => {
    into.policies = readPolicies(value);
  },
  [OID.policyMappings]: ({ value }, into) => {
    into.policyMappings = readPolicyMappings(value);
  },
  [OID.authorityKeyIdentifier]: ({ value }, into) => {
    const { keyIdentifier } = AsnConvert.parse(value, AuthorityKeyIdentifier);
    into.authorityKeyIdentifier = keyIdentifier && formatHex(new Uint8Array(keyIdentifier.buffer));
  },
  [OID.policyConstraints]: ({ value }, into) => {
    Object.assign(into, readPolicyConstraints(value));
  },
  [OID.extendedKeyUsage]: ({ value, critical }, into) => {
    into.extendedKeyUsage = { critical, purposes: [...AsnConvert.parse(value, ExtendedKeyUsage)] };
  },
  [OID.inhibitAnyPolicy]: ({ value }, into) => {
    into.inhibitAnyPolicy = readInhibitAnyPolicy(value);
  },
};

/** The subject's key, when it is of a kind we can use. */
function keyOf(spki: Uint8Array): Pick<Certificate, "key" | "keyKind" | "pssOnly"> {
  try {
    const [algorithm, bits] = derChildren(readDer(spki, DER.SEQUENCE, "public key"), "public key");
    const [oid, parameters] = derChildren(expectTag(algorithm, DER.SEQUENCE, "public key"), "public key");
    const isPss = derOid(oid) === OID_PSS;
    const plain = isPss ? encodeSequence(encodeSequence(encodeOid(KEY_OIDS.rsa), encodeNull()), bits.raw) : spki;
    const key = parsePublicKey(plain);
    const pssOnly = isPss && (parameters ? readPss(parameters) : true);
    return { key, keyKind: describeKey(key), ...(pssOnly && { pssOnly }) };
  } catch (error) {
    if (error instanceof KeyError || error instanceof DecodeError) return {};
    throw error;
  }
}

/**
 * Decodes one DER certificate.
 *
 * @throws {CertificateError} on anything that is not one, whole and nothing more
 */
export function parseCertificate(der: Uint8Array): Certificate {
  const what = "certificate";
  if (der.length > MAXIMUM_OCTETS) {
    throw new CertificateError(`${what}: ${der.length} octets, at most ${MAXIMUM_OCTETS}`);
  }
  const { fields, outerAlgorithm, ...signed } = readSigned(der, what);
  return decoding(what, () => {
    let version = 1;
    if (fields[0]?.tag === contextTag(0)) {
      version = 1 + (derUnsigned(readDer(fields.shift()!.content, DER.INTEGER, "version"))[0] ?? 0);
      if (version > 3) throw new DecodeError(`version ${version}`);
    }
    const [serial, algorithm, issuer, validity, subject, spki, ...rest] = fields;
    checkInnerAlgorithm(algorithm, outerAlgorithm, what);
    const times = derChildren(expectTag(validity, DER.SEQUENCE, "validity"), "validity");
    if (times.length !== 2) throw new DecodeError("validity: two times are needed");
    // [1] issuerUniqueID and [2] subjectUniqueID have no meaning any more.
    const extensionList = rest.find((element) => element.tag === contextTag(3));
    const known = [contextTag(1, false), contextTag(2, false), contextTag(3)];
    if (!rest.every((element) => known.includes(element.tag))) throw new DecodeError("parts that do not belong to it");
    const extensions = readExtensions(
      extensionList && readDer(extensionList.content, DER.SEQUENCE, "extensions"),
      what,
    );
    const from: Mutable<Certificate> = {};
    const notUnderstood: string[] = [];
    for (const extension of extensions) {
      const read = EXTENSIONS[extension.oid];
      if (read) decoding(`extension ${extension.oid}`, () => read(extension, from));
      else if (extension.critical) notUnderstood.push(extension.oid);
    }
    const issuerName = parseName(expectTag(issuer, DER.SEQUENCE, "issuer").raw);
    const subjectName = parseName(expectTag(subject, DER.SEQUENCE, "subject").raw);
    return {
      alternativeNames: [],
      otherNames: [],
      ...from,
      ...signed,
      der: der.slice() as Bytes,
      version,
      serial: serialText(serial),
      issuer: issuerName,
      subject: subjectName,
      notBefore: readTime(times[0], "notBefore"),
      notAfter: readTime(times[1], "notAfter"),
      spki: expectTag(spki, DER.SEQUENCE, "public key").raw.slice() as Bytes,
      ...keyOf(spki.raw),
      notUnderstood,
      selfIssued: issuerName.key === subjectName.key,
    };
  });
}

const SERIAL_OCTETS = 64;

/** A serial number as hexadecimal; negative ones exist although RFC 5280 forbids them. */
export function serialText(element: DerElement | undefined): string {
  const { content } = expectTag(element, DER.INTEGER, "serial number");
  if (content.length === 0 || content.length > SERIAL_OCTETS) {
    throw new DecodeError(`serial number of ${content.length} octets`);
  }
  const hex = formatHex(content);
  if (!(content[0] & 0x80)) return hex.replace(/^(00)+(?=..)/, "");
  const magnitude = ((1n << BigInt(8 * content.length)) - BigInt(`0x${hex}`)).toString(16);
  return `-${magnitude.padStart(magnitude.length + magnitude.length % 2, "0")}`;
}

/** The INTEGER that {@linkcode serialText} wrote. */
export function encodeSerial(text: string): Bytes {
  if (!text.startsWith("-")) return encodeUnsigned(parseHex(text));
  const magnitude = BigInt(`0x${text.slice(1)}`);
  let octets = 1;
  while (magnitude > 1n << BigInt(8 * octets - 1)) octets++;
  const complement = (1n << BigInt(8 * octets)) - magnitude;
  return encodeDer(DER.INTEGER, parseHex(complement.toString(16).padStart(2 * octets, "0")));
}

/** Whose a certificate is, for people. */
export const describeCertificate = ({ subject, serial }: Certificate): string =>
  subject.empty ? `serial number ${serial}` : subject.text;
