/**
 * Connections that should be up: who wants them, over which phase 1 SA they are negotiated, and the watchdog that makes
 * them again.
 *
 * @module
 */
import { equalAddress, formatAddress, isAddress, parseAddress, unspecified } from "../ip/address.ts";
import { describeSelector, equalSelector, withinSelector } from "../isakmp/identification.ts";
import type { Connection, Peer } from "./configuration.ts";
import type { AcquireRequest, Endpoint, Fault } from "./events.ts";
import { beginProtected } from "./exchange.ts";
import { log } from "./log.ts";
import { removeDead } from "./liveness.ts";
import {
  bidFarewells,
  currentPair,
  dismissPair,
  doubtPairs,
  leaveUnconfirmed,
  pairsOfKey,
  protocolName,
  removePair,
  resolveDoubt,
  sendDeletes,
  softenPair,
} from "./pairs.ts";
import { endPhase1, type EndReason, initiate, peerOf } from "./phase1_sa.ts";
import type { Core, Exchange, Phase1Sa, SaPair, Want } from "./state.ts";
import { TIMES } from "./timers.ts";
import { connectionNamed, peerNamed } from "./indexes.ts";

/** Quick Modes begun at once under one phase 1 SA: charon forgets more than three. */
const MOST_QUICK_MODES = 3;

type Selectors = Pick<Want, "localSelector" | "remoteSelector">;

function wantKey({ name }: Connection, remote: Endpoint, { localSelector, remoteSelector }: Selectors = {}): string {
  const words = [localSelector, remoteSelector].map((selector) => selector ? describeSelector(selector) : "-");
  return [name, formatAddress(remote.address), ...words].join(" ");
}

/** What of a pair's selectors does not follow from its connection: road warriors' addresses, narrower answers. */
function ownSelectors({ localId, remoteId, anyRemote }: Connection, pair: SaPair): Selectors {
  const isHostToHost = !localId && !remoteId && !anyRemote;
  return {
    localSelector: localId && !equalSelector(localId, pair.localSelector) ? pair.localSelector : undefined,
    remoteSelector: isHostToHost || (remoteId && equalSelector(remoteId, pair.remoteSelector))
      ? undefined
      : pair.remoteSelector,
  };
}

/** Whether packets of a connection can be sent. */
export const isUp = (core: Core, name: string): boolean =>
  [...core.pairsByConnection.get(name)].some(({ outboundInstalled }) => outboundInstalled);

/** Where we are, towards a peer. */
function localEndpoint(core: Core, peer: Peer, remote: Endpoint): Endpoint {
  const address = peer.localAddress ?? core.environment.localAddressFor?.(remote.address) ??
    unspecified(remote.address.family);
  return { address, port: core.ports.ike };
}

/** Brings up a connection of the configuration. Returns what hinders it. */
export function connect(core: Core, name: string): string | undefined {
  const connection = connectionNamed(core.configuration, name);
  if (!connection) return `no connection is called ${name}`;
  core.suspended.delete(name);
  const peer = peerNamed(core.configuration, connection.peer);
  if (!peer) return `connection ${name} has no peer ${connection.peer}`;
  if (!peer.address) return `peer ${peer.name} of connection ${name} has no Address: only it can begin`;
  if (isUp(core, name)) return undefined;
  const remote = { address: peer.address, port: peer.port };
  want(core, { key: wantKey(connection, remote), connection, peer, remote });
  return undefined;
}

function want(core: Core, wanted: Want): void {
  const known = core.wants.get(wanted.key);
  if (!known) core.wants.set(wanted.key, wanted);
  else if (wanted.anew) known.anew = true;
  pursue(core, known ?? wanted);
}

/** The newest established phase 1 SA over which a want can be negotiated. */
function phase1Of(core: Core, { peer, remote, identity }: Want): Phase1Sa | undefined {
  const candidates = identity !== undefined
    ? core.established.get(identity)
    : core.establishedByAddress.get(formatAddress(remote.address));
  return [...candidates].findLast((sa) => sa.peer.name === peer.name);
}

/** The newest established phase 1 SA with the peer of a pair. */
export const phase1For = (core: Core, pair: SaPair): Phase1Sa | undefined =>
  [...core.established.get(pair.identity)].at(-1);

const isUnderWay = (core: Core, { peer, remote }: Pick<Want, "peer" | "remote">) =>
  core.initiating.isWith(peer, remote);

/** Those that the peer has probably refused hold up no other. */
const runningQuickModes = (sa: Phase1Sa) =>
  [...sa.exchanges.values()].filter(({ name, role, finished, problem }) =>
    name === "QUICK_MODE" && role === "initiator" && !finished && !problem
  ).length;

