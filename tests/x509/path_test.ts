// Which certificates are believed. RFC 5280 section 6, RFC 4945 section 5; made by openssl (tests/vectors/x509/make.sh).
import { assert, assertEquals, assertMatch } from "@std/assert";
import { parseCertificate } from "../../lib/x509/certificate.ts";
import { CertificateError } from "../../lib/x509/error.ts";
import { type Refusal, type Trust, validatePath } from "../../lib/x509/path.ts";
import { accepted, certificate, crl, derOf, NOW, refused, trust } from "./fixtures.ts";

const good: [name: string, authorities: string[], intermediates: string[], more?: Partial<Trust>][] = [
  ["gw", ["ca"], []],
  ["worksite", ["ca"], []],
  ["gw", ["twin", "ca", "stranger"], []], // several authorities, two of one name
  ["under-twin", ["ca", "twin"], []],
  ["under-inter", ["ca"], ["inter"]],
  ["under-inter", ["ca"], ["under-twin", "twin", "deeper", "inter", "ca"]],
  ["under-ec", ["ec-ca"], []],
  ["under-constrained", ["ca"], ["constrained"]],
  ["under-ed25519", ["ed25519-ca"], []],
  ["under-md5", ["md5-ca"], []], // the signature of an authority on itself proves nothing
  ["under-ed25519", ["under-ed25519"], []], // lies in the CA directory itself
  ["ike", ["ca"], []],
  ["alone", [], [], { acceptSelfSigned: true }],
  ["alone", ["alone"], []],
  ["md5", ["ca"], [], { acceptWeak: true }],
  ["gw", ["ca"], [], { revocationLists: [crl("ca")] }],
  ["under-twin", ["ca", "twin"], [], { revocationLists: [crl("ca"), crl("stale")] }], // the CRL is the other's
  ["expired", ["ca"], [], { nowMs: Date.UTC(2010, 0, 1) }],
  ["future", ["ca"], [], { nowMs: Date.UTC(2060, 0, 1) }],
];

Deno.test("good certificates are accepted, whichever authorities and intermediates lie about", () => {
  for (const [name, authorities, intermediates, more] of good) {
    accepted(name, trust(authorities, intermediates, more));
  }
});

Deno.test("a path is given from the end entity to the authority", () => {
  const result = accepted("under-inter", trust(["ca"], ["inter"]));
  assertEquals(result.path.map(({ subject }) => subject.text), [
    "/C=SE/O=MySite/CN=under",
    "/C=SE/O=MySite/CN=Intermediate",
    "/C=SE/O=MySite/CN=MySite CA",
  ]);
  assertEquals(result.warnings, []);
});

