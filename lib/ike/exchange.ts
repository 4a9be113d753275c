/**
 * The interpreter of the rows: takes a message (or the wish to begin), runs the row's steps, sends what the row sends. A
 * step may wait for a computation; meanwhile the exchange keeps one further message, and its state does not change
 * until all steps have succeeded.
 *
 * @module
 */
import { exchangeIv } from "./keys.ts";
import { EXCHANGE, type NotifyName } from "../isakmp/numbers.ts";
import { IsakmpError } from "../isakmp/error.ts";
import { equal } from "../octets/bytes.ts";
import type { Endpoint, Fault } from "./events.ts";
import { NegotiationError } from "./fault.ts";
import { count, drop, log } from "./log.ts";
import { reportFailure } from "./outcome.ts";
import { unusableValue } from "./public_value.ts";
import { PROTECTED, type Row, rowOf } from "./rows.ts";
import { resend, sendRow } from "./send.ts";
import { silence } from "./silence.ts";
import type { Context, Core, Exchange, Incoming, Phase1Sa, Role, Wait } from "./state.ts";
import { TIMES } from "./timers.ts";
import { exchangeEnded, giveBackSpi } from "./connections.ts";
import { endPhase1 } from "./phase1_sa.ts";
import { notifyPeer, notifyPlain } from "./notify.ts";
import { receive } from "./receive.ts";

/** Copies of one message that are answered with the same answer. */
const MOST_REPEATS = 10;

export function createExchange(
  core: Core,
  sa: Phase1Sa,
  name: Row["exchange"],
  role: Role,
  messageId: number,
): Exchange {
  return {
    name,
    role,
    sa,
    messageId,
    state: "START",
    retransmissions: 0,
    answers: false,
    notified: false,
    finished: false,
    startedAt: core.now,
  };
}

/** A message ID that this SA has not seen yet. */
export function freshMessageId(core: Core, sa: Phase1Sa): number {
  for (;;) {
    const [a, b, c, d] = core.environment.random(4);
    const id = (a << 24 | b << 16 | c << 8 | d) >>> 0;
    if (id !== 0 && !sa.usedIds.has(id)) return id;
  }
}

/** Begins an exchange under an established SA. `prepare` sets what its steps need. */
export function beginProtected(
  core: Core,
  sa: Phase1Sa,
  name: Row["exchange"],
  prepare: (exchange: Exchange) => void,
): Exchange {
  const exchange = createExchange(core, sa, name, "initiator", freshMessageId(core, sa));
  prepare(exchange);
  register(core, exchange);
  begin(core, exchange);
  return exchange;
}

/** Message IDs under one phase 1 SA: with so many it is time for another one, with twice as many it ends. */
const MOST_MESSAGE_IDS = 50_000;

/** From now on the message ID belongs to this exchange and to no later one. */
export function register(core: Core, exchange: Exchange): void {
  const { sa, messageId } = exchange;
  sa.usedIds.add(messageId);
  sa.exchanges.set(messageId, exchange);
  if (sa.usedIds.size === MOST_MESSAGE_IDS) core.timers.set(sa, "soften", core.now);
  if (sa.usedIds.size === 2 * MOST_MESSAGE_IDS) core.timers.set(sa, "expire", core.now);
}

/** Runs the first row of an initiator. */
export function begin(core: Core, exchange: Exchange): void {
  const row = rowOf(exchange.name, exchange.role, "START")!;
  armGiveUp(core, exchange);
  run(core, exchange, row);
}

/** When an exchange is given up: what a stranger has begun and not proven goes soon. */
export function armGiveUp(core: Core, exchange: Exchange): void {
  const isStranger = exchange.role === "responder" && exchange.messageId === 0;
  const most = 1000 * core.configuration.exchangeMaxTimeSeconds;
  core.timers.set(exchange, "giveUp", exchange.startedAt + (isStranger ? Math.min(TIMES.halfOpenMs, most) : most));
}

/** Runs a row with the message that it received. */
export function run(core: Core, exchange: Exchange, row: Row, message?: Incoming): void {
  const context: Context = { core, sa: exchange.sa, exchange, row, message, accepted: false };
  exchange.context = context;
  drive(core, exchange, follow(context));
}

