/** Certificates, CRLs and keys in words. @module */
import {
  describeKey,
  encodePublicKey,
  parsePrivateKey,
  parsePublicKey,
  type PublicKey,
  publicKeyOf,
} from "../crypto/signature.ts";
import { hash } from "../crypto/hash.ts";
import { formatHex } from "../octets/hex.ts";
import { type Certificate, type CertificateTime, parseCertificate } from "../x509/certificate.ts";
import { parseRevocationList } from "../x509/crl.ts";
import { describeIdentity } from "../x509/identity.ts";
import { parsePem } from "../x509/pem.ts";
import { parseRequest } from "../x509/request.ts";

/** One thing in a file, and the openssl command that shows it. */
export interface Description {
  readonly text: string;
  readonly command: string;
}

const date = ({ at }: CertificateTime): string => new Date(at).toISOString().replace(".000Z", "Z");
const rows = (pairs: [string, string | undefined][]): string =>
  pairs.filter(([, value]) => value !== undefined).map(([name, value]) => `${name.padEnd(12)}${value}\n`).join("");
const KINDS = { rsa: "RSA", dsa: "DSA", ec: "ECDSA", ed25519: "Ed25519" };

const keyText = (key: PublicKey | undefined): string => {
  if (!key) return "of a kind that is not supported";
  const { type, bits } = describeKey(key);
  return `${KINDS[type]} ${bits}, SHA-256 ${formatHex(hash("sha256", encodePublicKey(key)))}`;
};

function certificateText(certificate: Certificate): string {
  const { basicConstraints: constraints, keyUsage, algorithm, notUnderstood } = certificate;
  const usage = keyUsage && Object.entries(keyUsage).filter(([, set]) => set).map(([name]) => name).join(", ");
  const authority = constraints?.ca
    ? `yes${constraints.pathLength === undefined ? "" : `, ${constraints.pathLength} authorities below it at most`}`
    : "no";
  return rows([
    ["subject", certificate.subject.text || "(empty)"],
    ["issuer", certificate.issuer.text || "(empty)"],
    ["serial", certificate.serial],
    ["not before", date(certificate.notBefore)],
    ["not after", date(certificate.notAfter)],
    ["identities", certificate.alternativeNames.map(describeIdentity).join(", ") || "none"],
    ["authority", authority],
    ["usage", usage || undefined],
    ["key", keyText(certificate.key)],
    ["signed with", algorithm?.name ?? certificate.algorithmOid],
    ["not known", notUnderstood.length > 0 ? notUnderstood.join(", ") : undefined],
  ]);
}

/** What is in a file: PEM blocks, or a certificate in DER. @throws {Error} on anything else */
export function describeFile(octets: Uint8Array, path: string): Description[] {
  const blocks = octets[0] === 0x30
    ? [{ label: "CERTIFICATE", octets: octets as Uint8Array }]
    : parsePem(new TextDecoder().decode(octets));
  const descriptions = blocks.flatMap(({ label, octets: der }): Description[] => {
    if (label === "CERTIFICATE") {
      return [{ text: certificateText(parseCertificate(der)), command: `openssl x509 -in ${path} -noout -text` }];
    }
    if (label === "X509 CRL") {
      const { issuer, thisUpdate, nextUpdate, revoked } = parseRevocationList(der);
      const entries = [...revoked].map(([serial, { at, reason }]) =>
        `${serial} ${date(at)}${reason ? ` ${reason}` : ""}`
      );
      const text = rows([
        ["issuer", issuer.text],
        ["from", date(thisUpdate)],
        ["next", nextUpdate && date(nextUpdate)],
        ...entries.map((entry): [string, string] => ["revoked", entry]),
      ]);
      return [{ text, command: `openssl crl -in ${path} -noout -text` }];
    }
    if (label.endsWith("CERTIFICATE REQUEST")) {
      const { subject, identities, spki } = parseRequest(der);
      const text = rows([
        ["request of", subject.text || "(empty)"],
        ["identities", identities.map(describeIdentity).join(", ") || "none"],
        ["key", keyText(parsePublicKey(spki))],
      ]);
      return [{ text, command: `openssl req -in ${path} -noout -verify -text` }];
    }
    if (label.endsWith("PRIVATE KEY")) {
      const text = rows([["private key", keyText(publicKeyOf(parsePrivateKey(der)))]]);
      return [{ text, command: `openssl pkey -in ${path} -noout -text_pub` }];
    }
    return [];
  });
  if (descriptions.length === 0) throw new Error("no certificate, request, CRL or private key is in it");
  return descriptions;
}
