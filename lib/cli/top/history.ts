/** Rates from counters that are read now and then. @module */

/** Rates that are kept of each counter. */
const KEPT = 120;

/** What a counter has done between two readings. */
export interface Rate {
  readonly perSecond: number;
  /** The newest last. */
  readonly history: readonly number[];
}

interface Track {
  value: number;
  time: number;
  seen: number;
  readonly history: number[];
}

const NOTHING: Rate = { perSecond: 0, history: [] };

/** Rates of many counters by name. A counter that is not read any more is forgotten. */
export class Rates {
  readonly #tracks = new Map<string, Track>();
  #round = 0;

  /** Takes one reading of all counters. @param time seconds */
  read(time: number, counters: ReadonlyMap<string, number>): void {
    this.#round++;
    for (const [name, value] of counters) {
      const track = this.#tracks.get(name);
      if (!track) {
        this.#tracks.set(name, { value, time, seen: this.#round, history: [] });
        continue;
      }
      const seconds = time - track.time;
      track.seen = this.#round;
      if (seconds <= 0) continue;
      // A counter that is lower than before has started again.
      track.history.push(Math.max(0, value - (value < track.value ? 0 : track.value)) / seconds);
      if (track.history.length > KEPT) track.history.shift();
      track.value = value;
      track.time = time;
    }
    for (const [name, { seen }] of this.#tracks) if (seen !== this.#round) this.#tracks.delete(name);
  }

  of(name: string): Rate {
    const history = this.#tracks.get(name)?.history;
    return history?.length ? { perSecond: history.at(-1)!, history } : NOTHING;
  }
}

const BARS = "▁▂▃▄▅▆▇█";

/** The last `width` values as bars, the newest at the right; nothing is blank, something at least the lowest bar. */
export function sparkline(values: readonly number[], width: number): string {
  const shown = values.slice(-width);
  const most = Math.max(...shown, 0);
  const bar = (value: number) =>
    value <= 0 || most <= 0 ? " " : BARS[Math.min(BARS.length - 1, Math.floor(value / most * BARS.length))];
  return shown.map(bar).join("").padStart(width);
}
