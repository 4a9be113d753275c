/** Files of certpatch and pki: certificates, CRLs and private keys. @module */
import { encodePem, encodePrivateKey, type KeyObject, parsePrivateKey } from "../crypto/signature.ts";
import { type Certificate, parseCertificate } from "../x509/certificate.ts";
import { CertificateError } from "../x509/error.ts";
import { decodeFile } from "../x509/pem.ts";
import { CommandError, reason } from "./command.ts";

/** What `decode` makes of a file; all errors name it. @throws {CommandError} */
export function fromFile<T>(path: string, decode: (octets: Uint8Array) => T): T {
  try {
    return decode(Deno.readFileSync(path));
  } catch (error) {
    if (error instanceof CommandError) throw error;
    const why = error instanceof Deno.errors.NotFound ? "it does not exist" : (error as Error).message;
    throw new CommandError(`${path}: ${why}`);
  }
}

/** What `work` makes of what a file holds; what is wrong with that names it. @throws {CommandError} */
export function about<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof CertificateError) throw new CommandError(`${path}: ${error.message}`);
    throw error;
  }
}

/** The first certificate of a file. */
export const readCertificate = (path: string): Certificate =>
  fromFile(path, (octets) => parseCertificate(decodeFile(octets, "CERTIFICATE")[0]));

export const readPrivateKey = (path: string): KeyObject => fromFile(path, parsePrivateKey);

function write(path: string, text: string, mode: number): void {
  try {
    Deno.writeTextFileSync(path, text, { mode });
    Deno.chmodSync(path, mode); // the file may have been there
  } catch (error) {
    throw new CommandError(`${path}: ${reason(error)}`);
  }
}

export const writePem = (path: string, label: string, der: Uint8Array): void =>
  write(path, encodePem(label, der), 0o644);

/** A private key in PKCS#8 that only its owner may read. */
export const writePrivateKey = (path: string, key: KeyObject): void =>
  write(path, encodePem("PRIVATE KEY", encodePrivateKey(key)), 0o600);
