/**
 * Whether a certificate is to be believed: a path to an authority that we trust, and everything that speaks against it.
 * The rules are those of RFC 5280 section 6, with any policy, and RFC 4945 section 5. Time is an argument.
 *
 * @module
 */
import { equal } from "../octets/bytes.ts";
import { type Certificate, describeCertificate, type Signed } from "./certificate.ts";
import { forbiddenName } from "./constraints.ts";
import type { RevocationList } from "./crl.ts";
import { demandingPolicy } from "./policies.ts";
import { verifyOctets } from "./signature.ts";
import { OID } from "./oids.ts";

/** Why a certificate is refused. */
export type Refusal =
  | "not-yet-valid"
  | "expired"
  | "unknown-issuer"
  | "self-signed"
  | "bad-signature"
  | "not-an-authority"
  | "key-usage"
  | "path-length"
  | "too-long"
  | "revoked"
  | "crl-unusable"
  | "weak"
  | "unsupported"
  | "critical-extension"
  | "name-constraints"
  | "policy";

/** What is trusted, and how strict we are. */
export interface Trust {
  /** Certificates of authorities: the CA directory. */
  readonly authorities: readonly Certificate[];
  /** Certificates that may lie between: those of the message, and our own directory. They prove nothing by themselves. */
  readonly intermediates: readonly Certificate[];
  readonly revocationLists: readonly RevocationList[];
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  /** A certificate that is its own issuer and that no authority vouches for is accepted. */
  readonly acceptSelfSigned?: boolean;
  /** MD5 signatures and RSA keys below 1024 bits are accepted, with a warning. */
  readonly acceptWeak?: boolean;
}

/** The end entity first, the authority last; or why there is none. */
export type PathResult =
  | { readonly ok: true; readonly path: readonly Certificate[]; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly refusal: Refusal; readonly message: string };

const PATH_LIMIT = 8;
/** Signatures that are verified for one certificate at most: a peer could send a maze. */
const SIGNATURE_LIMIT = 32;
/** Below `least`: refused unless weakness is accepted; below `good`: a warning; above `most`: verifying takes too long. */
const RSA_BITS = { least: 1024, good: 2048, most: 8192 };

/** Purposes that fit IKE: any, ipsecEndSystem, ipsecTunnel, ipsecUser, ipsecIKE, iKEIntermediate (RFC 4945 section 5.1.3.12). */
const PURPOSES = new Set([
  "2.5.29.37.0",
  "1.3.6.1.5.5.7.3.5",
  "1.3.6.1.5.5.7.3.6",
  "1.3.6.1.5.5.7.3.7",
  "1.3.6.1.5.5.7.3.17",
  "1.3.6.1.5.5.8.2.2",
]);

class RefusalError extends Error {
  constructor(readonly refusal: Refusal, message: string, readonly depth: number) {
    super(message);
  }
}

const date = (at: number): string => new Date(at).toISOString().replace(".000Z", "Z");

/** Whether `issuer`'s key signed `what`. Not asked of keys and algorithms that we do not have. */
export function signedBy({ algorithm, tbs, signature }: Signed, { key, pssOnly }: Certificate): boolean {
  if (!algorithm || !key) return false;
  if (pssOnly && !algorithm.pss) return false;
  // RFC 4055 section 3.1: the same hashes, and a salt at least as long.
  const isRestricted = pssOnly !== undefined && pssOnly !== true && algorithm.pss !== undefined;
  if (isRestricted && (algorithm.hash !== pssOnly.hash || algorithm.pss.maskHash !== pssOnly.maskHash)) return false;
  if (isRestricted && algorithm.pss.saltOctets < pssOnly.saltOctets) return false;
  return verifyOctets(key, algorithm, tbs, signature);
}

