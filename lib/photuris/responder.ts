/** The responder's steps, RFC 2522 3 to 5. Nothing is kept about a peer before it has returned a good cookie. @module */
import { type Bytes, equal, erase } from "../octets/bytes.ts";
import { encodeAttributes } from "./attributes.ts";
import { formatChoices, type Options, optionsOf, type SectionChoice } from "./choose.ts";
import { type CookieBinding, type Endpoint, isZero, nextCounter } from "./cookies.ts";
import { type Core, formatEndpoint } from "./core.ts";
import type { Exchange, State } from "./exchange.ts";
import { buildIdentity, checkIdentity, formatSpi, identityChoiceFault, keySections } from "./identity.ts";
import {
  acceptValue,
  attributeChoices,
  attributesFault,
  chooseAttributes,
  computeValue,
  establish,
  noSpi,
  type Reserved,
} from "./initiator.ts";
import { sharedSecret } from "./keys.ts";
import { encodeMessage, type MessageOf } from "./messages.ts";
import {
  chosenScheme,
  encodeSchemes,
  exchangeValueFault,
  formatScheme,
  modulusBits,
  type OfferedScheme,
} from "./schemes.ts";
import type { Settings } from "./settings.ts";
import type { SpiRecord } from "./spis.ts";
import type { ExchangeValue } from "./values.ts";
import { decodeVpi, encodeVpi } from "./vpi.ts";

/** Exchanges that one peer may have open without having identified itself. */
const MOST_UNIDENTIFIED_OF_A_PEER = 4;

/** Offered-Schemes on the wire: the same for everybody as long as the settings are. */
const encodedSchemes = new WeakMap<readonly OfferedScheme[], Bytes>();

function offeredSchemesOf({ schemes }: Settings): Bytes {
  const known = encodedSchemes.get(schemes);
  if (known) return known;
  const encoded = encodeSchemes(schemes);
  encodedSchemes.set(schemes, encoded);
  return encoded;
}

function bindingOf(
  core: Core,
  from: Endpoint,
  to: Endpoint,
  counter: number,
  initiatorCookie: Bytes,
): CookieBinding {
  const offeredSchemes = offeredSchemesOf(core.settings);
  return { peer: from.address, local: to.address, localPort: to.port, counter, initiatorCookie, offeredSchemes };
}

/**
 * RFC 2522 3.1: answers with a cookie that proves nothing but that the peer can receive at its address. Stateless: the
 * counter comes from exchanges that exist anyway.
 */
export function answerCookieRequest(
  core: Core,
  from: Endpoint,
  to: Endpoint,
  message: MessageOf<"Cookie_Request">,
): void {
  const { initiatorCookie } = message;
  if (isZero(initiatorCookie) || !core.limit.allows(core.now, from.address)) return;
  const exchanges = core.withPeer(from.address);
  const { exchangeTimeout } = core.settings.times;
  const young = exchanges.filter(({ startedAt, state }) =>
    state !== "COOKIE_SENT" && core.now - startedAt < 1000 * exchangeTimeout
  );
  // A peer that was asked by us last names that exchange, by our cookie.
  const isNamed = young.some(({ role, initiatorCookie, responderCookie }) =>
    equal(responderCookie, message.responderCookie) ||
    (role === "initiator" && equal(initiatorCookie, message.responderCookie))
  );
  const inTheWay = isNamed ? undefined : young.find(({ role }) => role === "responder");
  const latest = exchanges.filter(({ state }) => state !== "COOKIE_SENT").at(-1);
  const counter = nextCounter(latest?.counter ?? message.counter, new Set(young.map(({ counter }) => counter)));
  const send = (datagram: Bytes) => void core.effects.push({ do: "send", to: from, from: to, datagram });
  if (inTheWay || core.isFull || !counter) {
    const names = isZero(message.responderCookie) && message.counter === 0 ? inTheWay : undefined;
    return send(encodeMessage({
      name: "Resource_Limit",
      initiatorCookie,
      responderCookie: names?.responderCookie ?? message.responderCookie,
      counter: names?.counter ?? message.counter,
    }));
  }
  const binding = bindingOf(core, from, to, counter, initiatorCookie);
  const responderCookie = core.cookies.make(core.now, binding);
  const { offeredSchemes } = binding;
  send(encodeMessage({ name: "Cookie_Response", initiatorCookie, responderCookie, counter, offeredSchemes }));
}

