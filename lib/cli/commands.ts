/** Every subcommand, in the order in which help lists them. @module */
import { basename } from "node:path";
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

/** Writes all of `text`, also to a pipe that takes it in pieces. */
export function print(text: string, to: { writeSync(octets: Uint8Array): number } = Deno.stdout): void {
  let octets = encoder.encode(text);
  while (octets.length) octets = octets.subarray(to.writeSync(octets));
}

function nearest(word: string): string {
  const close = COMMANDS.filter((row) => row.name.startsWith(word) || word.startsWith(row.name));
  return close.length ? `; did you mean "${close[0].name}"?` : "";
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
  if (first === undefined || first === "help" || first === "--help" || first === "-h") {
    const row = COMMANDS.find((row) => row.name === rest[0]);
    if (!row && rest[0] !== undefined) {
      print(`ipsecbox: no command "${rest[0]}"${nearest(rest[0])}\n`, Deno.stderr);
      return 2;
    }
    const module = row && await row.load();
    if (module && rest.length > 1) return await module.run(["help", ...rest.slice(1)]);
    print(module ? module.HELP : overview(), first === undefined ? Deno.stderr : Deno.stdout);
    return first === undefined ? 2 : 0;
  }
  if (first === "version" || first === "--version") {
    print(`ipsecbox ${VERSION}\n`);
    return 0;
  }
  const row = byLink ?? COMMANDS.find((row) => row.name === first);
  if (!row) {
    print(`ipsecbox: no command "${first}"${nearest(first)}. "ipsecbox help" lists them\n`, Deno.stderr);
    return 2;
  }
  try {
    return await (await row.load()).run(rest);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    print(`${row.name}: ${error.message}\n`, Deno.stderr);
    return error.status;
  }
}