/** Whether `issuer` may have issued: the same name, and the same key identifier where both say one. */
function mayHaveIssued(issuer: Certificate, issued: Pick<Certificate, "issuer" | "authorityKeyIdentifier">): boolean {
  const { subjectKeyIdentifier } = issuer;
  const { authorityKeyIdentifier } = issued;
  return issuer.subject.key === issued.issuer.key &&
    (!subjectKeyIdentifier || !authorityKeyIdentifier || subjectKeyIdentifier === authorityKeyIdentifier);
}

/** The checks of one certificate by itself. The signature on an authority's certificate proves nothing, so it may be of any kind. */
function checkOne(
  certificate: Certificate,
  trust: Trust,
  isAuthority: boolean,
  depth: number,
  warnings: string[],
): void {
  const who = describeCertificate(certificate);
  const refuse = (refusal: Refusal, message: string): never => {
    throw new RefusalError(refusal, `certificate of ${who}: ${message}`, depth);
  };
  const { notBefore, notAfter, algorithm, algorithmOid, keyKind, key, notUnderstood } = certificate;
  if (trust.nowMs < notBefore.at) refuse("not-yet-valid", `not valid before ${date(notBefore.at)}`);
  if (trust.nowMs > notAfter.at) refuse("expired", `expired on ${date(notAfter.at)}`);
  if (notUnderstood.length > 0) {
    refuse(
      "critical-extension",
      `it restricts itself by an extension that is not understood, ${notUnderstood.join(", ")}`,
    );
  }
  if (!algorithm && !isAuthority) refuse("unsupported", `its signature algorithm ${algorithmOid} is not supported`);
  if (!key || !keyKind) {
    refuse("unsupported", "its key is of a kind that is not supported (RSA, DSA, ECDSA P-256 to P-521, Ed25519)");
  }
  const unusable = certificate.pssOnly ? "RSASSA-PSS only" : key!.kind === "ed25519" ? "Ed25519" : undefined;
  if (depth === 0 && unusable) {
    refuse("unsupported", `its key signs with ${unusable}, which IKE (version 1) does not know`);
  }
  const { weak, name } = isAuthority || !algorithm ? { name: "" } : algorithm;
  const { type, bits } = keyKind!;
  const hasModulus = type === "rsa" || type === "dsa";
  const weakness = weak === "broken"
    ? `it is signed with ${name}, which can be forged`
    : hasModulus && bits < RSA_BITS.least
    ? `its ${type.toUpperCase()} key of ${bits} bits is too short, ${RSA_BITS.least} are needed`
    : undefined;
  if (weakness && !trust.acceptWeak) refuse("weak", weakness);
  if (weakness) warnings.push(`certificate of ${who}: weak: ${weakness}`);
  else if (weak) warnings.push(`certificate of ${who}: it is signed with ${name}, which is old`);
  else if (hasModulus && bits < RSA_BITS.good) {
    warnings.push(`certificate of ${who}: its ${type.toUpperCase()} key has ${bits} bits, ${RSA_BITS.good} are usual`);
  }
}

/** The checks of a certificate as the issuer of another one. `below` counts the intermediates under it. */
function checkIssuer(
  issuer: Certificate,
  isAuthority: boolean,
  below: number,
  depth: number,
  warnings: string[],
): void {
  const who = describeCertificate(issuer);
  const { basicConstraints, keyUsage } = issuer;
  if (basicConstraints ? !basicConstraints.ca : !isAuthority) {
    throw new RefusalError(
      "not-an-authority",
      `certificate of ${who}: it is not marked as an authority's (CA bit)`,
      depth,
    );
  }
  if (!basicConstraints) {
    warnings.push(`certificate of ${who}: it lies in the CA directory but is not marked as an authority's (CA bit)`);
  }
  if (keyUsage && !keyUsage.keyCertSign) {
    throw new RefusalError(
      "key-usage",
      `certificate of ${who}: its keyUsage does not allow it to issue certificates`,
      depth,
    );
  }
  if (basicConstraints?.pathLength !== undefined && below > basicConstraints.pathLength) {
    const message =
      `certificate of ${who}: it allows ${basicConstraints.pathLength} authorities below it, there are ${below}`;
    throw new RefusalError("path-length", message, depth);
  }
}

