/**
 * A datagram network in virtual time: what it does to a datagram comes from a seed, so a failing run is repeated by its
 * seed. It knows no protocol; nodes are anything with `onDatagram`, `onTimer` and a deadline.
 *
 * @module
 */
import { type Address, formatAddress } from "../../lib/ip/address.ts";
import type { Bytes } from "../../lib/octets/bytes.ts";

export interface Endpoint {
  readonly address: Address;
  readonly port: number;
}

/** A protocol core at the edge of the network. */
export interface Node {
  /** The addresses at which it receives. */
  readonly addresses: readonly Address[];
  onDatagram(now: number, from: Endpoint, to: Endpoint, octets: Bytes): void;
  onTimer(now: number): void;
  /** Milliseconds of virtual time at which `onTimer` is wanted; undefined: never. Asked after every event of the node. */
  deadline(): number | undefined;
}

/** What the network does to each datagram: probabilities from 0 to 1, delays in milliseconds. */
export interface Conditions {
  loss: number;
  duplication: number;
  /** Probability of a further delay of up to `reorderMs`, which lets later datagrams overtake. */
  reordering: number;
  reorderMs: number;
  corruption: number;
  delayMs: readonly [least: number, most: number];
}

/** A network that delivers everything in order after 5 ms. */
export const PERFECT: Conditions = {
  loss: 0,
  duplication: 0,
  reordering: 0,
  reorderMs: 0,
  corruption: 0,
  delayMs: [5, 5],
};

/** Numbers that depend on the seed alone (sfc32). */
export class SeededRandom {
  #a: number;
  #b = 0x9e3779b9;
  #c = 0x243f6a88;
  #d = 1;

  constructor(seed: number) {
    this.#a = seed | 0;
    for (let i = 0; i < 15; i++) this.u32();
  }

  u32(): number {
    const t = (this.#a + this.#b + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21 | this.#c >>> 11) + t) | 0;
    return t >>> 0;
  }

  /** At least 0, less than 1. */
  fraction(): number {
    return this.u32() / 2 ** 32;
  }

  chance(probability: number): boolean {
    return probability > 0 && this.fraction() < probability;
  }

  /** A whole number from 0 to `bound` - 1. */
  below(bound: number): number {
    return Math.floor(this.fraction() * bound);
  }

  between(least: number, most: number): number {
    return least + this.fraction() * (most - least);
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)];
  }

  /** Octets for a core that is given its randomness. */
  readonly octets = (count: number): Bytes => {
    const out = new Uint8Array(count);
    for (let i = 0; i < count; i++) out[i] = this.u32() >>> 24;
    return out;
  };
}

interface Event {
  at: number;
  order: number;
  run(): void;
}

/** Events by time, in the order in which they were added where the time is the same. */
class EventQueue {
  #heap: Event[] = [];
  #added = 0;

  get length(): number {
    return this.#heap.length;
  }

  get next(): number | undefined {
    return this.#heap[0]?.at;
  }

