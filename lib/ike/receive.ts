/**
 * Datagrams: to which SA and exchange one belongs, whether it is a copy, what it says in clear. Order: header, SA,
 * exchange, copy, decryption, payloads, hash; only then anything changes.
 *
 * @module
 */
import { formatAddress } from "../ip/address.ts";
import { describeMessage } from "../isakmp/describe.ts";
import { IsakmpError } from "../isakmp/error.ts";
import { Reassembly } from "../isakmp/fragments.ts";
import {
  type Chain,
  decodeHeader,
  decodePayloads,
  type Header,
  HEADER_OCTETS,
  isEncrypted,
  type Payload,
  type Received,
} from "../isakmp/message.ts";
import { EXCHANGE, nameOf, PAYLOAD } from "../isakmp/numbers.ts";
import { HASH_LAYOUT } from "../isakmp/payloads.ts";
import { type Bytes, equal, equalConstantTime } from "../octets/bytes.ts";
import { formatHex } from "../octets/hex.ts";
import type { Endpoint } from "./events.ts";
import { armGiveUp, createExchange, isCopy, ivOf, notifyOnce, register, run, suspect } from "./exchange.ts";
import { capture, drop, endpointText, log } from "./log.ts";
import { hint } from "./informational_steps.ts";
import { exchangeIv, HASH_1 } from "./keys.ts";
import { answerFirstMessage, spend } from "./phase1_sa.ts";
import { heard } from "./liveness.ts";
import { refuseOtherVersion } from "./other_version.ts";
import { PROTECTED, type Row, rowOf, type Token } from "./rows.ts";
import { hashOf } from "./send.ts";
import type { Core, Exchange, Incoming, Phase1Sa } from "./state.ts";

/** Exchanges by number that we have rows for. */
const NAMES = new Map<number, Row["exchange"]>(
  (["ID_PROT", "AGGRESSIVE", "QUICK_MODE", "INFO", "TRANSACTION", "NEW_GROUP_MODE"] as const)
    .map((name) => [EXCHANGE[name], name]),
);

export const cookieKey = (initiator: Uint8Array, responder: Uint8Array) => formatHex(initiator) + formatHex(responder);
export const openingKey = (initiator: Uint8Array, peer: Endpoint) =>
  `${formatHex(initiator)} ${formatAddress(peer.address)}`;

const isZero = (cookie: Uint8Array) => cookie.every((octet) => octet === 0);

/** Takes a datagram (marker removed), whose octets nobody writes to any more. */
export function receive(core: Core, from: Endpoint, to: Endpoint, octets: Bytes, reassembled = false): void {
  let received: Received;
  try {
    received = decodeHeader(octets);
  } catch (error) {
    if (!refuseOtherVersion(core, from, to, octets)) drop(core, "header", from, (error as Error).message);
    return;
  }
  const { header, body } = received;
  // What lies behind the message belongs to no message, but a copy must still be known as one.
  const message = octets.subarray(0, HEADER_OCTETS + body.length);
  if (equal(header.initiatorCookie, header.responderCookie)) {
    drop(core, "reflected", from);
    return;
  }
  const sa = saOf(core, header, from);
  if (!sa) {
    if (isZero(header.responderCookie) && header.messageId === 0 && !isEncrypted(header)) {
      const name = NAMES.get(header.exchange);
      if (name === "ID_PROT" || name === "AGGRESSIVE") {
        answerFirstMessage(core, from, to, message, received, name);
        return;
      }
    }
    noteOtherAddress(core, header, from);
    drop(core, "unknownCookies", from, nameOf(EXCHANGE, header.exchange));
    return;
  }
  if (header.nextPayload === PAYLOAD.FRAGMENT && !isEncrypted(header)) {
    if (reassembled) drop(core, "nestedFragment", from);
    else receiveFragment(core, sa, from, to, received);
    return;
  }
  const name = NAMES.get(header.exchange);
  if (!name) {
    drop(core, "exchangeType", from, nameOf(EXCHANGE, header.exchange));
    return;
  }
  if (name === "INFO" && !isEncrypted(header)) {
    receiveHint(core, sa, from, received);
    return;
  }
  if (name === "INFO" && sa.state === "negotiating") {
    receiveSealedHint(core, sa, from, received);
    return;
  }
  if (sa.role === "initiator" && isZero(header.responderCookie)) {
    drop(core, "reflected", from); // our own first message
    return;
  }
  const exchange = exchangeOf(core, sa, name, header, from);
  if (exchange) receiveFor(core, exchange, from, to, message, received);
}

