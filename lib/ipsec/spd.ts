/** The security policy database (RFC 2401 4.4.1): which packets are protected, how, and which are not. @module */
import { addressWords } from "../ip/words.ts";
import { TUPLE } from "../ip/tuple.ts";
import { AddressTable } from "./address_table.ts";
import { compareShapes, keyOfSelector, maskOfShape, sameMasked, shapeOf } from "./tuple_mask.ts";
import type { Sa } from "./sa.ts";
import type { Flow, Selector } from "./types.ts";

/** What an entry does with a packet. */
export const ACTION = { BYPASS: 0, DENY: 1, APPLY: 2 } as const;
/** Directions as numbers. */
export const DIRECTION = { IN: 0, OUT: 1 } as const;

const ACTIONS = { use: 2, acquire: 2, require: 2, dontacq: 2, bypass: 0, deny: 1 } as const;

/** One flow in the SPD, with everything a packet needs of it as int32. */
export class SpdEntry {
  /** Order of insertion; a replaced flow keeps it. */
  readonly number: number;
  readonly group: Group;
  /** Masked tuple that a packet must have. */
  readonly key: Int32Array;
  flow!: Flow;
  action = 0;
  protocol = 0;
  /** SPI of the SA named by the flow, int32; 0: any. */
  spi = 0;
  /** Null: the packet's own other end. */
  peer: Int32Array | null = null;
  peerFamily = 0;
  local: Int32Array | null = null;
  /** For the user of the SPD: the SA found last, good while the SAD's generation is `saGeneration`. */
  sa: Sa | null = null;
  saGeneration = -1;
  /** Next entry of the same hash bucket. */
  next: SpdEntry | null = null;

  constructor(number: number, group: Group, key: Int32Array, flow: Flow) {
    this.number = number;
    this.group = group;
    this.key = key;
    this.set(flow);
  }

  /** Takes over what `flow` says. */
  set(flow: Flow): void {
    this.flow = flow;
    this.action = ACTIONS[flow.type];
    this.protocol = flow.protocol;
    this.spi = (flow.spi ?? 0) | 0;
    this.peer = flow.peer ? addressWords(flow.peer) : null;
    this.peerFamily = flow.peer?.family ?? flow.selector.destination.address.family;
    this.local = flow.local ? addressWords(flow.local) : null;
    this.sa = null;
    this.saGeneration = -1;
  }
}

/** The entries with the same mask: prefix lengths and given words. A hash table over the masked tuple. */
class Group {
  readonly mask: Int32Array;
  readonly family: 4 | 6;
  readonly shape: readonly number[];
  count = 0;
  #buckets: (SpdEntry | null)[] = new Array(8).fill(null);

  constructor(family: 4 | 6, shape: readonly number[]) {
    this.family = family;
    this.shape = shape;
    this.mask = maskOfShape(shape);
  }

