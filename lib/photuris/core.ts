/** What the steps of an exchange work with: memory, time, randomness and the effects they collect. @module */
import { type Address, equalAddress, formatAddress } from "../ip/address.ts";
import type { Bytes } from "../octets/bytes.ts";
import type { SectionChoice } from "./choose.ts";
import { addressKey, AnswerLimit, cookieKey, type Endpoint, ResponderCookies } from "./cookies.ts";
import type { Effect, Job, LogLevel, SpiSection } from "./effects.ts";
import { type Exchange, isUnidentified, purge, type Role, type State } from "./exchange.ts";
import type { Settings, StartRequest } from "./settings.ts";
import { OWNER_GRACE_SECONDS, type SpiRecord, Spis } from "./spis.ts";
import { ExchangeValues } from "./values.ts";

/** Why the edge was asked to compute or reserve. */
export type Purpose = "modulus" | "value" | "secret" | "identity" | "update";

/** A question to the edge that is not answered yet. */
export interface Pending {
  readonly exchangeId: number;
  readonly purpose: Purpose;
  /** "value": the exponent of the power asked for. "update": what the new SPI shall use. */
  readonly exponent?: Bytes;
  readonly choices?: readonly SectionChoice[];
  readonly attributes?: Bytes;
}

/** Resource_Limit, which anybody on the way can repeat, stretches the interval so far and no further. */
const MOST_BACK_OFF = 4;

/** What a Cookie_Request says about the exchange before it. */
export interface Previous {
  readonly responderCookie: Bytes;
  readonly counter: number;
}
type Tried = Previous & { readonly until: number };

/** Computations that may be under way for responders at once. */
const MOST_PENDING = 64;

export const formatEndpoint = ({ address }: Endpoint): string => formatAddress(address);

export class Core {
  now = 0;
  effects: Effect[] = [];
  readonly exchanges = new Map<number, Exchange>();
  readonly spis = new Spis();
  readonly values = new ExchangeValues();
  readonly pending = new Map<number, Pending>();
  /** Moduli learned from peers and found good, as text; bounded. */
  readonly testedModuli = new Set<string>();
  readonly cookies: ResponderCookies;
  readonly limit: AnswerLimit;
  /** Requests that wait until the exchange under way with their peer has ended. */
  readonly queued: StartRequest[] = [];
  /** Begins an exchange; set by the endpoint, used by steps that find one necessary. */
  begin: (request: StartRequest, after?: Exchange) => void = () => {};
  /** Datagrams to be looked at once more, when the step under way is done. */
  readonly held: { exchange: Exchange; datagram: Bytes }[] = [];
  readonly #byCookies = new Map<string, Exchange>();
  readonly #byPeer = new Map<string, Set<Exchange>>();
  /** The last exchange that we began with a peer, while the peer may hold it against the next (RFC 2522 3.1). */
  readonly #tried = new Map<string, Tried>();
  #unidentified = 0;
  #next = 1;

  constructor(public settings: Settings, now: number, readonly random: (octets: number) => Bytes) {
    this.now = now;
    this.cookies = new ResponderCookies(now, random);
    this.limit = new AnswerLimit(random);
  }

  /** A random number below `limit` (at most 2^24). */
  randomBelow(limit: number): number {
    const [a, b, c, d] = this.random(4);
    return Math.floor((((a << 24 | b << 16 | c << 8 | d) >>> 0) / 2 ** 32) * limit);
  }

  log(level: LogLevel, text: string): void {
    this.effects.push({ do: "log", level, text });
  }

  newId(): number {
    return this.#next++;
  }

  add(exchange: Exchange): void {
    this.exchanges.set(exchange.id, exchange);
    const peer = addressKey(exchange.peer.address);
    const set = this.#byPeer.get(peer) ?? new Set();
    this.#byPeer.set(peer, set.add(exchange));
    this.index(exchange);
    if (isUnidentified(exchange)) this.#unidentified++;
  }

  /** Makes an exchange findable by its cookies, once both are known. */
  index(exchange: Exchange): void {
    this.#byCookies.set(cookieKey(exchange.initiatorCookie, exchange.responderCookie), exchange);
  }

