/** Tables with a bar at the end of each row. @module */
import { type Column, formatTable } from "../status/text.ts";

/** How bars are drawn: in eighths of a cell, in whole cells of ASCII, or not at all. */
export type BarStyle = "blocks" | "ascii" | "none";

const EIGHTHS = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** A bar of `share` (0 to 1) of `cells` cells; anything above nothing shows. */
export function bar(share: number, cells: number, style: BarStyle): string {
  if (style === "none" || !(share > 0)) return "";
  const clamped = Math.min(1, share);
  if (style === "ascii") return "#".repeat(Math.max(1, Math.round(clamped * cells)));
  const eighths = Math.max(1, Math.round(clamped * cells * 8));
  return "█".repeat(eighths >> 3) + EIGHTHS[eighths & 7];
}

/** Rows under titles, each with a bar for its value, the largest of which reaches the right edge. */
export function chart<T>(
  columns: readonly Column<T>[],
  rows: readonly T[],
  valueOf: (row: T) => number,
  { style, width }: { readonly style: BarStyle; readonly width: number },
): string[] {
  const [titles, ...lines] = formatTable(columns, rows);
  if (style === "none") return [titles, ...lines];
  const used = Math.max(titles.length, ...lines.map((line) => line.length)) + 2;
  const cells = Math.max(8, Math.min(60, width - used));
  const most = Math.max(...rows.map(valueOf));
  return [
    titles,
    ...lines.map((line, i) => `${line.padEnd(used)}${bar(valueOf(rows[i]) / most, cells, style)}`.trimEnd()),
  ];
}

/** The style that the output can show: bars on a terminal alone, finer ones where the locale is of UTF-8. */
export function barStyle(isTerminal: boolean, environment: (name: string) => string | undefined): BarStyle {
  if (!isTerminal) return "none";
  const locale = ["LC_ALL", "LC_CTYPE", "LANG"].map(environment).find((value) => value) ?? "";
  return /utf-?8/i.test(locale) ? "blocks" : "ascii";
}
