/** Everything the engine's core knows, and the primitives that its requests are made of. @module */
import { AddressPool } from "../ip/address_pool.ts";
import { shareFlow, shareSa } from "../ipsec/shared.ts";
import { type Flow, PROTOCOL, type SaIdentity, type SaParameters } from "../ipsec/types.ts";
import { type Bytes, erase } from "../octets/bytes.ts";
import type { Extensions } from "../pfkey/extensions.ts";
import { encodeMessage, HEADER_OCTETS, MAX_MESSAGE_OCTETS, type Message } from "../pfkey/message.ts";
import { saTypeOf } from "../pfkey/nouns.ts";
import { MESSAGE_TYPES, PfkeyError, SA_TYPES, type SaType, VERSION } from "../pfkey/numbers.ts";
import { saExtensions } from "../pfkey/sa_message.ts";
import { AcquireTable } from "./acquires.ts";
import { Deadlines } from "./deadlines.ts";
import type { Effect, SaUsage } from "./effects.ts";
import { nextLimitMs } from "./lifetimes.ts";
import { Sysctl } from "./sysctl.ts";
import { FlowTable, type SaRecord, SaTable } from "./tables.ts";

/** One connected key management program. */
export interface ClientState {
  /** Of its first message; every other must have the same. */
  pid?: number;
  promiscuous: boolean;
  /** SA types whose ACQUIREs it wants. */
  readonly registered: Set<SaType>;
}

/** What the core asks of its surroundings. */
export interface EngineOptions {
  /** Unpredictable octets, for SPIs. */
  readonly random: (octets: number) => Bytes;
  /** The latest counters of an SA, for GET and DUMP; absent: those of the last `onUsage`. */
  readonly usageOf?: (id: number) => SaUsage | undefined;
  /** Counters for X_STATISTICS by name, such as `esp.inputPackets`. */
  readonly statistics?: () => Readonly<Record<string, number>>;
}

const ENABLE: Readonly<Record<number, string>> = { 50: "net.inet.esp.enable", 51: "net.inet.ah.enable" };

/** The core's tables, clients and pending effects. */
export class EngineState {
  readonly sas = new SaTable();
  readonly flows = new FlowTable();
  readonly clients = new Map<number, ClientState>();
  readonly acquires = new AcquireTable();
  readonly sysctl = new Sysctl();
  readonly deadlines = new Deadlines<SaRecord>();
  readonly #addresses = new AddressPool();
  #effects: Effect[] = [];
  #seq = 0;

  constructor(readonly options: EngineOptions) {}

  emit(effect: Effect): void {
    this.#effects.push(effect);
  }

  log(level: "notice" | "debug", text: string): void {
    this.emit({ kind: "log", level, text });
  }

  /** The effects since the last call. */
  takeEffects(): Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** The number of the engine's next ACQUIRE or EXPIRE. */
  nextSeq(): number {
    this.#seq = this.#seq === 0x7fff_ffff ? 1 : this.#seq + 1;
    return this.#seq;
  }

  /** @throws {PfkeyError} EOPNOTSUPP when the protocol is switched off, naming the switch */
  demandEnabled(protocol: number): void {
    const knob = ENABLE[protocol];
    if (knob && this.sysctl.get(knob) === "0") {
      throw new PfkeyError("EOPNOTSUPP", `Switched off: set ${knob}=1`);
    }
  }

  /** To every client. */
  broadcast(message: Message): void {
    this.#send([...this.clients.keys()], encodeMessage(message));
  }

  /** To one client, and a wrapped copy to promiscuous ones. */
  reply(client: number, message: Message): void {
    const octets = encodeMessage(message);
    this.#send([client], octets);
    this.overhear(octets, 0, client);
  }

  /** To one client and nobody else, because it holds keys. */
  sendTo(client: number, message: Message): void {
    this.#send([client], encodeMessage(message));
  }

  /** To the clients registered for an SA type. @returns whether there is one */
  toRegistered(satype: SaType, message: Message): boolean {
    const to = this.#registered(satype);
    if (!to.length) return false;
    const octets = encodeMessage(message);
    this.#send(to, octets);
    this.overhear(octets, 0, ...to);
    return true;
  }

  hasRegistered(satype: SaType): boolean {
    return this.#registered(satype).length > 0;
  }

