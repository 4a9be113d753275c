/** Sleeping for less than a millisecond. @module */
import { check, libc } from "../ffi/libc.ts";
import { TIMESPEC } from "../ffi/structs.ts";
import type { Arena } from "../octets/arena.ts";

const PR_SET_TIMERSLACK = 29;

/** A sleep of one length, to be taken often; taking it allocates nothing. */
export class Nap {
  readonly #arena: Arena;
  readonly #at: number;

  /** From now on the timers of the calling thread are exact (the kernel's habit is 50 us late). @throws {SystemError} */
  constructor(arena: Arena, microseconds: number) {
    this.#arena = arena;
    this.#at = arena.reserve(TIMESPEC.octets);
    arena.view.setUint32(this.#at + TIMESPEC.at.nanoseconds, microseconds * 1000, true);
    check(libc().prctl(PR_SET_TIMERSLACK, 1n, 0n, 0n, 0n), "make timers exact");
  }

  take(): void {
    libc().nanosleep(this.#arena.base + BigInt(this.#at | 0), 0n);
  }
}
