/** What the files of /etc/photuris have in common: lines, comments, faults with their place. @module */
import { type Fault, formatFault } from "./ini.ts";

/** A line that says something: trimmed, no comment. */
export interface Line {
  /** From 1. */
  readonly number: number;
  readonly text: string;
}

/** The lines of a file; blank ones are kept (text "") where they mean something, comments never. */
export function linesOf(text: string): Line[] {
  return text.split(/\r?\n/).map((line, at) => ({ number: at + 1, text: line.trim() }))
    .filter((line) => !line.text.startsWith("#"));
}

/** Faults of one file, in the order found. */
export class Faults {
  readonly list: Fault[] = [];
  constructor(readonly file: string) {}

  error(line: number, message: string): undefined {
    this.list.push({ severity: "error", file: this.file, line, message });
  }

  warning(line: number, message: string): undefined {
    this.list.push({ severity: "warning", file: this.file, line, message });
  }
}

/** A whole number from `least` to `most` in decimal. */
export function wholeNumber(text: string, least: number, most: number): number | undefined {
  if (!/^\d{1,10}$/.test(text)) return undefined;
  const number = Number(text);
  return number >= least && number <= most ? number : undefined;
}

export { type Fault, formatFault };
