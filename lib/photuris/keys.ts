/**
 * Key derivation, identification and validity: RFC 2522 5.3-5.6, 6.3, 10-12 and RFC 2523 2-4, with the RFC's names.
 *
 * @module
 */
import { hash, HASHES, type HashName } from "../crypto/hash.ts";
import { isDiscardedDesKey } from "./des_weak.ts";
import { type Bytes, concat } from "../octets/bytes.ts";
import type { SchemeHash } from "./schemes.ts";
import { encodeVpi, minimal } from "./vpi.ts";

/** The shared-secret as it is hashed: the value of g^xy mod p without Size and without leading zero octets, 5.3. */
export const sharedSecret = (g_xy: Uint8Array): Bytes => minimal(g_xy);

/** The two hashes of a side that has the same block and fill: MD5 and RIPEMD-160 count bits little-endian, SHA-1 big. */
const LITTLE_ENDIAN_FILL: ReadonlySet<HashName> = new Set(["md5", "ripemd160"]);

/** The fill that a hash would append after `octets` octets: 0x80, zeros, the count of bits; up to a 64-octet boundary. */
export function hashFill(name: HashName, octets: number): Bytes {
  const block = HASHES[name].blockOctets;
  const fill = new Uint8Array(Math.ceil((octets + 9) / block) * block - octets);
  fill[0] = 0x80;
  new DataView(fill.buffer).setBigUint64(fill.length - 8, BigInt(octets) * 8n, LITTLE_ENDIAN_FILL.has(name));
  return fill;
}

/** IPMAC: H( key, keyfill, data, datafill, key ), RFC 2522 12.1; the fills go on counting, as a running hash does. */
export function ipmac(name: HashName, key: Uint8Array, data: Uint8Array): Bytes {
  const keyfill = hashFill(name, key.length);
  const fed = key.length + keyfill.length + data.length;
  return hash(name, key, keyfill, data, hashFill(name, fed), key);
}

/** OpenBSD's Validity-Method: as {@linkcode ipmac}, but the key goes unfilled before the data. */
export function ipmacWithoutKeyfill(name: HashName, key: Uint8Array, data: Uint8Array): Bytes {
  return hash(name, key, data, hashFill(name, key.length + data.length), key);
}

/** A digest as the VPI in which messages carry it and in which it is hashed elsewhere. */
export const verificationVpi = (digest: Uint8Array): Bytes => encodeVpi(digest);

/** verification-key = H( secret-key, shared-secret ); the secret is the sender's, 5.4. */
export function verificationKey(name: HashName, secretKey: Uint8Array, shared: Uint8Array): Bytes {
  return hash(name, secretKey, shared);
}

/** What each side contributed to the Value Exchange. */
export interface Contribution {
  /** Three octet value: Counter and Scheme-Choice of a Value_Request, Reserved of a Value_Response. */
  readonly TBV: Uint8Array;
  /** With its Size. */
  readonly exchangeValue: Uint8Array;
  readonly offeredAttributes: Uint8Array;
}

/** The parts of an Identity Verification, in the order in which 5.4 hashes them. */
export interface IdentityParts {
  /** Cookies, Message, LifeTime, SPI: octets 0 to 39 of the message. */
  readonly header: Uint8Array;
  readonly identityChoice: Uint8Array;
  /** With its Size. */
  readonly identification: Uint8Array;
  /** Identity_Response only: the Verification of the Identity_Request, with its Size. */
  readonly requestVerification?: Uint8Array;
  readonly attributeChoices: Uint8Array;
  readonly padding: Uint8Array;
  readonly sender: Contribution;
  readonly receiver: Contribution;
  readonly responderOfferedSchemes: Uint8Array;
}

/** The octets that an Identity Verification covers. */
export function identityData(parts: IdentityParts): Bytes {
  return concat(
    parts.header,
    parts.identityChoice,
    parts.identification,
    parts.requestVerification ?? new Uint8Array(),
    parts.attributeChoices,
    parts.padding,
    parts.sender.TBV,
    parts.sender.exchangeValue,
    parts.sender.offeredAttributes,
    parts.receiver.TBV,
    parts.receiver.exchangeValue,
    parts.receiver.offeredAttributes,
    parts.responderOfferedSchemes,
  );
}

