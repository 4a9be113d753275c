/** `ipsecbox status`: how IPsec is doing, on one screen. @module */
import { toJson } from "../daemon/engine_views.ts";
import { askIsakmpd, findDaemon } from "../daemon/key_daemons.ts";
import { formatMetrics } from "../daemon/metrics.ts";
import { fetchSnapshot } from "../daemon/snapshot.ts";
import { Netlink } from "../linux/netlink.ts";
import { listLinks } from "../linux/rtnetlink.ts";
import { CommandError } from "./command.ts";
import { print } from "./commands.ts";
import { withEngine } from "./engine.ts";
import { statusLines, type StatusParts } from "./status/screen.ts";

export const HELP = `usage: ipsecbox status [--json | --prometheus]

Shows the engine, what it has received, sent and dropped for which reason, cleartext that flows
forbid, the key management daemons, all SAs (with peer, algorithms, age, what is left of their
lifetime, packets, bytes, drops) and all flows.

  --json        the same as JSON
  --prometheus  the counters as Prometheus reads them; "ipsecbox enc --metrics PORT" serves them

"ipsecbox top" shows it live, with rates.
`;

/** Name of an interface; its number where it has gone. */
export function interfaceNameOf(index: number): string {
  using netlink = new Netlink();
  return listLinks(netlink).find((link) => link.index === index)?.name ?? `number ${index}`;
}

/** Everything about the daemons that can be had without waiting for them long. */
async function fetchParts(): Promise<StatusParts> {
  const snapshot = await withEngine((client) => fetchSnapshot(client, Date.now() / 1000));
  const isakmpd = findDaemon("isakmpd");
  return {
    snapshot,
    interfaceName: interfaceNameOf(snapshot.engine.interfaceIndex),
    isakmpd: isakmpd && { ...isakmpd, report: await askIsakmpd(isakmpd) },
    photurisd: findDaemon("photurisd"),
  };
}

export async function run(args: string[]): Promise<number> {
  if (args[0] === "help" || args[0] === "--help") {
    print(HELP);
    return 0;
  }
  const unknown = args.find((word) => word !== "--json" && word !== "--prometheus");
  if (unknown !== undefined) throw new CommandError(`"${unknown}" is not known here ("ipsecbox help status")`, 2);
  if (args.length > 1) throw new CommandError("--json and --prometheus exclude each other", 2);
  if (args[0] === "--prometheus") {
    const snapshot = await withEngine((client) => fetchSnapshot(client, Date.now() / 1000));
    print(formatMetrics(snapshot));
    return 0;
  }
  const parts = await fetchParts();
  if (args[0] === "--json") {
    const { snapshot, ...rest } = parts;
    print(toJson({ ...snapshot, ...rest }));
  } else print(`${statusLines(parts).join("\n")}\n`);
  return 0;
}
