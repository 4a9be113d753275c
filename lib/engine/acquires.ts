/** Requests for SAs that are on their way to key management (RFC 2367 3.1.6, OpenBSD's ipsec_acquire). @module */
import { type Address, equalAddress, prefixOf } from "../ip/address.ts";
import type { Flow, Selector } from "../ipsec/types.ts";
import { formatHex } from "../octets/hex.ts";
import { Deadlines } from "./deadlines.ts";
import { type PacketAddresses, selectorKey } from "./tables.ts";

/** One SA that was asked for. */
export interface Acquire {
  readonly seq: number;
  readonly key: string;
  readonly flow: Flow;
  /** The peer, and our own end where it is known. */
  readonly gateway: Address;
  readonly local?: Address;
  /** The packets it is for: the flow's, narrowed to this packet's hosts where the flow names no peer. */
  readonly selector: Selector;
}

/** More than this many at once are not asked for: a scan of a wide flow without a peer must not fill the memory. */
const MOST = 4096;

const whole = (address: Address) => prefixOf(address, 8 * address.octets.length);

/** The ACQUIREs of the last seconds, by number and by what they are for. */
export class AcquireTable {
  readonly #bySeq = new Map<number, Acquire>();
  /** Those not answered yet: their SA is not asked for again. */
  readonly #pending = new Map<string, Acquire>();
  readonly #deadlines = new Deadlines<Acquire>();

  get size(): number {
    return this.#bySeq.size;
  }

  /** The ACQUIRE to be sent for a packet; undefined while the same one is pending, or when there are too many. */
  open(flow: Flow, packet: PacketAddresses, nextSeq: () => number, expiresMs: number): Acquire | undefined {
    const gateway = flow.peer ?? packet.destination;
    const hosts = flow.peer ? "" : ` ${formatHex(packet.source.octets)}`;
    const key = `${selectorKey(flow.selector)} ${formatHex(gateway.octets)}${hosts}`;
    if (this.#pending.has(key) || this.#bySeq.size >= MOST) return undefined;
    // A flow without a peer asks for an SA with the packet's own destination, which then can carry only that host's packets.
    const selector: Selector = flow.peer ? flow.selector : {
      ...flow.selector,
      source: whole(packet.source),
      destination: whole(packet.destination),
    };
    const local = flow.local ??
      (equalAddress(gateway, packet.destination) && gateway.family === packet.source.family
        ? packet.source
        : undefined);
    const acquire: Acquire = { seq: nextSeq(), key, flow, gateway, ...(local && { local }), selector };
    this.#bySeq.set(acquire.seq, acquire);
    this.#pending.set(key, acquire);
    this.#deadlines.set(acquire, expiresMs);
    return acquire;
  }

  bySeq(seq: number): Acquire | undefined {
    return this.#bySeq.get(seq);
  }

  /** An SA was made for it: should that one vanish, the next packet may ask at once. */
  answered(seq: number): void {
    const acquire = this.#bySeq.get(seq);
    if (acquire) this.#pending.delete(acquire.key);
  }

  next(): number {
    return this.#deadlines.next();
  }

  /** Forgets what is too old. */
  expire(nowMs: number): void {
    for (let acquire = this.#deadlines.take(nowMs); acquire; acquire = this.#deadlines.take(nowMs)) {
      this.#bySeq.delete(acquire.seq);
      if (this.#pending.get(acquire.key) === acquire) this.#pending.delete(acquire.key);
    }
  }

  clear(): void {
    this.#bySeq.clear();
    this.#pending.clear();
    this.#deadlines.clear();
  }
}
