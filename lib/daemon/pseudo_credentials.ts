/** Certificates as KeyNote assertions (isakmpd.policy(5)): an authority licenses the holders of its certificates. @module */
import { formatPrincipal, keyOfSpki } from "../keynote/principal.ts";
import { octetsOfText } from "../keynote/text.ts";
import { formatBase64 } from "../octets/base64.ts";
import { DecodeError } from "../octets/reader.ts";
import type { Certificate, CertificateTime } from "../x509/certificate.ts";
import { formerText } from "../x509/name.ts";

/** The principal that is the certificate's key: `rsa-hex:...`; keys that KeyNote has no name for stand as the certificate. */
export function keyPrincipal({ spki, der }: Certificate): string {
  try {
    const key = keyOfSpki(spki);
    if (key.kind !== "other") return formatPrincipal(key);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
  }
  return `x509-base64:${formatBase64(der)}`;
}

/** The principals that are the certificate's subject: `DN:/C=SE/...`, also as it was written before OpenSSL 0.9.7. */
export const namePrincipals = ({ subject }: Certificate): string[] =>
  subject.empty ? [] : [...new Set([subject.text, formerText(subject)])].map((text) => octetsOfText(`DN:${text}`));

/** All principals that the holder of the certificate is. */
export const principalsOf = (certificate: Certificate): string[] => [
  keyPrincipal(certificate),
  ...namePrincipals(certificate),
];

const literal = (text: string): string => `"${text.replace(/[\\"]/g, "\\$&")}"`;

const digits = ({ at }: CertificateTime): string => new Date(at).toISOString().replace(/[-:T]/g, "").slice(0, 14);

/**
 * The two assertions that a certificate means: its issuer's key licenses its key, its issuer's name licenses its name,
 * while it is valid. The certificate must have been verified: the assertions are local, nobody looks at them again.
 */
export function pseudoCredentials(certificate: Certificate, issuer: Certificate): string {
  const { notBefore, notAfter } = certificate;
  const clock = (time: CertificateTime) => time.utc ? "GMTTimeOfDay" : "LocalTimeOfDay";
  const conditions = `${clock(notBefore)} >= "${digits(notBefore)}" && ${clock(notAfter)} <= "${digits(notAfter)}"`;
  const assertion = (authorizer: string, licensees: readonly string[]) =>
    `Authorizer: ${literal(authorizer)}\nLicensees: ${
      licensees.map(literal).join(" || ")
    }\nConditions: ${conditions};\n`;
  const names = namePrincipals(certificate);
  return [
    assertion(keyPrincipal(issuer), [keyPrincipal(certificate)]),
    ...(names.length > 0 ? namePrincipals(issuer).map((name) => assertion(name, names)) : []),
  ].join("\n");
}
