/** What a transform says, as one object: the terms on which both sides agree. @module */
import {
  authenticatorByAhTransform,
  authenticatorByAttribute,
  type AuthenticatorRow,
  cipherByEspTransform,
  cipherByIke,
  type CipherRow,
  hashByIke,
} from "../crypto/algorithms.ts";
import type { HashName } from "../crypto/hash.ts";
import { type Attribute, attributeName, attributeValueName, numberOf } from "../isakmp/attributes.ts";
import { IKE_ATTRIBUTE, IPSEC_ATTRIBUTE, LIFE_TYPE, PROTOCOL_ID } from "../isakmp/numbers.ts";
import { type Transform, transformName } from "../isakmp/proposals.ts";
import { NegotiationError } from "./fault.ts";
import { keyOctetsOf } from "./keys.ts";

/** A lifetime as offered. */
export interface Life {
  /** A value of LIFE_TYPE. */
  readonly type: number;
  readonly duration: number;
}

/** Attribute classes that carry lives: they differ between the phases. */
export const LIFE_CLASSES = {
  1: { type: IKE_ATTRIBUTE.LIFE_TYPE, duration: IKE_ATTRIBUTE.LIFE_DURATION },
  2: { type: IPSEC_ATTRIBUTE.LIFE_TYPE, duration: IPSEC_ATTRIBUTE.LIFE_DURATION },
} as const;

/** RFC 2407 4.5.4: what holds when no life was negotiated. */
export const DEFAULT_LIFE_SECONDS = 28800;

/** Attributes as numbers by class, and the lives, which may occur twice. A class given twice otherwise is refused. */
export interface Values {
  readonly numbers: ReadonlyMap<number, number>;
  readonly lives: readonly Life[];
}

/** @throws {NegotiationError} on a duration without type, or an attribute given twice. */
export function valuesOf(phase: 1 | 2, attributes: readonly Attribute[]): Values {
  const classes = LIFE_CLASSES[phase];
  const numbers = new Map<number, number>();
  const lives: Life[] = [];
  let lifeType: number | undefined;
  const refuse = (item: string, detail: string) => new NegotiationError("BAD_PROPOSAL_SYNTAX", { item, detail });
  for (const attribute of attributes) {
    const { type } = attribute;
    if (type === classes.type) lifeType = numberOf(attribute);
    else if (type === classes.duration) {
      if (lifeType === undefined) throw refuse("LIFE_DURATION", "a life type must precede it");
      lives.push({ type: lifeType, duration: numberOf(attribute) });
      lifeType = undefined;
    } else {
      if (numbers.has(type)) throw refuse(attributeName(phase, type), "given twice");
      // Primes and curves of ad-hoc groups are long; no rule allows them, so their value does not matter.
      numbers.set(type, attribute.value.length > 8 ? Number.MAX_SAFE_INTEGER : numberOf(attribute));
    }
  }
  return { numbers, lives };
}

const lifeOf = (lives: readonly Life[], type: number) => lives.find((life) => life.type === type)?.duration;

/** The terms of phase 1. */
export interface Phase1Terms {
  readonly cipher: CipherRow;
  readonly keyOctets: number;
  readonly hash: HashName;
  /** A value of IKE_AUTHENTICATION, as negotiated. */
  readonly method: number;
  readonly group: number;
  readonly lifeSeconds: number;
  /** 0: no limit. */
  readonly lifeKilobytes: number;
  /** For people. */
  readonly text: string;
}

const unsupported = (phase: 1 | 2, type: number, value: number | undefined) =>
  new NegotiationError("NO_PROPOSAL_CHOSEN", {
    item: attributeName(phase, type),
    detail: value === undefined ? "is missing" : `${attributeValueName(phase, type, value)} is not supported`,
  });

/** What a phase 1 transform means. @throws {NegotiationError} when it lacks something or asks for what we do not have. */
export function phase1Terms({ attributes }: Transform): Phase1Terms {
  const { numbers, lives } = valuesOf(1, attributes);
  const { ENCRYPTION_ALGORITHM, HASH_ALGORITHM, AUTHENTICATION_METHOD, GROUP_DESCRIPTION, KEY_LENGTH } = IKE_ATTRIBUTE;
  const encryption = numbers.get(ENCRYPTION_ALGORITHM);
  const cipher = encryption === undefined ? undefined : cipherByIke(encryption);
  if (!cipher) throw unsupported(1, ENCRYPTION_ALGORITHM, encryption);
  const hashNumber = numbers.get(HASH_ALGORITHM);
  const hash = hashNumber === undefined ? undefined : hashByIke(hashNumber)?.hash;
  if (!hash) throw unsupported(1, HASH_ALGORITHM, hashNumber);
  const method = numbers.get(AUTHENTICATION_METHOD);
  if (method === undefined) throw unsupported(1, AUTHENTICATION_METHOD, undefined);
  const group = numbers.get(GROUP_DESCRIPTION);
  if (group === undefined) throw unsupported(1, GROUP_DESCRIPTION, undefined);
  const keyBits = numbers.get(KEY_LENGTH);
  const keyOctets = keyOctetsOf(cipher, keyBits);
  checkKeyOctets(1, KEY_LENGTH, cipher, keyOctets);
  const name = (type: number, value: number) => attributeValueName(1, type, value);
  const bits = keyBits === undefined ? "" : `-${keyBits}`;
  return {
    cipher,
    keyOctets,
    hash,
    method,
    group,
    lifeSeconds: lifeOf(lives, LIFE_TYPE.SECONDS) ?? DEFAULT_LIFE_SECONDS,
    lifeKilobytes: lifeOf(lives, LIFE_TYPE.KILOBYTES) ?? 0,
    text: `${name(ENCRYPTION_ALGORITHM, encryption!)}${bits} ${name(HASH_ALGORITHM, hashNumber!)} ` +
      `${name(AUTHENTICATION_METHOD, method)} ${name(GROUP_DESCRIPTION, group)}`,
  };
}

