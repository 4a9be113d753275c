/**
 * Fourth stage: the compliance value of a query (RFC 2704 section 5).
 *
 * Values are propagated from the requesters upwards, so a query touches the assertions that license a principal which
 * already has a value, and those that license everybody; how many others the sets hold does not matter. The result is
 * the least solution of section 5.3, in which a cycle adds nothing.
 *
 * @module
 */
import { type AssertionProblem, problemOf } from "./parse.ts";
import { parsePrincipal, POLICY, type Principal, PrincipalError } from "./principal.ts";
import { KeyNoteSyntaxError, positionOf } from "./text.ts";
import { type Assertion, type Clause, type Licensees, principalsOf, type StringExpression } from "./tree.ts";
import {
  type Environment,
  evaluateConditions,
  evaluateString,
  EvaluationError,
  lookUp,
  type QueryContext,
  queryContext,
} from "./value.ts";

/** Local assertions are trusted as they are; a credential has been verified against its Authorizer (section 5.4). */
export type Channel = "local" | "credential";

/** An assertion in a set, its principals resolved when they depend on its own constants alone. */
export interface Entry {
  readonly assertion: Assertion;
  readonly channel: Channel;
  /** Absent when a principal depends on action attributes: resolved anew for each query. */
  readonly resolved?: Resolved;
}

/** The principals of an assertion. */
export interface Resolved {
  readonly authorizer: Principal;
  /** In the order of {@linkcode principalsOf}. */
  readonly licensees: readonly Principal[];
}

const POLICY_CANONICAL = parsePrincipal(POLICY).canonical;

/** Whether an expression's value depends on nothing but the assertion. */
function isStatic(expression: StringExpression, constants: ReadonlyMap<string, string>): boolean {
  switch (expression.kind) {
    case "literal":
      return true;
    case "attribute":
      return constants.has(expression.name);
    case "dereference":
      return false;
    case "concatenation":
      return expression.parts.every((part) => isStatic(part, constants));
  }
}

function resolve(assertion: Assertion, context: QueryContext): Resolved {
  const environment: Environment = { ...context, constants: assertion.constants, groups: undefined };
  const principal = (expression: StringExpression) => {
    try {
      return parsePrincipal(evaluateString(expression, environment));
    } catch (error) {
      if (!(error instanceof PrincipalError)) throw error;
      throw new KeyNoteSyntaxError(error.message, expression.span);
    }
  };
  return {
    authorizer: principal(assertion.authorizer),
    licensees: principalsOf(assertion.licensees).map(principal),
  };
}

/** The principals of an assertion when they depend on it alone. @throws {KeyNoteSyntaxError} on a malformed key */
export function resolveStatic(assertion: Assertion): Resolved | undefined {
  const all = [assertion.authorizer, ...principalsOf(assertion.licensees)];
  if (!all.every((expression) => isStatic(expression, assertion.constants))) return undefined;
  return resolve(assertion, queryContext(new Map(), [""], []));
}

const EMPTY: readonly Entry[] = [];

/** Assertions indexed by who they license. Sets are combined in a query, so that a peer's credentials stay apart. */
export class AssertionSet {
  readonly #byLicensee = new Map<string, Entry[]>();
  readonly #byAuthorizer = new Map<string, Entry[]>();
  /** Entries that license everybody: no Licensees field. */
  readonly everybody: Entry[] = [];
  /** Entries whose principals depend on the query. */
  readonly dynamic: Entry[] = [];
  /** All of them, in the order in which they came. */
  readonly entries: Entry[] = [];

  get size(): number {
    return this.entries.length;
  }

