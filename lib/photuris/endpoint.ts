/** A Photuris host without sockets or clock: datagrams, answers and time in, effects out. @module */
import { type Address, formatAddress } from "../ip/address.ts";
import { type Bytes, equal } from "../octets/bytes.ts";
import { DecodeError } from "../octets/reader.ts";
import { endAssociation, renewOwn, requestAgain, sendSpiNeeded } from "./association.ts";
import type { Endpoint } from "./cookies.ts";
import { Core } from "./core.ts";
import type { Effect, SpiReference } from "./effects.ts";
import type { Exchange } from "./exchange.ts";
import { beginExchange } from "./initiator.ts";
import { decodeMessage, encodeMessage, type Message, MessageError } from "./messages.ts";
import { acceptValueRequest, answerCookieRequest } from "./responder.ts";
import type { Settings, StartRequest } from "./settings.ts";
import type { SpiRecord } from "./spis.ts";
import { step } from "./transitions.ts";

/** Times are milliseconds of any clock that does not run backwards. */
export class Photuris {
  readonly #core: Core;

  /** @param random octets of a cryptographic generator */
  constructor(settings: Settings, now: number, random: (octets: number) => Bytes) {
    this.#core = new Core(settings, now, random);
    this.#core.begin = (request, after) => this.#begin(request, after);
  }

