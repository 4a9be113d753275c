/**
 * Keys that prove who somebody is in phase 1: our private key, peers' raw public keys (`Pubkey-directory`), and
 * certificates through {@linkcode CertificateStore}.
 *
 * @module
 */
import { join } from "node:path";
import type { IsakmpdSettings } from "../config/isakmpd_conf.ts";
import {
  encodePrivateKey,
  encodePublicKey,
  encodeRsaPublicKey,
  KeyError,
  parsePrivateKey,
  parsePublicKey,
} from "../crypto/signature.ts";
import type { Certificate, ComputationResult, SignTask, VerifyTask } from "../ike/events.ts";
import { describeId, formatId, type Identification } from "../isakmp/identification.ts";
import { ID_TYPE, IKE_AUTHENTICATION } from "../isakmp/numbers.ts";
import type { Bytes } from "../octets/bytes.ts";
import { formatHex } from "../octets/hex.ts";
import type { Scheme } from "./compute.ts";
import type { ComputePool } from "./compute_pool.ts";
import type { PolicyCredential } from "./isakmpd_policy.ts";
import { PrivateFileError, readPrivateFile } from "./private_file.ts";

/** A peer's public key that was found to belong to its ID, and what the policy may make of it. */
export interface ProvenKey {
  /** SubjectPublicKeyInfo. */
  readonly publicKey: Bytes;
  readonly credential: PolicyCredential;
}

/** Certificates, ours and theirs. */
export interface CertificateStore {
  /** The key of a peer whose certificate carries its ID and chains to an authority. Undefined: there is none. @throws {Error} why not */
  keyOf(task: VerifyTask): ProvenKey | undefined;
  /** Our certificates for an ID, end entity first. Empty: none. */
  ownChain(localId: Identification, requests: readonly Certificate[]): readonly Certificate[];
  /** The private key that goes with {@linkcode ownChain}, where it is not that of the settings. */
  ownKeyPath(localId: Identification): string | undefined;
  /** Authorities to ask a peer's certificate of. */
  authorities(): readonly Certificate[];
}

/** How a method signs. RSA with encryption-based methods is not among them. */
const SCHEMES: Readonly<Record<number, Scheme>> = {
  [IKE_AUTHENTICATION.RSA_SIG]: "rsa",
  [IKE_AUTHENTICATION.DSS]: "dsa",
  [IKE_AUTHENTICATION.ECDSA_256]: "ecdsa",
  [IKE_AUTHENTICATION.ECDSA_384]: "ecdsa",
  [IKE_AUTHENTICATION.ECDSA_521]: "ecdsa",
};

/** Directory of raw keys by kind of ID (2.9). */
const KEY_FOLDERS: Readonly<Record<number, string>> = {
  [ID_TYPE.IPV4_ADDR]: "ipv4",
  [ID_TYPE.IPV6_ADDR]: "ipv6",
  [ID_TYPE.FQDN]: "fqdn",
  [ID_TYPE.USER_FQDN]: "ufqdn",
};

/** Where a peer's raw key lies; undefined for an ID that cannot name a file. */
export function rawKeyPath(directory: string, id: Identification): string | undefined {
  const folder = KEY_FOLDERS[id.type];
  const name = formatId(id);
  // The ID comes from the peer: it must not lead out of the directory.
  if (!folder || !/^[A-Za-z0-9@._:+-]{1,255}$/.test(name) || /^\.+$/.test(name)) return undefined;
  return join(directory, folder, name);
}

const failed = (error: string): ComputationResult => ({ ok: false, error });

/** Signs and verifies with the keys of the settings' directories; they are read when they are needed. */
export class Credentials {
  constructor(
    readonly settings: IsakmpdSettings,
    readonly pool: ComputePool,
    readonly certificates?: CertificateStore,
  ) {}

  sign(task: SignTask, done: (result: ComputationResult) => void): void {
    const scheme = SCHEMES[task.method];
    if (!scheme) return done(failed(`method ${task.method} has no signature`));
    const path = this.#privateKeyPath(task.localId);
    let privateKey: Bytes;
    let certificates: readonly Certificate[];
    try {
      const key = parsePrivateKey(readPrivateFile(path, "private key"));
      privateKey = encodePrivateKey(key);
      certificates = this.certificates?.ownChain(task.localId, task.requests) ?? [];
    } catch (error) {
      if (!(error instanceof PrivateFileError || error instanceof KeyError)) throw error;
      return done(failed(error instanceof KeyError ? `${path}: ${error.message}` : error.message));
    }
    this.pool.run({ op: "sign", scheme, privateKey, octets: task.octets }, (signature, error) => {
      privateKey.fill(0);
      done(signature ? { ok: true, value: { signature, certificates } } : failed(`${path}: ${error}`));
    });
  }

  /** A key for each ID in Private-key-directory (later releases), else the one key. */
  #privateKeyPath(localId: Identification): string {
    const ownKey = this.certificates?.ownKeyPath(localId);
    if (ownKey) return ownKey;
    const { privateKey, privateKeyDirectory } = this.settings;
    const name = privateKeyDirectory && rawKeyPath(privateKeyDirectory, localId);
    if (name) {
      const path = join(privateKeyDirectory, formatId(localId));
      try {
        if (Deno.statSync(path).isFile) return path;
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
    return privateKey;
  }

  verify(task: VerifyTask, done: (result: ComputationResult) => void): void {
    const scheme = SCHEMES[task.method];
    if (!scheme) return done(failed(`method ${task.method} has no signature`));
    let proven: ProvenKey | undefined;
    let why = "";
    try {
      proven = this.#rawKey(task.remoteId) ?? this.certificates?.keyOf(task);
    } catch (error) {
      why = (error as Error).message;
    }
    if (!proven) {
      const where = rawKeyPath(this.settings.pubkeyDirectory, task.remoteId);
      return done(failed(
        why ||
          `no public key of ${describeId(task.remoteId)}: neither ${where ?? "a raw key"} nor a certificate that ` +
            "an authority in CA-directory has signed",
      ));
    }
    const { publicKey, credential } = proven;
    this.pool.run(
      { op: "verify", scheme, publicKey, octets: task.octets, signature: task.signature },
      (good, error) => {
        if (good) done({ ok: true, value: { credential } });
        else done(failed(error ?? `the signature does not match the public key of ${describeId(task.remoteId)}`));
      },
    );
  }

  /** A peer's key from Pubkey-directory. @throws {KeyError} when the file is no key */
  #rawKey(id: Identification): ProvenKey | undefined {
    const path = rawKeyPath(this.settings.pubkeyDirectory, id);
    if (!path) return undefined;
    let text: Uint8Array;
    try {
      text = Deno.readFileSync(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
      throw new KeyError(`cannot read the public key ${path}: ${(error as Error).message}`);
    }
    try {
      const key = parsePublicKey(text);
      const principals = key.kind === "rsa" ? [`rsa-hex:${formatHex(encodeRsaPublicKey(key))}`] : [];
      return { publicKey: encodePublicKey(key), credential: { principals } };
    } catch (error) {
      if (!(error instanceof KeyError)) throw error;
      throw new KeyError(`${path}: ${error.message}`);
    }
  }
}
