/** Informational messages: notifies and deletes, protected (believed) or in clear (a hint). @module */
import { formatAddress } from "../ip/address.ts";
import { describeId } from "../isakmp/identification.ts";
import { bodiesOf, type Payload } from "../isakmp/message.ts";
import { isErrorNotify, nameOf, NOTIFY, PAYLOAD, PROTOCOL_ID } from "../isakmp/numbers.ts";
import { DELETE_LAYOUT, NOTIFY_LAYOUT } from "../isakmp/payloads.ts";
import { type Bytes, concat, equal } from "../octets/bytes.ts";
import { Reader } from "../octets/reader.ts";
import { pump } from "./connections.ts";
import type { Endpoint } from "./events.ts";
import { fail, suspect } from "./exchange.ts";
import { NegotiationError } from "./fault.ts";
import { readLifetime } from "./lifetimes.ts";
import { acceptDpd, answerDpd } from "./liveness.ts";
import { drop, endpointText, log } from "./log.ts";
import { refusedByPeer } from "./refusal.ts";
import { pairOfSpi, removePair } from "./pairs.ts";
import { endPhase1, forgetOlder } from "./phase1_sa.ts";
import { cookieKey } from "./receive.ts";
import type { Context, Core, Phase1Sa } from "./state.ts";

/** Acts on what a protected informational says. */
export function act({ core, sa, message }: Context): void {
  const { payloads } = message!;
  for (const body of bodiesOf(payloads, PAYLOAD.NOTIFY)) actOnNotify(core, sa, NOTIFY_LAYOUT.decode(body));
  for (const body of bodiesOf(payloads, PAYLOAD.DELETE)) actOnDelete(core, sa, DELETE_LAYOUT.decode(body));
}

interface Notify {
  readonly protocol: number;
  readonly type: number;
  readonly spi: Bytes;
  readonly data: Bytes;
}

function actOnNotify(core: Core, sa: Phase1Sa, notify: Notify): void {
  const { type, spi, data, protocol } = notify;
  log(core, "Exchange", 30, () => `Peer ${sa.peer.name} notifies ${nameOf(NOTIFY, type)}`);
  switch (type) {
    case NOTIFY.R_U_THERE:
      return answerDpd(core, sa, spi, data);
    case NOTIFY.R_U_THERE_ACK:
      return acceptDpd(core, sa, spi, data);
    case NOTIFY.RESPONDER_LIFETIME:
      if (protocol === PROTOCOL_ID.ISAKMP) shortenPhase1(core, sa, data);
      return;
    case NOTIFY.INITIAL_CONTACT:
      // After Aggressive Mode, and from peers that always send it by itself.
      if (!equal(spi, concat(sa.initiatorCookie, sa.responderCookie))) return;
      if (sa.identity) forgetOlder(core, sa);
      else sa.initialContact = true; // counts when XAUTH has named the user
      return;
    default:
      if (isErrorNotify(type)) actOnError(core, sa, notify);
  }
}

/** RFC 2407 4.6.3.1 for phase 1: the responder ends the SA earlier than we thought. */
function shortenPhase1(core: Core, sa: Phase1Sa, data: Bytes): void {
  const { seconds } = readLifetime(1, data);
  const before = core.timers.at(sa, "expire");
  if (sa.role !== "initiator" || !seconds || before === undefined) return;
  log(core, "Negotiation", 20, () => `Phase 1 with peer ${sa.peer.name}: RESPONDER-LIFETIME ${seconds} seconds`);
  const expire = sa.establishedAt + 1000 * seconds;
  if (expire >= before) return;
  core.timers.set(sa, "expire", Math.max(expire, core.now));
  if (!sa.replaced) core.timers.set(sa, "soften", Math.max(sa.establishedAt + 850 * seconds, core.now));
}

/**
 * An error belongs to the Quick Mode whose SPI it names, or to the only one we have under way. charon names 0 or none: with
 * several under way it may be about each, so that none waits long or holds up others; those that are answered come up.
 */
