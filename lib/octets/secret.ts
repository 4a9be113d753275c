/** Secrets that cannot be printed. @module */
import { type Bytes, equalConstantTime, erase } from "./bytes.ts";

/** A key or pass-phrase: it has a length, an equality in constant time and an end, and prints as `[secret, N octets]`. */
export class Secret implements Disposable {
  readonly #octets: Bytes;

  constructor(octets: Uint8Array) {
    this.#octets = octets.slice() as Bytes;
  }

  get length(): number {
    return this.#octets.length;
  }

  /** The octets themselves, for a cipher or MAC; the caller keeps no copy. */
  reveal(): Bytes {
    return this.#octets;
  }

  equals(other: Secret): boolean {
    return equalConstantTime(this.#octets, other.#octets);
  }

  [Symbol.dispose](): void {
    erase(this.#octets);
  }

  toString(): string {
    return `[secret, ${this.#octets.length} octets]`;
  }

  toJSON(): string {
    return this.toString();
  }

  [Symbol.for("Deno.customInspect")](): string {
    return this.toString();
  }
}