  /** Adds an assertion whose signature, for a credential, has been verified. @throws {KeyNoteSyntaxError} */
  add(assertion: Assertion, channel: Channel): Entry {
    const entry: Entry = { assertion, channel, resolved: resolveStatic(assertion) };
    this.entries.push(entry);
    if (!entry.resolved) {
      this.dynamic.push(entry);
      return entry;
    }
    append(this.#byAuthorizer, entry.resolved.authorizer.canonical, entry);
    if (!assertion.licensees) this.everybody.push(entry);
    for (const canonical of new Set(entry.resolved.licensees.map((licensee) => licensee.canonical))) {
      append(this.#byLicensee, canonical, entry);
    }
    return entry;
  }

  /** Entries that name the principal in their Licensees field. */
  licensing(canonical: string): readonly Entry[] {
    return this.#byLicensee.get(canonical) ?? EMPTY;
  }

  /** Entries of the principal's own. */
  by(canonical: string): readonly Entry[] {
    return this.#byAuthorizer.get(canonical) ?? EMPTY;
  }
}

function append(map: Map<string, Entry[]>, key: string, entry: Entry): void {
  const list = map.get(key);
  if (list) list.push(entry);
  else map.set(key, [entry]);
}

/** Adds parsed assertions as local ones; those with malformed keys are left out and reported. */
export function addLocal(set: AssertionSet, assertions: readonly Assertion[]): AssertionProblem[] {
  const problems: AssertionProblem[] = [];
  for (const assertion of assertions) {
    try {
      set.add(assertion, "local");
    } catch (error) {
      problems.push(problemOf(error, assertion));
    }
  }
  return problems;
}

/** A question. All strings are octet strings (lib/keynote/text.ts). */
export interface Query {
  /** Principal identifiers of those who ask for the action. */
  readonly requesters: readonly string[];
  /** The action; a missing attribute is "". Names must not begin with "_". */
  readonly attributes: ReadonlyMap<string, string>;
  /** Compliance values in ascending order. */
  readonly values: readonly string[];
}

/** An assertion that a decision looked at. Numbers index the query's values. */
export interface Considered {
  readonly entry: Entry;
  readonly resolved: Resolved;
  readonly licensees: number;
  readonly conditions: number;
  /** The clause that gave the conditions their value, when they are above the minimum. */
  readonly clause?: Clause;
}

/** The answer, and what it rests on. */
export interface Decision {
  readonly value: string;
  readonly index: number;
  /** Assertions whose licensees have a value: those that contributed, and those that only their conditions stopped. */
  readonly considered: readonly Considered[];
  /** Values of principals above the minimum, by canonical form. */
  readonly principals: ReadonlyMap<string, number>;
  /** Errors met on the way, each of which made a test false or left an assertion out. */
  readonly problems: readonly AssertionProblem[];
}

/** The licensees' value, given the values of the principals in their order (section 5.3.5). */
function licenseesValue(
  licensees: Licensees | undefined,
  principals: readonly Principal[],
  valueOf: (principal: Principal) => number,
  highest: number,
): number {
  let position = 0;
  const walk = (node: Licensees): number => {
    switch (node.kind) {
      case "nobody":
        return 0;
      case "principal":
        return valueOf(principals[position++]);
      case "threshold": {
        const values = node.of.map(() => valueOf(principals[position++]));
        return values.sort((a, b) => b - a)[node.k - 1];
      }
      case "and":
        return node.of.reduce((least, operand) => Math.min(least, walk(operand)), highest);
      case "or":
        return node.of.reduce((most, operand) => Math.max(most, walk(operand)), 0);
    }
  };
  return licensees ? walk(licensees) : highest;
}

/**
 * The compliance value of the principal POLICY.
 *
 * @throws {RangeError} on a query without values or with an attribute of the evaluator's
 * @throws {PrincipalError} on a requester that is a malformed key
 */
export function query(sets: readonly AssertionSet[], { requesters, attributes, values }: Query): Decision {
  const context = queryContext(attributes, values, requesters);
  const highest = values.length - 1;
  const principals = new Map<string, number>();
  const considered = new Map<Entry, Considered>();
  const problems: AssertionProblem[] = [];
  const queue: string[] = [];

  const raise = (canonical: string, value: number) => {
    if (value <= (principals.get(canonical) ?? 0)) return;
    principals.set(canonical, value);
    queue.push(canonical);
  };
  const report = (assertion: Assertion, error: EvaluationError | KeyNoteSyntaxError) =>
    problems.push({
      name: assertion.source.name,
      ...positionOf(assertion.text, assertion.source, error.span.start),
      message: error.message,
    });
  const valueOf = (principal: Principal) => principals.get(principal.canonical) ?? 0;
  const consider = (entry: Entry, resolved: Resolved) => {
    const { assertion } = entry;
    const licensees = licenseesValue(assertion.licensees, resolved.licensees, valueOf, highest);
    if (licensees === 0) return;
    const known = considered.get(entry);
    let conditions: Pick<Considered, "conditions" | "clause"> = known ?? { conditions: highest };
    if (!known && assertion.conditions) {
      const environment: Environment = { ...context, constants: assertion.constants, groups: undefined };
      const { value, clause, errors } = evaluateConditions(assertion.conditions, environment);
      for (const error of errors) report(assertion, error);
      conditions = { conditions: value, clause };
    }
    considered.set(entry, { entry, resolved, licensees, conditions: conditions.conditions, clause: conditions.clause });
    raise(resolved.authorizer.canonical, Math.min(licensees, conditions.conditions));
  };

  const dynamicByLicensee = new Map<string, [Entry, Resolved][]>();
  const everybody: [Entry, Resolved][] = [];
  for (const set of sets) {
    for (const entry of set.everybody) everybody.push([entry, entry.resolved!]);
    for (const entry of set.dynamic) {
      try {
        const resolved = resolve(entry.assertion, context);
        if (!entry.assertion.licensees) everybody.push([entry, resolved]);
        for (const { canonical } of resolved.licensees) {
          dynamicByLicensee.set(canonical, [...dynamicByLicensee.get(canonical) ?? [], [entry, resolved]]);
        }
      } catch (error) {
        if (!(error instanceof EvaluationError || error instanceof KeyNoteSyntaxError)) throw error;
        report(entry.assertion, error);
      }
    }
  }

  for (const requester of requesters) raise(parsePrincipal(requester).canonical, highest);
  for (const [entry, resolved] of everybody) {
    if (principals.get(POLICY_CANONICAL) === highest) break;
    consider(entry, resolved);
  }
  for (let at = 0; at < queue.length && principals.get(POLICY_CANONICAL) !== highest; at++) {
    const next = queue[at];
    for (const set of sets) for (const entry of set.licensing(next)) consider(entry, entry.resolved!);
    for (const [entry, resolved] of dynamicByLicensee.get(next) ?? []) consider(entry, resolved);
  }
  const index = principals.get(POLICY_CANONICAL) ?? 0;
  return { value: values[index], index, considered: [...considered.values()], principals, problems };
}

/** The value of an attribute for an explanation: as an assertion with these constants sees it. */
export const attributeValue = (name: string, constants: ReadonlyMap<string, string>, context: QueryContext): string =>
  lookUp(name, { ...context, constants, groups: undefined });