/** RFC 2522 4.1: with a good cookie, and only then, an exchange comes into being. */
export function acceptValueRequest(
  core: Core,
  from: Endpoint,
  to: Endpoint,
  message: MessageOf<"Value_Request">,
  datagram: Uint8Array,
): void {
  const { initiatorCookie, responderCookie, counter } = message;
  const send = (datagram: Bytes) => void core.effects.push({ do: "send", to: from, from: to, datagram });
  const binding = bindingOf(core, from, to, counter, initiatorCookie);
  if (!core.cookies.recognise(core.now, binding, responderCookie)) {
    if (core.limit.allows(core.now, from.address)) {
      send(encodeMessage({ name: "Bad_Cookie", initiatorCookie, responderCookie }));
    }
    return;
  }
  const open = core.withPeer(from.address).filter(({ role, state }) => role === "responder" && state !== "ESTABLISHED");
  if (core.isFull || open.length >= MOST_UNIDENTIFIED_OF_A_PEER) {
    return send(encodeMessage({ name: "Resource_Limit", initiatorCookie, responderCookie, counter }));
  }
  const { value, bits, raw } = message.exchangeValue;
  const peer = formatEndpoint(from);
  const chosen = chosenScheme(core.settings.schemes, message.schemeChoice, bits);
  if (!chosen) {
    const ours = core.settings.schemes.map(formatScheme).join(", ");
    const theirs = formatScheme({ scheme: message.schemeChoice });
    core.log(
      "warning",
      `Cannot agree on an exchange scheme with ${peer}: it chose ${theirs.replace(/ 0$/, "")} with ` +
        `${bits} bits; ours are ${ours}`,
    );
    return;
  }
  const fault = exchangeValueFault(value, bits, chosen.group);
  if (fault) return core.log("warning", `Dropped the exchange value of ${peer}: ${fault}`);
  const exchange: Exchange = {
    id: core.newId(),
    role: "responder",
    state: "VALUE_COMPUTING",
    peer: from,
    local: to,
    initiatorCookie,
    responderCookie,
    counter,
    startedAt: core.now,
    expiresAt: core.now + 1000 * core.settings.times.exchangeTimeout,
    request: undefined,
    joined: [],
    offeredSchemes: binding.offeredSchemes,
    chosen,
    restarts: 0,
    told: false,
    peerSpis: new Set(),
    answered: { request: datagram.slice() as Bytes, reply: new Uint8Array() },
  };
  exchange.values = {
    chosen,
    exponent: new Uint8Array(),
    own: { TBV: new Uint8Array(3), exchangeValue: new Uint8Array(), offeredAttributes: new Uint8Array() },
    peer: {
      TBV: new Uint8Array([counter, message.schemeChoice >> 8, message.schemeChoice & 255]),
      exchangeValue: raw,
      offeredAttributes: message.offeredAttributes,
    },
  };
  core.add(exchange);
  const current = core.values.current(core.now, chosen.group);
  if (current) core.enter(exchange, answerValue(core, exchange, current));
  else computeValue(core, exchange);
}

/** RFC 2522 4.2: sends our value first and computes the shared-secret afterwards. */
function answerValue(core: Core, exchange: Exchange, { exponent, value }: ExchangeValue): State {
  const { initiatorCookie, responderCookie, answered } = exchange;
  const { chosen, peer } = exchange.values!;
  const { modulus } = chosen.group;
  const exchangeValue = encodeVpi(value, modulusBits(chosen.group));
  const offeredAttributes = encodeAttributes(core.settings.attributes.offersFor(exchange.peer.address));
  const reserved = new Uint8Array(3);
  const own = { TBV: reserved, exchangeValue, offeredAttributes };
  exchange.values = { chosen, exponent: exponent.slice(), own, peer };
  const message = { name: "Value_Response", initiatorCookie, responderCookie, reserved } as const;
  const reply = encodeMessage({ ...message, exchangeValue: decodeVpi(exchangeValue), offeredAttributes });
  exchange.answered = { request: answered!.request, reply };
  core.send(exchange, reply);
  const base = decodeVpi(peer!.exchangeValue).value;
  core.compute(exchange, "secret", { kind: "power", base, exponent: exchange.values.exponent, modulus });
  return "VALUE_ANSWERED";
}

export function computedValue(
  core: Core,
  exchange: Exchange,
  { result, exponent }: { result: Uint8Array | boolean; exponent?: Uint8Array },
): State {
  const value = { exponent: exponent!.slice(), value: (result as Uint8Array).slice() };
  if (acceptValue(core, exchange, value)) return answerValue(core, exchange, value);
  computeValue(core, exchange);
  return exchange.state;
}

/** A duplicate Value_Request only repeats the reply, RFC 2522 4.1. */
export function repeatAnswer(core: Core, exchange: Exchange): State {
  core.send(exchange, exchange.answered!.reply);
  return exchange.state;
}

/** The shared-secret is there; an Identity_Request that was faster is looked at now. */
export function responderSecret(core: Core, exchange: Exchange, { result }: { result: Uint8Array | boolean }): State {
  exchange.values!.shared = sharedSecret(result as Uint8Array);
  const { held } = exchange;
  exchange.held = undefined;
  if (held) core.held.push({ exchange, datagram: held });
  return exchange.state;
}

function refuse(core: Core, exchange: Exchange): void {
  const { initiatorCookie, responderCookie } = exchange;
  core.send(exchange, encodeMessage({ name: "Verification_Failure", initiatorCookie, responderCookie }));
}