/** The SA of a message: by both cookies, or by the initiator's alone while we do not know the responder's. */
function saOf(core: Core, header: Header, from: Endpoint): Phase1Sa | undefined {
  const exact = core.sas.get(cookieKey(header.initiatorCookie, header.responderCookie));
  if (exact) return exact;
  const opening = core.openings.get(openingKey(header.initiatorCookie, from));
  if (!opening) return undefined;
  // Message 2 and notifies about message 1, or a copy of message 1.
  return opening.role === "initiator" ? opening : isZero(header.responderCookie) ? opening : undefined;
}

/** An answer with a cookie of ours that comes from where we have not asked: the probable reason if no other comes. */
function noteOtherAddress(core: Core, { initiatorCookie, responderCookie }: Header, from: Endpoint): void {
  if (isZero(responderCookie)) return;
  const sa = core.initiating.ofCookie(initiatorCookie);
  const exchange = sa?.exchanges.get(0);
  if (!sa || !exchange) return;
  const { peer, remote } = sa;
  exchange.problem ??= {
    code: "TIMEOUT",
    item: "Address",
    detail: `the answers come from ${endpointText(from)}, not from ${endpointText(remote)}; they are not taken`,
    origin: peer.origins.address ?? peer.origin,
    advice: "Set Address to where the peer answers from, or its Local-address to what is asked",
  };
}

/** Pieces of a message that is not complete by then are forgotten. */
const REASSEMBLY_MS = 30_000;

function receiveFragment(core: Core, sa: Phase1Sa, from: Endpoint, to: Endpoint, { header, body }: Received): void {
  if (!sa.peer.fragmentation) {
    drop(core, "fragment", from, "fragmentation is off");
    return;
  }
  try {
    const { payloads } = decodePayloads(header.nextPayload, body);
    if (!sa.reassembly || core.now > sa.reassembly.since + REASSEMBLY_MS) {
      sa.reassembly = { since: core.now, pieces: new Reassembly() };
    }
    const whole = sa.reassembly.pieces.add(payloads[0].body);
    if (whole) sa.reassembly = undefined;
    if (whole) receive(core, from, to, whole, true);
  } catch (error) {
    if (!(error instanceof IsakmpError)) throw error;
    drop(core, "fragment", from, error.message);
  }
}

/** An informational message in clear: nobody vouches for it. */
function receiveHint(core: Core, sa: Phase1Sa, from: Endpoint, { header, body }: Received): void {
  try {
    hint(core, sa, from, decodePayloads(header.nextPayload, body).payloads);
  } catch (error) {
    if (!(error instanceof IsakmpError)) throw error;
    drop(core, "hint", from, error.message);
  }
}

/**
 * An encrypted informational message while phase 1 is under way: a peer that refuses our proof (charon) says so, under keys
 * that nobody has vouched for yet. It counts as much as one in clear.
 */
