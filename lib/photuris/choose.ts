/** Choosing attributes for an SPI and for an identification, RFC 2522 5.1, 5.2 and OpenBSD's rule. @module */
import type { Bytes } from "../octets/bytes.ts";
import {
  ANY_PAYLOAD,
  ATTRIBUTE,
  type Attribute,
  type AttributeDefinition,
  type AttributeUse,
  identityHash,
  PAYLOAD_IPIP,
  type Sections,
  sectionsOf,
} from "./attributes.ts";

/** This host's use of attributes: definitions by number, and lists by peer. */
export interface AttributeBook {
  readonly definitions: ReadonlyMap<number, AttributeDefinition>;
}

/** What traffic should get: ESP, AH or both. */
export interface Options {
  readonly encryption: boolean;
  readonly authentication: boolean;
}

/** The algorithms of one security protocol of an SPI, in processing order for sending. */
export interface SectionChoice {
  readonly protocol: "esp" | "ah";
  readonly encryption?: AttributeDefinition;
  readonly authentication?: AttributeDefinition;
  /** Both, in the order of the list: keys are generated in this order, RFC 2522 5.6. */
  readonly keyed: readonly AttributeDefinition[];
  /** The HMAC flag: the authentication attribute means HMAC and a replay-protected header. */
  readonly hmac: boolean;
}

const NONE: Bytes = new Uint8Array();
const plain = (number: number): Attribute => ({ number, value: NONE });

/** The list that attributes.conf gives, as Offered-Attributes: markers with what the RFC puts in them. */
export function offersOf(numbers: readonly number[]): Attribute[] {
  return numbers.map((number) =>
    number === ATTRIBUTE.ESP ? { number, value: new Uint8Array([ANY_PAYLOAD]) } : plain(number)
  );
}

/** RIPEMD-160 exists only as HMAC; the others mean keyed hashes of RFC 1828 and 1852 without the flag. */
const needsHmac = (number: number) => number === 7;

function usable(
  book: AttributeBook,
  own: readonly Attribute[],
  peer: readonly Attribute[],
  use: AttributeUse,
): AttributeDefinition[] {
  return own.flatMap(({ number }) => {
    const definition = book.definitions.get(number);
    return definition?.uses.has(use) && peer.some((attribute) => attribute.number === number) ? [definition] : [];
  });
}

function chooseSection(
  book: AttributeBook,
  protocol: "esp" | "ah",
  own: Sections,
  peer: Sections,
): SectionChoice | undefined {
  const [ours, theirs] = [own[protocol], peer[protocol]];
  if (!ours || !theirs) return undefined;
  const hmac = usable(book, ours, theirs, "flag").some(({ number }) => number === ATTRIBUTE.HMAC_FLAG);
  const authentications = usable(book, ours, theirs, "authentication").filter(({ number }) =>
    hmac || !needsHmac(number)
  );
  if (protocol === "ah") {
    const [authentication] = authentications;
    return authentication && { protocol, authentication, keyed: [authentication], hmac };
  }
  const encryption = usable(book, ours, theirs, "encryption")[0];
  if (!encryption) return undefined;
  // Old ESP (DES-CBC) has no authentication, and without the flag no attribute authenticates ESP.
  const authentication = hmac && encryption.number !== 8 ? authentications[0] : undefined;
  const keyed = authentication ? [encryption, authentication] : [encryption];
  return { protocol, encryption, authentication, keyed, hmac: authentication !== undefined };
}

/**
 * Chooses what the SPI that we own shall use: our own list against the peer's offers. Encryption wanted needs a common
 * ESP cipher; authentication wanted needs a common AH attribute, or, when either side has no AH, authentication in ESP.
 *
 * @returns undefined when what is wanted is not common
 */
export function chooseForSpi(
  book: AttributeBook,
  own: readonly Attribute[],
  peer: readonly Attribute[],
  wanted: Options,
): SectionChoice[] | undefined {
  const [ours, theirs] = [sectionsOf(own), sectionsOf(peer)];
  const esp = wanted.encryption ? chooseSection(book, "esp", ours, theirs) : undefined;
  const ah = wanted.authentication ? chooseSection(book, "ah", ours, theirs) : undefined;
  if (wanted.encryption && !esp) return undefined;
  if (wanted.authentication && !ah && !esp?.authentication) return undefined;
  const chosen = [esp, ah].filter((choice) => choice !== undefined);
  return chosen.length ? chosen : undefined;
}

