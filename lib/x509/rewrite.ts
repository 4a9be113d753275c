/** Certificates made of others: certpatch(8)'s, with another subjectAltName, and renewed ones. @module */
import type { KeyObject } from "../crypto/signature.ts";
import type { HashName } from "../crypto/hash.ts";
import type { Bytes } from "../octets/bytes.ts";
import { contextTag, DER, type DerElement, encodeDer, encodeSequence, encodeUnsigned, readDer } from "../octets/der.ts";
import { formatHex } from "../octets/hex.ts";
import {
  authorityKeyIdentifier,
  checkKey,
  encodeValidity,
  frame,
  identifierOf,
  type Issuer,
  subjectAlternativeName,
} from "./build.ts";
import { type Certificate, parseCertificate, type RawExtension, readExtensions, readSigned } from "./certificate.ts";
import { CertificateError } from "./error.ts";
import type { Identity } from "./identity.ts";
import { algorithmFor, encodeAlgorithm, type SignatureAlgorithm } from "./signature.ts";
import { OID } from "./oids.ts";

/** What stands in a certificate that was parsed already, element by element. */
interface Parts {
  /** The version as it is written; nothing in a certificate of version 1. */
  readonly version: Uint8Array;
  readonly serial: DerElement;
  readonly issuer: DerElement;
  readonly validity: DerElement;
  /** Subject, its key, its and the issuer's unique identifier. */
  readonly subject: readonly DerElement[];
  readonly extensions: readonly RawExtension[];
}

function partsOf(der: Uint8Array): Parts {
  const { fields } = readSigned(der, "certificate");
  const version = fields[0].tag === contextTag(0) ? fields.shift()!.raw : new Uint8Array(0);
  const [serial, , issuer, validity, ...rest] = fields;
  const list = rest.find(({ tag }) => tag === contextTag(3));
  return {
    version,
    serial,
    issuer,
    validity,
    subject: rest.filter((element) => element !== list),
    extensions: readExtensions(list && readDer(list.content, DER.SEQUENCE, "extensions"), "certificate"),
  };
}

const extensionList = (...extensions: readonly Uint8Array[]): Bytes =>
  encodeDer(contextTag(3), encodeSequence(...extensions));

/** The result of {@linkcode patchIdentities}. */
export interface Patched {
  readonly der: Bytes;
  readonly algorithm: SignatureAlgorithm;
}

/**
 * The same certificate with `identities` as its only subjectAltName, critical, signed anew by `key` with the hash of its
 * former signature (RSA keys with PKCS#1 v1.5). Everything else stays octet by octet; the version becomes 3.
 *
 * @throws {CertificateError}
 */
export function patchIdentities(der: Uint8Array, identities: readonly Identity[], key: KeyObject): Patched {
  const { algorithmOid, algorithm: former } = parseCertificate(der);
  if (!former) throw new CertificateError(`its signature algorithm ${algorithmOid} is not supported`);
  const isOurs = former.key === key.asymmetricKeyType && !former.pss;
  const algorithm = isOurs ? former : algorithmFor(key, former.hash);
  const { serial, issuer, validity, subject, extensions } = partsOf(der);
  const kept = extensions.filter(({ oid }) => oid !== OID.subjectAltName);
  const tbs = encodeSequence(
    encodeDer(contextTag(0), encodeUnsigned(Uint8Array.of(2))),
    serial.raw,
    encodeAlgorithm(algorithm),
    ...[issuer, validity, ...subject].map(({ raw }) => raw),
    extensionList(...kept.map(({ raw }) => raw), subjectAlternativeName(identities, true)),
  );
  return { der: frame(tbs, key, algorithm), algorithm };
}

/** Extensions that say of a renewed certificate what they said of the old one: their names by their object identifiers. */
const CARRIED = new Map<string, string>(
  ([
    "subjectKeyIdentifier",
    "keyUsage",
    "subjectAltName",
    "issuerAltName",
    "basicConstraints",
    "nameConstraints",
    "crlDistributionPoints",
    "certificatePolicies",
    "policyMappings",
    "policyConstraints",
    "extendedKeyUsage",
    "freshestCRL",
    "inhibitAnyPolicy",
    "authorityInfoAccess",
    "subjectInfoAccess",
    "nsCertType",
    "nsComment",
  ] as const).map((name) => [OID[name], name]),
);

/** What is new in a renewed certificate. */
export interface Renewal {
  readonly serial: Uint8Array;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly hash: HashName;
}

/** The result of {@linkcode renewCertificate}. */
export interface Renewed {
  readonly der: Bytes;
  /** Its extensions as lines of an openssl configuration. */
  readonly extensions: readonly string[];
}

/**
 * A certificate that says for another time what `old` says: names, key and extensions stay octet by octet, but
 * authorityKeyIdentifier, which becomes that of the issuer, whose key may be another one by now. Without an issuer's
 * certificate it is its own issuer, as `old`.
 *
 * @throws {CertificateError} when the key is not the issuer's, and on extensions that may not hold of another certificate
 */
export function renewCertificate(old: Certificate, renewal: Renewal, { certificate, key }: Issuer): Renewed {
  const issuer = certificate ?? old;
  checkKey(issuer, key);
  const { version, subject, extensions } = partsOf(old.der);
  const lost = extensions.filter(({ oid }) => oid !== OID.authorityKeyIdentifier && !CARRIED.has(oid));
  if (lost.length > 0) {
    throw new CertificateError(
      `its extension ${lost.map(({ oid }) => oid).join(", ")} may not hold of another certificate: make a new one`,
    );
  }
  const algorithm = algorithmFor(key, renewal.hash);
  const carried = extensions.map(({ oid, raw }) =>
    oid === OID.authorityKeyIdentifier ? authorityKeyIdentifier(identifierOf(issuer)) : raw
  );
  const tbs = encodeSequence(
    version,
    encodeUnsigned(renewal.serial),
    encodeAlgorithm(algorithm),
    issuer.subject.der,
    encodeValidity(renewal),
    ...subject.map(({ raw }) => raw),
    ...(carried.length > 0 ? [extensionList(...carried)] : []),
  );
  const lines = extensions.map(({ oid, critical, value }) =>
    oid === OID.authorityKeyIdentifier
      ? "authorityKeyIdentifier=keyid"
      : `${CARRIED.get(oid)}=${critical ? "critical," : ""}DER:${formatHex(value)}`
  );
  return { der: frame(tbs, key, algorithm), extensions: lines };
}
