/** Hash tables over masked tuples: the groups of a tuple-space search. @module */
import { TUPLE } from "../ip/tuple.ts";
import { compareShapes, maskOfShape, sameMasked } from "./tuple_mask.ts";

/** What a group holds. */
export interface GroupEntry<Entry> {
  /** Where the group has its key; the group's own. */
  row: number;
  /** Next entry of the same hash bucket; the group's own. */
  next: Entry | null;
}

const FIRST_BUCKETS = 8;

/**
 * The entries with the same mask: prefix lengths and given words. A hash table over the masked tuple. The keys lie in one
 * array, because an array for each would take four times their size.
 */
export class Group<Entry extends GroupEntry<Entry>> {
  readonly mask: Int32Array;
  readonly family: 4 | 6;
  readonly shape: readonly number[];
  count = 0;
  #buckets: (Entry | null)[] = new Array(FIRST_BUCKETS).fill(null);
  #keys = new Int32Array(FIRST_BUCKETS * TUPLE.WORDS);
  readonly #freeRows: number[] = [];

  constructor(family: 4 | 6, shape: readonly number[]) {
    this.family = family;
    this.shape = shape;
    this.mask = maskOfShape(shape);
  }

  /** Hash of the masked tuple at `words[from]`. */
  #hash(words: Int32Array, from: number): number {
    const mask = this.mask;
    let hash = Math.imul(words[from + 1] & mask[1], 0x9e3779b1);
    hash = Math.imul(hash ^ hash >>> 15 ^ words[from + 5] & mask[5], 0x85ebca6b);
    if (this.family === 6) {
      for (let i = 2; i < 5; i++) {
        hash = Math.imul(hash ^ hash >>> 15 ^ words[from + i] & mask[i], 0x9e3779b1);
        hash = Math.imul(hash ^ hash >>> 15 ^ words[from + i + 4] & mask[i + 4], 0x85ebca6b);
      }
    }
    hash ^= words[from + 9] & mask[9] ^ (words[from + 10] & mask[10]) << 16 ^ words[from + 11] & mask[11];
    hash = Math.imul(hash ^ hash >>> 15, 0xc2b2ae35);
    return hash ^ hash >>> 13;
  }

  find(tuple: Int32Array): Entry | null {
    const buckets = this.#buckets;
    let entry = buckets[this.#hash(tuple, 0) & buckets.length - 1];
    while (entry !== null && !sameMasked(tuple, this.mask, this.#keys, entry.row * TUPLE.WORDS, this.family)) {
      entry = entry.next;
    }
    return entry;
  }

  /** Adds an entry under a key that none has yet. */
  insert(entry: Entry, key: Int32Array): void {
    entry.row = this.#freeRows.pop() ?? this.count;
    if (++this.count > this.#buckets.length) this.#grow();
    this.#keys.set(key, entry.row * TUPLE.WORDS);
    this.#chain(entry);
  }

  #grow(): void {
    const old = this.#buckets;
    const keys = this.#keys;
    this.#buckets = new Array(old.length * 2).fill(null);
    this.#keys = new Int32Array(keys.length * 2);
    this.#keys.set(keys);
    for (let chain of old) {
      while (chain !== null) {
        const next: Entry | null = chain.next;
        this.#chain(chain);
        chain = next;
      }
    }
  }

  #chain(entry: Entry): void {
    const at = this.#hash(this.#keys, entry.row * TUPLE.WORDS) & this.#buckets.length - 1;
    entry.next = this.#buckets[at];
    this.#buckets[at] = entry;
  }

  delete(entry: Entry): void {
    const at = this.#hash(this.#keys, entry.row * TUPLE.WORDS) & this.#buckets.length - 1;
    let before: Entry | null = null;
    for (let other = this.#buckets[at]; other !== entry; other = other!.next) before = other;
    if (before) before.next = entry.next;
    else this.#buckets[at] = entry.next;
    entry.next = null;
    this.#freeRows.push(entry.row);
    this.count--;
  }

  *entries(): Generator<Entry> {
    for (const bucket of this.#buckets) for (let entry = bucket; entry !== null; entry = entry.next) yield entry;
  }
}

/** The groups of one direction and family, the most specific first. */
export class GroupChain<Entry extends GroupEntry<Entry>> {
  readonly groups: Group<Entry>[] = [];

  /** The entry of the most specific group that has one for the tuple. Allocates nothing. */
  lookup(tuple: Int32Array): Entry | null {
    const groups = this.groups;
    for (let i = 0; i < groups.length; i++) {
      const entry = groups[i].find(tuple);
      if (entry !== null) return entry;
    }
    return null;
  }

  /** The group of a shape, if there is one. */
  group(shape: readonly number[]): Group<Entry> | undefined {
    return this.groups.find((group) => compareShapes(group.shape, shape) === 0);
  }

  /** The group of a shape, made where it belongs if there is none. */
  make(family: 4 | 6, shape: readonly number[]): Group<Entry> {
    let group = this.group(shape);
    if (!group) {
      group = new Group(family, shape);
      const at = this.groups.findIndex((other) => compareShapes(shape, other.shape) < 0);
      this.groups.splice(at < 0 ? this.groups.length : at, 0, group);
    }
    return group;
  }

  /** Removes an entry, and its group with the last one. */
  delete(group: Group<Entry>, entry: Entry): void {
    group.delete(entry);
    if (group.count === 0) this.groups.splice(this.groups.indexOf(group), 1);
  }
}
