/** The life of phase 1 SAs: first message, half-open bounds, establishment, replacement, end. @module */
import { equalAddress, formatAddress } from "../ip/address.ts";
import { describeId, formatId, type Identification } from "../isakmp/identification.ts";
import { decodePayloads, type Received } from "../isakmp/message.ts";
import { IsakmpError } from "../isakmp/error.ts";
import { DOI, EXCHANGE, PAYLOAD, PROTOCOL_ID } from "../isakmp/numbers.ts";
import { DELETE_LAYOUT } from "../isakmp/payloads.ts";
import { type Bytes, concat } from "../octets/bytes.ts";
import type { Peer } from "./configuration.ts";
import { connectionsWith, openingAddress, peerAt } from "./indexes.ts";
import type { Endpoint } from "./events.ts";
import { armGiveUp, begin, createExchange, fail, forget, run } from "./exchange.ts";
import { phase1Established, phase1Lost, wantsOf } from "./connections.ts";
import { asksUser, beginExtensions } from "./extension_steps.ts";
import { NegotiationError } from "./fault.ts";
import { drop, endpointText, log } from "./log.ts";
import { beginLiveness } from "./liveness.ts";
import { initialContact, notifyPlain, sendProtected } from "./notify.ts";
import { reportEnded, reportEstablished, reportRefusal } from "./outcome.ts";
import { removePair } from "./pairs.ts";
import { cookieKey, missing, openingKey } from "./receive.ts";
import { type Row, rowOf } from "./rows.ts";
import type { Core, Phase1Sa, Role } from "./state.ts";
import { SOFT_FRACTION } from "./timers.ts";

const COOKIE_OCTETS = 8;
/**
 * States kept for peers that have not proven who they are; the oldest makes room. Who has not even sent our cookie back may
 * be nowhere, and such a flood must not push out those who have. Over all of either kind, and for one address.
 */
const MOST_HALF_OPEN = 8192;
const MOST_REACHABLE = 4096;
const MOST_HALF_OPEN_PER_SOURCE = 16;

function createSa(
  core: Core,
  role: Role,
  peer: Peer,
  name: Row["exchange"],
  local: Endpoint,
  remote: Endpoint,
  initiatorCookie: Bytes,
): Phase1Sa {
  const responderCookie = role === "initiator" ? new Uint8Array(COOKIE_OCTETS) : core.environment.random(COOKIE_OCTETS);
  const sa: Phase1Sa = {
    id: core.nextId++,
    opening: openingKey(initiatorCookie, remote),
    role,
    peer,
    identity: "",
    initiatorCookie,
    responderCookie,
    local,
    remote,
    state: "negotiating",
    exchangeType: EXCHANGE[name],
    capabilities: new Set(),
    negotiation: { requests: [], certificates: [] },
    exchanges: new Map(),
    usedIds: new Set(),
    startedAt: core.now,
    establishedAt: 0,
    replaced: false,
    octets: 0,
  };
  core.openings.set(sa.opening, sa);
  if (role === "responder") core.sas.set(cookieKey(initiatorCookie, responderCookie), sa);
  return sa;
}

/** Begins phase 1 with a peer. `probes`: only to see whether the peer with this identity lives. */
export function initiate(core: Core, peer: Peer, local: Endpoint, remote: Endpoint, probes?: string): Phase1Sa {
  const sa = createSa(core, "initiator", peer, peer.exchange, local, remote, core.environment.random(COOKIE_OCTETS));
  log(core, "Exchange", 10, () => `Beginning ${peer.exchange} with ${endpointText(remote)} (peer ${peer.name})`);
  const exchange = createExchange(core, sa, peer.exchange, "initiator", 0);
  sa.exchanges.set(0, exchange);
  core.initiating.add(sa);
  sa.probes = probes;
  begin(core, exchange);
  return sa;
}

/** From now on the initiator's SA is found by both cookies. */
export function bind(core: Core, sa: Phase1Sa): void {
  core.openings.delete(sa.opening);
  core.sas.set(cookieKey(sa.initiatorCookie, sa.responderCookie), sa);
}

/** Which peer section answers to an address. */
export function peerOf(core: Core, remote: Endpoint): Peer | undefined {
  return peerAt(core.configuration, remote.address);
}

