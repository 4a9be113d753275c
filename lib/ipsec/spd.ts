/** The security policy database (RFC 2401 4.4.1): which packets are protected, how, and which are not. @module */
import { FRAGMENT, TUPLE } from "../ip/tuple.ts";
import { sharedWords } from "../ip/words.ts";
import { AddressTable } from "./address_table.ts";
import { type Group, GroupChain, type GroupEntry } from "./tuple_group.ts";
import { compareShapes, keyOfSelector, maskOfShape, shapeOf, withoutPorts } from "./tuple_mask.ts";
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
  readonly group: Group<SpdEntry>;
  row = 0;
  flow!: Flow;
  action = 0;
  protocol = 0;
  /** SPI of the SA named by the flow, int32; 0: any. */
  spi = 0;
  /** Null: the packet's own other end. */
  peer: Int32Array | null = null;
  peerFamily = 0;
  local: Int32Array | null = null;
  /** Age of the SA that it was last assigned; 0: none yet. */
  assigned = 0;
  next: SpdEntry | null = null;

  constructor(number: number, group: Group<SpdEntry>, flow: Flow) {
    this.number = number;
    this.group = group;
    this.set(flow);
  }

  /** Takes over what `flow` says. */
  set(flow: Flow): void {
    this.flow = flow;
    this.action = ACTIONS[flow.type];
    this.protocol = flow.protocol;
    this.spi = (flow.spi ?? 0) | 0;
    this.peer = flow.peer ? sharedWords(flow.peer) : null;
    this.peerFamily = flow.peer?.family ?? flow.selector.destination.address.family;
    this.local = flow.local ? sharedWords(flow.local) : null;
  }
}

/** The flows that differ in their ports alone. */
class PortFlows {
  readonly #protecting = new Set<SpdEntry>();
  readonly #passing = new Set<SpdEntry>();
  /** The one that speaks for a fragment without ports: one that protects or denies before one that lets it pass. */
  best: SpdEntry | null = null;
  next: PortFlows | null = null;

  row = 0;

  constructor(readonly group: Group<PortFlows>) {}

  /** Adds an entry, or takes over what has become of it. */
  add(entry: SpdEntry): void {
    this.delete(entry);
    (entry.action === ACTION.BYPASS ? this.#passing : this.#protecting).add(entry);
    this.#choose();
  }

  delete(entry: SpdEntry): void {
    this.#passing.delete(entry);
    this.#protecting.delete(entry);
    this.#choose();
  }

  #choose(): void {
    const [best] = this.#protecting.size ? this.#protecting : this.#passing;
    this.best = best ?? null;
  }
}

const chains = <Entry extends GroupEntry<Entry>>() => Array.from({ length: 4 }, () => new GroupChain<Entry>());
/** Place of a direction and family among chains. */
const chainOf = (direction: number, family: number) => direction << 1 | (family === 6 ? 1 : 0);

/** Where a selector belongs. @throws {RangeError} when its prefixes are of different families */
function placeOf(selector: Selector) {
  const { source, destination, direction } = selector;
  const { family } = source.address;
  if (family !== destination.address.family) {
    throw new RangeError("Cannot use a flow whose source and destination are of different families");
  }
  const shape = shapeOf(selector);
  const key = keyOfSelector(selector, maskOfShape(shape));
  return { family, shape, key, chain: chainOf(direction === "in" ? DIRECTION.IN : DIRECTION.OUT, family) };
}

/**
 * Flows by selector.
 *
 * Where several flows match a packet, the most specific wins, as in OpenBSD's radix tree: the longer source prefix, then
 * the longer destination prefix, then a given transport, source port, destination port. No two different flows of the
 * same shape can match one packet, so the order of insertion never decides.
 *
 * Lookup is tuple-space search: one hash probe for each distinct shape, however many flows there are.
 *
 * Fragments that hold no ports are treated like the packet they belong to: a flow for certain ports that protects or
 * denies takes those fragments that could be its own, rather than let them pass in clear.
 */
export class Spd {
  /** Changes with every change; a cache of lookups is good as long as it is the same. */
  generation = 0;
  #size = 0;
  #number = 0;
  readonly #chains = chains<SpdEntry>();
  readonly #portChains = chains<PortFlows>();
  readonly #peers = new AddressTable<{ flows: number }>();

  get size(): number {
    return this.#size;
  }

  /** The most specific entry for a packet; `direction` is a number of {@linkcode DIRECTION}. Allocates nothing. */
  lookup(direction: number, tuple: Int32Array): SpdEntry | null {
    const chain = chainOf(direction, tuple[TUPLE.FAMILY]);
    const entry = this.#chains[chain].lookup(tuple);
    return tuple[TUPLE.FRAGMENT] === FRAGMENT.LATER ? this.#fragmentEntry(chain, tuple, entry) : entry;
  }

  #fragmentEntry(chain: number, tuple: Int32Array, entry: SpdEntry | null): SpdEntry | null {
    const ports = this.#portChains[chain].lookup(tuple);
    if (ports === null) return entry;
    if (entry === null) return ports.best;
    const order = compareShapes(ports.group.shape, entry.group.shape);
    const best = ports.best!;
    return order < 0 || (order === 0 && best.action !== ACTION.BYPASS) ? best : entry;
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

  /** Adds an entry to the flows that differ from it in their ports alone, or takes it out. */
  #notePorts(entry: SpdEntry, present: boolean): void {
    const { selector } = entry.flow;
    if (selector.sourcePort === 0 && selector.destinationPort === 0) return;
    const { family, shape, key, chain } = placeOf({ ...selector, ...withoutPorts(selector) });
    const group = this.#portChains[chain].make(family, shape);
    let flows = group.find(key);
    if (flows === null) group.insert(flows = new PortFlows(group), key);
    if (present) flows.add(entry);
    else flows.delete(entry);
    if (flows.best === null) this.#portChains[chain].delete(group, flows);
  }

  /**
   * Adds a flow. One with the same selector is replaced in its place.
   *
   * @throws {RangeError} when its two prefixes are of different families.
   */
  add(flow: Flow): SpdEntry {
    const { family, shape, key, chain } = placeOf(flow.selector);
    const group = this.#chains[chain].make(family, shape);
    let entry = group.find(key);
    if (entry) {
      this.#countPeer(entry, -1);
      entry.set(flow);
    } else {
      entry = new SpdEntry(this.#number++, group, flow);
      group.insert(entry, key);
      this.#size++;
    }
    this.#countPeer(entry, 1);
    this.#notePorts(entry, true);
    this.generation++;
    return entry;
  }

  /** The entry with exactly this selector. */
  find(selector: Selector): SpdEntry | null {
    const { shape, key, chain } = placeOf(selector);
    return this.#chains[chain].group(shape)?.find(key) ?? null;
  }

  /** Removes and returns the entry with exactly this selector; null when there is none. */
  remove(selector: Selector): SpdEntry | null {
    const entry = this.find(selector);
    if (!entry) return null;
    this.#chains[placeOf(selector).chain].delete(entry.group, entry);
    this.#countPeer(entry, -1);
    this.#notePorts(entry, false);
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
    for (const chain of [2, 3, 0, 1]) {
      for (const group of this.#chains[chain].groups) {
        yield* [...group.entries()].sort((a, b) => a.number - b.number);
      }
    }
  }
}
