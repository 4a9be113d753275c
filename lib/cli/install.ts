/** `ipsecbox install`: links under the OpenBSD names. @module */
import { basename, join, resolve } from "node:path";
import { parseArgs } from "@std/cli/parse-args";
import { CommandError } from "./command.ts";
import { print } from "./commands.ts";

/** The names under which OpenBSD has what one file is here. */
export const LINK_NAMES = ["ipsecadm", "isakmpd", "photurisd", "startkey", "certpatch", "keynote", "rc.vpn"] as const;

export const HELP = `usage: ipsecbox install --links DIR [--force]

Makes symbolic links to this program in DIR under the names that OpenBSD's tools have:
${LINK_NAMES.join(", ")}.
Links to this program that are there already stay; anything else of these names is left alone
unless --force is given, and then only links are replaced.
`;

/** The single file that is running. @throws {CommandError} when the program runs from its source */
function ownPath(): string {
  const packed = Deno.env.get("IPSECBOX_SELF");
  if (packed) return Deno.realPathSync(packed);
  const own = Deno.execPath();
  if (/^deno(\.exe)?$/.test(basename(own))) {
    throw new CommandError('links lead to the single file: make it with "deno task pack" and run its install');
  }
  return own;
}

/** What a path is: nothing, a link to us, another link, or something else. */
function kindOf(path: string, own: string): "free" | "ours" | "link" | "other" {
  try {
    if (!Deno.lstatSync(path).isSymlink) return "other";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "free";
    throw error;
  }
  try {
    return Deno.realPathSync(path) === own ? "ours" : "link";
  } catch {
    return "link"; // it leads nowhere
  }
}

/** Makes the links in `directory` that lead to `own`; nothing is made when one cannot be. @returns the paths made */
export function makeLinks(directory: string, own: string, force: boolean): string[] {
  const rows = LINK_NAMES.map((name) => {
    const path = join(directory, name);
    return { path, kind: kindOf(path, own) };
  });
  const inTheWay = rows.find(({ kind }) => kind === "other" || (kind === "link" && !force));
  if (inTheWay) {
    const hint = inTheWay.kind === "link" ? " (--force replaces links)" : "";
    throw new CommandError(`${inTheWay.path} is there already and does not lead here${hint}`);
  }
  const made = rows.filter(({ kind }) => kind !== "ours");
  for (const { path, kind } of made) {
    if (kind === "link") Deno.removeSync(path);
    Deno.symlinkSync(own, path);
  }
  return made.map(({ path }) => path);
}

export function run(args: string[]): number {
  if (args[0] === "help" || args[0] === "--help") {
    print(HELP);
    return 0;
  }
  const unknown: string[] = [];
  const { links, force } = parseArgs(args, {
    boolean: ["force"],
    string: ["links"],
    unknown: (word: string) => {
      unknown.push(word);
      return false;
    },
  });
  if (unknown.length) throw new CommandError(`"${unknown[0]}" is not known here ("ipsecbox help install")`);
  if (!links) throw new CommandError("--links DIR is needed");
  const directory = resolve(String(links));
  try {
    for (const path of makeLinks(directory, ownPath(), Boolean(force))) print(`${path}\n`);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(`${directory}: ${(error as Error).message}`);
  }
  return 0;
}
