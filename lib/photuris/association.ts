/** What either party may do once both are identified: SPI_Needed and SPI_Update, RFC 2522 6. @module */
import { type Bytes, concat, equal, equalConstantTime } from "../octets/bytes.ts";
import { DecodeError } from "../octets/reader.ts";
import { decodeAttributes, identityHash, notOffered } from "./attributes.ts";
import { formatChoices, optionsOf, readChoices } from "./choose.ts";
import { type Core, formatEndpoint } from "./core.ts";
import { type Exchange, privacyContext, type State } from "./exchange.ts";
import { formatSpi, keySections } from "./identity.ts";
import { noSpi, type Reserved } from "./initiator.ts";
import { ipmac, ipmacWithoutKeyfill, validityData, verificationKey, verificationVpi } from "./keys.ts";
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
import type { StartRequest } from "./settings.ts";
import type { SpiRecord } from "./spis.ts";
import { decodeVpi } from "./vpi.ts";

type SpiMessage = "SPI_Needed" | "SPI_Update";
type Clear<N extends SpiMessage> = Omit<MessageOf<N>, "masked" | "initiatorCookie" | "responderCookie">;

/** The key of a side's Verifications: its identification's hash over its secret and the shared-secret. */
function keyOf(exchange: Exchange, side: "own" | "peer"): Bytes {
  const { own, ownChoice, peer, peerChoice } = exchange.identity!;
  const [identity, choice] = side === "own" ? [own, ownChoice] : [peer, peerChoice];
  return verificationKey(identityHash(choice)!, identity.secret.reveal(), exchange.values!.shared!);
}

/** Builds an SPI message; answers it with its Verification (with Size). */
function buildSpiMessage(
  core: Core,
  exchange: Exchange,
  clear: Clear<"SPI_Needed"> | Clear<"SPI_Update">,
  attributes: Bytes,
): { datagram: Bytes; verification: Bytes } {
  const { initiatorCookie, responderCookie, values, identity } = exchange;
  const message = { ...clear, initiatorCookie, responderCookie };
  const header = encodeMessage({ ...message, masked: new Uint8Array() });
  const { hash } = values!.chosen.scheme;
  const content = (raw: Bytes) => {
    const verification = decodeVpi(raw);
    return clear.name === "SPI_Needed"
      ? encodeMasked("SPI_Needed", { verification, attributesNeeded: attributes })
      : encodeMasked("SPI_Update", { verification, attributeChoices: attributes });
  };
  const open = content(verificationVpi(ipmac(hash, header, header))).length;
  const fill = padding(paddingOctets(open, core.random(1)[0]));
  const data = validityData(header, identity!.ownVerification, identity!.peerVerification, attributes, fill);
  const verification = verificationVpi(ipmac(hash, keyOf(exchange, "own"), data));
  const masked = hide(privacyContext(exchange, "own"), header, concat(content(verification), fill));
  return { datagram: encodeMessage({ ...message, masked }), verification };
}

/** A sentence, and whether the peer is told. */
interface Fault {
  readonly answer: "none" | "Verification_Failure";
  readonly text: string;
}

interface Opened {
  readonly attributes: Bytes;
  /** With its Size. */
  readonly verification: Bytes;
  readonly padding: Bytes;
}

/** Unmasks and verifies an SPI message; OpenBSD's Validity-Method, which leaves out the keyfill, is as good. */
function openSpiMessage(
  exchange: Exchange,
  name: SpiMessage,
  masked: Bytes,
  datagram: Uint8Array,
): Opened | Fault {
  const peer = formatEndpoint(exchange.peer);
  const drop = (text: string): Fault => ({ answer: "none", text: `Dropped ${name} of ${peer}: ${text}` });
  const header = datagram.subarray(0, MASKED_AT);
  const plaintext = reveal(privacyContext(exchange, "peer"), header, masked);
  if (!plaintext) return drop("its masked part is not whole cipher blocks");
  let opened: Opened;
  try {
    if (name === "SPI_Needed") {
      const { fields, padding } = decodeMasked("SPI_Needed", plaintext);
      opened = { verification: fields.verification.raw, attributes: fields.attributesNeeded, padding };
    } else {
      const { fields, padding } = decodeMasked("SPI_Update", plaintext);
      opened = { verification: fields.verification.raw, attributes: fields.attributeChoices, padding };
    }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return drop(error.message);
  }
  const { ownVerification, peerVerification } = exchange.identity!;
  const data = validityData(header, peerVerification, ownVerification, opened.attributes, opened.padding);
  const key = keyOf(exchange, "peer");
  const { hash } = exchange.values!.chosen.scheme;
  const good = [ipmac, ipmacWithoutKeyfill].map((method) =>
    equalConstantTime(verificationVpi(method(hash, key, data)), opened.verification)
  );
  if (good.includes(true)) return opened;
  return { answer: "Verification_Failure", text: `Cannot verify ${name} of ${peer}` };
}

