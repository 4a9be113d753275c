/**
 * The attack of FAQ 13.9, "Almost secure... is not secure!": whoever holds any certificate of the authority that the
 * policy licenses can take the place of a peer, if nobody says which ID that peer has. Said at load time.
 *
 * @module
 */
import { canonicalPrincipal, POLICY } from "../keynote/principal.ts";
import type { AssertionSet } from "../keynote/query.ts";
import { type Assertion, attributesOf, type Clause, type Test } from "../keynote/tree.ts";
import type { Certificate } from "../x509/certificate.ts";
import { principalsOf } from "./pseudo_credentials.ts";

/** What is looked at of a peer. */
export interface PeerFacts {
  readonly name: string;
  /** Whether it has a Remote-ID. */
  readonly remoteId?: unknown;
  /** Whether one of its transforms authenticates by certificate. */
  readonly usesCertificates: boolean;
}

function mentionsIdentity(test: Test): boolean {
  switch (test.kind) {
    case "constant":
      return false;
    case "not":
      return mentionsIdentity(test.of);
    case "and":
    case "or":
      return test.of.some(mentionsIdentity);
    default:
      return attributesOf(test).some((name) => /^remote_id(_addr_(upper|lower))?$/.test(name));
  }
}

const clauseMentions = ({ test, program }: Clause): boolean =>
  mentionsIdentity(test) || (program ?? []).some(clauseMentions);

/**
 * The assertions through which any certificate of an authority is accepted without a look at the peer's ID: neither they
 * nor those that lead to them test `remote_id`.
 */
function openAssertions(policy: AssertionSet, authorities: readonly Certificate[]): Assertion[] {
  const authorityNames = new Set(authorities.flatMap(principalsOf).map(canonicalPrincipal));
  const rows = policy.entries.flatMap(({ assertion, resolved }) =>
    resolved ? [{ assertion, resolved, tests: (assertion.conditions ?? []).some(clauseMentions) }] : []
  );
  // From POLICY down through everything that does not test the ID.
  const open: Assertion[] = [];
  const seen = new Set<string>();
  const queue = [canonicalPrincipal(POLICY)];
  for (let at = 0; at < queue.length; at++) {
    if (seen.has(queue[at])) continue;
    seen.add(queue[at]);
    for (const { assertion, resolved, tests } of rows) {
      if (tests || resolved.authorizer.canonical !== queue[at]) continue;
      const licensees = resolved.licensees.map(({ canonical }) => canonical);
      if (!assertion.licensees || licensees.some((licensee) => authorityNames.has(licensee))) open.push(assertion);
      queue.push(...licensees);
    }
  }
  return open;
}

/**
 * One warning for each peer that any certificate holder could pass for.
 *
 * @param policy the policy file; undefined when no policy is used
 */
export function identityWarnings(
  peers: readonly PeerFacts[],
  policy: AssertionSet | undefined,
  authorities: readonly Certificate[],
): string[] {
  const exposed = peers.filter((peer) => peer.usesCertificates && peer.remoteId === undefined);
  if (exposed.length === 0 || authorities.length === 0) return [];
  let why = "no policy is used";
  if (policy) {
    const [open] = openAssertions(policy, authorities);
    if (!open) return [];
    why = `the policy (${open.source.name}:${open.source.line}) does not test remote_id`;
  }
  return exposed.map(({ name }) =>
    `peer ${name}: any certificate of an authority in CA-directory is taken for this peer's: it has no Remote-ID, and ` +
    `${why}. Say whom you expect: Remote-ID in [${name}], or remote_id == "..." in the policy`
  );
}
