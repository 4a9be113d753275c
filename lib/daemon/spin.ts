/** Whether a Worker that has run out of packets should look for more before it sleeps. @module */

/** How long it looks. Sleeping and being woken costs about as much. */
export const SPIN_MS = 0.1;

const MOST_CREDIT = 16;
const WON = 4;
/** Without credit one of so many sleeps is preceded by a look all the same, in case the traffic has changed. */
const TRIAL = 32;

/**
 * Looking is paid for: a look that found a packet earns the next few, one that did not costs one. So request and answer
 * are fast, and a steady trickle of single packets, where looking never helps, costs almost nothing.
 */
export class Spin {
  #credit = WON;
  #sleeps = 0;

  /** Asked once before each sleep. */
  get worthwhile(): boolean {
    return this.#credit > 0 || ++this.#sleeps % TRIAL === 0;
  }

  /** What the last look has come to. */
  settle(found: boolean): void {
    this.#credit = found ? Math.min(MOST_CREDIT, this.#credit + WON) : Math.max(0, this.#credit - 1);
  }
}
