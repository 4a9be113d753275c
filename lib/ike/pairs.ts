/** SA pairs: made by a Quick Mode, installed one direction at a time, renegotiated, ended. @module */
import { type Address, equalAddress, formatAddress } from "../ip/address.ts";
import { DOI, PAYLOAD, PROTOCOL_ID } from "../isakmp/numbers.ts";
import { DELETE_LAYOUT } from "../isakmp/payloads.ts";
import type { NegotiatedFlow, NegotiatedSa, SaName } from "./events.ts";
import { log } from "./log.ts";
import { sendProtected, u32 } from "./notify.ts";
import { reportPair, reportPairEnded } from "./outcome.ts";
import type { Core, Phase1Sa, SaPair } from "./state.ts";
import { pairEnded, phase1For, rekeyPair } from "./connections.ts";
import { TIMES } from "./timers.ts";

export const spiKey = (protocol: "esp" | "ah", spi: number, destination: Address) =>
  `${protocol} ${spi} ${formatAddress(destination)}`;

export const protocolName = (protocol: number): "esp" | "ah" => protocol === PROTOCOL_ID.IPSEC_AH ? "ah" : "esp";

export const saName = ({ direction, protocol, spi, source, destination }: SaName): SaName => ({
  direction,
  protocol,
  spi,
  source,
  destination,
});

/** The flow that a pair protects. */
export function flowOf(pair: SaPair): NegotiatedFlow {
  const innermost = pair.protocols[0].outbound;
  return {
    connection: pair.connection.name,
    local: pair.localSelector,
    remote: pair.remoteSelector,
    localAddress: pair.local.address,
    peer: pair.remote.address,
    protocol: innermost.protocol,
    tunnel: pair.tunnel,
    localIdentity: pair.localId,
    remoteIdentity: pair.remoteId,
  };
}

/** All pairs of the same flow; packets leave through the last whose outbound SA is installed. */
export const pairsOfKey = (core: Core, key: string): readonly SaPair[] => core.pairsByKey.get(key) ?? [];

/** The pair whose outbound SA is the newest of its flow. */
export const currentPair = (core: Core, key: string): SaPair | undefined =>
  pairsOfKey(core, key).findLast(({ outboundInstalled }) => outboundInstalled);

/** Enters a pair in all tables; nothing is installed yet. */
export function addPair(core: Core, pair: SaPair): void {
  core.pairs.set(pair.id, pair);
  const same = core.pairsByKey.get(pair.key);
  if (same) same.push(pair);
  else core.pairsByKey.set(pair.key, [pair]);
  core.pairsByConnection.add(pair.connection.name, pair);
  core.pairsByPeer.add(pair.identity, pair);
  core.pairsByAddress.add(formatAddress(pair.remote.address), pair);
  for (const { inbound, outbound } of pair.protocols) {
    for (const sa of [inbound, outbound]) core.pairsBySpi.set(spiKey(sa.protocol, sa.spi, sa.destination), pair);
  }
  core.timers.set(pair, "soften", pair.softAt);
  core.timers.set(pair, "expire", pair.hardAt);
}

function install(core: Core, sas: readonly NegotiatedSa[]): void {
  for (const sa of sas) core.effects.push({ type: "installSa", sa });
  if (sas.length > 1) core.effects.push({ type: "bundle", members: sas.map(saName) });
}

/** The peer may send on it from now on. */
export function installInboundSas(core: Core, pair: SaPair): void {
  pair.inboundInstalled = true;
  install(core, pair.protocols.map(({ inbound }) => inbound));
}

/** The peer can receive on it: it becomes the pair that we send on. */
export function installOutboundSas(core: Core, pair: SaPair): void {
  const before = currentPair(core, pair.key);
  pair.outboundInstalled = true;
  const same = core.pairsByKey.get(pair.key)!;
  same.push(...same.splice(same.indexOf(pair), 1)); // packets leave through the SA that was installed last
  install(core, pair.protocols.map(({ outbound }) => outbound));
  // The flow names the peer, which may be elsewhere now.
  const isThere = before && equalAddress(before.remote.address, pair.remote.address);
  if (!isThere) core.effects.push({ type: "installFlow", flow: flowOf(pair) });
  for (const older of pairsOfKey(core, pair.key)) {
    if (older.doubted) dismissPair(core, older);
    else if (supersedes(pair, older)) {
      core.timers.set(older, "retire", Math.max(retirementOf(older), core.now + TIMES.settleMs));
    }
  }
  log(core, "SA", 10, () => `Pair ${pair.id} of ${pair.connection.name}: ${pair.text}`);
  reportPair(core, pair);
}

