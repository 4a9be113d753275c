/** What probing the paths to peers has shown. @module */
import { formatAddress } from "../../ip/address.ts";
import { formatSpi } from "../../daemon/engine_views.ts";
import { type Context, nameOfLink } from "./context.ts";
import type { Finding } from "./finding.ts";
import type { PathReport } from "./path.ts";

/** ICMP codes of "destination unreachable". */
const CODES = {
  4: [
    "network",
    "host",
    "protocol",
    "port",
    "",
    "source route",
    "",
    "",
    "",
    "network (prohibited)",
    "host (prohibited)",
    "",
    "",
    "administratively prohibited",
  ],
  6: ["no route", "prohibited", "beyond scope", "address", "port", "policy", "reject route"],
} as const;

const words = (family: 4 | 6, code: number) => CODES[family][code] || `code ${code}`;

/** Whether an on-link neighbour was asked for its hardware address in vain (IPv4). */
function silentNeighbour(context: Context, { route, to }: PathReport): string | undefined {
  if (to.family !== 4) return undefined;
  const next = formatAddress(route?.gateway ?? to);
  try {
    const rows = Deno.readTextFileSync("/proc/thread-self/net/arp").split("\n").slice(1).map((row) => row.split(/\s+/));
    const row = rows.find(([address, , , , , device]) =>
      address === next && device === nameOfLink(context, route?.device)
    );
    return row?.[2] === "0x0" ? next : undefined;
  } catch {
    return undefined;
  }
}

export function checkReachability(context: Context): Finding[] {
  const { paths, asked, engine } = context;
  return paths.filter(({ protectedWay }) => !protectedWay).flatMap((path) => {
    const to = formatAddress(path.to);
    if (
      !path.route || path.route.type === "unreachable" || path.route.type === "blackhole" ||
      path.route.type === "prohibit"
    ) {
      return [{
        id: "no-route",
        problem: `There is no route to ${to}`,
        remedies: ["ip route   # is a default route missing?", `ip route add ${to} via GATEWAY`],
      }];
    }
    if (path.reached) return [];
    if (path.refusal) {
      const { from, code } = path.refusal;
      return [{
        id: "unreachable",
        problem: `${to} cannot be reached: ${formatAddress(from)} says ${words(path.to.family, code)} unreachable`,
        remedies: [`traceroute ${to}`, `look at the routes of ${formatAddress(from)}`],
      }];
    }
    const neighbour = silentNeighbour(context, path);
    if (neighbour !== undefined) {
      return [{
        id: "unreachable",
        problem: `${to} cannot be reached: ${neighbour === to ? "it" : `the gateway ${neighbour}`} does not answer ARP`,
        remedies: [`ip neigh show ${neighbour}`, "is it up, and on this link?"],
      }];
    }
    // Filters may drop echo requests, and a peer's flow does; silence means something where nothing else comes either.
    const through = paths.some(({ protectedWay, reached }) => protectedWay && reached);
    const heard = engine?.after.sas.some((sa) => sa.direction === "in" && sa.peer === to && sa.packets > 0);
    if (!asked || through || heard) return [];
    return [{
      id: "unreachable",
      problem: `${to} does not answer: neither an echo request in clear nor anything through a tunnel`,
      remedies: [`traceroute ${to}`, `ipsecbox dump host ${to}   # on both ends`],
    }];
  });
}

export function checkTunnel({ paths, engine, asked }: Context): Finding[] {
  const tunnel = paths.find(({ protectedWay }) => protectedWay);
  if (!tunnel || tunnel.reached || !engine || !asked) return [];
  const { before, after } = engine;
  const moved = (direction: "in" | "out") =>
    after.sas.filter((sa) => sa.direction === direction).find((sa) => {
      const was = before.sas.find(({ spi, destination }) => spi === sa.spi && destination === sa.destination);
      return sa.packets > (was?.packets ?? 0);
    });
  const [sent, came] = [moved("out"), moved("in")];
  const to = formatAddress(tunnel.to);
  if (came) return [];
  return [{
    id: "tunnel",
    problem: `An echo request through the tunnel to ${to} is not answered: ` +
      (sent ? `it left through SA ${sent.protocol} ${formatSpi(sent.spi)}, nothing came back` : "no SA has sent it"),
    remedies: [
      `ipsecbox doctor   # on the other end`,
      `ipsecbox dump --sa host ${sent?.peer ?? to}   # shows what goes out and what comes back`,
    ],
  }];
}

export function checkMtu(context: Context): Finding[] {
  return context.paths.flatMap((path) => {
    if (path.silentMtu === undefined) return [];
    const to = formatAddress(path.to);
    const device = nameOfLink(context, path.route?.device);
    const via = path.route?.gateway ? ` via ${formatAddress(path.route.gateway)}` : "";
    const fixed = `ip route replace ${to} ${via.trim()}${
      via ? " " : ""
    }dev ${device} mtu ${path.silentMtu}   # the engine follows it`;
    return [{
      id: "mtu",
      problem:
        `The ${
          path.protectedWay ? "tunnel" : "path"
        } to ${to} loses packets of more than about ${path.silentMtu} octets, ` +
        `and no router says so (its ICMP "fragmentation needed" is filtered)`,
      remedies: path.protectedWay
        ? [`ipsecbox enc --mtu ${path.silentMtu}   # restart the engine with it, on both ends`]
        : [fixed],
    }];
  });
}
