/** PEM (RFC 7468), and DER as it is. @module */
import { parseBase64 } from "../octets/base64.ts";
import type { Bytes } from "../octets/bytes.ts";
import { CertificateError } from "./error.ts";

/** One block: `CERTIFICATE`, `X509 CRL`, ..., and its octets. */
export interface PemBlock {
  readonly label: string;
  readonly octets: Bytes;
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,40})-----\r?\n([\s\S]*?)-----END \1-----/g;

/** The blocks in a text; what is between them is left out. @throws {CertificateError} on one that is not base64 or not closed */
export function parsePem(text: string): PemBlock[] {
  const blocks: PemBlock[] = [];
  for (const [, label, body] of text.matchAll(BLOCK)) {
    try {
      blocks.push({ label, octets: parseBase64(body.replace(/\s+/g, "")) });
    } catch (error) {
      throw new CertificateError(`PEM block ${label}: ${(error as SyntaxError).message}`);
    }
  }
  const begun = text.match(/-----BEGIN /g)?.length ?? 0;
  if (begun !== blocks.length) throw new CertificateError(`PEM: ${begun} blocks begin, ${blocks.length} end`);
  return blocks;
}

/**
 * The octets of a file's blocks with `label`: PEM, or one DER element.
 *
 * @throws {CertificateError} when there are none
 */
export function decodeFile(file: Uint8Array, label: string): Bytes[] {
  if (file[0] === 0x30) return [file.slice() as Bytes];
  const blocks = parsePem(new TextDecoder().decode(file));
  const found = blocks.filter((block) =>
    block.label === label || block.label === `TRUSTED ${label}` || block.label === `NEW ${label}`
  );
  if (found.length > 0) return found.map(({ octets }) => octets);
  const others = blocks.length ? `, only ${[...new Set(blocks.map((block) => block.label))].join(", ")}` : "";
  throw new CertificateError(`no PEM block ${label}${others}`);
}
