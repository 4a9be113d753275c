/**
 * Orders from the engine's main thread to a Worker that never returns to its event loop: a ring of values in shared
 * memory, one writer, one reader. An eventfd (daemon/enc.ts) tells the Worker to look.
 *
 * @module
 */
import { AddressPool } from "../ip/address_pool.ts";
import { TextPool } from "../octets/text_pool.ts";
import { ValueReader, ValueWriter } from "./value_codec.ts";

const WRITTEN = 0, READ = 1, HEADER_OCTETS = 8, LENGTH_OCTETS = 4;

/** Octets of a ring, a power of two. */
export const MAILBOX_OCTETS = 256 << 10;
/** Octets that one value may take. */
export const VALUE_OCTETS = MAILBOX_OCTETS / 4;

/** A ring over shared memory, from either end. Positions count octets since the start and wrap at 2^32. */
export class Mailbox {
  readonly buffer: SharedArrayBuffer;
  readonly #positions: Uint32Array;
  readonly #octets: Uint8Array;
  /** The value being written or read, behind its length. */
  readonly #value = new Uint8Array(LENGTH_OCTETS + VALUE_OCTETS);
  readonly #length = new DataView(this.#value.buffer);
  readonly #addresses = new AddressPool();
  readonly #texts = new TextPool();

  constructor(buffer = new SharedArrayBuffer(HEADER_OCTETS + MAILBOX_OCTETS)) {
    this.buffer = buffer;
    this.#positions = new Uint32Array(buffer, 0, 2);
    this.#octets = new Uint8Array(buffer, HEADER_OCTETS);
  }

  /** Octets written and not read yet. */
  get pending(): number {
    return (Atomics.load(this.#positions, WRITTEN) - Atomics.load(this.#positions, READ)) >>> 0;
  }

  #copyIn(position: number, octets: number): void {
    const at = position % MAILBOX_OCTETS;
    const first = Math.min(octets, MAILBOX_OCTETS - at);
    this.#octets.set(this.#value.subarray(0, first), at);
    this.#octets.set(this.#value.subarray(first, octets), 0);
  }

  /** Values may hold keys: what has been read is erased. */
  #moveOut(position: number, octets: number, to: number): void {
    const at = position % MAILBOX_OCTETS;
    const first = Math.min(octets, MAILBOX_OCTETS - at);
    this.#value.set(this.#octets.subarray(at, at + first), to);
    this.#value.set(this.#octets.subarray(0, octets - first), to + first);
    this.#octets.fill(0, at, at + first);
    this.#octets.fill(0, 0, octets - first);
  }

  /** Puts a value in; false when the ring has no room now. @throws {RangeError} on a value that never fits. */
  put(value: unknown): boolean {
    const writer = new ValueWriter(this.#value);
    try {
      writer.at = LENGTH_OCTETS;
      writer.write(value);
      this.#length.setUint32(0, writer.at - LENGTH_OCTETS);
      const fits = this.pending + writer.at <= MAILBOX_OCTETS;
      if (fits) {
        const at = Atomics.load(this.#positions, WRITTEN);
        this.#copyIn(at, writer.at);
        Atomics.store(this.#positions, WRITTEN, (at + writer.at) >>> 0);
      }
      return fits;
    } finally {
      this.#value.fill(0, 0, writer.at);
    }
  }

  /** The oldest value, or undefined when there is none. Arrays of octets in it are the caller's to erase. */
  take(): unknown {
    if (this.pending === 0) return undefined;
    const at = Atomics.load(this.#positions, READ);
    this.#moveOut(at, LENGTH_OCTETS, 0);
    const octets = this.#length.getUint32(0);
    this.#moveOut((at + LENGTH_OCTETS) >>> 0, octets, LENGTH_OCTETS);
    Atomics.store(this.#positions, READ, (at + LENGTH_OCTETS + octets) >>> 0);
    const reader = new ValueReader(this.#value, this.#addresses, this.#texts);
    reader.at = LENGTH_OCTETS;
    const value = reader.read();
    this.#value.fill(0, 0, LENGTH_OCTETS + octets);
    return value;
  }
}