  /** Hash of the masked tuple. */
  #hash(tuple: Int32Array): number {
    const mask = this.mask;
    let hash = Math.imul(tuple[1] & mask[1], 0x9e3779b1);
    hash = Math.imul(hash ^ hash >>> 15 ^ tuple[5] & mask[5], 0x85ebca6b);
    if (this.family === 6) {
      for (let i = 2; i < 5; i++) {
        hash = Math.imul(hash ^ hash >>> 15 ^ tuple[i] & mask[i], 0x9e3779b1);
        hash = Math.imul(hash ^ hash >>> 15 ^ tuple[i + 4] & mask[i + 4], 0x85ebca6b);
      }
    }
    hash ^= tuple[9] & mask[9] ^ (tuple[10] & mask[10]) << 16 ^ tuple[11] & mask[11];
    hash = Math.imul(hash ^ hash >>> 15, 0xc2b2ae35);
    return hash ^ hash >>> 13;
  }

  find(tuple: Int32Array): SpdEntry | null {
    const buckets = this.#buckets;
    let entry = buckets[this.#hash(tuple) & buckets.length - 1];
    while (entry !== null && !sameMasked(tuple, this.mask, entry.key, this.family)) entry = entry.next;
    return entry;
  }

  insert(entry: SpdEntry): void {
    if (++this.count > this.#buckets.length) {
      const old = this.#buckets;
      this.#buckets = new Array(old.length * 4).fill(null);
      for (let chain of old) {
        while (chain !== null) {
          const next: SpdEntry | null = chain.next;
          this.#chain(chain);
          chain = next;
        }
      }
    }
    this.#chain(entry);
  }

  #chain(entry: SpdEntry): void {
    const at = this.#hash(entry.key) & this.#buckets.length - 1;
    entry.next = this.#buckets[at];
    this.#buckets[at] = entry;
  }

  delete(entry: SpdEntry): void {
    const at = this.#hash(entry.key) & this.#buckets.length - 1;
    let before: SpdEntry | null = null;
    for (let other = this.#buckets[at]; other !== entry; other = other!.next) before = other;
    if (before) before.next = entry.next;
    else this.#buckets[at] = entry.next;
    entry.next = null;
    this.count--;
  }

  *entries(): Generator<SpdEntry> {
    for (const bucket of this.#buckets) for (let entry = bucket; entry !== null; entry = entry.next) yield entry;
  }
}

/** Groups of one direction and family, the most specific first. */
type Chain = Group[];

/**
 * Flows by selector.
 *
 * Where several flows match a packet, the most specific wins, as in OpenBSD's radix tree: the longer source prefix, then
 * the longer destination prefix, then a given transport, source port, destination port. No two different flows of the
 * same shape can match one packet, so the order of insertion never decides.
 *
 * Lookup is tuple-space search: one hash probe for each distinct shape, however many flows there are.
 */
export class Spd {
  /** Changes with every change; a cache of lookups is good as long as it is the same. */
  generation = 0;
  #size = 0;
  #number = 0;
  /** By direction, then family. */
  readonly #chains: Chain[] = [[], [], [], []];
  readonly #peers = new AddressTable<{ flows: number }>();

  get size(): number {
    return this.#size;
  }

  #chain(direction: number, family: number): Chain {
    return this.#chains[direction << 1 | (family === 6 ? 1 : 0)];
  }

  /** The most specific entry for a packet; `direction` is a number of {@linkcode DIRECTION}. Allocates nothing. */
  lookup(direction: number, tuple: Int32Array): SpdEntry | null {
    const chain = this.#chain(direction, tuple[TUPLE.FAMILY]);
    for (let i = 0; i < chain.length; i++) {
      const entry = chain[i].find(tuple);
      if (entry !== null) return entry;
    }
    return null;
  }

  #locate(selector: Selector, create: boolean): { chain: Chain; group: Group | undefined; key: Int32Array } {
    const { source, destination, direction } = selector;
    const family = source.address.family;
    if (family !== destination.address.family) {
      throw new RangeError("Cannot use a flow whose source and destination are of different families");
    }
    const chain = this.#chain(direction === "in" ? DIRECTION.IN : DIRECTION.OUT, family);
    const shape = shapeOf(selector);
    let group = chain.find((group) => compareShapes(group.shape, shape) === 0);
    if (!group && create) {
      group = new Group(family, shape);
      const at = chain.findIndex((other) => compareShapes(shape, other.shape) < 0);
      chain.splice(at < 0 ? chain.length : at, 0, group);
    }
    const key = keyOfSelector(selector, maskOfShape(shape));
    return { chain, group, key };
  }

  #countPeer(entry: SpdEntry, by: number): void {
    if (!entry.peer) return;
    const row = this.#peers.find(entry.peerFamily, entry.peer, 0) ??
      this.#peers.insert(entry.peerFamily, entry.peer, { flows: 0 });
    row.flows += by;
    if (row.flows === 0) this.#peers.delete(entry.peerFamily, entry.peer);
  }

  /** Whether any flow names the peer with these words. */
  namesPeer(family: number, words: Int32Array): boolean {
    return this.#peers.find(family, words, 0) !== null;
  }

  /**
   * Adds a flow. One with the same selector is replaced in its place.
   *
   * @throws {RangeError} when its two prefixes are of different families.
   */
  add(flow: Flow): SpdEntry {
    const { group, key } = this.#locate(flow.selector, true);
    let entry = group!.find(key);
    if (entry) {
      this.#countPeer(entry, -1);
      entry.set(flow);
    } else {
      entry = new SpdEntry(this.#number++, group!, key, flow);
      group!.insert(entry);
      this.#size++;
    }
    this.#countPeer(entry, 1);
    this.generation++;
    return entry;
  }

  /** The entry with exactly this selector. */
  find(selector: Selector): SpdEntry | null {
    const { group, key } = this.#locate(selector, false);
    return group?.find(key) ?? null;
  }

  /** Removes and returns the entry with exactly this selector; null when there is none. */
  remove(selector: Selector): SpdEntry | null {
    const { chain, group, key } = this.#locate(selector, false);
    const entry = group?.find(key) ?? null;
    if (!entry || !group) return null;
    group.delete(entry);
    if (group.count === 0) chain.splice(chain.indexOf(group), 1);
    this.#countPeer(entry, -1);
    this.#size--;
    this.generation++;
    return entry;
  }

  /** Removes all entries, or those for which `which` says so; returns how many. */
  clear(which: (entry: SpdEntry) => boolean = () => true): number {
    const doomed = [...this.entries()].filter(which);
    for (const entry of doomed) this.remove(entry.flow.selector);
    return doomed.length;
  }

  /** All entries in the order in which they are tried: out before in, IPv4 before IPv6, then as the class says. */
  *entries(): Generator<SpdEntry> {
    for (const chain of [this.#chains[2], this.#chains[3], this.#chains[0], this.#chains[1]]) {
      for (const group of chain) yield* [...group.entries()].sort((a, b) => a.number - b.number);
    }
  }
}
