/** Requests about SAs: GETSPI, ADD, UPDATE, DELETE, GET, X_GRPSPIS, X_BINDSA (RFC 2367 3.1, OpenBSD's pfkeyv2_send). @module */
import { isUnspecified, prefixOf } from "../ip/address.ts";
import { type Flow, NO_LIMIT, type SaIdentity, type SaParameters, type SecurityProtocol } from "../ipsec/types.ts";
import type { Extensions } from "../pfkey/extensions.ts";
import type { Message } from "../pfkey/message.ts";
import { protocolOf } from "../pfkey/nouns.ts";
import { nameOf, PfkeyError, SA_FLAGS, SA_TYPES } from "../pfkey/numbers.ts";
import { identityExtensions, readSa, saExtensions } from "../pfkey/sa_message.ts";
import { nextLimitMs, passedLimit } from "./lifetimes.ts";
import { describeSa, type EngineState } from "./state.ts";
import type { SaRecord } from "./tables.ts";

/** A checked request with its sender and the time. */
export interface Request {
  readonly client: number;
  readonly message: Message;
  readonly nowMs: number;
}

const RESERVED_SPIS = 256;
/** Random tries before a small range is searched from end to end. */
const SPI_TRIES = 64;
const SEARCHED_RANGE = 65536;

const invalid = (text: string) => new PfkeyError("EINVAL", text);

/** The SA that SA and ADDRESS_DST name. */
function identityOf({ satype, extensions }: Message): SaIdentity {
  return { protocol: protocolOf(satype), spi: extensions.SA!.spi, destination: extensions.ADDRESS_DST!.address };
}

function secondIdentityOf({ extensions }: Message): SaIdentity {
  const number = extensions.X_PROTOCOL!.proto;
  const satype = nameOf(SA_TYPES, number);
  if (!satype) throw invalid(`No SA type ${number}`);
  return { protocol: protocolOf(satype), spi: extensions.X_SA2!.spi, destination: extensions.X_DST2!.address };
}

/** Keys and authentication data never go back. */
function withoutSecrets({ X_LOCAL_AUTH: _1, X_REMOTE_AUTH: _2, KEY_AUTH: _3, KEY_ENCRYPT: _4, ...rest }: Extensions) {
  return rest;
}

function larval(protocol: SecurityProtocol, spi: number, { extensions }: Message): SaParameters {
  return {
    protocol,
    spi,
    source: extensions.ADDRESS_SRC!.address,
    destination: extensions.ADDRESS_DST!.address,
    tunnel: false,
    oldHeader: false,
    halfIv: false,
    randomPadding: false,
    replayWindow: 0,
    hard: NO_LIMIT,
    soft: NO_LIMIT,
  };
}

/** An SPI of the range that is free for the destination. @throws {PfkeyError} EINVAL, EEXIST */
function freeSpi(state: EngineState, identity: Omit<SaIdentity, "spi">, min: number, max: number): number {
  const first = Math.max(min, RESERVED_SPIS);
  if (first > max) throw invalid("SPIRANGE: 0 to 255 are reserved");
  const free = (spi: number) => !state.sas.find({ ...identity, spi });
  const count = max - first + 1;
  const random = new DataView(state.options.random(4 * SPI_TRIES).buffer);
  for (let i = 0; i < SPI_TRIES; i++) {
    const spi = first + random.getUint32(4 * i) % count;
    if (free(spi)) return spi;
  }
  if (count <= SEARCHED_RANGE) { for (let spi = first; spi <= max; spi++) if (free(spi)) return spi; }
  throw new PfkeyError("EEXIST", "No SPI of the range is free");
}

export function reserveSpi(state: EngineState, { message, nowMs }: Request): void {
  const { ADDRESS_SRC, ADDRESS_DST, SPIRANGE } = message.extensions;
  const protocol = protocolOf(message.satype);
  state.demandEnabled(protocol);
  if (ADDRESS_SRC!.address.family !== ADDRESS_DST!.address.family) {
    throw invalid("Source and destination are of two address families");
  }
  const spi = freeSpi(state, { protocol, destination: ADDRESS_DST!.address }, SPIRANGE!.min, SPIRANGE!.max);
  const sa = larval(protocol, spi, message);
  const record = state.sas.add(sa, "larval", nowMs);
  state.deadlines.set(record, nowMs + 1000 * state.sysctl.number("net.inet.ip.ipsec-invalid-life"));
  const { SA, ...addresses } = identityExtensions(sa, sa.source);
  state.broadcast({ ...message, extensions: { ...addresses, SA: { ...SA!, state: 0 } } });
}

export function addSa(state: EngineState, { message, nowMs }: Request): void {
  const sa = readSa(message.satype, message.extensions);
  state.demandEnabled(sa.protocol);
  if (state.sas.find(sa)) throw new PfkeyError("EEXIST", `${describeSa(sa)} exists already`);
  state.installSa(sa, nowMs);
  // An SA made for an ACQUIRE carries its number: the ACQUIRE is answered.
  state.acquires.answered(message.seq);
  state.broadcast({ ...message, extensions: withoutSecrets(message.extensions) });
}

