/** `ipsecbox uninstall`: takes away what `ipsecbox install` has put in place. @module */
import { join } from "node:path";
import { print } from "./commands.ts";
import { failure, parseOptions } from "./install.ts";
import { takeAllAway } from "./install/place.ts";
import { manifestPath } from "./install/plan.ts";

export const HELP = `usage: ipsecbox uninstall [--prefix DIR] [--root DIR]

Takes away exactly what "ipsecbox install" with the same options has put in place, as
PREFIX/share/ipsecbox/installed lists it. Files that somebody has changed since stay, and are
named; so do directories in which something else is. Services are not stopped.

  --prefix DIR  /usr/local
  --root DIR    the root of the system that it was installed into; /
`;

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
    return 0;
  } catch (error) {
    throw failure(error);
  }
}
