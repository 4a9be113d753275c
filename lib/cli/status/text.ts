/** Numbers, times and tables for people. @module */

/** `12 s`, `5 m 3 s`, `2 h 13 m`, `9 d 4 h`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const parts: [number, string][] = [
    [Math.floor(whole / 86400), "d"],
    [Math.floor(whole / 3600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "m"],
    [whole % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return "0 s";
  return parts.slice(first, first + 2).filter(([count], i) => i === 0 || count > 0)
    .map(([count, unit]) => `${count} ${unit}`).join(" ");
}

const UNITS = ["", "k", "M", "G", "T", "P"];

/** `999`, `12.3 k`, `4.5 G`; three digits that matter. @param base 1000, or 1024 for memory */
export function formatAmount(amount: number, base = 1000): string {
  let value = amount;
  let unit = 0;
  while (value >= base && unit < UNITS.length - 1) {
    value /= base;
    unit++;
  }
  if (unit === 0) return String(Math.round(value));
  return `${value >= 100 ? value.toFixed(0) : value.toFixed(1)} ${UNITS[unit]}`;
}

/** Octets: `12.3 kB`. */
export function formatOctets(octets: number): string {
  const text = formatAmount(octets);
  return text.includes(" ") ? `${text}B` : `${text} B`;
}

/** A column of a table. */
export interface Column<T> {
  readonly title: string;
  readonly right?: boolean;
  text(row: T): string;
}

/** Rows under titles, columns as wide as they must be. */
export function formatTable<T>(columns: readonly Column<T>[], rows: readonly T[]): string[] {
  const cells = rows.map((row) => columns.map((column) => column.text(row)));
  const widths = columns.map(({ title }, i) => Math.max(title.length, ...cells.map((row) => row[i].length)));
  const line = (texts: readonly string[]) =>
    texts.map((text, i) => columns[i].right ? text.padStart(widths[i]) : text.padEnd(widths[i])).join("  ").trimEnd();
  return [line(columns.map(({ title }) => title)), ...cells.map(line)];
}
