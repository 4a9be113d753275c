// The examples of RFC 2704, sections 4.3, 4.4, 5.3 and 6. The expected values are the RFC's own, or worked out by hand
// from section 5.3 where it gives none.
import { assertEquals } from "@std/assert";
import { parseAssertions } from "../../lib/keynote/parse.ts";
import { tokenize } from "../../lib/keynote/token.ts";
import { conditions, decide, policy, problemsOf } from "./ask.ts";

// Section 6, examples A to D. Their algorithm names are unknown, so the principals are labels compared as they stand
// (section 5.2); the RFC's own queries write "dsa:" for "DSA:", which would be another label.
const EMAIL = `
Authorizer: "POLICY"
Licensees: "RSA:abc123"

KeyNote-Version: 2
Local-Constants: Alice="DSA:4401ff92"  # Alice's key
                 Bob="RSA:d1234f"      # Bob's key
Authorizer: "RSA:abc123"
Licensees: Alice || Bob
Conditions: (app_domain == "RFC822-EMAIL") &&
            (address ~=   # only applies to one domain
              "^.*@keynote\\\\.research\\\\.att\\\\.com$");
Signature: "RSA-SHA1:213354f9"

KeyNote-Version: 2
Authorizer: "DSA:4401ff92"  # the Alice CA
Licensees: "DSA:12340987"   # mab's key
Conditions: ((app_domain == "RFC822-EMAIL") &&
             (name == "M. Blaze" || name == "") &&
             (address == "mab@keynote.research.att.com"));
Signature: "DSA-SHA1:ab23487"

KeyNote-Version: "2"
Authorizer: "DSA:4401ff92"   # the Alice CA
Licensees: "DSA:abc991" ||   # jf's DSA key
           "RSA:cde773" ||   # jf's RSA key
           "BFIK:fd091a"     # jf's BFIK key
Conditions: ((app_domain == "RFC822-EMAIL") &&
             (name == "J. Feigenbaum" || name == "") &&
             (address == "jf@keynote.research.att.com"));
Signature: "DSA-SHA1:8912aa"
`;

Deno.test("RFC 2704 6 (1): the e-mail policy accepts and refuses what the RFC says", () => {
  const set = policy(EMAIL);
  const ask = (who: string, attributes: Record<string, string>) =>
    decide(set, who, { app_domain: "RFC822-EMAIL", ...attributes }, ["_MIN", "_MAX"]).value;
  const mab = "mab@keynote.research.att.com";
  assertEquals(ask("DSA:12340987", { address: mab }), "_MAX");
  assertEquals(ask("DSA:12340987", { address: mab, name: "M. Blaze" }), "_MAX");
  assertEquals(ask("DSA:12340987", { address: "angelos@dsl.cis.upenn.edu" }), "_MIN");
  assertEquals(ask("DSA:abc991", { address: mab, name: "M. Blaze" }), "_MIN");
  assertEquals(ask("DSA:12340987", { address: mab, name: "J. Feigenbaum" }), "_MIN");
  for (const key of ["DSA:abc991", "RSA:cde773", "BFIK:fd091a"]) {
    assertEquals(ask(key, { address: "jf@keynote.research.att.com" }), "_MAX", key);
  }
});

// Examples E to H. H is printed with "app_domain=", an erratum: the results that the RFC gives need "==".
const spend = (equality: string) => `
Authorizer: "POLICY"
Licensees: "RSA:dab212"  # the CFO's key
Conditions: (app_domain=="SPEND") && (@dollars < 10000);

KeyNote-Version: 2
Comment: This credential specifies a spending policy
Authorizer: "RSA:dab212"        # the CFO
Licensees: "DSA:feed1234" &&    # The vice president
               ("RSA:abc123" || # middle manager #1
                "DSA:bcd987" || # middle manager #2
                "DSA:cde333" || # middle manager #3
                "DSA:def975" || # middle manager #4
                "DSA:978add")   # middle manager #5
Conditions: (app_domain=="SPEND")  # note nested clauses
              -> { (@(dollars) < 2500)
                     -> _MAX_TRUST;
                   (@(dollars) < 7500)
                     -> "ApproveAndLog";
                 };
Signature: "RSA-SHA1:9867a1"

KeyNote-Version: 2
Authorizer: "POLICY"
Licensees: 2-of("DSA:feed1234", # The VP
                "RSA:abc123",   # Middle management clones
                "DSA:bcd987",
                "DSA:cde333",
                "DSA:def975",
                "DSA:978add")
Conditions: (app_domain=="SPEND") &&
            (@(dollars) < 1000);

KeyNote-Version: 2
Comment: This one credential is equivalent to six separate
         credentials, one for each VP and middle manager.
         Individually, they can spend up to $500, but if
         it's $100 or more, we log it.
Authorizer: "RSA:dab212"      # From the CFO
Licensees: "DSA:feed1234" ||  # The VP
           "RSA:abc123" ||    # The middle management clones
           "DSA:bcd987" ||
           "DSA:cde333" ||
           "DSA:def975" ||
           "DSA:978add"
Conditions: (app_domain${equality}"SPEND")  # nested clauses
              -> { (@(dollars) < 100) -> _MAX_TRUST;
                   (@(dollars) < 500) -> "ApproveAndLog";
                 };
Signature: "RSA-SHA1:186123"
`;