const bad: [string, string[], string[], Refusal, RegExp, Partial<Trust>?][] = [
  ["expired", ["ca"], [], "expired", /CN=expired: expired on 2020-01-01T00:00:00Z$/],
  ["future", ["ca"], [], "not-yet-valid", /CN=future: not valid before 2050-01-01T00:00:00Z$/],
  ["under-stranger", ["ca"], [], "unknown-issuer", /its issuer \/C=SE\/O=Elsewhere\/CN=CA is not known here$/],
  ["under-stranger", ["ca"], ["stranger"], "self-signed", /O=Elsewhere\/CN=CA: it is self-signed and not in the CA/],
  ["under-twin", ["ca"], [], "unknown-issuer", /its issuer .*MySite CA is not known/],
  ["under-inter", ["ca"], [], "unknown-issuer", /its issuer .*Intermediate is not known/],
  ["under-leaf", ["ca"], ["gw"], "not-an-authority", /CN=gw.mysite.se: it is not marked as an authority's \(CA bit\)$/],
  ["under-leaf", ["gw"], [], "not-an-authority", /CN=gw.mysite.se: it is not marked as an authority's/],
  [
    "under-deeper",
    ["ca"],
    ["inter", "deeper"],
    "path-length",
    /Intermediate: it allows 0 authorities below it, there are 1/,
  ],
  ["under-expired", ["expired-ca"], [], "expired", /Expired CA: expired on 2020/],
  ["under-nosign", ["nosign-ca"], [], "key-usage", /No sign CA: its keyUsage does not allow it to issue/],
  ["unknown", ["ca"], [], "critical-extension", /CN=unknown: .*not understood, 1.2.3.4/],
  ["encipher", ["ca"], [], "key-usage", /CN=encipher: its keyUsage does not allow signatures/],
  ["server", ["ca"], [], "key-usage", /CN=server: its extendedKeyUsage does not include IKE/],
  ["revoked", ["ca"], [], "revoked", /CN=revoked: revoked on 2020-01-01T00:00:00Z \(keyCompromise\)$/, {
    revocationLists: [crl("nothing"), crl("ca")],
  }],
  ["gw", ["ca"], [], "crl-unusable", /a newer one was due on 2021-01-01/, { revocationLists: [crl("stale")] }],
  ["gw", ["ca"], [], "crl-unusable", /it is from 2050-01-01T00:00:00Z, which is to come/, {
    revocationLists: [crl("coming")],
  }],
  ["gw", ["ca"], [], "crl-unusable", /its signature is not this authority's/, { revocationLists: [crl("forged")] }],
  ["short", ["ca"], [], "weak", /its RSA key of 512 bits is too short, 1024 are needed/],
  ["md5", ["ca"], [], "weak", /it is signed with md5WithRSAEncryption, which can be forged/],
  ["alone", ["ca"], [], "self-signed", /CN=alone: it is self-signed and not in the CA directory/],
  ["gw", [], [], "unknown-issuer", /is not known here/, { acceptSelfSigned: true }],
];

Deno.test("bad certificates are refused, each with its own message", () => {
  for (const [name, authorities, intermediates, refusal, message, more] of bad) {
    const result = refused(validatePath(certificate(name), trust(authorities, intermediates, more)));
    assertEquals(result.refusal, refusal, `${name}: ${result.message}`);
    assertMatch(result.message, message);
  }
});

Deno.test("what is weak or odd, but accepted, is warned about", () => {
  const warnings = (name: string, authorities: string[], more: Partial<Trust> = {}) =>
    accepted(name, trust(authorities, [], more)).warnings.join("\n");
  assertMatch(warnings("sha1", ["ca"]), /CN=sha1: it is signed with sha1WithRSAEncryption, which is old/);
  assertMatch(warnings("dsa", ["ca"]), /its DSA key has 1024 bits, 2048 are usual/);
  assertMatch(warnings("under-v1", ["v1-ca"]), /Old CA: it lies in the CA directory but is not marked/);
  assertMatch(warnings("md5", ["ca"], { acceptWeak: true }), /weak: it is signed with md5/);
  assertMatch(warnings("short", ["ca"], { acceptWeak: true }), /weak: its RSA key of 512 bits/);
  assertMatch(warnings("alone", [], { acceptSelfSigned: true }), /self-signed, vouched for by nobody/);
});

Deno.test("a version 1 certificate is an authority only in the CA directory", () => {
  assertEquals(validatePath(certificate("under-v1"), trust([], ["v1-ca"])).ok, false);
});

Deno.test("every truncation of a certificate is refused", () => {
  const der = derOf("gw");
  for (let length = 0; length < der.length; length++) {
    try {
      parseCertificate(der.subarray(0, length));
      throw new Error(`${length} octets were read`);
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error;
    }
  }
});

Deno.test("no certificate with one bit flipped is accepted", () => {
  const der = derOf("worksite");
  const trusted = trust(["ca"]);
  let decoded = 0;
  for (let bit = 0; bit < 8 * der.length; bit++) {
    const flipped = der.slice();
    flipped[bit >> 3] ^= 1 << (bit & 7);
    try {
      const found = parseCertificate(flipped);
      decoded++;
      assertEquals(validatePath(found, trusted).ok, false, `bit ${bit}`);
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error;
    }
  }
  assert(decoded > 2000, `${decoded} were well formed`);
});

Deno.test("no CRL with one bit flipped lets a revoked certificate through", () => {
  // A list that no longer decodes is left out when it is loaded, with a complaint; here are those that still decode.
  const revoked = certificate("revoked"), trusted = trust(["ca"], [], { revocationLists: [crl("ca")] });
  assertEquals(validatePath(revoked, trusted).ok, false);
  const list = crl("ca");
  for (let bit = 0; bit < 8 * list.tbs.length; bit += 5) {
    const tbs = list.tbs.slice();
    tbs[bit >> 3] ^= 1 << (bit & 7);
    const result = validatePath(revoked, { ...trusted, revocationLists: [{ ...list, tbs }] });
    assertEquals(refused(result).refusal, "crl-unusable");
  }
});

Deno.test("a maze of authorities of one name ends", () => {
  const maze = Array.from({ length: 300 }, (_, i) => ({ ...certificate("twin"), der: Uint8Array.of(i & 255, i >> 8) }));
  const unmarked = { ...certificate("under-stranger"), authorityKeyIdentifier: undefined, issuer: maze[0].subject };
  const started = performance.now();
  const result = validatePath(unmarked, { ...trust(["ca"]), intermediates: maze, nowMs: NOW });
  assertEquals(result.ok, false);
  assert(performance.now() - started < 2000);
});
