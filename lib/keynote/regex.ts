/**
 * POSIX extended regular expressions (IEEE 1003.2, as re_format(7) has them) over octet strings.
 *
 * A pattern becomes a nondeterministic automaton that is simulated, so the time is bounded by states times octets for
 * every pattern and no pattern can be made to run away. Of all matches the leftmost, of those the longest is found; a
 * group has the text that the leftmost-longest rule gives it (ties inside repeated groups go to the earlier start).
 *
 * @module
 */
import { LIMITS } from "./text.ts";

/** A pattern that is no extended regular expression, or one with too many states. */
export class RegexError extends Error {
  override name = "RegexError";
}

type Node =
  | { kind: "octet"; code: number }
  | { kind: "set"; members: Uint8Array }
  | { kind: "sequence" | "alternatives"; of: Node[] }
  | { kind: "group"; index: number; of: Node }
  | { kind: "repeat"; of: Node; least: number; most: number }
  | { kind: "assert"; what: Assertion };
type Assertion = "start" | "end" | "word-start" | "word-end";

const BOUND_LIMIT = 255; // RE_DUP_MAX

const between = (first: string, last: string) => (octet: number) =>
  octet >= first.charCodeAt(0) && octet <= last.charCodeAt(0);
const isLower = between("a", "z"), isUpper = between("A", "Z"), isDigit = between("0", "9");
const isAlpha = (octet: number) => isLower(octet) || isUpper(octet);
const isAlnum = (octet: number) => isAlpha(octet) || isDigit(octet);
const isGraph = between("!", "~");
const isWord = (octet: number) => isAlnum(octet) || octet === 0x5f;

/** Character classes of the C locale. */
const CLASSES: Record<string, (octet: number) => boolean> = {
  alnum: isAlnum,
  alpha: isAlpha,
  blank: (octet) => octet === 0x20 || octet === 0x09,
  cntrl: (octet) => octet < 0x20 || octet === 0x7f,
  digit: isDigit,
  graph: isGraph,
  lower: isLower,
  print: between(" ", "~"),
  punct: (octet) => isGraph(octet) && !isAlnum(octet),
  space: (octet) => octet === 0x20 || (octet >= 0x09 && octet <= 0x0d),
  upper: isUpper,
  xdigit: (octet) => isDigit(octet) || between("a", "f")(octet) || between("A", "F")(octet),
};

const EVERY = new Uint8Array(256).fill(1);

class Parser {
  #at = 0;
  #depth = 0;
  groups = 0;
  constructor(readonly pattern: string) {}

  fail(message: string): never {
    throw new RegexError(`regular expression ${JSON.stringify(this.pattern.slice(0, 60))}: ${message}`);
  }

