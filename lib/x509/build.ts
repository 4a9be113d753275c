/** Making certificates and CRLs: what the procedure of README.PKI needs. @module */
import { encodePublicKey, type KeyObject, type PublicKey } from "../crypto/signature.ts";
import { hash, type HashName } from "../crypto/hash.ts";
import { type Bytes, equal } from "../octets/bytes.ts";
import {
  contextTag,
  DER,
  derChildren,
  encodeBitString,
  encodeDer,
  encodeOctetString,
  encodeOid,
  encodeSequence,
  encodeUnsigned,
  readDer,
} from "../octets/der.ts";
import { parseHex } from "../octets/hex.ts";
import { type Certificate, encodeSerial } from "./certificate.ts";
import { CertificateError } from "./error.ts";
import type { Identity } from "./identity.ts";
import type { DistinguishedName } from "./name.ts";
import { algorithmFor, encodeAlgorithm, type SignatureAlgorithm, signOctets } from "./signature.ts";
import { OID } from "./oids.ts";

const TRUE = encodeDer(DER.BOOLEAN, Uint8Array.of(0xff));

/** GeneralName tags (RFC 5280 section 4.2.1.6). */
const NAME_TAGS: Record<Identity["type"], number> = {
  USER_FQDN: contextTag(1, false),
  FQDN: contextTag(2, false),
  DER_ASN1_DN: contextTag(4),
  IPV4_ADDR: contextTag(7, false),
  IPV6_ADDR: contextTag(7, false),
};

/** The value of a subjectAltName extension. */
export const encodeGeneralNames = (identities: readonly Identity[]): Bytes =>
  encodeSequence(...identities.map(({ type, octets }) => encodeDer(NAME_TAGS[type], octets)));

/** One Extension. */
export const extension = (oid: string, critical: boolean, value: Uint8Array): Bytes =>
  encodeSequence(encodeOid(oid), ...(critical ? [TRUE] : []), encodeOctetString(value));

/** The subjectAltName extension. */
export const subjectAlternativeName = (identities: readonly Identity[], critical: boolean): Bytes =>
  extension(OID.subjectAltName, critical, encodeGeneralNames(identities));

/** UTCTime up to 2049, GeneralizedTime from 2050 on (RFC 5280 section 4.1.2.5). */
export function encodeTime(at: number): Bytes {
  const digits = new Date(at).toISOString().replace(/[-:T]/g, "").slice(0, 14);
  const utc = new Date(at).getUTCFullYear() < 2050;
  const text = `${utc ? digits.slice(2) : digits}Z`;
  return encodeDer(utc ? DER.UTC_TIME : DER.GENERALIZED_TIME, Uint8Array.from(text, (c) => c.charCodeAt(0)));
}

/** Validity, from both times. */
export const encodeValidity = (times: { readonly notBefore: number; readonly notAfter: number }): Bytes =>
  encodeSequence(encodeTime(times.notBefore), encodeTime(times.notAfter));

/** keyUsage from its bit numbers (RFC 5280 section 4.2.1.3): trailing zero bits are not written. */
function keyUsage(bits: readonly number[]): Bytes {
  const last = Math.max(...bits);
  const octets = new Uint8Array(Math.floor(last / 8) + 1);
  for (const bit of bits) octets[bit >> 3] |= 0x80 >> (bit & 7);
  return extension(OID.keyUsage, true, encodeDer(DER.BIT_STRING, Uint8Array.of(7 - (last & 7)), octets));
}
const USAGE = { digitalSignature: 0, nonRepudiation: 1, keyCertSign: 5, cRLSign: 6 };

/** The key identifier of RFC 5280 section 4.2.1.2 (1): SHA-1 of the key's bits. */
function keyIdentifier(spki: Uint8Array): Bytes {
  const [, bits] = derChildren(readDer(spki, DER.SEQUENCE));
  return hash("sha1", bits.content.subarray(1));
}

/** The identifier by which a certificate's own issues refer to its key. */
export const identifierOf = ({ subjectKeyIdentifier, spki }: Certificate): Bytes =>
  subjectKeyIdentifier ? parseHex(subjectKeyIdentifier) : keyIdentifier(spki);

/** authorityKeyIdentifier with the issuer's identifier. */
export const authorityKeyIdentifier = (identifier: Uint8Array): Bytes =>
  extension(OID.authorityKeyIdentifier, false, encodeSequence(encodeDer(contextTag(0, false), identifier)));

/** Signs a tbs and puts the frame around it. */
export function frame(tbs: Uint8Array, key: KeyObject, algorithm: SignatureAlgorithm): Bytes {
  return encodeSequence(tbs, encodeAlgorithm(algorithm), encodeBitString(signOctets(key, algorithm, tbs)));
}

