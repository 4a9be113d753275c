/** Is the peer there, and where: dead peer detection (RFC 3706), NAT keepalives, peers that move behind their NAT. @module */
import { equalAddress, formatAddress } from "../ip/address.ts";
import { NOTIFY, PROTOCOL_ID } from "../isakmp/numbers.ts";
import { type Bytes, concat, equal } from "../octets/bytes.ts";
import { Reader } from "../octets/reader.ts";
import type { Endpoint } from "./events.ts";
import { count, endpointText, log } from "./log.ts";
import { notifyPayload, sendProtected, u32 } from "./notify.ts";
import { bidFarewells, doubtPairs, movePairs, removePair, sendDeletes, softenPair } from "./pairs.ts";
import { endPhase1, siblings } from "./phase1_sa.ts";
import type { Core, Phase1Sa } from "./state.ts";
import { TIMES } from "./timers.ts";

const cookies = (sa: Phase1Sa) => concat(sa.initiatorCookie, sa.responderCookie);

/** Silence after which we ask; the responder waits a little longer, so that one question tells both. */
const silenceMs = ({ peer, role }: Phase1Sa) => 1000 * peer.dpdSeconds * (role === "initiator" ? 1 : 1.2);

/** Arms what watches an established SA. */
export function beginLiveness(core: Core, sa: Phase1Sa): void {
  const [a, b, c, d] = core.environment.random(4);
  // RFC 3706 6.2: a random start with its top bit clear.
  const sequence = (a & 0x7f) << 24 | b << 16 | c << 8 | d;
  sa.dpd ??= { sequence, heardAt: core.now, answeredAt: -Infinity };
  if (sa.peer.dpdSeconds > 0 && sa.capabilities.has("dpd")) {
    core.timers.set(sa, "dpd", core.now + silenceMs(sa));
  }
  armKeepalive(core, sa);
}

function armKeepalive(core: Core, sa: Phase1Sa): void {
  const seconds = core.configuration.natKeepaliveSeconds;
  if (sa.nat?.localBehind && seconds > 0) core.timers.set(sa, "keepalive", core.now + 1000 * seconds);
}

/** One octet keeps the NAT's mapping (RFC 3948 4). */
export function keepAlive(core: Core, sa: Phase1Sa): void {
  core.effects.push({ type: "keepalive", local: sa.local, remote: sa.remote });
  armKeepalive(core, sa);
}

/** Something authenticated came. */
export function heard(core: Core, sa: Phase1Sa, from: Endpoint, to: Endpoint): void {
  if (sa.dpd) sa.dpd.heardAt = core.now;
  followPeer(core, sa, from, to);
  if (core.unconfirmed.size) bidFarewells(core, sa);
}

/**
 * The one who is not behind a NAT follows the other (RFC 3947 4, RFC 3948 5). An SA is named by where it goes: another port
 * changes it, another address needs new ones, and whoever only makes it seem that the peer has moved cannot negotiate them.
 */
export function followPeer(core: Core, sa: Phase1Sa, from: Endpoint, to: Endpoint): void {
  const { remote, nat } = sa;
  const stays = equalAddress(from.address, remote.address);
  if ((stays && from.port === remote.port) || !nat?.remoteBehind || nat.localBehind) return;
  log(core, "SA", 10, () => `Peer ${sa.peer.name} moved from ${endpointText(remote)} to ${endpointText(from)}`);
  core.establishedByAddress.delete(formatAddress(remote.address), sa);
  sa.remote = from;
  sa.local = to;
  if (sa.state === "established") core.establishedByAddress.add(formatAddress(from.address), sa);
  if (stays) movePairs(core, sa, remote, from);
  else for (const pair of [...core.pairsByPeer.get(sa.identity)]) softenPair(core, pair);
}

/** Packets of the peer came through one of its SAs: it lives (RFC 3706 5). */
export function heardTraffic(core: Core, sa: Phase1Sa): void {
  if (sa.dpd) sa.dpd.heardAt = core.now;
}

/**
 * The DPD timer: after silence, ask; after unanswered questions, the peer is dead, or has lost an SA that a newer one
 * replaced.
 */