/** Takes the next step towards a want: Quick Mode, or phase 1 first. */
function pursue(core: Core, wanted: Want): void {
  if (wanted.exchange || core.wants.get(wanted.key) !== wanted) return;
  const sa = phase1Of(core, wanted);
  if (sa) {
    if (sa.extension?.ready === false || runningQuickModes(sa) >= MOST_QUICK_MODES) return;
    const { connection, localSelector, remoteSelector } = wanted;
    const assigned = sa.extension?.xauth !== "server" ? sa.extension?.assigned : undefined;
    const host = (octets: Endpoint["address"]["octets"]) => ({
      prefix: {
        address: { family: octets.length === 4 ? 4 as const : 6 as const, octets },
        length: 8 * octets.length,
      },
      protocol: 0,
      port: 0,
    });
    const local = localSelector ?? connection.localId ?? host(assigned ?? sa.local.address.octets);
    const remote = remoteSelector ?? connection.remoteId ?? host(sa.remote.address.octets);
    beginProtected(core, sa, "QUICK_MODE", (exchange) => {
      wanted.exchange = exchange;
      exchange.quick = {
        want: wanted,
        connection,
        key: "",
        local,
        remote,
        suites: connection.suites,
        withIds: connection.localId !== undefined || connection.remoteId !== undefined || assigned !== undefined ||
          localSelector !== undefined,
        spis: new Map(),
      };
    });
    return;
  }
  if (isUnderWay(core, wanted)) return;
  const { peer, remote } = wanted;
  initiate(core, peer, wanted.local ?? localEndpoint(core, peer, remote), remote);
}

/** Wants with a peer section. */
export const wantsOf = (core: Core, peer: Peer): Want[] => core.wants.ofPeer(peer.name);

const concerns = (wanted: Want, sa: Phase1Sa) =>
  wanted.peer.name === sa.peer.name &&
  (wanted.identity !== undefined && sa.identity
    ? wanted.identity === sa.identity
    : equalAddress(wanted.remote.address, sa.remote.address));

/** The connection on whose behalf a phase 1 SA is negotiated. */
export const waitingFor = (core: Core, sa: Phase1Sa): string | undefined =>
  sa.role === "initiator" ? wantsOf(core, sa.peer).find((wanted) => concerns(wanted, sa))?.connection.name : undefined;

/** Begins what waits for a phase 1 SA, as far as it can carry more. */
export function pump(core: Core, sa: Phase1Sa): void {
  for (const wanted of wantsOf(core, sa.peer)) if (concerns(wanted, sa)) pursue(core, wanted);
}

/** Phase 1 can carry Quick Modes now. */
export function phase1Established(core: Core, sa: Phase1Sa): void {
  if (core.unconfirmed.size) bidFarewells(core, sa);
  for (const pair of [...core.pairsByPeer.get(sa.identity)]) if (pair.doubted) resolveDoubt(core, pair);
  if (sa.probes !== undefined) {
    // The peer lives; whether it still has the pairs a Quick Mode for each tells.
    for (const pair of [...core.pairsByPeer.get(sa.identity)]) softenPair(core, pair);
  }
  pump(core, sa);
}

/**
 * A want has come to nothing for now. What it should have replaced is tried again, as long as it lives; a pair that the peer
 * has probably lost ends when the peer, which is there, does not renegotiate it (`isAnswer`).
 */
function abandon(core: Core, wanted: Want, isAnswer: boolean): void {
  if (core.wants.get(wanted.key) === wanted) core.wants.delete(wanted.key);
  const { replaces } = wanted;
  if (replaces && pairsOfKey(core, replaces.key).at(-1) === replaces) {
    if (replaces.doubted && isAnswer) {
      sendDeletes(core, replaces);
      removePair(core, replaces, "the peer has lost its phase 1 SA and does not renegotiate it");
      return;
    }
    core.timers.set(replaces, "soften", core.now + TIMES.rekeyRetryMs);
  }
}

/** Phase 1 has ended or could not be made. */
export function phase1Lost(core: Core, sa: Phase1Sa, reason: EndReason): void {
  if ((reason === "failed" && sa.role === "initiator") || reason === "refused") {
    for (const wanted of wantsOf(core, sa.peer)) {
      if (!concerns(wanted, sa) || wanted.exchange || isUnderWay(core, wanted)) continue;
      if (phase1Of(core, wanted)) pursue(core, wanted);
      else abandon(core, wanted, false);
    }
  }
  if (reason === "dead") checkSoon(core);
  const isProbe = reason === "failed" && sa.probes !== undefined;
  if (isProbe && core.established.get(sa.probes!).size === 0) removeDead(core, sa.probes!);
  if (reason === "expired" || reason === "deleted by the peer") probe(core, sa);
}

