/** The initiator's steps, RFC 2522 3 to 5. Each answers the state to go to. @module */
import { equal, erase } from "../octets/bytes.ts";
import { formatHex } from "../octets/hex.ts";
import { decodeAttributes, encodeAttributes, formatAttributes } from "./attributes.ts";
import { chooseForSpi, encodeChoices, formatChoices, type Options, type SectionChoice } from "./choose.ts";
import { isZero, randomCookie } from "./cookies.ts";
import { type Core, formatEndpoint } from "./core.ts";
import type { Exchange, State } from "./exchange.ts";
import { buildIdentity, checkIdentity, formatSpi, identityChoiceFault, keySections } from "./identity.ts";
import { sharedSecret } from "./keys.ts";
import { encodeMessage, type MessageOf } from "./messages.ts";
import {
  decodeSchemes,
  exchangeValueFault,
  formatScheme,
  type Modulus,
  modulusBits,
  pickScheme,
  sameModulus,
} from "./schemes.ts";
import type { StartRequest } from "./settings.ts";
import { type ExchangeValue, randomExponent } from "./values.ts";
import { decodeVpi, encodeVpi } from "./vpi.ts";

/** Options of a request that names none. */
const BOTH: Options = { encryption: true, authentication: true };

/** RFC 2522 3.1: begins an exchange with a Cookie_Request that names the last exchange with the peer, if there is one. */
export function beginExchange(core: Core, request: StartRequest, after?: Exchange): Exchange {
  const { peer, local } = request;
  const last = after?.restart ?? core.lastExchange(peer.address);
  const exchange: Exchange = {
    id: core.newId(),
    role: "initiator",
    state: "COOKIE_SENT",
    peer,
    local,
    initiatorCookie: randomCookie(core.random),
    responderCookie: last?.responderCookie ?? new Uint8Array(16),
    counter: last?.counter ?? 0,
    startedAt: core.now,
    expiresAt: Infinity, // until it is established its retransmissions end it
    request,
    joined: after?.joined.splice(0) ?? [],
    offeredSchemes: new Uint8Array(),
    restarts: after ? after.restarts + 1 : 0,
    told: after?.told ?? false,
    peerSpis: new Set(),
  };
  core.add(exchange);
  const { initiatorCookie, responderCookie, counter } = exchange;
  core.request(exchange, encodeMessage({ name: "Cookie_Request", initiatorCookie, responderCookie, counter }));
  return exchange;
}

/** RFC 2522 3.2: chooses a scheme and group from the offers. */
export function receiveCookieResponse(core: Core, exchange: Exchange, message: MessageOf<"Cookie_Response">): State {
  if (isZero(message.responderCookie) || message.counter === 0) return exchange.state;
  const theirs = decodeSchemes(message.offeredSchemes);
  const chosen = pickScheme(core.settings.schemes, theirs);
  exchange.retransmission = undefined;
  if (!chosen) {
    const list = (offers: typeof theirs) => offers.map(formatScheme).join(", ");
    return core.fail(
      exchange,
      `Cannot agree on an exchange scheme with ${formatEndpoint(exchange.peer)}: it offers ${list(theirs)}; ` +
        `ours are ${list([...core.settings.schemes])}`,
    );
  }
  core.unindex(exchange);
  exchange.responderCookie = message.responderCookie;
  exchange.counter = message.counter;
  exchange.offeredSchemes = message.offeredSchemes;
  exchange.chosen = chosen;
  exchange.restart = undefined;
  core.index(exchange);
  core.remember(exchange);
  if (isTrusted(core, chosen.group)) return sendValue(core, exchange);
  core.compute(exchange, "modulus", { kind: "safePrime", candidate: chosen.group.modulus });
  return "CHOOSING";
}

const modulusKey = (group: Modulus) => formatHex(group.modulus);
/** Learned moduli that are remembered as tested. */
const MOST_TESTED = 256;

function isTrusted(core: Core, group: Modulus): boolean {
  return core.settings.schemes.some((own) => own.group && sameModulus(own.group, group)) ||
    core.testedModuli.has(modulusKey(group));
}

/** Sends our Value_Request if a value for the group is at hand, else has one computed. */
function sendValue(core: Core, exchange: Exchange): State {
  const { group } = exchange.chosen!;
  const current = core.values.current(core.now, group);
  if (current) return valueRequest(core, exchange, current);
  computeValue(core, exchange);
  return "CHOOSING";
}