Deno.test("RFC 2704 6 (2): the spending policy has the values that the RFC says", () => {
  const set = policy(spend("=="));
  const ask = (who: string, dollars: string) =>
    decide(set, who.split(","), { app_domain: "SPEND", dollars, unmentioned_attribute: "whatever" }, [
      "Reject",
      "ApproveAndLog",
      "Approve",
    ]).value;
  assertEquals(ask("DSA:978add", "45"), "Approve");
  assertEquals(ask("RSA:abc123,DSA:cde333", "550"), "Approve");
  assertEquals(ask("DSA:feed1234,DSA:cde333", "5500"), "ApproveAndLog");
  assertEquals(ask("DSA:cde333", "150"), "ApproveAndLog");
  assertEquals(ask("DSA:def975", "550"), "Reject");
  assertEquals(ask("DSA:cde333,DSA:978add", "5500"), "Reject");
  // By hand: the VP and a manager, 2499 is below 2500 (F) and below 10000 (E).
  assertEquals(ask("DSA:feed1234,DSA:cde333", "2499"), "Approve");
  assertEquals(ask("DSA:feed1234,DSA:cde333", "7500"), "Reject");
});

Deno.test("RFC 2704 6 (2): the misprint of example H is reported, and only that assertion is left out", () => {
  const [problem, ...more] = problemsOf(spend("="));
  assertEquals(more, []);
  assertEquals(problem, { name: "policy", line: 46, column: 24, message: '"=" compares nothing; equality is "=="' });
});

Deno.test("RFC 2704 5.3.4: the user_id example has the values that the RFC says", () => {
  const program = `
   @user_id == 0 -> "full_access";             # clause (1)
   @user_id < 1000 -> "user_access";           # clause (2)
   @user_id < 10000 -> "guest_access";         # clause (3)
   user_name == "root" -> "full_access";       # clause (4)`;
  const values = ["no_access", "guest_access", "user_access", "full_access"];
  const ask = (user_id: string, user_name: string) => conditions(program, { user_id, user_name }, values);
  assertEquals(ask("1073", "root"), "full_access");
  assertEquals(ask("19283", "nobody"), "no_access");
  assertEquals(ask("1073", "nobody"), "guest_access");
  assertEquals(ask("999", "nobody"), "user_access");
  assertEquals(ask("0", "nobody"), "full_access");
});

Deno.test("RFC 2704 5.3.4: nested clauses equal their conjunctions", () => {
  const nested = `a=="b" ->  { b=="c" -> "value1"; d=="e"  -> "value2"; true -> "value3"; } ;`;
  const flat = `(a=="b") && (b=="c") -> "value1"; (a=="b") && (d=="e") -> "value2"; (a=="b") -> "value3";`;
  const values = ["value0", "value3", "value2", "value1"];
  const expected: [Record<string, string>, string][] = [
    [{}, "value0"],
    [{ a: "b" }, "value3"],
    [{ a: "b", b: "c" }, "value1"],
    [{ a: "b", d: "e" }, "value2"],
    [{ a: "b", b: "c", d: "e" }, "value1"],
    [{ b: "c", d: "e" }, "value0"],
  ];
  for (const [attributes, value] of expected) {
    assertEquals(conditions(nested, attributes, values), value);
    assertEquals(conditions(flat, attributes, values), value);
  }
});

Deno.test("RFC 2704 5.3.4: a runtime error makes its own subclause false and no other", () => {
  const program = `foo == "bar" -> { @a == 1/0 -> "oneval"; @a == 2 -> "anotherval"; };`;
  const values = ["min", "anotherval", "oneval"];
  assertEquals(conditions(program, { foo: "bar", a: "2" }, values), "anotherval");
  assertEquals(conditions(program, { foo: "bar", a: "1" }, values), "min");
});

