/** Protocol and service names: /etc/protocols and /etc/services, and a table of ours where the system has none. @module */

import { IP_PROTOCOLS, SERVICES } from "../ip/names.ts";

const PROTOCOLS: Readonly<Record<string, number>> = { ip: 0, ...IP_PROTOCOLS };

/** Names to numbers. */
export interface NameTables {
  protocol(name: string): number | undefined;
  service(name: string): number | undefined;
}

/** The first number of each line `NAME NUMBER[/...] ALIAS ...` under all its names. */
function readTable(path: string): Map<string, number> {
  const names = new Map<string, number>();
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch {
    return names; // many small systems have none
  }
  for (const line of text.split("\n")) {
    const [name, number, ...aliases] = line.replace(/#.*$/, "").trim().split(/\s+/);
    const value = parseInt(number ?? "");
    if (!Number.isNaN(value)) { for (const one of [name, ...aliases]) if (!names.has(one)) names.set(one, value); }
  }
  return names;
}

function lookUp(table: Readonly<Record<string, number>>, name: string): number | undefined {
  const word = name.toLowerCase();
  return Object.hasOwn(table, word) ? table[word] : undefined;
}

/** The system's tables, read when the first name is asked for. */
export function systemNames(): NameTables {
  let protocols: Map<string, number> | undefined;
  let services: Map<string, number> | undefined;
  const find = (table: Map<string, number>, own: Readonly<Record<string, number>>, name: string) =>
    table.get(name) ?? table.get(name.toLowerCase()) ?? lookUp(own, name);
  return {
    protocol: (name) => find(protocols ??= readTable("/etc/protocols"), PROTOCOLS, name),
    service: (name) => find(services ??= readTable("/etc/services"), SERVICES, name),
  };
}

/** Only the tables built in: the same on every machine. */
export const builtInNames: NameTables = {
  protocol: (name) => lookUp(PROTOCOLS, name),
  service: (name) => lookUp(SERVICES, name),
};
