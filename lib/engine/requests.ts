/** What each message type asks of the engine: one row a type. @module */
import { AUTHENTICATORS, type ByKeyLength, type CipherRow, ESP_CIPHERS } from "../crypto/algorithms.ts";
import type { Bytes } from "../octets/bytes.ts";
import type { SupportedAlgorithm } from "../pfkey/extensions.ts";
import { flowExtensions } from "../pfkey/flow_message.ts";
import { decodeMessage, encodeMessage, type Message } from "../pfkey/message.ts";
import { protocolOf, saTypeOf } from "../pfkey/nouns.ts";
import { type MessageType, PfkeyError } from "../pfkey/numbers.ts";
import { addFlow, deleteFlow, passAcquire, tellPolicy } from "./flow_requests.ts";
import { addSa, bindSa, deleteSa, groupSas, type Request, reserveSpi, tellSa, updateSa } from "./sa_requests.ts";
import type { EngineState } from "./state.ts";

/** Carries out a request; throws PfkeyError with the errno of the answer, and then has changed nothing. */
export const REQUESTS: Readonly<Record<MessageType, (state: EngineState, request: Request) => void>> = {
  GETSPI: reserveSpi,
  UPDATE: updateSa,
  ADD: addSa,
  DELETE: deleteSa,
  GET: tellSa,
  ACQUIRE: passAcquire,
  REGISTER: register,
  EXPIRE: (state, { message }) => state.broadcast(message),
  FLUSH: flush,
  DUMP: dumpSas,
  X_PROMISC: promiscuous,
  X_ADDFLOW: addFlow,
  X_DELFLOW: deleteFlow,
  X_GRPSPIS: groupSas,
  X_ASKPOLICY: tellPolicy,
  X_SPDDUMP: dumpFlows,
  X_BINDSA: bindSa,
  X_SYSCTL: sysctl,
  X_STATISTICS: tellStatistics,
};

function supported(row: { pfkey: ByKeyLength; key: CipherRow["key"]; saltOctets: number; ivOctets: number }) {
  const ids = typeof row.pfkey === "number" ? [row.pfkey] : Object.values(row.pfkey);
  return ids.map((id): SupportedAlgorithm => ({
    id,
    ivBits: 8 * row.ivOctets,
    minBits: 8 * (row.key.min + row.saltOctets),
    maxBits: 8 * (row.key.max + row.saltOctets),
  }));
}

/** All algorithms, whatever SA type was asked about (as OpenBSD does). */
function register(state: EngineState, { client, message }: Request): void {
  protocolOf(message.satype);
  state.clients.get(client)!.registered.add(message.satype);
  state.toRegistered(message.satype, {
    ...message,
    extensions: {
      SUPPORTED_AUTH: AUTHENTICATORS.flatMap(supported),
      SUPPORTED_ENCRYPT: ESP_CIPHERS.flatMap(supported),
    },
  });
}

function flush(state: EngineState, { message }: Request): void {
  if (message.satype === "UNSPEC") state.clear();
  else {
    const protocol = protocolOf(message.satype);
    for (const record of state.sas) if (record.sa.protocol === protocol) state.removeSa(record);
  }
  state.broadcast(message);
}

/** Rows one at a time, the last with sequence number 0 (RFC 2367 3.1.10); no rows: the base header alone. */
function* dump<T>(rows: Iterable<T>, request: Message, row: (item: T) => Message | undefined): Generator<Bytes> {
  let previous: Message | undefined;
  for (const item of rows) {
    const message = row(item);
    if (!message) continue;
    if (previous) yield encodeMessage(previous);
    previous = message;
  }
  yield encodeMessage({ ...(previous ?? { ...request, extensions: {} }), seq: 0 });
}

function dumpSas(state: EngineState, { client, message, nowMs }: Request): void {
  const protocol = message.satype === "UNSPEC" ? undefined : protocolOf(message.satype);
  state.emit({
    kind: "dump",
    to: client,
    messages: dump(state.sas, message, (record) => {
      if (record.state === "dead" || (protocol !== undefined && record.sa.protocol !== protocol)) return undefined;
      return {
        ...message,
        satype: saTypeOf(record.sa.protocol),
        extensions: state.stateExtensions(record, false, nowMs),
      };
    }),
  });
}

function dumpFlows(state: EngineState, { client, message }: Request): void {
  state.emit({
    kind: "dump",
    to: client,
    messages: dump(
      state.flows,
      message,
      (flow) => ({ ...message, satype: saTypeOf(flow.protocol), extensions: flowExtensions(flow) }),
    ),
  });
}

/** Switches overhearing on and off, or passes a message on to the program whose pid is in seq (0: to all). */
function promiscuous(state: EngineState, { client, message }: Request): void {
  const own = state.clients.get(client)!;
  const { wrapped } = message;
  if (!wrapped) {
    if (message.satype !== "AH" && message.satype !== "UNSPEC") {
      throw new PfkeyError("EINVAL", "X_PROMISC: 1 switches it on, 0 off");
    }
    own.promiscuous = message.satype === "AH"; // number 1
    state.reply(client, message);
    return;
  }
  decodeMessage(wrapped); // only a message may be passed on
  const to = [...state.clients].filter(([, { pid }]) => message.seq === 0 || pid === message.seq).map(([id]) => id);
  state.sendOctets(to.filter((id) => id !== client), wrapped as Bytes);
  state.reply(client, { ...message, wrapped: undefined });
}

function sysctl(state: EngineState, { client, message }: Request): void {
  const text = message.extensions.X_TEXT ?? "";
  const equals = text.indexOf("=");
  if (equals < 0) {
    const X_TEXT = state.sysctl.format(text === "" ? undefined : text);
    state.reply(client, { ...message, extensions: { X_TEXT } });
    return;
  }
  const [name, value] = [text.slice(0, equals), text.slice(equals + 1)];
  state.sysctl.set(name, value);
  state.emit({ kind: "sysctl", name, value });
  state.reply(client, message);
}

function tellStatistics(state: EngineState, { client, message }: Request): void {
  const counters = Object.entries(state.options.statistics?.() ?? {});
  state.reply(client, {
    ...message,
    extensions: { X_TEXT: counters.map(([name, value]) => `${name}=${value}`).join("\n") },
  });
}
