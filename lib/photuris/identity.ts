/** Building and checking Identity messages, RFC 2522 5; SPIs with their session keys. @module */
import { formatAddress } from "../ip/address.ts";
import { type Bytes, concat, decodeText, encodeText, equalConstantTime } from "../octets/bytes.ts";
import { formatHex } from "../octets/hex.ts";
import { DecodeError } from "../octets/reader.ts";
import { decodeAttributes, formatAttributes, identityHash, notOffered, sectionsOf } from "./attributes.ts";
import { type AttributeBook, chooseIdentity, readChoices, type SectionChoice } from "./choose.ts";
import type { KeyedAlgorithm, SpiSection } from "./effects.ts";
import {
  type Announced,
  cookiesOf,
  type Exchange,
  type OwnIdentity,
  privacyContext,
  type VerifiedIdentity,
} from "./exchange.ts";
import { identityData, ipmac, sessionKeys, verificationKey, verificationVpi } from "./keys.ts";
import {
  decodeMasked,
  encodeMasked,
  encodeMessage,
  MASKED_AT,
  type MessageOf,
  padding,
  paddingOctets,
} from "./messages.ts";
import { hide, reveal } from "./privacy.ts";
import type { Identity, SecretBook } from "./settings.ts";
import { decodeVpi, encodeVpi } from "./vpi.ts";

type IdentityName = "Identity_Request" | "Identity_Response";

const SHOWN_NAME = 64;

/** A name that a peer sent, quoted and cut, so that it can stand in a log line. */
export function quoteName(name: string): string {
  return JSON.stringify(name.length > SHOWN_NAME ? `${name.slice(0, SHOWN_NAME)}...` : name);
}

/** The name in an Identification: OpenBSD ends it with a NUL, which is not part of it. */
export function identificationName(value: Uint8Array): string {
  return decodeText(value.at(-1) === 0 ? value.subarray(0, value.length - 1) : value);
}

/** A sentence about why two sides have no Identity-Choice in common. */
export function identityChoiceFault(exchange: Exchange): string {
  const list = (side: "own" | "peer") => {
    const identity = sectionsOf(decodeAttributes(exchange.values![side]!.offeredAttributes)).identity;
    return formatAttributes(identity);
  };
  const peer = formatAddress(exchange.peer.address);
  return `Cannot agree on an identification attribute with ${peer}: offered ${list("peer")}, ours ${list("own")}`;
}

/**
 * Builds an Identity message that says who we are and announces our SPI.
 *
 * @param requestVerification in an Identity_Response: the Verification of the request
 * @returns undefined when no identification attribute is common ({@linkcode identityChoiceFault} says which)
 */
export function buildIdentity(
  exchange: Exchange,
  name: IdentityName,
  own: Identity,
  announced: Announced,
  random: (octets: number) => Bytes,
  requestVerification?: Bytes,
): { datagram: Bytes; identity: OwnIdentity } | undefined {
  const values = exchange.values!;
  const [ours, theirs] = [values.own, values.peer!];
  const choice = chooseIdentity(decodeAttributes(ours.offeredAttributes), decodeAttributes(theirs.offeredAttributes));
  const hashName = choice === undefined ? undefined : identityHash(choice);
  if (choice === undefined || hashName === undefined) return undefined;
  const { initiatorCookie, responderCookie } = exchange;
  const clear = { name, initiatorCookie, responderCookie, lifeTime: announced.lifeSeconds, spi: announced.spi };
  const header = encodeMessage({ ...clear, masked: new Uint8Array() });
  const identityChoice = new Uint8Array([choice, 0]);
  const identification = encodeVpi(encodeText(`${own.name}\0`));
  const content = (verification: Bytes) =>
    encodeMasked(name, {
      identityChoice,
      identification: decodeVpi(identification),
      verification: decodeVpi(verification),
      attributeChoices: announced.attributes,
    });
  const key = verificationKey(hashName, own.secret.reveal(), values.shared!);
  const open = content(verificationVpi(ipmac(hashName, key, new Uint8Array()))).length;
  const fill = padding(paddingOctets(open, random(1)[0]));
  const data = identityData({
    header,
    identityChoice,
    identification,
    requestVerification,
    attributeChoices: announced.attributes,
    padding: fill,
    sender: ours,
    receiver: theirs,
    responderOfferedSchemes: exchange.offeredSchemes,
  });
  const ownVerification = verificationVpi(ipmac(hashName, key, data));
  const masked = hide(privacyContext(exchange, "own"), header, concat(content(ownVerification), fill));
  return {
    datagram: encodeMessage({ ...clear, masked }),
    identity: { own, ownChoice: choice, ownVerification },
  };
}