function tell(core: Core, exchange: Exchange, fault: Fault): State {
  core.log(fault.answer === "none" ? "notice" : "warning", fault.text);
  if (fault.answer !== "none") {
    const { initiatorCookie, responderCookie } = exchange;
    core.send(exchange, encodeMessage({ name: fault.answer, initiatorCookie, responderCookie }));
  }
  return exchange.state;
}

/** An SPI_Update that may be lost is repeated when asked for so soon; later a new SPI is made. */
const REPEAT_MS = 30_000;

/** RFC 2522 6.1: the peer lacks an SPI that we own. */
export function receiveSpiNeeded(
  core: Core,
  exchange: Exchange,
  message: MessageOf<"SPI_Needed">,
  datagram: Uint8Array,
): State {
  const opened = openSpiMessage(exchange, "SPI_Needed", message.masked, datagram);
  if ("answer" in opened) return tell(core, exchange, opened);
  const list = decodeAttributes(opened.attributes);
  const missing = notOffered(decodeAttributes(exchange.values!.own.offeredAttributes), list);
  const choices = readChoices(core.settings.attributes, list);
  if (missing || typeof choices === "string") {
    const text = missing ? `attribute ${missing.number} was not offered` : `Attributes-Needed: ${choices}`;
    return tell(core, exchange, {
      answer: "none",
      text: `Dropped SPI_Needed of ${formatEndpoint(exchange.peer)}: ${text}`,
    });
  }
  const lately = core.spis.of(exchange.id).findLast((record) =>
    record.announcement && core.now - record.madeAt < REPEAT_MS && equal(record.attributes, opened.attributes)
  );
  if (lately) core.send(exchange, lately.announcement!);
  else if (core.isFull) {
    const { initiatorCookie, responderCookie, counter } = exchange;
    core.send(exchange, encodeMessage({ name: "Resource_Limit", initiatorCookie, responderCookie, counter }));
  } else if (!core.isReserving(exchange)) core.reserve(exchange, "update", choices, opened.attributes);
  return exchange.state;
}

/** Has the SPI reserved that shall follow `record`, which we own. */
export function renewOwn(core: Core, exchange: Exchange, record: SpiRecord): void {
  const choices = readChoices(core.settings.attributes, decodeAttributes(record.attributes));
  if (typeof choices !== "string" && !core.isReserving(exchange)) {
    core.reserve(exchange, "update", choices, record.attributes);
  }
}

/** RFC 2522 6.2: announces a new SPI; it is installed before the peer hears of it. */
export function sendSpiUpdate(core: Core, exchange: Exchange, reserved: Reserved): State {
  const { spi, choices, attributes } = reserved;
  if (spi === undefined) {
    core.log("warning", noSpi(exchange, reserved));
    return exchange.state;
  }
  const request = exchange.request ?? exchange.wish;
  const lifeSeconds = core.spiLifeSeconds(request);
  const clear = { name: "SPI_Update", lifeTime: lifeSeconds, spi } as const;
  const { datagram, verification } = buildSpiMessage(core, exchange, clear, attributes);
  const { own, peer } = exchange.identity!;
  const sections = keySections(exchange, own.secret.reveal(), peer.secret.reveal(), verification, choices);
  core.install(exchange, "owner", spi, lifeSeconds, sections, attributes, {
    request,
    isFirst: false,
    announcement: datagram,
  });
  core.send(exchange, datagram);
  core.log("debug", `New SPI ${formatSpi(spi)} for ${formatEndpoint(exchange.peer)}: ${formatChoices(choices)}`);
  return exchange.state;
}

