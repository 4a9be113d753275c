/** Certification requests (PKCS#10, RFC 2986): what a peer that keeps its key to itself asks an authority for. @module */
import { KeyError, parsePublicKey, type PublicKey } from "../crypto/signature.ts";
import type { Bytes } from "../octets/bytes.ts";
import { contextTag, DER, derChildren, derOid, derUnsigned, expectTag } from "../octets/der.ts";
import { DecodeError } from "../octets/reader.ts";
import { decoding, readExtensions, readGeneralNames, readSigned } from "./certificate.ts";
import { CertificateError } from "./error.ts";
import type { Identity } from "./identity.ts";
import { type DistinguishedName, parseName } from "./name.ts";
import { verifyOctets } from "./signature.ts";
import { OID } from "./oids.ts";

/** A request whose signature proves that the sender has the private key. */
export interface CertificationRequest {
  readonly subject: DistinguishedName;
  /** SubjectPublicKeyInfo. */
  readonly spki: Bytes;
  /** The identities of subjectAltName that were asked for. */
  readonly identities: readonly Identity[];
}

const OID_EXTENSION_REQUEST = "1.2.840.113549.1.9.14";

function keyOf(spki: Uint8Array): PublicKey {
  try {
    return parsePublicKey(spki);
  } catch (error) {
    if (error instanceof KeyError) throw new CertificateError(error.message);
    throw error;
  }
}

/**
 * Decodes a request and verifies its signature. Of the extensions that it asks for subjectAltName alone is read; what
 * the others may be is the authority's matter.
 *
 * @throws {CertificateError}
 */
export function parseRequest(der: Uint8Array): CertificationRequest {
  const what = "request";
  const { fields, tbs, algorithm, algorithmOid, signature } = readSigned(der, what);
  return decoding(what, () => {
    const [version, subject, spki, attributes, ...more] = fields;
    if (derUnsigned(version, "version").length > 0) throw new DecodeError("version is not 0");
    if (more.length > 0 || (attributes && attributes.tag !== contextTag(0))) {
      throw new DecodeError("parts that do not belong to it");
    }
    let identities: Identity[] = [];
    for (const attribute of attributes ? derChildren(attributes, what) : []) {
      const [type, values] = derChildren(expectTag(attribute, DER.SEQUENCE, "attribute"), "attribute");
      if (derOid(type) !== OID_EXTENSION_REQUEST) continue;
      const [list] = derChildren(expectTag(values, DER.SET, "attribute"), "attribute");
      const wanted = readExtensions(list, what).find(({ oid }) => oid === OID.subjectAltName);
      if (wanted) identities = readGeneralNames(wanted.value).names;
    }
    const info = expectTag(spki, DER.SEQUENCE, "public key").raw.slice() as Bytes;
    const key = keyOf(info);
    if (!algorithm) throw new CertificateError(`${what}: its signature algorithm ${algorithmOid} is not supported`);
    if (algorithm.weak === "broken" || !verifyOctets(key, algorithm, tbs, signature)) {
      throw new CertificateError(`${what}: it is not signed with the key that it is for`);
    }
    return { subject: parseName(expectTag(subject, DER.SEQUENCE, "subject").raw), spki: info, identities };
  });
}
