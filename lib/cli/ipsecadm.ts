/** `ipsecbox ipsecadm`: SAs and flows by hand (OpenBSD's ipsecadm(8)). @module */
import { concat } from "../octets/bytes.ts";
import { CommandError } from "./command.ts";
import { print } from "./commands.ts";
import { withEngine } from "./engine.ts";
import { runBatch } from "./ipsecadm/batch.ts";
import { helpText, OVERVIEW } from "./ipsecadm/help.ts";
import { monitor } from "./ipsecadm/monitor.ts";
import { type ParseContext, parseLine } from "./ipsecadm/parse.ts";
import { carryOut } from "./ipsecadm/send.ts";
import { showText } from "./ipsecadm/show.ts";
import { readKeyFile } from "./key_file.ts";
import { systemNames } from "./names.ts";

export const HELP = OVERVIEW;

/** The words `-key` and `-authkey` put a key where `ps` shows it. */
const VISIBLE_KEYS = ["-key", "-authkey"];

/** The files, names and keys of this system. */
export function systemContext(): ParseContext {
  return { names: systemNames(), readKeyFile };
}

function readText(path: string): string {
  try {
    if (path !== "-") return Deno.readTextFileSync(path);
    const parts: Uint8Array[] = [];
    const chunk = new Uint8Array(65536);
    for (let count = Deno.stdin.readSync(chunk); count !== null; count = Deno.stdin.readSync(chunk)) {
      parts.push(chunk.slice(0, count));
    }
    return new TextDecoder().decode(concat(...parts));
  } catch (error) {
    throw new CommandError(`-f ${path}: ${error instanceof Error ? error.message : error}`);
  }
}

export async function run(args: string[]): Promise<number> {
  const [first, ...rest] = args;
  if (first === undefined) {
    print(OVERVIEW, Deno.stderr);
    return 1;
  }
  if (first === "help" || first === "--help") {
    print(helpText(rest));
    return 0;
  }
  if (first === "-f") {
    if (rest.length !== 1) throw new CommandError("-f needs one file of command lines (- is standard input)");
    return await runBatch(readText(rest[0]), rest[0] === "-" ? "standard input" : rest[0], systemContext());
  }
  const { command, values, orders, warnings } = parseLine(args, systemContext());
  if (args.some((word) => VISIBLE_KEYS.includes(word))) {
    warnings.push("a key on the command line can be seen by every user of this machine: -keyfile hides it");
  }
  for (const warning of warnings) print(`ipsecadm: warning: ${warning}\n`, Deno.stderr);
  if (command.name === "show") {
    print(await showText(values.protocols, values.json ?? false));
    return 0;
  }
  if (command.name === "monitor") return await monitor();
  await withEngine(async (client) => {
    for (const order of orders) await carryOut(client, order);
  });
  return 0;
}
