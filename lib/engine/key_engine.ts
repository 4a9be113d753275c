/**
 * The kernel's part of PF_KEY as a pure core: requests, packets that need an SA, counters and the clock go in; answers and
 * changes to the datapath come out as effects.
 *
 * @module
 */
import type { LimitName } from "../ipsec/lifetimes.ts";
import type { Flow, SaParameters, SaState } from "../ipsec/types.ts";
import { errorReply, HEADER_OCTETS, readHeader } from "../pfkey/message.ts";
import { saTypeOf } from "../pfkey/nouns.ts";
import { MESSAGE_TYPES, nameOf, PfkeyError } from "../pfkey/numbers.ts";
import { saExtensions } from "../pfkey/sa_message.ts";
import { decodeRequest } from "../pfkey/validate.ts";
import { equalAddress, formatAddress } from "../ip/address.ts";
import type { Effect, SaUsage } from "./effects.ts";
import { sendAcquire } from "./flow_requests.ts";
import { isJudgedByUse, nextLimitMs, passedLimit } from "./lifetimes.ts";
import { REQUESTS } from "./requests.ts";
import { describeSa, type EngineOptions, EngineState } from "./state.ts";
import type { PacketAddresses, SaRecord } from "./tables.ts";

/**
 * One engine. Clients are numbers chosen by the caller.
 *
 * `now` is milliseconds since the epoch from a clock that never jumps (the epoch at the start, then the monotonic clock):
 * a corrected system clock must not end an SA's life.
 */
export class KeyEngine {
  readonly #state: EngineState;

  constructor(options: EngineOptions) {
    this.#state = new EngineState(options);
  }

  /** A client has connected. */
  connect(client: number): void {
    this.#state.clients.set(client, { promiscuous: false, registered: new Set() });
  }

  /** A client is gone, with its registrations; SAs and flows stay. */
  disconnect(client: number): void {
    this.#state.clients.delete(client);
  }

  /** One framed message from a client that has connected. */
  onMessage(client: number, octets: Uint8Array, now: number): Effect[] {
    const state = this.#state;
    const own = state.clients.get(client);
    if (!own) return [];
    try {
      const message = decodeRequest(octets);
      if (message.pid === 0 || (own.pid ?? message.pid) !== message.pid) {
        throw new PfkeyError("EINVAL", `pid ${message.pid}: each program uses its own`);
      }
      own.pid = message.pid;
      state.overhear(octets, message.pid, client);
      REQUESTS[message.type](state, { client, message, nowMs: now });
    } catch (error) {
      if (!(error instanceof PfkeyError)) throw error;
      this.#refuse(client, octets, error);
    }
    return state.takeEffects();
  }

