/** Second stage: tokens to tree (RFC 2704 section 4.6 and appendix B). @module */
import { type AssertionText, type Field, type FieldName, splitAssertions, type Token, tokenize } from "./token.ts";
import type {
  ArithmeticOperator,
  Assertion,
  Clause,
  Licensees,
  NumberExpression,
  NumberType,
  Relation,
  StringExpression,
  Test,
} from "./tree.ts";
import { KeyNoteSyntaxError, LIMITS, positionOf, type Source, type Span } from "./text.ts";

const RELATIONS = new Set(["==", "!=", "<", ">", "<=", ">="]);
const INTEGER_MAGNITUDE = 2 ** 31;

/** What a conditions expression may turn out to be before its place says what it must be. */
type Expression =
  | { readonly type: "string"; readonly node: StringExpression; readonly span: Span }
  | { readonly type: NumberType; readonly node: NumberExpression; readonly span: Span }
  | { readonly type: "test"; readonly node: Test; readonly span: Span };

const TYPE_NAMES = { string: "a string", integer: "an integer", float: "a floating-point number", test: "a test" };

/** A recursive-descent parser of one field. Nesting is bounded by {@linkcode LIMITS}. */
class FieldParser {
  #at = 0;
  #depth = 0;
  constructor(readonly field: Field) {}