/** What a new certificate says. */
export interface CertificateRequest {
  readonly subject: DistinguishedName;
  /** SubjectPublicKeyInfo of the subject. */
  readonly spki: Uint8Array;
  readonly identities: readonly Identity[];
  /** An authority's certificate, with at most so many authorities below it if that is given. */
  readonly authority?: { readonly pathLength?: number };
  /** At least one octet; chosen at random, it should have 16. */
  readonly serial: Uint8Array;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly hash: HashName;
}

/** Who signs: a certificate and its key, or a key alone for a certificate that is its own issuer. */
export interface Issuer {
  readonly certificate?: Certificate;
  readonly key: KeyObject;
}

/** A new certificate in DER, version 3. @throws {CertificateError} when the key is not the issuer's */
export function buildCertificate(request: CertificateRequest, issuer: Issuer): Bytes {
  const { subject, spki, identities, authority } = request;
  if (issuer.certificate) checkKey(issuer.certificate, issuer.key);
  const algorithm = algorithmFor(issuer.key, request.hash);
  const issuerIdentifier = issuer.certificate ? identifierOf(issuer.certificate) : keyIdentifier(spki);
  const constraints = authority
    ? [TRUE, ...(authority.pathLength === undefined ? [] : [encodeUnsigned(Uint8Array.of(authority.pathLength))])]
    : [];
  const extensions = [
    extension(OID.basicConstraints, true, encodeSequence(...constraints)),
    keyUsage(authority ? [USAGE.keyCertSign, USAGE.cRLSign] : [USAGE.digitalSignature, USAGE.nonRepudiation]),
    // RFC 5280 section 4.2.1.6: critical when the subject is empty.
    ...(identities.length > 0 ? [subjectAlternativeName(identities, subject.empty)] : []),
    extension(OID.subjectKeyIdentifier, false, encodeOctetString(keyIdentifier(spki))),
    authorityKeyIdentifier(issuerIdentifier),
  ];
  const tbs = encodeSequence(
    encodeDer(contextTag(0), encodeUnsigned(Uint8Array.of(2))),
    encodeUnsigned(request.serial),
    encodeAlgorithm(algorithm),
    issuer.certificate?.subject.der ?? subject.der,
    encodeValidity(request),
    subject.der,
    spki,
    encodeDer(contextTag(3), encodeSequence(...extensions)),
  );
  return frame(tbs, issuer.key, algorithm);
}

/** @throws {CertificateError} when `key` is not the private key of `certificate` */
export function checkKey(certificate: Certificate, key: KeyObject): void {
  if (equal(encodePublicKey(key), encodePublicKey(certificateKey(certificate)))) return;
  throw new CertificateError(`the private key is not that of ${certificate.subject.text}`);
}

function certificateKey(certificate: Certificate): PublicKey {
  if (certificate.key) return certificate.key;
  throw new CertificateError(`the key of ${certificate.subject.text} is of a kind that is not supported`);
}

/** One revoked certificate. `reason` is the number of RFC 5280 section 5.3.1. */
export interface RevokedEntry {
  /** Hexadecimal. */
  readonly serial: string;
  readonly at: number;
  readonly reason?: number;
}

/** A new CRL in DER, version 2. @throws {CertificateError} when the key is not the authority's */
export function buildRevocationList(
  list: {
    readonly revoked: readonly RevokedEntry[];
    readonly number: Uint8Array;
    readonly thisUpdate: number;
    readonly nextUpdate: number;
    readonly hash: HashName;
  },
  authority: { readonly certificate: Certificate; readonly key: KeyObject },
): Bytes {
  checkKey(authority.certificate, authority.key);
  const algorithm = algorithmFor(authority.key, list.hash);
  const entries = list.revoked.map(({ serial, at, reason }) => {
    const extensions = reason === undefined
      ? []
      : [encodeSequence(extension(OID.CRLReason, false, encodeDer(DER.ENUMERATED, Uint8Array.of(reason))))];
    return encodeSequence(encodeSerial(serial), encodeTime(at), ...extensions);
  });
  const tbs = encodeSequence(
    encodeUnsigned(Uint8Array.of(1)),
    encodeAlgorithm(algorithm),
    authority.certificate.subject.der,
    encodeTime(list.thisUpdate),
    encodeTime(list.nextUpdate),
    ...(entries.length > 0 ? [encodeSequence(...entries)] : []),
    encodeDer(
      contextTag(0),
      encodeSequence(
        authorityKeyIdentifier(identifierOf(authority.certificate)),
        extension(OID.crlNumber, false, encodeUnsigned(list.number)),
      ),
    ),
  );
  return frame(tbs, authority.key, algorithm);
}
