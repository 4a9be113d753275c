/** Cookies, RFC 2522 3: the responder's are computed, never remembered. @module */
import { hash } from "../crypto/hash.ts";
import { type Bytes, concat, equalConstantTime, erase } from "../octets/bytes.ts";
import type { Address } from "../ip/address.ts";
import { COOKIE_OCTETS } from "./messages.ts";

/** Where a datagram came from or goes to. */
export interface Endpoint {
  readonly address: Address;
  readonly port: number;
}

/** RFC 2522 3.3: about once a minute. A cookie is good while its secret is this or the one before. */
const SECRET_MS = 60_000;

const SECRET_OCTETS = 32;

/** Whether a cookie is the "none" of a request. */
export const isZero = (cookie: Uint8Array): boolean => cookie.every((octet) => octet === 0);

/** A random cookie that is not zero. */
export function randomCookie(random: (octets: number) => Bytes): Bytes {
  for (;;) {
    const cookie = random(COOKIE_OCTETS);
    if (!isZero(cookie)) return cookie;
  }
}

/** What a responder's cookie binds: both ends, our own port only, and what the request and our answer said. */
export interface CookieBinding {
  readonly peer: Address;
  readonly local: Address;
  readonly localPort: number;
  readonly counter: number;
  readonly initiatorCookie: Uint8Array;
  readonly offeredSchemes: Bytes;
}

/** Makes and recognises responder cookies with two secrets: the current and the previous one. */
export class ResponderCookies {
  #current: Bytes;
  #previous: Bytes;
  #changeAt: number;
  readonly #random: (octets: number) => Bytes;

  constructor(now: number, random: (octets: number) => Bytes) {
    this.#random = random;
    this.#current = random(SECRET_OCTETS);
    this.#previous = random(SECRET_OCTETS);
    this.#changeAt = now + SECRET_MS;
  }

  #rotate(now: number): void {
    if (now < this.#changeAt) return;
    // After a pause of two periods even the current secret is too old to be honoured.
    const skipped = now >= this.#changeAt + SECRET_MS;
    erase(this.#previous);
    this.#previous = skipped ? this.#random(SECRET_OCTETS) : this.#current;
    if (skipped) erase(this.#current);
    this.#current = this.#random(SECRET_OCTETS);
    this.#changeAt = now + SECRET_MS;
  }

  #cookie(secret: Bytes, binding: CookieBinding): Bytes {
    const { peer, local, localPort, counter, initiatorCookie, offeredSchemes } = binding;
    const numbers = new Uint8Array([localPort >> 8, localPort & 255, counter]);
    const digest = hash("sha256", secret, peer.octets, local.octets, numbers, initiatorCookie, offeredSchemes);
    const cookie = digest.slice(0, COOKIE_OCTETS);
    if (isZero(cookie)) cookie[0] = 1;
    return cookie;
  }

  /** The cookie to answer a request with. */
  make(now: number, binding: CookieBinding): Bytes {
    this.#rotate(now);
    return this.#cookie(this.#current, binding);
  }

  /** Whether `cookie` is one that {@linkcode make} answered for the same binding within the last one to two minutes. */
  recognise(now: number, binding: CookieBinding, cookie: Uint8Array): boolean {
    this.#rotate(now);
    const current = equalConstantTime(this.#cookie(this.#current, binding), cookie);
    const previous = equalConstantTime(this.#cookie(this.#previous, binding), cookie);
    return current || previous;
  }
}

/**
 * The Counter of a Cookie_Response, 3.2: one more than that of the most recent exchange with the peer (else of the
 * request), never zero, and none that a young exchange with the peer uses.
 *
 * @returns undefined when all 255 are in use
 */
export function nextCounter(latest: number, used: ReadonlySet<number>): number | undefined {
  for (let step = 1; step <= 255; step++) {
    const counter = (latest + step - 1) % 255 + 1;
    if (!used.has(counter)) return counter;
  }
  return undefined;
}

const BUCKETS = 4096;
/** Cookie_Requests answered a second for all sources of one bucket; a person needs one. */
const ANSWERS_A_SECOND = 8;

/**
 * Limits answers to Cookie_Requests with a fixed amount of memory: sources are spread over buckets by a keyed hash that
 * an attacker cannot predict, so a flood from random sources leaves room in every bucket, and a flood that names one
 * victim cannot make us its amplifier.
 */
export class AnswerLimit {
  readonly #counts = new Uint8Array(BUCKETS);
  readonly #key: number;
  #second = -1;

  constructor(random: (octets: number) => Bytes) {
    this.#key = new DataView(random(4).buffer).getUint32(0);
  }

  /** Whether a request from `source` is to be answered at `now` (milliseconds). */
  allows(now: number, source: Address): boolean {
    const second = Math.floor(now / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#counts.fill(0);
    }
    let bucket = this.#key;
    for (const octet of source.octets) {
      bucket = Math.imul(bucket ^ octet, 0x01000193);
      bucket ^= bucket >>> 15;
    }
    bucket = (Math.imul(bucket, 0x85ebca6b) >>> 16) % BUCKETS;
    if (this.#counts[bucket] >= ANSWERS_A_SECOND) return false;
    this.#counts[bucket]++;
    return true;
  }
}

/** A key for maps: octets of an address as text. */
export const addressKey = (address: Address): string => String.fromCharCode(...address.octets);

/** A key for maps from both cookies. */
export const cookieKey = (initiatorCookie: Uint8Array, responderCookie: Uint8Array): string =>
  String.fromCharCode(...concat(initiatorCookie, responderCookie));
