/** `ipsecbox netstat`: the SPD as a routing table, and the protocols' counters (FAQ 13.11). @module */
import { parseArgs } from "@std/cli/parse-args";
import { parsePrefix, unspecified } from "../ip/address.ts";
import { formatAddress } from "../ip/address.ts";
import { DROPS } from "../ipsec/packet.ts";
import { CommandError } from "./command.ts";
import { print } from "./commands.ts";
import { withEngine } from "./engine.ts";
import { fetchFlows, fetchStatistics, type FlowView, toJson } from "../daemon/engine_views.ts";

export const HELP = `usage: ipsecbox netstat -rn -f encap [--json]
       ipsecbox netstat -s [-p esp|ah|ipip|policy] [--json]

-rn -f encap shows the flows: the packets, and the SA they use as address of the peer,
protocol number, policy and direction. -s shows how many packets were sent and received, and
how many were dropped for which reason; policy: how many came in clear that a flow forbids.
`;

const NUMBERS = { esp: 50, ah: 51, ip4: 4 } as const;
/** Columns of OpenBSD 2.8 and later. */
const COLUMNS = [18, 5, 18, 5, 5, 22] as const;
const TITLES = ["Source", "Port", "Destination", "Port", "Proto", "SA(Address/Proto/Type/Direction)"];

/** As netstat writes networks: zero octets at the end left out (`192.168.99/24`, `0/0`). */
export function shortPrefix(text: string): string {
  const { address, length } = parsePrefix(text);
  if (address.family === 6) return text;
  const octets = [...address.octets];
  while (octets.length > 1 && octets.at(-1) === 0) octets.pop();
  return `${octets.join(".")}/${length}`;
}

function saColumn(flow: FlowView): string {
  if (flow.type === "bypass" || flow.type === "deny") return `${flow.type}/${flow.direction}`;
  const peer = flow.peer ?? formatAddress(unspecified(parsePrefix(flow.destination).address.family));
  return `${peer}/${NUMBERS[flow.protocol]}/${flow.type}/${flow.direction}`;
}

/** The table of `netstat -rn -f encap`. */
export function formatEncap(flows: readonly FlowView[]): string {
  const row = (cells: readonly (string | number)[]) =>
    cells.map((cell, i) => String(cell).padEnd(COLUMNS[i])).join(" ").trimEnd();
  const rows = flows.map((flow) =>
    row([
      shortPrefix(flow.source),
      flow.sourcePort,
      shortPrefix(flow.destination),
      flow.destinationPort,
      flow.transport,
      saColumn(flow),
    ])
  );
  return ["Encap:", row(TITLES), ...rows].map((line) => `${line}\n`).join("");
}

const PROTOCOLS = ["esp", "ah", "ipip", "policy"] as const;
type CountedProtocol = typeof PROTOCOLS[number];
const LABELS = { esp: "ESP", ah: "AH", ipip: "IP-in-IP" } as const;

/** Packets that were not protected though a flow demands it. */
const POLICY_LINES = [["cleartext", "cleartext packets dropped by policy"], [
  "heldBack",
  "cleartext packets held back from going out",
]] as const;

/** Counters of one protocol as `-s` shows them; reasons that never occurred are there, too, so that zero is visible. */
export function formatStatistics(protocol: CountedProtocol, counters: Readonly<Record<string, number>>): string {
  if (protocol === "policy") {
    return `policy:\n${POLICY_LINES.map(([name, text]) => `\t${counters[name] ?? 0} ${text}\n`).join("")}`;
  }
  const label = LABELS[protocol];
  const lines = [
    [counters.inputPackets ?? 0, `input ${label} packets`],
    [counters.outputPackets ?? 0, `output ${label} packets`],
    [counters.inputOctets ?? 0, "input bytes"],
    [counters.outputOctets ?? 0, "output bytes"],
    ...DROPS.slice(1).map(({ name, text }) => [counters[name] ?? 0, `packets ${text}`] as const),
  ];
  return `${protocol}:\n${lines.map(([count, text]) => `\t${count} ${text}\n`).join("")}`;
}

async function statistics(wanted: readonly CountedProtocol[], json: boolean): Promise<string> {
  const all = await withEngine(fetchStatistics);
  if (json) return toJson(Object.fromEntries(wanted.map((protocol) => [protocol, all[protocol] ?? {}])));
  return wanted.map((protocol) => formatStatistics(protocol, all[protocol] ?? {})).join("");
}

export async function run(args: string[]): Promise<number> {
  if (args[0] === "help" || args[0] === "--help") {
    print(HELP);
    return 0;
  }
  const unknown: string[] = [];
  const { r, n: _, s, f, p, json } = parseArgs(args, {
    boolean: ["r", "n", "s", "json"],
    string: ["f", "p"],
    unknown: (word: string) => {
      unknown.push(word);
      return false;
    },
  });
  if (unknown.length) throw new CommandError(`"${unknown[0]}" is not known here ("ipsecbox help netstat")`);
  if (s) {
    const protocol = PROTOCOLS.find((name) => name === p);
    if (p !== undefined && !protocol) throw new CommandError(`-p "${p}": esp, ah, ipip and policy are counted`);
    print(await statistics(protocol ? [protocol] : PROTOCOLS, Boolean(json)));
    return 0;
  }
  if (!r) throw new CommandError(`-rn -f encap or -s is needed ("ipsecbox help netstat")`);
  if (f !== "encap") throw new CommandError(`-f encap is needed: other tables are those of "ip route"`);
  const flows = await withEngine(fetchFlows);
  print(json ? toJson(flows) : formatEncap(flows));
  return 0;
}
