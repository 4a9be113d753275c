/** `ipsecadm -f FILE`: many command lines at once. @module */
import { parseCommandLines } from "../../config/command_lines.ts";
import { formatFault } from "../../config/ini.ts";
import { CommandError } from "../command.ts";
import { print } from "../commands.ts";
import { withEngine } from "../engine.ts";
import type { Order } from "./orders.ts";
import { type ParseContext, parseLine } from "./parse.ts";
import { carryOutAll } from "./send.ts";

/** An order and where it stands. */
interface PlacedOrder {
  readonly order: Order;
  readonly place: string;
}

const MOST_COMPLAINTS = 20;

/** The orders of a file's lines, or the complaints about all of them. `ipsecadm` before a line is allowed. */
export function parseBatch(
  text: string,
  file: string,
  context: ParseContext,
): { orders: PlacedOrder[]; complaints: string[]; warnings: string[] } {
  const { lines, faults } = parseCommandLines(text, file);
  const complaints = faults.map(formatFault);
  const orders: PlacedOrder[] = [];
  const warnings = new Set<string>();
  for (const { words, line } of lines) {
    const place = `${file}:${line}`;
    const own = /(^|\/)ipsecadm$/.test(words[0]) ? words.slice(1) : words;
    try {
      if (!own.length) throw new CommandError("a command is needed");
      const parsed = parseLine(own, context);
      if (!parsed.command.orders) throw new CommandError(`${parsed.command.name} is no command for a file`);
      for (const order of parsed.orders) orders.push({ order, place });
      for (const warning of parsed.warnings) warnings.add(warning);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      complaints.push(`${place}: ${error.message}`);
    }
  }
  return { orders, complaints, warnings: [...warnings] };
}

/**
 * Parses all of the file, then sends it over one connection. With an error in the file nothing is sent; what the engine
 * refuses is told with its place, and the rest is carried out.
 *
 * @returns the exit status
 */
export async function runBatch(text: string, file: string, context: ParseContext): Promise<number> {
  const { orders, complaints, warnings } = parseBatch(text, file, context);
  const tell = (line: string) => print(`ipsecadm: ${line}\n`, Deno.stderr);
  if (complaints.length) {
    complaints.slice(0, MOST_COMPLAINTS).forEach(tell);
    if (complaints.length > MOST_COMPLAINTS) tell(`and ${complaints.length - MOST_COMPLAINTS} more`);
    tell("nothing was changed");
    return 1;
  }
  for (const warning of warnings) tell(`warning: ${warning}`);
  let status = 0;
  if (orders.length) {
    await withEngine((client) =>
      carryOutAll(client, orders, ({ place }, message) => {
        status = 1;
        tell(`${place}: ${message}`);
      })
    );
  }
  return status;
}
