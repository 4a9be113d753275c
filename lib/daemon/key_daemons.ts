/** The key management daemons of this host: which run, and what isakmpd says of itself. @module */
import { basename, join } from "node:path";
import { runDirectory } from "./paths.ts";

export type DaemonName = "isakmpd" | "photurisd";

/** A running daemon. */
export interface KeyDaemon {
  readonly name: DaemonName;
  readonly process: number;
}

/** What isakmpd's report says, a list of lines each. */
export interface IkeReport {
  readonly connections: readonly string[];
  readonly exchanges: readonly string[];
  readonly peers: readonly string[];
  /** Established phase 1 SAs and pairs of phase 2 SAs. */
  readonly phase1: number;
  readonly phase2: number;
}

const ISAKMPD_PID = "/var/run/isakmpd.pid";
const ISAKMPD_REPORT = "/var/run/isakmpd.report";
const REPORT_MS = 1500;
const POLL_MS = 20;

function textOf(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}

/**
 * The subcommand of ours that a process runs: the word after the program, or the link's name by which it was started,
 * which the packed program hands on in its environment.
 */
export function commandOf(process: number): string | undefined {
  const words = textOf(`/proc/${process}/cmdline`)?.split("\0").filter(Boolean) ?? [];
  const program = words.findIndex((word) => /(^|\/)(main\.[jt]s|ipsecbox[^/]*)$/.test(word));
  const link = textOf(`/proc/${process}/environ`)?.split("\0").find((row) => row.startsWith("IPSECBOX_ARGV0="));
  const called = link && basename(link.slice(link.indexOf("=") + 1));
  if (called && program >= 0 && !called.startsWith("ipsecbox")) return called;
  return program < 0 ? undefined : words[program + 1];
}

const sameNamespace = (process: number) => {
  try {
    return Deno.readLinkSync(`/proc/${process}/ns/net`) === Deno.readLinkSync("/proc/self/ns/net");
  } catch {
    return false;
  }
};

/** The daemon of this network namespace whose process id stands in its file, if it runs. */
export function findDaemon(name: DaemonName): KeyDaemon | undefined {
  const path = name === "isakmpd" ? ISAKMPD_PID : join(runDirectory(), "photurisd.pid");
  const process = Number(textOf(path)?.trim());
  if (!Number.isInteger(process) || process <= 1) return undefined;
  return commandOf(process) === name && sameNamespace(process) ? { name, process } : undefined;
}

/** The sections of a report, by title. */
export function parseReport(text: string): Record<string, string[]> {
  const sections: Record<string, string[]> = {};
  let current: string[] = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("* ")) sections[line.slice(2)] = current = [];
    else if (line !== "" && line !== "none") current.push(line);
  }
  return sections;
}

const changedAt = (path: string) => {
  try {
    const { ino, mtime } = Deno.statSync(path);
    return `${ino} ${mtime?.getTime()}`;
  } catch {
    return "";
  }
};

/** Asks a running isakmpd for its report (SIGUSR1); undefined when it does not write one where it usually does. */
export async function askIsakmpd({ process }: KeyDaemon): Promise<IkeReport | undefined> {
  const before = changedAt(ISAKMPD_REPORT);
  try {
    Deno.kill(process, "SIGUSR1");
  } catch {
    return undefined;
  }
  for (let waitedMs = 0; waitedMs < REPORT_MS; waitedMs += POLL_MS) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    const now = changedAt(ISAKMPD_REPORT);
    if (now === "" || now === before) continue;
    const sections = parseReport(textOf(ISAKMPD_REPORT) ?? "");
    const sas = sections.SAs ?? [];
    return {
      connections: sections.Connections ?? [],
      exchanges: sections.Exchanges ?? [],
      peers: sections.Peers ?? [],
      phase1: sas.filter((line) => /^SA name: .* \(Phase 1\//.test(line)).length,
      phase2: sas.filter((line) => /^SA name: .* \(Phase 2\)/.test(line)).length,
    };
  }
  return undefined;
}
