// Keys and signatures (RFC 2792, RFC 5708). tests/vectors/keynote/make.sh made the credentials with openssl.
import { assertEquals, assertMatch, assertNotEquals, assertThrows } from "@std/assert";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { parseBase64 } from "../../lib/octets/base64.ts";
import { describeProblem, parseAssertion } from "../../lib/keynote/parse.ts";
import { canonicalPrincipal, formatPrincipal, parsePrincipal, PrincipalError } from "../../lib/keynote/principal.ts";
import { formatPrivateKey, parsePrivateKey, publicKeyOf } from "../../lib/keynote/private_key.ts";
import { AssertionSet, query } from "../../lib/keynote/query.ts";
import {
  addCredentials,
  signAssertion,
  SIGNATURE_ALGORITHMS,
  SignatureError,
  verifySignature,
} from "../../lib/keynote/signature.ts";
import { encodeSequence, encodeUnsigned } from "../../lib/octets/der.ts";
import { formatHex } from "../../lib/octets/hex.ts";
import { policy } from "./ask.ts";

const VECTORS = new URL("../vectors/keynote/", import.meta.url);
const read = (name: string) => Deno.readTextFileSync(new URL(name, VECTORS));
const CREDENTIALS = [...Deno.readDirSync(VECTORS)].map(({ name }) => name).filter((name) => name.endsWith(".kn"))
  .sort();
const rsaPem = read("rsa.pem"), dsaPem = read("dsa.pem");
const certificate = parseBase64(read("rsa.crt").replace(/-----.*?-----|\s/g, ""));

Deno.test("openssl's credentials verify, in every wrapping of the hash", () => {
  assertEquals(CREDENTIALS.length, 8);
  for (const name of CREDENTIALS) {
    const set = new AssertionSet();
    assertEquals(addCredentials(set, read(name), name), []);
    const { authorizer } = set.licensing(canonicalPrincipal("alice"))[0].resolved!;
    const root = policy(`Authorizer: "POLICY"\nLicensees: "${authorizer.text}"\n`);
    const ask = (x: string) =>
      query([root, set], { requesters: ["alice"], attributes: new Map([["x", x]]), values: ["no", "yes"] }).value;
    assertEquals([ask("1"), ask("2")], ["yes", "no"]);
  }
});

Deno.test("a credential with any octet changed is refused", () => {
  const text = read("rsa-sha1-openbsd.kn");
  const body = text.indexOf("Signature:");
  for (let at = 0; at < text.length - 2; at += 7) {
    for (const bit of [1, 2]) {
      const changed = text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ bit) + text.slice(at + 1);
      const set = new AssertionSet();
      addCredentials(set, changed, "changed");
      // Only the field's own name and the blank after it are outside the signed text and the signature.
      if (at < body || at > body + 11) assertEquals(set.size, 0, `octet ${at}`);
    }
  }
});

