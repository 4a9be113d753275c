/**
 * Will two configurations agree? Both cores run against each other in memory, each connection begun from each side that may
 * begin it, and tell either the SAs they would have or where they part. Nothing leaves the process; key exchange is
 * replaced by a hash, signatures are taken as right, so certificates and keys of signatures are not part of the answer.
 *
 * @module
 */
import { GROUPS } from "../crypto/group.ts";
import { hash } from "../crypto/hash.ts";
import { type Address, equalAddress, parseAddress } from "../ip/address.ts";
import { type Bytes, compare, concat } from "../octets/bytes.ts";
import type { Configuration, Connection, Peer } from "./configuration.ts";
import type { Computation, ComputationResult, Effect, Endpoint, Outcome } from "./events.ts";
import { Ike } from "./ike.ts";

/** One end. */
export interface CheckSide {
  /** For people: the file's name. */
  readonly name: string;
  readonly configuration: Configuration;
  /** Addresses of this host, where they are known (`Listen-on`); else they follow from the two configurations. */
  readonly addresses?: readonly Address[];
}

/** How one connection fares when `initiator` begins it. */
export interface CheckResult {
  readonly connection: string;
  /** Name of the side that begins. */
  readonly initiator: string;
  readonly responder: string;
  readonly agreed: boolean;
  /** What each side tells of it, initiator's first: of an agreement phase 1 and 2, else the failures. */
  readonly outcomes: readonly { readonly side: string; readonly outcome: Outcome }[];
  /** Set when the negotiation cannot even begin. */
  readonly refused?: string;
}

/** The initiator where no configuration gives its address (TEST-NET-1, RFC 5737). */
const PLACEHOLDER = parseAddress("192.0.2.1");
/** Virtual time until which everything must have happened. */
const MOST_MS = 600_000;

/** A stand-in for Diffie-Hellman: both sides hash the two public values in the same order. */
function compute(task: Computation, random: (octets: number) => Bytes): ComputationResult {
  switch (task.op) {
    case "generateKeyPair": {
      const group = GROUPS[task.group];
      if (!group) return { ok: false, error: `there is no group ${task.group}` };
      const publicValue = random(group.publicOctets);
      return { ok: true, value: { privateKey: publicValue, publicValue } };
    }
    case "sharedSecret": {
      const { privateKey, peerPublicValue } = task;
      const [first, second] = [privateKey, peerPublicValue].sort(compare);
      return { ok: true, value: hash("sha256", concat(first, second)) };
    }
    case "sign":
      return { ok: true, value: { signature: hash("sha256", task.octets), certificates: [] } };
    case "verify":
      return { ok: true, value: {} };
  }
}

class Side {
  readonly ike: Ike;
  readonly outcomes: Outcome[] = [];
  readonly inbox: { from: Endpoint; to: Endpoint; octets: Bytes }[] = [];
  readonly #random: (octets: number) => Bytes;
  #nextSpi = 0x1000;

