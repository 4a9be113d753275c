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
import { hash, type HashName } from "../crypto/hash.ts";
import {
  digestInfo,
  dsaPublicKey,
  ecdsaOctets,
  KeyError,
  type KeyObject,
  parsePublicKey,
  rsaPublicKey,
  signatureFromDer,
  signatureToDer,
  signDsa,
  signEcdsa,
  signRsaBare,
  verifyDsa,
  verifyEcdsa,
  verifyRsaBare,
} from "../crypto/signature.ts";
import { formatBase64, parseBase64 } from "../octets/base64.ts";
import type { Bytes } from "../octets/bytes.ts";
import { DER, encodeNull, encodeOctetString, encodeOid, encodeSequence, readDer } from "../octets/der.ts";
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

const OID_SHA_WITH_RSA = "1.3.14.3.2.15";

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

/** What RSA padding may enclose, the form that is written first. */
function rsaEncodings({ family, hash: name }: Algorithm, digest: Uint8Array): Bytes[] {
  const standard = digestInfo(name, digest);
  if (family === "rsa") return [encodeOctetString(digest), standard];
  if (name !== "sha1") return [standard];
  const algorithm = encodeSequence(encodeOid(OID_SHA_WITH_RSA), encodeNull());
  return [encodeSequence(algorithm, encodeOctetString(digest)), standard];
}

/** The signed text followed by the algorithm's name with its colon (RFC 2792 section 4.1). */
function signedOctets(assertion: Assertion, algorithmName: string): Bytes {
  const { signature, text, bodyStart } = assertion;
  return octetsOf(text.slice(bodyStart, signature!.signedEnd) + algorithmName);
}

/** What an RSA signature's field holds: the value, or RFC 2792's OCTET STRING around it, told apart by its length. */
const unwrap = (signature: Bytes, modulus: Bytes): Uint8Array =>
  signature.length > modulus.length ? readDer(signature, DER.OCTET_STRING, "signature").content : signature;

function verifyWithKey(key: PublicKey, algorithm: Algorithm, octets: Bytes, signature: Bytes): boolean {
  const digest = hash(algorithm.hash, octets);
  try {
    switch (key.kind) {
      case "rsa": {
        const value = unwrap(signature, key.modulus);
        const publicKey = rsaPublicKey(key);
        return rsaEncodings(algorithm, digest).some((enclosed) => verifyRsaBare(publicKey, enclosed, value));
      }
      case "dsa":
        return verifyDsa(dsaPublicKey(key), digest, signatureFromDer(signature, key.q.length));
      case "other": {
        const publicKey = parsePublicKey(key.spki);
        return verifyEcdsa(publicKey, digest, signatureFromDer(signature, ecdsaOctets(publicKey)));
      }
    }
  } catch (error) {
    if (!(error instanceof KeyError || error instanceof DecodeError)) throw error;
    throw new SignatureError(error.message);
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
  const { asymmetricKeyType: type } = key;
  if (type !== (authorizer.key.kind === "other" ? "ec" : authorizer.key.kind)) {
    throw new SignatureError(`the private key is of another kind (${type}) than the Authorizer`);
  }
  const digest = hash(algorithm.hash, octets);
  const signature = type === "rsa"
    ? signRsaBare(key, rsaEncodings(algorithm, digest)[0])
    : signatureToDer(type === "dsa" ? signDsa(key, algorithm.hash, digest) : signEcdsa(key, digest));
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