/** That an issuer may name those below it as they are named; what is its own issuer again is not asked, but the end entity is. */
function checkNames(issuer: Certificate, path: readonly Certificate[], depth: number): void {
  const { nameConstraints } = issuer;
  if (!nameConstraints) return;
  path.forEach((member, i) => {
    if (i > 0 && member.selfIssued) return;
    const why = forbiddenName(nameConstraints, member);
    if (!why) return;
    const message = `certificate of ${describeCertificate(member)}: ${why} by the name constraints of ${
      describeCertificate(issuer)
    }`;
    throw new RefusalError("name-constraints", message, depth);
  });
}

/** That a policy is valid along a whole path, if one of its authorities demands that. */
function checkPolicies(path: readonly Certificate[]): void {
  const demanding = demandingPolicy(path);
  if (!demanding) return;
  const message = `certificate of ${describeCertificate(path[0])}: it has no policy that its authorities have, as ${
    describeCertificate(demanding)
  } demands`;
  throw new RefusalError("policy", message, path.length - 1);
}

/** The end entity's own usage. */
function checkUsage(certificate: Certificate, warnings: string[]): void {
  const who = describeCertificate(certificate);
  const { keyUsage, extendedKeyUsage } = certificate;
  if (keyUsage && !keyUsage.digitalSignature && !keyUsage.nonRepudiation) {
    throw new RefusalError("key-usage", `certificate of ${who}: its keyUsage does not allow signatures`, 0);
  }
  if (!extendedKeyUsage || extendedKeyUsage.purposes.some((purpose) => PURPOSES.has(purpose))) return;
  const message = `certificate of ${who}: its extendedKeyUsage does not include IKE`;
  if (extendedKeyUsage.critical) throw new RefusalError("key-usage", message, 0);
  warnings.push(message);
}

/** Extensions of lists that are not the whole list. */
const PARTIAL: Record<string, string> = {
  [OID.deltaCRL]: "it is a delta CRL, which holds only changes; the whole list is needed",
  [OID.issuingDistributionPoint]:
    "it is a list of some certificates or reasons only (issuingDistributionPoint); the whole list is needed",
};
const partial = (oid: string): string => PARTIAL[oid] ?? `it has an extension not understood, ${oid}`;

/** Revocation of `certificate` by its issuer. No list at hand means not revoked. */
function checkRevocation(certificate: Certificate, issuer: Certificate, trust: Trust, depth: number): void {
  const who = describeCertificate(certificate);
  const lists = trust.revocationLists.filter((list) => mayHaveIssued(issuer, list));
  if (lists.length === 0) return;
  const unusable = (message: string) =>
    new RefusalError("crl-unusable", `CRL of ${issuer.subject.text}: ${message}`, depth);
  const good = lists.filter((list) => signedBy(list, issuer));
  if (good.length === 0) throw unusable("its signature is not this authority's");
  if (issuer.keyUsage && !issuer.keyUsage.cRLSign) {
    throw unusable("the authority's keyUsage does not allow it to sign CRLs");
  }
  // Revocation stands in whatever list it is found, also in an old one.
  for (const list of good) {
    const found = list.revoked.get(certificate.serial);
    if (found && found.at.at <= trust.nowMs) {
      const reason = found.reason ? ` (${found.reason})` : "";
      throw new RefusalError("revoked", `certificate of ${who}: revoked on ${date(found.at.at)}${reason}`, depth);
    }
  }
  const whole = good.filter(({ notUnderstood }) => notUnderstood.length === 0);
  if (whole.length === 0) throw unusable(partial(good[0].notUnderstood[0]));
  const latest = whole.reduce((a, b) => b.thisUpdate.at > a.thisUpdate.at ? b : a);
  if (latest.thisUpdate.at > trust.nowMs) throw unusable(`it is from ${date(latest.thisUpdate.at)}, which is to come`);
  if (latest.nextUpdate && latest.nextUpdate.at < trust.nowMs) {
    throw unusable(`a newer one was due on ${date(latest.nextUpdate.at)}`);
  }
}