/**
 * Pairs whose peer cannot be asked whether it lives get a new phase 1 SA for that (RFC 3706 5.4) and are renegotiated
 * under it; a peer that does not answer is dead.
 */
function probe(core: Core, { peer, local, remote, identity, capabilities }: Phase1Sa): void {
  const isNeeded = peer.dpdSeconds > 0 && capabilities.has("dpd") && core.pairsByPeer.get(identity).size > 0;
  if (!isNeeded || !core.started || core.established.get(identity).size > 0) return;
  if (!peer.address || isUnderWay(core, { peer, remote })) return;
  initiate(core, peer, local, remote, identity);
}

/** A Quick Mode has failed: what it held is released. */
export function exchangeEnded(core: Core, exchange: Exchange, fault: Fault): void {
  const { quick, sa } = exchange;
  if (!quick) return;
  if (quick.pair && core.pairs.has(quick.pair.id)) leaveUnconfirmed(core, quick.pair);
  else for (const protocol of [...quick.spis.keys()]) releaseSpi(core, exchange, protocol);
  const wanted = quick.want;
  if (wanted) {
    wanted.exchange = undefined;
    // Not a word under this phase 1 SA: the peer has probably lost it, so it is made again.
    const isDeaf = fault.code === "TIMEOUT" && sa.state === "established" && sa.dpd!.heardAt < exchange.startedAt;
    if (isDeaf) {
      endPhase1(core, sa, "deaf");
      doubtPairs(core, sa.identity);
      pursue(core, wanted);
    } else abandon(core, wanted, fault.code !== "ENDED");
  }
  if (sa.state === "established") pump(core, sa);
}

/** Gives back a reserved SPI of an exchange. */
export function releaseSpi(core: Core, { quick, sa }: Exchange, protocol: number): void {
  giveBackSpi(core, sa, protocolName(protocol), quick!.spis.get(protocol)!);
  quick!.spis.delete(protocol);
}

/** Gives back an SPI that was reserved for what `sa` negotiates. */
export function giveBackSpi(core: Core, sa: Phase1Sa, protocol: "esp" | "ah", spi: number): void {
  core.effects.push({
    type: "removeSa",
    sa: { direction: "in", protocol, spi, source: sa.remote.address, destination: sa.local.address },
  });
}

/** A pair can be used: whoever wanted it is served, whichever side began. */
export function pairEstablished(core: Core, exchange: Exchange, pair: SaPair): void {
  const own = exchange.quick!.want;
  if (own?.anew) {
    for (const older of pairsOfKey(core, pair.key)) if (older.createdAt < exchange.startedAt) dismissPair(core, older);
  }
  if (own && core.wants.get(own.key) === own) core.wants.delete(own.key);
  const key = wantKey(pair.connection, pair.remote, ownSelectors(pair.connection, pair));
  const other = core.wants.get(key);
  if (other && !other.exchange) core.wants.delete(key);
  pump(core, exchange.sa);
}

/** FIFO `c` for a connection that is up: its peer may have lost it, so each of its pairs is negotiated anew. */
export function renewConnection(core: Core, name: string): void {
  for (const pair of [...core.pairsByConnection.get(name)]) {
    if (currentPair(core, pair.key) === pair) rekeyPair(core, pair, true);
  }
}

/** Renegotiates a pair that is about to expire, unless its connection is configured no more. */
export function rekeyPair(core: Core, pair: SaPair, anew = false): void {
  const configured = connectionNamed(core.configuration, pair.connection.name);
  if (!configured && !pair.connection.dynamic) return;
  const connection = configured ?? pair.connection;
  const peer = peerNamed(core.configuration, connection.peer) ?? pair.peer;
  if (!phase1For(core, pair) && !peer.address && peer.xauth) return;
  const selectors = ownSelectors(connection, pair);
  want(core, {
    key: wantKey(connection, pair.remote, selectors),
    connection,
    peer,
    remote: pair.remote,
    local: pair.local,
    identity: pair.identity,
    ...selectors,
    replaces: pair,
    anew,
  });
}

/** A pair that was in use is gone. */
export function pairEnded(core: Core, pair: SaPair, reason: string, last: boolean): void {
  if (!last || !pair.connection.active || core.suspended.has(pair.connection.name)) return;
  log(core, "SA", 20, () => `Connection ${pair.connection.name} is down: ${reason}`);
  if (!reason.startsWith("deleted")) checkSoon(core);
}

function checkSoon(core: Core): void {
  if (!core.started) return;
  const at = core.now + TIMES.reconnectMs;
  const planned = core.timers.at(core, "check");
  if (planned === undefined || planned > at) core.timers.set(core, "check", at);
}