export function updateSa(state: EngineState, request: Request): void {
  const { message, nowMs } = request;
  const record = state.demandSa(identityOf(message));
  state.demandEnabled(record.sa.protocol);
  if (record.state === "larval") {
    const sa = readSa(message.satype, message.extensions);
    state.sas.delete(record);
    state.deadlines.delete(record);
    state.installSa(sa, nowMs);
  } else changeSa(state, record, message.extensions, nowMs);
  state.broadcast({ ...message, extensions: withoutSecrets(message.extensions) });
}

/** Of a mature SA only lifetimes and the UDP port may change (RFC 2367 3.1.2). */
function changeSa(state: EngineState, record: SaRecord, extensions: Extensions, nowMs: number): void {
  for (
    const name of [
      "KEY_AUTH",
      "KEY_ENCRYPT",
      "IDENTITY_SRC",
      "IDENTITY_DST",
      "ADDRESS_PROXY",
      "X_REPLAY_WINDOW",
    ] as const
  ) {
    if (extensions[name]) throw invalid(`UPDATE: ${name} of a mature SA cannot be changed`);
  }
  const now = saExtensions(record.sa, false).SA!;
  const { auth, encrypt } = extensions.SA!;
  if ((auth && auth !== now.auth) || (encrypt && encrypt !== now.encrypt)) {
    throw invalid("UPDATE: the algorithms of a mature SA cannot be changed");
  }
  const port = extensions.X_UDPENCAP?.port;
  if (port !== undefined && (record.sa.udpPort === undefined || port === 0)) {
    throw invalid("UPDATE: only the port of an SA that is UDP-encapsulated can be changed");
  }
  record.sa = {
    ...record.sa,
    hard: extensions.LIFETIME_HARD ?? record.sa.hard,
    soft: extensions.LIFETIME_SOFT ?? record.sa.soft,
    ...(port !== undefined && { udpPort: port }),
  };
  if (record.state === "dying") {
    record.state = "mature";
    if (passedLimit(record, nowMs)) record.state = "dying";
  }
  state.deadlines.set(record, nextLimitMs(record));
  state.emit({ kind: "updateSa", id: record.id, sa: record.sa, state: record.state });
}

export function deleteSa(state: EngineState, { message }: Request): void {
  const record = state.demandSa(identityOf(message));
  const chain = message.extensions.SA!.flags & SA_FLAGS.CHAINDEL ? bundleOf(record) : [record];
  for (const one of chain) state.removeSa(one);
  state.broadcast(message);
}

/** The SAs of a bundle, innermost first. */
function bundleOf(record: SaRecord): SaRecord[] {
  let first = record;
  while (first.inner) first = first.inner;
  const bundle = [first];
  for (let next = first.outer; next; next = next.outer) bundle.push(next);
  return bundle;
}

/** The answer goes to the requester alone, because it holds the keys. */
export function tellSa(state: EngineState, { client, message, nowMs }: Request): void {
  const record = state.demandSa(identityOf(message));
  state.sendTo(client, { ...message, extensions: state.stateExtensions(record, true, nowMs) });
}

function demandMature(...records: SaRecord[]): void {
  if (records.some(({ state }) => state === "larval")) throw new PfkeyError("ESRCH", "A reserved SPI is no SA");
}

export function groupSas(state: EngineState, { message }: Request): void {
  const inner = state.demandSa(identityOf(message));
  const outer = state.demandSa(secondIdentityOf(message));
  demandMature(inner, outer);
  if (bundleOf(outer).slice(bundleOf(outer).indexOf(outer)).includes(inner)) {
    throw new PfkeyError("ESRCH", "The bundle would bite its own tail");
  }
  state.link(inner, outer);
  state.broadcast(message);
}

/**
 * `ipsecadm bind`: replies to what comes through the first SA (inbound) leave through the second. On OpenBSD 2.6 the
 * sockets remembered the SA; here it is a flow between the two hosts, which vanishes with either SA. A flow that is
 * there already stays as it is.
 */
export function bindSa(state: EngineState, { message }: Request): void {
  const inbound = state.demandSa(identityOf(message));
  const outbound = state.demandSa(secondIdentityOf(message));
  const { source, destination } = inbound.sa;
  if (inbound === outbound) throw invalid("An SA cannot be bound to itself");
  if (inbound.state === "larval" || outbound.state === "larval") {
    throw new PfkeyError("ESRCH", "A reserved SPI is no SA");
  }
  if (isUnspecified(source)) throw invalid("The inbound SA has no source to reply to");
  state.unbind(inbound);
  const bits = 8 * source.octets.length;
  const flow: Flow = {
    selector: {
      source: prefixOf(destination, bits),
      destination: prefixOf(source, bits),
      transport: 0,
      sourcePort: 0,
      destinationPort: 0,
      direction: "out",
    },
    type: "use",
    protocol: outbound.sa.protocol,
    peer: outbound.sa.destination,
    spi: outbound.sa.spi,
    static: false,
  };
  const made = state.flows.find(flow.selector) ? undefined : state.setFlow(flow);
  inbound.bound = made ? { to: outbound, flow: made } : { to: outbound };
  (outbound.boundBy ??= new Set()).add(inbound);
  state.broadcast(message);
}
