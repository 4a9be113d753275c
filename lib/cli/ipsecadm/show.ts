/** `ipsecadm show`: SAs and flows in words. @module */
import type { SecurityProtocol } from "../../ipsec/types.ts";
import { withEngine } from "../engine.ts";
import {
  fetchFlows,
  fetchSas,
  type FlowView,
  formatSpi,
  type SaLink,
  type SaView,
  toJson,
} from "../../daemon/engine_views.ts";

const transform = (what: string, row?: { name: string; keyBits: number }) =>
  row && (row.keyBits ? `${what} ${row.name} (${row.keyBits} bits)` : `${what} ${row.name}`);

const link = ({ protocol, spi, destination }: SaLink) => `${protocol} ${formatSpi(spi)} to ${destination}`;

/** `hard 86400 s, 7200 s after first use`. */
function limits(name: string, { addSeconds, useSeconds, bytes, allocations }: SaView["hard"]): string | undefined {
  const parts = [
    addSeconds && `${addSeconds} s`,
    useSeconds && `${useSeconds} s after first use`,
    bytes && `${bytes} bytes`,
    allocations && `${allocations} flows`,
  ].filter(Boolean);
  return parts.length ? `${name} limit: ${parts.join(", ")}` : undefined;
}

/** An SA as a headline and indented lines. */
export function describeSaView(sa: SaView): string {
  const mode = sa.protocol === "ip4" ? "" : sa.tunnel ? " tunnel" : " transport or tunnel as packets ask";
  const form = sa.oldHeader ? "old " : "";
  const lines = [
    `${form}${sa.protocol} ${formatSpi(sa.spi)} from ${sa.source} to ${sa.destination}${mode}`,
    [
      sa.state,
      transform("enc", sa.encryption),
      transform("auth", sa.authentication),
      sa.protocol === "ip4" ? undefined : sa.replayWindow ? `replay window ${sa.replayWindow}` : "no replay protection",
      sa.halfIv ? "half IV" : undefined,
      sa.udpPort === undefined ? undefined : `in UDP to port ${sa.udpPort}`,
      sa.proxy && `proxy ${sa.proxy}`,
    ].filter(Boolean).join(", "),
    `age ${sa.ageSeconds} s, ${sa.packets} packets, ${sa.bytes} bytes, ${sa.drops} dropped` +
    (sa.lastUsed ? "" : ", never used"),
    limits("hard", sa.hard),
    limits("soft", sa.soft),
    sa.selector && `for ${sa.selector.source} -> ${sa.selector.destination}`,
    sa.sourceIdentity && `source identity ${sa.sourceIdentity.type} ${sa.sourceIdentity.text}`,
    sa.destinationIdentity && `destination identity ${sa.destinationIdentity.type} ${sa.destinationIdentity.text}`,
    sa.outer && `then ${link(sa.outer)}`,
    sa.bound && `replies through ${link(sa.bound)}`,
  ];
  return lines.filter(Boolean).join("\n\t");
}

/** A flow likewise. */
export function describeFlowView(flow: FlowView): string {
  const port = (number: number) => number ? ` port ${number}` : "";
  const protects = flow.type !== "bypass" && flow.type !== "deny";
  const lines = [
    `flow ${flow.direction} ${flow.type} ${flow.source}${port(flow.sourcePort)} -> ` +
    `${flow.destination}${port(flow.destinationPort)}${flow.transport ? ` protocol ${flow.transport}` : ""}` +
    (flow.static ? "" : " (by key management)"),
    protects &&
    `${flow.protocol}, peer ${flow.peer ?? `the packet's own ${flow.direction === "in" ? "source" : "destination"}`}` +
      `${flow.local ? `, local ${flow.local}` : ""}${flow.spi === undefined ? "" : `, SPI ${formatSpi(flow.spi)}`}`,
    flow.sourceIdentity && `source identity ${flow.sourceIdentity.type} ${flow.sourceIdentity.text}`,
    flow.destinationIdentity &&
    `destination identity ${flow.destinationIdentity.type} ${flow.destinationIdentity.text}`,
  ];
  return lines.filter(Boolean).join("\n\t");
}

/** The text of `ipsecadm show`; with `protocols`, SAs of those alone. */
export async function showText(protocols: readonly SecurityProtocol[] | undefined, json: boolean): Promise<string> {
  const { sas, flows } = await withEngine(async (client) => ({
    sas: await fetchSas(client, protocols),
    flows: protocols ? undefined : await fetchFlows(client),
  }));
  if (json) return toJson({ sas, ...(flows && { flows }) });
  const blocks = [...sas.map(describeSaView), ...(flows ?? []).map(describeFlowView)];
  return blocks.map((block) => `${block}\n`).join("");
}
