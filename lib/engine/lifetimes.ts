/** When an SA's life ends (RFC 2367 2.3.2, 3.1.8). @module */
import type { Lifetime } from "../ipsec/types.ts";
import type { SaRecord } from "./tables.ts";

/** The limits as rows: what counts, and what it is counted against. */
const LIMITS: readonly ((record: SaRecord, limit: Lifetime, nowMs: number) => boolean)[] = [
  ({ usage }, { allocations }) => allocations > 0 && usage.allocations >= allocations,
  ({ usage }, { bytes }) => bytes > 0 && usage.bytes >= bytes,
  (record, limit, nowMs) => addLimitMs(record, limit) <= nowMs,
  (record, limit, nowMs) => useLimitMs(record, limit) <= nowMs,
];

const addLimitMs = ({ addedMs }: SaRecord, { addSeconds }: Lifetime) =>
  addSeconds > 0 ? addedMs + 1000 * addSeconds : Infinity;

const useLimitMs = ({ usage: { firstUsedSeconds } }: SaRecord, { useSeconds }: Lifetime) =>
  useSeconds > 0 && firstUsedSeconds > 0 ? 1000 * (firstUsedSeconds + useSeconds) : Infinity;

const reached = (record: SaRecord, limit: Lifetime, nowMs: number) => LIMITS.some((row) => row(record, limit, nowMs));

/** Which limit the SA has passed: a soft one matters only once, and not when a hard one is passed as well. */
export function passedLimit(record: SaRecord, nowMs: number): "hard" | "soft" | undefined {
  if (reached(record, record.sa.hard, nowMs)) return "hard";
  return record.state === "mature" && reached(record, record.sa.soft, nowMs) ? "soft" : undefined;
}

/** The time at which the clock alone makes the SA pass a limit; Infinity: never. */
export function nextLimitMs(record: SaRecord): number {
  const { hard, soft } = record.sa;
  const limits = record.state === "mature" ? [hard, soft] : [hard];
  return Math.min(...limits.flatMap((limit) => [addLimitMs(record, limit), useLimitMs(record, limit)]));
}