function receiveSealedHint(core: Core, sa: Phase1Sa, from: Endpoint, { header, body }: Received): void {
  const last = sa.exchanges.get(0)?.iv;
  if (!sa.cbc || !sa.keys || !last || header.messageId === 0 || body.length % sa.cbc.blockOctets) {
    return drop(core, "early", from, "INFO");
  }
  const { hash, cipher } = sa.terms!;
  try {
    const plain = sa.cbc.decrypt(exchangeIv(hash, last, header.messageId, cipher.ivOctets), body);
    const { payloads, octets } = decodePayloads(header.nextPayload, plain);
    const [first] = payloads;
    const expected = first?.type === PAYLOAD.HASH &&
      HASH_1(hash, sa.keys.SKEYID_a, header.messageId, plain.subarray(4 + first.body.length, octets));
    if (!expected || !equalConstantTime(HASH_LAYOUT.decode(first.body).hash, expected)) {
      return drop(core, "hash", from, "INFO");
    }
    hint(core, sa, from, payloads, true);
  } catch (error) {
    if (!(error instanceof IsakmpError)) throw error;
    drop(core, "early", from, error.message);
  }
}

function exchangeOf(
  core: Core,
  sa: Phase1Sa,
  name: Row["exchange"],
  header: Header,
  from: Endpoint,
): Exchange | undefined {
  const refuse = (reason: string) => void drop(core, reason, from, name);
  const known = sa.exchanges.get(header.messageId);
  if (known) return known.name === name ? known : refuse("messageId");
  if (!PROTECTED.has(name) || header.messageId === 0) return refuse("late");
  if (sa.state !== "established") return refuse("early");
  if (!rowOf(name, "responder", "START")) return refuse("exchangeType");
  // RFC 2409 gives a message ID one IV: a second exchange with it would be a replay.
  if (sa.usedIds.has(header.messageId)) return refuse("replay");
  return createExchange(core, sa, name, "responder", header.messageId);
}

/** The chain of payloads of a message, decrypted; undefined when it is dropped. */
function readPayloads(
  core: Core,
  exchange: Exchange,
  { header, body }: Received,
  from: Endpoint,
): (Chain & { plain: Uint8Array; nextIv?: Bytes }) | undefined {
  const { sa } = exchange;
  const encrypted = isEncrypted(header);
  let plain: Uint8Array = body;
  let nextIv: Bytes | undefined;
  if (encrypted) {
    if (!sa.cbc) return void drop(core, "noKeys", from);
    const { blockOctets } = sa.cbc;
    if (body.length === 0 || body.length % blockOctets) return void drop(core, "blocks", from);
    plain = sa.cbc.decrypt(ivOf(exchange), body);
    nextIv = body.slice(-blockOctets) as Bytes;
    spend(core, sa, body.length);
  }
  try {
    const chain = decodePayloads(header.nextPayload, plain);
    // Padding of whole messages to a multiple of four is usual; more is something else.
    if (!encrypted && plain.length - chain.octets > 3) return void drop(core, "trailing", from);
    return { ...chain, plain, nextIv };
  } catch (error) {
    if (!(error instanceof IsakmpError)) throw error;
    drop(core, encrypted ? "garbled" : "malformed", from, error.message);
    if (encrypted && header.messageId === 0) garbledProof(core, exchange);
    return undefined;
  }
}

/**
 * Message 5 or 6 did not decrypt: with pre-shared keys that is how different keys show. The peer is told the same as when
 * its proof is wrong, so that it learns nothing about how far a forgery came.
 */
function garbledProof(core: Core, exchange: Exchange): void {
  const { sa } = exchange;
  if (sa.state !== "negotiating") return;
  suspect(core, exchange, {
    code: "AUTHENTICATION_FAILED",
    item: sa.secret ? "Authentication" : undefined,
    detail: sa.secret
      ? "the peer's proof decrypts to garbage: probably different pre-shared keys"
      : "the peer's proof decrypts to garbage",
    origin: sa.negotiation?.secretOrigin,
  });
  notifyOnce(core, exchange, "AUTHENTICATION_FAILED", false);
}