  /** Before the responder's cookie changes. */
  unindex(exchange: Exchange): void {
    this.#byCookies.delete(cookieKey(exchange.initiatorCookie, exchange.responderCookie));
  }

  /** Moves an exchange to its next state; one that has ended is forgotten with its secrets. */
  enter(exchange: Exchange, state: State): void {
    const before = isUnidentified(exchange);
    exchange.state = state;
    this.#unidentified += Number(isUnidentified(exchange)) - Number(before);
    if (state !== "ENDED") return;
    this.unindex(exchange);
    this.exchanges.delete(exchange.id);
    const peer = addressKey(exchange.peer.address);
    const set = this.#byPeer.get(peer);
    set?.delete(exchange);
    if (set?.size === 0) this.#byPeer.delete(peer);
    purge(exchange);
  }

  byCookies(initiatorCookie: Uint8Array, responderCookie: Uint8Array): Exchange | undefined {
    return this.#byCookies.get(cookieKey(initiatorCookie, responderCookie));
  }

  /** The exchanges with a peer, oldest first. */
  withPeer(peer: Address): Exchange[] {
    return [...this.#byPeer.get(addressKey(peer)) ?? []];
  }

  /** What the next Cookie_Request to a peer has to name, RFC 2522 3.1. */
  lastExchange(peer: Address): Previous | undefined {
    // One of ours goes before a later one of the peer's: only ours can be in the way of the next.
    const tried = this.#tried.get(addressKey(peer));
    if (tried && tried.until > this.now) return tried;
    const live = this.withPeer(peer).filter(({ state }) => state !== "COOKIE_SENT").at(-1);
    if (live?.role === "initiator") return { responderCookie: live.responderCookie, counter: live.counter };
    return live && { responderCookie: live.initiatorCookie, counter: 0 };
  }

  /** Keeps the cookies of an exchange that we begin as long as the peer may hold them against a next one. */
  remember({ peer, responderCookie, counter }: Exchange): void {
    for (const [key, { until }] of this.#tried) if (until <= this.now) this.#tried.delete(key);
    const until = this.now + 2000 * this.settings.times.exchangeTimeout;
    this.#tried.set(addressKey(peer.address), { responderCookie, counter, until });
  }

  /** Whether nothing more may be begun by peers that have not identified themselves. */
  get isFull(): boolean {
    const { maximumExchanges, maximumUnidentified } = this.settings;
    return this.exchanges.size >= maximumExchanges || this.#unidentified >= maximumUnidentified ||
      this.pending.size >= MOST_PENDING;
  }

  send(exchange: Exchange, datagram: Bytes): void {
    this.effects.push({ do: "send", to: exchange.peer, from: exchange.local, datagram });
  }

  /** Sends a datagram that is repeated until its answer comes. */
  request(exchange: Exchange, datagram: Bytes): void {
    const { retransmitTimeout, maxRetransmits } = this.settings.times;
    const intervalMs = 1000 * retransmitTimeout;
    exchange.retransmission = { datagram, at: this.now + intervalMs, left: maxRetransmits, intervalMs };
    this.send(exchange, datagram);
  }

  /** RFC 2522 7.2: Resource_Limit doubles the retransmission timeout. */
  backOff(exchange: Exchange): void {
    const { retransmission } = exchange;
    if (!retransmission) return;
    const most = MOST_BACK_OFF * 1000 * this.settings.times.retransmitTimeout;
    retransmission.intervalMs = Math.min(2 * retransmission.intervalMs, most);
    retransmission.at = this.now + retransmission.intervalMs;
  }

  compute(exchange: Exchange, purpose: Purpose, job: Job, exponent?: Bytes): void {
    const token = this.newId();
    this.pending.set(token, { exchangeId: exchange.id, purpose, exponent });
    this.effects.push({ do: "compute", token, job });
  }

  reserve(exchange: Exchange, purpose: Purpose, choices: readonly SectionChoice[], attributes: Bytes): void {
    const token = this.newId();
    this.pending.set(token, { exchangeId: exchange.id, purpose, choices, attributes });
    const [peer, local] = [exchange.peer.address, exchange.local.address];
    this.effects.push({ do: "reserve", token, peer, local, protocols: choices.map(({ protocol }) => protocol) });
  }

  /** Whether the engine has been asked for an SPI and has not answered. */
  isReserving(exchange: Exchange): boolean {
    for (const { exchangeId, purpose } of this.pending.values()) {
      if (exchangeId === exchange.id && purpose === "update") return true;
    }
    return false;
  }

  /** Tells everybody who waits for an exchange how it went. */
  outcome(exchange: Exchange, established: boolean, text: string): void {
    const { request, joined } = exchange;
    const waiting = joined.splice(0);
    if (request && !exchange.told) waiting.unshift(request);
    exchange.told = true;
    for (const each of waiting) this.effects.push({ do: "outcome", request: each, established, text });
    this.log(established ? "notice" : "warning", text);
  }

  /** Ends an exchange that cannot succeed. */
  fail(exchange: Exchange, text: string): "ENDED" {
    this.outcome(exchange, false, text);
    return "ENDED";
  }

  /** The life of an SPI that we are to announce: as configured and 0 to 31 seconds more, RFC 2522 1.4.2. */
  spiLifeSeconds(request: StartRequest | undefined): number {
    return (request?.spiLifetime ?? this.settings.times.spiLifetime) + this.randomBelow(32);
  }

  /** Remembers an SPI and has the engine install it, now or (user SPIs that replace another) after `delayMs`. */
  install(
    exchange: Exchange,
    role: SpiRecord["role"],
    spi: number,
    lifeSeconds: number,
    sections: readonly SpiSection[],
    attributes: Bytes,
    more: { request?: StartRequest; isFirst: boolean; announcement?: Bytes; delayMs?: number },
  ): void {
    const [peer, local] = [exchange.peer.address, exchange.local.address];
    const protocols = sections.map(({ protocol }) => protocol);
    const { request, isFirst, announcement, delayMs = 0 } = more;
    const record: SpiRecord = {
      role,
      spi,
      peer,
      local,
      protocols,
      exchangeId: exchange.id,
      exchangeRole: exchange.role,
      peerEndpoint: exchange.peer,
      localEndpoint: exchange.local,
      request,
      attributes,
      madeAt: this.now,
      expiresAt: this.now + 1000 * (lifeSeconds + (role === "owner" ? OWNER_GRACE_SECONDS : 0)),
      renewAt: this.now + 1000 * lifeSeconds * (role === "owner" ? 1 / 2 : 3 / 4),
      installAt: 0,
      announcement,
    };
    const install = () => {
      const left = Math.max(1, Math.ceil((record.expiresAt - this.now) / 1000));
      this.effects.push({
        do: "install",
        role,
        spi,
        peer,
        local,
        protocols,
        sections,
        lifeSeconds: left,
        isFirst,
        request,
        peerPort: exchange.peer.port,
      });
    };
    this.spis.add(record);
    if (delayMs === 0) return install();
    record.installAt = this.now + delayMs;
    record.install = install;
  }

  /** Whether an SPI needs no successor: it has one, or nobody wants what it was made for any more. */
  isObsolete(record: SpiRecord): boolean {
    if (this.spis.isReplaced(record)) return true;
    if (record.request) return !this.settings.isWanted(record.request);
    // Made because the peer asked: its latest wish counts.
    return this.spis.latest(record.role, record.local, record.peer) !== record;
  }

  /** Has the engine forget an SPI, unless it never knew it. */
  remove(record: SpiRecord): void {
    this.spis.records.delete(record);
    if (record.install) return;
    const { role, spi, peer, local, protocols } = record;
    this.effects.push({ do: "remove", role, spi, peer, local, protocols });
  }

  /** The exchange that we have begun with a peer and that is not identified yet. */
  underWay(peer: Address): Exchange | undefined {
    return this.withPeer(peer).find(({ role, state }) =>
      role === ("initiator" satisfies Role) && state !== "ESTABLISHED"
    );
  }
}

/** Whether two ends are the same address. */
export const sameHost = (a: Endpoint, b: Endpoint): boolean => equalAddress(a.address, b.address);
