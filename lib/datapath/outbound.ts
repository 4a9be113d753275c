/**
 * A packet's way out: read from the TUN device -> 5-tuple -> decision (cached) -> cut into segments -> each encapsulated
 * where it lies -> queued -> sent. Nothing is allocated on the way; what the policy holds back waits in a bounded queue.
 *
 * @module
 */
import { classify } from "../ip/classify.ts";
import { fragment } from "../ip/fragment.ts";
import { IPV4, IPV6 } from "../ip/headers.ts";
import { MAX_ERROR_OCTETS, writeTooBig } from "../ip/icmp.ts";
import { createTuple, TUPLE } from "../ip/tuple.ts";
import { type Counters, DROP, HEADROOM, Packet, TAILROOM } from "../ipsec/packet.ts";
import { COUNTER, maxInner, maxTransport, type Sa } from "../ipsec/sa.ts";
import type { Sad } from "../ipsec/sad.ts";
import { ACTION, DIRECTION, type Spd, type SpdEntry } from "../ipsec/spd.ts";
import { encapsulateBundle } from "../ipsec/transform.ts";
import type { Arena } from "../octets/arena.ts";
import type { TunWriter } from "./coalescing.ts";
import { FlowCache } from "./flow_cache.ts";
import { HeldPackets } from "./held_packets.ts";
import { Segmenter } from "./segmentation.ts";
import type { Sums } from "./sums.ts";
import { VNET_OCTETS } from "./vnet.ts";

/** Sends what is ready. What is queued lies in the arena until `flush`. `Target` names where an SA's datagrams go. */
export interface PacketSender<Target> {
  packet(at: number, octets: number): void;
  /** `tos`: TOS octet or traffic class of the outer header. */
  datagram(target: Target, at: number, octets: number, tos: number): void;
  flush(): void;
}

/** What the outbound path asks of the world around it. */
export interface OutboundEnvironment<Target> {
  readonly sender: PacketSender<Target>;
  /** Where the datagrams of a UDP-encapsulated SA go. */
  targetOf(sa: Sa): Target;
  /** The device, for ICMP errors to the packet's sender. */
  readonly tun: TunWriter;
  /** A packet matches `entry` but there is no SA. `tuple` is the packet's and not to be kept. */
  needsSa(entry: SpdEntry, tuple: Int32Array): void;
}

/** What is done with the packets of one tuple. */
interface Decision<Target> {
  readonly action: number;
  readonly entry: SpdEntry | null;
  readonly sa: Sa | null;
  /** The last SA of the bundle. */
  readonly outermost: Sa | null;
  /** Present: ESP alone is built and goes through the UDP socket. */
  readonly target: Target | null;
  /** Octets before the inner packet, so that what is built starts where the last one ended. */
  readonly headOctets: number;
  /** Largest packet that gets through in one piece; 0: unknown. */
  readonly largest: number;
}

const TX_OCTETS = 3 << 20;
const SLACK_OCTETS = 2 * 65536;
/** Before the network has told: the usual Ethernet. */
const DEFAULT_MTU = 1500;

/** The largest packet that a bundle, `sa` innermost, gets through its path in one piece. */
export function largestPacket(sa: Sa, tunnelled: boolean): number {
  const { outer } = sa;
  const octets = outer === null ? sa.pathMtu || DEFAULT_MTU : largestPacket(outer, outer.tunnel);
  return tunnelled ? maxInner(sa, octets) : maxTransport(sa, octets);
}

/** The outbound side of one Worker. */
export class Outbound<Target> {
  /** Packets passed on unchanged because no flow, or a bypass flow, matches. */
  bypassed = 0;
  readonly held = new HeldPackets();
  /** Times that an SA was found at its hard limit. */
  spent = 0;

  readonly #arena: Arena;
  readonly #sad: Sad;
  readonly #spd: Spd;
  readonly #counters: Counters;
  readonly #world: OutboundEnvironment<Target>;
  readonly #segmenter: Segmenter;
  readonly #cache = new FlowCache<Decision<Target>>();
  readonly #tuple = createTuple();
  readonly #packet = new Packet();
  readonly #txAt: number;
  readonly #icmpAt: number;
  readonly #bypass: Decision<Target> = decisionWithout(ACTION.BYPASS, null);
  #cursor: number;