/** Why an Identity message is not accepted: dropped silently, or answered with Verification_Failure. */
export interface IdentityFault {
  readonly answer: "none" | "Verification_Failure";
  /** A sentence without full stop. */
  readonly text: string;
}

/** Checks an Identity message in the RFC's order. Nothing of the exchange changes. */
export function checkIdentity(
  exchange: Exchange,
  message: MessageOf<IdentityName>,
  datagram: Uint8Array,
  secrets: SecretBook,
  book: AttributeBook,
  requestVerification?: Bytes,
): VerifiedIdentity | IdentityFault {
  const values = exchange.values!;
  const [ours, theirs] = [values.own, values.peer!];
  const peer = formatAddress(exchange.peer.address);
  const drop = (text: string): IdentityFault => ({
    answer: "none",
    text: `Dropped ${message.name} of ${peer}: ${text}`,
  });
  const header = datagram.subarray(0, MASKED_AT);
  const plaintext = reveal(privacyContext(exchange, "peer"), header, message.masked);
  if (!plaintext) return drop("its masked part is not whole cipher blocks");
  let decoded;
  try {
    decoded = decodeMasked(message.name, plaintext);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return drop(error.message);
  }
  const { identityChoice, identification, verification, attributeChoices } = decoded.fields;
  const offers = decodeAttributes(ours.offeredAttributes);
  const [peerChoice] = identityChoice;
  const hashName = identityHash(peerChoice);
  if (!hashName || !sectionsOf(offers).identity.some(({ number }) => number === peerChoice)) {
    return drop(`Identity-Choice ${peerChoice} was not offered`);
  }
  const list = decodeAttributes(attributeChoices);
  const missing = notOffered(offers, list);
  if (missing) return drop(`attribute ${missing.number} was not offered`);
  const choices = readChoices(book, list);
  if (typeof choices === "string") return drop(`Attribute-Choices: ${choices}`);
  const name = identificationName(identification.value);
  const identity = secrets.remote(name);
  if (!identity) {
    return {
      answer: "Verification_Failure",
      text: `Cannot identify ${peer}: it calls itself ${quoteName(name)}, and no "identity remote" entry has that name`,
    };
  }
  const data = identityData({
    header,
    identityChoice,
    identification: identification.raw,
    requestVerification,
    attributeChoices,
    padding: decoded.padding,
    sender: theirs,
    receiver: ours,
    responderOfferedSchemes: exchange.offeredSchemes,
  });
  const digest = ipmac(hashName, verificationKey(hashName, identity.secret.reveal(), values.shared!), data);
  if (!equalConstantTime(verificationVpi(digest), verification.raw)) {
    return {
      answer: "Verification_Failure",
      text: `Cannot verify that ${peer} is ${quoteName(name)}: most likely its secret is not that of ${identity.entry}`,
    };
  }
  return {
    peer: identity,
    peerChoice,
    verification: verification.raw,
    spi: message.spi,
    lifeSeconds: message.lifeTime,
    choices,
    attributes: attributeChoices,
  };
}

/** DES-CBC, whose weak keys are skipped. */
const DES_ATTRIBUTE = 8;

/** Generates the keys of one SPI and sorts them into its SAs. */
export function keySections(
  exchange: Exchange,
  ownerSecret: Uint8Array,
  userSecret: Uint8Array,
  verification: Uint8Array,
  choices: readonly SectionChoice[],
): SpiSection[] {
  const { scheme } = exchange.values!.chosen;
  const needs = choices.flatMap(({ keyed }) =>
    keyed.map((definition) => ({ octets: definition.keyOctets, isDes: definition.number === DES_ATTRIBUTE }))
  );
  const { shared } = exchange.values!;
  const keys = sessionKeys(scheme.hash, cookiesOf(exchange), ownerSecret, userSecret, verification, shared!, needs);
  return choices.map(({ protocol, encryption, authentication, keyed, hmac }) => {
    const byDefinition = new Map(keyed.map((definition) => [definition, keys.shift()!]));
    const algorithm = (definition: typeof encryption): KeyedAlgorithm | undefined =>
      definition && { definition, key: byDefinition.get(definition) ?? new Uint8Array() };
    return { protocol, encryption: algorithm(encryption), authentication: algorithm(authentication), hmac };
  });
}

/** `0x00001234`, as ipsecadm shows SPIs. */
export const formatSpi = (spi: number): string =>
  `0x${formatHex(new Uint8Array([spi >>> 24, spi >> 16, spi >> 8, spi]))}`;
