/** Flows without SAs, SAs without flows. @module */
import { type FlowView, formatSpi } from "../../daemon/engine_views.ts";
import type { SaStatus } from "../../daemon/snapshot.ts";
import { formatAddress } from "../../ip/address.ts";
import { type Context, describeFlow, isProtecting, peerOf } from "./context.ts";
import type { Finding } from "./finding.ts";

const isUsable = ({ state }: SaStatus) => state === "mature" || state === "dying";

const describeSa = ({ protocol, spi, destination }: SaStatus) => `SA ${protocol} ${formatSpi(spi)} to ${destination}`;

/** What becomes of a flow's packets without an SA. */
const FATES: Readonly<Record<FlowView["type"], string>> = {
  require: "its packets are dropped",
  acquire: "its packets go in clear",
  use: "its packets go in clear",
  dontacq: "its packets are dropped",
  bypass: "",
  deny: "",
};

/** SAs that a flow's packets can use, as the engine chooses them. */
function sasFor(flow: FlowView, sas: readonly SaStatus[]): SaStatus[] | undefined {
  const peer = peerOf(flow);
  if (!peer) return undefined;
  const text = formatAddress(peer);
  return sas.filter((sa) =>
    isUsable(sa) && sa.protocol === flow.protocol && (flow.direction === "out" ? sa.destination : sa.source) === text
  );
}

export function checkFlows(context: Context): Finding[] {
  const { engine, flows, isakmpd, photurisd } = context;
  if (!engine) return [];
  const { before, after } = engine;
  const refused = (protocol: string) =>
    (after.statistics[protocol]?.noKey ?? 0) - (before.statistics[protocol]?.noKey ?? 0);
  const missing = new Map<string, Finding>();
  for (const flow of flows.filter(isProtecting)) {
    const sas = sasFor(flow, after.sas);
    if (sas === undefined || sas.length) continue;
    const peer = formatAddress(peerOf(flow)!);
    const daemon = isakmpd ?? photurisd;
    // A key management daemon makes SAs when packets ask for them, if it can.
    if (daemon && (flow.direction === "in" || !refused(flow.protocol))) continue;
    const way = flow.direction === "out" ? `to ${peer}` : `from ${peer}`;
    missing.set(`${way} ${flow.protocol}`, {
      id: "flow-without-sa",
      problem: `There is no ${flow.protocol.toUpperCase()} SA ${way} for ${describeFlow(flow)}: ` +
        `${flow.direction === "out" ? FATES[flow.type] : "what it protects cannot come in"}` +
        (daemon ? `, and ${daemon.name} (process ${daemon.process}) has not made one` : ""),
      remedies: daemon ? ["ipsecbox status   # the exchanges of the daemon; its log says why they fail"] : [
        flow.direction === "out"
          ? `ipsecadm new ${flow.protocol} -dst ${peer} -src OWN-ADDRESS -spi SPI ...   # on both ends`
          : `ipsecadm new ${flow.protocol} -src ${peer} -dst OWN-ADDRESS -spi SPI ...   # on both ends`,
        "or start isakmpd or photurisd, which make SAs when packets need them",
      ],
    });
  }
  return [...missing.values()];
}

export function checkSas({ engine, sas }: Context): Finding[] {
  if (!engine) return [];
  const { flows, sas: every } = engine.after;
  const inner = new Set(
    every.flatMap(({ outer }) => outer ? [`${outer.protocol} ${outer.spi} ${outer.destination}`] : []),
  );
  return sas.filter((sa) => {
    if (!isUsable(sa) || sa.direction === "in" || inner.has(`${sa.protocol} ${sa.spi} ${sa.destination}`)) return false;
    return !flows.some((flow) => {
      if (flow.direction !== "out" || !isProtecting(flow) || flow.protocol !== sa.protocol) return false;
      const peer = peerOf(flow);
      return !peer || formatAddress(peer) === sa.destination;
    });
  }).map((sa) => ({
    id: "sa-without-flow",
    problem: `No flow uses the ${describeSa(sa)}: nothing is ever sent through it`,
    remedies: [
      `ipsecadm flow -proto ${sa.protocol} -src ${sa.source} -dst ${sa.destination} ` +
      `-addr ${sa.source}/${sa.source.includes(":") ? 128 : 32} ${sa.destination}/${
        sa.destination.includes(":") ? 128 : 32
      } -out -require`,
    ],
  }));
}

/** A flow names an SA that is not there. */
export function checkNamedSas({ engine, flows }: Context): Finding[] {
  const sas = engine?.after.sas ?? [];
  return flows.filter(isProtecting).flatMap((flow) => {
    if (flow.spi === undefined || sas.some(({ spi, protocol }) => spi === flow.spi && protocol === flow.protocol)) {
      return [];
    }
    return [{
      id: "flow-names-no-sa",
      problem: `${describeFlow(flow)} names SPI ${formatSpi(flow.spi)}, which no SA has`,
      remedies: ["ipsecadm show   # lists the SAs", "give the flow again with the SPI of one, or without -spi"],
    }];
  });
}