const TOKEN_TYPES: Readonly<Record<Exclude<Token, "AUTH">, readonly number[]>> = {
  SA: [PAYLOAD.SA],
  KEY_EXCH: [PAYLOAD.KEY_EXCH],
  NONCE: [PAYLOAD.NONCE],
  ID: [PAYLOAD.ID],
  CERT: [PAYLOAD.CERT],
  CERT_REQUEST: [PAYLOAD.CERT_REQUEST],
  HASH: [PAYLOAD.HASH],
  NOTIFY: [PAYLOAD.NOTIFY],
  DELETE: [PAYLOAD.DELETE],
  VENDOR: [PAYLOAD.VENDOR],
  ATTRIBUTE: [PAYLOAD.ATTRIBUTE],
  NAT_D: [PAYLOAD.NAT_D, PAYLOAD.NAT_D_DRAFT],
  NAT_OA: [PAYLOAD.NAT_OA, PAYLOAD.NAT_OA_DRAFT],
};
const AUTH_TYPES = [PAYLOAD.HASH, PAYLOAD.SIG];

/** The payload that a message lacks. */
export function missing(needs: readonly Token[], payloads: readonly Payload[]): Token | undefined {
  return needs.find((token) => {
    const types = token === "AUTH" ? AUTH_TYPES : TOKEN_TYPES[token];
    return !payloads.some(({ type }) => (types as readonly number[]).includes(type));
  });
}

/** A message for a known exchange, or the first of a new one under an established SA. */
function receiveFor(
  core: Core,
  exchange: Exchange,
  from: Endpoint,
  to: Endpoint,
  message: Bytes,
  received: Received,
): void {
  if (isCopy(core, exchange, message, from)) return;
  if (exchange.finished) return drop(core, "late", from, exchange.name);
  if (exchange.running) {
    exchange.pending = { from, to, octets: message };
    return;
  }
  const row = rowOf(exchange.name, exchange.role, exchange.state);
  if (!row?.receives) return drop(core, "late", from, exchange.name);
  const { receives } = row;
  const { header } = received;
  const encrypted = isEncrypted(header);
  if (receives.encrypted !== "either" && receives.encrypted !== encrypted) {
    return drop(core, encrypted ? "encrypted" : "clear", from, `${exchange.name} in state ${exchange.state}`);
  }
  const chain = readPayloads(core, exchange, received, from);
  if (!chain) return;
  const { payloads, plain, octets, nextIv } = chain;
  log(
    core,
    "Message",
    70,
    () => `Received from ${endpointText(from)}:\n${describeMessage(header, payloads).join("\n")}`,
  );
  const lacks = missing(receives.needs, payloads);
  if (lacks) {
    drop(core, "payloads", from, `${exchange.name} in state ${exchange.state} needs ${lacks}`);
    if (encrypted && header.messageId === 0) garbledProof(core, exchange);
    return;
  }
  const rest = plain.subarray(4 + payloads[0].body.length, octets) as Bytes;
  const incoming: Incoming = { header, from, to, datagram: message, payloads, rest, nextIv };
  if (receives.hash) {
    if (!verifyHash(exchange, row, incoming)) return drop(core, "hash", from, exchange.name);
    if (exchange.name === "QUICK_MODE" && exchange.state === "START" && payloads[1].type !== PAYLOAD.SA) {
      return drop(core, "payloads", from, "SA must follow HASH");
    }
    if (exchange.state === "START") {
      register(core, exchange);
      armGiveUp(core, exchange);
    }
    heard(core, exchange.sa, from, to);
  }
  capture(core, exchange.sa, header, payloads, false);
  run(core, exchange, row, incoming);
}

/** HASH(n) of a message: it must be the first payload. HASH(2) and HASH(3) need what the exchange knows by then. */
function verifyHash(exchange: Exchange, row: Row, { payloads, rest }: Incoming): boolean {
  if (payloads[0].type !== PAYLOAD.HASH) return false;
  const expected = hashOf(exchange, row.receives!.hash!, rest);
  return equalConstantTime(HASH_LAYOUT.decode(payloads[0].body).hash, expected);
}
