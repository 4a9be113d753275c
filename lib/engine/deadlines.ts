/** What is due next: a binary heap of times. @module */

interface Entry<T> {
  readonly atMs: number;
  readonly item: T;
}

/** Left-overs that are not worth a clean-up. */
const SLACK = 64;

/** Items by the time at which they are due. Setting and finding the next cost O(log n), however many there are. */
export class Deadlines<T> {
  readonly #heap: Entry<T>[] = [];
  /** The time that counts for an item; entries with another time are left-overs. */
  readonly #current = new Map<T, number>();

  /** Sets or moves the time of `item`; Infinity takes it out. */
  set(item: T, atMs: number): void {
    if (atMs === Infinity) {
      this.#current.delete(item);
      return;
    }
    if (this.#current.get(item) === atMs) return;
    this.#current.set(item, atMs);
    if (this.#heap.length > 2 * this.#current.size + SLACK) this.#compact();
    else this.#push({ atMs, item });
  }

  /** Drops the left-overs. */
  #compact(): void {
    this.#heap.length = 0;
    for (const [item, atMs] of this.#current) this.#push({ atMs, item });
  }

  delete(item: T): void {
    this.#current.delete(item);
  }

  clear(): void {
    this.#heap.length = 0;
    this.#current.clear();
  }

  /** The next time at which something is due; Infinity when nothing is. */
  next(): number {
    while (this.#heap.length && this.#current.get(this.#heap[0].item) !== this.#heap[0].atMs) this.#pop();
    return this.#heap[0]?.atMs ?? Infinity;
  }

  /** Takes out an item that is due at `nowMs`; undefined when none is. */
  take(nowMs: number): T | undefined {
    if (this.next() > nowMs) return undefined;
    const { item } = this.#pop();
    this.#current.delete(item);
    return item;
  }

  #push(entry: Entry<T>): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent].atMs <= entry.atMs) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): Entry<T> {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop()!;
    if (heap.length) {
      let at = 0;
      while (true) {
        let child = 2 * at + 1;
        if (child >= heap.length) break;
        if (child + 1 < heap.length && heap[child + 1].atMs < heap[child].atMs) child++;
        if (heap[child].atMs >= last.atMs) break;
        heap[at] = heap[child];
        at = child;
      }
      heap[at] = last;
    }
    return first;
  }
}