  parse(): Node {
    const node = this.alternatives();
    if (this.#at < this.pattern.length) this.fail('")" without "("');
    return node;
  }

  alternatives(): Node {
    if (++this.#depth > LIMITS.nesting) this.fail(`groups nested more than ${LIMITS.nesting} deep`);
    const of = [this.sequence()];
    while (this.pattern[this.#at] === "|") {
      this.#at++;
      of.push(this.sequence());
    }
    if (of.length > 1 && of.some((branch) => branch.kind === "sequence" && branch.of.length === 0)) {
      this.fail('a side of "|" is empty');
    }
    this.#depth--;
    return of.length === 1 ? of[0] : { kind: "alternatives", of };
  }

  sequence(): Node {
    const of: Node[] = [];
    while (this.#at < this.pattern.length && this.pattern[this.#at] !== "|" && this.pattern[this.#at] !== ")") {
      of.push(this.piece());
    }
    return of.length === 1 ? of[0] : { kind: "sequence", of };
  }

  piece(): Node {
    const atom = this.atom();
    const bounds = this.#repetition();
    if (!bounds) return atom;
    if (atom.kind === "assert") this.fail("an anchor cannot be repeated");
    if (this.#repetition()) this.fail("a repetition of a repetition needs parentheses");
    return { kind: "repeat", of: atom, least: bounds[0], most: bounds[1] };
  }

  /** A `*`, `+`, `?` or `{least,most}` at this place, if there is one. */
  #repetition(): [number, number] | undefined {
    const character = this.pattern[this.#at];
    const simple: Record<string, [number, number]> = { "*": [0, Infinity], "+": [1, Infinity], "?": [0, 1] };
    if (character !== undefined && character in simple) {
      this.#at++;
      return simple[character];
    }
    if (character !== "{" || !/[0-9]/.test(this.pattern[this.#at + 1] ?? "")) return undefined;
    const match = /^\{([0-9]{1,4})(,([0-9]{1,4})?)?\}/.exec(this.pattern.slice(this.#at, this.#at + 16));
    if (!match) return this.fail('"{" begins a bound: {n}, {n,} or {n,m}');
    const least = Number(match[1]);
    const most = match[3] !== undefined ? Number(match[3]) : match[2] ? Infinity : least;
    if (least > BOUND_LIMIT || (most !== Infinity && most > BOUND_LIMIT)) this.fail(`a bound above ${BOUND_LIMIT}`);
    if (least > most) this.fail(`bound {${least},${most}} is reversed`);
    this.#at += match[0].length;
    return [least, most];
  }

  atom(): Node {
    const character = this.pattern[this.#at++];
    switch (character) {
      case "(": {
        const index = ++this.groups;
        const of = this.alternatives();
        if (this.pattern[this.#at] !== ")") this.fail('"(" is not closed');
        this.#at++;
        return { kind: "group", index, of };
      }
      case "[":
        return this.bracket();
      case ".":
        return { kind: "set", members: EVERY };
      case "^":
        return { kind: "assert", what: "start" };
      case "$":
        return { kind: "assert", what: "end" };
      case "*":
      case "+":
      case "?":
        return this.fail(`"${character}" has nothing to repeat`);
      case "{":
        if (/[0-9]/.test(this.pattern[this.#at] ?? "")) this.fail('"{" has nothing to repeat');
        return this.#octet(character);
      case "\\":
        if (this.#at === this.pattern.length) this.fail("it ends with a backslash");
        return this.#octet(this.pattern[this.#at++]);
      default:
        return this.#octet(character);
    }
  }

  #octet(character: string): Node {
    return { kind: "octet", code: character.charCodeAt(0) };
  }

  bracket(): Node {
    for (const [text, what] of [["[:<:]]", "word-start"], ["[:>:]]", "word-end"]] as const) {
      if (this.pattern.startsWith(text, this.#at)) {
        this.#at += text.length;
        return { kind: "assert", what };
      }
    }
    const negated = this.pattern[this.#at] === "^";
    if (negated) this.#at++;
    const members = new Uint8Array(256);
    for (let first = true; first || this.pattern[this.#at] !== "]"; first = false) {
      if (this.#at >= this.pattern.length) this.fail('"[" is not closed');
      const classMatch = /^\[:([a-z]*):\]/.exec(this.pattern.slice(this.#at, this.#at + 16));
      if (classMatch) {
        const holds = Object.hasOwn(CLASSES, classMatch[1]) ? CLASSES[classMatch[1]] : undefined;
        if (!holds) this.fail(`no character class "${classMatch[1]}"; there are ${Object.keys(CLASSES).join(", ")}`);
        for (let octet = 0; octet < 256; octet++) if (holds!(octet)) members[octet] = 1;
        this.#at += classMatch[0].length;
        continue;
      }
      const from = this.#bracketOctet();
      let to = from;
      if (this.pattern[this.#at] === "-" && this.pattern[this.#at + 1] !== "]") {
        this.#at++;
        if (this.#at >= this.pattern.length) this.fail('"[" is not closed');
        to = this.#bracketOctet();
        if (from > to) this.fail(`range ${String.fromCharCode(from)}-${String.fromCharCode(to)} is reversed`);
        if (this.pattern[this.#at] === "-" && this.pattern[this.#at + 1] !== "]") {
          this.fail("a range cannot begin where another ends");
        }
      }
      members.fill(1, from, to + 1);
    }
    this.#at++;
    return { kind: "set", members: negated ? members.map((member) => 1 - member) : members };
  }

  /** One octet of a bracket expression: itself, or `[.x.]`, or `[=x=]`, whose class is x alone in the C locale. */
  #bracketOctet(): number {
    const rest = this.pattern.slice(this.#at, this.#at + 5);
    const named = /^\[([.=])([^])\1\]$/.exec(rest);
    if (named) {
      this.#at += 5;
      return named[2].charCodeAt(0);
    }
    if (/^\[[.=]/.test(rest)) this.fail(`${rest.slice(0, 2)} names a collating element of more than one character`);
    return this.pattern.charCodeAt(this.#at++);
  }
}

type Instruction =
  | { op: "octet"; code: number }
  | { op: "set"; members: Uint8Array }
  | { op: "split"; one: number; other: number }
  | { op: "jump"; to: number }
  | { op: "save"; slot: number }
  | { op: "assert"; what: Assertion }
  | { op: "match" };

function compile(root: Node, pattern: string): Instruction[] {
  const program: Instruction[] = [];
  const emit = (instruction: Instruction) => {
    if (program.length >= LIMITS.regexStates) {
      throw new RegexError(
        `regular expression ${JSON.stringify(pattern.slice(0, 60))}: more than ${LIMITS.regexStates} states`,
      );
    }
    program.push(instruction);
    return program.length - 1;
  };
  const walk = (node: Node): void => {
    switch (node.kind) {
      case "octet":
        emit({ op: "octet", code: node.code });
        return;
      case "set":
        emit({ op: "set", members: node.members });
        return;
      case "assert":
        emit({ op: "assert", what: node.what });
        return;
      case "sequence":
        node.of.forEach(walk);
        return;
      case "group":
        emit({ op: "save", slot: 2 * node.index });
        walk(node.of);
        emit({ op: "save", slot: 2 * node.index + 1 });
        return;
      case "alternatives": {
        const jumps: { op: "jump"; to: number }[] = [];
        node.of.forEach((branch, i) => {
          if (i === node.of.length - 1) return walk(branch);
          const split = { op: "split" as const, one: 0, other: 0 };
          split.one = emit(split) + 1;
          walk(branch);
          const jump = { op: "jump" as const, to: 0 };
          emit(jump);
          jumps.push(jump);
          split.other = program.length;
        });
        for (const jump of jumps) jump.to = program.length;
        return;
      }
      case "repeat": {
        for (let i = 0; i < node.least; i++) walk(node.of);
        if (node.most === Infinity) {
          const split = { op: "split" as const, one: 0, other: 0 };
          const at = emit(split);
          split.one = at + 1;
          walk(node.of);
          emit({ op: "jump", to: at });
          split.other = program.length;
          return;
        }
        const splits: { op: "split"; one: number; other: number }[] = [];
        for (let i = node.least; i < node.most; i++) {
          const split = { op: "split" as const, one: 0, other: 0 };
          split.one = emit(split) + 1;
          splits.push(split);
          walk(node.of);
        }
        for (const split of splits) split.other = program.length;
        return;
      }
    }
  };
  emit({ op: "save", slot: 0 });
  walk(root);
  emit({ op: "save", slot: 1 });
  emit({ op: "match" });
  return program;
}

/** Whether captures `a` are to be preferred to `b`: group by group the earlier start, then the later end. */
function better(a: Int32Array, b: Int32Array): boolean {
  for (let slot = 0; slot < a.length; slot++) {
    if (a[slot] === b[slot]) continue;
    if (a[slot] < 0 || b[slot] < 0) return b[slot] < 0;
    return slot % 2 === 0 ? a[slot] < b[slot] : a[slot] > b[slot];
  }
  return false;
}

/** A compiled pattern. */
export interface Regex {
  readonly pattern: string;
  /** Parenthesised groups in the pattern. */
  readonly groups: number;
  /**
   * The texts of groups 1 to `groups` ("" for one that took no part) when the pattern matches within `subject`.
   *
   * @param spend called with a number of steps before they are taken; may throw to stop
   */
  match(subject: string, spend?: (steps: number) => void): string[] | undefined;
}

/** Compiles an extended regular expression. @throws {RegexError} */
export function compileRegex(pattern: string): Regex {
  const parser = new Parser(pattern);
  const program = compile(parser.parse(), pattern);
  const slots = 2 * (parser.groups + 1);

  const holds = (what: Assertion, subject: string, at: number): boolean => {
    if (what === "start") return at === 0;
    if (what === "end") return at === subject.length;
    const before = at > 0 && isWord(subject.charCodeAt(at - 1));
    const after = at < subject.length && isWord(subject.charCodeAt(at));
    return what === "word-start" ? !before && after : before && !after;
  };

  const match = (subject: string, spend: (steps: number) => void = () => {}): string[] | undefined => {
    let current: (Int32Array | undefined)[] = new Array(program.length);
    let following: (Int32Array | undefined)[] = new Array(program.length);
    let active: number[] = [];
    let next: number[] = [];
    let best: Int32Array | undefined;

    // Follows all moves that consume nothing. A state already reached at this place is entered again only with better
    // captures, so loops of empty matches end.
    const enter = (start: number, from: Int32Array, at: number, into: (Int32Array | undefined)[], list: number[]) => {
      const stack: [number, Int32Array][] = [[start, from]];
      while (stack.length > 0) {
        const [state, captures] = stack.pop()!;
        const held = into[state];
        if (held && !better(captures, held)) continue;
        if (!held) list.push(state);
        into[state] = captures;
        spend(1);
        const instruction = program[state];
        switch (instruction.op) {
          case "jump":
            stack.push([instruction.to, captures]);
            break;
          case "split":
            stack.push([instruction.other, captures], [instruction.one, captures]);
            break;
          case "save": {
            const saved = captures.slice();
            saved[instruction.slot] = at;
            if (instruction.slot % 2 === 0) saved[instruction.slot + 1] = -1;
            stack.push([state + 1, saved]);
            break;
          }
          case "assert":
            if (holds(instruction.what, subject, at)) stack.push([state + 1, captures]);
            break;
          case "match":
            if (!best || better(captures, best)) best = captures;
        }
      }
    };

    const none = new Int32Array(slots).fill(-1);
    for (let at = 0;; at++) {
      if (!best) enter(0, none, at, current, active);
      if (at === subject.length) break;
      if (active.length === 0 && best) break;
      const octet = subject.charCodeAt(at);
      for (const state of active) {
        const instruction = program[state];
        const consumes = instruction.op === "octet"
          ? instruction.code === octet
          : instruction.op === "set" && instruction.members[octet] === 1;
        if (consumes) {
          enter(state + 1, current[state]!, at + 1, following, next);
        }
      }
      for (const state of active) current[state] = undefined;
      active.length = 0;
      [current, following] = [following, current];
      [active, next] = [next, active];
    }
    if (!best) return undefined;
    const found = best;
    return Array.from({ length: parser.groups }, (_, i) => {
      const [start, end] = [found[2 * i + 2], found[2 * i + 3]];
      return start < 0 || end < 0 ? "" : subject.slice(start, end);
    });
  };
  return { pattern, groups: parser.groups, match };
}
