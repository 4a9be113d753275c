/** Second stage's result: the tree of an assertion. Chains of one precedence class are lists, so that depth is nesting. @module */
import type { AssertionText } from "./token.ts";
import type { Span } from "./text.ts";

/** RFC 2704 section 4.3.2. */
export type StringExpression =
  | { readonly kind: "literal"; readonly value: string; readonly span: Span }
  | { readonly kind: "attribute"; readonly name: string; readonly span: Span }
  | { readonly kind: "dereference"; readonly of: StringExpression; readonly span: Span }
  | { readonly kind: "concatenation"; readonly parts: readonly StringExpression[]; readonly span: Span };

export type NumberType = "integer" | "float";
export type ArithmeticOperator = "+" | "-" | "*" | "/" | "%" | "^";

/** `<IntEx>` and `<FloatEx>` of section 4.6.5; `convert` is `@` or `&`. */
export type NumberExpression =
  | { readonly kind: "number"; readonly type: NumberType; readonly value: number; readonly span: Span }
  | { readonly kind: "convert"; readonly type: NumberType; readonly of: StringExpression; readonly span: Span }
  | { readonly kind: "negate"; readonly type: NumberType; readonly of: NumberExpression; readonly span: Span }
  | {
    readonly kind: "arithmetic";
    readonly type: NumberType;
    readonly first: NumberExpression;
    readonly rest: readonly { readonly operator: ArithmeticOperator; readonly operand: NumberExpression }[];
    readonly span: Span;
  };

export type Relation = "==" | "!=" | "<" | ">" | "<=" | ">=";

/** A comparison, or a match of a regular expression: the leaves of a test. */
export type Comparison =
  | {
    readonly kind: "compare-strings";
    readonly relation: Relation;
    readonly left: StringExpression;
    readonly right: StringExpression;
    readonly span: Span;
  }
  | {
    readonly kind: "compare-numbers";
    readonly relation: Relation;
    readonly left: NumberExpression;
    readonly right: NumberExpression;
    readonly span: Span;
  }
  | {
    readonly kind: "match";
    readonly subject: StringExpression;
    readonly pattern: StringExpression;
    readonly span: Span;
  };

/** `<RelExpr>` of section 4.6.5. */
export type Test =
  | { readonly kind: "constant"; readonly value: boolean; readonly span: Span }
  | { readonly kind: "not"; readonly of: Test; readonly span: Span }
  | { readonly kind: "and" | "or"; readonly of: readonly Test[]; readonly span: Span }
  | Comparison;

/** A clause: without `value` and `program` it yields _MAX_TRUST. */
export interface Clause {
  readonly test: Test;
  readonly value?: StringExpression;
  readonly program?: readonly Clause[];
  readonly span: Span;
}

/** `<LicenseesExpr>` of section 4.6.4; `nobody` is the empty field. */
export type Licensees =
  | { readonly kind: "nobody"; readonly span: Span }
  | { readonly kind: "principal"; readonly of: StringExpression; readonly span: Span }
  | { readonly kind: "and" | "or"; readonly of: readonly Licensees[]; readonly span: Span }
  | { readonly kind: "threshold"; readonly k: number; readonly of: readonly StringExpression[]; readonly span: Span };

/** An assertion. A missing `licensees` or `conditions` means anybody, anything (section 5.3). */
export interface Assertion extends AssertionText {
  readonly constants: ReadonlyMap<string, string>;
  readonly authorizer: StringExpression;
  readonly licensees?: Licensees;
  readonly conditions?: readonly Clause[];
  /** The Signature field: its value, and the end of the text that is signed (the newline before the field). */
  readonly signature?: { readonly value: StringExpression; readonly signedEnd: number };
  /** Where the first field begins, and with it the signed text. */
  readonly bodyStart: number;
}

/** The names of the attributes that an expression mentions in so many words. */
export function attributesOf(expression: StringExpression | NumberExpression | Comparison): string[] {
  switch (expression.kind) {
    case "literal":
    case "number":
      return [];
    case "attribute":
      return [expression.name];
    case "dereference":
    case "convert":
    case "negate":
      return attributesOf(expression.of);
    case "concatenation":
      return expression.parts.flatMap(attributesOf);
    case "arithmetic":
      return [...attributesOf(expression.first), ...expression.rest.flatMap(({ operand }) => attributesOf(operand))];
    case "compare-strings":
    case "compare-numbers":
      return [...attributesOf(expression.left), ...attributesOf(expression.right)];
    case "match":
      return [...attributesOf(expression.subject), ...attributesOf(expression.pattern)];
  }
}

/** The principals that a Licensees field names, in its order. */
export function principalsOf(licensees: Licensees | undefined): StringExpression[] {
  switch (licensees?.kind) {
    case undefined:
    case "nobody":
      return [];
    case "principal":
      return [licensees.of];
    case "threshold":
      return [...licensees.of];
    default:
      return licensees!.of.flatMap(principalsOf);
  }
}