/** The first message of phase 1 from somebody who has proven nothing. */
export function answerFirstMessage(
  core: Core,
  from: Endpoint,
  to: Endpoint,
  message: Bytes,
  { header, body }: Received,
  name: "ID_PROT" | "AGGRESSIVE",
): void {
  const opening = openingKey(header.initiatorCookie, from);
  if (core.refused.has(opening)) return drop(core, "refusedAgain", from);
  const peer = peerOf(core, from);
  const refuse = (error: NegotiationError, code = error.notify) => {
    rememberRefusal(core, opening);
    if (!core.limiter.allows(core.now, `report ${formatAddress(from.address)}`)) {
      return drop(core, "refused", from, error.message);
    }
    reportRefusal(core, from, peer, error.fault);
    notifyPlain(core, { local: to, remote: from, header }, code);
  };
  if (!peer) {
    return refuse(
      new NegotiationError("NO_PROPOSAL_CHOSEN", {
        item: "Phase 1",
        detail: "no peer is configured for this address, and there is no Default",
        origin: core.configuration.phase1Origin,
        advice: `Add ${formatAddress(from.address)}=PEER or Default=PEER to [Phase 1]`,
      }),
    );
  }
  if (peer.exchange !== name) {
    return refuse(
      new NegotiationError("NO_PROPOSAL_CHOSEN", {
        item: "EXCHANGE_TYPE",
        offered: [name],
        allowed: [peer.exchange],
        origin: peer.origins.exchange ?? peer.origin,
      }),
    );
  }
  const row = rowOf(name, "responder", "START")!;
  let payloads;
  try {
    payloads = decodePayloads(header.nextPayload, body).payloads;
  } catch (error) {
    if (!(error instanceof IsakmpError)) throw error;
    return refuse(new NegotiationError(error.notify, { item: "first message", detail: error.message }));
  }
  const lacks = missing(row.receives!.needs, payloads);
  if (lacks) {
    const detail = `${name} needs ${lacks}`;
    return refuse(new NegotiationError("PAYLOAD_MALFORMED", { item: "first message", detail }));
  }
  makeRoom(core, from);
  const sa = createSa(core, "responder", peer, name, to, from, header.initiatorCookie);
  const exchange = createExchange(core, sa, name, "responder", 0);
  sa.exchanges.set(0, exchange);
  core.halfOpen.add(sa);
  const source = formatAddress(from.address);
  core.halfOpenBySource.set(source, (core.halfOpenBySource.get(source) ?? 0) + 1);
  armGiveUp(core, exchange);
  run(core, exchange, row, { header, from, to, datagram: message, payloads, rest: new Uint8Array(0) });
}

const MOST_REFUSALS = 1024;

/** Copies of a refused first message get no second answer and no second line in the log. */
function rememberRefusal(core: Core, opening: string): void {
  if (core.refused.size >= MOST_REFUSALS) core.refused.delete(core.refused.values().next().value!);
  core.refused.add(opening);
}

/** Bounds what strangers make us remember. */
function makeRoom(core: Core, from: Endpoint): void {
  const source = formatAddress(from.address);
  const evict = (sa: Phase1Sa | undefined) => sa && endPhase1(core, sa, "evicted");
  if ((core.halfOpenBySource.get(source) ?? 0) >= MOST_HALF_OPEN_PER_SOURCE) {
    const isFrom = ({ remote }: Phase1Sa) => equalAddress(remote.address, from.address);
    evict(core.halfOpen.values().find(isFrom) ?? core.reachable.values().find(isFrom));
  }
  if (core.halfOpen.size >= MOST_HALF_OPEN) evict(core.halfOpen.values().next().value);
}

/** The initiator has sent our cookie back. */
export function reached(core: Core, sa: Phase1Sa): void {
  if (!core.halfOpen.delete(sa)) return;
  if (core.reachable.size >= MOST_REACHABLE) endPhase1(core, core.reachable.values().next().value!, "evicted");
  core.reachable.add(sa);
}

function leaveHalfOpen(core: Core, sa: Phase1Sa): void {
  if (!core.halfOpen.delete(sa) && !core.reachable.delete(sa)) return;
  const source = openingAddress(sa);
  const left = core.halfOpenBySource.get(source)! - 1;
  if (left > 0) core.halfOpenBySource.set(source, left);
  else core.halfOpenBySource.delete(source);
}

