/** `ipsecbox install`: the program, its links, units, manual pages and completions. @module */
import { basename, join, resolve } from "node:path";
import { parseArgs } from "../std/parse_args.ts";
import { CommandError, reasonWithPath } from "./command.ts";
import { print } from "./commands.ts";
import { putInPlace } from "./install/place.ts";
import { LINK_NAMES, manifestPath, plan } from "./install/plan.ts";

export { LINK_NAMES };

export const HELP = `usage: ipsecbox install [--force] [--prefix DIR] [--root DIR [--links DIR]]
       ipsecbox install [--force] --links DIR

Puts in place: this program as PREFIX/sbin/ipsecbox, links to it under the names that OpenBSD's
tools have (${LINK_NAMES.join(", ")}), units for
systemd (or a script for OpenWrt's procd), manual pages, completions for bash, zsh and fish,
and example files. What was put where stands in PREFIX/share/ipsecbox/installed, and "ipsecbox
uninstall" takes exactly that away. A second time it brings an older installation up to date.
Nothing is started.

  --force       replace files and links that are there already and not ours; without it such a
                file stops everything before anything is changed
  --links DIR   where the links go (PREFIX/sbin); without --root: make only these links, to this
                file, and nothing else
  --prefix DIR  /usr/local
  --root DIR    a directory that becomes the root of a system, for packages and images; /
`;

/** The single file that is running. @throws {CommandError} when the program runs from its source */
export function ownPath(): string {
  const packed = Deno.env.get("IPSECBOX_SELF");
  if (packed) return Deno.realPathSync(packed);
  const own = Deno.execPath();
  if (/^deno(\.exe)?$/.test(basename(own))) {
    throw new CommandError(
      'it is the single file that is installed: make it with "deno task pack" and run its install',
    );
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

/** Options of install and uninstall. @throws {CommandError} */
export function parseOptions(args: string[], command: string, strings: string[], booleans: string[] = []) {
  const unknown: string[] = [];
  const parsed = parseArgs(args, {
    boolean: booleans,
    string: strings,
    unknown: (word: string) => {
      unknown.push(word);
      return false;
    },
  });
  if (unknown.length) throw new CommandError(`"${unknown[0]}" is not known here ("ipsecbox help ${command}")`);
  const path = (name: string, missing: string) => {
    const value = parsed[name] === undefined ? missing : String(parsed[name]);
    if (value === "") throw new CommandError(`--${name} needs a directory`);
    return resolve(value);
  };
  return { parsed, root: path("root", "/"), prefix: path("prefix", "/usr/local") };
}

/** A directory that is not there, cannot be written and the like, in one line. */
export function failure(error: unknown): CommandError {
  if (error instanceof CommandError) return error;
  return new CommandError(reasonWithPath(error));
}

export async function run(args: string[]): Promise<number> {
  if (args[0] === "help" || args[0] === "--help") {
    print(HELP);
    return 0;
  }
  const { parsed, root, prefix } = parseOptions(args, "install", ["links", "prefix", "root"], ["force"]);
  const force = parsed.force === true;
  const links = parsed.links === undefined ? undefined : resolve(String(parsed.links));
  try {
    const program = ownPath();
    if (links && parsed.root === undefined) {
      for (const path of makeLinks(links, program, force)) print(`${path}\n`);
      return 0;
    }
    const [{ completionScript }, { MAN_SOURCES }] = await Promise.all([
      import("./completion.ts"),
      import("./install/man_sources.ts"),
    ]);
    const [bash, zsh, fish] = await Promise.all((["bash", "zsh", "fish"] as const).map(completionScript));
    const places = { prefix, links, services: isOpenWrt(root) ? "procd" : "systemd" } as const;
    const items = plan(places, { pages: MAN_SOURCES, completions: { bash, zsh, fish } });
    const written = putInPlace(items, { root, program, manifest: manifestPath(places), force });
    for (const path of written) print(`${join(root, path)}\n`);
    if (root === "/" && places.services === "systemd") {
      print("now: systemd-sysusers && systemctl daemon-reload && systemctl enable --now ipsecbox-enc\n", Deno.stderr);
    }
    return 0;
  } catch (error) {
    throw failure(error);
  }
}

function isOpenWrt(root: string): boolean {
  try {
    return Deno.statSync(join(root, "etc/openwrt_release")).isFile;
  } catch {
    return false;
  }
}
