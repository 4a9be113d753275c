/** Privacy-Methods: hiding octets 40 to the end of a message, RFC 2522 11 and RFC 2523 3. @module */
import { decryptCbc, encryptCbc } from "../crypto/cipher.ts";
import { type Bytes, concat, erase } from "../octets/bytes.ts";
import { type PrivacyKeys, privacyKeys } from "./keys.ts";
import type { PrivacyMethod, Scheme } from "./schemes.ts";

/** What the keys of a message depend on besides its first 40 octets. */
export interface PrivacyContext {
  readonly scheme: Scheme;
  /** Exchange-Values with their Sizes. */
  readonly senderExchangeValue: Uint8Array;
  readonly receiverExchangeValue: Uint8Array;
  readonly shared: Uint8Array;
}

interface Method {
  readonly desKeys: 0 | 1 | 3;
  readonly cipher?: "des-cbc" | "3des-cbc";
}

const METHODS: Readonly<Record<PrivacyMethod, Method>> = {
  mask: { desKeys: 0 },
  des: { desKeys: 1, cipher: "des-cbc" },
  "3des": { desKeys: 3, cipher: "3des-cbc" },
};
const ZERO_IV = new Uint8Array(8);
/** A masked part is whole cipher blocks where the method has a cipher. */
const BLOCK_OCTETS = 8;

function keysOf(context: PrivacyContext, header: Uint8Array, octets: number): PrivacyKeys {
  const { scheme, senderExchangeValue, receiverExchangeValue, shared } = context;
  const { desKeys } = METHODS[scheme.privacy];
  return privacyKeys(scheme.hash, senderExchangeValue, receiverExchangeValue, header, shared, octets, desKeys);
}

const masked = (octets: Uint8Array, mask: Uint8Array): Bytes => octets.map((octet, at) => octet ^ mask[at]) as Bytes;

/** Hides `plaintext` behind the first 40 octets `header`: mask first, then the cipher. */
export function hide(context: PrivacyContext, header: Uint8Array, plaintext: Uint8Array): Bytes {
  const { mask, desKeys } = keysOf(context, header, plaintext.length);
  const { cipher } = METHODS[context.scheme.privacy];
  const hidden = masked(plaintext, mask);
  const result = cipher ? encryptCbc(cipher, concat(...desKeys), ZERO_IV, hidden) : hidden;
  erase(mask, ...desKeys);
  return result;
}

/** The reverse. Octets that cannot be whole blocks of the cipher come out undefined. */
export function reveal(context: PrivacyContext, header: Uint8Array, ciphertext: Uint8Array): Bytes | undefined {
  const { cipher } = METHODS[context.scheme.privacy];
  if (cipher && ciphertext.length % BLOCK_OCTETS) return undefined;
  const { mask, desKeys } = keysOf(context, header, ciphertext.length);
  const hidden = cipher ? decryptCbc(cipher, concat(...desKeys), ZERO_IV, ciphertext) : ciphertext;
  const result = masked(hidden, mask);
  erase(mask, ...desKeys);
  return result;
}
