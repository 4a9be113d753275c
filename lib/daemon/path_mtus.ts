/** What is known of the paths to the peers (RFC 1191, RFC 8201). @module */
import { type Address, formatAddress } from "../ip/address.ts";

/** News of routers are believed so long (RFC 1191 6.3), the kernel's word is asked for again after a moment. */
const HEARD_MS = 600_000;
const ASKED_MS = 5_000;

interface Known {
  readonly mtu: number;
  readonly until: number;
}

/** MTUs by peer. */
export class PathMtus {
  readonly #asked = new Map<string, Known>();
  readonly #heard = new Map<string, Known>();
  /** What {@linkcode of} answered last. */
  readonly #answered = new Map<string, number>();
  readonly #ask: (destination: Address) => number | undefined;
  readonly #now: () => number;

  /**
   * @param ask what the kernel says; undefined or an exception when it has no route
   * @param now milliseconds
   */
  constructor(ask: (destination: Address) => number | undefined, now: () => number) {
    this.#ask = ask;
    this.#now = now;
  }

  /** The largest packet that gets to `destination`; 0: unknown. */
  of(destination: Address): number {
    const key = formatAddress(destination);
    const mtu = this.#find(destination, key);
    this.#answered.set(key, mtu);
    return mtu;
  }

  #find(destination: Address, key: string): number {
    const now = this.#now();
    for (const table of [this.#heard, this.#asked]) {
      const known = table.get(key);
      if (known && known.until > now) return known.mtu;
      table.delete(key);
    }
    let mtu = 0;
    try {
      mtu = this.#ask(destination) ?? 0;
    } catch {
      // No route to the peer now: the usual MTU serves until there is one.
    }
    this.#asked.set(key, { mtu, until: now + ASKED_MS });
    return mtu;
  }

  /**
   * A router said that `mtu` is the most: it may only lower what is known. Answers whether {@linkcode of} has another
   * answer now, be it that the kernel had heard it first.
   */
  heard(destination: Address, mtu: number): boolean {
    const key = formatAddress(destination);
    const before = this.#answered.get(key) ?? 0;
    if (mtu < (this.of(destination) || Infinity)) {
      this.#heard.set(key, { mtu, until: this.#now() + HEARD_MS });
    }
    return this.of(destination) !== before;
  }

  /** Forgets all peers but these. */
  keepOnly(destinations: Iterable<Address>): void {
    const keys = new Set(Array.from(destinations, formatAddress));
    for (const table of [this.#asked, this.#heard, this.#answered]) {
      for (const key of table.keys()) if (!keys.has(key)) table.delete(key);
    }
  }

  /** Addresses, routes or links have changed. */
  askAgain(): void {
    this.#asked.clear();
  }
}
