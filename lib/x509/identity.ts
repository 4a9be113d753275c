/** Identities that a certificate can carry, and whether it carries a given one. @module */
import { type Bytes, decodeText, equal } from "../octets/bytes.ts";
import type { Certificate } from "./certificate.ts";
import { CertificateError } from "./error.ts";
import { parseName } from "./name.ts";

/** An identity as the ID payload (RFC 2407 section 4.6.2) and subjectAltName have it. */
export interface Identity {
  readonly type: "IPV4_ADDR" | "IPV6_ADDR" | "FQDN" | "USER_FQDN" | "DER_ASN1_DN";
  /** Address octets, text, or a DER Name. */
  readonly octets: Bytes;
}

const lower = (text: string): string => text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());

/** Domain names compare without case, the part before `@` with it (RFC 5280 section 7.5). No wildcards. */
function comparable({ type, octets }: Identity): string {
  const text = decodeText(octets);
  if (type === "FQDN") return lower(text);
  const at = text.lastIndexOf("@");
  return text.slice(0, at) + lower(text.slice(at));
}

/** Whether two identities are the same. */
export function sameIdentity(a: Identity, b: Identity): boolean {
  if (a.type !== b.type) return false;
  switch (a.type) {
    case "IPV4_ADDR":
    case "IPV6_ADDR":
      return equal(a.octets, b.octets);
    case "DER_ASN1_DN":
      try {
        return parseName(a.octets).key === parseName(b.octets).key;
      } catch (error) {
        if (error instanceof CertificateError) return false;
        throw error;
      }
    default:
      // Malformed UTF-8 decodes to one character; such octets are the same only as octets.
      return equal(a.octets, b.octets) || (comparable(a) === comparable(b) && !comparable(a).includes("\ufffd"));
  }
}

/** Text that somebody else wrote, without control characters. */
// deno-lint-ignore no-control-regex
export const printable = (octets: Bytes): string => decodeText(octets).replace(/[\x00-\x1f\x7f]/g, "?");

/** An identity for people: `FQDN gw.mysite.se`. */
export function describeIdentity({ type, octets }: Identity): string {
  switch (type) {
    case "IPV4_ADDR":
      return octets.join(".");
    case "IPV6_ADDR": {
      const groups = Array.from({ length: 8 }, (_, i) => (octets[2 * i] << 8 | octets[2 * i + 1]).toString(16));
      return groups.join(":");
    }
    case "DER_ASN1_DN":
      try {
        return parseName(octets).text;
      } catch (error) {
        if (error instanceof CertificateError) return "a malformed name";
        throw error;
      }
    default:
      return `${type} ${printable(octets)}`;
  }
}

/** The identities that a certificate carries: its subjectAltNames, and its subject as a distinguished name. */
export const identitiesOf = ({ subject, alternativeNames }: Certificate): Identity[] => [
  ...alternativeNames,
  ...(subject.empty ? [] : [{ type: "DER_ASN1_DN", octets: subject.der } as const]),
];

/** Whether the certificate carries `identity`. */
export const carries = (certificate: Certificate, identity: Identity): boolean =>
  identitiesOf(certificate).some((own) => sameIdentity(own, identity));

/** Why a certificate does not carry an identity, for people. */
export function mismatch(certificate: Certificate, identity: Identity): string {
  const own = certificate.alternativeNames.map(describeIdentity).join(", ");
  const names = own ? `its subjectAltName is ${own}` : "it has no subjectAltName";
  return `the certificate of ${certificate.subject.text || "an empty name"} is not for ${
    describeIdentity(identity)
  }: ${names}`;
}
