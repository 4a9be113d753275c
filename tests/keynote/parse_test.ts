// What is refused, with the place and the reason.
import { assertEquals, assertMatch } from "@std/assert";
import { describeProblem, parseAssertions } from "../../lib/keynote/parse.ts";
import { splitAssertions } from "../../lib/keynote/token.ts";
import { decide, problemsOf } from "./ask.ts";

const only = (text: string): string => {
  const problems = problemsOf(text);
  assertEquals(problems.length, 1, text);
  return describeProblem(problems[0]);
};
const authorizer = 'Authorizer: "POLICY"\n';

Deno.test("each malformed assertion is left out with its place and reason", () => {
  const expected: [string, RegExp][] = [
    ['Licensees: "x"\n', /^policy:1:1: the Authorizer field is missing/],
    [authorizer + authorizer, /^policy:2:1: field authorizer occurs twice/],
    [authorizer + "KeyNote-Version: 2\n", /^policy:2:1: KeyNote-Version must be the first field/],
    ["KeyNote-Version: 3\n" + authorizer, /^policy:1:1: KeyNote-Version is 2/],
    [authorizer + "$OpenBSD: policy,v 1.6 $\n", /^policy:2:1: .*version control, delete them/],
    [authorizer + "Condition: true;\n", /^policy:2:1: "Condition: true;" is no field; fields are keynote-version,/],
    [" " + authorizer, /^policy:1:1: .*a field's name starts in the first column/],
    ['Authorizer: "open\n', /^policy:1:13: a string is not closed on its line/],
    [authorizer + "Conditions: x = 1;\n", /^policy:2:15: "=" compares nothing/],
    [authorizer + "Conditions: x == 1;\n", /^policy:2:13: "==" cannot compare a string with an integer; @name/],
    [authorizer + "Conditions: 1 + 2.0 > 1.0;\n", /^policy:2:13: "\+" cannot take an integer and a floating/],
    [authorizer + "Conditions: &x < 5;\n", /^policy:2:13: .*write 5.0 for a floating-point 5/],
    [authorizer + "Conditions: 1.0 == 1.0;\n", /^policy:2:13: floating-point numbers have no "=="/],
    [authorizer + "Conditions: 1 ~= 1;\n", /^policy:2:13: "~=" matches strings only/],
    [authorizer + 'Conditions: "a" - "b" == "c";\n', /^policy:2:13: "-" cannot take a string/],
    [authorizer + "Conditions: 1.5 % 1.5 > 1.0;\n", /^policy:2:13: "%" takes integers only/],
    [authorizer + "Conditions: x;\n", /^policy:2:13: a test is needed/],
    [authorizer + 'Conditions: true -> "a" "b";\n', /^policy:2:25: ";" is needed, not a string/],
    [authorizer + "Conditions: true -> { true;\n", /^policy:2:28: a value is needed, not the end of the field/],
    [authorizer + 'Conditions: (x == "a";\n', /^policy:2:22: "\)" is needed/],
    [authorizer + 'Conditions: x == "a" ?;\n', /^policy:2:22: character "\?" has no meaning/],
    [authorizer + "Conditions: 99999999999 > 1;\n", /^policy:2:13: integers have 32 bits/],
    [authorizer + 'Licensees: 3-of("a", "b")\n', /^policy:2:12: 3-of a list of 2: the assertion says nothing/],
    [authorizer + 'Licensees: 1-of(("a" || "b"), "c")\n', /^policy:2:18: a test is needed/],
    [authorizer + 'Licensees: "a" &&\n', /^policy:2:18: a value is needed/],
    [authorizer + 'Licensees: "a" "b"\n', /^policy:2:16: the field should end here/],
    [authorizer + 'Local-Constants: A="1" A="2"\n', /^policy:2:24: "A" is set twice/],
    [authorizer + 'Local-Constants: _A="1"\n', /^policy:2:18: "_A": names that begin with "_"/],
    [authorizer + "Local-Constants: A=B\n", /^policy:2:20: the value of "A" must be a quoted string/],
    [authorizer + 'Licensees: "rsa-hex:30"\n', /^policy:2:12: principal "rsa-hex:...": RSA key/],
    [authorizer + 'Licensees: "x509-base64:?"\n', /^policy:2:12: principal "x509-base64:...": Cannot parse base64/],
    [authorizer + `Conditions: ${"(".repeat(200)}true${")".repeat(200)};\n`, /nested more than 100 deep/],
    [authorizer + `Comment: ${"x".repeat(1 << 20)}\n`, /at most 1048576 are read/],
  ];
  for (const [text, message] of expected) assertMatch(only(text), message);
});

Deno.test("a problem never repeats what stands in quotes", () => {
  for (const text of ['Authorizer: "POLICY"\n"passphrase:secret"\n', 'Authorizer: "passphrase:secret\n']) {
    assertEquals(only(text).includes("secret"), false);
  }
});

Deno.test("the assertions around a malformed one stand, with their lines", () => {
  const { assertions, problems } = parseAssertions(
    `# a file\n\nAuthorizer: "a"\n\n# only a comment\n\nAuthorizer:\n\n\nAuthorizer: "b"\r\n\r\nAuthorizer: "c"`,
    "f",
  );
  assertEquals(assertions.map(({ source }) => source.line), [3, 10, 12]);
  assertEquals(problems.map(describeProblem), ["f:7:12: a value is needed, not the end of the field"]);
});

Deno.test("a line of blanks does not cut the conditions off an assertion", () => {
  const text = 'Authorizer: "POLICY"\n  \nConditions: false;\n';
  assertEquals(splitAssertions(text, "f").length, 1);
  assertEquals(decide(text, "anybody", {}).value, "false");
});

Deno.test("a long flat list is no deep tree", () => {
  const names = Array.from({ length: 30000 }, (_, i) => `"u${i}"`);
  const text = `${authorizer}Licensees: ${names.join(" || ")}\nConditions: ${"1 + ".repeat(20000)}1 == 20001;\n`;
  assertEquals(decide(text, "u29999", {}).value, "true");
});
