/** The command lines of isakmpd's FIFO (isakmpd(8), "UI"), parsed by one table. @module */
import { SECTION_NAME_LIMIT } from "../config/ini.ts";
import type { LogClass } from "../ike/events.ts";
import type { Bytes } from "../octets/bytes.ts";
import { parseHex } from "../octets/hex.ts";
import { LEVEL_LIMIT, logClassOf } from "./log.ts";

/** One command. */
export type FifoCommand =
  | { do: "connect"; name: string }
  | { do: "teardown"; phase: 1 | 2; name: string }
  | { do: "teardown all" }
  | { do: "set"; section: string; tag: string; value: string; override: boolean }
  | { do: "remove tag"; section: string; tag: string }
  | { do: "remove section"; section: string }
  | { do: "add to list" | "remove from list"; section: string; tag: string; value: string }
  | { do: "get"; section: string; tag: string }
  | { do: "delete SA"; cookies: Bytes; messageId?: number }
  | { do: "debug level"; name: LogClass | "all"; level: number }
  | { do: "debug toggle" }
  | { do: "capture"; on: boolean; path?: string }
  | { do: "report" }
  | { do: "reload" }
  | { do: "quit" }
  | { do: "list SAs" }
  | { do: "mode"; active: boolean };

/** A connection's name in 2001; kept, for a longer one is a mistake. */
const NAME_LIMIT = 80;
const REF = `\\[([^\\]\\n]{1,${SECTION_NAME_LIMIT}})\\]`;
const TAG = "([^\\s=]{1,80})";

interface CommandRow {
  readonly pattern: RegExp;
  readonly usage: string;
  read(...parts: (string | undefined)[]): FifoCommand;
}

const row = (
  pattern: string,
  usage: string,
  read: (...parts: string[]) => FifoCommand,
): CommandRow => ({ pattern: new RegExp(`^${pattern}$`), usage, read: read as CommandRow["read"] });

const NAME = `(\\S.{0,${NAME_LIMIT - 1}}?)`;

/** By first character; several forms of one letter are tried in order. */
const COMMANDS: Readonly<Record<string, readonly CommandRow[]>> = {
  c: [row(`c\\s+${NAME}`, "c NAME", (name) => ({ do: "connect", name }))],
  t: [
    row(`t\\s+main\\s+${NAME}`, "t main NAME", (name) => ({ do: "teardown", phase: 1, name })),
    row(`t\\s+(?:quick\\s+)?${NAME}`, "t [quick] NAME", (name) => ({ do: "teardown", phase: 2, name })),
  ],
  T: [row("T", "T", () => ({ do: "teardown all" }))],
  C: [
    row(
      `C\\s+set\\s+${REF}:${TAG}\\s*=\\s*(.*?)(?:\\s+(0|1|force))?`,
      "C set [SECTION]:TAG=VALUE 0|1|force",
      (section, tag, value, override) => ({
        do: "set",
        section,
        tag,
        value,
        override: override !== undefined && override !== "0",
      }),
    ),
    row(`C\\s+rms\\s+${REF}`, "C rms [SECTION]", (section) => ({ do: "remove section", section })),
    row(`C\\s+rmv\\s+${REF}:${TAG}\\s*=\\s*(.+)`, "C rmv [SECTION]:TAG=VALUE", (section, tag, value) => ({
      do: "remove from list",
      section,
      tag,
      value,
    })),
    row(`C\\s+rm\\s+${REF}:${TAG}`, "C rm [SECTION]:TAG", (section, tag) => ({ do: "remove tag", section, tag })),
    row(`C\\s+add\\s+${REF}:${TAG}\\s*=\\s*(.+)`, "C add [SECTION]:TAG=VALUE", (section, tag, value) => ({
      do: "add to list",
      section,
      tag,
      value,
    })),
    row(`C\\s+get\\s+${REF}:${TAG}`, "C get [SECTION]:TAG", (section, tag) => ({ do: "get", section, tag })),
  ],
  d: [
    row("d\\s+([0-9a-fA-F]{32})\\s+([0-9a-fA-F]{8}|-)", "d COOKIES MESSAGE-ID", (cookies, messageId) => ({
      do: "delete SA",
      cookies: parseHex(cookies),
      messageId: messageId === "-" ? undefined : parseInt(messageId, 16),
    })),
  ],
  D: [
    row("D\\s+T", "D T", () => ({ do: "debug toggle" })),
    row("D\\s+(\\S+)\\s+(\\d{1,2})", "D CLASS|A LEVEL", (name, level) => ({
      do: "debug level",
      name: logClassOf(name),
      level: Math.min(Number(level), LEVEL_LIMIT),
    })),
  ],
  p: [
    row("p\\s+on(?:=(\\S+))?", "p on[=PATH]", (path) => ({ do: "capture", on: true, path })),
    row("p\\s+off", "p off", () => ({ do: "capture", on: false })),
  ],
  r: [row("r", "r", () => ({ do: "report" }))],
  R: [row("R", "R", () => ({ do: "reload" }))],
  Q: [row("Q", "Q", () => ({ do: "quit" }))],
  S: [row("S", "S", () => ({ do: "list SAs" }))],
  M: [row("M\\s+(active|passive)", "M active|passive", (mode) => ({ do: "mode", active: mode === "active" }))],
};

/** `C`'s second word may be written in either case. */
const lowerSubcommand = (line: string) =>
  line.replace(/^C\s+\w+/, (words) => `C ${words.slice(1).trim().toLowerCase()}`);

/**
 * Reads one line; undefined for an empty one.
 *
 * @throws {SyntaxError} saying what the command's form is
 */
export function parseFifoCommand(text: string): FifoCommand | undefined {
  const line = lowerSubcommand(text.trim());
  if (line === "") return undefined;
  const rows = Object.hasOwn(COMMANDS, line[0]) ? COMMANDS[line[0]] : undefined;
  if (!rows) {
    throw new SyntaxError(`found command "${line[0]}", allowed ${Object.keys(COMMANDS).join(", ")}`);
  }
  for (const { pattern, read } of rows) {
    const match = pattern.exec(line);
    if (!match) continue;
    try {
      return read(...match.slice(1));
    } catch (error) {
      throw new SyntaxError((error as Error).message);
    }
  }
  throw new SyntaxError(`found "${line.slice(0, 80)}", allowed ${rows.map(({ usage }) => usage).join(" or ")}`);
}