/**
 * Finds a path from `certificate` to one of `trust.authorities` in which every step holds.
 *
 * When there is none, the refusal is that of the path that came farthest.
 */
export function validatePath(certificate: Certificate, trust: Trust): PathResult {
  let signatures = 0;
  const isAuthority = (candidate: Certificate) => trust.authorities.some((own) => equal(own.der, candidate.der));

  /** Walks up from the last certificate of `path`; throws when no way leads on. */
  const climb = (path: readonly Certificate[], warnings: readonly string[]): PathResult => {
    const current = path[path.length - 1];
    const depth = path.length - 1;
    const own = [...warnings];
    checkOne(current, trust, isAuthority(current), depth, own);
    if (path.length === 1) checkUsage(current, own);
    if (isAuthority(current)) {
      checkPolicies(path);
      return { ok: true, path, warnings: own };
    }
    let best: RefusalError | undefined;
    const note = (error: RefusalError) => {
      if (!best || error.depth > best.depth) best = error;
    };
    const candidates = [...trust.authorities, ...trust.intermediates].filter((issuer) =>
      mayHaveIssued(issuer, current)
    );
    for (const issuer of candidates) {
      if (path.some((member) => equal(member.der, issuer.der))) continue;
      try {
        if (path.length === PATH_LIMIT) {
          throw new RefusalError(
            "too-long",
            `certificate of ${describeCertificate(path[0])}: more than ${PATH_LIMIT} steps`,
            depth,
          );
        }
        if (++signatures > SIGNATURE_LIMIT) {
          throw new RefusalError("too-long", `more than ${SIGNATURE_LIMIT} signatures to verify`, PATH_LIMIT);
        }
        if ((issuer.keyKind?.bits ?? 0) > RSA_BITS.most) {
          const message = `certificate of ${issuer.subject.text}: its key of ${issuer.keyKind!.bits} bits is too long`;
          throw new RefusalError("unsupported", message, depth);
        }
        if (!signedBy(current, issuer)) {
          const message = `certificate of ${
            describeCertificate(current)
          }: its signature is not that of ${issuer.subject.text}`;
          throw new RefusalError("bad-signature", message, depth);
        }
        const below = path.slice(1).filter((member) => !member.selfIssued).length;
        const inner = [...own];
        checkIssuer(issuer, isAuthority(issuer), below, depth + 1, inner);
        checkNames(issuer, path, depth + 1);
        checkRevocation(current, issuer, trust, depth + 1);
        return climb([...path, issuer], inner);
      } catch (error) {
        if (!(error instanceof RefusalError)) throw error;
        note(error);
      }
    }
    if (current.selfIssued && signedBy(current, current)) {
      if (trust.acceptSelfSigned && path.length === 1) {
        return {
          ok: true,
          path,
          warnings: [...own, `certificate of ${describeCertificate(current)}: self-signed, vouched for by nobody`],
        };
      }
      const message = `certificate of ${describeCertificate(current)}: it is self-signed and not in the CA directory`;
      throw best ?? new RefusalError("self-signed", message, depth);
    }
    throw best ?? new RefusalError(
      "unknown-issuer",
      `certificate of ${describeCertificate(current)}: its issuer ${
        current.issuer.text || "(no name)"
      } is not known here`,
      depth,
    );
  };

  try {
    return climb([certificate], []);
  } catch (error) {
    if (!(error instanceof RefusalError)) throw error;
    return { ok: false, refusal: error.refusal, message: error.message };
  }
}
