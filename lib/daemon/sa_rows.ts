/** What packets do to each SA: rows of counters in memory that the Workers write and the main thread reads. @module */
import type { SaUsage } from "../engine/effects.ts";
import { COUNTER, COUNTER_OCTETS } from "../ipsec/sa.ts";

/** SAs whose counters fit the memory; only touched pages take room. */
const MAX_SAS = 1 << 18;
const CELLS = COUNTER_OCTETS / 8;

/** The rows, and whose they are. */
export class SaRows {
  readonly memory = new SharedArrayBuffer(MAX_SAS * COUNTER_OCTETS);
  readonly #cells = new Float64Array(this.memory);
  readonly #rows = new Map<number, number>();
  readonly #free: number[] = [];
  /** By row: the SA that has it (0: none), and how many packets it had at the last look. */
  readonly #idOfRow = new Float64Array(MAX_SAS);
  readonly #seenPackets = new Float64Array(MAX_SAS);
  #next = 0;

  /** A row with empty counters for the SA `id`. @throws {RangeError} when there are too many SAs */
  assign(id: number): number {
    const row = this.#free.pop() ?? this.#next++;
    if (row >= MAX_SAS) throw new RangeError(`Cannot install another SA: ${MAX_SAS} is the most`);
    this.#rows.set(id, row);
    this.#idOfRow[row] = id;
    this.#seenPackets[row] = 0;
    // Not the limit: a Worker may not have heard yet that the row's last SA is gone, and would take it for used up.
    this.#cells.fill(0, row * CELLS, row * CELLS + COUNTER.HARD_BYTES);
    return row;
  }

  release(id: number): void {
    const row = this.#rows.get(id);
    if (row === undefined) return;
    this.#rows.delete(id);
    this.#idOfRow[row] = 0;
    this.#free.push(row);
  }

  /** What packets have done to the SA `id` so far; undefined when it has no row. */
  usage(id: number): SaUsage | undefined {
    const row = this.#rows.get(id);
    return row === undefined ? undefined : this.#usageOf(row);
  }

  #usageOf(row: number): SaUsage {
    const cell = (column: number) => this.#cells[row * CELLS + column];
    return {
      packets: cell(COUNTER.PACKETS),
      bytes: cell(COUNTER.BYTES),
      allocations: cell(COUNTER.ALLOCATIONS),
      drops: cell(COUNTER.DROPS),
      sequence: cell(COUNTER.SEQUENCE),
      firstUsedSeconds: cell(COUNTER.FIRST_USED),
      lastUsedSeconds: cell(COUNTER.LAST_USED),
    };
  }

  /** What has changed since the last call, by SA. */
  changes(): [id: number, usage: SaUsage][] {
    const changed: [number, SaUsage][] = [];
    for (let row = 0; row < this.#next; row++) {
      const packets = this.#cells[row * CELLS + COUNTER.PACKETS];
      if (packets === this.#seenPackets[row]) continue;
      this.#seenPackets[row] = packets;
      if (packets > 0 && this.#idOfRow[row] !== 0) changed.push([this.#idOfRow[row], this.#usageOf(row)]);
    }
    return changed;
  }
}