/** The Attribute-Choices that say `choices`: ESP before AH, as they are applied when sending. */
export function encodeChoices(choices: readonly SectionChoice[], tunnel: boolean, espValue: boolean): Attribute[] {
  return choices.flatMap(({ protocol, encryption, authentication, hmac }) => {
    const payload = espValue ? new Uint8Array([tunnel ? PAYLOAD_IPIP : ANY_PAYLOAD]) : NONE;
    const list = [protocol === "esp" ? { number: ATTRIBUTE.ESP, value: payload } : plain(ATTRIBUTE.AH)];
    for (const definition of [encryption, authentication]) if (definition) list.push(plain(definition.number));
    if (hmac) list.push(plain(ATTRIBUTE.HMAC_FLAG));
    return list;
  });
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Reads Attribute-Choices into what to install, in their order, which is also the order of key generation.
 *
 * @returns a sentence about the first thing that cannot be done
 */
export function readChoices(book: AttributeBook, list: readonly Attribute[]): SectionChoice[] | string {
  const choices: (Omit<Mutable<SectionChoice>, "keyed"> & { keyed: AttributeDefinition[] })[] = [];
  for (const { number } of list) {
    if (number === ATTRIBUTE.ESP || number === ATTRIBUTE.AH) {
      const protocol = number === ATTRIBUTE.ESP ? "esp" : "ah";
      if (choices.some((choice) => choice.protocol === protocol)) return `two ${protocol} sections`;
      choices.push({ protocol, keyed: [], hmac: false });
      continue;
    }
    const current = choices.at(-1);
    if (!current) return `attribute ${number} before any section`;
    const definition = book.definitions.get(number);
    if (!definition) return `unknown attribute ${number}`;
    if (definition.number === ATTRIBUTE.HMAC_FLAG) current.hmac = true;
    else if (current.protocol === "esp" && definition.uses.has("encryption") && !current.encryption) {
      current.encryption = definition;
    } else if (definition.uses.has("authentication") && !current.authentication) current.authentication = definition;
    else return `${definition.name} has no place in the ${current.protocol} section`;
    if (definition.keyOctets) current.keyed.push(definition);
  }
  for (const { protocol, encryption, authentication, hmac } of choices) {
    if (protocol === "esp" && !encryption) return "an ESP section without encryption";
    if (protocol === "ah" && !authentication) return "an AH section without authentication";
    if (authentication && needsHmac(authentication.number) && !hmac) {
      return `${authentication.name} without the HMAC flag`;
    }
    if (protocol === "esp" && authentication && !hmac) return `${authentication.name} in ESP without the HMAC flag`;
    if (encryption?.number === 8 && authentication) return "old ESP cannot authenticate";
  }
  return choices.length ? choices : "no section";
}

/** Our Identity-Choice: the first of our identification attributes that the peer offers too, RFC 2522 5.1. */
export function chooseIdentity(own: readonly Attribute[], peer: readonly Attribute[]): number | undefined {
  const theirs = sectionsOf(peer).identity;
  return sectionsOf(own).identity.find(({ number }) =>
    identityHash(number) && theirs.some((attribute) => attribute.number === number)
  )?.number;
}

/** What an SPI with these choices protects, for a responder that follows the initiator. */
export function optionsOf(choices: readonly SectionChoice[]): Options {
  return {
    encryption: choices.some(({ protocol }) => protocol === "esp"),
    authentication: choices.some(({ protocol }) => protocol === "ah"),
  };
}

/** For people: `ESP AT_3DES_NEW AT_SHA1_IPMAC + AH AT_SHA1_IPMAC`. */
export function formatChoices(choices: readonly SectionChoice[]): string {
  return choices.map(({ protocol, encryption, authentication, hmac }) =>
    [protocol.toUpperCase(), encryption?.name, authentication?.name, hmac && "HMAC"].filter(Boolean).join(" ")
  ).join(" + ");
}
