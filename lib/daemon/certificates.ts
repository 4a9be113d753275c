/**
 * isakmpd's certificates: the CA, certificate, CRL and credential directories, which certificate is ours for an ID, and
 * whether a peer's certificate is to be believed.
 *
 * @module
 */
import { join } from "node:path";
import type { IsakmpdSettings } from "../config/isakmpd_conf.ts";
import { encodePublicKey, KeyError, parsePrivateKey, type PublicKey } from "../crypto/signature.ts";
import type { Certificate as CertificatePayload, VerifyTask } from "../ike/events.ts";
import { describeId, type Identification } from "../isakmp/identification.ts";
import { CERT_ENCODING, ID_TYPE, IKE_AUTHENTICATION } from "../isakmp/numbers.ts";
import { describeProblem, parseAssertions } from "../keynote/parse.ts";
import { addLocal, AssertionSet } from "../keynote/query.ts";
import { addCredentials } from "../keynote/signature.ts";
import { octetString } from "../keynote/text.ts";
import { type Bytes, equal } from "../octets/bytes.ts";
import { formatHex } from "../octets/hex.ts";
import { type Certificate, parseCertificate } from "../x509/certificate.ts";
import { parseRevocationList, type RevocationList } from "../x509/crl.ts";
import { CertificateError } from "../x509/error.ts";
import { carries, type Identity, mismatch } from "../x509/identity.ts";
import { parseName } from "../x509/name.ts";
import { type Trust, validatePath } from "../x509/path.ts";
import { decodeFile } from "../x509/pem.ts";
import type { CertificateStore, ProvenKey } from "./isakmpd_credentials.ts";
import { readKeynoteFolder } from "./keynote_folder.ts";
import { MissingFileError, PrivateFileError, readPrivateFile } from "./private_file.ts";
import { principalsOf, pseudoCredentials } from "./pseudo_credentials.ts";

/** The settings that are needed. */
export type CertificateSettings = Pick<
  IsakmpdSettings,
  "caDirectory" | "certDirectory" | "crlDirectory" | "credentialDirectory" | "acceptSelfSigned" | "privateKey"
>;

const FILE_LIMIT = 4 << 20;
const WRITABLE_BY_OTHERS = 0o022;
/** Certificates and CRLs that are looked at in one message. */
const PAYLOAD_LIMIT = 16;

const ID_TYPES: Readonly<Record<number, Identity["type"]>> = {
  [ID_TYPE.IPV4_ADDR]: "IPV4_ADDR",
  [ID_TYPE.IPV6_ADDR]: "IPV6_ADDR",
  [ID_TYPE.FQDN]: "FQDN",
  [ID_TYPE.USER_FQDN]: "USER_FQDN",
  [ID_TYPE.DER_ASN1_DN]: "DER_ASN1_DN",
};

/** The kind of key that a method needs. */
const KEY_KINDS: Readonly<Record<number, PublicKey["kind"]>> = {
  [IKE_AUTHENTICATION.RSA_SIG]: "rsa",
  [IKE_AUTHENTICATION.DSS]: "dsa",
  [IKE_AUTHENTICATION.ECDSA_256]: "ec",
  [IKE_AUTHENTICATION.ECDSA_384]: "ec",
  [IKE_AUTHENTICATION.ECDSA_521]: "ec",
};

/** The identity that a certificate would have to carry; undefined for IDs that none can. */
export function identityOf({ type, data }: Identification): Identity | undefined {
  return ID_TYPES[type] && { type: ID_TYPES[type], octets: data };
}

/** Reads every file of a directory with `decode`; what is wrong with one goes to `problems`, and a missing directory is empty. */
function readDirectory<T>(path: string, label: string, decode: (der: Bytes) => T, problems: string[]): T[] {
  let names: string[];
  try {
    names = [...Deno.readDirSync(path)].map(({ name }) => name).filter((name) => !name.startsWith(".")).sort();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) problems.push(`${path}: ${(error as Error).message}`);
    return [];
  }
  return names.flatMap((name) => {
    const file = join(path, name);
    try {
      const { isFile, mode, size } = Deno.statSync(file);
      if (!isFile) return [];
      if (mode! & WRITABLE_BY_OTHERS) throw new CertificateError("others may write it: chmod go-w");
      if (size > FILE_LIMIT) throw new CertificateError(`${size} octets, at most ${FILE_LIMIT} are read`);
      return decodeFile(Deno.readFileSync(file), label).map(decode);
    } catch (error) {
      problems.push(`${file}: ${(error as Error).message}`);
      return [];
    }
  });
}

/** The directories, as they were when they were last read. */
export class CertificateDirectories implements CertificateStore {
  #authorities: Certificate[] = [];
  #certificates: Certificate[] = [];
  #revocationLists: RevocationList[] = [];