/**
 * What identifies a peer across SAs: its section, the ID it has proven and, where XAUTH asks for one, the user. Many users
 * may have the ID of one group. `formatId` holds no line feed, so that no ID reads like another one with a user.
 */
const identityKey = (peer: Peer, remoteId: Identification, user?: string): string =>
  `${peer.name} ${remoteId.type} ${formatId(remoteId).toLowerCase()}${user === undefined ? "" : `\n${user}`}`;

/** Established SAs with the same peer as `sa` (the same section and identity), oldest first. */
export function siblings(core: Core, sa: Phase1Sa): Phase1Sa[] {
  return [...core.established.get(sa.identity)].filter((other) => other !== sa);
}

/** Whether we have another SA with this peer, so that INITIAL-CONTACT would be a lie. */
export function knowsOther(core: Core, sa: Phase1Sa): boolean {
  const address = formatAddress(sa.remote.address);
  const same = ({ peer }: { peer: Peer }) => peer.name === sa.peer.name;
  return core.environment.hasOtherSas?.(sa.remote.address) ||
    [...core.establishedByAddress.get(address)].some(same) || [...core.pairsByAddress.get(address)].some(same);
}

/** The peer has proven who it is. */
export function established(core: Core, sa: Phase1Sa): void {
  const { negotiation, terms } = sa;
  leaveHalfOpen(core, sa);
  core.initiating.delete(sa);
  core.openings.delete(sa.opening);
  sa.state = "established";
  sa.establishedAt = core.now;
  sa.negotiation = undefined;
  armSoften(core, sa);
  core.timers.set(sa, "expire", core.now + 1000 * terms!.lifeSeconds);
  sa.initialContact = negotiation!.receivedInitialContact;
  if (!asksUser(sa)) identified(core, sa);
  core.establishedByAddress.add(formatAddress(sa.remote.address), sa);
  // The responder of Aggressive Mode has sent nothing encrypted yet. XAUTH clients wait for a question now, not for this.
  const isLate = sa.role === "responder" && sa.exchangeType === EXCHANGE.AGGRESSIVE && !sa.peer.xauth;
  if (isLate && negotiation!.sendInitialContact) sendProtected(core, sa, [initialContact(sa)]);
  log(core, "SA", 10, () => `Phase 1 with ${describeId(sa.remoteId!)} at ${endpointText(sa.remote)}: ${terms!.text}`);
  reportEstablished(core, sa);
  beginLiveness(core, sa);
  beginExtensions(core, sa);
  phase1Established(core, sa);
}

/** Who the peer is stands fast, its user included: what we had with it before is old. */
export function identified(core: Core, sa: Phase1Sa): void {
  sa.identity = identityKey(sa.peer, sa.remoteId!, sa.extension?.user);
  if (sa.initialContact) forgetOlder(core, sa);
  for (const other of siblings(core, sa)) replace(core, other);
  core.established.add(sa.identity, sa);
}

/** Counts what is encrypted under an SA against its limit in kilobytes (RFC 2409 appendix A). */
export function spend(core: Core, sa: Phase1Sa, octets: number): void {
  const most = 1024 * sa.terms!.lifeKilobytes;
  if (!most || sa.state !== "established") return;
  const before = sa.octets;
  sa.octets += octets;
  const crosses = (limit: number) => before < limit && sa.octets >= limit;
  if (crosses(SOFT_FRACTION[sa.role][0] * most) && !sa.replaced) core.timers.set(sa, "soften", core.now);
  if (crosses(most)) core.timers.set(sa, "expire", core.now);
}

/** A random number from 0 to 1. */
export function fraction(core: Core): number {
  const [a, b, c] = core.environment.random(3);
  return (a << 16 | b << 8 | c) / 2 ** 24;
}

/**
 * A newer SA takes over. The old one is renegotiated no more but lives out its time, as long as the peer answers under it:
 * when both sides began at once, each may hold the other's for the newer one, and neither must delete what the other uses.
 */
function replace(core: Core, sa: Phase1Sa): void {
  sa.replaced = true;
  core.timers.clear(sa, "soften", "keepalive");
}

