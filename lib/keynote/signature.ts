/**
 * Signatures of credentials (RFC 2704 section 4.6.7, RFC 2792 section 4, RFC 5708).
 *
 * The RFCs and the library of OpenBSD differ in how an RSA signature wraps the hash; every form in use is accepted and
 * the library's is written:
 * - `sig-rsa-*`: PKCS#1 v1.5 padding around OCTET STRING(hash) in the library; RFC 2792 wants the signature value itself
 *   in an OCTET STRING; others use the DigestInfo of PKCS#1.
 * - `sig-x509-sha1-*`: PKCS#1 v1.5 padding around a DigestInfo whose algorithm is shaWithRSAEncryption (1.3.14.3.2.15).
 *
 * @module
 */
import { createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { hash, type HashName } from "../crypto/hash.ts";
import { signRsaBare, verifyRsaBare } from "./rsa.ts";
import { formatBase64, parseBase64 } from "../octets/base64.ts";
import type { Bytes } from "../octets/bytes.ts";
import {
  DER,
  encodeBitString,
  encodeNull,
  encodeOctetString,
  encodeOid,
  encodeSequence,
  encodeUnsigned,
  readDer,
} from "../octets/der.ts";
import { formatHex, parseHex } from "../octets/hex.ts";
import { DecodeError } from "../octets/reader.ts";
import { isKeyText, POLICY, type PublicKey } from "./principal.ts";
import { type AssertionProblem, parseAssertions } from "./parse.ts";
import { type AssertionSet, resolveStatic } from "./query.ts";
import { KeyNoteSyntaxError, octetsOf } from "./text.ts";
import type { Assertion } from "./tree.ts";
import { evaluateString, queryContext } from "./value.ts";

/** A signature that is missing, malformed or wrong, or a principal that cannot sign. */
export class SignatureError extends Error {
  override name = "SignatureError";
}

type Family = "rsa" | "dsa" | "x509";

/** Hashes of each family: RFC 2792 has the first ones, RFC 5708 the others; dsa with sha256 is ours. */
const FAMILY_HASHES: Record<Family, readonly HashName[]> = {
  rsa: ["sha1", "md5", "sha256", "sha512", "ripemd160"],
  dsa: ["sha1", "sha256"],
  x509: ["sha1", "sha256", "sha512", "ripemd160"],
};

/** Every signature algorithm's name, with the colon. */
export const SIGNATURE_ALGORITHMS: readonly string[] = Object.entries(FAMILY_HASHES).flatMap(([family, hashes]) =>
  hashes.flatMap((name) => ["hex", "base64"].map((encoding) => `sig-${family}-${name}-${encoding}:`))
);

const DIGEST_OIDS: Record<HashName, string> = {
  md5: "1.2.840.113549.2.5",
  sha1: "1.3.14.3.2.26",
  sha256: "2.16.840.1.101.3.4.2.1",
  sha384: "2.16.840.1.101.3.4.2.2",
  sha512: "2.16.840.1.101.3.4.2.3",
  ripemd160: "1.3.36.3.2.1",
};
const OID_SHA_WITH_RSA = "1.3.14.3.2.15";
const OID_DSA = "1.2.840.10040.4.1";

interface Algorithm {
  readonly family: Family;
  readonly hash: HashName;
  readonly encoding: "hex" | "base64";
}

function parseAlgorithm(name: string): Algorithm {
  if (!SIGNATURE_ALGORITHMS.includes(name.toLowerCase())) {
    throw new SignatureError(
      `"${name.slice(0, 40)}" is no signature algorithm; there are ${SIGNATURE_ALGORITHMS.join(" ")}`,
    );
  }
  const [, family, hashName, encoding] = name.toLowerCase().slice(0, -1).split("-");
  return { family: family as Family, hash: hashName as HashName, encoding: encoding as "hex" | "base64" };
}

const digestInfo = (oid: string, digest: Uint8Array): Bytes =>
  encodeSequence(encodeSequence(encodeOid(oid), encodeNull()), encodeOctetString(digest));

/** What RSA padding may enclose, the form that is written first. */
function rsaEncodings({ family, hash: name }: Algorithm, digest: Uint8Array): Bytes[] {
  const standard = digestInfo(DIGEST_OIDS[name], digest);
  if (family === "rsa") return [encodeOctetString(digest), standard];
  return name === "sha1" ? [digestInfo(OID_SHA_WITH_RSA, digest), standard] : [standard];
}

/** A SubjectPublicKeyInfo for node:crypto. */
function dsaSpki(key: PublicKey & { kind: "dsa" }): Bytes {
  const parameters = encodeSequence(...[key.p, key.q, key.g].map(encodeUnsigned));
  return encodeSequence(encodeSequence(encodeOid(OID_DSA), parameters), encodeBitString(encodeUnsigned(key.y)));
}

/** The signed text followed by the algorithm's name with its colon (RFC 2792 section 4.1). */
function signedOctets(assertion: Assertion, algorithmName: string): Bytes {
  const { signature, text, bodyStart } = assertion;
  return octetsOf(text.slice(bodyStart, signature!.signedEnd) + algorithmName);
}

function verifyWithKey(key: PublicKey, algorithm: Algorithm, octets: Bytes, signature: Bytes): boolean {
  if (key.kind === "rsa") {
    // RFC 2792 section 4.2: an OCTET STRING around the value. Its length tells it apart from a bare value.
    let value: Uint8Array = signature;
    if (signature.length > key.modulus.length) {
      try {
        value = readDer(signature, DER.OCTET_STRING).content;
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        return false;
      }
    }
    return rsaEncodings(algorithm, hash(algorithm.hash, octets)).some((enclosed) =>
      verifyRsaBare(key, enclosed, value)
    );
  }
  const spki = key.kind === "dsa" ? dsaSpki(key) : key.spki;
  try {
    return verify(
      algorithm.hash,
      octets,
      createPublicKey({ key: spki as never, format: "der", type: "spki" }),
      signature,
    );
  } catch {
    return false; // node:crypto throws on a malformed key or signature
  }
}

/** Which families fit a key: RSA and X.509 names are exchangeable, as a certificate stands for its key. */
function checkFamily(family: Family, kind: PublicKey["kind"], principal: string): void {
  const fits = kind === "rsa" ? family !== "dsa" : kind === "dsa" ? family !== "rsa" : family === "x509";
  if (!fits) {
    throw new SignatureError(`a sig-${family} signature cannot be verified with the Authorizer's "${principal}" key`);
  }
}

/** The Authorizer's text and key. @throws {SignatureError} when it is no key, or depends on the query */
function signer(assertion: Assertion): { text: string; key: PublicKey } {
  let resolved;
  try {
    resolved = resolveStatic({ ...assertion, licensees: undefined });
  } catch (error) {
    if (!(error instanceof KeyNoteSyntaxError)) throw error;
    throw new SignatureError(error.message);
  }
  if (!resolved) throw new SignatureError("its Authorizer depends on action attributes");
  const { text, key } = resolved.authorizer;
  if (text === POLICY) throw new SignatureError("a credential cannot speak for POLICY");
  if (!key || !isKeyText(text)) {
    throw new SignatureError(`its Authorizer "${text.slice(0, 40)}" is no key that can sign`);
  }
  return { text, key };
}

/**
 * Verifies an assertion's signature with the key in its Authorizer field.
 *
 * @throws {SignatureError} saying why it does not hold
 */
export function verifySignature(assertion: Assertion): void {
  if (!assertion.signature) throw new SignatureError("it has no Signature field");
  const { text, key } = signer(assertion);
  const context = queryContext(new Map(), [""], []);
  const value = evaluateString(assertion.signature.value, {
    ...context,
    constants: assertion.constants,
    groups: undefined,
  });
  const colon = value.indexOf(":") + 1;
  const algorithm = parseAlgorithm(value.slice(0, colon));
  checkFamily(algorithm.family, key.kind, text.slice(0, text.indexOf(":")));
  let signature: Bytes;
  try {
    signature = algorithm.encoding === "hex" ? parseHex(value.slice(colon)) : parseBase64(value.slice(colon));
  } catch (error) {
    throw new SignatureError((error as SyntaxError).message);
  }
  if (!verifyWithKey(key, algorithm, signedOctets(assertion, value.slice(0, colon)), signature)) {
    throw new SignatureError("its signature is not its Authorizer's");
  }
}

/**
 * The value for the Signature field of an assertion, which must have that field, if only an empty one.
 *
 * @param algorithmName one of {@linkcode SIGNATURE_ALGORITHMS}
 * @throws {SignatureError} when the algorithm does not fit the key or the Authorizer
 */
export function signAssertion(assertion: Assertion, algorithmName: string, key: KeyObject): string {
  if (!assertion.signature) throw new SignatureError('it has no Signature field; put an empty "Signature:" at its end');
  const algorithm = parseAlgorithm(algorithmName);
  const authorizer = signer(assertion);
  checkFamily(algorithm.family, authorizer.key.kind, authorizer.text.slice(0, authorizer.text.indexOf(":")));
  const octets = signedOctets(assertion, algorithmName);
  const fits = key.asymmetricKeyType === "rsa" ? authorizer.key.kind === "rsa" : authorizer.key.kind !== "rsa";
  if (!fits) {
    throw new SignatureError(`the private key is of another kind (${key.asymmetricKeyType}) than the Authorizer`);
  }
  const signature: Uint8Array = key.asymmetricKeyType === "rsa"
    ? signRsaBare(key, rsaEncodings(algorithm, hash(algorithm.hash, octets))[0])
    : sign(algorithm.hash, octets, key);
  return algorithmName + (algorithm.encoding === "hex" ? formatHex(signature) : formatBase64(signature));
}

/**
 * Adds the credentials of `text` whose signatures hold to `set`.
 *
 * @returns those that were left out, and why
 */
export function addCredentials(set: AssertionSet, text: string, name: string): AssertionProblem[] {
  const { assertions, problems } = parseAssertions(text, name);
  for (const assertion of assertions) {
    try {
      verifySignature(assertion);
      set.add(assertion, "credential");
    } catch (error) {
      if (!(error instanceof SignatureError || error instanceof KeyNoteSyntaxError)) throw error;
      problems.push({ name, line: assertion.source.line, column: 1, message: `credential refused: ${error.message}` });
    }
  }
  return problems;
}
