/** Judging the engine's records by their lifetimes (RFC 2367 2.3.2, 3.1.8). @module */
import * as limits from "../ipsec/lifetimes.ts";
import type { SaRecord } from "./tables.ts";

/** What counts against the limits. Where nobody looks at sequence numbers they may wrap. */
function usageOf({ sa, usage, addedMs }: SaRecord): limits.Usage {
  return { ...usage, addedMs, sequence: sa.replayWindow > 0 ? usage.sequence : 0 };
}

/** Which limit the SA has passed: a soft one matters only once, and not when a hard one is passed as well. */
export function passedLimit(record: SaRecord, nowMs: number): ReturnType<typeof limits.passedLimit> {
  return limits.passedLimit(record.sa, record.state, usageOf(record), nowMs);
}

/** The time at which the clock alone makes the SA pass a limit; Infinity: never. */
export function nextLimitMs(record: SaRecord): number {
  return limits.nextLimitMs(record.sa, record.state, usageOf(record));
}
