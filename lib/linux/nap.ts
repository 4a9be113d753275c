/** Sleeping for less than a millisecond. @module */
import { check, libc } from "../ffi/libc.ts";
import type { Arena } from "../octets/arena.ts";

const PR_SET_TIMERSLACK = 29;
/** struct timespec, 64-bit: seconds, nanoseconds. */
const TIMESPEC_OCTETS = 16;
const NANOSECONDS_AT = 8;

/** A sleep of one length, to be taken often; taking it allocates nothing. */
export class Nap {
  readonly #arena: Arena;
  readonly #at: number;

  /** From now on the timers of the calling thread are exact (the kernel's habit is 50 us late). @throws {SystemError} */
  constructor(arena: Arena, microseconds: number) {
    this.#arena = arena;
    this.#at = arena.reserve(TIMESPEC_OCTETS);
    arena.view.setUint32(this.#at + NANOSECONDS_AT, microseconds * 1000, true);
    check(libc().prctl(PR_SET_TIMERSLACK, 1n, 0n, 0n, 0n), "make timers exact");
  }

  take(): void {
    libc().nanosleep(this.#arena.base + BigInt(this.#at | 0), 0n);
  }
}