Deno.test("RFC 2704 5.3.4: a clause without a value yields _MAX_TRUST", () => {
  for (const program of [`foo=="bar";`, `foo=="bar" -> _MAX_TRUST;`]) {
    assertEquals(conditions(program, { foo: "bar" }, ["low", "middle", "high"]), "high");
    assertEquals(conditions(program, {}, ["low", "middle", "high"]), "low");
  }
});

Deno.test("RFC 2704 5.3.5: licensee values of the RFC's example", () => {
  // (no && yes) || no and so on: requesters have the value "yes".
  const text = `Authorizer: "POLICY"\nLicensees: ("alice" && "bob") || "eve"\n`;
  const ask = (...who: string[]) => decide(text, who, {}, ["no", "yes"]).value;
  assertEquals(ask("alice"), "no");
  assertEquals(ask("alice", "bob"), "yes");
  assertEquals(ask("eve"), "yes");
  assertEquals(ask("bob"), "no");
});

Deno.test("RFC 2704 5.3.5: 3-of values of order 0, 1, 2, 2, 3 is the value of order 2", () => {
  const values = ["v0", "v1", "v2", "v3"];
  const says = (who: string, order: number) => `Authorizer: "${who}"\nConditions: true -> "v${order}";\n`;
  const text = [
    `Authorizer: "POLICY"\nLicensees: 3-of("a", "b", "c", "d", "e")\n`,
    says("b", 1),
    says("c", 2),
    says("d", 2),
    says("e", 3),
  ].join("\n");
  assertEquals(decide(text, "nobody", {}, values).value, "v2");
  assertEquals(decide(text.replace("3-of", "1-of"), "nobody", {}, values).value, "v3");
  assertEquals(decide(text.replace("3-of", "4-of"), "nobody", {}, values).value, "v1");
  assertEquals(decide(text.replace("3-of", "5-of"), "nobody", {}, values).value, "v0");
});

Deno.test("RFC 2704 4.3.1: the four spellings of one string are equal", () => {
  const literals = [
    String.raw`"this string contains a newline\n followed by one space."`,
    '"this string contains a newline\\n \\\n        followed by one space."',
    '"this str\\\n           ing contains a \\\n             newline\\n followed by one space."',
    String.raw`"this string contains a newline\012\040followed by one space."`,
  ];
  for (const literal of literals) {
    const [, field] = tokenize(`Authorizer: "x"\nSignature: ${literal}\n`);
    assertEquals(field.tokens[0].value, "this string contains a newline\n followed by one space.");
  }
});

Deno.test("RFC 2704 4.3.1: escapes", () => {
  const value = (literal: string) => tokenize(`Authorizer: ${literal}\n`)[0].tokens[0].value;
  assertEquals(value(String.raw`"like \"this\"."`), 'like "this".');
  assertEquals(value(String.raw`"\101\377\012"`), "A\u00ff\n");
  assertEquals(value(String.raw`"\0\00\000"`), "000000");
  assertEquals(value(String.raw`"\a\\\8\t\f\r"`), "a\\8\t\f\r");
  assertEquals(value(String.raw`"\012\12"`), "\n12"); // \12 lacks a third digit and a leading 0
});

Deno.test("RFC 2704 4.4: dereferencing", () => {
  const attributes = { foo: "bar", bar: "xyz", xyz: "qua", number: "1.2" };
  for (
    const test of [
      `foo == "bar"`,
      `$("foo") == "bar"`,
      `$foo == "xyz"`,
      `$(foo) == "xyz"`,
      `$$foo == "qua"`,
      `number == "1.2"`,
      `@number == 1`,
      `&number > 1.19`,
      `$"no such!" == ""`,
      `@nothing == 0`,
      `$foo . "." == "xyz."`,
      `$("f" . "oo") == "bar"`,
    ]
  ) assertEquals(conditions(`${test};`, attributes), "true", test);
});