/** RFC 2522 6.2: the peer has a new SPI for us to use, or takes one or all back. */
export function receiveSpiUpdate(
  core: Core,
  exchange: Exchange,
  message: MessageOf<"SPI_Update">,
  datagram: Uint8Array,
): State {
  const opened = openSpiMessage(exchange, "SPI_Update", message.masked, datagram);
  if ("answer" in opened) return tell(core, exchange, opened);
  const { lifeTime, spi } = message;
  const peer = formatEndpoint(exchange.peer);
  if (lifeTime === 0) {
    for (const record of core.spis.of(exchange.id)) {
      if (record.role === "user" && (spi === 0 || record.spi === spi)) core.remove(record);
    }
    core.log("notice", spi === 0 ? `${peer} has ended the association` : `${peer} has deleted SPI ${formatSpi(spi)}`);
    return spi === 0 ? "ENDED" : exchange.state;
  }
  if (spi === 0 || exchange.peerSpis.has(spi)) return exchange.state;
  const list = decodeAttributes(opened.attributes);
  const missing = notOffered(decodeAttributes(exchange.values!.own.offeredAttributes), list);
  const choices = readChoices(core.settings.attributes, list);
  if (missing || typeof choices === "string") {
    const text = missing ? `attribute ${missing.number} was not offered` : `Attribute-Choices: ${choices}`;
    return tell(core, exchange, { answer: "none", text: `Dropped SPI_Update of ${peer}: ${text}` });
  }
  exchange.peerSpis.add(spi);
  exchange.retransmission = undefined; // an SPI_Needed is answered by any new SPI
  const { own, peer: identity } = exchange.identity!;
  const [ownSecret, peerSecret] = [own.secret.reveal(), identity.secret.reveal()];
  const sections = keySections(exchange, peerSecret, ownSecret, opened.verification, choices);
  const request = exchange.request ?? exchange.wish;
  core.install(exchange, "user", spi, lifeTime, sections, opened.attributes, { request, isFirst: false });
  core.log("debug", `${peer} has a new SPI ${formatSpi(spi)}: ${formatChoices(choices)}`);
  return exchange.state;
}

/** Asks the peer for an SPI like `record`, which is about to expire and has no successor. */
export function sendSpiNeeded(core: Core, exchange: Exchange, record: SpiRecord): void {
  if (exchange.retransmission) return;
  const clear = { name: "SPI_Needed", random: 1 + core.randomBelow(0xffffff), zero: 0 } as const;
  core.request(exchange, buildSpiMessage(core, exchange, clear, record.attributes).datagram);
}

/** An SPI_Update that takes back all our SPIs of an association. */
export function endAssociation(core: Core, exchange: Exchange): void {
  const clear = { name: "SPI_Update", lifeTime: 0, spi: 0 } as const;
  const attributes = core.spis.of(exchange.id).find(({ role }) => role === "owner")?.attributes;
  core.send(exchange, buildSpiMessage(core, exchange, clear, attributes ?? new Uint8Array()).datagram);
}

/** What to ask of a peer with which no exchange lives any more. */
export function requestAgain(record: SpiRecord): StartRequest {
  const { request, peerEndpoint, localEndpoint, protocols } = record;
  if (request) return { ...request, ticket: undefined };
  const sections = protocols.map((protocol) => ({ protocol, keyed: [], hmac: false }));
  return { peer: peerEndpoint, local: localEndpoint, options: optionsOf(sections) };
}

/** The peer does not know the association: what it protects goes on, new keys come from a new exchange. */
export function associationLost(core: Core, exchange: Exchange): State {
  if (!exchange.retransmission) return exchange.state; // nobody asked: a stray or forged Bad_Cookie
  core.log("notice", `${formatEndpoint(exchange.peer)} does not answer for our association; beginning a new exchange`);
  const record = core.spis.of(exchange.id).findLast(({ role }) => role === "user");
  if (record) core.begin(requestAgain(record));
  return "ENDED";
}

export function limitReached(core: Core, exchange: Exchange): State {
  core.backOff(exchange);
  return exchange.state;
}
