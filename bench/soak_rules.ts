/** What a soak is judged by: memory that grows, pauses of the garbage collector in the packet path. @module */
import { median } from "./measure.ts";

/** A pause longer than this in a packet Worker is a failure. */
export const MOST_PAUSE_MS = 5;
/** The median of the last quarter may be so much above that of the second one. */
const GROWTH_RATIO = 1.05;
const GROWTH_MIB = 1;

/** One collection, as V8's --trace-gc tells it. */
export interface Collection {
  /** The isolate's address: one thread of one process. */
  readonly isolate: string;
  /** Milliseconds since the thread started. */
  readonly atMs: number;
  readonly kind: string;
  /** The longest time that the thread stood still for it. */
  readonly pauseMs: number;
}

const LINE =
  /^\[\d+:(0x[0-9a-f]+)\]\s+(\d+) ms: ([A-Za-z -]+?) (?:\(\w+\) )?[\d.]+ \([\d.]+\) -> .*? MB, (?:pooled: .*? MB, )?([\d.]+) \/ /;
const STEP = /biggest step ([\d.]+) ms/;

/** The collections in what an engine under --trace-gc has written. */
export function collections(text: string): Collection[] {
  return text.split("\n").flatMap((line) => {
    const match = LINE.exec(line);
    if (!match) return [];
    const step = Number(STEP.exec(line)?.[1] ?? 0);
    return [{
      isolate: match[1],
      atMs: Number(match[2]),
      kind: match[3],
      pauseMs: Math.max(Number(match[4]), step),
    }];
  });
}

/**
 * Collections by thread, the main thread first: it alone runs, and collects, before there are Workers.
 *
 * @param since milliseconds since the thread started; what is older belongs to the start
 */
export function byThread(all: readonly Collection[], since: number): Collection[][] {
  const threads = new Map<string, Collection[]>();
  for (const collection of all) {
    const own = threads.get(collection.isolate) ?? [];
    threads.set(collection.isolate, own);
    if (collection.atMs >= since) own.push(collection);
  }
  return [...threads.values()];
}

/** Medians of the second and the last quarter of a series, and whether it has grown. */
export function growth(series: readonly number[]): { early: number; late: number; grows: boolean } {
  const quarter = series.length / 4;
  const early = median(series.slice(Math.floor(quarter), Math.ceil(2 * quarter)));
  const late = median(series.slice(Math.floor(3 * quarter)));
  return { early, late, grows: late > early * GROWTH_RATIO + GROWTH_MIB };
}