export function checkPeer(core: Core, sa: Phase1Sa): void {
  const { dpd } = sa;
  if (!dpd) return;
  const idleFrom = dpd.heardAt + silenceMs(sa);
  if (idleFrom > core.now) {
    dpd.pending = undefined;
    core.timers.set(sa, "dpd", idleFrom);
    return;
  }
  if (dpd.pending && dpd.pending.tries >= TIMES.dpdTries) {
    const { since, lives } = dpd.pending;
    if (!sa.replaced) return peerDied(core, sa);
    if (lives) return lostByPeer(core, sa);
    // A newer SA will tell whether the peer lives. If so, it is asked as often again: it may have been cut off.
    if (!siblings(core, sa).some((other) => other.dpd!.heardAt > since)) {
      return core.timers.set(sa, "dpd", core.now + TIMES.dpdRetryMs);
    }
    dpd.pending = { ...dpd.pending, tries: 0, lives: true };
  }
  if (dpd.pending) dpd.pending.tries++;
  else {
    dpd.pending = { sequence: dpd.sequence, since: core.now, tries: 1 };
    dpd.sequence = (dpd.sequence + 1) >>> 0;
  }
  sendDpd(core, sa, NOTIFY.R_U_THERE, u32(dpd.pending.sequence));
  core.timers.set(sa, "dpd", core.now + TIMES.dpdRetryMs);
}

function sendDpd(core: Core, sa: Phase1Sa, type: number, data: Bytes): void {
  sendProtected(core, sa, [notifyPayload(type, PROTOCOL_ID.ISAKMP, cookies(sa), data)]);
}

/** Nobody answers: everything with this peer is forgotten, and made again where it is wanted. */
function peerDied(core: Core, sa: Phase1Sa): void {
  count(core, "deadPeers");
  const key = sa.identity;
  for (const pair of core.pairsByPeer.get(key)) sendDeletes(core, pair, sa); // should it only be cut off
  for (const other of siblings(core, sa)) endPhase1(core, other, "dead");
  endPhase1(core, sa, "dead");
  removeDead(core, key);
}

/**
 * A living peer does not answer under a replaced SA: it has started anew without INITIAL-CONTACT, or only forgotten the SA.
 * Pairs outlive their phase 1 SA; which of them it still has is to be found out.
 */
function lostByPeer(core: Core, sa: Phase1Sa): void {
  count(core, "lostByPeer");
  endPhase1(core, sa, "lost by the peer");
  doubtPairs(core, sa.identity);
}

/** Removes the pairs of a dead peer, by its identity. */
export function removeDead(core: Core, identity: string): void {
  for (const pair of [...core.pairsByPeer.get(identity)]) removePair(core, pair, "the peer does not answer (DPD)");
}

/** R-U-THERE: answered when its number is new, repeats at most once a second (isakmpd repeats the number). */
export function answerDpd(core: Core, sa: Phase1Sa, spi: Bytes, data: Bytes): void {
  const { dpd } = sa;
  if (!dpd || data.length !== 4 || !equal(spi, cookies(sa))) return count(core, "dpdMalformed");
  const sequence = new Reader(data).u32();
  const last = dpd.peerSequence;
  if (last !== undefined && sequence < last) return count(core, "dpdOld");
  if (sequence === last && core.now - dpd.answeredAt < 1000) return count(core, "dpdRepeated");
  dpd.peerSequence = sequence;
  dpd.answeredAt = core.now;
  sendDpd(core, sa, NOTIFY.R_U_THERE_ACK, data);
}

/** R-U-THERE-ACK: only the pending number counts. */
export function acceptDpd(core: Core, sa: Phase1Sa, spi: Bytes, data: Bytes): void {
  const { dpd } = sa;
  if (!dpd?.pending || data.length !== 4 || !equal(spi, cookies(sa))) return;
  if (new Reader(data).u32() !== dpd.pending.sequence) return count(core, "dpdUnexpected");
  dpd.pending = undefined;
  core.timers.set(sa, "dpd", core.now + silenceMs(sa));
}
