/** Certificate policies (RFC 5280 section 4.2.1.4): whether a path keeps one where its authorities demand one. @module */
import { DER, derChildren, derOid, derUnsigned, encodeDer, expectTag, readDer } from "../octets/der.ts";
import { DecodeError } from "../octets/reader.ts";
import type { Certificate } from "./certificate.ts";

/** What the extensions say. */
export interface PolicyExtensions {
  /** certificatePolicies; without it a certificate has none. */
  readonly policies?: ReadonlySet<string>;
  /** policyMappings: which policies of those below each of the issuer's stands for. */
  readonly policyMappings?: ReadonlyMap<string, readonly string[]>;
  /** After so many certificates below there must be a policy. */
  readonly requireExplicitPolicy?: number;
  /** After so many certificates below mappings no longer count. */
  readonly inhibitPolicyMapping?: number;
  /** After so many certificates below anyPolicy no longer counts. */
  readonly inhibitAnyPolicy?: number;
}

const ANY_POLICY = "2.5.29.32.0";

/** A number of certificates; more than there can be is infinite. @throws {DecodeError} */
const count = (element: Parameters<typeof derUnsigned>[0], what: string): number =>
  derUnsigned(element, what).reduce((number, octet) => number * 256 + octet, 0);

/** The elements of a SEQUENCE that may not be empty. @throws {DecodeError} */
function listed(value: Uint8Array, what: string) {
  const elements = derChildren(readDer(value, DER.SEQUENCE, what), what);
  if (elements.length === 0) throw new DecodeError(`${what}: empty`);
  return elements;
}

/** certificatePolicies. @throws {DecodeError} also when one occurs twice */
export function readPolicies(value: Uint8Array): ReadonlySet<string> {
  const what = "certificatePolicies";
  const oids = listed(value, what).map((policy) =>
    derOid(derChildren(expectTag(policy, DER.SEQUENCE, what), what)[0], what)
  );
  const policies = new Set(oids);
  if (policies.size < oids.length) throw new DecodeError(`${what}: one of them twice`);
  return policies;
}

/** policyMappings. @throws {DecodeError} also when anyPolicy is mapped */
export function readPolicyMappings(value: Uint8Array): ReadonlyMap<string, readonly string[]> {
  const what = "policyMappings";
  const mappings = new Map<string, string[]>();
  for (const mapping of listed(value, what)) {
    const pair = derChildren(expectTag(mapping, DER.SEQUENCE, what), what).map((oid) => derOid(oid, what));
    if (pair.length !== 2) throw new DecodeError(`${what}: ${pair.length} policies in place of 2`);
    if (pair.includes(ANY_POLICY)) throw new DecodeError(`${what}: anyPolicy`);
    const [issuers, subjects] = pair;
    const known = mappings.get(issuers);
    if (known) known.push(subjects);
    else mappings.set(issuers, [subjects]);
  }
  return mappings;
}

/** policyConstraints. @throws {DecodeError} */
export function readPolicyConstraints(
  value: Uint8Array,
): Pick<PolicyExtensions, "requireExplicitPolicy" | "inhibitPolicyMapping"> {
  const what = "policyConstraints";
  const elements = listed(value, what);
  const numbers = elements.map(({ content }) => count(readDer(encodeDer(DER.INTEGER, content)), what));
  switch (elements.map(({ tag }) => tag.toString(16)).join()) {
    case "80":
      return { requireExplicitPolicy: numbers[0] };
    case "81":
      return { inhibitPolicyMapping: numbers[0] };
    case "80,81":
      return { requireExplicitPolicy: numbers[0], inhibitPolicyMapping: numbers[1] };
  }
  throw new DecodeError(`${what}: parts that do not belong to it`);
}

/** inhibitAnyPolicy. @throws {DecodeError} */
export const readInhibitAnyPolicy = (value: Uint8Array): number =>
  count(readDer(value, DER.INTEGER, "inhibitAnyPolicy"), "inhibitAnyPolicy");

/**
 * The processing of RFC 5280 section 6.1 where any policy will do. What is left of the policies is then only asked
 * whether it is nothing, so of the tree the policies suffice that the next certificate may have. The authority at the top
 * has no policies, but its constraints count.
 *
 * @param path the end entity first, the authority last
 * @returns the certificate that demands a policy, when none is valid along the path
 */
export function demandingPolicy(path: readonly Certificate[]): Certificate | undefined {
  const left = { explicit: path.length, mapping: path.length, any: path.length };
  let demanding: Certificate | undefined;
  const limit = (certificate: Certificate) => {
    const { requireExplicitPolicy = Infinity, inhibitPolicyMapping = Infinity, inhibitAnyPolicy = Infinity } =
      certificate;
    if (requireExplicitPolicy < left.explicit) demanding = certificate;
    left.explicit = Math.min(left.explicit, requireExplicitPolicy);
    left.mapping = Math.min(left.mapping, inhibitPolicyMapping);
    left.any = Math.min(left.any, inhibitAnyPolicy);
  };
  limit(path[path.length - 1]);
  let expected: ReadonlySet<string> = new Set([ANY_POLICY]);
  for (let i = path.length - 2; i >= 0; i--) {
    const certificate = path[i];
    const isCounted = i === 0 || !certificate.selfIssued;
    expected = validPolicies(certificate, expected, left.any > 0 || !isCounted);
    if (i > 0) expected = mapped(certificate, expected, left.mapping > 0);
    if (isCounted) {
      left.explicit = Math.max(0, left.explicit - 1);
      left.mapping = Math.max(0, left.mapping - 1);
      left.any = Math.max(0, left.any - 1);
    }
    limit(certificate);
  }
  return left.explicit === 0 && expected.size === 0 ? demanding : undefined;
}

/** The policies of a certificate that are expected (6.1.3 d and e). */
function validPolicies(
  { policies }: Certificate,
  expected: ReadonlySet<string>,
  anyCounts: boolean,
): ReadonlySet<string> {
  if (!policies) return new Set();
  if (policies.has(ANY_POLICY) && anyCounts) {
    return expected.has(ANY_POLICY) ? new Set([...policies, ...expected]) : expected;
  }
  return new Set(
    [...policies].filter((policy) => policy !== ANY_POLICY && (expected.has(policy) || expected.has(ANY_POLICY))),
  );
}

/** What is expected of the next certificate (6.1.4 b): each mapped policy gives way to those it stands for. */
function mapped({ policyMappings }: Certificate, valid: ReadonlySet<string>, areAllowed: boolean): ReadonlySet<string> {
  if (!policyMappings) return valid;
  const next = new Set([...valid].filter((policy) => !policyMappings.has(policy)));
  for (const [issuers, subjects] of areAllowed ? policyMappings : []) {
    if (valid.has(issuers) || valid.has(ANY_POLICY)) subjects.forEach((subject) => next.add(subject));
  }
  return next;
}