function* follow(context: Context): Generator<Wait, void, any> {
  const { core, sa, exchange, row, message } = context;
  log(core, "Exchange", 60, () => `${row.exchange} as ${row.as}: ${row.at} to ${row.to}`);
  for (const step of row.run) yield* step(context) ?? [];
  context.accepted = true;
  if (message) {
    exchange.received = message.datagram;
    if (message.nextIv) exchange.iv = message.nextIv;
    exchange.problem = undefined;
    exchange.notified = false;
    core.timers.clear(exchange, "retransmit");
    armGiveUp(core, exchange);
  }
  exchange.answers = row.sends !== undefined;
  if (row.sends) sendRow(context);
  exchange.state = row.to;
  for (const step of row.then ?? []) yield* step(context) ?? [];
  if (row.to === "DONE" && sa.exchanges.get(exchange.messageId) === exchange) finish(core, exchange);
}

/** What was waited for: the value of a computation, an SPI, or why there is none. */
export type WaitResult = { readonly ok: true; readonly value: unknown } | {
  readonly ok: false;
  readonly error: string;
};

/** What is at fault when the edge cannot do what was asked of it, and what the peer is told. */
const WAIT_FAULTS: Readonly<Record<Wait["op"], readonly [item: string, notify: NotifyName]>> = {
  generateKeyPair: ["KEY_EXCH", "INVALID_KEY_INFORMATION"],
  sharedSecret: ["KEY_EXCH", "INVALID_KEY_INFORMATION"],
  sign: ["our signature", "AUTHENTICATION_FAILED"],
  verify: ["SIG", "INVALID_SIGNATURE"],
  reserveSpi: ["SPI", "NO_PROPOSAL_CHOSEN"],
};

function waitFailed(exchange: Exchange, op: Wait["op"], detail: string): NegotiationError {
  const [item, notify] = WAIT_FAULTS[op];
  return new NegotiationError(notify, op === "sharedSecret" ? unusableValue(exchange, detail) : { item, detail });
}

/** Runs steps until they end or wait. `given` is what came of what they waited for. */
function drive(
  core: Core,
  exchange: Exchange,
  steps: Generator<Wait, void, any>,
  given?: { readonly op: Wait["op"]; readonly result: WaitResult },
): void {
  exchange.running = steps;
  try {
    const { done, value } = given === undefined
      ? steps.next()
      : given.result.ok
      ? steps.next(given.result.value)
      : steps.throw(waitFailed(exchange, given.op, given.result.error));
    if (!done) {
      wait(core, exchange, value);
      return;
    }
    exchange.running = undefined;
    exchange.context = undefined;
  } catch (error) {
    exchange.running = undefined;
    const context = exchange.context!;
    exchange.context = undefined;
    if (!(error instanceof NegotiationError) && !(error instanceof IsakmpError)) throw error;
    stepFailed(context, error);
  }
  const { pending } = exchange;
  exchange.pending = undefined;
  if (pending && exchange.sa.state !== "dead") receive(core, pending.from, pending.to, pending.octets);
}

function wait(core: Core, exchange: Exchange, wait: Wait): void {
  const id = core.nextId++;
  core.waits.set(id, { exchange, wait });
  if (wait.op === "reserveSpi") {
    const { local, remote } = exchange.sa;
    core.effects.push({
      type: "reserveSpi",
      id,
      protocol: wait.protocol,
      local: local.address,
      remote: remote.address,
    });
  } else core.effects.push({ type: "compute", id, task: wait });
}

/** Goes on with the exchange that waited for `id`. When it has ended meanwhile, a reserved SPI is given back. */
export function resume(core: Core, id: number, result: WaitResult): void {
  const waiting = core.waits.get(id);
  core.waits.delete(id);
  if (!waiting) return;
  const { exchange, wait } = waiting;
  if (!exchange.running || exchange.sa.state === "dead") {
    if (wait.op === "reserveSpi" && result.ok) giveBackSpi(core, exchange.sa, wait.protocol, result.value as number);
    return;
  }
  drive(core, exchange, exchange.running, { op: wait.op, result });
}

/** Facts of either kind of error. */
export const faultOf = (error: NegotiationError | IsakmpError): Fault =>
  error instanceof NegotiationError ? error.fault : { code: error.notify, detail: error.message };

/**
 * A step threw. What a protected, accepted or first message leads to is final; a message that anybody could have sent is
 * dropped and remembered as the probable reason, while the exchange waits a little longer for a better one.
 */