  static #before(a: Event, b: Event): boolean {
    return a.at < b.at || (a.at === b.at && a.order < b.order);
  }

  add(at: number, run: () => void): void {
    const heap = this.#heap;
    const event = { at, order: this.#added++, run };
    let i = heap.push(event) - 1;
    for (let up; i > 0 && EventQueue.#before(event, heap[up = (i - 1) >> 1]); i = up) heap[i] = heap[up];
    heap[i] = event;
  }

  take(): Event {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop()!;
    if (heap.length) {
      let i = 0;
      for (;;) {
        let down = 2 * i + 1;
        if (down >= heap.length) break;
        if (down + 1 < heap.length && EventQueue.#before(heap[down + 1], heap[down])) down++;
        if (!EventQueue.#before(heap[down], last)) break;
        heap[i] = heap[down];
        i = down;
      }
      heap[i] = last;
    }
    return first;
  }
}

/** Address translation of UDP: hosts behind it appear as ports of its one public address. */
class Nat {
  readonly inside: ReadonlySet<string>;
  readonly outside: Address;
  #ports = new Map<string, number>();
  #hosts = new Map<number, Endpoint>();
  #nextPort = 20000;

  constructor(inside: readonly Address[], outside: Address) {
    this.inside = new Set(inside.map(formatAddress));
    this.outside = outside;
  }

  outbound(from: Endpoint): Endpoint {
    const key = `${formatAddress(from.address)}:${from.port}`;
    let port = this.#ports.get(key);
    if (port === undefined) {
      port = this.#nextPort++;
      this.#ports.set(key, port);
      this.#hosts.set(port, from);
    }
    return { address: this.outside, port };
  }

  inbound(port: number): Endpoint | undefined {
    return this.#hosts.get(port);
  }

  /** Forgets all mappings, as after a restart: the next datagrams leave from new ports. */
  forget(): void {
    this.#ports.clear();
    this.#hosts.clear();
  }
}

/** Nodes, the datagrams between them, and the clock. */
export class Network {
  readonly random: SeededRandom;
  /** May be replaced at any time; a function decides per datagram. */
  conditions: Conditions | ((from: Endpoint, to: Endpoint) => Conditions) = PERFECT;
  /** Sees every datagram as it is sent, before the network does anything to it. */
  tap?: (now: number, from: Endpoint, to: Endpoint, octets: Bytes) => void;
  readonly counters = { sent: 0, lost: 0, duplicated: 0, reordered: 0, corrupted: 0, delivered: 0, unreachable: 0 };
  #now = 0;
  #queue = new EventQueue();
  #nodes = new Map<string, Node>();
  #armed = new Map<Node, number>();
  #nats: Nat[] = [];
  #islands: ReadonlySet<string>[] = [];

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
  }

  get now(): number {
    return this.#now;
  }

  add(node: Node): void {
    for (const address of node.addresses) this.#nodes.set(formatAddress(address), node);
    this.#arm(node);
  }

  /** The node is gone (a crash); what is sent to it is lost. */
  remove(node: Node): void {
    for (const [address, owner] of this.#nodes) if (owner === node) this.#nodes.delete(address);
    this.#armed.delete(node);
  }

  /** Puts the hosts with these addresses behind one that translates to `outside`; returns what makes it forget. */
  nat(inside: readonly Address[], outside: Address): { forget(): void } {
    const nat = new Nat(inside, outside);
    this.#nats.push(nat);
    return nat;
  }

  /** Cuts the network: addresses of one island reach no address outside it. `partition()` alone heals it. */
  partition(...islands: (readonly Address[])[]): void {
    this.#islands = islands.map((island) => new Set(island.map(formatAddress)));
  }

  /** Runs `action` at virtual time `at` (milliseconds), then asks `node` for its deadline again. */
  at(at: number, action: () => void, node?: Node): void {
    this.#queue.add(Math.max(at, this.#now), () => {
      action();
      if (node) this.#arm(node);
    });
  }

  /** To be called after a node was given an input by other means than this network. */
  touched(node: Node): void {
    this.#arm(node);
  }

  send(from: Endpoint, to: Endpoint, octets: Bytes): void {
    this.counters.sent++;
    this.tap?.(this.#now, from, to, octets);
    const { random, counters } = this;
    const c = typeof this.conditions === "function" ? this.conditions(from, to) : this.conditions;
    let source = from;
    let target: Endpoint | undefined = to;
    const targetText = formatAddress(to.address);
    for (const nat of this.#nats) {
      const insideSource = nat.inside.has(formatAddress(from.address));
      if (insideSource && !nat.inside.has(targetText)) source = nat.outbound(from);
      if (formatAddress(nat.outside) === targetText) target = nat.inbound(to.port);
      else if (!insideSource && nat.inside.has(targetText)) target = undefined;
    }
    if (!target) {
      counters.unreachable++;
      return;
    }
    const a = formatAddress(from.address), b = formatAddress(target.address);
    if (this.#islands.some((island) => island.has(a) !== island.has(b)) || random.chance(c.loss)) {
      counters.lost++;
      return;
    }
    const copies = random.chance(c.duplication) ? 2 : 1;
    if (copies === 2) counters.duplicated++;
    for (let copy = 0; copy < copies; copy++) {
      let delay = random.between(...c.delayMs);
      if (random.chance(c.reordering)) {
        counters.reordered++;
        delay += random.between(0, c.reorderMs);
      }
      const arriving = octets.slice();
      if (arriving.length && random.chance(c.corruption)) {
        counters.corrupted++;
        corrupt(arriving, random);
      }
      const destination = target;
      this.#queue.add(this.#now + delay, () => this.#deliver(source, destination, arriving));
    }
  }

  #deliver(from: Endpoint, to: Endpoint, octets: Bytes): void {
    const node = this.#nodes.get(formatAddress(to.address));
    if (!node) {
      this.counters.unreachable++;
      return;
    }
    this.counters.delivered++;
    node.onDatagram(this.#now, from, to, octets);
    this.#arm(node);
  }

  #arm(node: Node): void {
    const wanted = node.deadline();
    const armed = this.#armed.get(node);
    if (wanted === undefined) return;
    const at = Math.max(wanted, this.#now);
    if (armed !== undefined && armed <= at) return; // the earlier event asks again
    this.#armed.set(node, at);
    this.#queue.add(at, () => {
      if (this.#armed.get(node) !== at) return;
      this.#armed.delete(node);
      const due = node.deadline();
      if (due !== undefined && due <= this.#now) node.onTimer(this.#now);
      this.#arm(node);
    });
  }

  /** Runs the next event; false when nothing is left to happen. */
  step(): boolean {
    if (!this.#queue.length) return false;
    const event = this.#queue.take();
    this.#now = event.at;
    event.run();
    return true;
  }

  /**
   * Runs until virtual time `until`, or until `done` says so (asked after every event).
   *
   * @throws {Error} after `maxEvents` events: two nodes that answer each other for ever.
   */
  run(until: number, done?: () => boolean, maxEvents = 2_000_000): void {
    for (let events = 0; this.#queue.length && this.#queue.next! <= until; events++) {
      if (events >= maxEvents) throw new Error(`Gave up after ${maxEvents} events at ${this.#now} ms`);
      this.step();
      if (done?.()) return;
    }
    if (Number.isFinite(until)) this.#now = Math.max(this.#now, until);
  }
}

/** Damages octets in place the way links, middle boxes and attackers do: flipped bits, or an overwritten stretch. */
export function corrupt(octets: Uint8Array, random: SeededRandom): void {
  if (random.chance(0.7)) {
    for (let flips = 1 + random.below(3); flips > 0; flips--) {
      octets[random.below(octets.length)] ^= 1 << random.below(8);
    }
  } else {
    const at = random.below(octets.length);
    octets.set(random.octets(Math.min(1 + random.below(8), octets.length - at)), at);
  }
}