  constructor(
    arena: Arena,
    sums: Sums,
    tables: { sad: Sad; spd: Spd; counters: Counters },
    world: OutboundEnvironment<Target>,
  ) {
    this.#arena = arena;
    this.#sad = tables.sad;
    this.#spd = tables.spd;
    this.#counters = tables.counters;
    this.#world = world;
    this.#segmenter = new Segmenter(arena, sums);
    this.#txAt = arena.reserve(HEADROOM + TX_OCTETS + TAILROOM) + HEADROOM;
    this.#icmpAt = arena.reserve(VNET_OCTETS + MAX_ERROR_OCTETS) + VNET_OCTETS;
    this.#cursor = this.#txAt;
  }

  /** Takes a packet as read from the device: its vnet header is at `at`. It may be written over at once. */
  take(at: number, octets: number, now: number): void {
    const { view } = this.#arena;
    const tuple = this.#tuple;
    const packetAt = at + VNET_OCTETS;
    if (octets <= VNET_OCTETS || !classify(view, packetAt, octets - VNET_OCTETS, tuple)) {
      this.#counters.drop(0, DROP.malformedHeader);
      return;
    }
    const generation = this.#sad.generation + this.#spd.generation;
    const decision = this.#cache.find(tuple, 0, generation) ?? this.#decide(tuple, generation);
    switch (decision.action) {
      case ACTION.APPLY:
        if (decision.sa !== null) return this.#protect(decision, at, octets, now);
        return this.#withoutSa(decision.entry!, at, octets, now);
      case ACTION.BYPASS:
        return this.#pass(at, octets);
      default:
        this.#counters.drop(decision.entry?.protocol ?? 0, DROP.denied);
    }
  }

  /** Sends what is queued. */
  flush(): void {
    this.#world.sender.flush();
    this.#cursor = this.#txAt;
  }

  /** Gives packets that waited for an SA another try; the caller does this when an SA or flow has come. */
  retryHeld(stagingAt: number, now: number): void {
    for (const octets of this.held.drain()) {
      this.#arena.u8.set(octets, stagingAt);
      this.take(stagingAt, octets.length, now);
    }
    this.flush();
  }

