/** Third stage: the value of a string, a number, a test, a conditions program (RFC 2704 sections 4.4, 4.6.5, 5.3.4). @module */
import { compileRegex, type Regex, RegexError } from "./regex.ts";
import { LIMITS, type Span } from "./text.ts";
import type { ArithmeticOperator, Clause, NumberExpression, Relation, StringExpression, Test } from "./tree.ts";

/** An error that makes a test false (section 5.3.4): division by zero, a bad regular expression, a number too large. */
export class EvaluationError extends Error {
  override name = "EvaluationError";
  constructor(message: string, readonly span: Span) {
    super(message);
  }
}

/** What one query says, the same for all its assertions. */
export interface QueryContext {
  /** Action attributes by name; all octet strings. */
  readonly attributes: ReadonlyMap<string, string>;
  /** Compliance values in ascending order. */
  readonly values: readonly string[];
  /** `_ACTION_AUTHORIZERS`. */
  readonly authorizers: string;
  /** Steps that are left to this query. */
  budget: { left: number };
}

/** What an expression is evaluated in: the query, the assertion's constants, the groups of the clause's last match. */
export interface Environment extends QueryContext {
  readonly constants: ReadonlyMap<string, string>;
  groups: readonly string[] | undefined;
}

/** A fresh context. @throws {RangeError} on attribute names that are the evaluator's, or fewer than one value */
export function queryContext(
  attributes: ReadonlyMap<string, string>,
  values: readonly string[],
  authorizers: readonly string[],
): QueryContext {
  if (values.length === 0) throw new RangeError("A query needs compliance values");
  for (const name of attributes.keys()) {
    if (name.startsWith("_")) {
      throw new RangeError(`Attribute "${name}": names that begin with "_" are the evaluator's`);
    }
  }
  return { attributes, values, authorizers: authorizers.join(","), budget: { left: LIMITS.querySteps } };
}

function spend(environment: QueryContext, steps: number, span: Span): void {
  environment.budget.left -= steps;
  if (environment.budget.left < 0) {
    throw new EvaluationError(`the query takes more than ${LIMITS.querySteps} steps`, span);
  }
}

/** The value of the attribute `name`, "" when there is none. Constants hide action attributes (section 4.6.2). */
export function lookUp(name: string, environment: Environment): string {
  if (name.startsWith("_")) {
    const { values, groups } = environment;
    switch (name) {
      case "_MIN_TRUST":
        return values[0];
      case "_MAX_TRUST":
        return values[values.length - 1];
      case "_VALUES":
        return values.join(",");
      case "_ACTION_AUTHORIZERS":
        return environment.authorizers;
    }
    const group = /^_(0|[1-9][0-9]{0,4})$/.exec(name);
    if (!group || !groups) return "";
    return group[1] === "0" ? String(groups.length) : groups[Number(group[1]) - 1] ?? "";
  }
  return environment.constants.get(name) ?? environment.attributes.get(name) ?? "";
}

/** @throws {EvaluationError} when the string grows beyond {@linkcode LIMITS} */
export function evaluateString(expression: StringExpression, environment: Environment): string {
  spend(environment, 1, expression.span);
  switch (expression.kind) {
    case "literal":
      return expression.value;
    case "attribute":
      return lookUp(expression.name, environment);
    case "dereference":
      return lookUp(evaluateString(expression.of, environment), environment);
    case "concatenation": {
      let text = "";
      for (const part of expression.parts) {
        text += evaluateString(part, environment);
        if (text.length > LIMITS.valueOctets) {
          throw new EvaluationError(`a string of more than ${LIMITS.valueOctets} octets`, expression.span);
        }
      }
      return text;
    }
  }
}

const NUMBER = /^[ \t]*-?([0-9]+(\.[0-9]*)?|\.[0-9]+)[ \t]*$/;

function checked(value: number, type: "integer" | "float", span: Span): number {
  if (type === "integer") {
    if (value > 2147483647 || value < -2147483648) throw new EvaluationError("an integer beyond 32 bits", span);
    return value | 0;
  }
  const single = Math.fround(value);
  if (!Number.isFinite(single)) throw new EvaluationError("a floating-point number beyond its range", span);
  return single;
}

/** Powers of integers: a negative exponent gives 0, as 1/x rounds down. */
function integerPower(base: number, exponent: number, span: Span): number {
  if (exponent < 0) return 0;
  let result = 1;
  for (let square = base, left = exponent; left > 0; left = Math.floor(left / 2)) {
    if (left % 2) result = checked(result * square, "integer", span);
    if (left > 1) square = checked(square * square, "integer", span);
  }
  return result;
}

const ARITHMETIC: Record<ArithmeticOperator, (a: number, b: number, integer: boolean, span: Span) => number> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b, integer, span) => {
    if (b === 0) throw new EvaluationError("division by zero", span);
    return integer ? Math.trunc(a / b) : a / b;
  },
  "%": (a, b, _integer, span) => {
    if (b === 0) throw new EvaluationError("division by zero", span);
    return a % b;
  },
  "^": (a, b, integer, span) => integer ? integerPower(a, b, span) : a ** b,
};

