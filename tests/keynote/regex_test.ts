// POSIX extended regular expressions: IEEE 1003.2 section 2.8 and re_format(7).
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { compileRegex, RegexError } from "../../lib/keynote/regex.ts";

Deno.test("matches and groups follow the leftmost-longest rule", () => {
  // Pattern, subject, groups (undefined: no match). Hand-worked; the first four are the classic cases in which a
  // first-alternative matcher gives other groups.
  const cases: [string, string, string[] | undefined][] = [
    ["(a|ab)(c|bcd)(d*)", "abcd", ["ab", "c", "d"]],
    ["(a|ab)(bcd|c)", "abcd", ["a", "bcd"]],
    ["x(a|ab|abc)*y", "xababcy", ["abc"]],
    ["(wee|week)(knights|night)", "weeknights", ["wee", "knights"]],
    ["^(.*)@(.*)$", "a@b@c", ["a@b", "c"]],
    ["(a*)(a*)", "aaa", ["aaa", ""]],
    ["(a*)*", "b", [""]],
    ["(a*)+", "aab", ["aa"]],
    ["(a)|(b)", "b", ["", "b"]],
    ["(a|b)*c", "abc", ["b"]],
    ["a{2}b{1,}c{0,2}", "aabbcc", []],
    ["^a{2}$", "aaa", undefined],
    ["^(ab){2,3}$", "ababab", ["ab"]],
    ["^(ab){2,3}$", "abababab", undefined],
    ["a.c", "a\nc", []],
    ["^b", "a\nb", undefined],
    ["[[:alpha:]_][[:alnum:]_]*", "9_a9", []],
    ["^[^]a-]$", "b", []],
    ["^[^]a-]$", "]", undefined],
    ["^[]a-]$", "]", []],
    ["^[a-]$", "-", []],
    ["^[\\d]$", "d", []],
    ["^[\\d]$", "\\", []],
    ["\\d", "7", undefined],
    ["\\d", "d", []],
    ["\\.\\*\\\\", "a.*\\", []],
    ["a\\{1", "a{1", []],
    ["^{x}$", "{x}", []],
    ["a]", "a]", []],
    ["^[[.-.][=a=]]+$", "a-a", []],
    ["[[:<:]]gw[[:>:]]", "a gw.b", []],
    ["[[:<:]]gw[[:>:]]", "a gwx", undefined],
    ["a+$", "aab", undefined],
    ["", "anything", []],
    ["()", "", [""]],
    ["\\377|\u00ff", "\u00ff", []],
    ["^.*@mysite\\.se$", "boss@mysite.se", []],
    ["^.*@mysite\\.se$", "boss@mysitexse", undefined],
    ["A", "a", undefined],
  ];
  for (const [pattern, subject, groups] of cases) {
    assertEquals(compileRegex(pattern).match(subject), groups, `${pattern} on ${subject}`);
  }
});

Deno.test("what is no extended regular expression is refused with the reason", () => {
  const cases: [string, RegExp][] = [
    ["(", /"\(" is not closed/],
    [")", /"\)" without/],
    ["a)", /"\)" without/],
    ["[a", /"\[" is not closed/],
    ["[]", /"\[" is not closed/],
    ["[z-a]", /range z-a is reversed/],
    ["[a-c-e]", /cannot begin where another ends/],
    ["[[:letter:]]", /no character class "letter"; there are alnum/],
    ["[[:constructor:]]", /no character class "constructor"/],
    ["[[.hyphen.]]", /collating element/],
    ["*a", /"\*" has nothing to repeat/],
    ["(+a)", /"\+" has nothing to repeat/],
    ["a|*b", /"\*" has nothing to repeat/],
    ["{1}", /"\{" has nothing to repeat/],
    ["a**", /repetition of a repetition/],
    ["a{1", /begins a bound/],
    ["a{2,1}", /reversed/],
    ["a{256}", /above 255/],
    ["^*", /anchor cannot be repeated/],
    ["a||b", /side of "\|" is empty/],
    ["a\\", /ends with a backslash/],
    ["(".repeat(200), /nested more than/],
    ["((a{255}){255}){255}", /more than 20000 states/],
  ];
  for (const [pattern, message] of cases) {
    assertMatch(assertThrows(() => compileRegex(pattern), RegexError).message, message);
  }
});

/** Small numbers that are the same in every run. */
function generator(seed: number): (below: number) => number {
  return (below) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor(seed / 2 ** 32 * below);
  };
}

/** A random pattern that means the same to POSIX and to JavaScript, as far as whether it matches. */
function randomPattern(random: (below: number) => number, depth: number): string {
  const atoms = ["a", "b", "c", ".", "[ab]", "[^a]", "\\."];
  let pattern = "";
  for (let pieces = 1 + random(3); pieces > 0; pieces--) {
    const nested = depth > 0 && random(3) === 0;
    const atom = nested
      ? `(${randomPattern(random, depth - 1)}|${randomPattern(random, depth - 1)})`
      : atoms[random(7)];
    pattern += atom + ["", "", "*", "+", "?", "{2}", "{1,2}"][random(7)];
  }
  return [pattern, `^${pattern}`, `${pattern}$`, `^${pattern}$`][random(4)];
}

Deno.test("random patterns match what JavaScript's matcher matches", () => {
  const random = generator(2704);
  let matched = 0;
  for (let i = 0; i < 3000; i++) {
    // Anchors inside groups make JavaScript's semantics of repeated empty matches differ; depth 0 for inner ones.
    const pattern = randomPattern(random, 2);
    const regex = compileRegex(pattern), twin = new RegExp(pattern, "s");
    for (let j = 0; j < 5; j++) {
      const subject = Array.from({ length: random(8) }, () => "abc.x"[random(5)]).join("");
      const found = regex.match(subject) !== undefined;
      assertEquals(found, twin.test(subject), `${pattern} on ${subject}`);
      if (found) matched++;
    }
  }
  assert(matched > 2000 && matched < 14000);
});

Deno.test("patterns that ruin backtracking matchers take a bounded number of steps", () => {
  for (const pattern of ["(a+)+$", "(a|aa)*b", "(a*)*(a*)*(a*)*b", "(x+x+)+y", "(.*)(.*)(.*)(.*)(.*)[^ax]"]) {
    let steps = 0;
    const subject = (pattern.includes("x+") ? "x" : "a").repeat(200);
    compileRegex(pattern).match(subject + "!", (more) => steps += more);
    assert(steps < 200_000, `${pattern}: ${steps}`);
  }
});

Deno.test("the caller can stop a match", () => {
  const stop = () => {
    throw new RangeError("enough");
  };
  assertThrows(() => compileRegex("a*b").match("aaaa", stop), RangeError, "enough");
});