/** Removes a pair and its SAs; the flow goes with the last pair. */
export function removePair(core: Core, pair: SaPair, reason: string): void {
  if (!core.pairs.delete(pair.id)) return;
  core.timers.drop(pair);
  core.unconfirmed.delete(pair);
  detach(core, pair);
  core.pairsByConnection.delete(pair.connection.name, pair);
  core.pairsByPeer.delete(pair.identity, pair);
  core.pairsByAddress.delete(formatAddress(pair.remote.address), pair);
  for (const { inbound, outbound } of pair.protocols) {
    for (const sa of [inbound, outbound]) core.pairsBySpi.delete(spiKey(sa.protocol, sa.spi, sa.destination));
    core.effects.push({ type: "removeSa", sa: saName(inbound) });
    if (pair.outboundInstalled) core.effects.push({ type: "removeSa", sa: saName(outbound) });
  }
  if (!pair.outboundInstalled) return;
  const last = currentPair(core, pair.key) === undefined;
  if (last) {
    core.effects.push({ type: "removeFlow", flow: flowOf(pair) });
    reportPairEnded(core, pair, reason);
  }
  pairEnded(core, pair, reason, last);
}

/** Takes a pair out of its flow's list. What was hidden behind it may have to be renegotiated now. */
function detach(core: Core, pair: SaPair): void {
  const same = core.pairsByKey.get(pair.key);
  const at = same?.indexOf(pair) ?? -1;
  if (at < 0) return;
  same!.splice(at, 1);
  if (same!.length === 0) core.pairsByKey.delete(pair.key);
  const newest = same!.at(-1);
  if (
    at === same!.length && newest && (newest.softAt <= core.now || newest.doubted) && newest.hardAt > core.now
  ) {
    core.timers.set(newest, "soften", core.now + TIMES.reconnectMs);
  }
}

/** Soft expiry: the newest pair of a flow is renegotiated, older ones live out their time. */
export function softenPair(core: Core, pair: SaPair): void {
  if (pairsOfKey(core, pair.key).at(-1) === pair) rekeyPair(core, pair);
}

/**
 * Whether a pair was made to replace another, for both sides. Of two that were made at about the same time, because both
 * sides began, each may hold the other's for the newer one.
 */
const supersedes = (newer: SaPair, older: SaPair) =>
  newer.outboundInstalled && newer.createdAt - older.createdAt > (older.hardAt - older.createdAt) / 2;

const retirementOf = (pair: SaPair) => pair.hardAt - Math.min(TIMES.retireMs, 0.05 * (pair.hardAt - pair.createdAt));

/**
 * Shortly before the time of a replaced pair is over the peer is told: it may still send on it (charon does), and so what is
 * on its way then finds its SA.
 */
export function retirePair(core: Core, pair: SaPair): void {
  const newest = pairsOfKey(core, pair.key).at(-1);
  if (newest && (pair.doubted || supersedes(newest, pair))) sendDeletes(core, pair);
}

/**
 * A phase 1 SA has ended because the peer has lost it. What was made under it and others that have ended may be lost, too: it
 * is found out, as soon as there is a phase 1 SA for that.
 */
export function doubtPairs(core: Core, identity: string): void {
  const phase1 = new Set([...core.established.get(identity)].map(({ id }) => id));
  for (const pair of [...core.pairsByPeer.get(identity)]) {
    if (phase1.has(pair.phase1)) continue;
    pair.doubted = true;
    if (phase1.size) resolveDoubt(core, pair);
  }
}

/**
 * The peer may have lost a pair. If another one is in use for the same packets, it is not needed; else renegotiation tells:
 * the pair ends when the new one is there, or when the peer refuses.
 */