  #run(now: number, work: () => void): Effect[] {
    const core = this.#core;
    core.now = Math.max(core.now, now);
    core.effects = [];
    work();
    for (const { exchange, datagram } of core.held.splice(0)) {
      this.#dispatch(exchange, decodeMessage(datagram), datagram);
    }
    this.#startQueued();
    return core.effects;
  }

  /** Begins an exchange; its outcome comes as an effect. One under way with the same peer for the same is joined. */
  start(now: number, request: StartRequest): Effect[] {
    return this.#run(now, () => this.#begin(request));
  }

  #begin(request: StartRequest, after?: Exchange): void {
    const core = this.#core;
    const busy = core.underWay(request.peer.address);
    if (!busy || busy === after) return void beginExchange(core, request, after);
    if (busy.told) {
      // It has failed for those who waited and only hopes for a better answer: who asks again wants a new one.
      core.enter(busy, "ENDED");
      return void beginExchange(core, request);
    }
    const { encryption, authentication } = busy.request?.options ?? {};
    const same = encryption === request.options?.encryption && authentication === request.options?.authentication &&
      busy.request?.user === request.user;
    // Two exchanges begun at once would be refused with Resource_Limit.
    if (same) busy.joined.push(request);
    else core.queued.push(request);
  }

  #startQueued(): void {
    const core = this.#core;
    const waiting = core.queued.splice(0);
    for (const request of waiting) this.#begin(request);
  }

  /** A datagram from `from` to our `to`. Whatever it holds, nothing is thrown. */
  receive(now: number, from: Endpoint, to: Endpoint, datagram: Uint8Array): Effect[] {
    return this.#run(now, () => {
      try {
        this.#receive(from, to, decodeMessage(datagram), datagram);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        this.#core.log("debug", `Dropped a datagram of ${formatAddress(from.address)}: ${error.message}`);
        if (error instanceof MessageError && !error.known) this.#reject(from, datagram, error.number, error.offset);
      }
    });
  }

  #receive(from: Endpoint, to: Endpoint, message: Message, datagram: Uint8Array): void {
    const core = this.#core;
    const { initiatorCookie, responderCookie } = message;
    if (message.name === "Cookie_Request") return answerCookieRequest(core, from, to, message);
    const peers = core.withPeer(from.address);
    // Until the answer to a Cookie_Request is there, only the Initiator-Cookie is known.
    const asked = peers.find(({ role, state, initiatorCookie: cookie }) =>
      role === "initiator" && state === "COOKIE_SENT" && equal(cookie, initiatorCookie)
    );
    const known = core.byCookies(initiatorCookie, responderCookie);
    const exchange = known && peers.includes(known) ? known : asked;
    if (exchange) return this.#dispatch(exchange, message, datagram);
    if (message.name === "Value_Request") return acceptValueRequest(core, from, to, message, datagram);
    if (BAD_COOKIE.has(message.name) && core.limit.allows(core.now, from.address)) {
      const reply = encodeMessage({ name: "Bad_Cookie", initiatorCookie, responderCookie });
      core.effects.push({ do: "send", to: from, from: to, datagram: reply });
    }
  }

  #dispatch(exchange: Exchange, message: Message, datagram: Uint8Array): void {
    if (OPTIONAL.has(message.name)) {
      const { initiatorCookie, responderCookie } = message;
      const badMessage = datagram[COOKIES_OCTETS];
      const offset = COOKIES_OCTETS;
      const reply = { name: "Message_Reject", initiatorCookie, responderCookie, badMessage, offset } as const;
      return this.#core.send(exchange, encodeMessage(reply));
    }
    step(this.#core, exchange, message.name, message as never, datagram);
  }

  /** RFC 2522 7.4: only a peer with whom we have an exchange is told that a message is unknown. */
  #reject(from: Endpoint, datagram: Uint8Array, badMessage: number, offset: number): void {
    const core = this.#core;
    const [initiatorCookie, responderCookie] = [datagram.slice(0, 16) as Bytes, datagram.slice(16, 32) as Bytes];
    const exchange = core.byCookies(initiatorCookie, responderCookie);
    if (!exchange || !core.withPeer(from.address).includes(exchange)) return;
    const reply = { name: "Message_Reject", initiatorCookie, responderCookie, badMessage, offset } as const;
    core.send(exchange, encodeMessage(reply));
  }

  /**
   * The answer to a `compute` effect; undefined: it could not be done, which ends the exchange. Answers that nobody waits
   * for any more are ignored.
   */
  computed(now: number, token: number, result: Uint8Array | boolean | undefined): Effect[] {
    return this.#run(now, () => {
      const core = this.#core;
      const pending = core.pending.get(token);
      core.pending.delete(token);
      const exchange = pending && core.exchanges.get(pending.exchangeId);
      if (exchange && result === undefined) {
        core.enter(exchange, core.fail(exchange, `Cannot compute what ${formatAddress(exchange.peer.address)} needs`));
      } else if (exchange && result !== undefined) {
        step(core, exchange, "computed", { purpose: pending.purpose, result, exponent: pending.exponent });
      }
      pending?.exponent?.fill(0);
    });
  }

  /** The answer to a `reserve` effect: the SPI, or undefined when the engine has none to give, and why. */
  reserved(now: number, token: number, spi: number | undefined, reason?: string): Effect[] {
    return this.#run(now, () => {
      const core = this.#core;
      const pending = core.pending.get(token);
      core.pending.delete(token);
      const exchange = pending && core.exchanges.get(pending.exchangeId);
      if (!exchange) return;
      step(core, exchange, "reserved", { spi, reason, choices: pending.choices!, attributes: pending.attributes! });
    });
  }

  /** The engine says that an SPI nears its end (bytes or seconds): a successor is made or asked for. */
  expiring(now: number, { role, peer, spi }: Pick<SpiReference, "role" | "peer" | "spi">): Effect[] {
    return this.#run(now, () => {
      const record = this.#core.spis.find(role, peer, spi);
      if (record) this.#renew(record);
    });
  }

  /** The engine has dropped an SPI at a hard limit; without a successor the next is due at once. */
  expired(now: number, { role, peer, spi }: Pick<SpiReference, "role" | "peer" | "spi">): Effect[] {
    return this.#run(now, () => {
      const record = this.#core.spis.find(role, peer, spi);
      if (!record) return;
      this.#renew(record);
      this.#core.spis.records.delete(record);
      if (record.role === "user") {
        this.#core.spis.successors(record).forEach((successor) => this.#installNow(successor));
      }
    });
  }

  /** Ends the wait of a user SPI for its predecessor's traffic. */
  #installNow(record: SpiRecord): void {
    const { install } = record;
    record.installAt = 0;
    record.install = undefined;
    install?.();
  }

  /** Whether an exchange that we have begun with a peer is under way. */
  isBusyWith(peer: Endpoint): boolean {
    return this.#core.underWay(peer.address) !== undefined;
  }

  /** Whether any SPI between the two ends is left. */
  hasSpis(local: Address, peer: Address): boolean {
    const { spis } = this.#core;
    return spis.latest("owner", local, peer) !== undefined || spis.latest("user", local, peer) !== undefined;
  }

  /** When {@linkcode tick} has something to do; Infinity: never. */
  get nextAt(): number {
    const core = this.#core;
    let next = Infinity;
    for (const { retransmission, expiresAt } of core.exchanges.values()) {
      next = Math.min(next, retransmission?.at ?? Infinity, expiresAt);
    }
    for (const { renewAt, installAt, expiresAt } of core.spis.records) {
      next = Math.min(next, renewAt || Infinity, installAt || Infinity, expiresAt);
    }
    return next;
  }

  /** Lets time pass. */
  tick(now: number): Effect[] {
    return this.#run(now, () => {
      const core = this.#core;
      for (const exchange of [...core.exchanges.values()]) this.#passExchange(exchange);
      for (const record of [...core.spis.records]) this.#passSpi(record);
    });
  }

  #passExchange(exchange: Exchange): void {
    const core = this.#core;
    if (core.now >= exchange.expiresAt) return void step(core, exchange, "expired", undefined);
    const { retransmission } = exchange;
    if (!retransmission || core.now < retransmission.at) return;
    if (retransmission.left === 0) return void step(core, exchange, "exhausted", undefined);
    retransmission.left--;
    retransmission.at = core.now + retransmission.intervalMs;
    core.send(exchange, retransmission.datagram);
  }

  #passSpi(record: SpiRecord): void {
    const core = this.#core;
    if (core.now >= record.expiresAt) return core.remove(record);
    if (record.installAt && core.now >= record.installAt) {
      this.#installNow(record);
    }
    if (record.renewAt && core.now >= record.renewAt) this.#renew(record);
  }

  /** RFC 2522 6.2 and 1.4.2: by SPI message while an association lives, else by a new exchange. */
  #renew(record: SpiRecord): void {
    const core = this.#core;
    record.renewAt = 0;
    if (core.isObsolete(record)) return;
    const association = core.withPeer(record.peer).findLast(({ state, local }) =>
      state === "ESTABLISHED" && equal(local.address.octets, record.local.octets)
    );
    if (association && record.role === "owner") renewOwn(core, association, record);
    else if (association) sendSpiNeeded(core, association, record);
    // Both ends see the half of the life pass; the one that began the last exchange begins the next.
    else if (record.role === "user" || record.exchangeRole === "initiator") {
      if (!core.underWay(record.peer)) this.#begin(requestAgain(record));
    }
  }

  /** Other settings from now on. As SIGHUP asks, all exchanges are forgotten; SPIs live on. */
  reconfigure(now: number, settings: Settings): Effect[] {
    return this.#run(now, () => {
      this.#abandon("Given up: the configuration is read anew");
      this.#core.settings = settings;
    });
  }

  /**
   * The engine has lost everything: all exchanges and SPIs are forgotten, who waits for one is told `text`. What must be
   * known of a peer for the next exchange stays.
   */
  abandon(now: number, text: string): Effect[] {
    return this.#run(now, () => {
      this.#abandon(text);
      this.#core.spis.records.clear();
    });
  }

  #abandon(text: string): void {
    const core = this.#core;
    for (const request of core.queued.splice(0)) {
      core.effects.push({ do: "outcome", request, established: false, text });
    }
    for (const exchange of [...core.exchanges.values()]) {
      if (exchange.state !== "ESTABLISHED") core.outcome(exchange, false, text);
      core.enter(exchange, "ENDED");
    }
  }

  /** All SPIs, and for each pair of ends what to ask for if they are lost. */
  get inventory(): { spis: SpiReference[]; requests: StartRequest[] } {
    const { records } = this.#core.spis;
    const latest = new Map<string, SpiRecord>();
    for (const record of records) latest.set(`${formatAddress(record.local)} ${formatAddress(record.peer)}`, record);
    return { spis: [...records], requests: [...latest.values()].map(requestAgain) };
  }

  /** Ends everything: peers are told that our SPIs are gone, and the engine forgets both sides' SPIs. */
  close(now: number): Effect[] {
    return this.#run(now, () => {
      const core = this.#core;
      for (const exchange of [...core.exchanges.values()]) {
        if (exchange.state === "ESTABLISHED") endAssociation(core, exchange);
        core.enter(exchange, "ENDED");
      }
      for (const record of [...core.spis.records]) core.remove(record);
    });
  }

  /** What exists, for a status line and for tests of memory. */
  get counts(): { exchanges: number; spis: number; pending: number } {
    const { exchanges, spis, pending } = this.#core;
    return { exchanges: exchanges.size, spis: spis.records.size, pending: pending.size };
  }
}

const COOKIES_OCTETS = 32;
/** RFC 2522 7.1: messages that get Bad_Cookie when their cookies are unknown; others are dropped. */
const BAD_COOKIE: ReadonlySet<string> = new Set(["Identity_Request", "SPI_Needed", "SPI_Update"]);
/** Messages that RFC 2522 only reserves numbers for. */
const OPTIONAL: ReadonlySet<string> = new Set(["Secret_Request", "Secret_Response"]);