function actOnError(core: Core, sa: Phase1Sa, { protocol, spi, type }: Notify): void {
  const ours = [...sa.exchanges.values()].filter(({ name, role, finished }) =>
    name === "QUICK_MODE" && role === "initiator" && !finished
  );
  if (spi.length === 4 && numberOf(spi) !== 0) {
    const named = ours.find((exchange) => exchange.quick?.spis.get(protocol) === numberOf(spi));
    if (named) fail(core, named, refusedByPeer(named, type));
    return;
  }
  if (ours.length === 1) return fail(core, ours[0], refusedByPeer(ours[0], type));
  for (const exchange of ours) suspect(core, exchange, refusedByPeer(exchange, type));
  pump(core, sa);
}

const numberOf = (spi: Bytes) => new Reader(spi).u32();

/** Deletes of the peer's own SAs; phase 2 SAs stay when only their phase 1 goes. */
function actOnDelete(core: Core, sa: Phase1Sa, payload: { protocol: number; spiOctets: number; spis: Bytes }): void {
  const { protocol, spiOctets, spis } = payload;
  const wanted = protocol === PROTOCOL_ID.ISAKMP ? 16 : 4;
  if (spiOctets !== wanted) {
    return drop(core, "delete", sa.remote, `SPIs of ${spiOctets} octets, ${wanted} needed`);
  }
  for (let at = 0; at < spis.length; at += wanted) {
    const spi = spis.subarray(at, at + wanted) as Bytes;
    if (protocol === PROTOCOL_ID.ISAKMP) deletePhase1(core, sa, spi);
    else {
      const pair = pairOfSpi(core, sa, protocol === PROTOCOL_ID.IPSEC_AH ? "ah" : "esp", numberOf(spi));
      if (pair) removePair(core, pair, "deleted by the peer");
    }
  }
}

function deletePhase1(core: Core, sa: Phase1Sa, cookies: Bytes): void {
  const other = core.sas.get(cookieKey(cookies.subarray(0, 8), cookies.subarray(8)));
  if (other?.state !== "established") return;
  const same = other === sa || (other.identity !== "" && other.identity === sa.identity);
  if (same) endPhase1(core, other, "deleted by the peer");
}

/** New Group Mode would let the peer choose the arithmetic. */
export function refuseNewGroup({ sa }: Context): void {
  throw new NegotiationError("UNSUPPORTED_EXCHANGE_TYPE", {
    item: "NEW_GROUP_MODE",
    detail: `groups are configured, not negotiated (peer ${sa.peer.name})`,
  });
}

/**
 * A notify in clear. Nobody vouches for it: an error shortens the wait of a negotiation that it can be about, and becomes
 * the probable reason if nothing better comes. Everything else is ignored. `sealed`: it came under keys of phase 1 instead,
 * which with pre-shared keys shows that these agree.
 */
export function hint(core: Core, sa: Phase1Sa, from: Endpoint, payloads: readonly Payload[], sealed = false): void {
  const exchange = sa.exchanges.get(0);
  for (const body of bodiesOf(payloads, PAYLOAD.NOTIFY)) {
    const { type } = NOTIFY_LAYOUT.decode(body);
    const isAbout = sa.state === "negotiating" && exchange && !exchange.finished && isErrorNotify(type) &&
      equal(from.address.octets, sa.remote.address.octets);
    if (!isAbout || exchange.problem) {
      tellAfterwards(core, sa, from, type);
      drop(core, "hint", from, nameOf(NOTIFY, type));
      continue;
    }
    log(core, "Exchange", 10, () => `${endpointText(from)} says ${nameOf(NOTIFY, type)} without proof`);
    suspect(core, exchange, refusedByPeer(exchange, type, sealed));
  }
}

/** A refusal in clear that comes so soon after phase 1 is probably about our last message of it. */
const AFTERTHOUGHT_MS = 30_000;

/** The initiator may refuse our proof after we have believed its own: that is seen nowhere else on this side. */
function tellAfterwards(core: Core, sa: Phase1Sa, from: Endpoint, type: number): void {
  const isLate = sa.state === "established" && sa.role === "responder" && isErrorNotify(type) &&
    core.now < sa.establishedAt + AFTERTHOUGHT_MS && equal(from.address.octets, sa.remote.address.octets);
  if (!isLate || !core.limiter.allows(core.now, `report ${formatAddress(from.address)}`)) return;
  const why = `it has probably refused our ID ${describeId(sa.localId!)} or our proof; its log says why`;
  log(core, "Exchange", 0, () => `Peer ${sa.peer.name} at ${endpointText(from)} says ${nameOf(NOTIFY, type)}: ${why}`);
}
