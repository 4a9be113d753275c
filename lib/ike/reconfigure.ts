/**
 * Another configuration takes over (SIGHUP, FIFO edits). What it does not have any more ends, with DELETEs; what it has as
 * before is not touched; what is negotiated from now on follows it.
 *
 * @module
 */
import { type Address, equalAddress } from "../ip/address.ts";
import { type ClientSelector, equalSelector } from "../isakmp/identification.ts";
import type { Configuration, Connection, Peer } from "./configuration.ts";
import { checkConnections } from "./connections.ts";
import { fail } from "./exchange.ts";
import { connectionNamed, peerNamed } from "./indexes.ts";
import { removePair, sendDeletes } from "./pairs.ts";
import { endPhase1 } from "./phase1_sa.ts";
import type { Core, SaPair, Want } from "./state.ts";

const GONE = "no longer configured";

const same = <T>(equal: (a: T, b: T) => boolean, a: T | undefined, b: T | undefined): boolean =>
  a === undefined || b === undefined ? a === b : equal(a, b);

const sameAddress = (a: Address | undefined, b: Address | undefined) => same(equalAddress, a, b);
const sameSelector = (a: ClientSelector | undefined, b: ClientSelector | undefined) => same(equalSelector, a, b);

/** Whether a peer is where it was. */
const staysPeer = (before: Peer, after: Peer | undefined): after is Peer =>
  after !== undefined && sameAddress(before.address, after.address);

/** Whether a connection is for the packets and the peer that it was for; suites may differ. */
const staysConnection = (before: Connection, after: Connection | undefined): after is Connection =>
  after !== undefined && before.peer === after.peer && sameSelector(before.localId, after.localId) &&
  sameSelector(before.remoteId, after.remoteId);

/** Puts `configuration` into use. With `restart` connections that were torn down by hand count as never touched. */
export function reconfigure(core: Core, configuration: Configuration, restart: boolean): void {
  const stays = ({ connection, peer }: SaPair | Want) =>
    staysPeer(peer, peerNamed(configuration, peer.name)) &&
    (connection.dynamic || staysConnection(connection, connectionNamed(configuration, connection.name)));

  core.configuration = configuration;
  if (restart) core.suspended.clear();
  for (const [key, wanted] of [...core.wants]) {
    if (stays(wanted)) {
      wanted.peer = peerNamed(configuration, wanted.peer.name)!;
      wanted.connection = connectionNamed(configuration, wanted.connection.name) ?? wanted.connection;
      continue;
    }
    core.wants.delete(key);
    if (wanted.exchange) fail(core, wanted.exchange, { code: "ENDED", detail: GONE });
  }
  for (const pair of [...core.pairs.values()]) {
    if (stays(pair)) continue;
    sendDeletes(core, pair);
    removePair(core, pair, GONE);
  }
  for (const sa of new Set([...core.sas.values(), ...core.openings.values()])) {
    const peer = peerNamed(configuration, sa.peer.name);
    if (!staysPeer(sa.peer, peer)) endPhase1(core, sa, sa.state === "established" ? "closed" : "failed");
    else if (sa.state === "established") sa.peer = peer;
  }
  if (core.started) checkConnections(core);
}
