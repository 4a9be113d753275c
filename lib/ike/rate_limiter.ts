/** Bounds what strangers can make us say: so many events a second from one source, so many from all. @module */

/** Token buckets for sources, at most `mostSources` of them (the oldest goes), under one for all. */
export class RateLimiter {
  readonly #perSource: number;
  readonly #overall: number;
  readonly #mostSources: number;
  readonly #sources = new Map<string, { tokens: number; at: number }>();
  readonly #all: { tokens: number; at: number };

  constructor(perSourceAndSecond: number, overallPerSecond: number, mostSources = 4096) {
    this.#perSource = perSourceAndSecond;
    this.#overall = overallPerSecond;
    this.#mostSources = mostSources;
    this.#all = { tokens: overallPerSecond, at: 0 };
  }

  /** Whether one more event of `source` is within bounds at `now` (milliseconds). */
  allows(now: number, source: string): boolean {
    let bucket = this.#sources.get(source);
    if (!bucket) {
      if (this.#sources.size >= this.#mostSources) this.#sources.delete(this.#sources.keys().next().value!);
      this.#sources.set(source, bucket = { tokens: this.#perSource, at: now });
    }
    fill(bucket, this.#perSource, now);
    fill(this.#all, this.#overall, now);
    if (bucket.tokens < 1 || this.#all.tokens < 1) return false;
    bucket.tokens--;
    this.#all.tokens--;
    return true;
  }
}

function fill(bucket: { tokens: number; at: number }, perSecond: number, now: number) {
  bucket.tokens = Math.min(perSecond, bucket.tokens + (now - bucket.at) / 1000 * perSecond);
  bucket.at = now;
}