/** Asks for g^x mod p with a new x. */
export function computeValue(core: Core, exchange: Exchange): void {
  const { group } = exchange.chosen!;
  const exponent = randomExponent(group, core.random);
  const { generator: base, modulus } = group;
  core.compute(exchange, "value", { kind: "power", base, exponent, modulus }, exponent);
}

/** Takes a computed value into use, unless it is one of those that must not be used (RFC 2522 8.5). */
export function acceptValue(core: Core, exchange: Exchange, value: ExchangeValue): boolean {
  const { group } = exchange.chosen!;
  if (exchangeValueFault(value.value, modulusBits(group), group)) return false;
  core.values.keep(core.now, group, value, core.random(1)[0]);
  return true;
}

/** RFC 2522 4.1. */
function valueRequest(core: Core, exchange: Exchange, { exponent, value }: ExchangeValue): State {
  const { initiatorCookie, responderCookie, counter, chosen } = exchange;
  const schemeChoice = chosen!.scheme.number;
  const exchangeValue = encodeVpi(value, modulusBits(chosen!.group));
  const offeredAttributes = encodeAttributes(core.settings.attributes.offersFor(exchange.peer.address));
  const TBV = new Uint8Array([counter, schemeChoice >> 8, schemeChoice & 255]);
  exchange.values = { chosen: chosen!, exponent: exponent.slice(), own: { TBV, exchangeValue, offeredAttributes } };
  const message = { name: "Value_Request", initiatorCookie, responderCookie, counter, schemeChoice } as const;
  core.request(exchange, encodeMessage({ ...message, exchangeValue: decodeVpi(exchangeValue), offeredAttributes }));
  return "VALUE_SENT";
}

/** The answer to what {@linkcode receiveCookieResponse} asked. */
export function computedChoice(
  core: Core,
  exchange: Exchange,
  { purpose, result, exponent }: { purpose: string; result: Uint8Array | boolean; exponent?: Uint8Array },
): State {
  const { group } = exchange.chosen!;
  if (purpose === "modulus") {
    if (!result) {
      return core.fail(
        exchange,
        `Cannot use the modulus of ${modulusBits(group)} bits that ${formatEndpoint(exchange.peer)} offers: ` +
          `it is no safe prime`,
      );
    }
    if (core.testedModuli.size >= MOST_TESTED) core.testedModuli.clear();
    core.testedModuli.add(modulusKey(group));
    return sendValue(core, exchange);
  }
  const value = { exponent: exponent!.slice(), value: (result as Uint8Array).slice() };
  if (!acceptValue(core, exchange, value)) {
    computeValue(core, exchange);
    return "CHOOSING";
  }
  return valueRequest(core, exchange, value);
}

/** RFC 2522 4.2: a sound value starts the computation of the shared-secret; a bad one is dropped. */
export function receiveValueResponse(core: Core, exchange: Exchange, message: MessageOf<"Value_Response">): State {
  const values = exchange.values!;
  const { group } = values.chosen;
  const { value, bits, raw } = message.exchangeValue;
  const fault = exchangeValueFault(value, bits, group);
  if (fault) {
    core.log("warning", `Dropped the exchange value of ${formatEndpoint(exchange.peer)}: ${fault}`);
    return exchange.state;
  }
  exchange.retransmission = undefined;
  values.peer = { TBV: message.reserved, exchangeValue: raw, offeredAttributes: message.offeredAttributes };
  core.compute(exchange, "secret", { kind: "power", base: value, exponent: values.exponent, modulus: group.modulus });
  return "DERIVING";
}

/** A sentence about attributes that both sides would need and do not have in common. */
export function attributesFault(exchange: Exchange, wanted: Options): string {
  const { own, peer } = exchange.values!;
  const list = (octets: Uint8Array) => formatAttributes(decodeAttributes(octets));
  const what = [wanted.encryption && "encryption", wanted.authentication && "authentication"].filter(Boolean).join(
    " and ",
  );
  return `Cannot agree on ${what} with ${formatEndpoint(exchange.peer)}: it offers ${list(peer!.offeredAttributes)}; ` +
    `ours are ${list(own.offeredAttributes)}`;
}

/** Attributes for the SPI that we own; undefined when what is wanted is not common. */
export function chooseAttributes(core: Core, exchange: Exchange, wanted: Options): SectionChoice[] | undefined {
  const { own, peer } = exchange.values!;
  const [ours, theirs] = [decodeAttributes(own.offeredAttributes), decodeAttributes(peer!.offeredAttributes)];
  return chooseForSpi(core.settings.attributes, ours, theirs, wanted);
}