function armSoften(core: Core, sa: Phase1Sa): void {
  const [least, most] = SOFT_FRACTION[sa.role];
  const life = 1000 * sa.terms!.lifeSeconds;
  core.timers.set(sa, "soften", sa.establishedAt + life * (least + (most - least) * fraction(core)));
}

/** The newest SA of a peer has ended: the one before is the newest again. */
function restore(core: Core, sa: Phase1Sa): void {
  const newest = siblings(core, sa).at(-1);
  if (!newest?.replaced) return;
  newest.replaced = false;
  armSoften(core, newest);
  beginLiveness(core, newest);
}

/**
 * INITIAL-CONTACT: the peer knows nothing of what we had with it before this negotiation began (RFC 2407 4.6.3.3). What
 * was made meanwhile stays: both sides may have begun at once.
 */
export function forgetOlder(core: Core, sa: Phase1Sa): void {
  for (const other of siblings(core, sa)) {
    if (other.establishedAt < sa.startedAt) endPhase1(core, other, "initial contact");
  }
  for (const pair of [...core.pairsByPeer.get(sa.identity)]) {
    if (pair.createdAt < sa.startedAt) removePair(core, pair, "the peer has lost it (INITIAL-CONTACT)");
  }
}

/** Why a phase 1 SA ends; some ways tell the peer. */
export type EndReason =
  | "failed"
  | "evicted"
  | "expired"
  | "deleted by the peer"
  | "dead"
  | "deaf"
  | "lost by the peer"
  | "initial contact"
  | "refused"
  | "closed";

/** Ends of which the peer is told. */
const TOLD: readonly EndReason[] = ["expired", "closed", "refused", "dead", "lost by the peer"];

/** Removes a phase 1 SA with its exchanges. Phase 2 SAs are not bound to it and stay. */
export function endPhase1(core: Core, sa: Phase1Sa, reason: EndReason): void {
  if (sa.state === "dead") return;
  const wasEstablished = sa.state === "established";
  if (wasEstablished && TOLD.includes(reason)) sendDelete(core, sa);
  sa.state = "dead";
  if (reason === "failed" && sa.role === "responder") rememberRefusal(core, sa.opening);
  leaveHalfOpen(core, sa);
  core.initiating.delete(sa);
  core.timers.drop(sa);
  core.sas.delete(cookieKey(sa.initiatorCookie, sa.responderCookie));
  if (core.openings.get(sa.opening) === sa) core.openings.delete(sa.opening);
  for (const exchange of [...sa.exchanges.values()]) {
    if (exchange.finished || exchange.messageId === 0) forget(core, exchange);
    else fail(core, exchange, { code: "ENDED", detail: `phase 1 ended: ${reason}` });
  }
  sa.cbc?.[Symbol.dispose]();
  if (wasEstablished) {
    core.established.delete(sa.identity, sa);
    core.establishedByAddress.delete(formatAddress(sa.remote.address), sa);
    log(core, "SA", 10, () => `Phase 1 with ${endpointText(sa.remote)} (peer ${sa.peer.name}) ended: ${reason}`);
    if (!sa.replaced) {
      reportEnded(core, sa, reason);
      restore(core, sa);
    }
  }
  phase1Lost(core, sa, reason);
}

function sendDelete(core: Core, sa: Phase1Sa): void {
  const spis = concat(sa.initiatorCookie, sa.responderCookie);
  const body = DELETE_LAYOUT.encode({ doi: DOI.IPSEC, protocol: PROTOCOL_ID.ISAKMP, spiOctets: 16, spis });
  sendProtected(core, sa, [{ type: PAYLOAD.DELETE, body }]);
}

/** Soft expiry: a new SA is negotiated while this one still works, if anybody needs one. */
export function softenPhase1(core: Core, sa: Phase1Sa): void {
  if (sa.replaced || sa.state !== "established") return;
  const needed = wantsOf(core, sa.peer).length > 0 ||
    connectionsWith(core.configuration, sa.peer.name).some(({ active }) => active) ||
    core.pairsByPeer.get(sa.identity).size > 0;
  if (!needed || (sa.role === "responder" && !sa.peer.address) || sa.extension?.xauth === "server") return;
  if (!core.initiating.isWith(sa.peer, sa.remote)) initiate(core, sa.peer, sa.local, sa.remote);
}