  #registered(satype: SaType): number[] {
    return [...this.clients].filter(([, { registered }]) => registered.has(satype)).map(([client]) => client);
  }

  sendOctets(to: readonly number[], octets: Bytes): void {
    this.#send(to, octets);
  }

  #send(to: readonly number[], message: Bytes): void {
    if (to.length) this.emit({ kind: "send", to, message });
  }

  /** A copy, wrapped in an X_PROMISC header, to every promiscuous client but those of `except`. `seq`: the writer's pid. */
  overhear(octets: Uint8Array, seq: number, ...except: number[]): void {
    if (octets.length + HEADER_OCTETS > MAX_MESSAGE_OCTETS) return;
    const to = [...this.clients].filter(([client, { promiscuous }]) => promiscuous && !except.includes(client));
    if (to.length) this.#send(to.map(([client]) => client), wrap(octets, seq));
  }

  /** @throws {PfkeyError} ESRCH */
  demandSa(identity: SaIdentity): SaRecord {
    const record = this.sas.find(identity);
    if (!record) throw new PfkeyError("ESRCH", `No SA ${describeSa(identity)}`);
    return record;
  }

  /** A new mature SA. */
  installSa(given: SaParameters, nowMs: number): void {
    const sa = shareSa(this.#addresses, given);
    const record = this.sas.add(sa, "mature", nowMs);
    this.deadlines.set(record, nextLimitMs(record));
    this.emit({ kind: "installSa", id: record.id, sa });
  }

  /** Takes an SA away, with its place in bundles and bindings. */
  removeSa(record: SaRecord): void {
    this.link(record, undefined);
    if (record.inner) this.link(record.inner, undefined);
    this.unbind(record);
    for (const other of record.boundBy ?? []) this.unbind(other);
    this.sas.delete(record);
    this.deadlines.delete(record);
    if (record.state !== "larval") this.emit({ kind: "removeSa", id: record.id, sa: record.sa });
    record.state = "dead";
    eraseKeys(record.sa);
  }

  /** Makes `outer` the SA applied after `inner`; older links of both on these sides are broken. */
  link(inner: SaRecord, outer: SaRecord | undefined): void {
    if (outer === undefined && inner.outer === undefined) return;
    if (inner.outer) inner.outer.inner = undefined;
    if (outer?.inner) {
      outer.inner.outer = undefined;
      this.emit({ kind: "link", inner: outer.inner.id, outer: undefined });
    }
    inner.outer = outer;
    if (outer) outer.inner = inner;
    this.emit({ kind: "link", inner: inner.id, outer: outer?.id });
  }

  unbind(record: SaRecord): void {
    if (!record.bound) return;
    const { to, flow } = record.bound;
    to.boundBy?.delete(record);
    record.bound = undefined;
    if (flow && this.flows.find(flow.selector) === flow) this.removeFlow(flow);
  }

  /** Adds a flow or changes the one with its selector; returns it as the table holds it. */
  setFlow(given: Flow): Flow {
    const flow = shareFlow(this.#addresses, given);
    const replaced = this.flows.find(flow.selector);
    this.flows.set(flow);
    this.emit(replaced ? { kind: "addFlow", flow, replaced } : { kind: "addFlow", flow });
    return flow;
  }

  removeFlow(flow: Flow): void {
    this.flows.delete(flow);
    this.emit({ kind: "removeFlow", flow });
  }

  /** Everything at once. */
  clear(): void {
    for (const { sa } of this.sas) eraseKeys(sa);
    for (const record of this.sas) record.state = "dead";
    this.sas.clear();
    this.flows.clear();
    this.deadlines.clear();
    this.acquires.clear();
    this.emit({ kind: "flush" });
  }

  /** The latest counters of an SA. */
  usage(record: SaRecord): SaUsage {
    record.usage = this.options.usageOf?.(record.id) ?? record.usage;
    return record.usage;
  }

  /** LIFETIME_CURRENT (RFC 2367 2.3.2): counts so far, times since the epoch. */
  currentLifetime(record: SaRecord): Extensions {
    const usage = this.usage(record);
    return {
      LIFETIME_CURRENT: {
        allocations: usage.allocations,
        bytes: usage.bytes,
        addSeconds: Math.floor(record.addedMs / 1000),
        useSeconds: usage.firstUsedSeconds,
      },
    };
  }

  /** All that GET and DUMP tell about an SA. */
  stateExtensions(record: SaRecord, keys: boolean, nowMs: number): Extensions {
    const { sa, state, outer, bound } = record;
    const usage = this.usage(record);
    const idleSeconds = usage.lastUsedSeconds ? Math.max(0, Math.floor(nowMs / 1000) - usage.lastUsedSeconds) : 0;
    return {
      ...saExtensions(sa, keys, state),
      ...this.currentLifetime(record),
      X_LIFETIME_LASTUSE: { allocations: 0, bytes: 0, addSeconds: 0, useSeconds: usage.lastUsedSeconds },
      X_SA_USAGE: {
        ageSeconds: Math.max(0, Math.floor((nowMs - record.addedMs) / 1000)),
        packets: usage.packets,
        drops: usage.drops,
        sequence: usage.sequence,
        idleSeconds,
        encryptBits: 8 * (sa.encryptionKey?.length ?? 0),
        authBits: 8 * (sa.authenticationKey?.length ?? 0),
      },
      ...(outer && {
        X_OUTER_SA: { spi: outer.sa.spi, satype: SA_TYPES[saTypeOf(outer.sa.protocol)] },
        X_OUTER_DST: { address: outer.sa.destination, port: 0 },
      }),
      ...(bound && {
        X_BOUND_SA: { spi: bound.to.sa.spi, satype: SA_TYPES[saTypeOf(bound.to.sa.protocol)] },
        X_BOUND_DST: { address: bound.to.sa.destination, port: 0 },
      }),
    };
  }
}

function eraseKeys({ encryptionKey, authenticationKey }: SaParameters): void {
  if (encryptionKey) erase(encryptionKey);
  if (authenticationKey) erase(authenticationKey);
}

/** `esp 0x00001000`. */
export function describeSa({ protocol, spi }: SaIdentity): string {
  const name = protocol === PROTOCOL.ESP ? "esp" : protocol === PROTOCOL.AH ? "ah" : "ip4";
  return `${name} 0x${spi.toString(16).padStart(8, "0")}`;
}

function wrap(octets: Uint8Array, seq: number): Bytes {
  const wrapped = new Uint8Array(HEADER_OCTETS + octets.length);
  const view = new DataView(wrapped.buffer);
  wrapped[0] = VERSION;
  wrapped[1] = MESSAGE_TYPES.X_PROMISC;
  view.setUint16(4, wrapped.length / 8, true);
  view.setUint32(8, seq, true);
  wrapped.set(octets, HEADER_OCTETS);
  return wrapped;
}
