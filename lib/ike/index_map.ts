/** A map from a key to several items. @module */

/** Items by a key; empty sets do not stay. */
export class IndexMap<T> {
  readonly #sets = new Map<string, Set<T>>();

  add(key: string, item: T): void {
    const set = this.#sets.get(key);
    if (set) set.add(item);
    else this.#sets.set(key, new Set([item]));
  }

  delete(key: string, item: T): void {
    const set = this.#sets.get(key);
    if (set?.delete(item) && set.size === 0) this.#sets.delete(key);
  }

  /** The items of a key, oldest first. */
  get(key: string): ReadonlySet<T> {
    return this.#sets.get(key) ?? new Set();
  }
}
