/**
 * A packet's way in: SA by (SPI, protocol, destination) -> decapsulation, again while what comes out is for us and
 * protected -> policy (cached) -> collected for the TUN device.
 *
 * @module
 */
import { classify } from "../ip/classify.ts";
import { IP_PROTOCOL } from "../ip/headers.ts";
import { sameAddressAt } from "../ip/words.ts";
import { createTuple, TUPLE } from "../ip/tuple.ts";
import { locate } from "../ipsec/locate.ts";
import { type Counters, DROP, Packet } from "../ipsec/packet.ts";
import { checkInbound } from "../ipsec/policy.ts";
import { COUNTER, type Sa } from "../ipsec/sa.ts";
import type { Sad } from "../ipsec/sad.ts";
import type { Spd } from "../ipsec/spd.ts";
import { decapsulate } from "../ipsec/transform.ts";
import { PROTOCOL } from "../ipsec/types.ts";
import type { Arena } from "../octets/arena.ts";
import type { Coalescer } from "./coalescing.ts";
import { FlowCache } from "./flow_cache.ts";
import { LastFlow } from "./last_flow.ts";

/** Security headers inside each other: more are an attack. */
const MAX_DEPTH = 8;

export interface InboundEnvironment {
  /** An authenticated packet came from another address or port than the SA's peer had (a NAT has moved it). */
  moved(sa: Sa, packet: Packet, portAt: number): void;
}

/** The inbound side of one Worker. */
export class Inbound {
  /** net.inet.esp.enable and net.inet.ah.enable. */
  espEnabled = true;
  ahEnabled = false;

  readonly #arena: Arena;
  readonly #sad: Sad;
  readonly #spd: Spd;
  readonly #counters: Counters;
  readonly #coalescer: Coalescer;
  readonly #world: InboundEnvironment;
  /** What was accepted. */
  readonly #cache = new FlowCache<true>();
  readonly #last: LastFlow;
  readonly #tuple = createTuple();
  readonly #packet = new Packet();
  readonly #used: (Sa | null)[] = new Array(MAX_DEPTH).fill(null);

  constructor(
    arena: Arena,
    tables: { sad: Sad; spd: Spd; counters: Counters },
    coalescer: Coalescer,
    world: InboundEnvironment,
  ) {
    this.#arena = arena;
    this.#last = new LastFlow(arena);
    this.#sad = tables.sad;
    this.#spd = tables.spd;
    this.#counters = tables.counters;
    this.#coalescer = coalescer;
    this.#world = world;
  }

  /** Takes a whole IP packet. */
  takePacket(at: number, octets: number): void {
    const packet = this.#packet;
    packet.at = at;
    packet.octets = octets;
    packet.bare = false;
    this.#take(0);
  }

  /**
   * Takes the payload of a UDP datagram: ESP without the headers that the socket took away.
   *
   * @param sourceAt arena offset of the sender's address; its port lies at `portAt`
   * @param destinationAt arena offset of our address
   * @param tos TOS octet or traffic class of its header
   */
  takeDatagram(
    at: number,
    octets: number,
    family: number,
    sourceAt: number,
    destinationAt: number,
    portAt: number,
    tos: number,
  ): void {
    const packet = this.#packet;
    packet.at = at;
    packet.octets = octets;
    packet.bare = true;
    packet.family = family;
    packet.sourceAt = sourceAt;
    packet.destinationAt = destinationAt;
    packet.tos = tos;
    this.#take(portAt);
  }

  /** Writes what was collected; before the memory of received packets is used again. */
  flush(): void {
    this.#coalescer.flush();
  }

  #hasMoved(sa: Sa, { sourceAt }: Packet, portAt: number): boolean {
    const { view } = this.#arena;
    return view.getUint16(portAt) !== sa.udpPort ||
      (sa.sourceKnown && !sameAddressAt(view, sourceAt, sa.family, sa.source));
  }

  #take(portAt: number): void {
    const arena = this.#arena;
    const packet = this.#packet;
    const used = this.#used;
    let depth = 0;
    const located = locate(arena, packet);
    if (located !== 0) return this.#counters.drop(packet.protocol, located);
    const outermost = packet.protocol;
    this.#counters.input(outermost, packet.octets);
    for (;;) {
      let sa = this.#sad.find(packet.spi, packet.protocol, packet.family, arena.view, packet.destinationAt);
      if (sa === null && packet.protocol === PROTOCOL.IPIP) {
        sa = this.#sad.findMirror(packet.family, arena.view, packet.sourceAt, packet.destinationAt);
      }
      if (sa === null) {
        // Inside, a security header that is not for us is an ordinary packet to be forwarded.
        if (depth > 0) break;
        return this.#counters.drop(outermost, DROP.noSa);
      }
      if (packet.protocol === PROTOCOL.ESP ? !this.espEnabled : packet.protocol === PROTOCOL.AH && !this.ahEnabled) {
        return this.#counters.drop(outermost, DROP.disabled);
      }
      if (depth === MAX_DEPTH) return this.#counters.drop(outermost, DROP.badInner);
      const bare = packet.bare;
      if (bare && sa.udpPort === 0) return this.#counters.drop(outermost, DROP.wrongProtocol);
      // The header that transport mode puts back may reach into the packet before, which must be gone by then.
      if (bare && !sa.tunnel) this.#coalescer.flush();
      const drop = decapsulate(arena, sa, packet);
      if (drop !== 0) return this.#counters.drop(outermost, drop);
      used[depth++] = sa;
      if (bare && this.#hasMoved(sa, packet, portAt)) this.#world.moved(sa, packet, portAt);
      packet.bare = false;
      if (depth === 1 && this.#last.has(packet.at, packet.octets, sa.age, this.#generation)) {
        return this.#coalescer.deliver(packet.at, packet.octets, outermost);
      }
      if (locate(arena, packet) !== 0) break;
    }
    if (!classify(arena.view, packet.at, packet.octets, this.#tuple)) {
      return this.#counters.drop(outermost, DROP.badInner);
    }
    const verdict = this.#judge(depth);
    if (verdict !== 0) return this.#counters.drop(outermost, verdict);
    if (depth === 1) this.#last.set(packet.at, packet.octets, used[0]!.age, this.#generation);
    this.#coalescer.deliver(packet.at, packet.octets, outermost);
  }

  /** Of the tables that verdicts come from. */
  get #generation(): number {
    return this.#sad.generation + this.#spd.generation;
  }

  /** What the policy says of the packet that came through the first `depth` SAs of `used`. */
  #judge(depth: number): number {
    const used = this.#used;
    const generation = this.#generation;
    let salt = 0;
    for (let i = 0; i < depth; i++) salt = Math.imul(salt, 31) + used[i]!.age + 1 | 0;
    if (depth === 1 && this.#cache.find(this.#tuple, salt, generation)) return 0;
    for (let i = 0; i < depth; i++) {
      const { counters, countersAt } = used[i]!;
      counters[countersAt + COUNTER.ALLOCATIONS] ||= 1;
    }
    const packet = this.#packet;
    const drop = checkInbound(this.#spd, this.#arena, packet.at, packet.octets, this.#tuple, used, depth);
    // A verdict on an ICMP error depends on what it quotes, not on its tuple alone.
    const icmp = this.#tuple[TUPLE.PROTOCOL] === IP_PROTOCOL.ICMP || this.#tuple[TUPLE.PROTOCOL] === IP_PROTOCOL.ICMPV6;
    if (depth === 1 && drop === 0 && !icmp) this.#cache.store(this.#tuple, salt, generation, true);
    return drop;
  }
}