function stepFailed(context: Context, error: NegotiationError | IsakmpError): void {
  const { core, exchange, row, message } = context;
  const fault = faultOf(error);
  const authenticated = PROTECTED.has(exchange.name);
  if (!message || context.accepted || authenticated || row.at === "START") {
    if (message) notifyOnce(core, exchange, error.notify, authenticated);
    fail(core, exchange, fault);
    return;
  }
  drop(core, "refused", message.from, error.message);
  suspect(core, exchange, fault);
  notifyOnce(core, exchange, message.nextIv ? "AUTHENTICATION_FAILED" : error.notify, false);
}

/** Remembers why an exchange will probably fail, and lets it wait only a little longer. */
export function suspect(core: Core, exchange: Exchange, fault: Fault): void {
  exchange.problem ??= fault;
  const latest = core.now + TIMES.patienceMs;
  const giveUp = core.timers.at(exchange, "giveUp");
  if (giveUp === undefined || giveUp > latest) core.timers.set(exchange, "giveUp", latest);
}

/** Tells the peer of a failure, once for each message that we wait for. */
export function notifyOnce(core: Core, exchange: Exchange, type: NotifyName, authenticated: boolean): void {
  if (exchange.notified) return;
  exchange.notified = true;
  if (authenticated) notifyPeer(core, exchange, type);
  else notifyPlain(core, exchange.sa, type);
}

/** The exchange has done its work; it stays a while to answer copies. */
function finish(core: Core, exchange: Exchange): void {
  exchange.finished = true;
  exchange.quick = undefined;
  core.timers.clear(exchange, "retransmit", "giveUp");
  if (exchange.sent && exchange.name !== "INFO") {
    core.timers.set(exchange, "forget", core.now + TIMES.lingerMs);
  } else forget(core, exchange);
}

/** Removes an exchange; its message ID stays used. */
export function forget(core: Core, exchange: Exchange): void {
  core.timers.drop(exchange);
  exchange.running = undefined;
  exchange.pending = undefined;
  if (exchange.sa.exchanges.get(exchange.messageId) === exchange) exchange.sa.exchanges.delete(exchange.messageId);
}

/** The exchange has failed: one outcome, and everything it held is released. */
export function fail(core: Core, exchange: Exchange, fault: Fault): void {
  if (exchange.finished) return;
  exchange.finished = true;
  reportFailure(core, exchange, fault);
  forget(core, exchange);
  exchangeEnded(core, exchange, fault);
  if (exchange.messageId === 0) endPhase1(core, exchange.sa, "failed");
}

/** Time is up. */
export function giveUp(core: Core, exchange: Exchange): void {
  fail(core, exchange, exchange.problem ?? silence(exchange));
}

/** The retransmission timer of an exchange. */
export function retransmit(core: Core, exchange: Exchange): void {
  const unproven = exchange.role === "responder" && exchange.messageId === 0;
  const most = unproven ? Math.min(3, core.configuration.retransmits) : core.configuration.retransmits;
  if (exchange.retransmissions >= most) {
    if (!unproven) giveUp(core, exchange);
    return;
  }
  exchange.retransmissions++;
  count(core, "retransmissions");
  resend(core, exchange, true);
}

/** Whether a message is a copy of the last one accepted; if so it gets the same answer again. */
export function isCopy(core: Core, exchange: Exchange, octets: Uint8Array, from: Endpoint): boolean {
  if (!exchange.received || !equal(exchange.received, octets)) {
    const underWay = exchange.context?.message?.datagram;
    return underWay !== undefined && equal(underWay, octets);
  }
  count(core, "copies");
  const { sent, answers } = exchange;
  if (sent && answers && sent.repeats < MOST_REPEATS) {
    sent.repeats++;
    resend(core, exchange, false);
  } else drop(core, "copy", from);
  return true;
}

/** The IV for the next message of an exchange. */
export function ivOf(exchange: Exchange) {
  const { sa } = exchange;
  if (exchange.iv) return exchange.iv;
  const { hash, cipher } = sa.terms!;
  return exchangeIv(hash, sa.lastBlock!, exchange.messageId, cipher.ivOctets);
}

/** The number of an exchange's type. */
export const exchangeNumber = (name: Row["exchange"]): number => EXCHANGE[name];
