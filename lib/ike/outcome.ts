/** The one place that words how negotiations end. @module */
import { formatAddress } from "../ip/address.ts";
import { describeId, describeSelector } from "../isakmp/identification.ts";
import type { Peer } from "./configuration.ts";
import type { Endpoint, Fault, Outcome } from "./events.ts";
import { nameSubject, type Subject, wordFailure, wordFault } from "./fault.ts";
import { count, endpointText, log } from "./log.ts";
import { waitingFor } from "./connections.ts";
import type { Core, Exchange, Phase1Sa, SaPair } from "./state.ts";

function report(core: Core, outcome: Outcome): void {
  core.effects.push({ type: "outcome", outcome });
}

/** A negotiation failed. Exchanges that negotiate nothing have no outcome; nor have strangers that just went silent. */
export function reportFailure(core: Core, exchange: Exchange, fault: Fault): void {
  const { sa, role, quick, name } = exchange;
  if (quick) {
    const subject = { phase: 2, remote: sa.remote, peer: sa.peer.name, connection: quick.connection?.name } as const;
    report(core, { ...subject, role, result: "failed", fault, text: wordFailure(subject, fault) });
    return;
  }
  if (exchange.messageId !== 0) {
    log(core, "Exchange", 10, () => `${name} with ${endpointText(sa.remote)} failed: ${wordFault(fault)}`);
    return;
  }
  const isStranger = role === "responder" && sa.state === "negotiating" && exchange.state !== "SENT_KE";
  const address = formatAddress(sa.remote.address);
  // A late copy of a first message is not worth a word either.
  const isNobody = sa.peer.address === undefined || core.establishedByAddress.get(address).size > 0;
  if (
    isStranger && ((fault.code === "TIMEOUT" && isNobody) || !core.limiter.allows(core.now, `report ${address}`))
  ) {
    count(core, "strangers");
    return;
  }
  reportSaFailure(core, sa, fault);
}

/** Phase 1, or what had to follow it, failed. */
export function reportSaFailure(core: Core, sa: Phase1Sa, fault: Fault): void {
  const subject: Subject = { phase: 1, remote: sa.remote, peer: sa.peer.name, connection: waitingFor(core, sa) };
  report(core, { ...subject, role: sa.role, result: "failed", fault, text: wordFailure(subject, fault) });
}

/** Phase 1 failed before there was an SA. */
export function reportRefusal(core: Core, remote: Endpoint, peer: Peer | undefined, fault: Fault): void {
  const subject: Subject = { phase: 1, remote, peer: peer?.name };
  report(core, { ...subject, role: "responder", result: "failed", fault, text: wordFailure(subject, fault) });
}

export function reportEstablished(core: Core, sa: Phase1Sa): void {
  const { remote, role, terms, nat } = sa;
  const subject: Subject = { phase: 1, remote, peer: sa.peer.name };
  const text = `Established ${nameSubject(subject)} as ${describeId(sa.remoteId!)}: ${terms!.text}, ` +
    `${terms!.lifeSeconds} seconds${nat && remote.port !== core.ports.ike ? `, at ${endpointText(remote)}` : ""}`;
  report(core, { ...subject, role, result: "established", text });
}

export function reportEnded(core: Core, sa: Phase1Sa, reason: string): void {
  const subject: Subject = { phase: 1, remote: sa.remote, peer: sa.peer.name };
  report(core, { ...subject, role: sa.role, result: "ended", text: `Ended ${nameSubject(subject)}: ${reason}` });
}

const pairSubject = (pair: SaPair): Subject => ({
  phase: 2,
  remote: pair.remote,
  peer: pair.peer.name,
  connection: pair.connection.name,
});

export function reportPair(core: Core, pair: SaPair): void {
  const subject = pairSubject(pair);
  const selectors = `${describeSelector(pair.localSelector)} to ${describeSelector(pair.remoteSelector)}`;
  const text = `Established ${nameSubject(subject)}: ${selectors}, ${pair.text}`;
  report(core, { ...subject, role: pair.role, result: "established", text });
}

export function reportPairEnded(core: Core, pair: SaPair, reason: string): void {
  const subject = pairSubject(pair);
  report(core, { ...subject, role: pair.role, result: "ended", text: `Ended ${nameSubject(subject)}: ${reason}` });
}