Deno.test("what cannot be a credential is refused with its reason", () => {
  const refuse = (text: string, reason: RegExp) => {
    const set = new AssertionSet();
    const [problem, ...more] = addCredentials(set, text, "cred");
    assertEquals([more.length, set.size], [0, 0]);
    assertMatch(describeProblem(problem), reason);
  };
  const rsa = formatPrincipal(publicKeyOf(parsePrivateKey(rsaPem)));
  const dsa = formatPrincipal(publicKeyOf(parsePrivateKey(dsaPem)));
  refuse(`Authorizer: "POLICY"\n`, /it has no Signature field/);
  refuse(`Authorizer: "POLICY"\nSignature: "sig-rsa-sha1-hex:00"\n`, /cannot speak for POLICY/);
  refuse(`Authorizer: "bob"\nSignature: "sig-rsa-sha1-hex:00"\n`, /Authorizer "bob" is no key/);
  refuse(`Authorizer: "binary-hex:00"\nSignature: "sig-rsa-sha1-hex:00"\n`, /is no key that can sign/);
  refuse(`Authorizer: who\nSignature: "sig-rsa-sha1-hex:00"\n`, /depends on action attributes/);
  refuse(`Authorizer: "${rsa}"\nSignature: "sig-rsa-sha1-hex:0011"\n`, /not its Authorizer's/);
  refuse(`Authorizer: "${rsa}"\nSignature: "sig-rsa-sha1-hex:001"\n`, /odd|even/);
  refuse(`Authorizer: "${rsa}"\nSignature: ""\n`, /no signature algorithm/);
  refuse(`Authorizer: "${rsa}"\nSignature: "sig-rsa-sha3-hex:00"\n`, /no signature algorithm; there are sig-rsa-sha1/);
  refuse(
    `Authorizer: "${rsa}"\nSignature: "sig-dsa-sha1-hex:00"\n`,
    /cannot be verified with the Authorizer's "rsa-hex"/,
  );
  refuse(
    `Authorizer: "${dsa}"\nSignature: "sig-rsa-sha1-hex:00"\n`,
    /cannot be verified with the Authorizer's "dsa-hex"/,
  );
  refuse(`Authorizer: "${dsa}"\nSignature: "sig-dsa-sha1-hex:00"\n`, /signature: needs a tag/);
});

Deno.test("every signature algorithm signs and verifies, and no other key does", () => {
  const keys: Record<string, [KeyObject, KeyObject]> = {
    rsa: [parsePrivateKey(rsaPem), generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey],
    dsa: [parsePrivateKey(dsaPem), generateKeyPairSync("dsa", { modulusLength: 1024, divisorLength: 160 }).privateKey],
  };
  keys.x509 = keys.rsa;
  for (const algorithm of SIGNATURE_ALGORITHMS) {
    const [, family] = algorithm.split("-");
    const [key, other] = keys[family];
    const authorizer = formatPrincipal(publicKeyOf(key), "base64");
    const text = (signature: string) =>
      `Comment: a test\nLocal-Constants: K = "${authorizer}"\nAuthorizer: K\nSignature: ${signature}\n`;
    const source = { name: "x", line: 1 };
    const empty = parseAssertion(text(""), source);
    verifySignature(parseAssertion(text(`"${signAssertion(empty, algorithm, key)}"`), source));
    const forged = parseAssertion(text(`"${signAssertion(empty, algorithm, other)}"`), source);
    assertThrows(() => verifySignature(forged), SignatureError, "not its Authorizer's");
  }
});

Deno.test("keys are equal by value: hex and base64, both orders of RSA, a certificate and its key", () => {
  const key = publicKeyOf(parsePrivateKey(rsaPem));
  if (key.kind !== "rsa") throw new Error("the fixture is an RSA key");
  const pkcs1 = formatPrincipal(key);
  const rfc2792 = `rsa-hex:${formatHex(encodeSequence(encodeUnsigned(key.exponent), encodeUnsigned(key.modulus)))}`;
  const forms = [
    pkcs1,
    rfc2792,
    formatPrincipal(key, "base64"),
    `RSA-HEX:${pkcs1.slice(8).toUpperCase()}`,
    `x509-hex:${formatHex(certificate)}`,
    `x509-base64:${read("rsa.crt").replace(/-----.*?-----|\s/g, "")}`,
  ];
  for (const form of forms) assertEquals(canonicalPrincipal(form), canonicalPrincipal(pkcs1), form.slice(0, 20));
  assertEquals(canonicalPrincipal("binary-hex:00ff"), canonicalPrincipal("BINARY-base64:AP8="));
  assertNotEquals(canonicalPrincipal("binary-hex:00ff"), canonicalPrincipal("binary-hex:ff"));
  assertNotEquals(canonicalPrincipal("passphrase:a"), canonicalPrincipal("passphrase:A"));
  assertNotEquals(canonicalPrincipal("DN:/CN=a"), canonicalPrincipal("dn:/CN=a"));
  // No label can take a key's canonical form.
  assertNotEquals(canonicalPrincipal(canonicalPrincipal(pkcs1)), canonicalPrincipal(pkcs1));
});

Deno.test("malformed keys are refused", () => {
  for (
    const text of [
      "rsa-hex:",
      "rsa-hex:3",
      "rsa-hex:zz",
      "rsa-hex:3000",
      "rsa-hex:300602010102010100",
      "dsa-hex:3003020101",
      "x509-hex:3000",
      "x509-base64:AAAA",
      "rsa-base64:!!",
    ]
  ) assertThrows(() => parsePrincipal(text), PrincipalError, `principal "${text.split(":")[0]}:..."`);
});

Deno.test("private keys survive KeyNote's form, and their text is in no message", () => {
  for (const pem of [rsaPem, dsaPem]) {
    const key = parsePrivateKey(pem);
    for (const encoding of ["hex", "base64"] as const) {
      const text = formatPrivateKey(key, encoding);
      const again = parsePrivateKey(text);
      assertEquals(publicKeyOf(again), publicKeyOf(key));
      assertEquals(formatPrivateKey(again, encoding), text);
      const error = assertThrows(() => parsePrivateKey(text.slice(0, -9)), PrincipalError);
      assertEquals(error.message.includes(text.slice(20, 30)), false);
    }
  }
  assertThrows(() => parsePrivateKey("secret"), PrincipalError, "it is neither PEM nor");
});
