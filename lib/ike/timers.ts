/** Deadlines of all exchanges and SAs in one heap; the core asks for the next and runs what is due. @module */

/** What a timer is for; the handlers are one table (lib/ike/ike.ts). */
export type TimerKind =
  /** Send the last message of an exchange again. */
  | "retransmit"
  /** Give an exchange up. */
  | "giveUp"
  /** Forget a finished exchange that still answered duplicates. */
  | "forget"
  /** Renegotiate a phase 1 SA or SA pair. */
  | "soften"
  /** End of a phase 1 SA or SA pair. */
  | "expire"
  /** Tell the peer that a replaced pair is about to end. */
  | "retire"
  /** End a phase 1 SA whose XAUTH or mode config is not finished. */
  | "extension"
  /** Is the peer alive? */
  | "dpd"
  /** Keep the NAT's mapping. */
  | "keepalive"
  /** Tell the peer once more to forget a pair that it never confirmed. */
  | "farewell"
  /** Look after connections that should be up. */
  | "check";

interface Entry {
  at: number;
  readonly owner: object;
  readonly kind: TimerKind;
  live: boolean;
}

/** Timers by owner and kind: setting one again moves it. Cancelled entries stay in the heap until their time or a sweep. */
export class Timers {
  #heap: Entry[] = [];
  #dead = 0;
  readonly #entries = new Map<object, Partial<Record<TimerKind, Entry>>>();

  get size(): number {
    return this.#heap.length - this.#dead;
  }

  set(owner: object, kind: TimerKind, at: number): void {
    let kinds = this.#entries.get(owner);
    if (!kinds) this.#entries.set(owner, kinds = {});
    const before = kinds[kind];
    if (before?.at === at) return;
    if (before) this.#kill(before);
    const entry = { at, owner, kind, live: true };
    kinds[kind] = entry;
    this.#push(entry);
  }

  at(owner: object, kind: TimerKind): number | undefined {
    return this.#entries.get(owner)?.[kind]?.at;
  }

  clear(owner: object, ...kinds: TimerKind[]): void {
    const all = this.#entries.get(owner);
    if (!all) return;
    for (const kind of kinds) {
      const entry = all[kind];
      if (entry) this.#kill(entry);
      delete all[kind];
    }
    if (Object.keys(all).length === 0) this.#entries.delete(owner);
  }

  /** Cancels everything of an owner. */
  drop(owner: object): void {
    for (const entry of Object.values(this.#entries.get(owner) ?? {})) this.#kill(entry);
    this.#entries.delete(owner);
  }

  next(): number | undefined {
    while (this.#heap.length && !this.#heap[0].live) {
      this.#pop();
      this.#dead--;
    }
    return this.#heap[0]?.at;
  }

  /** Takes the earliest timer that is due. */
  take(now: number): { owner: object; kind: TimerKind } | undefined {
    const at = this.next();
    if (at === undefined || at > now) return undefined;
    const entry = this.#pop();
    entry.live = false;
    const kinds = this.#entries.get(entry.owner)!;
    delete kinds[entry.kind];
    if (Object.keys(kinds).length === 0) this.#entries.delete(entry.owner);
    return entry;
  }

  #kill(entry: Entry): void {
    if (!entry.live) return;
    entry.live = false;
    this.#dead++;
    if (this.#dead < 1024 || this.#dead < this.#heap.length / 2) return;
    const live = this.#heap.filter((each) => each.live);
    this.#heap = [];
    this.#dead = 0;
    for (const each of live) this.#push(each);
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let i = heap.push(entry) - 1;
    while (i > 0) {
      const up = (i - 1) >> 1;
      if (heap[up].at <= entry.at) break;
      heap[i] = heap[up];
      i = up;
    }
    heap[i] = entry;
  }

  #pop(): Entry {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let i = 0;
    for (;;) {
      let down = 2 * i + 1;
      if (down >= heap.length) break;
      if (down + 1 < heap.length && heap[down + 1].at < heap[down].at) down++;
      if (heap[down].at >= last.at) break;
      heap[i] = heap[down];
      i = down;
    }
    heap[i] = last;
    return first;
  }
}

/** The constants of time, ours; what isakmpd.conf sets is in the configuration. */
export const TIMES = {
  /** A responder that has sent message 2 and heard nothing keeps that little state for so long. */
  halfOpenMs: 30_000,
  /** After a hint that it is hopeless (a notify nobody authenticated, an undecryptable message) an exchange waits so long. */
  patienceMs: 10_000,
  /** A finished exchange answers duplicates for so long. */
  lingerMs: 60_000,
  /** A pair that was replaced is deleted so long before its end: what the peer sent on it until then still arrives. */
  retireMs: 2_000,
  /** ... and so long after its replacement at the earliest, which the peer may have to finish. */
  settleMs: 5_000,
  /** DPD questions are repeated in this period, so often. */
  dpdRetryMs: 5_000,
  dpdTries: 5,
  /** A phase 2 rekeying that failed is tried again after so long, as long as the SA lives. */
  rekeyRetryMs: 15_000,
  /** A connection lost by expiry or a dead peer is made again after so long. */
  reconnectMs: 1_000,
} as const;

/** Milliseconds before retransmission `n` (from 0): quick at first, then isakmpd's 2n+5 seconds. */
export const retransmitDelayMs = (n: number): number => 1000 * Math.min(2 ** n, 2 * n + 5);

/** Fractions of a lifetime at which it is renegotiated; the initiator comes first, so that one side starts alone. */
export const SOFT_FRACTION = { initiator: [0.85, 0.9], responder: [0.9, 0.95] } as const;
