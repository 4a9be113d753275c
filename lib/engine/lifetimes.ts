/** Judging the engine's records by their lifetimes (RFC 2367 2.3.2, 3.1.8). @module */
import * as limits from "../ipsec/lifetimes.ts";
import type { SaRecord } from "./tables.ts";

/** Where nobody looks at sequence numbers they may wrap. */
const sequenceOf = ({ sa, usage }: SaRecord): number => sa.replayWindow > 0 ? usage.sequence : 0;

/** What counts against the limits. */
function usageOf(record: SaRecord): limits.Usage {
  return { ...record.usage, addedMs: record.addedMs, sequence: sequenceOf(record) };
}

/** Whether what packets have done can matter to the SA's limits; for most SAs it cannot. */
export const isJudgedByUse = (record: SaRecord): boolean => limits.isJudgedByUse(record.sa, sequenceOf(record));

/** Which limit the SA has passed: a soft one matters only once, and not when a hard one is passed as well. */
export function passedLimit(record: SaRecord, nowMs: number): ReturnType<typeof limits.passedLimit> {
  return limits.passedLimit(record.sa, record.state, usageOf(record), nowMs);
}

/** The time at which the clock alone makes the SA pass a limit; Infinity: never. */
export function nextLimitMs(record: SaRecord): number {
  return limits.nextLimitMs(record.sa, record.state, usageOf(record));
}