  /** @param now milliseconds since the epoch */
  constructor(readonly settings: CertificateSettings, readonly now: () => number = Date.now) {
    this.problems = this.reload();
  }

  /** What was left out when the directories were last read, one line for each file. */
  problems: readonly string[];

  /** Reads the directories again (SIGHUP). */
  reload(): readonly string[] {
    const problems: string[] = [];
    const { caDirectory, certDirectory, crlDirectory } = this.settings;
    this.#authorities = readDirectory(caDirectory, "CERTIFICATE", parseCertificate, problems);
    this.#certificates = readDirectory(certDirectory, "CERTIFICATE", parseCertificate, problems);
    this.#revocationLists = readDirectory(crlDirectory, "X509 CRL", parseRevocationList, problems);
    this.problems = problems;
    return problems;
  }

  /** Certificates of the CA directory, for {@linkcode identityWarnings}. */
  get authorityCertificates(): readonly Certificate[] {
    return this.#authorities;
  }

  #trust(intermediates: readonly Certificate[], revocationLists: readonly RevocationList[]): Trust {
    return {
      authorities: this.#authorities,
      intermediates: [...intermediates, ...this.#certificates],
      revocationLists: [...this.#revocationLists, ...revocationLists],
      nowMs: this.now(),
      acceptSelfSigned: this.settings.acceptSelfSigned,
    };
  }

  /**
   * The key of the peer whose certificate carries its ID: one of the message first, because that is what it signs with;
   * else one of our directory. KeyNote credentials in the message stand for a key that the policy alone must know.
   */
  keyOf(task: VerifyTask): ProvenKey | undefined {
    const identity = identityOf(task.remoteId);
    const kind = KEY_KINDS[task.method];
    const sent = task.certificates.slice(0, PAYLOAD_LIMIT);
    const ofEncoding = (encoding: number) => sent.filter((payload) => payload.encoding === encoding);
    let refusal: string | undefined;
    const decoded = <T>(encoding: number, decode: (der: Bytes) => T): T[] =>
      ofEncoding(encoding).flatMap(({ octets }) => {
        try {
          return [decode(octets)];
        } catch (error) {
          if (!(error instanceof CertificateError)) throw error;
          refusal ??= `the peer sent what is none: ${error.message}`;
          return [];
        }
      });
    const received = decoded(CERT_ENCODING.X509_SIG, parseCertificate);
    const revocationLists = decoded(CERT_ENCODING.CRL, parseRevocationList);
    const keynote = ofEncoding(CERT_ENCODING.KEYNOTE);
    if (received.length === 0 && keynote.length > 0) return keyOfCredentials(keynote, kind);
    if (!identity) return undefined;
    const candidates = [...received, ...this.#certificates].filter((certificate) => carries(certificate, identity));
    for (const certificate of candidates) {
      const result = validatePath(certificate, this.#trust(received, revocationLists));
      if (!result.ok) refusal ??= result.message;
      else if (certificate.key!.kind !== kind) {
        refusal ??= `the certificate of ${certificate.subject.text} has a key of another kind (${
          certificate.key!.kind
        })`;
      } else return { publicKey: certificate.spki, credential: credentialOf(result.path) };
    }
    if (refusal) throw new CertificateError(refusal);
    if (received.length > 0) throw new CertificateError(mismatch(received[0], identity));
    return undefined;
  }

  /** Our certificate for an ID and the intermediates above it; one of an authority that was asked for is preferred. */
  ownChain(localId: Identification, requests: readonly CertificatePayload[]): readonly CertificatePayload[] {
    const credentials = readKeynoteFolder(this.settings.credentialDirectory, localId);
    if (credentials) return [{ encoding: CERT_ENCODING.KEYNOTE, octets: credentials.credentials }];
    const identity = identityOf(localId);
    if (!identity) return [];
    const wanted = requests.filter(({ encoding, octets }) => encoding === CERT_ENCODING.X509_SIG && octets.length > 0)
      .flatMap(({ octets }) => nameKey(octets));
    const now = this.now();
    const ranked = this.#certificates.filter((certificate) => carries(certificate, identity)).map((certificate) => {
      const result = validatePath(certificate, this.#trust([], []));
      const path = result.ok ? result.path : [certificate];
      const asked = path.some(({ issuer }) => wanted.includes(issuer.key));
      const valid = certificate.notBefore.at <= now && now <= certificate.notAfter.at;
      return { path, rank: (asked ? 4 : 0) + (result.ok ? 2 : 0) + (valid ? 1 : 0), until: certificate.notAfter.at };
    }).sort((a, b) => b.rank - a.rank || b.until - a.until);
    if (ranked.length === 0) return [];
    const [end, ...above] = ranked[0].path;
    return [end, ...above.filter(({ selfIssued }) => !selfIssued)]
      .map(({ der }) => ({ encoding: CERT_ENCODING.X509_SIG, octets: der }));
  }

  /** The private key that goes with our KeyNote credentials for an ID; undefined when there are none. */
  ownKeyPath(localId: Identification): string | undefined {
    return readKeynoteFolder(this.settings.credentialDirectory, localId)?.privateKeyPath;
  }

  /** The names of our authorities, to be asked for in CERT_REQUEST payloads. */
  authorities(): readonly CertificatePayload[] {
    const names = new Map(this.#authorities.map(({ subject }) => [subject.key, subject.der]));
    return [...names.values()].map((octets) => ({ encoding: CERT_ENCODING.X509_SIG, octets }));
  }

  /** What is wrong with our own side for an ID: no certificate, not valid, or not that of our private key. */
  ownProblems(localId: Identification): string[] {
    try {
      if (readKeynoteFolder(this.settings.credentialDirectory, localId)) return [];
    } catch (error) {
      if (error instanceof PrivateFileError) return [error.message];
      throw error;
    }
    const identity = identityOf(localId);
    const own = identity ? this.#certificates.filter((certificate) => carries(certificate, identity)) : [];
    const who = describeId(localId);
    if (own.length === 0) return [`${this.settings.certDirectory}: no certificate for ${who}`];
    const results = own.map((certificate) => validatePath(certificate, this.#trust([], [])));
    const problems = results.some(({ ok }) => ok) ? [] : results.flatMap((result) => result.ok ? [] : [result.message]);
    const privateKey = this.#privateKey();
    if (privateKey instanceof Error) return [...problems, privateKey.message];
    const ours = own.some(({ key }) => key && equal(encodePublicKey(key), privateKey));
    return ours ? problems : [...problems, `the certificate for ${who} is not that of ${this.settings.privateKey}`];
  }

  /** What is wrong with the private key's file, whatever our ID; nothing when it is not there. */
  keyProblems(): string[] {
    const privateKey = this.#privateKey();
    return privateKey instanceof Error && !(privateKey instanceof MissingFileError) ? [privateKey.message] : [];
  }

  /** The public half of the private key's file; or why there is none. */
  #privateKey(): Bytes | PrivateFileError | KeyError {
    try {
      return encodePublicKey(parsePrivateKey(readPrivateFile(this.settings.privateKey, "private key")));
    } catch (error) {
      if (error instanceof PrivateFileError) return error;
      if (error instanceof KeyError) return new KeyError(`${this.settings.privateKey}: ${error.message}`);
      throw error;
    }
  }
}

/** A DER name in one line, as the policy has it; hexadecimal digits when it is none. */
export function nameText(der: Uint8Array): string {
  try {
    return parseName(der).text;
  } catch (error) {
    if (error instanceof CertificateError) return formatHex(der);
    throw error;
  }
}

/** The comparable form of a name that a peer asked for, if it is one. */
function nameKey(der: Uint8Array): string[] {
  try {
    return [parseName(der).key];
  } catch (error) {
    if (error instanceof CertificateError) return [];
    throw error;
  }
}

/** What the policy may make of a verified path. */
function credentialOf(path: readonly Certificate[]): ProvenKey["credential"] {
  const assertions = new AssertionSet();
  path.slice(0, -1).forEach((certificate, i) => {
    addLocal(
      assertions,
      parseAssertions(pseudoCredentials(certificate, path[i + 1]), certificate.subject.text).assertions,
    );
  });
  return { principals: principalsOf(path[0]), assertions };
}

/**
 * The key that KeyNote credentials are about: the only licensee of the last one. Nothing ties it to the ID that the peer
 * claims, so the policy is not told that ID (`identityUnproven`): it has to know the key.
 */
function keyOfCredentials(payloads: readonly CertificatePayload[], kind: string | undefined): ProvenKey {
  const assertions = new AssertionSet();
  const problems = payloads.flatMap(({ octets }) =>
    addCredentials(assertions, octetString(octets), "peer's credentials")
  );
  if (problems.length > 0) throw new CertificateError(describeProblem(problems[0]));
  const { assertions: parsed } = parseAssertions(
    octetString(payloads[payloads.length - 1].octets),
    "peer's credentials",
  );
  const last = new AssertionSet();
  const licensees = parsed.length > 0
    ? last.add(parsed[parsed.length - 1], "credential").resolved?.licensees ?? []
    : [];
  const key = licensees.length === 1 ? licensees[0].key : undefined;
  if (!key || key.kind === "other" || key.kind !== kind) {
    throw new CertificateError("the peer's last KeyNote credential does not license one key of the kind that signs");
  }
  return {
    publicKey: encodePublicKey(key),
    credential: { principals: [licensees[0].text], assertions, identityUnproven: true },
  };
}
