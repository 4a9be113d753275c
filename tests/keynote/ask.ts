/** Short ways to ask a policy, for the tests of lib/keynote. @module */
import { assertEquals } from "@std/assert";
import { type AssertionProblem, parseAssertions } from "../../lib/keynote/parse.ts";
import { addLocal, AssertionSet, type Decision, query } from "../../lib/keynote/query.ts";

/** A set of local assertions; every one of them must be well formed. */
export function policy(text: string): AssertionSet {
  const { assertions, problems } = parseAssertions(text, "policy");
  const set = new AssertionSet();
  assertEquals([...problems, ...addLocal(set, assertions)], []);
  return set;
}

/** The decision of one policy text. */
export function decide(
  text: string | AssertionSet,
  requesters: string | string[],
  attributes: Record<string, string>,
  values: string[] = ["false", "true"],
): Decision {
  const set = typeof text === "string" ? policy(text) : text;
  return query([set], { requesters: [requesters].flat(), attributes: new Map(Object.entries(attributes)), values });
}

/** The value of one conditions program for anybody. */
export const conditions = (program: string, attributes: Record<string, string> = {}, values?: string[]): string =>
  decide(`Authorizer: "POLICY"\nConditions: ${program}\n`, ["anybody"], attributes, values).value;

/** The problems of one text. */
export function problemsOf(text: string): AssertionProblem[] {
  const { assertions, problems } = parseAssertions(text, "policy");
  return [...problems, ...addLocal(new AssertionSet(), assertions)];
}