function checkKeyOctets(phase: 1 | 2, type: number, { key, name }: CipherRow, octets: number) {
  if (octets < key.min || octets > key.max || (octets - key.min) % key.step) {
    throw new NegotiationError("NO_PROPOSAL_CHOSEN", {
      item: attributeName(phase, type),
      offered: [String(8 * octets)],
      detail: `not a key length of ${name}`,
    });
  }
}

/** The terms of one protocol of a phase 2 SA. */
export interface Phase2Terms {
  /** PROTOCOL_ID. */
  readonly protocol: number;
  readonly cipher?: CipherRow;
  readonly authenticator?: AuthenticatorRow;
  /** Octets of keying material, salt included; 0 where there is no such algorithm. */
  readonly encryptionOctets: number;
  readonly authenticationOctets: number;
  /** A value of ENCAPSULATION_MODE. */
  readonly encapsulation: number;
  /** PFS. */
  readonly group?: number;
  readonly keyBits?: number;
  readonly lifeSeconds: number;
  readonly lifeKilobytes: number;
  readonly text: string;
}

/** Octets of keying material; the number of AES-GMAC says its key length. */
function authenticatorOctets({ authentication, key, saltOctets }: AuthenticatorRow, number: number): number {
  const byLength = typeof authentication === "object" ? Object.entries(authentication) : [];
  const octets = byLength.find(([, value]) => value === number)?.[0];
  return (octets === undefined ? key.recommended : Number(octets)) + saltOctets;
}

/** What a phase 2 transform means. @throws {NegotiationError} */
export function phase2Terms(protocol: number, { id, attributes }: Transform): Phase2Terms {
  const { numbers, lives } = valuesOf(2, attributes);
  const { ENCAPSULATION_MODE, AUTHENTICATION_ALGORITHM, GROUP_DESCRIPTION, KEY_LENGTH } = IPSEC_ATTRIBUTE;
  const encapsulation = numbers.get(ENCAPSULATION_MODE);
  if (encapsulation === undefined) throw unsupported(2, ENCAPSULATION_MODE, undefined);
  const keyBits = numbers.get(KEY_LENGTH);
  const authentication = numbers.get(AUTHENTICATION_ALGORITHM);
  const name = transformName(protocol, id);
  const refuse = (detail: string) => new NegotiationError("NO_PROPOSAL_CHOSEN", { item: `transform ${name}`, detail });
  let cipher: CipherRow | undefined;
  let encryptionOctets = 0;
  const authenticator = authentication === undefined
    ? undefined
    : authenticatorByAttribute(authentication, protocol === PROTOCOL_ID.IPSEC_AH ? id : undefined);
  if (authentication !== undefined && !authenticator) throw unsupported(2, AUTHENTICATION_ALGORITHM, authentication);
  if (protocol === PROTOCOL_ID.IPSEC_ESP) {
    cipher = cipherByEspTransform(id);
    if (!cipher) throw refuse("is not supported");
    const octets = keyOctetsOf(cipher, keyBits);
    checkKeyOctets(2, KEY_LENGTH, cipher, octets);
    encryptionOctets = octets + cipher.saltOctets;
    if (cipher.aead && authenticator) throw refuse("takes no AUTHENTICATION_ALGORITHM: it authenticates by itself");
    if (cipher.name === "null" && !authenticator) {
      throw refuse("needs an AUTHENTICATION_ALGORITHM: it would protect nothing");
    }
  } else if (protocol === PROTOCOL_ID.IPSEC_AH) {
    if (!authenticatorByAhTransform(id)) throw refuse("is not supported");
    if (!authenticator) throw refuse("needs the AUTHENTICATION_ALGORITHM that goes with it (RFC 2407 4.4.3)");
  } else throw refuse("only IPSEC_AH and IPSEC_ESP are supported");
  const authenticationOctets = authenticator ? authenticatorOctets(authenticator, authentication!) : 0;
  const words = [
    protocol === PROTOCOL_ID.IPSEC_AH ? "AH" : "ESP",
    name + (keyBits ? `-${keyBits}` : ""),
    authentication !== undefined && attributeValueName(2, AUTHENTICATION_ALGORITHM, authentication),
    attributeValueName(2, ENCAPSULATION_MODE, encapsulation),
    numbers.has(GROUP_DESCRIPTION) &&
    `PFS ${attributeValueName(2, GROUP_DESCRIPTION, numbers.get(GROUP_DESCRIPTION)!)}`,
  ];
  return {
    protocol,
    cipher,
    authenticator,
    encryptionOctets,
    authenticationOctets,
    encapsulation,
    group: numbers.get(GROUP_DESCRIPTION),
    keyBits,
    lifeSeconds: lifeOf(lives, LIFE_TYPE.SECONDS) ?? DEFAULT_LIFE_SECONDS,
    lifeKilobytes: lifeOf(lives, LIFE_TYPE.KILOBYTES) ?? 0,
    text: words.filter(Boolean).join(" "),
  };
}
