/** Every subcommand, in the order in which help lists them. @module */
import { basename } from "node:path";
import { tellStandardError } from "../daemon/standard_error.ts";
import { didYouMean } from "../octets/nearest.ts";
import { CommandError, type CommandRow } from "./command.ts";

export const COMMANDS: readonly CommandRow[] = [
  {
    name: "enc",
    summary: "run the IPsec engine: SAs, flows, ESP and AH, interface enc0",
    load: () => import("./enc.ts"),
  },
  {
    name: "ipsecadm",
    summary: "manage SAs and flows by hand",
    load: () => import("./ipsecadm.ts"),
  },
  {
    name: "vpn",
    summary: "set up manual keying between networks from a few variables",
    load: () => import("./vpn.ts"),
  },
  {
    name: "rc.vpn",
    summary: "the same as vpn, under its OpenBSD name",
    load: () => import("./vpn.ts"),
  },
  {
    name: "genkey",
    summary: "make a key from the system's random source",
    load: () => import("./genkey.ts"),
  },
  {
    name: "sysctl",
    summary: "show and set net.inet.esp.enable, net.inet.ah.enable, forwarding and more",
    load: () => import("./sysctl.ts"),
  },
  {
    name: "netstat",
    summary: "show flows (-rn -f encap) and counters (-s)",
    load: () => import("./netstat.ts"),
  },
  {
    name: "kern-ipsec",
    summary: "show SAs as /kern/ipsec did",
    load: () => import("./kern_ipsec.ts"),
  },
  {
    name: "dump",
    summary: "show packets of ESP, AH, IKE and Photuris, live or from a pcap file",
    load: () => import("./dump.ts"),
  },
  {
    name: "status",
    summary: "show engine, SAs, flows, drops and daemons on one screen",
    load: () => import("./status.ts"),
  },
  {
    name: "top",
    summary: "show the same live, with rates",
    load: () => import("./top.ts"),
  },
  {
    name: "doctor",
    summary: "find what stops tunnels, and say what to change",
    load: () => import("./doctor.ts"),
  },
  {
    name: "bench",
    summary: "measure what this machine can do: each cipher, and tunnels beside none",
    load: () => import("./bench.ts"),
  },
  {
    name: "install",
    summary: "put program, links, units, manual pages and completions in place",
    load: () => import("./install.ts"),
  },
  {
    name: "uninstall",
    summary: "take away what install has put in place",
    load: () => import("./uninstall.ts"),
  },
  {
    name: "isakmpd",
    summary: "negotiate keys with IKE (RFC 2409)",
    load: () => import("./isakmpd.ts"),
  },
  {
    name: "check",
    summary: "look for faults in an isakmpd.conf, or whether two of them agree",
    load: () => import("./check.ts"),
  },
  {
    name: "photurisd",
    summary: "negotiate keys with Photuris (RFC 2522)",
    load: () => import("./photurisd.ts"),
  },
  {
    name: "startkey",
    summary: "ask photurisd for keys with a host",
    load: () => import("./startkey.ts"),
  },
  {
    name: "keynote",
    summary: "make keys, sign and verify KeyNote credentials, ask and explain policies",
    load: () => import("./keynote.ts"),
  },
  {
    name: "policy",
    summary: "ask isakmpd.policy without a negotiation",
    load: () => import("./policy.ts"),
  },
  {
    name: "certpatch",
    summary: "put a subjectAltName into a certificate",
    load: () => import("./certpatch.ts"),
  },
  {
    name: "pki",
    summary: "make an authority, certificates and CRLs; show them for a policy",
    load: () => import("./pki.ts"),
  },
  {
    name: "completion",
    summary: "print a completion script for bash, zsh or fish",
    load: () => import("./completion.ts"),
  },
  {
    name: "man",
    summary: "print a manual page",
    load: () => import("./man.ts"),
  },
];

const VERSION = "0.1.0";

/** Answers the command table's text. */
export function overview(): string {
  const width = Math.max(...COMMANDS.map((row) => row.name.length));
  const rows = COMMANDS.map((row) => `  ${row.name.padEnd(width)}  ${row.summary}`);
  return `ipsecbox ${VERSION}: IPsec in one file

usage: ipsecbox COMMAND [ARGUMENT ...]
       COMMAND [ARGUMENT ...]          when called by a link of that name (ipsecbox install --links DIR)

${rows.join("\n")}

"ipsecbox help COMMAND" explains one.
`;
}

const encoder = new TextEncoder();

const LONG_WORDS = /(\S{200})\S+/g;

/** Messages repeat words of files and arguments, which must not steer the terminal. */
// deno-lint-ignore no-control-regex
const harmless = (text: string) => text.replaceAll(/[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, "?");

/**
 * Writes all of `text`, also to a pipe that takes it in pieces. What standard error does not take is lost.
 *
 * @throws {CommandError} when standard output takes no more: without a word where its reader has had enough (`head`)
 */
export function print(text: string, to: { writeSync(octets: Uint8Array): number } = Deno.stdout): void {
  if (to === Deno.stderr) return tellStandardError(harmless(text));
  let octets = encoder.encode(text);
  try {
    while (octets.length) octets = octets.subarray(to.writeSync(octets));
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) throw new CommandError("");
    throw new CommandError(`cannot write to standard output: ${(error as Error).message}`);
  }
}

function nearest(word: string): string {
  const close = word && COMMANDS.find(({ name }) => name.startsWith(word) || word.startsWith(name));
  return close ? `; did you mean "${close.name}"?` : didYouMean(word, COMMANDS.map(({ name }) => name));
}

/**
 * Runs the command that `invokedAs` (the program's own name, if it is a command's) or the first argument names.
 *
 * @returns the exit status: 0, 1 for a failure, 2 for a command that does not exist
 */
export async function runCommand(invokedAs: string, args: string[]): Promise<number> {
  const called = basename(invokedAs);
  const byLink = COMMANDS.find((row) => row.name === called);
  const [first, ...rest] = byLink ? [byLink.name, ...args] : args;
  const row = byLink ?? COMMANDS.find((row) => row.name === first);
  try {
    if (row) return await (await row.load()).run(rest);
    return await runOverview(first, rest);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (error.message) {
      print(`${row?.name ?? "ipsecbox"}: ${error.message.replaceAll(LONG_WORDS, "$1...")}\n`, Deno.stderr);
    }
    return error.status;
  }
}

/** What is no command: `help`, `version`, nothing, or a mistake. */
async function runOverview(first: string | undefined, rest: string[]): Promise<number> {
  if (first === "version" || first === "--version") {
    print(`ipsecbox ${VERSION}\n`);
    return 0;
  }
  if (first === undefined) {
    print(overview(), Deno.stderr);
    return 2;
  }
  if (!["help", "--help", "-h"].includes(first)) {
    throw new CommandError(`no command "${first}"${nearest(first)} ("ipsecbox help" lists them)`, 2);
  }
  const row = COMMANDS.find((row) => row.name === rest[0]);
  if (!row && rest[0] !== undefined) throw new CommandError(`no command "${rest[0]}"${nearest(rest[0])}`, 2);
  const module = row && await row.load();
  if (module && rest.length > 1) return await module.run(["help", ...rest.slice(1)]);
  print(module ? module.HELP : overview());
  return 0;
}