/** The octets that the Verification of SPI_Needed and SPI_Update covers, 6.3. */
export function validityData(
  header: Uint8Array,
  senderVerification: Uint8Array,
  receiverVerification: Uint8Array,
  attributes: Uint8Array,
  padding: Uint8Array,
): Bytes {
  return concat(header, senderVerification, receiverVerification, attributes, padding);
}

/**
 * The digests H( prefix, S ), H( prefix, S, S ), H( prefix, S, S, S ) ... of 10.1, one a call. All key generation counts
 * repetitions of the shared-secret this way.
 */
export function keyGeneration(name: SchemeHash, prefix: Uint8Array, shared: Uint8Array): () => Bytes {
  let fed = new Uint8Array(prefix.length + FIRST_REPETITIONS * shared.length);
  fed.set(prefix);
  let length = prefix.length;
  return () => {
    if (length + shared.length > fed.length) fed = concat(fed, new Uint8Array(fed.length));
    fed.set(shared, length);
    length += shared.length;
    return hash(name, fed.subarray(0, length));
  };
}

/** Digests that a mask of usual length takes. */
const FIRST_REPETITIONS = 16;

/** The next `octets` octets: whole digests, of which the unused rest of the last is thrown away. */
function take(next: () => Bytes, octets: number): Bytes {
  const parts: Bytes[] = [];
  for (let have = 0; have < octets; have += parts.at(-1)!.length) parts.push(next());
  return concat(...parts).slice(0, octets);
}

/** One DES key: the first 8 octets of a digest; weak keys are skipped by going on, RFC 2523 3. Parity is not set. */
function takeDesKey(next: () => Bytes, isUsed: (key: Uint8Array) => boolean): Bytes {
  for (;;) {
    const key = take(next, 8);
    if (!isDiscardedDesKey(key) && !isUsed(key)) return key;
  }
}

/** The keys that hide one message. */
export interface PrivacyKeys {
  readonly mask: Bytes;
  /** One for DES, three for 3DES, none for simple masking. */
  readonly desKeys: readonly Bytes[];
}

const sameDesKey = (a: Uint8Array, b: Uint8Array) => a.every((octet, at) => (octet ^ b[at]) < 2);

/**
 * Privacy keys of one message, 5.5: H( sender's Exchange-Value, receiver's, octets 0 to 39 of the message, shared-secret
 * repeated ).
 *
 * @param maskOctets octets of the masked part
 * @param desKeys how many DES keys the Privacy-Method needs
 */
export function privacyKeys(
  name: SchemeHash,
  senderExchangeValue: Uint8Array,
  receiverExchangeValue: Uint8Array,
  header: Uint8Array,
  shared: Uint8Array,
  maskOctets: number,
  desKeys: 0 | 1 | 3,
): PrivacyKeys {
  const next = keyGeneration(name, concat(senderExchangeValue, receiverExchangeValue, header), shared);
  const mask = take(next, maskOctets);
  const keys: Bytes[] = [];
  while (keys.length < desKeys) keys.push(takeDesKey(next, (key) => keys.some((used) => sameDesKey(used, key))));
  return { mask, desKeys: keys };
}

/** A session key to generate: its length, and whether it is a DES key, of which weak ones are skipped. */
export interface SessionKeyNeed {
  readonly octets: number;
  readonly isDes: boolean;
}

/**
 * Session keys of one SPI, 5.6: H( Initiator-Cookie, Responder-Cookie, SPI-Owner's secret, SPI-User's secret, the
 * Verification of the message that announced the SPI, shared-secret repeated ), one counter for all keys of the SPI.
 */
export function sessionKeys(
  name: SchemeHash,
  cookies: Uint8Array,
  ownerSecret: Uint8Array,
  userSecret: Uint8Array,
  verification: Uint8Array,
  shared: Uint8Array,
  needs: readonly SessionKeyNeed[],
): Bytes[] {
  const next = keyGeneration(name, concat(cookies, ownerSecret, userSecret, verification), shared);
  return needs.map(({ octets, isDes }) => isDes ? takeDesKey(next, () => false) : take(next, octets));
}
