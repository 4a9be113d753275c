// The decision: delegation, cycles, channels; agreement with a second evaluator that iterates section 5.3 to its fixpoint.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { parseAssertions } from "../../lib/keynote/parse.ts";
import { canonicalPrincipal } from "../../lib/keynote/principal.ts";
import { addLocal, AssertionSet, query } from "../../lib/keynote/query.ts";
import type { Assertion, Clause, Licensees, StringExpression, Test } from "../../lib/keynote/tree.ts";
import { conditions, decide, policy } from "./ask.ts";

Deno.test("a missing field is the highest value, an empty one the lowest (RFC 2704 5.3.4, 5.3.5)", () => {
  const ask = (rest: string) => decide(`Authorizer: "POLICY"\n${rest}`, "anybody", {}).value;
  assertEquals(ask(""), "true");
  assertEquals(ask("Licensees:\n"), "false");
  assertEquals(ask("Conditions:\n"), "false");
  assertEquals(ask("Conditions: # nothing\n  \n"), "false");
  assertEquals(ask("Conditions: true\n"), "true"); // without the last semicolon
  assertEquals(ask('Conditions: true -> "maybe";\n'), "false"); // a value outside the set
});

Deno.test("a delegation gives no more than each of its steps", () => {
  const text = `Authorizer: "POLICY"
Licensees: "a"
Conditions: true -> "middle";

Authorizer: "a"
Licensees: "b"
Conditions: x == "1" -> "high"; x == "2" -> "low";
`;
  const values = ["none", "low", "middle", "high"];
  assertEquals(decide(text, "b", { x: "1" }, values).value, "middle");
  assertEquals(decide(text, "b", { x: "2" }, values).value, "low");
  assertEquals(decide(text, "b", {}, values).value, "none");
  assertEquals(decide(text, "a", {}, values).value, "middle");
  assertEquals(decide(text, "c", { x: "1" }, values).value, "none");
});

Deno.test("a cycle adds nothing, and does not hide what comes from elsewhere", () => {
  const text = `Authorizer: "POLICY"
Licensees: "a"

Authorizer: "a"
Licensees: "b"

Authorizer: "b"
Licensees: "a" || "c"
`;
  assertEquals(decide(text, "nobody", {}).value, "false");
  assertEquals(decide(text, "c", {}).value, "true");
});

Deno.test("principals that depend on the query are resolved in it", () => {
  const text = `Authorizer: "POLICY"
Licensees: "role:" . role

Local-Constants: W = "who"
Authorizer: "role:admin"
Licensees: $W
`;
  assertEquals(decide(text, "joe", { role: "admin", who: "joe" }).value, "true");
  assertEquals(decide(text, "joe", { role: "user", who: "joe" }).value, "false");
  const { value, problems } = decide(text, "joe", { role: "admin", who: "rsa-hex:00" });
  assertEquals([value, problems.length], ["false", 1]);
});

Deno.test("an attribute of the evaluator's cannot come from the application", () => {
  assertThrows(() => conditions("true;", { _MAX_TRUST: "x" }), RangeError, "_MAX_TRUST");
});

Deno.test("a query whose conditions take too long is refused and says so", () => {
  const clause = 'x ~= "(a*)*(a*)*(a*)*b" || ';
  const text = `Authorizer: "POLICY"\nConditions: ${clause.repeat(100)}true;\n`;
  const { value, problems } = decide(text, "anybody", { x: "a".repeat(60000) });
  assertEquals(value, "false");
  assertEquals(problems.map(({ message }) => message), ["the query takes more than 5000000 steps"]);
});

Deno.test("a string that doubles itself ends at its limit", () => {
  let expression = "x";
  for (let i = 0; i < 12; i++) expression = `(${expression}) . (${expression})`;
  const { problems } = decide(`Authorizer: "POLICY"\nConditions: ${expression} == "";\n`, "y", { x: "z".repeat(1000) });
  assertEquals(problems.map(({ message }) => message), ["a string of more than 65536 octets"]);
});

Deno.test("a query does not touch the assertions of others", () => {
  const lines = ['Authorizer: "POLICY"\nLicensees: "ca"\n'];
  for (let i = 0; i < 20000; i++) lines.push(`Authorizer: "ca"\nLicensees: "user${i}"\nConditions: true;\n`);
  for (let i = 0; i < 20000; i++) lines.push(`Authorizer: "POLICY"\nLicensees: "direct${i}"\n`);
  const set = policy(lines.join("\n"));
  assertEquals(set.size, 40001);
  assertEquals(decide(set, "user777", {}).considered.length, 2);
  assertEquals(decide(set, "direct777", {}).considered.length, 1);
  assertEquals(decide(set, "stranger", {}).considered.length, 0);
});

// ---- the second evaluator ------------------------------------------------------------------------------------------

