/** Which first messages of phase 1 are looked at at all: a flood of them must not keep others waiting. @module */
import { RateLimiter } from "../ike/rate_limiter.ts";
import { type Address, formatAddress } from "../ip/address.ts";

/** Octets of a cookie; the responder's comes second and is zero in a first message (RFC 2408 3.1). */
const COOKIE_OCTETS = 8;
/** First messages in a second: of one address, and of all that the configuration does not name. */
const PER_ADDRESS = 50;
const STRANGERS = 2000;
/** Named peers have a purse of their own, which strangers cannot empty. */
const NAMED = 10_000;

/** Lets first messages in at a bounded rate; everything else always. */
export class Admission {
  readonly #strangers = new RateLimiter(PER_ADDRESS, STRANGERS);
  readonly #named = new RateLimiter(PER_ADDRESS, NAMED);
  #names = new Set<string>();
  /** First messages that were turned away. */
  refused = 0;

  /** Addresses of `[Phase 1]`. */
  name(addresses: readonly Address[]): void {
    this.#names = new Set(addresses.map(formatAddress));
  }

  /** Whether the core is to see this message. */
  admits(now: number, from: Address, octets: Uint8Array): boolean {
    for (let at = COOKIE_OCTETS; at < 2 * COOKIE_OCTETS; at++) if (octets[at]) return true;
    const text = formatAddress(from);
    if ((this.#names.has(text) ? this.#named : this.#strangers).allows(now, text)) return true;
    this.refused++;
    return false;
  }
}
