/** Certificate revocation lists (RFC 5280 section 5). @module */
import type { Bytes } from "../octets/bytes.ts";
import { contextTag, DER, derChildren, expectTag, readDer } from "../octets/der.ts";
import { formatHex } from "../octets/hex.ts";
import { DecodeError } from "../octets/reader.ts";
import { AsnConvert } from "@peculiar/asn1-schema";
import { AuthorityKeyIdentifier, CRLReason, CRLReasons } from "@peculiar/asn1-x509";
import {
  type CertificateTime,
  checkInnerAlgorithm,
  decoding,
  readExtensions,
  readSigned,
  readTime,
  serialText,
  type Signed,
} from "./certificate.ts";
import { type DistinguishedName, parseName } from "./name.ts";
import { OID } from "./oids.ts";

/** A revoked certificate. */
export interface Revocation {
  readonly at: CertificateTime;
  /** `keyCompromise`, ... */
  readonly reason?: string;
}

/** A revocation list, decoded but not trusted. */
export interface RevocationList extends Signed {
  readonly der: Bytes;
  readonly issuer: DistinguishedName;
  readonly thisUpdate: CertificateTime;
  readonly nextUpdate?: CertificateTime;
  /** By serial number, as {@linkcode Certificate.serial} writes it. */
  readonly revoked: ReadonlyMap<string, Revocation>;
  readonly authorityKeyIdentifier?: string;
  /** Critical extensions that we do not understand: a delta, a list of some reasons only. */
  readonly notUnderstood: readonly string[];
}

/** Decodes one DER CRL. @throws {CertificateError} */
export function parseRevocationList(der: Uint8Array): RevocationList {
  const what = "CRL";
  const { fields, outerAlgorithm, ...signed } = readSigned(der, what);
  return decoding(what, () => {
    if (fields[0]?.tag === DER.INTEGER) fields.shift();
    const [algorithm, issuer, thisUpdate, ...rest] = fields;
    checkInnerAlgorithm(algorithm, outerAlgorithm, what);
    const isTime = (tag: number | undefined) => tag === DER.UTC_TIME || tag === DER.GENERALIZED_TIME;
    const nextUpdate = isTime(rest[0]?.tag) ? readTime(rest.shift(), "nextUpdate") : undefined;
    const entries = rest[0]?.tag === DER.SEQUENCE ? derChildren(rest.shift()!, what) : [];
    const tail = rest.shift();
    if (rest.length > 0 || (tail && tail.tag !== contextTag(0))) {
      throw new DecodeError("parts that do not belong to it");
    }
    const notUnderstood: string[] = [];
    const revoked = new Map<string, Revocation>();
    for (const entry of entries) {
      const [serial, at, list, ...more] = derChildren(expectTag(entry, DER.SEQUENCE, what), what);
      if (more.length > 0) throw new DecodeError("an entry with parts that do not belong to it");
      const extensions = readExtensions(list, "CRL entry");
      const reason = extensions.find(({ oid }) => oid === OID.CRLReason);
      for (const { oid, critical } of extensions) if (critical && oid !== OID.CRLReason) notUnderstood.push(oid);
      const code = reason && AsnConvert.parse(reason.value, CRLReason).reason;
      const revocation = {
        at: readTime(at, "revocationDate"),
        reason: code === undefined ? undefined : CRLReasons[code],
      };
      // In a delta: no longer on the list.
      if (code !== CRLReasons.removeFromCRL) revoked.set(serialText(serial), revocation);
    }
    const extensions = readExtensions(tail && readDer(tail.content, DER.SEQUENCE, "extensions"), what);
    const authority = extensions.find(({ oid }) => oid === OID.authorityKeyIdentifier);
    const identifier = authority && AsnConvert.parse(authority.value, AuthorityKeyIdentifier).keyIdentifier;
    for (const { oid, critical } of extensions) {
      if (oid === OID.deltaCRL || (critical && oid !== OID.authorityKeyIdentifier)) notUnderstood.push(oid);
    }
    return {
      ...signed,
      der: der.slice() as Bytes,
      issuer: parseName(expectTag(issuer, DER.SEQUENCE, "issuer").raw),
      thisUpdate: readTime(thisUpdate, "thisUpdate"),
      nextUpdate,
      revoked,
      authorityKeyIdentifier: identifier && formatHex(new Uint8Array(identifier.buffer)),
      notUnderstood,
    };
  });
}
