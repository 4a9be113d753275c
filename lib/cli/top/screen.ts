/** What `ipsecbox top` shows, from snapshots and keys; knows no terminal. @module */
import { formatSpi } from "../../daemon/engine_views.ts";
import type { SaStatus, Snapshot } from "../../daemon/snapshot.ts";
import { dropLines, formatLeft } from "../status/screen.ts";
import { type Column, formatAmount, formatDuration, formatOctets, formatTable } from "../status/text.ts";
import { type Rate, Rates, sparkline } from "./history.ts";

/** One line of the screen; the terminal shows some lines otherwise. */
export interface ScreenLine {
  readonly text: string;
  readonly style?: "title" | "chosen" | "faint";
}

export type Key = "quit" | "up" | "down" | "first" | "last" | "sort" | "sortBack" | "reverse" | "pause" | "other";

/** An SA and how fast it is. */
interface Row {
  readonly sa: SaStatus;
  readonly bytes: Rate;
  readonly packets: Rate;
  readonly drops: Rate;
}

interface Sorting {
  readonly title: string;
  /** The larger comes first. */
  value(row: Row): number | string;
}

const SORTINGS: readonly Sorting[] = [
  { title: "rate", value: ({ bytes }) => bytes.perSecond },
  { title: "bytes", value: ({ sa }) => sa.bytes },
  { title: "drops", value: ({ sa }) => sa.drops },
  { title: "age", value: ({ sa }) => sa.ageSeconds },
  { title: "left", value: ({ sa }) => -(sa.left.seconds ?? Infinity) },
  { title: "peer", value: ({ sa }) => sa.peer },
];

const SPARK_WIDTH = 12;
const HELP_LINE = "q quit   up/down choose   s sort   r reverse   space pause";
/** Lines around the table: four above with a blank one, titles, a blank one and help below. */
const FIXED_LINES = 8;
const DETAIL_LINES = 4;

const COLUMNS: readonly Column<Row>[] = [
  { title: "SA", text: ({ sa }) => `${sa.protocol} ${formatSpi(sa.spi)}` },
  { title: "", text: ({ sa }) => sa.direction },
  { title: "peer", text: ({ sa }) => sa.peer },
  { title: "rate", right: true, text: ({ bytes }) => formatBitRate(bytes.perSecond) },
  { title: "packets/s", right: true, text: ({ packets }) => formatAmount(packets.perSecond) },
  { title: "", text: ({ bytes }) => sparkline(bytes.history, SPARK_WIDTH) },
  { title: "bytes", right: true, text: ({ sa }) => formatOctets(sa.bytes) },
  { title: "drops", right: true, text: ({ sa }) => formatAmount(sa.drops) },
  { title: "left", right: true, text: ({ sa }) => formatLeft(sa) },
  { title: "algorithms", text: ({ sa }) => sa.algorithms },
];

/** `12.3 Mb/s` of octets a second. */
export function formatBitRate(octetsPerSecond: number): string {
  const text = formatAmount(8 * octetsPerSecond);
  return text.includes(" ") ? `${text}b/s` : `${text} b/s`;
}

const nameOf = ({ protocol, spi, destination }: SaStatus) => `${protocol} ${spi} ${destination}`;

/** The state of one `top`. */
export class TopScreen {
  readonly #rates = new Rates();
  #snapshot: Snapshot | undefined;
  #problem: string | undefined = "waiting for the engine";
  #chosen: string | undefined;
  #sorting = 0;
  #reverse = false;
  #paused = false;
  #offset = 0;

  constructor(public interfaceName = "") {}

  get isPaused(): boolean {
    return this.#paused;
  }

  /** Takes a new snapshot. */
  update(snapshot: Snapshot): void {
    const counters = new Map<string, number>();
    for (const protocol of ["esp", "ah", "ipip"]) {
      for (const [name, count] of Object.entries(snapshot.statistics[protocol] ?? {})) {
        const total = /^(in|out)put/.test(name) ? name : "drops";
        counters.set(total, (counters.get(total) ?? 0) + (name === "none" ? 0 : count));
      }
    }
    counters.set("cleartext", snapshot.statistics.policy?.cleartext ?? 0);
    for (const sa of snapshot.sas) {
      for (const what of ["bytes", "packets", "drops"] as const) counters.set(`${what} ${nameOf(sa)}`, sa[what]);
    }
    this.#rates.read(snapshot.time, counters);
    this.#snapshot = snapshot;
    this.#problem = undefined;
  }

  /** The engine does not answer; what was known stays on the screen. */
  fail(problem: string): void {
    this.#problem = problem;
  }