  constructor(readonly name: string, readonly address: Address, configuration: Configuration, seed: number) {
    let state = hash("sha256", new Uint8Array([seed]));
    this.#random = (octets) => {
      let out = new Uint8Array(0);
      while (out.length < octets) {
        state = hash("sha256", state);
        out = concat(out, state);
      }
      return out.slice(0, octets);
    };
    this.ike = new Ike(configuration, { random: this.#random, localAddressFor: () => address });
  }

  perform(effects: readonly Effect[], now: number, other: Side): void {
    for (const effect of effects) {
      if (effect.type === "send") {
        const { local, remote, octets } = effect;
        if (equalAddress(remote.address, other.address)) other.inbox.push({ from: local, to: remote, octets });
      } else if (effect.type === "compute") {
        this.perform(this.ike.onComputed(now, effect.id, compute(effect.task, this.#random)), now, other);
      } else if (effect.type === "reserveSpi") {
        this.perform(this.ike.onSpi(now, effect.id, this.#nextSpi++), now, other);
      } else if (effect.type === "outcome") this.outcomes.push(effect.outcome);
    }
  }
}

/** Runs both sides until `done` or nothing is left to happen. */
function negotiate(a: Side, b: Side, begin: (now: number) => Effect[], done: () => boolean): void {
  let now = 0;
  a.perform(begin(now), now, b);
  while (now <= MOST_MS) {
    for (let quiet = false; !quiet;) {
      quiet = true;
      for (const [side, other] of [[b, a], [a, b]]) {
        for (let message = side.inbox.shift(); message; message = side.inbox.shift()) {
          quiet = false;
          side.perform(side.ike.onDatagram(now, message.from, message.to, message.octets), now, other);
        }
      }
    }
    if (done()) return;
    const deadlines = [a, b].map(({ ike }) => ike.deadline()).filter((at) => at !== undefined);
    if (deadlines.length === 0) return;
    now = Math.max(now, Math.min(...deadlines));
    for (const [side, other] of [[a, b], [b, a]]) side.perform(side.ike.onTimer(now), now, other);
  }
}

/** What begins nothing by itself. */
const atRest = (configuration: Configuration): Configuration => ({
  ...configuration,
  connections: configuration.connections.map((connection) => ({
    ...connection,
    active: false,
    passive: connection.passive || connection.active,
  })),
});

const peerOf = ({ peers }: Configuration, { peer }: Connection): Peer | undefined =>
  peers.find(({ name }) => name === peer);

/** Whether a configuration may mean a host that has (some of) these addresses; unknown ones may be anybody's. */
const mayBe = (address: Address, addresses: readonly Address[] | undefined) =>
  !addresses?.length || addresses.some((each) => equalAddress(each, address));

/** Addresses that a side uses by its own account. */
function ownAddresses({ configuration, addresses }: CheckSide): Address[] {
  const local = configuration.peers.flatMap(({ localAddress }) => localAddress ? [localAddress] : []);
  return [...addresses ?? [], ...local];
}

function checkConnection(connection: Connection, initiator: CheckSide, responder: CheckSide): CheckResult | undefined {
  const about = { connection: connection.name, initiator: initiator.name, responder: responder.name };
  const peer = peerOf(initiator.configuration, connection);
  if (!peer) return { ...about, agreed: false, outcomes: [], refused: `there is no peer ${connection.peer}` };
  if (!peer.address) return undefined;
  if (!mayBe(peer.address, ownAddresses(responder))) return undefined;
  const expected = responder.configuration.peersByAddress.map(({ address }) => address);
  const candidates = ownAddresses(initiator);
  const local = peer.localAddress ?? candidates.find((each) => expected.some((other) => equalAddress(each, other))) ??
    candidates[0] ?? expected.find((each) => !equalAddress(each, peer.address!)) ?? PLACEHOLDER;
  const a = new Side(initiator.name, local, atRest(initiator.configuration), 1);
  const b = new Side(responder.name, peer.address, atRest(responder.configuration), 2);
  let refused: string | undefined;
  const isUp = () =>
    a.ike.isUp(connection.name) && b.outcomes.some(({ phase, result }) => phase === 2 && result === "established");
  const hasFailed = () => a.outcomes.some(({ result }) => result === "failed") && b.ike.exchangeStatus().length === 0;
  negotiate(a, b, (now) => {
    const begun = a.ike.connect(now, connection.name);
    refused = begun.refused;
    return begun.effects;
  }, () => isUp() || hasFailed());
  const agreed = isUp();
  const wanted = agreed ? "established" : "failed";
  const outcomes = [a, b].flatMap((side) =>
    side.outcomes.filter(({ result }) => result === wanted).map((outcome) => ({ side: side.name, outcome }))
  );
  return { ...about, agreed, outcomes, refused };
}

/**
 * Checks every connection that one of the two can begin with the other: that of `a` first, in the order of the files.
 * Connections with other peers are left out.
 */
export function checkConfigurations(a: CheckSide, b: CheckSide): CheckResult[] {
  const from = (initiator: CheckSide, responder: CheckSide) =>
    initiator.configuration.connections.flatMap((connection) =>
      checkConnection(connection, initiator, responder) ?? []
    );
  return [...from(a, b), ...from(b, a)];
}

/** A result in lines: what they agree on, or each side's view of where they part. */
export function describeCheck({ connection, initiator, responder, agreed, outcomes, refused }: CheckResult): string[] {
  const head = `${connection}: ${initiator} begins, ${responder} answers: ${
    agreed ? "they agree" : "they do not agree"
  }`;
  if (refused) return [head, `  ${initiator}: ${refused}`];
  if (outcomes.length === 0) return [head, "  neither side says why"];
  return [head, ...outcomes.map(({ side, outcome }) => `  ${side}: ${outcome.text}`)];
}