/** Attribute-Choices for `choices`; OpenBSD's daemon offers ESP-Attributes without a PayloadType and gets it back so. */
export function attributeChoices(exchange: Exchange, choices: readonly SectionChoice[], tunnel: boolean) {
  const offers = decodeAttributes(exchange.values!.peer!.offeredAttributes);
  const hasPayload = offers.some(({ number, value }) => number === 2 && value.length === 1);
  return encodeAttributes(encodeChoices(choices, tunnel, hasPayload));
}

/** RFC 2522 5.3: the shared-secret is there; asks the engine for an SPI. */
export function computedSecret(core: Core, exchange: Exchange, { result }: { result: Uint8Array | boolean }): State {
  const { request } = exchange;
  exchange.values!.shared = sharedSecret(result as Uint8Array);
  const wanted = request?.options ?? BOTH;
  const choices = chooseAttributes(core, exchange, wanted);
  if (!choices) return core.fail(exchange, attributesFault(exchange, wanted));
  core.reserve(exchange, "identity", choices, attributeChoices(exchange, choices, request?.tunnel !== undefined));
  return "RESERVING";
}

export interface Reserved {
  /** Undefined: the engine has none to give, for `reason`. */
  readonly spi: number | undefined;
  readonly reason?: string;
  readonly choices: readonly SectionChoice[];
  readonly attributes: Uint8Array<ArrayBuffer>;
}

/** What is said when the engine has no SPI to give. */
export const noSpi = ({ peer }: Exchange, { reason }: Reserved): string =>
  `Cannot get an SPI for ${formatEndpoint(peer)} from the engine${reason ? `: ${reason}` : ""}`;

/** RFC 2522 5.1: says who we are and announces the SPI. */
export function sendIdentityRequest(core: Core, exchange: Exchange, reserved: Reserved): State {
  const { spi, choices, attributes } = reserved;
  if (spi === undefined) return core.fail(exchange, noSpi(exchange, reserved));
  const { request } = exchange;
  const own = core.settings.secrets.local(request?.user);
  if (!own) {
    return core.fail(
      exchange,
      `Cannot identify ourselves to ${formatEndpoint(exchange.peer)}: no "identity local" entry`,
    );
  }
  const announced = { spi, lifeSeconds: core.spiLifeSeconds(request), choices, attributes };
  const built = buildIdentity(exchange, "Identity_Request", own, announced, core.random);
  if (!built) return core.fail(exchange, identityChoiceFault(exchange));
  exchange.announced = announced;
  exchange.ownIdentity = built.identity;
  core.request(exchange, built.datagram);
  return "IDENTITY_SENT";
}

/** What the peer's choice for its own SPI lacks of what was asked for by name. */
function unmet(wanted: Options, choices: readonly SectionChoice[]): string | undefined {
  if (wanted.encryption && !choices.some(({ protocol }) => protocol === "esp")) return "encryption";
  const authenticates = ({ protocol, authentication }: SectionChoice) => protocol === "ah" || authentication;
  return wanted.authentication && !choices.some(authenticates) ? "authentication" : undefined;
}

/** The exchange is established for its whole life: as configured and 0 to 19 seconds more, RFC 2522 1.4.1. */
export function establish(core: Core, exchange: Exchange): void {
  const seconds = exchange.request?.exchangeLifetime ?? core.settings.times.exchangeLifetime;
  exchange.expiresAt = core.now + 1000 * (seconds + core.randomBelow(20));
}