Deno.test("RFC 2704 4.6.5: precedence and the types of numbers", () => {
  for (
    const test of [
      `1 + 2 * 3 == 7`,
      `(1 + 2) * 3 == 9`,
      `10 - 4 - 3 == 3`,
      `2 ^ 3 ^ 2 == 64`, // left to right
      `-2 ^ 2 == 4`, // unary minus is tighter than ^
      `7 / 2 == 3`,
      `-7 / 2 == -3`,
      `-7 % 3 == -1`,
      `2 * 3 ^ 2 == 18`,
      `2 ^ -1 == 0`,
      `-2147483648 < 2147483647`,
      `@"1.9" == 1`,
      `@"-1.5" == -2`,
      `@"12 apples" == 0`,
      `&"2.5" * 2.0 >= 5.0`,
      `2.0 ^ 0.5 < 1.42`,
      `!1 > 2`,
      `!(1 == 2) && !false`,
      `true || 1/0 == 1`,
      `!(false && 1/0 == 1)`,
      `"a" . "b" == "ab"`,
      `"B" < "a" && "a" < "b" && "10" < "9"`,
      `"\\377" > "z"`,
      `TRUE && !FaLsE`,
      `true == ""`, // an attribute of that name
    ]
  ) assertEquals(conditions(`${test};`), "true", test);
});

Deno.test("RFC 2704 5.3.4: errors make a test false, whatever stands around them", () => {
  for (
    const test of [
      `1 / 0 == 0`,
      `!(1 / 0 == 0)`,
      `1 % 0 == 0`,
      `1.0 / 0.0 > 0.0`,
      `2147483647 + 1 < 0`,
      `2147483647 + 1 > 0`,
      `-2147483648 / -1 > 0`,
      `@"4294967296" == 0`,
      `99999 ^ 9 != 0`,
      `"a" ~= "("`,
      `!("a" ~= "[")`,
      `1 / 0 == 1 || true`,
      `9999999999.0 ^ 9.0 > 0.0`,
    ]
  ) assertEquals(conditions(`${test};`), "false", test);
  const { problems } = decide(`Authorizer: "POLICY"\nConditions: true && 1 /\n  0 == 0;\n`, "x", {});
  assertEquals(problems.map(({ line, message }) => [line, message]), [[2, "division by zero"]]);
});

Deno.test("RFC 2704 5.3.4: match groups last to the end of their clause", () => {
  const attributes = { a: "user=joe;host=gw", values: "x" };
  for (
    const [test, expected] of [
      [`a ~= "user=([a-z]+);host=([a-z]+)" && _0 == "2" && _1 == "joe" && _2 == "gw" && _3 == ""`, "true"],
      [`a ~= "user=([a-z]+)" -> { _1 == "joe" -> "true"; }`, "true"],
      [`a ~= "user=([a-z]+)" -> "false"; _1 == "joe" -> "true"`, "false"],
      [`a ~= "user=([a-z]+)" && !(a ~= "nothing") && _1 == ""`, "true"],
      [`a ~= "user=([a-z]+)" -> { a ~= "host=(..)" && _1 == "gw" -> "false"; _1 == "joe" -> "true"; }`, "true"],
    ]
  ) assertEquals(conditions(`${test};`, attributes), expected, test);
});

Deno.test("RFC 2704 3: the evaluator's own attributes", () => {
  const text = `Authorizer: "POLICY"
Conditions: _MIN_TRUST == "no" && _MAX_TRUST == "yes" && _VALUES == "no,maybe,yes" &&
            _ACTION_AUTHORIZERS == "alice,bob" -> _MAX_TRUST;
`;
  assertEquals(decide(text, ["alice", "bob"], {}, ["no", "maybe", "yes"]).value, "yes");
});

Deno.test("RFC 2704 3: names and values of 2048 characters work", () => {
  const name = "n".repeat(2048), value = "v".repeat(2048);
  assertEquals(conditions(`${name} == "${value}" && ${name} ~= "^v+$";`, { [name]: value }), "true");
});

Deno.test("RFC 2704 4.6: fields in any order and any case, comments anywhere", () => {
  const text = `# before
KEYNOTE-version : "2" # with a comment
comment: free text, "with an open quote
	# and a comment line
  and more; Authorizer: "nobody"
conditions:
# in the first column
   x == "#not a comment" # a comment
     ;
local-constants: ME = "al\\
                       ice"   YOU="bob"
licensees:
   ME && (((ME)) ||
# here too
   YOU)
authorizer: "POL" . "ICY"
`;
  assertEquals(decide(text, "alice", { x: "#not a comment" }).value, "true");
  assertEquals(decide(text, "bob", { x: "#not a comment" }).value, "false");
});

Deno.test("RFC 2704 4.6.7: text after the Signature field is not part of the assertion", () => {
  const { assertions, problems } = parseAssertions(`Authorizer: "x"\nSignature: "y:z"\nthis is nothing\n`, "f");
  assertEquals([assertions.length, problems.length], [1, 0]);
});
