/** The SAs and flows of one Worker, as orders change them. @module */
import type { PacketCrypto } from "../crypto/packet.ts";
import { largestPacket } from "../datapath/outbound.ts";
import { setState } from "../ipsec/lifetimes.ts";
import { COUNTER_OCTETS, createSa, type Sa } from "../ipsec/sa.ts";
import { Sad } from "../ipsec/sad.ts";
import { sharedLifetime } from "../ipsec/shared.ts";
import { Spd } from "../ipsec/spd.ts";
import type { Arena } from "../octets/arena.ts";
import type { Order } from "./packet_orders.ts";

/** Orders about SAs and flows. */
export type TableOrder = Exclude<Order, { order: "enable" | "stop" }>;

/** SAD, SPD and what is counted about them. */
export class PacketTables implements Disposable {
  readonly sad = new Sad();
  readonly spd = new Spd();
  readonly #arena: Arena;
  readonly #crypto: PacketCrypto;
  readonly #usage: Float64Array;
  readonly #releaseTarget: (sa: Sa) => void;
  readonly #sas = new Map<number, Sa>();
  /** How many SAs have which largest packet. */
  readonly #sizes = new Map<number, number>();

  /** `releaseTarget` forgets where an SA's datagrams go; `usage` has a row of counters for each SA. */
  constructor(arena: Arena, crypto: PacketCrypto, usage: SharedArrayBuffer, releaseTarget: (sa: Sa) => void) {
    this.#arena = arena;
    this.#crypto = crypto;
    this.#usage = new Float64Array(usage);
    this.#releaseTarget = releaseTarget;
  }

  /** The largest packet that every SA gets through in one piece; Infinity without SAs. */
  get smallest(): number {
    return Math.min(...this.#sizes.keys());
  }

  /** Keeps count of what fits which SA; an SA around another counts with that one too. */
  #countSize(sa: Sa, by: number): void {
    const largest = largestPacket(sa, sa.tunnel);
    const count = (this.#sizes.get(largest) ?? 0) + by;
    if (count > 0) this.#sizes.set(largest, count);
    else this.#sizes.delete(largest);
  }

  /** Carries out one order; answers whether packets that wait may go now. */
  carryOut(order: TableOrder): boolean {
    switch (order.order) {
      case "installSa": {
        const counters = { counters: this.#usage, countersAt: order.slot * COUNTER_OCTETS / 8 };
        const { hard, soft } = order.sa;
        const parameters = { ...order.sa, hard: sharedLifetime(hard), soft: sharedLifetime(soft) };
        const sa = createSa(parameters, this.#crypto, this.#arena, { ...counters, owned: true });
        sa.id = order.id;
        sa.pathMtu = order.pathMtu;
        this.#sas.set(order.id, sa);
        this.sad.add(sa);
        this.#countSize(sa, 1);
        return true;
      }
      case "updateSa": {
        const sa = this.#sas.get(order.id);
        if (!sa) return false;
        sa.limitBytes(order.sa.hard.bytes);
        sa.udpPort = order.sa.udpPort ?? 0;
        this.#releaseTarget(sa);
        if (sa.state !== order.state) setState(sa, order.state);
        this.sad.generation++;
        return false;
      }
      case "removeSa": {
        const sa = this.#sas.get(order.id);
        if (!sa) return false;
        this.#sas.delete(order.id);
        this.#releaseTarget(sa);
        this.#countSize(sa, -1);
        this.sad.remove(sa);
        return false;
      }
      case "link": {
        const inner = this.#sas.get(order.inner);
        const outer = order.outer === undefined ? null : this.#sas.get(order.outer) ?? null;
        if (!inner) return false;
        this.#countSize(inner, -1);
        this.sad.link(inner, outer);
        this.#countSize(inner, 1);
        return true;
      }
      case "pathMtu": {
        const sa = this.#sas.get(order.id);
        if (!sa || sa.pathMtu === order.mtu) return false;
        this.#countSize(sa, -1);
        sa.pathMtu = order.mtu;
        this.#countSize(sa, 1);
        this.sad.generation++;
        return false;
      }
      case "addFlow":
        this.spd.add(order.flow);
        return true;
      case "removeFlow":
        this.spd.remove(order.flow.selector);
        return true;
      case "flush":
        for (const sa of this.#sas.values()) {
          this.#releaseTarget(sa);
          this.sad.remove(sa);
        }
        this.#sas.clear();
        this.#sizes.clear();
        this.spd.clear();
        return true;
    }
  }

  [Symbol.dispose](): void {
    for (const sa of this.#sas.values()) sa[Symbol.dispose]();
  }
}