  get next(): Token {
    return this.field.tokens[this.#at];
  }

  fail(message: string, span: Span = this.next.span): never {
    throw new KeyNoteSyntaxError(message, span);
  }

  found(): string {
    const { kind, value } = this.next;
    return kind === "end" ? "the end of the field" : kind === "string" ? "a string" : `"${value}"`;
  }

  advance(): Token {
    const token = this.next;
    if (token.kind !== "end") this.#at++;
    return token;
  }

  is(operator: string): boolean {
    return this.next.kind === "operator" && this.next.value === operator;
  }

  accept(operator: string): boolean {
    const found = this.is(operator);
    if (found) this.#at++;
    return found;
  }

  expect(operator: string): Token {
    if (this.is(operator)) return this.advance();
    if (this.is("=") && this.field.name === "conditions") this.fail('"=" compares nothing; equality is "=="');
    return this.fail(`"${operator}" is needed, not ${this.found()}`);
  }

  end(): void {
    if (this.next.kind === "end") return;
    if (this.is("=") && this.field.name === "conditions") this.fail('"=" compares nothing; equality is "=="');
    this.fail(`the field should end here, not go on with ${this.found()}`);
  }

  nested<T>(parse: () => T): T {
    if (++this.#depth > LIMITS.nesting) this.fail(`nested more than ${LIMITS.nesting} deep`);
    const result = parse();
    this.#depth--;
    return result;
  }

  /** `operand (separator operand)*`, folded by `join` when there are several. */
  list<T extends { readonly span: Span }>(separator: string, operand: () => T, join: (of: T[], span: Span) => T): T {
    const of = [operand()];
    while (this.accept(separator)) of.push(operand());
    return of.length === 1 ? of[0] : join(of, { start: of[0].span.start, end: of[of.length - 1].span.end });
  }

  // Expressions, from the loosest to the tightest precedence class.

  or(): Expression {
    return this.list("||", () => this.and(), (of, span) => this.#logical("or", of, span));
  }

  and(): Expression {
    return this.list("&&", () => this.not(), (of, span) => this.#logical("and", of, span));
  }

  #logical(kind: "and" | "or", of: Expression[], span: Span): Expression {
    return { type: "test", node: { kind, of: of.map((operand) => this.asTest(operand)), span }, span };
  }

  not(): Expression {
    if (!this.is("!")) return this.relation();
    const { start } = this.advance().span;
    const of = this.asTest(this.nested(() => this.not()));
    const span = { start, end: of.span.end };
    return { type: "test", node: { kind: "not", of, span }, span };
  }

  relation(): Expression {
    const left = this.sum();
    const { kind, value } = this.next;
    if (kind !== "operator" || !(RELATIONS.has(value) || value === "~=")) return left;
    this.advance();
    const right = this.sum();
    const span = { start: left.span.start, end: right.span.end };
    if (left.type !== right.type || left.type === "test") {
      const hint =
        left.type === "float" && right.type === "integer" || left.type === "integer" && right.type === "float"
          ? "; write 5.0 for a floating-point 5, @ for an integer attribute, & for a floating-point one"
          : left.type === "string" || right.type === "string"
          ? "; @name is the attribute as an integer"
          : "";
      this.fail(`"${value}" cannot compare ${TYPE_NAMES[left.type]} with ${TYPE_NAMES[right.type]}${hint}`, span);
    }
    if (left.type === "string") {
      const node: Test = value === "~="
        ? { kind: "match", subject: left.node, pattern: right.node as StringExpression, span }
        : {
          kind: "compare-strings",
          relation: value as Relation,
          left: left.node,
          right: right.node as StringExpression,
          span,
        };
      return { type: "test", node, span };
    }
    if (value === "~=") this.fail('"~=" matches strings only', span);
    if (left.type === "float" && (value === "==" || value === "!=")) {
      this.fail(`floating-point numbers have no "${value}" (RFC 2704 section 4.6.5), only < > <= >=`, span);
    }
    return {
      type: "test",
      node: {
        kind: "compare-numbers",
        relation: value as Relation,
        left: left.node,
        right: right.node as NumberExpression,
        span,
      },
      span,
    };
  }

  sum(): Expression {
    return this.#arithmetic(
      ["+", "-", "."],
      () => this.#arithmetic(["*", "/", "%"], () => this.#arithmetic(["^"], () => this.unary())),
    );
  }

  /** Operands of one precedence class, from left to right; `.` joins strings, the others numbers of one type. */
  #arithmetic(operators: readonly string[], operand: () => Expression): Expression {
    let left = operand();
    const parts: StringExpression[] = [];
    const rest: { operator: ArithmeticOperator; operand: NumberExpression }[] = [];
    const first = left.node;
    while (this.next.kind === "operator" && operators.includes(this.next.value)) {
      const operator = this.advance().value;
      const right = operand();
      const span = { start: left.span.start, end: right.span.end };
      if (operator === ".") {
        if (parts.length === 0) parts.push(this.asString(left, '"." joins strings'));
        parts.push(this.asString(right, '"." joins strings'));
        left = { type: "string", node: { kind: "concatenation", parts, span }, span };
        continue;
      }
      const { type } = left;
      if (type === "string" || type === "test" || type !== right.type) {
        this.fail(`"${operator}" cannot take ${TYPE_NAMES[type]} and ${TYPE_NAMES[right.type]}`, span);
      }
      if (operator === "%" && type === "float") this.fail('"%" takes integers only', span);
      rest.push({ operator: operator as ArithmeticOperator, operand: right.node as NumberExpression });
      left = { type, node: { kind: "arithmetic", type, first: first as NumberExpression, rest, span }, span };
    }
    return left;
  }

  unary(): Expression {
    const { kind, value, span: { start } } = this.next;
    if (kind !== "operator" || !["-", "@", "&", "$"].includes(value)) return this.primary();
    this.advance();
    const operand = this.nested(() => this.unary());
    const span = { start, end: operand.span.end };
    if (value === "-") {
      if (operand.type !== "integer" && operand.type !== "float") {
        this.fail(`"-" cannot take ${TYPE_NAMES[operand.type]}`, span);
      }
      return { type: operand.type, node: { kind: "negate", type: operand.type, of: operand.node, span }, span };
    }
    const of = this.asString(operand, `"${value}" takes a string`);
    if (value === "$") return { type: "string", node: { kind: "dereference", of, span }, span };
    const type: NumberType = value === "@" ? "integer" : "float";
    return { type, node: { kind: "convert", type, of, span }, span };
  }

  primary(): Expression {
    const token = this.advance();
    const { kind, value, span } = token;
    if (kind === "string") return { type: "string", node: { kind: "literal", value, span }, span };
    if (kind === "name") return { type: "string", node: { kind: "attribute", name: value, span }, span };
    if (kind === "integer" || kind === "float") {
      const number = Number(value);
      if (kind === "integer" && number > INTEGER_MAGNITUDE) {
        this.fail("integers have 32 bits, at most 2147483647", span);
      }
      return { type: kind, node: { kind: "number", type: kind, value: number, span }, span };
    }
    if (kind === "operator" && value === "(") {
      const inner = this.nested(() => this.or());
      const { end } = this.expect(")").span;
      return { ...inner, span: { start: span.start, end } } as Expression;
    }
    if (kind !== "end") this.#at--;
    return this.fail(`a value is needed, not ${this.found()}`, span);
  }

  asString(expression: Expression, why: string): StringExpression {
    return expression.type === "string"
      ? expression.node
      : this.fail(`${why}, not ${TYPE_NAMES[expression.type]}`, expression.span);
  }

  /** `true` and `false`, in any case, are tests where a test stands, and attribute names elsewhere (section 4.6.5). */
  asTest(expression: Expression): Test {
    if (expression.type === "test") return expression.node;
    const { node, span } = expression;
    if (node.kind === "attribute" && /^(true|false)$/i.test(node.name)) {
      return { kind: "constant", value: node.name.toLowerCase() === "true", span };
    }
    if (this.is("=")) this.fail('"=" compares nothing; equality is "=="');
    return this.fail(`a test is needed (a comparison, true or false), not ${TYPE_NAMES[expression.type]}`, span);
  }

  /** `<StrEx>`. */
  string(why: string): StringExpression {
    return this.asString(this.sum(), why);
  }

  /** `<ConditionsProgram>`; the last `;` may be left out. */
  program(closing: "}" | "end"): Clause[] {
    const clauses: Clause[] = [];
    const done = () => closing === "end" ? this.next.kind === "end" : this.is("}");
    while (!done()) {
      clauses.push(this.clause());
      if (!done()) this.expect(";");
    }
    return clauses;
  }

  clause(): Clause {
    const test = this.asTest(this.or());
    const { start } = test.span;
    if (!this.accept("->")) return { test, span: { start, end: test.span.end } };
    if (!this.accept("{")) {
      const value = this.string("a compliance value is a string");
      return { test, value, span: { start, end: value.span.end } };
    }
    const program = this.nested(() => this.program("}"));
    return { test, program, span: { start, end: this.expect("}").span.end } };
  }

  /** `<PrincExpr>`. */
  licensees(): Licensees {
    const join = (kind: "and" | "or") => (of: Licensees[], span: Span): Licensees => ({ kind, of, span });
    return this.list("||", () => this.list("&&", () => this.licensee(), join("and")), join("or"));
  }

  licensee(): Licensees {
    const { kind, value, span: { start } } = this.next;
    if (kind === "k-of") {
      if (value.startsWith("0")) this.fail("K-of: K is a number from 1 on, without leading zeros", this.next.span);
      this.advance();
      this.expect("(");
      const of = [this.string("a principal is a string")];
      while (this.accept(",")) of.push(this.string("a principal is a string"));
      const span = { start, end: this.expect(")").span.end };
      const k = Number(value);
      if (of.length < k) this.fail(`${value}-of a list of ${of.length}: the assertion says nothing`, span);
      return { kind: "threshold", k, of, span };
    }
    if (this.is("(")) {
      // A parenthesis may hold licensees or begin a string expression such as ("a" . "b") . "c".
      const before = this.#at;
      this.advance();
      const inner = this.nested(() => this.licensees());
      const { end } = this.expect(")").span;
      if (!this.is(".")) return { ...inner, span: { start, end } };
      this.#at = before;
    }
    const of = this.string("a principal is a string");
    return { kind: "principal", of, span: of.span };
  }
}

function parseConstants(field: Field | undefined): Map<string, string> {
  const constants = new Map<string, string>();
  if (!field) return constants;
  const parser = new FieldParser(field);
  while (parser.next.kind !== "end") {
    const name = parser.advance();
    if (name.kind !== "name") parser.fail('constants are written NAME = "value"', name.span);
    if (name.value.startsWith("_")) {
      parser.fail(`"${name.value}": names that begin with "_" are the evaluator's`, name.span);
    }
    if (constants.has(name.value)) parser.fail(`"${name.value}" is set twice`, name.span);
    parser.expect("=");
    const value = parser.advance();
    if (value.kind !== "string") parser.fail(`the value of "${name.value}" must be a quoted string`, value.span);
    constants.set(name.value, value.value);
  }
  return constants;
}

/** One field whose contents are one string expression. */
function parseStringField(field: Field, what: string): StringExpression {
  const parser = new FieldParser(field);
  const expression = parser.string(`${what} is a string`);
  parser.end();
  return expression;
}

/**
 * The tree of one assertion.
 *
 * @throws {KeyNoteSyntaxError} with the place in `text`
 */
export function parseAssertion(text: string, source: Source): Assertion {
  const fields = new Map<FieldName, Field>();
  for (const field of tokenize(text)) {
    if (fields.has(field.name)) {
      throw new KeyNoteSyntaxError(`field ${field.name} occurs twice (an empty line separates assertions)`, field.span);
    }
    if (field.name === "keynote-version" && fields.size > 0) {
      throw new KeyNoteSyntaxError("KeyNote-Version must be the first field", field.span);
    }
    fields.set(field.name, field);
  }
  const version = fields.get("keynote-version");
  if (version) {
    const [token, end] = version.tokens;
    if (!["string", "integer"].includes(token.kind) || token.value !== "2" || end?.kind !== "end") {
      throw new KeyNoteSyntaxError("KeyNote-Version is 2", version.span);
    }
  }
  const authorizer = fields.get("authorizer");
  if (!authorizer) {
    throw new KeyNoteSyntaxError(
      "the Authorizer field is missing (an empty line ends an assertion: is this the rest of the one above?)",
      { start: 0, end: text.length },
    );
  }
  const licensees = fields.get("licensees");
  const conditions = fields.get("conditions");
  const signature = fields.get("signature");
  let licenseesTree: Licensees | undefined;
  if (licensees) {
    const parser = new FieldParser(licensees);
    licenseesTree = parser.next.kind === "end" ? { kind: "nobody", span: licensees.span } : parser.licensees();
    parser.end();
  }
  return {
    text,
    source,
    constants: parseConstants(fields.get("local-constants")),
    authorizer: parseStringField(authorizer, "the Authorizer"),
    licensees: licenseesTree,
    conditions: conditions && new FieldParser(conditions).program("end"),
    signature: signature && {
      value: signature.tokens.length === 1
        ? { kind: "literal", value: "", span: signature.span }
        : parseStringField(signature, "the Signature"),
      signedEnd: signature.span.start,
    },
    bodyStart: Math.min(...[...fields.values()].map((field) => field.span.start)),
  };
}

/** An assertion that was left out: where and why. */
export interface AssertionProblem {
  readonly name: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** A problem's place and reason on one line, `file:line:column: reason`. */
export const describeProblem = (problem: AssertionProblem): string =>
  `${problem.name}:${problem.line}:${problem.column}: ${problem.message}`;

/** The problem that an error is, when it is a {@linkcode KeyNoteSyntaxError} of `text`. Other errors are thrown on. */
export function problemOf(error: unknown, { text, source }: AssertionText): AssertionProblem {
  if (!(error instanceof KeyNoteSyntaxError)) throw error;
  return { name: source.name, ...positionOf(text, source, error.span.start), message: error.message };
}

/** All assertions of a file. One that does not parse is left out and reported; the others stand. */
export function parseAssertions(text: string, name: string): { assertions: Assertion[]; problems: AssertionProblem[] } {
  const assertions: Assertion[] = [];
  const problems: AssertionProblem[] = [];
  for (const part of splitAssertions(text, name)) {
    try {
      assertions.push(parseAssertion(part.text, part.source));
    } catch (error) {
      problems.push(problemOf(error, part));
    }
  }
  return { assertions, problems };
}
