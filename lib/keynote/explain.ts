/** Why a query has its answer: what contributed, what stood in the way, which attributes would have had to differ. @module */
import { type AssertionSet, attributeValue, type Considered, type Decision, type Entry, type Query } from "./query.ts";
import { parsePrincipal, POLICY } from "./principal.ts";
import { type AssertionProblem, describeProblem } from "./parse.ts";
import { positionOf, type Span } from "./text.ts";
import { type Assertion, attributesOf, type Clause, type Comparison, type Test } from "./tree.ts";
import { type Environment, evaluateTest, EvaluationError, type QueryContext, queryContext } from "./value.ts";

/** A comparison whose outcome would have had to be the other one. */
export interface Difference {
  readonly kind: "comparison";
  readonly comparison: Comparison;
  /** As it is written. */
  readonly text: string;
  /** The outcome that was needed. */
  readonly wanted: boolean;
  /** The attributes it mentions, with the values they had. */
  readonly attributes: readonly { readonly name: string; readonly value: string }[];
  /** The error that made it false, if that was the reason. */
  readonly error?: string;
}

/** What would have had to differ: one comparison, all of several things, or any of them; `never`: nothing helps. */
export type Differences =
  | Difference
  | { readonly kind: "all" | "any"; readonly of: readonly Differences[] }
  | { readonly kind: "never"; readonly text: string };

/** An assertion that did not give its full value, and what would have had to differ. */
export interface Obstacle {
  readonly assertion: Assertion;
  readonly reason: "conditions" | "licensees";
  /** For conditions. */
  readonly differences?: Differences;
  /** For licensees: whom it licenses, as written. */
  readonly licensees?: readonly string[];
}

/** An assertion on the way from the requesters to POLICY. */
export interface Contribution {
  readonly assertion: Assertion;
  readonly authorizer: string;
  readonly value: string;
  /** The clause that decided; absent: it has no conditions. */
  readonly clause?: { readonly text: string; readonly line: number };
}

export interface Explanation {
  readonly value: string;
  /** From POLICY towards the requesters. */
  readonly contributions: readonly Contribution[];
  /** Empty when the answer is the highest value. The likeliest first. */
  readonly obstacles: readonly Obstacle[];
  readonly problems: readonly AssertionProblem[];
}

const OBSTACLE_LIMIT = 8;

const excerpt = (assertion: Assertion, { start, end }: Span): string =>
  assertion.text.slice(start, end).replace(/\s+/g, " ").trim();

function needed(test: Test, wanted: boolean, assertion: Assertion, environment: Environment): Differences | undefined {
  let outcome: boolean | EvaluationError;
  try {
    outcome = evaluateTest(test, environment);
  } catch (error) {
    if (!(error instanceof EvaluationError)) throw error;
    outcome = error;
  }
  if (outcome === wanted) return undefined;
  switch (test.kind) {
    case "constant":
      return { kind: "never", text: excerpt(assertion, test.span) };
    case "not":
      return needed(test.of, !wanted, assertion, environment) ?? { kind: "never", text: excerpt(assertion, test.span) };
    case "and":
    case "or": {
      const of = test.of.map((operand) => needed(operand, wanted, assertion, environment)).filter((d) =>
        d !== undefined
      );
      return of.length === 1 ? of[0] : { kind: (test.kind === "and") === wanted ? "all" : "any", of };
    }
    default:
      return {
        kind: "comparison",
        comparison: test,
        text: excerpt(assertion, test.span),
        wanted,
        attributes: [...new Set(attributesOf(test))].map((name) => ({
          name,
          value: attributeValue(name, assertion.constants, environment),
        })),
        error: outcome instanceof EvaluationError ? outcome.message : undefined,
      };
  }
}

/** What a conditions program lacks to yield its most. */
function neededByProgram(program: readonly Clause[], assertion: Assertion, environment: Environment): Differences {
  const of: Differences[] = [];
  for (const clause of program) {
    const test = needed(clause.test, true, assertion, environment);
    const inner = clause.program && !test ? neededByProgram(clause.program, assertion, environment) : undefined;
    const difference = test ?? inner;
    if (difference) of.push(difference);
  }
  if (of.length === 0) return { kind: "never", text: "no clause yields more" };
  return of.length === 1 ? of[0] : { kind: "any", of };
}