  /** Does what a key means; answers whether to go on. */
  press(key: Key): boolean {
    const rows = this.#rows();
    const at = Math.max(0, rows.findIndex(({ sa }) => nameOf(sa) === this.#chosen));
    const choose = (index: number) => {
      const row = rows[Math.min(rows.length - 1, Math.max(0, index))];
      this.#chosen = row && nameOf(row.sa);
    };
    switch (key) {
      case "quit":
        return false;
      case "up":
        choose(this.#chosen === undefined ? rows.length - 1 : at - 1);
        break;
      case "down":
        choose(this.#chosen === undefined ? 0 : at + 1);
        break;
      case "first":
        choose(0);
        break;
      case "last":
        choose(rows.length - 1);
        break;
      case "sort":
        this.#sorting = (this.#sorting + 1) % SORTINGS.length;
        break;
      case "sortBack":
        this.#sorting = (this.#sorting + SORTINGS.length - 1) % SORTINGS.length;
        break;
      case "reverse":
        this.#reverse = !this.#reverse;
        break;
      case "pause":
        this.#paused = !this.#paused;
        break;
      case "other":
        break;
    }
    return true;
  }

  #rows(): Row[] {
    const { value } = SORTINGS[this.#sorting];
    const rows = (this.#snapshot?.sas ?? []).map((sa): Row => ({
      sa,
      bytes: this.#rates.of(`bytes ${nameOf(sa)}`),
      packets: this.#rates.of(`packets ${nameOf(sa)}`),
      drops: this.#rates.of(`drops ${nameOf(sa)}`),
    }));
    const order = (a: Row, b: Row) => {
      const [x, y] = [value(a), value(b)];
      if (typeof x === "string" || typeof y === "string") return String(x) < String(y) ? -1 : x === y ? 0 : 1;
      return y - x;
    };
    rows.sort((a, b) => (this.#reverse ? -1 : 1) * order(a, b));
    return rows;
  }

  #wayLine(word: string, prefix: string, width: number): string {
    const octets = this.#rates.of(`${prefix}Octets`);
    const packets = this.#rates.of(`${prefix}Packets`);
    const start = `${word.padEnd(4)}${formatBitRate(octets.perSecond).padStart(11)}` +
      `${formatAmount(packets.perSecond).padStart(9)} packets/s  `;
    return start + sparkline(octets.history, Math.min(60, Math.max(0, width - start.length)));
  }

  #dropLine(snapshot: Snapshot): string {
    const drops = this.#rates.of("drops");
    const { cleartext = 0 } = snapshot.statistics.policy ?? {};
    const reasons = dropLines(snapshot).join("; ") || "none";
    return `drops ${formatAmount(drops.perSecond)}/s; cleartext dropped by policy ${cleartext}; in all: ${reasons}`;
  }

  #details({ sa, drops }: Row): string[] {
    const lasted = sa.lastUsed ? `last used ${formatDuration(this.#snapshot!.time - sa.lastUsed)} ago` : "never used";
    return [
      `${sa.protocol} ${formatSpi(sa.spi)} from ${sa.source} to ${sa.destination}, ${sa.state}, ` +
      `${sa.tunnel ? "tunnel" : "transport"}, ${sa.algorithms}`,
      `age ${formatDuration(sa.ageSeconds)}, left ${formatLeft(sa)}, ${lasted}, ${sa.packets} packets, ` +
      `sequence ${sa.sequence}, ${sa.drops} dropped (${formatAmount(drops.perSecond)}/s)`,
    ];
  }

  /** The screen: at most `height` lines of at most `width` characters. */
  render(width: number, height: number): ScreenLine[] {
    const lines = this.#lines(width, height).slice(0, Math.max(0, height));
    return lines.map(({ text, ...rest }) => ({ ...rest, text: text.slice(0, Math.max(0, width)) }));
  }

  #lines(width: number, height: number): ScreenLine[] {
    const snapshot = this.#snapshot;
    if (!snapshot) {
      return [{ text: `ipsecbox top: ${this.#problem}` }, { text: "" }, { text: "q quit", style: "faint" }];
    }
    const { engine, sas, flows } = snapshot;
    const state = this.#problem ?? (this.#paused ? "paused" : `up ${formatDuration(engine.upSeconds)}`);
    const rows = this.#rows();
    const chosen = rows.findIndex(({ sa }) => nameOf(sa) === this.#chosen);
    const details = chosen >= 0 && height > FIXED_LINES + DETAIL_LINES ? ["", ...this.#details(rows[chosen])] : [];
    const room = Math.max(1, height - FIXED_LINES - details.length);
    this.#offset = Math.min(this.#offset, Math.max(0, rows.length - room));
    if (chosen >= 0) this.#offset = Math.min(chosen, Math.max(this.#offset, chosen - room + 1));
    const [titles, ...table] = formatTable(COLUMNS, rows);
    const arrow = this.#reverse ? ", reversed" : "";
    return [
      {
        text: `ipsecbox top  ${this.interfaceName}  ${state}  ${sas.length} SAs  ${flows.length} flows  ` +
          `${engine.crypto}  sorted by ${SORTINGS[this.#sorting].title}${arrow}`,
      },
      { text: this.#wayLine("in", "input", width) },
      { text: this.#wayLine("out", "output", width) },
      { text: this.#dropLine(snapshot) },
      { text: "" },
      { text: titles.padEnd(width), style: "title" },
      ...table.slice(this.#offset, this.#offset + room).map((text, i): ScreenLine =>
        this.#offset + i === chosen ? { text: text.padEnd(width), style: "chosen" } : { text }
      ),
      ...details.map((text) => ({ text })),
      { text: "" },
      { text: HELP_LINE, style: "faint" },
    ];
  }
}
