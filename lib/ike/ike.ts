/**
 * The IKE core: no socket, no clock, no file. Inputs are methods, each given the time (milliseconds of any monotonic clock)
 * and each returning its effects in the order in which they are to happen (events.ts). `deadline()` says when `onTimer` is
 * wanted.
 *
 * ```ts
 * const ike = new Ike(configuration, { random });
 * perform(ike.start(now));
 * perform(ike.onDatagram(now, from, to, octets));
 * arm(ike.deadline());
 * ```
 *
 * @module
 */
import type { ClientSelector } from "../isakmp/identification.ts";
import { type Bytes, equal } from "../octets/bytes.ts";
import type { Configuration } from "./configuration.ts";
import {
  acquire,
  checkConnections,
  connect,
  connectionsNamed,
  isUp,
  phase1For,
  renewConnection,
  teardown,
  teardownPhase1,
} from "./connections.ts";
import type {
  AcquireRequest,
  ComputationResult,
  Effect,
  Endpoint,
  Environment,
  ExchangeStatus,
  PairStatus,
  Phase1Status,
} from "./events.ts";
import { fail, forget, giveUp, resume, retransmit } from "./exchange.ts";
import { extensionLate } from "./extension_steps.ts";
import { IndexMap } from "./index_map.ts";
import { Initiating, Wants } from "./indexes.ts";
import { count, log } from "./log.ts";
import { checkPeer, followPeer, heardTraffic, keepAlive } from "./liveness.ts";
import {
  bidFarewell,
  currentPair,
  expirePair,
  pairsOfKey,
  removePair,
  retirePair,
  sendDeletes,
  softenPair,
  spiKey,
} from "./pairs.ts";
import { endPhase1, softenPhase1 } from "./phase1_sa.ts";
import { RateLimiter } from "./rate_limiter.ts";
import { receive } from "./receive.ts";
import { reconfigure } from "./reconfigure.ts";
import { STATES } from "./rows.ts";
import type { Core, Counters, Exchange, Phase1Sa, SaPair } from "./state.ts";
import { type TimerKind, Timers } from "./timers.ts";

/** What a timer does, by kind. Owners: exchanges, phase 1 SAs, SA pairs, the core. */
const HANDLERS: Readonly<Record<TimerKind, (core: Core, owner: any) => void>> = {
  retransmit,
  giveUp,
  forget,
  soften: (core, owner: Phase1Sa | SaPair) => isPair(owner) ? softenPair(core, owner) : softenPhase1(core, owner),
  expire: (core, owner: Phase1Sa | SaPair) =>
    isPair(owner) ? expirePair(core, owner) : endPhase1(core, owner, "expired"),
  retire: retirePair,
  extension: extensionLate,
  dpd: checkPeer,
  keepalive: keepAlive,
  farewell: (core, pair) => bidFarewell(core, pair),
  check: (core) => checkConnections(core),
};

const isPair = (owner: Phase1Sa | SaPair): owner is SaPair => "protocols" in owner;

/** How the log line of a defect begins. */
export const INTERNAL_ERROR = "Internal error, please report it";

/** Events about strangers that are told, for each address and over all, in a second. */
const STRANGERS = [1, 20] as const;

export class Ike {
  readonly #core: Core;