/** Section 5.3 as it is written, for literals and attributes: iterate all values until none changes. */
function naive(
  assertions: Assertion[],
  requesters: string[],
  attributes: Map<string, string>,
  values: string[],
): string {
  const max = values.length - 1;
  const string = (expression: StringExpression): string => {
    if (expression.kind === "literal") return expression.value;
    if (expression.kind === "attribute") return attributes.get(expression.name) ?? "";
    throw new Error("the random assertions have no such string");
  };
  const test = (node: Test): boolean => {
    if (node.kind === "constant") return node.value;
    if (node.kind === "not") return !test(node.of);
    if (node.kind === "and") return !node.of.some((operand) => !test(operand));
    if (node.kind === "or") return node.of.some(test);
    if (node.kind !== "compare-strings") throw new Error("the random assertions have no such test");
    return (string(node.left) === string(node.right)) === (node.relation === "==");
  };
  const program = (clauses: readonly Clause[]): number =>
    Math.max(
      0,
      ...clauses.filter((clause) => test(clause.test)).map((clause) =>
        clause.program
          ? program(clause.program)
          : clause.value
          ? Math.max(0, values.indexOf(string(clause.value)))
          : max
      ),
    );
  const principals = new Map<string, number>();
  const direct = new Set(requesters.map(canonicalPrincipal));
  const valueOf = (name: string) => direct.has(canonicalPrincipal(name)) ? max : principals.get(name) ?? 0;
  const licensees = (node: Licensees | undefined): number => {
    if (!node) return max;
    if (node.kind === "nobody") return 0;
    if (node.kind === "principal") return valueOf(string(node.of));
    if (node.kind === "threshold") return node.of.map((of) => valueOf(string(of))).sort((a, b) => b - a)[node.k - 1];
    if (node.kind === "and") return Math.min(...node.of.map(licensees));
    return Math.max(...node.of.map(licensees));
  };
  for (let changed = true; changed;) {
    changed = false;
    for (const assertion of assertions) {
      const name = string(assertion.authorizer);
      const conditions = assertion.conditions ? program(assertion.conditions) : max;
      const value = Math.min(conditions, licensees(assertion.licensees));
      if (value > valueOf(name)) {
        principals.set(name, value);
        changed = true;
      }
    }
  }
  return values[valueOf("POLICY")];
}

Deno.test("random assertion sets have the value that iterating RFC 2704 5.3 gives", () => {
  let seed = 53;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor(seed / 2 ** 32 * below);
  };
  const pick = <T>(list: T[]): T => list[random(list.length)];
  const names = ["POLICY", "a", "b", "c", "d", "e", "f"];
  const values = ["v0", "v1", "v2"];
  const testText = (depth: number): string => {
    if (depth === 0 || random(2)) {
      return pick([`${pick(["x", "y"])} ${pick(["==", "!="])} "${random(3)}"`, "true", "false", "x == y"]);
    }
    const [left, right] = [testText(depth - 1), testText(depth - 1)];
    return pick([`(${left} && ${right})`, `(${left} || ${right})`, `!(${left})`]);
  };
  const programText = (depth: number): string =>
    Array.from({ length: 1 + random(3) }, () => {
      const test = testText(2);
      if (depth > 0 && random(3) === 0) return `${test} -> { ${programText(depth - 1)} };`;
      return random(4) ? `${test} -> "${pick([...values, "v9"])}";` : `${test};`;
    }).join(" ");
  const licenseesText = (depth: number): string => {
    const principal = () => `"${pick(names.slice(1))}"`;
    if (depth === 0) return principal();
    const size = 2 + random(3);
    return pick([
      principal(),
      `(${licenseesText(depth - 1)} && ${licenseesText(depth - 1)})`,
      `(${licenseesText(depth - 1)} || ${licenseesText(depth - 1)})`,
      `${1 + random(size)}-of(${Array.from({ length: size }, principal).join(", ")})`,
    ]);
  };
  const seen = new Map<string, number>();
  for (let round = 0; round < 2000; round++) {
    const text = Array.from({ length: 2 + random(9) }, () => {
      const fields = [`Authorizer: "${pick(names)}"`];
      if (random(12)) fields.push(`Licensees: ${random(20) ? licenseesText(2) : ""}`);
      if (random(4)) fields.push(`Conditions: ${random(10) ? programText(2) : ""}`);
      return fields.join("\n") + "\n";
    }).join("\n");
    const { assertions, problems } = parseAssertions(text, "random");
    const set = new AssertionSet();
    assertEquals([...problems, ...addLocal(set, assertions)], [], text);
    const attributes = new Map([["x", String(random(3))], ["y", String(random(3))]]);
    const requesters = [pick(names.slice(1)), pick(names.slice(1))];
    const { value } = query([set], { requesters, attributes, values });
    assertEquals(value, naive(assertions, requesters, attributes, values), text);
    seen.set(value, (seen.get(value) ?? 0) + 1);
  }
  for (const value of values) assert((seen.get(value) ?? 0) > 40, `${value} was the result ${seen.get(value)} times`);
});