/**
 * An attribute that is not a number counts as 0, a fraction is rounded down (section 4.6.5). Integers have 32 bits and
 * floating-point numbers are single precision (section 4.4); a result beyond that is an error, never another number.
 *
 * @throws {EvaluationError}
 */
export function evaluateNumber(expression: NumberExpression, environment: Environment): number {
  spend(environment, 1, expression.span);
  const { span, type } = expression;
  switch (expression.kind) {
    case "number":
      return checked(expression.value, type, span);
    case "convert": {
      const text = evaluateString(expression.of, environment);
      const value = NUMBER.test(text) ? Number(text) : 0;
      return checked(type === "integer" ? Math.floor(value) : value, type, span);
    }
    case "negate": {
      const { of } = expression;
      // The literal -2147483648 exists although 2147483648 does not.
      return checked(-(of.kind === "number" ? of.value : evaluateNumber(of, environment)), type, span);
    }
    case "arithmetic": {
      let value = evaluateNumber(expression.first, environment);
      for (const { operator, operand } of expression.rest) {
        const right = evaluateNumber(operand, environment);
        value = checked(ARITHMETIC[operator](value, right, type === "integer", span), type, span);
      }
      return value;
    }
  }
}

const compiled = new WeakMap<StringExpression, Regex>();

/** The regular expression that `pattern` evaluates to; a literal one is compiled once. */
function regexOf(pattern: StringExpression, environment: Environment): Regex {
  const known = compiled.get(pattern);
  if (known) return known;
  const text = evaluateString(pattern, environment);
  spend(environment, text.length, pattern.span);
  try {
    const regex = compileRegex(text);
    if (pattern.kind === "literal") compiled.set(pattern, regex);
    return regex;
  } catch (error) {
    if (!(error instanceof RegexError)) throw error;
    throw new EvaluationError(error.message, pattern.span);
  }
}

/** Whether `left relation right`, for numbers and for octet strings. */
export function related<T extends number | string>(left: T, relation: Relation, right: T): boolean {
  switch (relation) {
    case "==":
      return left === right;
    case "!=":
      return left !== right;
    case "<":
      return left < right;
    case ">":
      return left > right;
    case "<=":
      return left <= right;
    case ">=":
      return left >= right;
  }
}

/** A test; `&&` and `||` stop as soon as they are decided. @throws {EvaluationError} */
export function evaluateTest(test: Test, environment: Environment): boolean {
  spend(environment, 1, test.span);
  switch (test.kind) {
    case "constant":
      return test.value;
    case "not":
      return !evaluateTest(test.of, environment);
    case "and":
      return test.of.every((operand) => evaluateTest(operand, environment));
    case "or":
      return test.of.some((operand) => evaluateTest(operand, environment));
    case "compare-strings":
      return related(evaluateString(test.left, environment), test.relation, evaluateString(test.right, environment));
    case "compare-numbers":
      return related(evaluateNumber(test.left, environment), test.relation, evaluateNumber(test.right, environment));
    case "match": {
      const subject = evaluateString(test.subject, environment);
      const regex = regexOf(test.pattern, environment);
      environment.groups = regex.match(subject, (steps) => spend(environment, steps, test.span));
      return environment.groups !== undefined;
    }
  }
}

/** A conditions program's value: an index into the query's values, the clause that gave it, the errors on the way. */
export interface ConditionsValue {
  readonly value: number;
  readonly clause?: Clause;
  readonly errors: readonly EvaluationError[];
}

/**
 * The highest value of the successful clauses, 0 (_MIN_TRUST) when there is none. An erring test counts as false and is
 * reported; so does a value that errs.
 */
export function evaluateConditions(program: readonly Clause[], environment: Environment): ConditionsValue {
  const errors: EvaluationError[] = [];
  const highest = environment.values.length - 1;
  let best: { value: number; clause?: Clause } = { value: 0 };
  const outer = environment.groups;
  for (const clause of program) {
    environment.groups = outer;
    try {
      if (!evaluateTest(clause.test, environment)) continue;
      let found: { value: number; clause: Clause };
      if (clause.program) {
        const inner = evaluateConditions(clause.program, environment);
        errors.push(...inner.errors);
        found = { value: inner.value, clause: inner.clause ?? clause };
      } else if (clause.value) {
        const value = environment.values.indexOf(evaluateString(clause.value, environment));
        found = { value: Math.max(0, value), clause };
      } else found = { value: highest, clause };
      if (found.value > best.value) best = found;
      if (best.value === highest) break;
    } catch (error) {
      if (!(error instanceof EvaluationError)) throw error;
      errors.push(error);
    }
  }
  environment.groups = outer;
  return { ...best, errors };
}
