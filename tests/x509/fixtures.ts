/** The certificates of tests/vectors/x509, which make.sh made with openssl. @module */
import { parsePrivateKey } from "../../lib/crypto/signature.ts";
import { type Certificate, parseCertificate } from "../../lib/x509/certificate.ts";
import { parseRevocationList, type RevocationList } from "../../lib/x509/crl.ts";
import type { Identity } from "../../lib/x509/identity.ts";
import { decodeFile } from "../../lib/x509/pem.ts";
import { type PathResult, type Trust, validatePath } from "../../lib/x509/path.ts";
import { encodeText } from "../../lib/octets/bytes.ts";

const FOLDER = new URL("../vectors/x509/", import.meta.url);

/** The day on which the fixtures are judged. */
export const NOW = Date.UTC(2030, 0, 1);

export const file = (name: string) => Deno.readFileSync(new URL(name, FOLDER));
export const names = (): string[] => [...Deno.readDirSync(FOLDER)].map(({ name }) => name).sort();
export const derOf = (name: string) => decodeFile(file(`${name}.crt`), "CERTIFICATE")[0];
export const certificate = (name: string): Certificate => parseCertificate(derOf(name));
export const key = (name: string) => parsePrivateKey(new TextDecoder().decode(file(`${name}.key`)));
export const crl = (name: string): RevocationList =>
  parseRevocationList(decodeFile(file(`${name}.crl`), "X509 CRL")[0]);
export const fqdn = (name: string): Identity => ({ type: "FQDN", octets: encodeText(name) });
export const userFqdn = (name: string): Identity => ({ type: "USER_FQDN", octets: encodeText(name) });

/** What is trusted in a test: the authority `ca`, if nothing else is said. */
export function trust(
  authorities: string[] = ["ca"],
  intermediates: string[] = [],
  more: Partial<Trust> = {},
): Trust {
  return {
    authorities: authorities.map(certificate),
    intermediates: intermediates.map(certificate),
    revocationLists: [],
    nowMs: NOW,
    ...more,
  };
}

/** The path and warnings of a certificate that must be accepted. */
export function accepted(name: string, trusted: Trust): PathResult & { ok: true } {
  const result = validatePath(certificate(name), trusted);
  if (!result.ok) throw new Error(`${name} was refused: ${result.message}`);
  return result;
}

/** The refusal of a certificate that must be refused. */
export function refused(result: PathResult): PathResult & { ok: false } {
  if (result.ok) throw new Error(`${result.path[0].subject.text} was accepted`);
  return result;
}
