/** Waiting for many descriptors at a cost that does not grow with them. @module */
import { check, libc } from "../ffi/libc.ts";
import { architecture, EPOLL, EPOLL_EVENT_BY_ARCHITECTURE } from "../ffi/structs.ts";
import type { Arena } from "../octets/arena.ts";

/** Descriptors to wait for, numbered as they are given. Waiting allocates nothing. */
export class Epoll implements Disposable {
  readonly #fd: number;
  readonly #count: number;
  readonly #arena: Arena;
  readonly #eventsAt: number;
  readonly #event = EPOLL_EVENT_BY_ARCHITECTURE[architecture()];

  /** @throws {SystemError} */
  constructor(arena: Arena, fds: readonly number[]) {
    const { epoll_create1, epoll_ctl } = libc();
    this.#arena = arena;
    this.#count = fds.length;
    this.#eventsAt = arena.reserve(fds.length * this.#event.octets);
    this.#fd = check(epoll_create1(EPOLL.EPOLL_CLOEXEC), "make an epoll descriptor");
    fds.forEach((fd, i) => {
      const event = new Uint8Array(this.#event.octets);
      const view = new DataView(event.buffer);
      view.setUint32(this.#event.at.events, EPOLL.EPOLLIN, true);
      view.setUint32(this.#event.at.data, i, true);
      check(epoll_ctl(this.#fd, EPOLL.EPOLL_CTL_ADD, fd, event), "wait for a descriptor");
    });
  }

  /** How many are readable, after at most `timeoutMs` (-1: for ever); negative when a signal came in between. */
  wait(timeoutMs: number): number {
    return libc().epoll_wait(this.#fd, this.#arena.base + BigInt(this.#eventsAt | 0), this.#count, timeoutMs);
  }

  /** The number of the `i`th that the last wait found readable. */
  ready(i: number): number {
    return this.#arena.view.getUint32(this.#eventsAt + i * this.#event.octets + this.#event.at.data, true);
  }

  [Symbol.dispose](): void {
    libc().close(this.#fd);
  }
}