  /** OpenBSD fails the write for EINVAL and answers the rest; on our socket every refusal is an answer. */
  #refuse(client: number, octets: Uint8Array, { errno, message }: PfkeyError): void {
    const state = this.#state;
    const known = octets.length >= HEADER_OCTETS;
    const type = known ? nameOf(MESSAGE_TYPES, readHeader(octets).type) : undefined;
    state.log("debug", `refused ${type ?? "a malformed message"} (${errno}): ${message}`);
    if (known) state.sendOctets([client], errorReply(octets, errno));
  }

  /** When {@linkcode onTick} is due next; Infinity: when something has happened. */
  nextDeadline(): number {
    return Math.min(this.#state.deadlines.next(), this.#state.acquires.next());
  }

  /** Ends what is due: SAs by their age, reserved SPIs, ACQUIREs. */
  onTick(now: number): Effect[] {
    const state = this.#state;
    state.acquires.expire(now);
    for (let record = state.deadlines.take(now); record; record = state.deadlines.take(now)) {
      if (record.state === "larval") {
        state.log("debug", `reserved ${describeSa(record.sa)} was never used`);
        state.removeSa(record);
      } else this.#age(record, now);
    }
    return state.takeEffects();
  }

  /**
   * New counters of SAs, by id; ids that are gone are ignored. Byte limits and first use are judged here, so how often it
   * is called is how late a byte limit can be noticed.
   */
  onUsage(snapshots: Iterable<readonly [id: number, usage: SaUsage]>, now: number): Effect[] {
    for (const [id, usage] of snapshots) {
      const record = this.#state.sas.byId(id);
      if (!record || record.state === "larval") continue;
      record.usage = usage;
      if (isJudgedByUse(record)) this.#age(record, now);
    }
    return this.#state.takeEffects();
  }

  #age(record: SaRecord, now: number): void {
    const state = this.#state;
    const passed = passedLimit(record, now);
    if (passed) {
      if (passed.kind === "soft") record.state = "dying";
      this.#tellExpiry(record, passed.kind, passed.limit);
      if (passed.kind === "hard") state.removeSa(record);
      else state.emit({ kind: "updateSa", id: record.id, sa: record.sa, state: record.state });
    }
    if (passed?.kind !== "hard") state.deadlines.set(record, nextLimitMs(record));
  }

  #tellExpiry(record: SaRecord, limit: "hard" | "soft", by: LimitName): void {
    const state = this.#state;
    const { SA, ADDRESS_SRC, ADDRESS_DST, ADDRESS_PROXY, LIFETIME_HARD, LIFETIME_SOFT } = saExtensions(
      record.sa,
      false,
      limit === "hard" ? "dead" : record.state,
    );
    state.log(
      "notice",
      `${describeSa(record.sa)} to ${formatAddress(record.sa.destination)}: ${limit} lifetime reached (${by})`,
    );
    state.broadcast({
      type: "EXPIRE",
      satype: saTypeOf(record.sa.protocol),
      seq: state.nextSeq(),
      pid: 0,
      extensions: {
        SA,
        ADDRESS_SRC,
        ADDRESS_DST,
        ADDRESS_PROXY,
        ...state.currentLifetime(record),
        ...(limit === "hard" ? { LIFETIME_HARD } : { LIFETIME_SOFT }),
      },
    });
  }

  /**
   * An outgoing packet matched a flow for which there is no SA. Flows that may ask (`acquire`, `require`) send an ACQUIRE
   * to the programs registered for the protocol, unless the same one is still pending.
   */
  onPacketNeedsSa(flow: Flow, packet: PacketAddresses, now: number): Effect[] {
    const state = this.#state;
    if (flow.type !== "acquire" && flow.type !== "require") return [];
    if (!state.hasRegistered(saTypeOf(flow.protocol))) return [];
    state.acquires.expire(now);
    const expires = now + 1000 * state.sysctl.number("net.inet.ip.ipsec-expire-acquire");
    const acquire = state.acquires.open(flow, packet, () => state.nextSeq(), expires);
    if (!acquire) return [];
    sendAcquire(state, acquire);
    state.log("debug", `acquire ${acquire.seq} for ${formatAddress(acquire.gateway)}`);
    return state.takeEffects();
  }

  /**
   * A NAT gave the peer of the UDP-encapsulated inbound SA `id` another port: everything of that peer follows (RFC 3948 5).
   * Another peer behind the same NAT has another port.
   */
  movePeer(id: number, port: number): Effect[] {
    const state = this.#state;
    const moved = state.sas.byId(id);
    if (moved?.sa.udpPort === undefined) return [];
    const { source: peer, udpPort: before } = moved.sa;
    for (const record of state.sas) {
      const { sa } = record;
      const isItsOwn = record === moved || equalAddress(sa.destination, peer) || equalAddress(sa.source, peer);
      if (sa.udpPort !== before || !isItsOwn) continue;
      record.sa = { ...sa, udpPort: port };
      state.emit({ kind: "updateSa", id: record.id, sa: record.sa, state: record.state });
    }
    return state.takeEffects();
  }

  /** Sets a knob as the daemon starts. @throws {PfkeyError} ENOENT, EINVAL */
  setSysctl(name: string, value: string): Effect[] {
    this.#state.sysctl.set(name, value);
    this.#state.emit({ kind: "sysctl", name, value });
    return this.#state.takeEffects();
  }

  /** A knob's value. @throws {PfkeyError} ENOENT */
  sysctl(name: string): string {
    return this.#state.sysctl.get(name);
  }

  get saCount(): number {
    return this.#state.sas.size;
  }

  get flowCount(): number {
    return this.#state.flows.size;
  }

  /** Whether a client has registered for the SA type of a flow's protocol. */
  hasKeyManagement(flow: Flow): boolean {
    return this.#state.hasRegistered(saTypeOf(flow.protocol));
  }

  /** Every SA, larval ones included, in the order of their making. */
  *sas(): Generator<{ readonly id: number; readonly sa: SaParameters; readonly state: SaState }> {
    for (const { id, sa, state } of this.#state.sas) yield { id, sa, state };
  }

  /** Every flow. */
  flows(): Iterable<Flow> {
    return this.#state.flows;
  }
}