/** The watchdog: connections that should be up and are not. */
export function checkConnections(core: Core): void {
  core.timers.set(core, "check", core.now + 1000 * core.configuration.checkIntervalSeconds);
  if (core.passive) return;
  for (const { name, active } of core.configuration.connections) {
    if (active && !core.suspended.has(name) && !isUp(core, name)) connect(core, name);
  }
}

/** The kernel has a packet and no SA for it. Returns what hinders a negotiation. */
export function acquire(core: Core, request: AcquireRequest): string | undefined {
  const { connections, defaultSuites } = core.configuration;
  const fits = (connection: Connection) => {
    const peer = peerNamed(core.configuration, connection.peer);
    return (!peer?.address || equalAddress(peer.address, request.peer)) &&
      (!connection.localId || withinSelector(connection.localId, request.local)) &&
      (!connection.remoteId || withinSelector(connection.remoteId, request.remote)) &&
      (connection.localId !== undefined || connection.remoteId !== undefined ||
        isHostToHost(request));
  };
  const named = request.connection ? connectionNamed(core.configuration, request.connection) : undefined;
  const connection = named ?? connections.find(fits);
  if (connection) {
    const peer = peerNamed(core.configuration, connection.peer);
    if (peer?.address) return connect(core, connection.name);
  }
  const to = { address: request.peer, port: 500 };
  const peer = connection ? peerNamed(core.configuration, connection.peer) : peerOf(core, to);
  const where = formatAddress(request.peer);
  if (!peer) return `no peer is configured for ${where}, and there is no Default`;
  const remote = { address: request.peer, port: peer.port };
  const suites = connection?.suites ?? defaultSuites;
  if (suites.length === 0) return `no suites for ${where}: no connection fits, and there is no Default-phase-2-suites`;
  const host = isHostToHost(request);
  const dynamic: Connection = connection ?? {
    name: host ? `acquire-${where}` : `acquire-${describeSelector(request.local)}-${describeSelector(request.remote)}`,
    peer: peer.name,
    suites,
    localId: host ? undefined : request.local,
    remoteId: host ? undefined : request.remote,
    active: false,
    passive: false,
    dynamic: true,
    origin: peer.origin,
    origins: {},
  };
  const selectors = connection && !host ? { localSelector: request.local, remoteSelector: request.remote } : {};
  want(core, {
    key: wantKey(dynamic, remote, selectors),
    connection: dynamic,
    peer,
    remote,
    local: request.localAddress && { address: request.localAddress, port: core.ports.ike },
    ...selectors,
  });
  return undefined;
}

function isHostToHost({ local, remote, peer, localAddress }: AcquireRequest): boolean {
  const single = ({ prefix }: typeof local) => prefix.length === 8 * prefix.address.octets.length;
  return single(remote) && single(local) && equalAddress(remote.prefix.address, peer) &&
    (!localAddress || equalAddress(local.prefix.address, localAddress));
}

/** An address as we write it, of any spelling; other names as they are. */
const spelled = (name: string): string => isAddress(name) ? formatAddress(parseAddress(name)) : name;

/** The connections that a name means: that of this name, or all with the peer at this address. */
export function connectionsNamed(core: Core, name: string): string[] {
  const { connections, peers } = core.configuration;
  if (connections.some((connection) => connection.name === name) || core.pairsByConnection.get(name).size) {
    return [name];
  }
  const text = spelled(name);
  const isThere = (address: Peer["address"]) => address !== undefined && formatAddress(address) === text;
  const there = new Set(peers.filter(({ address }) => isThere(address)).map((peer) => peer.name));
  return [
    ...new Set([
      ...connections.filter(({ peer }) => there.has(peer)).map((connection) => connection.name),
      ...[...core.pairsByAddress.get(text)].map(({ connection }) => connection.name),
    ]),
  ];
}

/** Takes connections down and keeps them down. `name`: one, or the address of a peer. Returns what hinders it. */
export function teardown(core: Core, name: string): string | undefined {
  const names = connectionsNamed(core, name);
  if (names.length === 0) return `no connection is called ${name}`;
  for (const each of names) {
    core.suspended.add(each);
    for (const [key, wanted] of core.wants) if (wanted.connection.name === each) core.wants.delete(key);
    for (const pair of [...core.pairsByConnection.get(each)]) {
      sendDeletes(core, pair);
      removePair(core, pair, "torn down");
    }
  }
  return undefined;
}

/** Ends the phase 1 SAs with a peer section or address. Returns what hinders it. */
export function teardownPhase1(core: Core, name: string): string | undefined {
  const text = spelled(name);
  const found = [...core.sas.values()].filter((sa) =>
    sa.peer.name === name || formatAddress(sa.remote.address) === text
  );
  if (found.length === 0) return `no phase 1 SA with ${name}`;
  for (const sa of found) endPhase1(core, sa, sa.state === "established" ? "closed" : "failed");
  return undefined;
}
