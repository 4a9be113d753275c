/**
 * Orders from the engine's main thread to a Worker that never returns to its event loop: a ring of serialized values in
 * shared memory, one writer, one reader. An eventfd (daemon/enc.ts) tells the Worker to look.
 *
 * @module
 */
import { deserialize, serialize } from "node:v8";

const WRITTEN = 0, READ = 1, HEADER_OCTETS = 8, LENGTH_OCTETS = 4;

/** Octets of a ring; one value may take at most half. */
export const MAILBOX_OCTETS = 4 << 20;

/** A ring over shared memory, from either end. Positions count octets since the start and wrap at 2^32. */
export class Mailbox {
  readonly buffer: SharedArrayBuffer;
  readonly #positions: Uint32Array;
  readonly #octets: Uint8Array;

  constructor(buffer = new SharedArrayBuffer(HEADER_OCTETS + MAILBOX_OCTETS)) {
    this.buffer = buffer;
    this.#positions = new Uint32Array(buffer, 0, 2);
    this.#octets = new Uint8Array(buffer, HEADER_OCTETS);
  }

  /** Octets written and not read yet. */
  get pending(): number {
    return (Atomics.load(this.#positions, WRITTEN) - Atomics.load(this.#positions, READ)) >>> 0;
  }

  #copyIn(position: number, octets: Uint8Array): void {
    const at = position % this.#octets.length;
    const first = Math.min(octets.length, this.#octets.length - at);
    this.#octets.set(octets.subarray(0, first), at);
    this.#octets.set(octets.subarray(first), 0);
  }

  #copyOut(position: number, length: number): Uint8Array<ArrayBuffer> {
    const at = position % this.#octets.length;
    const first = Math.min(length, this.#octets.length - at);
    const octets = new Uint8Array(length);
    octets.set(this.#octets.subarray(at, at + first));
    octets.set(this.#octets.subarray(0, length - first), first);
    // Values may hold keys.
    this.#octets.fill(0, at, at + first);
    this.#octets.fill(0, 0, length - first);
    return octets;
  }

  /** Puts a value in; false when the ring has no room now. @throws {RangeError} on a value that never fits. */
  put(value: unknown): boolean {
    const octets = serialize(value);
    const needed = LENGTH_OCTETS + octets.length;
    if (needed > this.#octets.length / 2) throw new RangeError(`Cannot send ${octets.length} octets to a Worker`);
    const fits = this.pending + needed <= this.#octets.length;
    if (fits) {
      const at = Atomics.load(this.#positions, WRITTEN);
      this.#copyIn(at, new Uint8Array(new Uint32Array([octets.length]).buffer));
      this.#copyIn((at + LENGTH_OCTETS) >>> 0, octets);
      Atomics.store(this.#positions, WRITTEN, (at + needed) >>> 0);
    }
    octets.fill(0);
    return fits;
  }

  /** The oldest value, or undefined when there is none. */
  take(): unknown {
    if (this.pending === 0) return undefined;
    const at = Atomics.load(this.#positions, READ);
    const [length] = new Uint32Array(this.#copyOut(at, LENGTH_OCTETS).buffer);
    const octets = this.#copyOut((at + LENGTH_OCTETS) >>> 0, length);
    Atomics.store(this.#positions, READ, (at + LENGTH_OCTETS + length) >>> 0);
    // Arrays of octets in the value are views of these octets, so the value's owner erases them.
    return deserialize(octets);
  }
}