  #decide(tuple: Int32Array, generation: number): Decision<Target> {
    const entry = this.#spd.lookup(DIRECTION.OUT, tuple);
    const decision = entry === null
      ? this.#bypass
      : entry.action === ACTION.APPLY
      ? this.#through(entry, this.#sad.select(entry, tuple), tuple)
      : decisionWithout<Target>(entry.action, entry);
    this.#cache.store(tuple, 0, generation, decision);
    return decision;
  }

  #through(entry: SpdEntry, sa: Sa | null, tuple: Int32Array): Decision<Target> {
    if (sa === null) return decisionWithout(ACTION.APPLY, entry);
    let outermost = sa;
    while (outermost.outer !== null) outermost = outermost.outer;
    if (entry.assigned !== sa.age) {
      entry.assigned = sa.age;
      for (let next: Sa | null = sa; next !== null; next = next.outer) {
        next.counters[next.countersAt + COUNTER.ALLOCATIONS] += 1;
      }
    }
    const single = outermost === sa;
    const bare = outermost.udpPort !== 0;
    const tunnelled = sa.tunnel || this.#otherEnds(sa, tuple);
    return {
      action: ACTION.APPLY,
      entry,
      sa,
      outermost,
      target: bare ? this.#world.targetOf(outermost) : null,
      headOctets: single && tunnelled ? sa.headOctets + (bare ? 0 : sa.outerOctets) : HEADROOM,
      largest: largestPacket(sa, tunnelled),
    };
  }

  /** Whether the packet's addresses are not the SA's, so that the SA must tunnel it. */
  #otherEnds(sa: Sa, tuple: Int32Array): boolean {
    if (tuple[TUPLE.FAMILY] !== sa.family) return true;
    const words = sa.family === 4 ? 1 : 4;
    for (let i = 0; i < words; i++) {
      if (tuple[TUPLE.SOURCE + i] !== sa.source[i] || tuple[TUPLE.DESTINATION + i] !== sa.destination[i]) return true;
    }
    return false;
  }

  /** Encapsulates the packet, or each segment of a super-packet, and queues it. */
  #protect(decision: Decision<Target>, at: number, octets: number, now: number): void {
    const segmenter = this.#segmenter;
    if (!segmenter.begin(at, octets)) {
      this.#counters.drop(decision.sa!.protocol, DROP.malformedHeader);
      return;
    }
    if (
      segmenter.segmentOctets > decision.largest && this.#isTooBig(decision, at + VNET_OCTETS, octets - VNET_OCTETS)
    ) {
      return;
    }
    const { sender } = this.#world;
    const packet = this.#packet;
    const { headOctets, target, sa, outermost } = decision;
    const count = segmenter.count;
    for (let i = 0; i < count; i++) {
      if (this.#cursor > this.#txAt + TX_OCTETS - SLACK_OCTETS) this.flush();
      packet.at = this.#cursor + headOctets;
      packet.octets = segmenter.write(i, packet.at);
      packet.bare = target !== null;
      const drop = encapsulateBundle(this.#arena, sa!, packet);
      if (drop === DROP.expired) {
        // Its last octet is spent before the main thread knows: packets go on through another SA, or wait for one.
        this.spent++;
        sa!.usable = false;
        this.#sad.generation++;
        if (count === 1) return this.take(at, octets, now);
      }
      if (drop !== 0) {
        this.#counters.drop(outermost!.protocol, drop);
        continue;
      }
      this.#counters.output(outermost!.protocol, packet.octets);
      if (packet.bare) sender.datagram(target!, packet.at, packet.octets, packet.tos);
      else if (packet.octets > (outermost!.pathMtu || DEFAULT_MTU)) this.#sendInPieces(outermost!);
      else sender.packet(packet.at, packet.octets);
      this.#cursor = packet.at + packet.octets;
    }
  }

  /** A packet longer than what gets through: its sender is told, if it said DF (RFC 2401 6.1.2.1). */
  #isTooBig(decision: Decision<Target>, at: number, octets: number): boolean {
    const { u8, view } = this.#arena;
    const v4 = u8[at] >>> 4 === 4;
    if (v4 && (view.getUint16(at + IPV4.FRAGMENT) & IPV4.DF) === 0) return false;
    const { largest, outermost } = decision;
    // A cut super-packet has lost its lengths; its sender learns from the first segment.
    const whole = this.#segmenter.count > 1 ? this.#segmenter.write(0, this.#cursor) : octets;
    const from = this.#segmenter.count > 1 ? this.#cursor : at;
    // From where the packet wanted to go: Linux drops what comes in from an address of its own (a "martian").
    const sourceAt = from + (v4 ? IPV4.DESTINATION : IPV6.DESTINATION);
    // RFC 8200 5: an IPv6 link takes 1280 octets; below that we fragment outside.
    const mtu = v4 ? largest : Math.max(1280, largest);
    const error = writeTooBig(view, from, whole, mtu, sourceAt, this.#icmpAt);
    if (!v4 && whole <= 1280) return false;
    this.#counters.drop(outermost!.protocol, DROP.tooBig);
    if (error > 0) {
      u8.fill(0, this.#icmpAt - VNET_OCTETS, this.#icmpAt);
      this.#world.tun.write(this.#icmpAt - VNET_OCTETS, error + VNET_OCTETS);
    }
    return true;
  }

  /** Fragments the outer packet; rare, so each fragment leaves at once. */
  #sendInPieces(sa: Sa): void {
    const { sender } = this.#world;
    const { view } = this.#arena;
    const packet = this.#packet;
    sender.flush();
    const pieces = fragment(view, packet.at, packet.octets, sa.pathMtu || DEFAULT_MTU, sa.sequence, (at, octets) => {
      sender.packet(at, octets);
      sender.flush();
    });
    if (pieces === 0) this.#counters.drop(sa.protocol, DROP.tooBig);
  }

  /** Sends a packet as it is: what the routes bring in but no flow protects. */
  #pass(at: number, octets: number): void {
    const segmenter = this.#segmenter;
    if (!segmenter.begin(at, octets)) {
      this.#counters.drop(0, DROP.malformedHeader);
      return;
    }
    for (let i = 0; i < segmenter.count; i++) {
      if (this.#cursor > this.#txAt + TX_OCTETS - SLACK_OCTETS) this.flush();
      const length = segmenter.write(i, this.#cursor);
      this.#world.sender.packet(this.#cursor, length);
      this.#cursor += length;
      this.bypassed++;
    }
  }

  /** No SA: what happens depends on the flow's policy word (ipsecadm(8)). */
  #withoutSa(entry: SpdEntry, at: number, octets: number, now: number): void {
    const { type } = entry.flow;
    if (type === "acquire" || type === "require") this.#world.needsSa(entry, this.#tuple);
    if (type === "use" || type === "acquire") return this.#pass(at, octets);
    if (type === "require" && this.held.keep(this.#arena.u8.subarray(at, at + octets), now)) return;
    this.#counters.drop(entry.protocol, DROP.noKey);
  }
}

function decisionWithout<Target>(action: number, entry: SpdEntry | null): Decision<Target> {
  return { action, entry, sa: null, outermost: null, target: null, headOctets: 0, largest: 0 };
}