/** The chain of assertions from POLICY down to a requester, along the highest values. */
function contributionsOf(decision: Decision, values: readonly string[]): Contribution[] {
  const byAuthorizer = new Map<string, Considered[]>();
  for (const considered of decision.considered) {
    const { canonical } = considered.resolved.authorizer;
    byAuthorizer.set(canonical, [...byAuthorizer.get(canonical) ?? [], considered]);
  }
  const valueOf = ({ licensees, conditions }: Considered) => Math.min(licensees, conditions);
  const found: Contribution[] = [];
  const seen = new Set<string>();
  const queue = [parsePrincipal(POLICY).canonical];
  for (let at = 0; at < queue.length; at++) {
    if (seen.has(queue[at])) continue;
    seen.add(queue[at]);
    const own = (byAuthorizer.get(queue[at]) ?? []).filter((considered) => valueOf(considered) > 0);
    if (own.length === 0) continue;
    const best = own.reduce((a, b) => valueOf(b) > valueOf(a) ? b : a);
    const { assertion } = best.entry;
    found.push({
      assertion,
      authorizer: best.resolved.authorizer.text,
      value: values[valueOf(best)],
      clause: best.clause && {
        text: excerpt(assertion, best.clause.span),
        line: positionOf(assertion.text, assertion.source, best.clause.span.start).line,
      },
    });
    for (const { canonical } of best.resolved.licensees) if (decision.principals.has(canonical)) queue.push(canonical);
  }
  return found;
}

/** Explains a decision of {@linkcode query} on the same sets and the same question. */
export function explain(sets: readonly AssertionSet[], question: Query, decision: Decision): Explanation {
  const { values } = question;
  const highest = values.length - 1;
  const context: QueryContext = queryContext(question.attributes, values, question.requesters);
  const obstacles: Obstacle[] = [];
  if (decision.index < highest) {
    const stopped = decision.considered.filter(({ conditions, licensees }) => conditions < licensees);
    for (const { entry: { assertion } } of stopped.slice(0, OBSTACLE_LIMIT)) {
      const environment: Environment = { ...context, constants: assertion.constants, groups: undefined };
      const differences = neededByProgram(assertion.conditions!, assertion, environment);
      obstacles.push({ assertion, reason: "conditions", differences });
    }
    const considered = new Set(decision.considered.map(({ entry }) => entry));
    for (const entry of policyEntries(sets)) {
      if (obstacles.length >= OBSTACLE_LIMIT) break;
      if (considered.has(entry)) continue;
      const licensees = entry.resolved!.licensees.map(({ text }) => text);
      obstacles.push({ assertion: entry.assertion, reason: "licensees", licensees });
    }
  }
  return {
    value: decision.value,
    contributions: decision.index > 0 ? contributionsOf(decision, values) : [],
    obstacles,
    problems: decision.problems,
  };
}

function* policyEntries(sets: readonly AssertionSet[]): Iterable<Entry> {
  for (const set of sets) yield* set.by(parsePrincipal(POLICY).canonical);
}

const quote = (text: string): string => JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
/** A principal or an attribute's value for people: pass-phrases and their hashes are secrets, keys are long. */
export const describePrincipal = (text: string): string =>
  text.includes("passphrase") ? '"passphrase..."' : quote(text.length > 60 ? `${text.slice(0, 48)}...` : text);

const withoutSecrets = (text: string): string => text.replace(/passphrase[^"]*/g, "passphrase...");

function describeDifferences(differences: Differences): string {
  switch (differences.kind) {
    case "comparison": {
      const { text, wanted, attributes, error } = differences;
      const values = attributes.map(({ name, value }) => `${name} is ${describePrincipal(value)}`).join(", ");
      return `${withoutSecrets(text)} should be ${wanted ? "true" : "false"}${values ? ` (${values})` : ""}${
        error ? `: ${error}` : ""
      }`;
    }
    case "never":
      return `nothing helps against ${differences.text}`;
    default: {
      const parts = differences.of.map((part) =>
        part.kind === "comparison" || part.kind === "never"
          ? describeDifferences(part)
          : `(${describeDifferences(part)})`
      );
      return parts.join(differences.kind === "all" ? ", and " : ", or ");
    }
  }
}

const place = ({ source }: Assertion): string => `${source.name}:${source.line}`;

/** An explanation for people, one line for each fact. */
export function describeExplanation(explanation: Explanation): string[] {
  const lines: string[] = [];
  for (const { assertion, authorizer, value, clause } of explanation.contributions) {
    const why = clause ? `line ${clause.line}: ${withoutSecrets(clause.text)}` : "it has no conditions";
    lines.push(`${place(assertion)}: ${describePrincipal(authorizer)} gives ${quote(value)}; ${why}`);
  }
  for (const { assertion, reason, differences, licensees } of explanation.obstacles) {
    if (reason === "conditions") lines.push(`${place(assertion)}: ${describeDifferences(differences!)}`);
    else if (licensees!.length === 0) lines.push(`${place(assertion)}: licenses nobody`);
    else {
      const shown = licensees!.slice(0, 4).map(describePrincipal).join(", ");
      const more = licensees!.length > 4 ? ` and ${licensees!.length - 4} more` : "";
      lines.push(`${place(assertion)}: licenses ${shown}${more}, and the requesters have no authority from them`);
    }
  }
  for (const problem of explanation.problems) lines.push(describeProblem(problem));
  if (lines.length === 0) lines.push("no assertion speaks of the requesters");
  return lines;
}
