// Policy extensions as they may not be written, and paths of which openssl thinks otherwise than RFC 5280 section 6.1. The
// others are in path_cases_test.ts.
import { assertEquals, assertThrows } from "@std/assert";
import { DER, encodeDer, encodeOid, encodeSequence, encodeUnsigned } from "../../lib/octets/der.ts";
import { DecodeError } from "../../lib/octets/reader.ts";
import type { Certificate } from "../../lib/x509/certificate.ts";
import {
  demandingPolicy,
  type PolicyExtensions,
  readInhibitAnyPolicy,
  readPolicies,
  readPolicyConstraints,
  readPolicyMappings,
} from "../../lib/x509/policies.ts";

const ANY = "2.5.29.32.0", [A, B, C] = ["1.2.3.1", "1.2.3.2", "1.2.3.3"];
const oids = (...names: string[]) => encodeSequence(...names.map(encodeOid));
const skip = (part: number, ...octets: number[]) => encodeDer(0x80 | part, Uint8Array.from(octets));

Deno.test("policy extensions are read, and refused when they are malformed", () => {
  assertEquals([...readPolicies(encodeSequence(oids(A), encodeSequence(encodeOid(B), encodeSequence())))], [A, B]);
  assertEquals([...readPolicyMappings(encodeSequence(oids(A, B), oids(A, C), oids(B, B)))], [[A, [B, C]], [B, [B]]]);
  assertEquals(readPolicyConstraints(encodeSequence(skip(0, 1, 0), skip(1, 3))), {
    requireExplicitPolicy: 256,
    inhibitPolicyMapping: 3,
  });
  assertEquals(readPolicyConstraints(encodeSequence(skip(1, 0))), { inhibitPolicyMapping: 0 });
  assertEquals(readInhibitAnyPolicy(encodeUnsigned(new Uint8Array(999).fill(1))), Infinity);
  for (
    const [read, value, words] of [
      [readPolicies, encodeSequence(), "certificatePolicies: empty"],
      [readPolicies, encodeSequence(oids(A), oids(B), oids(A)), "certificatePolicies: one of them twice"],
      [readPolicies, encodeSequence(encodeSequence()), "certificatePolicies: missing"],
      [readPolicyMappings, encodeSequence(oids(A, B), oids(A)), "policyMappings: 1 policies in place of 2"],
      [readPolicyMappings, encodeSequence(oids(ANY, A)), "policyMappings: anyPolicy"],
      [readPolicyMappings, encodeSequence(oids(A, ANY)), "policyMappings: anyPolicy"],
      [readPolicyConstraints, encodeSequence(), "policyConstraints: empty"],
      [readPolicyConstraints, encodeSequence(skip(1, 0), skip(0, 0)), "parts that do not belong"],
      [readPolicyConstraints, encodeSequence(skip(0, 0x80)), "policyConstraints: negative"],
      [readPolicyConstraints, encodeSequence(skip(0)), "policyConstraints: an INTEGER of no octets"],
      [readInhibitAnyPolicy, encodeDer(DER.INTEGER, Uint8Array.of(0xff)), "inhibitAnyPolicy: negative"],
    ] as const
  ) assertThrows(() => read(value), DecodeError, words);
});

/** Whether a path is refused; the authority first, the end entity last. */
const isRefused = (...path: (PolicyExtensions & { readonly selfIssued?: boolean })[]): boolean =>
  demandingPolicy(path.toReversed() as unknown as Certificate[]) !== undefined;
const of = (...policies: string[]) => ({ policies: new Set(policies) });
const mapping = (...pairs: [string, string[]][]) => ({ policyMappings: new Map(pairs) });

Deno.test("an inhibited anyPolicy stands for nothing that is mapped (6.1.4 b 1)", () => {
  const demands = { ...of(A), requireExplicitPolicy: 0, inhibitAnyPolicy: 0 };
  const maps = { ...of(ANY), ...mapping([A, [B]]) };
  assertEquals(isRefused({}, demands, maps, of(B)), true);
  assertEquals(isRefused({}, { ...demands, inhibitAnyPolicy: 1 }, maps, of(B)), false);
});

Deno.test("what an end entity maps does not count", () => {
  assertEquals(isRefused({}, { ...of(A), requireExplicitPolicy: 0 }, { ...of(B), ...mapping([A, [B]]) }), true);
  assertEquals(isRefused({}, { ...of(A), requireExplicitPolicy: 0 }, { ...of(A), ...mapping([A, [B]]) }), false);
});

Deno.test("an end entity counts though it is its own issuer by name (6.1.5 a)", () => {
  const demands = { ...of(A), requireExplicitPolicy: 1 };
  assertEquals(isRefused({}, demands, { selfIssued: true }), true);
  assertEquals(isRefused({}, demands, { selfIssued: true }, { selfIssued: true }), true);
  assertEquals(isRefused({}, { ...demands, requireExplicitPolicy: 2 }, { selfIssued: true }, {}), false);
});
