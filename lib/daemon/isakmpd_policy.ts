/** isakmpd.policy: the KeyNote assertions that say who may have which SAs (isakmpd.policy(5)). @module */
import { hash } from "../crypto/hash.ts";
import type { PolicyQuery } from "../ike/events.ts";
import { describeExplanation, explain } from "../keynote/explain.ts";
import { type AssertionProblem, describeProblem, parseAssertions } from "../keynote/parse.ts";
import { addLocal, AssertionSet, type Query, query } from "../keynote/query.ts";
import { octetsOfText, octetString } from "../keynote/text.ts";
import { formatHex } from "../octets/hex.ts";
import type { Secret } from "../octets/secret.ts";
import { readPrivateFile } from "./private_file.ts";

/** What proves a peer besides a pre-shared key: its principals, and assertions that come with it. */
export interface PolicyCredential {
  readonly principals: readonly string[];
  /** Assertions of this peer alone: those it sent, and what its certificates mean. */
  readonly assertions?: AssertionSet;
  /** Nothing proves that the peer is who its ID says: the policy is not told the ID. */
  readonly identityUnproven?: boolean;
}

/** A policy that has been read. */
export interface Policy {
  readonly assertions: AssertionSet;
  /** What was left out of it. */
  readonly problems: readonly AssertionProblem[];
}

/** isakmpd's compliance values, ascending. */
const VALUES = ["false", "true"];

/** Reads the policy file. @throws {PrivateFileError} when it is missing, or others can read it */
export function readPolicy(path: string): Policy {
  return parsePolicy(octetString(readPrivateFile(path, "policy file")), path);
}

/** A policy from its text, an octet string. */
export function parsePolicy(text: string, name: string): Policy {
  const { assertions, problems } = parseAssertions(text, name);
  const set = new AssertionSet();
  return { assertions: set, problems: [...problems, ...addLocal(set, assertions)] };
}

/** The principals that a pre-shared key stands for. */
export function secretPrincipals(secret: Secret): string[] {
  const octets = secret.reveal();
  return [
    `passphrase:${octetString(octets)}`,
    `passphrase-md5-hex:${formatHex(hash("md5", octets))}`,
    `passphrase-sha1-hex:${formatHex(hash("sha1", octets))}`,
  ];
}

/** Asks the policy. The explanation of a refusal has no pass-phrase in it. */
export function authorize(
  policy: Policy,
  { attributes, secret, credential }: PolicyQuery,
): { allowed: boolean; explanation: string } {
  const proof = credential as PolicyCredential | undefined;
  const sets = [policy.assertions, ...proof?.assertions ? [proof.assertions] : []];
  const told = Object.entries(attributes)
    .filter(([name]) => !(proof?.identityUnproven && name.startsWith("remote_id")));
  const question: Query = {
    requesters: [...secret ? secretPrincipals(secret) : [], ...proof?.principals ?? []],
    attributes: new Map(told.map(([name, value]) => [name, octetsOfText(value)])),
    values: VALUES,
  };
  const decision = query(sets, question);
  if (decision.value === "true") return { allowed: true, explanation: "" };
  const lines = [
    ...describeExplanation(explain(sets, question, decision)),
    ...decision.problems.map(describeProblem),
  ];
  const shown = told.filter(([, value]) => value !== "").map(([name, value]) => `${name}=${value}`);
  if (proof?.identityUnproven) shown.push("no remote_id, because credentials prove a key and no ID");
  return { allowed: false, explanation: [...lines, `the action: ${shown.join(", ")}`].join("; ") };
}
