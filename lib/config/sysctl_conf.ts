/** sysctl.conf: `NAME=VALUE` lines; what `#` starts is no part of it. @module */
import type { Fault, Place } from "./ini.ts";

/** One line that sets something. */
export interface Setting extends Place {
  readonly name: string;
  readonly value: string;
}

const LINE = /^([A-Za-z0-9_.-]+)\s*=\s*(\S+)$/;

/** The settings in the order of the file, and lines that are none. Which names and values exist is not known here. */
export function parseSysctlConf(text: string, file: string): { settings: Setting[]; faults: Fault[] } {
  const settings: Setting[] = [];
  const faults: Fault[] = [];
  text.split("\n").forEach((raw, i) => {
    const line = i + 1;
    const content = raw.replace(/#.*$/, "").trim();
    if (content === "") return;
    const match = LINE.exec(content);
    if (match) settings.push({ file, line, name: match[1], value: match[2] });
    else faults.push({ file, line, severity: "error", message: "a line NAME=VALUE is needed" });
  });
  return { settings, faults };
}

/** The text with `name` set to `value`: its line changed where it has one (a commented-out one too), else a new line. */
export function changeSysctlConf(text: string, name: string, value: string): string {
  const isOf = (line: string, pattern: RegExp) => pattern.exec(line)?.[1] === name;
  const lines = text === "" ? [] : text.replace(/\n$/, "").split("\n");
  const active = lines.findLastIndex((line) => isOf(line, /^\s*([A-Za-z0-9_.-]+)\s*=/));
  const at = active >= 0 ? active : lines.findIndex((line) => isOf(line, /^\s*#\s*([A-Za-z0-9_.-]+)\s*=/));
  if (at < 0) lines.push(`${name}=${value}`);
  else {
    const comment = /\s+#.*$/.exec(lines[at].replace(/^\s*#\s*/, ""))?.[0] ?? "";
    lines[at] = `${name}=${value}${comment}`;
  }
  return lines.join("\n") + "\n";
}
