/** `ipsecbox uninstall`: takes away what `ipsecbox install` has put in place. @module */
import { join } from "node:path";
import { print } from "./commands.ts";
import { failure, parseOptions } from "./install.ts";
import { takeAllAway } from "./install/place.ts";
import { manifestPath } from "./install/plan.ts";

export const HELP = `usage: ipsecbox uninstall [--prefix DIR] [--root DIR]

Takes away exactly what "ipsecbox install" with the same options has put in place, as
PREFIX/share/ipsecbox/installed lists it. Files that somebody has changed since stay, and are
named; so do directories in which something else is. Services are not stopped. What the packed
program has unpacked into /var/cache/ipsecbox goes too, unless a process still runs from it.

  --prefix DIR  /usr/local
  --root DIR    the root of the system that it was installed into; /
`;

/** Where the packed program unpacks itself, if it is the place that the system has for it. */
const UNPACKED = "/var/cache/ipsecbox";

/** Whether a process runs a program below a folder. */
function runsBelow(folder: string, process: string): boolean {
  try {
    return Deno.readLinkSync(`/proc/${process}/exe`).startsWith(`${folder}/`);
  } catch {
    return false; // it has ended, or is the kernel's
  }
}

/** Removes what versions of the packed program have unpacked, but that from which other processes run. */
export function removeUnpacked(cache: string): void {
  let versions: Deno.DirEntry[];
  try {
    versions = [...Deno.readDirSync(cache)];
  } catch {
    return; // nothing was unpacked here
  }
  const others = [...Deno.readDirSync("/proc")].map(({ name }) => name)
    .filter((name) => /^\d+$/.test(name) && Number(name) !== Deno.pid);
  for (const { name } of versions) {
    const folder = join(cache, name);
    if (!others.some((process) => runsBelow(folder, process))) Deno.removeSync(folder, { recursive: true });
  }
  if ([...Deno.readDirSync(cache)].length === 0) Deno.removeSync(cache);
}

export function run(args: string[]): number {
  if (args[0] === "help" || args[0] === "--help") {
    print(HELP);
    return 0;
  }
  const { root, prefix } = parseOptions(args, "uninstall", ["prefix", "root"]);
  try {
    for (const path of takeAllAway(root, manifestPath({ prefix }))) {
      print(`${join(root, path)} stays: somebody has changed it\n`, Deno.stderr);
    }
    if (root === "/") removeUnpacked(UNPACKED);
    return 0;
  } catch (error) {
    throw failure(error);
  }
}
