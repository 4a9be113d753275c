// Corners of RFC 2704's language: how numbers, strings and fields may be written, and that size and depth are bounded.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { describeExplanation, explain } from "../../lib/keynote/explain.ts";
import { parseAssertions } from "../../lib/keynote/parse.ts";
import { addLocal, AssertionSet, query } from "../../lib/keynote/query.ts";

/** The value for the requester `k`, and what was wrong. */
function ask(text: string, attributes: Record<string, string> = {}): { value: string; problems: string } {
  const { assertions, problems } = parseAssertions(text, "corner");
  const set = new AssertionSet();
  const all = [...problems, ...addLocal(set, assertions)];
  const question = {
    requesters: ["k"],
    attributes: new Map(Object.entries(attributes)),
    values: ["false", "true"],
  };
  const decision = query([set], question);
  assert(describeExplanation(explain([set], question, decision)).length > 0);
  return { value: decision.value, problems: [...all, ...decision.problems].map(({ message }) => message).join("; ") };
}

const policy = (conditions: string, before = "") =>
  `${before}Authorizer: "POLICY"\nLicensees: "k"\nConditions: ${conditions}\n`;

Deno.test("numbers, strings, comments, lines and fields in every form that RFC 2704 has", () => {
  const cases: [text: string, attributes?: Record<string, string>][] = [
    [policy("@a == 007 && 010 == 10;"), { a: "0007" }], // leading zeros make no octal number
    [policy("@a == 0 && @none == 0 && @b == 0 && &b < 0.1;"), { a: "seven", b: "1e5" }],
    [policy("@a == -5 && @b == 3;"), { a: "-5", b: "3.7" }],
    [policy("&a >= 1.0 && &a <= 1.0 && &b > 0.4 && &b < 0.6;"), { a: "1.", b: "0.5" }],
    [policy('a == "\\101\\n\\t\\\\\\"";'), { a: 'A\n\t\\"' }],
    [policy('a == "\\1012";'), { a: "A2" }], // three digits at most
    [policy('a == "b\\\n   c";'), { a: "bc" }],
    [policy('true # "no string\n  ;')],
    [policy('a == "#x";'), { a: "#x" }],
    ['Authorizer: "POLICY" # who\nLicensees: # whom\n "k"\nConditions:\n\ttrue;\n'],
    ['AUTHORIZER: "POLICY"\nliCensees: "k"\ncondITIONS: true;\n'],
    ['Conditions: true;\nLicensees: "k"\nComment: x\nAuthorizer: "POLICY"\n'],
    ['Local-Constants: K="k"\nAuthorizer: "POLICY"\nLicensees: K\n'],
    [policy("true;").replaceAll("\n", "\r\n")],
    [policy('a == "local" && $b == "local";', 'Local-Constants: a = "local" b = "a"\n'), { a: "attribute" }],
    [policy('A == "" && a == "x";'), { a: "x" }], // names of attributes have a case
    [policy('a ~= "^[]a]+$" && b ~= "\\\\." && a ~= "^.{3}$";'), { a: "]a]", b: "." }],
    ['Authorizer: "POLICY"\nLicensees: 1-of("k", "z")\n'],
  ];
  for (const [text, attributes] of cases) assertEquals(ask(text, attributes), { value: "true", problems: "" }, text);
});

Deno.test("what RFC 2704 does not have is refused with the reason", () => {
  for (
    const [text, words] of [
      [policy("1. < 2;"), "a value is needed"],
      [policy("&a < .5;"), "a value is needed"],
      [policy("&a == 1.0;"), 'floating-point numbers have no "=="'],
      [policy("99999999999 > 1;"), "integers have 32 bits"],
      [policy('a ~= "(" || true;'), '"(" is not closed'],
      ['Authorizer: "POLICY"\nAuthorizer: "POLICY"\nLicensees: "k"\n', "occurs twice"],
      ['Authorizer: "POLICY"\nKeyNote-Version: 2\nLicensees: "k"\n', "must be the first field"],
      [policy("true;", 'Local-Constants: a="1" a="2"\n'), '"a" is set twice'],
      ['Licensees: "k"\n', "the Authorizer field is missing"],
      ['Authorizer: "POLICY"\nLicensees: 3-of("k", "z")\n', "3-of a list of 2"],
      ['Authorizer: "POLICY"\nLicensees: 0-of("k", "z")\n', "K-of: K is a number from 1 on"],
    ] as const
  ) {
    const { value, problems } = ask(text);
    assertEquals(value, "false", text);
    assertStringIncludes(problems, words);
  }
});

Deno.test("depth is bounded, length is not a problem up to a megabyte, and nothing overflows the stack", () => {
  const deep = (open: string, inner: string, close = "") => `${open.repeat(50_000)}${inner}${close.repeat(50_000)}`;
  for (
    const text of [
      policy(`${deep("(", "true", ")")};`),
      policy(`${deep("!", "true")};`),
      policy(`${deep("$", "a")} == "";`),
      policy(`${deep("-", "1")} < 0;`),
      policy(deep("true -> {", "true;", "};")),
      `Authorizer: "POLICY"\nLicensees: ${deep("(", '"k"', ")")}\n`,
      policy(`a ~= "${deep("(", "x", ")")}";`),
    ]
  ) {
    const { value, problems } = ask(text);
    assertEquals(value, "false");
    assertStringIncludes(problems, "nested more than 100 deep");
  }
  const flat = (count: number, part: string, by: string) => new Array(count).fill(part).join(by);
  for (
    const text of [
      policy(`${flat(50_000, "true", " && ")};`),
      policy(`${flat(50_000, "1", "^")} == 1;`),
      policy(`${"false;".repeat(150_000)}true;`),
      `Authorizer: "POLICY"\nLicensees: ${flat(50_000, '"k"', " || ")}\n`,
      Array.from(
        { length: 20_000 },
        (_, i) => `Authorizer: "${i ? `p${i}` : "POLICY"}"\nLicensees: "${i === 19_999 ? "k" : `p${i + 1}`}"\n`,
      ).join("\n"),
    ]
  ) assertEquals(ask(text), { value: "true", problems: "" });
  assertStringIncludes(ask(policy(`a == "${"x".repeat(1 << 20)}";`)).problems, "at most 1048576 are read");
});