/** RFC 2522 5.1: verifies the initiator, then has an SPI reserved. */
export function receiveIdentityRequest(
  core: Core,
  exchange: Exchange,
  message: MessageOf<"Identity_Request">,
  datagram: Uint8Array,
): State {
  if (!exchange.values!.shared) {
    exchange.held = datagram.slice() as Bytes;
    return exchange.state;
  }
  const { secrets, attributes: book } = core.settings;
  const checked = checkIdentity(exchange, message, datagram, secrets, book);
  if ("answer" in checked) {
    if (checked.answer === "Verification_Failure") refuse(core, exchange);
    core.log(checked.answer === "none" ? "notice" : "warning", checked.text);
    return exchange.state;
  }
  const request = core.settings.requestFor(exchange.peer, exchange.local, optionsOf(checked.choices));
  const wanted: Options = request?.options ?? optionsOf(checked.choices);
  const choices = chooseAttributes(core, exchange, wanted);
  if (!choices) {
    core.log("warning", attributesFault(exchange, wanted));
    return exchange.state;
  }
  exchange.wish = request;
  exchange.verified = { ...checked, datagram: datagram.slice() as Bytes };
  core.reserve(exchange, "identity", choices, attributeChoices(exchange, choices, request?.tunnel !== undefined));
  return "IDENTITY_ANSWERING";
}

/** RFC 2522 5.1: installs both SPIs, then answers, so that the peer's first packet finds its SPI. */
export function sendIdentityResponse(core: Core, exchange: Exchange, reserved: Reserved): State {
  const { spi, choices, attributes } = reserved;
  const verified = exchange.verified!;
  const peer = formatEndpoint(exchange.peer);
  const { secrets } = core.settings;
  const giveUp = (text: string): State => {
    core.log("warning", text);
    exchange.verified = undefined;
    return "VALUE_ANSWERED";
  };
  if (spi === undefined) return giveUp(noSpi(exchange, reserved));
  const own = secrets.pairLocal(verified.peer.name, verified.peer.user) ?? secrets.local(verified.peer.user);
  if (!own) return giveUp(`Cannot identify ourselves to ${peer}: no "identity local" entry`);
  const request = exchange.wish;
  const announced = { spi, lifeSeconds: core.spiLifeSeconds(request), choices, attributes };
  const built = buildIdentity(exchange, "Identity_Response", own, announced, core.random, verified.verification);
  if (!built) return giveUp(identityChoiceFault(exchange));
  exchange.identity = {
    ...built.identity,
    peer: verified.peer,
    peerChoice: verified.peerChoice,
    peerVerification: verified.verification,
  };
  const [ownSecret, peerSecret] = [own.secret.reveal(), verified.peer.secret.reveal()];
  const owner = keySections(exchange, ownSecret, peerSecret, built.identity.ownVerification, choices);
  core.install(exchange, "owner", spi, announced.lifeSeconds, owner, attributes, { request, isFirst: true });
  if (verified.spi !== 0 && verified.lifeSeconds !== 0) {
    exchange.peerSpis.add(verified.spi);
    const user = keySections(exchange, peerSecret, ownSecret, verified.verification, verified.choices);
    const delayMs = userDelayMs(core, exchange, verified.choices);
    const { spi, lifeSeconds, attributes } = verified;
    core.install(exchange, "user", spi, lifeSeconds, user, attributes, { request, isFirst: true, delayMs });
  }
  exchange.answered = { request: verified.datagram, reply: built.datagram };
  exchange.verified = undefined;
  core.send(exchange, built.datagram);
  establish(core, exchange);
  erase(exchange.values!.exponent);
  core.log(
    "notice",
    `Established keys with ${peer} (${verified.peer.name}): ${formatChoices(choices)} in with SPI ${formatSpi(spi)}, ` +
      `${formatChoices(verified.choices)} out with SPI ${formatSpi(verified.spi)}`,
  );
  return "ESTABLISHED";
}

/**
 * While an older SPI still carries our traffic, the new one waits until the initiator has surely seen our answer: it
 * installs its side only then. Two silent retransmission intervals tell; a repeated request begins the wait anew.
 */
function userDelayMs(core: Core, exchange: Exchange, choices: readonly SectionChoice[]): number {
  const older = core.spis.latest("user", exchange.local.address, exchange.peer.address);
  // Other protocols than before: the initiator will not take the old ones for long.
  if (!older || older.protocols.join() !== choices.map(({ protocol }) => protocol).join()) return 0;
  return untilSurelySeenMs(core, older);
}

function untilSurelySeenMs(core: Core, older: SpiRecord): number {
  return Math.max(0, Math.min(2000 * core.settings.times.retransmitTimeout, (older.expiresAt - core.now) / 2));
}

/** A duplicate gets the same answer; another request in this state cannot be genuine. */
export function repeatIdentity(
  core: Core,
  exchange: Exchange,
  _message: MessageOf<"Identity_Request">,
  datagram: Uint8Array,
): State {
  if (!exchange.answered || !equal(exchange.answered.request, datagram)) {
    refuse(core, exchange);
    return exchange.state;
  }
  for (const record of core.spis.of(exchange.id)) {
    if (record.installAt) record.installAt = Math.max(record.installAt, core.now + untilSurelySeenMs(core, record));
  }
  return repeatAnswer(core, exchange);
}
