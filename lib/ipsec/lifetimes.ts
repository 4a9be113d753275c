/** States of an SA (RFC 2367 3.1) and the limits that packets run into. @module */
import type { Sa } from "./sa.ts";
import type { Lifetime, SaState } from "./types.ts";

/** What may follow a state. A dying SA can be given a longer life (SADB_UPDATE). */
const NEXT: Readonly<Record<SaState, readonly SaState[]>> = {
  larval: ["mature", "dead"],
  mature: ["dying", "dead"],
  dying: ["mature", "dead"],
  dead: [],
};

/** Sequence numbers left when an SA with anti-replay asks for a successor, and none left when it is over. */
const SOFT_SEQUENCE = 0xfff00000;
const HARD_SEQUENCE = 0xffffffff;

/** Whether `to` may follow `from`. */
export function mayBecome(from: SaState, to: SaState): boolean {
  return NEXT[from].includes(to);
}

/** Changes the state; the only place that does. @throws {RangeError} on a change that RFC 2367 does not know. */
export function setState(sa: Sa, state: SaState): void {
  if (!mayBecome(sa.state, state)) {
    throw new RangeError(`Cannot make ${sa} ${state}: it is ${sa.state}`);
  }
  sa.state = state;
  sa.usable = state === "mature" || state === "dying";
}

/** What an SA has been used for so far. */
export interface Usage {
  readonly allocations: number;
  readonly bytes: number;
  /** Milliseconds since the epoch. */
  readonly addedMs: number;
  /** Seconds since the epoch; 0: not yet. */
  readonly firstUsedSeconds: number;
  /** Last sequence number sent, unsigned; 0 where numbers may wrap. */
  readonly sequence: number;
}

/** The limits of an SA. */
export interface Limits {
  readonly hard: Lifetime;
  readonly soft: Lifetime;
}

const addLimitMs = ({ addedMs }: Usage, { addSeconds }: Lifetime) =>
  addSeconds > 0 ? addedMs + 1000 * addSeconds : Infinity;

const useLimitMs = ({ firstUsedSeconds }: Usage, { useSeconds }: Lifetime) =>
  useSeconds > 0 && firstUsedSeconds > 0 ? 1000 * (firstUsedSeconds + useSeconds) : Infinity;

/** Which limits there are, in the order in which they are reported. */
const LIMITS: readonly { name: LimitName; passed(usage: Usage, limit: Lifetime, nowMs: number): boolean }[] = [
  { name: "allocations", passed: (usage, limit) => limit.allocations > 0 && usage.allocations >= limit.allocations },
  { name: "bytes", passed: (usage, limit) => limit.bytes > 0 && usage.bytes >= limit.bytes },
  { name: "add time", passed: (usage, limit, nowMs) => addLimitMs(usage, limit) <= nowMs },
  { name: "use time", passed: (usage, limit, nowMs) => useLimitMs(usage, limit) <= nowMs },
];

/** Whether use can make an SA pass a limit, at once or, from the first use on, in time; else the clock alone does. */
export function isJudgedByUse({ hard, soft }: Limits, sequence: number): boolean {
  return hard.bytes > 0 || soft.bytes > 0 || hard.useSeconds > 0 || soft.useSeconds > 0 ||
    hard.allocations > 0 || soft.allocations > 0 || sequence >= SOFT_SEQUENCE;
}

export type LimitName = "allocations" | "bytes" | "add time" | "use time" | "sequence numbers";

/** The first limit that an SA has passed; a hard one before any soft one, a soft one only once (while mature). */
export function passedLimit(
  limits: Limits,
  state: SaState,
  usage: Usage,
  nowMs: number,
): { kind: "hard" | "soft"; limit: LimitName } | undefined {
  if (state === "larval" || state === "dead") return undefined;
  for (const kind of state === "mature" ? ["hard", "soft"] as const : ["hard"] as const) {
    const row = LIMITS.find(({ passed }) => passed(usage, limits[kind], nowMs));
    if (row) return { kind, limit: row.name };
    if (usage.sequence >= (kind === "hard" ? HARD_SEQUENCE : SOFT_SEQUENCE)) return { kind, limit: "sequence numbers" };
  }
  return undefined;
}

/** The time at which the clock alone makes the SA pass a limit; Infinity: never. */
export function nextLimitMs({ hard, soft }: Limits, state: SaState, usage: Usage): number {
  const limits = state === "mature" ? [hard, soft] : [hard];
  return Math.min(...limits.flatMap((limit) => [addLimitMs(usage, limit), useLimitMs(usage, limit)]));
}
