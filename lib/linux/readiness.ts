/** Waiting for a descriptor without stopping the event loop. @module */
import { check, libc } from "../ffi/libc.ts";
import { OPEN, POLLFD, SOCKET } from "../ffi/structs.ts";

/** Tells when one of some descriptors can be read. The wait happens on a thread of its own and is ended through an eventfd. */
export class Readiness implements Disposable {
  readonly #polled: Uint8Array<ArrayBuffer>;
  readonly #wake: number;
  #ended = false;
  #waiting = false;

  constructor(...fds: number[]) {
    this.#wake = check(libc().eventfd(0, OPEN.O_CLOEXEC | OPEN.O_NONBLOCK), "open an eventfd");
    this.#polled = new Uint8Array((fds.length + 1) * POLLFD.octets);
    const view = new DataView(this.#polled.buffer);
    [...fds, this.#wake].forEach((each, i) => {
      view.setInt32(i * POLLFD.octets + POLLFD.at.fd, each, true);
      view.setInt16(i * POLLFD.octets + POLLFD.at.events, SOCKET.POLLIN, true);
    });
  }

  /** Resolves to true when there is something to read (or an error to be had), to false after the end. */
  async wait(): Promise<boolean> {
    if (this.#ended) return false;
    this.#waiting = true;
    await libc().pollAsync(this.#polled, BigInt(this.#polled.length / POLLFD.octets), -1);
    this.#waiting = false;
    if (this.#ended) libc().close(this.#wake);
    return !this.#ended;
  }

  /** Ends a wait that is going on. */
  [Symbol.dispose](): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#waiting) libc().writeBuffer(this.#wake, new Uint8Array(new BigUint64Array([1n]).buffer), 8n);
    else libc().close(this.#wake);
  }
}
