/** Files of the keynote command: assertions, environments, keys; and how keys are printed. @module */
import { KeyNoteSyntaxError, octetString } from "../keynote/text.ts";
import { readString } from "../keynote/token.ts";
import { CommandError, reason } from "./command.ts";

/** A file as an octet string. @throws {CommandError} */
export function readText(path: string): string {
  try {
    return octetString(Deno.readFileSync(path));
  } catch (error) {
    throw new CommandError(`${path}: ${reason(error)}`);
  }
}

/** All of standard input as an octet string. */
export function readStandardInput(): string {
  const chunk = new Uint8Array(65536);
  let text = "";
  for (let count = Deno.stdin.readSync(chunk); count !== null; count = Deno.stdin.readSync(chunk)) {
    text += octetString(chunk.subarray(0, count));
  }
  return text;
}

/** The value in a file that `keynote keygen` wrote: one string, in quotes; a bare word or PEM stands for itself. @throws {CommandError} */
export function readValueFile(path: string): string {
  const text = readText(path).trim();
  if (!text.startsWith('"')) return text;
  try {
    const { value, end } = readString(text, 0);
    if (text.slice(end).trim() !== "") throw new CommandError(`${path}: one string is needed, more follows`);
    return value;
  } catch (error) {
    if (error instanceof KeyNoteSyntaxError) throw new CommandError(`${path}: ${error.message}`);
    throw error;
  }
}

const ASSIGNMENT = /[ \t]*([A-Za-z0-9_]+)[ \t]*=[ \t]*/y;

/** An environment file: `name = "value"` lines, the value also as a bare word; `#` begins a comment. @throws {CommandError} */
export function readEnvironment(path: string): Map<string, string> {
  const text = readText(path);
  const attributes = new Map<string, string>();
  for (let at = 0; at < text.length;) {
    const end = text.indexOf("\n", at) < 0 ? text.length : text.indexOf("\n", at);
    const line = text.slice(0, at).split("\n").length;
    if (/^\s*(#.*)?$/.test(text.slice(at, end))) {
      at = end + 1;
      continue;
    }
    ASSIGNMENT.lastIndex = at;
    const match = ASSIGNMENT.exec(text);
    if (!match) throw new CommandError(`${path}:${line}: name = "value" is needed`);
    if (match[1].startsWith("_")) {
      throw new CommandError(`${path}:${line}: "${match[1]}": names that begin with "_" are the evaluator's`);
    }
    at = ASSIGNMENT.lastIndex;
    if (text[at] === '"') {
      try {
        const { value, end: after } = readString(text, at);
        attributes.set(match[1], value);
        at = after;
      } catch (error) {
        if (error instanceof KeyNoteSyntaxError) throw new CommandError(`${path}:${line}: ${error.message}`);
        throw error;
      }
    } else {
      const word = /^[^\s#]*/.exec(text.slice(at, end))![0];
      attributes.set(match[1], word);
      at += word.length;
    }
    const rest = /^[ \t\r]*(#.*)?/.exec(text.slice(at))![0].length;
    if (at + rest < text.length && text[at + rest] !== "\n") {
      throw new CommandError(`${path}:${line}: the line goes on after the value of "${match[1]}"`);
    }
    at += rest + 1;
  }
  return attributes;
}

/** Where keynote(1) prints keys and signatures: `offset` blanks first, `length` characters in a line at most. */
export interface PrintForm {
  readonly offset: number;
  readonly length: number;
}

/**
 * `print-offset` and `print-length` (12 and 50 when they are not given).
 *
 * @param prefix the algorithm's name: a line must hold it, the quote, the backslash
 * @throws {CommandError}
 */
export function printForm(prefix: string, offset: string | undefined, length: string | undefined): PrintForm {
  const number = (text: string | undefined, otherwise: number, what: string) => {
    if (text === undefined) return otherwise;
    if (!/^\d{1,4}$/.test(text)) throw new CommandError(`${what}: a number from 0 to 9999 is needed, not "${text}"`);
    return Number(text);
  };
  const form = { offset: number(offset, 12, "print-offset"), length: number(length, 50, "print-length") };
  if (prefix.length + 2 >= form.length) {
    throw new CommandError(
      `print-length: ${form.length} is too short for "${prefix}", at least ${prefix.length + 3} is needed`,
    );
  }
  return form;
}

/** A string literal broken into lines, each but the last ending in a backslash. */
export function formatLiteral(value: string, { offset, length }: PrintForm): string {
  const lines: string[] = [];
  const room = length - 1; // the backslash
  let rest = `"${value}`;
  while (rest.length > room) {
    lines.push(`${rest.slice(0, room)}\\`);
    rest = rest.slice(room);
  }
  lines.push(`${rest}"`);
  return lines.map((line) => `${" ".repeat(offset)}${line}\n`).join("");
}
