/** First stage: assertion text to fields and tokens, each with its span (RFC 2704 sections 4.1 to 4.3). @module */
import { KeyNoteSyntaxError, LIMITS, type Source, type Span } from "./text.ts";

/** The seven fields of RFC 2704 section 4.1, in lower case. */
export const FIELD_NAMES = [
  "keynote-version",
  "local-constants",
  "authorizer",
  "licensees",
  "conditions",
  "comment",
  "signature",
] as const;
export type FieldName = typeof FIELD_NAMES[number];

/** `value`: the string's value, the name, the digits, or the operator itself. `k-of`: the digits before `-of`. */
export interface Token {
  readonly kind: "string" | "name" | "integer" | "float" | "k-of" | "operator" | "end";
  readonly value: string;
  readonly span: Span;
}

/** A field: its tokens, of which the last has the kind "end"; a Comment has only that one. */
export interface Field {
  readonly name: FieldName;
  /** From the first character of the name to the end of the contents. */
  readonly span: Span;
  readonly tokens: readonly Token[];
}

const PAIRS = new Set("-> && || == != <= >= ~=".split(" "));
const SINGLES = new Set("( ) { } ; , ! < > = + - * / % ^ . $ @ &".split(" "));
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;
const THRESHOLD = /[0-9]+-of(?![A-Za-z0-9_])/y;
const NUMBER = /[0-9]+(\.[0-9]+)?/y;
/** What stands for itself in a string literal. */
const PLAIN = /[^"\\\n\r]+/y;
const SIMPLE_ESCAPES: Record<string, string> = { n: "\n", r: "\r", t: "\t", f: "\f" };

const isDigit = (character: string) => character >= "0" && character <= "9";
const isNameStart = (character: string) =>
  (character >= "a" && character <= "z") || (character >= "A" && character <= "Z") || character === "_";
const isBlank = (character: string | undefined) => character === " " || character === "\t" || character === "\r";

/**
 * The string literal that opens at `start`: its value, and the offset after its closing quote (section 4.3.1).
 *
 * @throws {KeyNoteSyntaxError} when it is not closed
 */
export function readString(text: string, start: number): { value: string; end: number } {
  let value = "";
  for (let at = start + 1; at < text.length;) {
    const character = text[at];
    if (character === '"') return { value, end: at + 1 };
    if (character === "\n" || character === "\r") break;
    if (character !== "\\") {
      PLAIN.lastIndex = at;
      value += PLAIN.exec(text)![0];
      at = PLAIN.lastIndex;
      continue;
    }
    // "\0", "\00" and "\000" are the digits themselves: NUL cannot be written.
    const octal = /^(?:0[0-7]{1,2}|[0-7]{3})/.exec(text.slice(at + 1, at + 4))?.[0];
    const code = octal === undefined ? 0 : parseInt(octal, 8) & 0xff;
    const next = text[at + 1];
    if (octal !== undefined && code !== 0) {
      value += String.fromCharCode(code);
      at += 1 + octal.length;
    } else if (next === "\n" || (next === "\r" && text[at + 2] === "\n")) {
      at += 2;
      while (isBlank(text[at]) || text[at] === "\n") at++;
    } else if (next === undefined) {
      break;
    } else {
      value += SIMPLE_ESCAPES[next] ?? next;
      at += 2;
    }
  }
  const line = text.indexOf("\n", start);
  throw new KeyNoteSyntaxError("a string is not closed on its line (a backslash at the line's end continues it)", {
    start,
    end: line < 0 ? text.length : line,
  });
}

/** The tokens from `at` up to the end of the field: a newline that no blank, tab or comment follows. */
function readTokens(text: string, contents: number, field: FieldName): { tokens: Token[]; end: number } {
  const tokens: Token[] = [];
  let at = contents;
  const push = (kind: Token["kind"], value: string, start: number, end: number) => {
    tokens.push({ kind, value, span: { start, end } });
    at = end;
  };
  while (at < text.length) {
    const character = text[at];
    if (character === "\n") {
      const next = text[at + 1];
      if (next !== undefined && !isBlank(next) && next !== "#") break;
      at++;
    } else if (isBlank(character)) at++;
    else if (character === "#") at = text.indexOf("\n", at) < 0 ? text.length : text.indexOf("\n", at);
    else if (character === '"') {
      const { value, end } = readString(text, at);
      push("string", value, at, end);
    } else {
      const match = (pattern: RegExp) => {
        pattern.lastIndex = at;
        return pattern.exec(text)?.[0];
      };
      const threshold = field === "licensees" && isDigit(character) ? match(THRESHOLD) : undefined;
      const pair = text.slice(at, at + 2);
      if (isNameStart(character)) push("name", match(NAME)!, at, NAME.lastIndex);
      else if (threshold) push("k-of", threshold.slice(0, -"-of".length), at, THRESHOLD.lastIndex);
      else if (isDigit(character)) {
        const number = match(NUMBER)!;
        push(number.includes(".") ? "float" : "integer", number, at, NUMBER.lastIndex);
      } else if (PAIRS.has(pair)) push("operator", pair, at, at + 2);
      else if (SINGLES.has(character)) push("operator", character, at, at + 1);
      else {
        throw new KeyNoteSyntaxError(`character ${JSON.stringify(character)} has no meaning here`, {
          start: at,
          end: at + 1,
        });
      }
    }
  }
  const last = tokens.at(-1)?.span.end ?? contents;
  tokens.push({ kind: "end", value: "", span: { start: last, end: last } });
  return { tokens, end: at };
}

/** The end of a Comment field: quotes have no meaning in it, so lines alone decide. */
function endOfComment(text: string, at: number): number {
  while (at < text.length) {
    const newline = text.indexOf("\n", at);
    if (newline < 0) return text.length;
    const next = text[newline + 1];
    if (next !== undefined && !isBlank(next) && next !== "#") return newline;
    at = newline + 1;
  }
  return text.length;
}

/**
 * The fields of one assertion. Text after the Signature field is not part of the assertion (section 4.6.7).
 *
 * @throws {KeyNoteSyntaxError}
 */
export function tokenize(text: string): Field[] {
  if (text.length > LIMITS.assertionOctets) {
    throw new KeyNoteSyntaxError(`an assertion of ${text.length} octets, at most ${LIMITS.assertionOctets} are read`, {
      start: 0,
      end: 0,
    });
  }
  const fields: Field[] = [];
  for (let at = 0; at < text.length;) {
    if (text[at] === "\n") {
      at++;
      continue;
    }
    const lineEnd = text.indexOf("\n", at) < 0 ? text.length : text.indexOf("\n", at);
    if (text[at] === "#" || /^[ \t\r]*$/.test(text.slice(at, lineEnd))) {
      at = lineEnd;
      continue;
    }
    const head = /^([A-Za-z-]+)[ \t]*:/.exec(text.slice(at, Math.min(lineEnd, at + 64)));
    const name = FIELD_NAMES.find((known) => known === head?.[1].toLowerCase());
    if (!head || !name) {
      // What is in quotes may be a pass-phrase.
      const found = text.slice(at, lineEnd).trim().replace(/".*$/, '"...').slice(0, 40);
      const hint = found.startsWith("$")
        ? "; lines that start with $ come from version control, delete them"
        : isBlank(text[at])
        ? "; a field's name starts in the first column"
        : `; fields are ${FIELD_NAMES.join(", ")}`;
      throw new KeyNoteSyntaxError(`${JSON.stringify(found)} is no field${hint}`, { start: at, end: lineEnd });
    }
    const contents = at + head[0].length;
    const { tokens, end } = name === "comment"
      ? { tokens: [], end: endOfComment(text, contents) }
      : readTokens(text, contents, name);
    const last: Token = { kind: "end", value: "", span: { start: end, end } };
    fields.push({ name, span: { start: at, end }, tokens: name === "comment" ? [last] : tokens });
    if (name === "signature") break;
    at = end;
  }
  return fields;
}

/** The text of one assertion and where it begins. */
export interface AssertionText {
  readonly text: string;
  readonly source: Source;
}

/**
 * Splits a file into assertions at its empty lines (section 4.1); what holds only comments is left out. A line of
 * blanks does not separate: it would silently drop the conditions below it from the assertion above.
 */
export function splitAssertions(text: string, name: string): AssertionText[] {
  const found: AssertionText[] = [];
  let start = 0;
  let startLine = 1;
  let line = 1;
  const take = (end: number) => {
    const part = text.slice(start, end);
    if (/^[ \t\r]*[^#\s]/m.test(part)) found.push({ text: part, source: { name, line: startLine } });
  };
  for (let at = 0; at <= text.length;) {
    const newline = text.indexOf("\n", at);
    const end = newline < 0 ? text.length : newline;
    if (end === at || text.slice(at, end) === "\r") {
      take(at);
      start = end + 1;
      startLine = line + 1;
    }
    if (newline < 0) {
      if (end > at) take(end);
      break;
    }
    at = newline + 1;
    line++;
  }
  return found;
}