export function resolveDoubt(core: Core, pair: SaPair): void {
  const isListed = pairsOfKey(core, pair.key).includes(pair);
  if (isListed && currentPair(core, pair.key)?.doubted !== false) softenPair(core, pair);
  else dismissPair(core, pair);
}

/** Ends a pair that another one replaces, as soon as both sides can be expected to use that. */
export function dismissPair(core: Core, pair: SaPair): void {
  const retireAt = core.now + TIMES.settleMs, end = retireAt + TIMES.retireMs;
  if (pair.hardAt <= end) return;
  pair.hardAt = end;
  core.timers.set(pair, "retire", retireAt);
  core.timers.set(pair, "expire", end);
}

export function expirePair(core: Core, pair: SaPair): void {
  sendDeletes(core, pair);
  removePair(core, pair, "its lifetime has ended");
}

/** Tells the peer that a pair is gone: the SPIs it sends to (RFC 2408 3.15). */
export function sendDeletes(core: Core, pair: SaPair, under: Phase1Sa | undefined = phase1For(core, pair)): void {
  if (!under) return;
  const payloads = pair.protocols.map(({ protocol, inbound }) => ({
    type: PAYLOAD.DELETE,
    body: DELETE_LAYOUT.encode({ doi: DOI.IPSEC, protocol, spiOctets: 4, spis: u32(inbound.spi) }),
  }));
  sendProtected(core, under, payloads);
}

/** DELETEs are not acknowledged: so many are sent, each after twice the time of the one before. */
const FAREWELLS = 6;
const FAREWELL_MS = 5_000;

/**
 * The responder never heard HASH(3): the initiator may believe in the pair or not. What it sends is still taken, but it is
 * told to forget the pair, again and again, and as soon as it is heard of.
 */
export function leaveUnconfirmed(core: Core, pair: SaPair): void {
  detach(core, pair);
  core.timers.clear(pair, "soften");
  core.unconfirmed.add(pair);
  bidFarewell(core, pair);
}

/** Sends one farewell and plans the next. */
export function bidFarewell(core: Core, pair: SaPair, under?: Phase1Sa): void {
  if (pair.farewells >= FAREWELLS) {
    core.unconfirmed.delete(pair);
    return;
  }
  const pauseMs = FAREWELL_MS * 2 ** pair.farewells++;
  pair.farewellAt = core.now + FAREWELL_MS;
  sendDeletes(core, pair, under);
  core.timers.set(pair, "farewell", core.now + pauseMs);
}

/** A peer was just heard of: now it will hear us, too. */
export function bidFarewells(core: Core, sa: Phase1Sa): void {
  for (const pair of core.unconfirmed) {
    if (pair.identity === sa.identity && core.now >= pair.farewellAt) bidFarewell(core, pair, sa);
  }
}

/** The pair of an SPI that a peer deletes: the one it receives on, or by a common mistake the one it sends on. */
export function pairOfSpi(core: Core, sa: Phase1Sa, protocol: "esp" | "ah", spi: number): SaPair | undefined {
  const pair = core.pairsBySpi.get(spiKey(protocol, spi, sa.remote.address)) ??
    core.pairsBySpi.get(spiKey(protocol, spi, sa.local.address));
  return pair?.identity === sa.identity ? pair : undefined;
}

/** The peer's NAT gave it another port: outbound SAs go there from now on, inbound ones come from there. */
export function movePairs(core: Core, sa: Phase1Sa, from: SaPair["remote"], to: SaPair["remote"]): void {
  const moved: SaName[] = [];
  for (const pair of core.pairsByPeer.get(sa.identity)) {
    if (!equalAddress(pair.remote.address, from.address) || pair.remote.port !== from.port) continue;
    pair.remote = to;
    for (const each of pair.protocols) {
      for (const direction of ["inbound", "outbound"] as const) {
        const before = each[direction];
        const encapsulation = before.encapsulation && { ...before.encapsulation, remotePort: to.port };
        each[direction] = { ...before, encapsulation };
        if (encapsulation && pair[`${direction}Installed`]) moved.push(saName(before));
      }
    }
  }
  core.effects.push({ type: "peerMoved", local: sa.local, from, remote: to, sas: moved });
}