/** RFC 2522 5.1: verifies the peer and installs both SPIs. */
export function receiveIdentityResponse(
  core: Core,
  exchange: Exchange,
  message: MessageOf<"Identity_Response">,
  datagram: Uint8Array,
): State {
  const { secrets, attributes: book } = core.settings;
  const own = exchange.ownIdentity!;
  const checked = checkIdentity(exchange, message, datagram, secrets, book, own.ownVerification);
  if ("answer" in checked) {
    if (checked.answer === "none") {
      core.log("notice", checked.text);
      return exchange.state;
    }
    const { initiatorCookie, responderCookie } = exchange;
    core.send(exchange, encodeMessage({ name: "Verification_Failure", initiatorCookie, responderCookie }));
    // Whoever waits is told, but a message damaged on its way must not end the exchange: the next may be sound.
    core.outcome(exchange, false, checked.text);
    return exchange.state;
  }
  const { request, announced } = exchange;
  const lacks = request?.options && unmet(request.options, checked.choices);
  if (lacks) {
    return core.fail(
      exchange,
      `Refused ${formatEndpoint(exchange.peer)}: what we send to it would go without ${lacks}; ` +
        `it chose ${formatChoices(checked.choices)}`,
    );
  }
  exchange.retransmission = undefined;
  exchange.identity = {
    ...own,
    peer: checked.peer,
    peerChoice: checked.peerChoice,
    peerVerification: checked.verification,
  };
  const ownSecret = own.own.secret.reveal();
  const peerSecret = checked.peer.secret.reveal();
  const { spi, lifeSeconds, choices, attributes } = announced!;
  const owner = keySections(exchange, ownSecret, peerSecret, own.ownVerification, choices);
  core.install(exchange, "owner", spi, lifeSeconds, owner, attributes, { request, isFirst: true });
  if (checked.spi !== 0 && checked.lifeSeconds !== 0) {
    exchange.peerSpis.add(checked.spi);
    const user = keySections(exchange, peerSecret, ownSecret, checked.verification, checked.choices);
    core.install(exchange, "user", checked.spi, checked.lifeSeconds, user, checked.attributes, {
      request,
      isFirst: true,
    });
  }
  establish(core, exchange);
  core.outcome(
    exchange,
    true,
    `Established keys with ${formatEndpoint(exchange.peer)} (${checked.peer.name}): ${
      formatChoices(choices)
    } in with SPI ` +
      `${formatSpi(spi)}, ${formatChoices(checked.choices)} out with SPI ${formatSpi(checked.spi)}`,
  );
  erase(exchange.values!.exponent);
  return "ESTABLISHED";
}

/** RFC 2522 7.1 and 7.2: what the next Cookie_Request, after the last retransmission, shall say. */
export function receiveResourceLimit(core: Core, exchange: Exchange, message: MessageOf<"Resource_Limit">): State {
  exchange.restart = { responderCookie: message.responderCookie, counter: message.counter };
  core.backOff(exchange);
  // It names an exchange of which we know nothing: to ask the same again is no use, to name it is.
  const isNamed = !isZero(message.responderCookie) && !equal(message.responderCookie, exchange.responderCookie);
  if (isNamed && exchange.state === "COOKIE_SENT" && exchange.retransmission) exchange.retransmission.left = 0;
  core.log("notice", `${formatEndpoint(exchange.peer)} is short of resources; waiting longer before asking again`);
  return exchange.state;
}

export function receiveBadCookie(core: Core, exchange: Exchange): State {
  exchange.restart = { responderCookie: exchange.responderCookie, counter: exchange.counter };
  core.log("notice", `${formatEndpoint(exchange.peer)} does not know our cookies (any more)`);
  return exchange.state;
}

/** RFC 2522 7.3: a log line; whoever waits is told at once, though the exchange may still succeed. */
export function receiveVerificationFailure(core: Core, exchange: Exchange): State {
  const peer = formatEndpoint(exchange.peer);
  const own = exchange.ownIdentity;
  core.outcome(
    exchange,
    false,
    own
      ? `${peer} could not verify us as ${
        JSON.stringify(own.own.name)
      }: most likely it has no "identity remote" entry of ` +
        `that name, or another secret than our ${own.own.entry}`
      : `${peer} answered Verification_Failure`,
  );
  return exchange.state;
}

export function receiveMessageReject(core: Core, exchange: Exchange, message: MessageOf<"Message_Reject">): State {
  core.log(
    "notice",
    `${formatEndpoint(exchange.peer)} rejects message ${message.badMessage} at octet ${message.offset}`,
  );
  return exchange.state;
}

const AWAITED: Partial<Record<State, string>> = {
  COOKIE_SENT: "Cookie_Request",
  VALUE_SENT: "Value_Request",
  IDENTITY_SENT: "Identity_Request",
};
/** New exchanges that one request may cost after Bad_Cookie or Resource_Limit. */
const MOST_RESTARTS = 2;

/** No answer to the last retransmission: begins anew where the peer gave a reason to, else gives up. */
export function exhausted(core: Core, exchange: Exchange): State {
  if (exchange.restart && exchange.restarts < MOST_RESTARTS) {
    core.log("notice", `Beginning anew with ${formatEndpoint(exchange.peer)}: no answer to ${AWAITED[exchange.state]}`);
    core.begin(exchange.request!, exchange);
    return "ENDED";
  }
  const peer = formatEndpoint(exchange.peer);
  if (exchange.told) return core.fail(exchange, `Gave up ${peer}: no good answer to ${AWAITED[exchange.state]}`);
  return core.fail(exchange, `No answer from ${peer} port ${exchange.peer.port} to ${AWAITED[exchange.state]}`);
}
