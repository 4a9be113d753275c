// Mutated assertions, regular expressions and keys: a value or a typed error, in bounded time, never anything else.
import { assert, assertEquals } from "@std/assert";
import { describeExplanation, explain } from "../../lib/keynote/explain.ts";
import { parseAssertions } from "../../lib/keynote/parse.ts";
import { parsePrincipal, PrincipalError } from "../../lib/keynote/principal.ts";
import { parsePrivateKey } from "../../lib/keynote/private_key.ts";
import { addLocal, AssertionSet, query } from "../../lib/keynote/query.ts";
import { compileRegex, RegexError } from "../../lib/keynote/regex.ts";
import { addCredentials } from "../../lib/keynote/signature.ts";
import { octetString } from "../../lib/keynote/text.ts";
import { generator, mutateText, read } from "./mutate.ts";

const VECTORS = new URL("../vectors/keynote/", import.meta.url);
const CREDENTIALS = ["rsa-sha1-openbsd.kn", "dsa-sha1.kn", "x509-sha1-digestinfo.kn"].map((name) =>
  octetString(read(VECTORS, name))
);

const POLICIES = [
  `KeyNote-Version: 2
Local-Constants: A="alice" B="bo\\
    b"
Authorizer: "POLICY"
Licensees: (A && B) || 2-of("x", "y", $A . "z")
Conditions: app == "t" && @n * 3 ^ 2 % 7 <= 4 && !(&f / 2.5 > 1.5e) -> {
  s ~= "^([a-z]+)@(x|y{1,3}).*$" && _1 != "q" -> "middle";
  true -> _MAX_TRUST . "";
}; # done
Comment: anything "at all
`.replace("1.5e", "1.5"),
  'Authorizer: "a"\nLicensees: "b"\nConditions: x < "\\141\\0\\n" || 1/0 == 1 -> "low"; _VALUES ~= "[[:alpha:]]+" ;\n\nAuthorizer: "POLICY"\n',
];

Deno.test("mutated policies are evaluated or reported", () => {
  const random = generator(1);
  let parsed = 0, refused = 0;
  for (let round = 0; round < 4000; round++) {
    const text = mutateText(random, POLICIES[random(POLICIES.length)], POLICIES);
    const { assertions, problems } = parseAssertions(text, "fuzz");
    const set = new AssertionSet();
    problems.push(...addLocal(set, assertions));
    parsed += set.size;
    refused += problems.length;
    for (const { line, column } of problems) assert(line >= 1 && column >= 1);
    const question = {
      requesters: ["alice", "b"],
      attributes: new Map([["app", "t"], ["n", "17"], ["f", "2"], ["s", "joe@yy"], ["x", "a"]]),
      values: ["none", "low", "middle", "high"],
    };
    const decision = query([set], question);
    assertEquals(decision.value, question.values[decision.index]);
    assert(describeExplanation(explain([set], question, decision)).length > 0);
  }
  assert(parsed > 1000 && refused > 1000, `${parsed} parsed, ${refused} refused`);
});

Deno.test("mutated credentials are never accepted unless their signed text is whole", () => {
  const random = generator(2);
  for (let round = 0; round < 1500; round++) {
    const original = CREDENTIALS[random(CREDENTIALS.length)];
    const text = mutateText(random, original, CREDENTIALS);
    const set = new AssertionSet();
    addCredentials(set, text, "fuzz");
    for (const { assertion } of set.entries) {
      const signed = assertion.text.slice(assertion.bodyStart, assertion.signature!.signedEnd);
      assert(CREDENTIALS.some((each) => each.startsWith(signed)), `accepted: ${JSON.stringify(signed)}`);
    }
  }
});

Deno.test("mutated regular expressions compile or are refused, and match in bounded steps", () => {
  const random = generator(3);
  const seeds = [
    "^(a|b)*c{2,5}[[:alpha:]-]?$",
    "((x+)+y|[^]a-f]{3})(\\.|$)",
    "[[:<:]]w.*[[.-.]]\\(",
    "a{255}(b{20}){20}",
  ];
  for (let round = 0; round < 4000; round++) {
    const pattern = mutateText(random, seeds[random(seeds.length)], seeds);
    try {
      let steps = 0;
      compileRegex(pattern).match("aabbcc-w.x(xxy", (more) => steps += more);
      assert(steps < 2_000_000, `${pattern}: ${steps}`);
    } catch (error) {
      if (!(error instanceof RegexError)) throw error;
    }
  }
});

Deno.test("mutated keys are keys or refused", () => {
  const random = generator(4);
  const keys = CREDENTIALS.map((text) => /"((rsa|dsa|x509)-[^"]+)"/.exec(text)![1]);
  const pem = octetString(read(VECTORS, "rsa.pem"));
  for (let round = 0; round < 2000; round++) {
    for (const [parse, text] of [[parsePrincipal, keys[random(keys.length)]], [parsePrivateKey, pem]] as const) {
      try {
        parse(mutateText(random, text, [text]));
      } catch (error) {
        if (!(error instanceof PrincipalError)) throw error;
      }
    }
  }
});
