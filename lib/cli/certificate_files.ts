/** Files of certpatch, pki and keynote: certificates, CRLs and private keys. @module */
import { resolve } from "node:path";
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
    throw new CommandError(`${path}: ${reason(error)}`);
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

/** What tells a file from others under whatever path; nothing of what is no file. */
function fileOf(path: string): string | undefined {
  try {
    const { isFile, dev, ino } = Deno.statSync(path);
    return isFile ? `${dev}:${ino}` : undefined;
  } catch {
    return resolve(path); // it will be a new one, or who opens it says why not
  }
}

/** That what is written takes the place of nothing that is read, or written as well. @throws {CommandError} */
export function keepApart(written: readonly string[], read: readonly string[]): void {
  const taken = new Set(read.map(fileOf));
  for (const path of written) {
    const file = fileOf(path);
    if (file === undefined) continue;
    if (taken.has(file)) {
      throw new CommandError(`${path}: one file cannot be two of those that are named; name another`);
    }
    taken.add(file);
  }
}

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