  constructor(configuration: Configuration, environment: Environment) {
    this.#core = {
      configuration,
      environment,
      ports: environment.ports ?? { ike: 500, nat: 4500 },
      now: 0,
      effects: [],
      timers: new Timers(),
      sas: new Map(),
      openings: new Map(),
      halfOpen: new Set(),
      reachable: new Set(),
      refused: new Set(),
      halfOpenBySource: new Map(),
      initiating: new Initiating(),
      established: new IndexMap(),
      establishedByAddress: new IndexMap(),
      pairs: new Map(),
      pairsByKey: new Map(),
      pairsBySpi: new Map(),
      pairsByPeer: new IndexMap(),
      pairsByAddress: new IndexMap(),
      pairsByConnection: new IndexMap(),
      unconfirmed: new Set(),
      wants: new Wants(),
      suspended: new Set(),
      waits: new Map(),
      limiter: new RateLimiter(...STRANGERS),
      counters: {},
      nextId: 1,
      started: false,
      passive: false,
    };
  }

  #run(now: number, input: (core: Core) => void): Effect[] {
    const core = this.#core;
    core.now = Math.max(core.now, now);
    try {
      input(core);
    } catch (error) {
      // A defect of ours must not let one peer's message end the negotiations of all others.
      count(core, "internalErrors");
      log(core, "Misc", 0, () => `${INTERNAL_ERROR}: ${(error as Error).stack}`);
    }
    const { effects } = core;
    core.effects = [];
    return effects;
  }

  // ---- inputs ------------------------------------------------------------------------------------------------------

  /** Brings up the active connections and keeps them up from now on; `passive` (`-S`) only answers. */
  start(now: number, passive = false): Effect[] {
    return this.#run(now, (core) => {
      core.started = true;
      core.passive = passive;
      checkConnections(core);
    });
  }

  /** FIFO `M active` and `M passive`. */
  setPassive(now: number, passive: boolean): Effect[] {
    return this.#run(now, (core) => {
      core.passive = passive;
      if (core.started) checkConnections(core);
    });
  }

  /** A datagram came; on the NAT port without its marker. `to` is the address it was sent to, not a wildcard. */
  onDatagram(now: number, from: Endpoint, to: Endpoint, octets: Bytes): Effect[] {
    return this.#run(now, (core) => receive(core, from, to, octets));
  }

  /** Runs all timers that are due. */
  onTimer(now: number): Effect[] {
    return this.#run(now, (core) => {
      for (let due = core.timers.take(core.now); due; due = core.timers.take(core.now)) {
        HANDLERS[due.kind](core, due.owner);
      }
    });
  }

  /** The result of a `compute` effect. */
  onComputed(now: number, id: number, result: ComputationResult): Effect[] {
    return this.#run(now, (core) => resume(core, id, result));
  }

  /** The SPI of a `reserveSpi` effect, or why there is none. */
  onSpi(now: number, id: number, spi: number | { readonly error: string }): Effect[] {
    const result = typeof spi === "number" ? { ok: true, value: spi } as const : { ok: false, ...spi } as const;
    return this.#run(now, (core) => resume(core, id, result));
  }

  /**
   * SADB_EXPIRE: the soft or hard limit of an SA has passed in bytes (or in seconds of the kernel's clock). `destination`
   * is the SA's.
   */
  onExpire(
    now: number,
    hardness: "soft" | "hard",
    protocol: "esp" | "ah",
    spi: number,
    destination: Endpoint["address"],
  ): Effect[] {
    return this.#run(now, (core) => {
      const pair = core.pairsBySpi.get(spiKey(protocol, spi, destination));
      if (!pair) return;
      if (hardness === "soft") softenPair(core, pair);
      else expirePair(core, pair);
    });
  }

  /** Packets came through the inbound SA: its peer lives. Optional; saves questions to peers that talk. */
  onTraffic(now: number, protocol: "esp" | "ah", spi: number, destination: Endpoint["address"]): Effect[] {
    return this.#run(now, (core) => {
      const pair = core.pairsBySpi.get(spiKey(protocol, spi, destination));
      const sa = pair && phase1For(core, pair);
      if (sa) heardTraffic(core, sa);
    });
  }

  /** Authenticated ESP in UDP for the inbound SA with `spi` came from `remote`, where its peer was not before. */
  onMoved(now: number, spi: number, local: Endpoint, remote: Endpoint): Effect[] {
    return this.#run(now, (core) => {
      const pair = core.pairsBySpi.get(spiKey("esp", spi, local.address));
      const sa = pair && phase1For(core, pair);
      if (sa) followPeer(core, sa, remote, local);
    });
  }

  /** SADB_ACQUIRE. `refused` says why nothing can be negotiated. */
  acquire(now: number, request: AcquireRequest): { effects: Effect[]; refused?: string } {
    let refused: string | undefined;
    const effects = this.#run(now, (core) => refused = acquire(core, request));
    return { effects, refused };
  }

  /** FIFO `c NAME`. What is up is negotiated anew (`renews`), and replaced when that succeeds. */
  connect(now: number, name: string): { effects: Effect[]; refused?: string; renews: boolean } {
    let refused: string | undefined;
    let renews = false;
    const effects = this.#run(now, (core) => {
      const wasUp = isUp(core, name);
      refused = connect(core, name);
      renews = wasUp && refused === undefined;
      if (renews) renewConnection(core, name);
    });
    return { effects, refused, renews };
  }

  /** The connections that FIFO `t NAME` means. */
  connectionsNamed(name: string): string[] {
    return connectionsNamed(this.#core, name);
  }

  /** FIFO `t NAME`, `t quick NAME`: the connection, or all of a peer's address, go down and stay down until `connect`. */
  teardown(now: number, name: string): { effects: Effect[]; refused?: string } {
    let refused: string | undefined;
    const effects = this.#run(now, (core) => refused = teardown(core, name));
    return { effects, refused };
  }

  /** FIFO `t main NAME`: the phase 1 SAs with a peer section or address. */
  teardownPhase1(now: number, name: string): { effects: Effect[]; refused?: string } {
    let refused: string | undefined;
    const effects = this.#run(now, (core) => refused = teardownPhase1(core, name));
    return { effects, refused };
  }

  /** FIFO `T`: all SA pairs go, with DELETEs; connections that should be up are made again. */
  teardownPairs(now: number): Effect[] {
    return this.#run(now, (core) => {
      for (const pair of [...core.pairs.values()]) {
        sendDeletes(core, pair);
        removePair(core, pair, "torn down");
      }
    });
  }

  /**
   * FIFO `d COOKIES MSGID`: one SA by its cookies; with a message ID the pair whose Quick Mode had it is meant, and since
   * finished exchanges are forgotten, the exchange under way. Returns whether there was one.
   */
  deleteSa(now: number, cookies: Bytes, messageId?: number): { effects: Effect[]; found: boolean } {
    let found = false;
    const effects = this.#run(now, (core) => {
      for (const sa of [...core.sas.values()]) {
        if (!equal(sa.initiatorCookie, cookies.subarray(0, 8)) || !equal(sa.responderCookie, cookies.subarray(8))) {
          continue;
        }
        if (messageId === undefined) {
          found = true;
          endPhase1(core, sa, sa.state === "established" ? "closed" : "failed");
          continue;
        }
        for (const pair of [...core.pairs.values()]) {
          if (pair.messageId !== messageId || pair.phase1 !== sa.id) continue;
          found = true;
          sendDeletes(core, pair, sa);
          removePair(core, pair, "deleted by hand");
        }
        const exchange = sa.exchanges.get(messageId);
        if (exchange && !exchange.finished) {
          found = true;
          fail(core, exchange, { code: "ENDED", detail: "deleted by hand" });
        }
      }
    });
    return { effects, found };
  }

  /** Renegotiates every SA pair in use (`Renegotiate-on-HUP`). */
  renegotiate(now: number): Effect[] {
    return this.#run(now, (core) => {
      for (const key of [...core.pairsByKey.keys()]) {
        const newest = pairsOfKey(core, key).at(-1);
        if (newest) softenPair(core, newest);
      }
    });
  }

  /**
   * Another configuration holds from now on. SAs of connections that it has as before stay; those of others end. `restart`
   * (SIGHUP) brings up again what was torn down by hand.
   */
  reconfigure(now: number, configuration: Configuration, restart = false): Effect[] {
    return this.#run(now, (core) => reconfigure(core, configuration, restart));
  }

  /** SIGTERM: DELETEs for everything (unless `quietly`), SAs removed; nothing is made again. */
  shutdown(now: number, quietly = false): Effect[] {
    return this.#run(now, (core) => {
      core.started = false;
      core.wants.clear();
      core.timers.drop(core);
      for (const pair of [...core.pairs.values()]) {
        if (!quietly) sendDeletes(core, pair);
        removePair(core, pair, "shutting down");
      }
      for (const sa of [...core.sas.values(), ...core.openings.values()]) {
        endPhase1(core, sa, sa.state === "established" && !quietly ? "closed" : "failed");
      }
    });
  }

  /** Milliseconds of the inputs' clock at which `onTimer` is wanted; undefined: never. */
  deadline(): number | undefined {
    return this.#core.timers.next();
  }

  // ---- status ------------------------------------------------------------------------------------------------------

  /** Messages dropped by reason, copies, retransmissions, dead peers. */
  get counters(): Readonly<Counters> {
    return this.#core.counters;
  }

  isUp(connection: string): boolean {
    return isUp(this.#core, connection);
  }

  phase1Status(): Phase1Status[] {
    const { timers, sas, openings } = this.#core;
    return [...new Set([...sas.values(), ...openings.values()])].map((sa) => ({
      initiatorCookie: sa.initiatorCookie,
      responderCookie: sa.responderCookie,
      role: sa.role,
      state: sa.state === "established" ? "established" : "negotiating",
      peer: sa.peer.name,
      local: sa.local,
      remote: sa.remote,
      remoteId: sa.remoteId,
      lifeSeconds: sa.terms?.lifeSeconds ?? 0,
      softAt: timers.at(sa, "soften") ?? 0,
      hardAt: timers.at(sa, "expire") ?? 0,
      transform: sa.terms?.text,
      nat: natWord(sa),
    }));
  }

  pairStatus(): PairStatus[] {
    const core = this.#core;
    return [...core.pairs.values()].map((pair) => ({
      pair: pair.id,
      connection: pair.connection.name,
      role: pair.role,
      current: currentPair(core, pair.key) === pair,
      local: pair.localSelector,
      remote: pair.remoteSelector,
      sas: pair.protocols.flatMap(({ inbound, outbound }) => [
        ...(pair.inboundInstalled ? [inbound] : []),
        ...(pair.outboundInstalled ? [outbound] : []),
      ]),
      softAt: pair.softAt,
      hardAt: pair.hardAt,
    }));
  }

  /** The packets that a pair is for; undefined when there is no such pair (any more). */
  selectorsOf(pair: number): { readonly local: ClientSelector; readonly remote: ClientSelector } | undefined {
    const found = this.#core.pairs.get(pair);
    return found && { local: found.localSelector, remote: found.remoteSelector };
  }

  exchangeStatus(): ExchangeStatus[] {
    const { sas, openings } = this.#core;
    const all = [...new Set([...sas.values(), ...openings.values()])].flatMap((sa) => [...sa.exchanges.values()]);
    return all.filter(({ finished }) => !finished).map((exchange: Exchange) => ({
      exchange: exchange.name,
      role: exchange.role,
      state: exchange.state,
      story: STATES[exchange.state],
      messageId: exchange.messageId,
      connection: exchange.quick?.connection?.name,
      remote: exchange.sa.remote,
      retransmissions: exchange.retransmissions,
    }));
  }

  /** How much is remembered; for tests and reports. */
  sizes(): Record<string, number> {
    const core = this.#core;
    return {
      phase1: core.sas.size,
      openings: core.openings.size,
      halfOpen: core.halfOpen.size,
      reachable: core.reachable.size,
      pairs: core.pairs.size,
      wants: core.wants.size,
      waits: core.waits.size,
      timers: core.timers.size,
      exchanges: [...core.sas.values()].reduce((sum, sa) => sum + sa.exchanges.size, 0),
    };
  }
}

function natWord({ nat }: Phase1Sa): Phase1Status["nat"] {
  if (!nat) return "none";
  if (nat.localBehind) return nat.remoteBehind ? "both" : "local";
  return nat.remoteBehind ? "remote" : nat.forced ? "forced" : "none";
}
