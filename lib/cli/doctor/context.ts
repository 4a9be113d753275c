/** What the doctor looks at: gathered once, so that checks are functions of it. @module */
import { fetchSnapshot, type SaStatus, type Snapshot } from "../../daemon/snapshot.ts";
import type { FlowView } from "../../daemon/engine_views.ts";
import { findDaemon, type KeyDaemon } from "../../daemon/key_daemons.ts";
import { EngineUnreachableError, PfkeyClient } from "../../daemon/pfkey_client.ts";
import { type Address, contains, equalAddress, formatAddress, parseAddress, parsePrefix } from "../../ip/address.ts";
import type { Netlink } from "../../linux/netlink.ts";
import { type InterfaceAddress, type Link, listAddresses, listLinks } from "../../linux/rtnetlink.ts";
import type { Heard } from "./ears.ts";
import type { PathReport } from "./path.ts";

/** The engine before and after the doctor listened and probed. */
export interface EngineState {
  readonly before: Snapshot;
  readonly after: Snapshot;
  /** Knobs by name: `net.inet.esp.enable`. */
  readonly knobs: ReadonlyMap<string, string>;
  readonly link?: Link;
}

export interface Context {
  readonly netlink: Netlink;
  readonly links: readonly Link[];
  readonly addresses: readonly InterfaceAddress[];
  /** The peer that was asked about. */
  readonly asked?: Address;
  /** isakmpd's configuration file. */
  readonly configurationFile: string;
  /** photurisd's directory. */
  readonly photurisDirectory: string;
  readonly isakmpd?: KeyDaemon;
  readonly photurisd?: KeyDaemon;
  /** Absent: it does not answer, for this reason. */
  readonly engine?: EngineState;
  readonly unreachable?: string;
  /** Flows and SAs that concern who was asked about; all, if nobody was. */
  readonly flows: readonly FlowView[];
  readonly sas: readonly SaStatus[];
  /** Other ends of flows and SAs. */
  readonly peers: readonly Address[];
  /** Security headers to us whose SA we do not have. */
  readonly heard: readonly Heard[];
  readonly paths: readonly PathReport[];
}

export const isProtecting = ({ type }: FlowView) => type !== "bypass" && type !== "deny";

/** The only address of a prefix that is one. */
export function hostOf(prefix: string): Address | undefined {
  const { address, length } = parsePrefix(prefix);
  return length === 8 * address.octets.length ? address : undefined;
}

/** The other end of a flow's SAs: its peer, or the host that its packets go to or come from. */
export function peerOf(flow: FlowView): Address | undefined {
  if (flow.peer !== undefined) return parseAddress(flow.peer);
  return hostOf(flow.direction === "out" ? flow.destination : flow.source);
}

/** `flow out require 10.0.0.0/8 -> 192.0.2.1/32`. */
export const describeFlow = ({ direction, type, source, destination }: FlowView) =>
  `flow ${direction} ${type} ${source} -> ${destination}`;

/** Whether a flow is about an address: as its peer, or as one of the hosts at the other end. */
export function concerns(flow: FlowView, asked: Address): boolean {
  const peer = peerOf(flow);
  if (peer && equalAddress(peer, asked)) return true;
  return contains(parsePrefix(flow.direction === "out" ? flow.destination : flow.source), asked);
}

/** Flows, SAs and peers of a snapshot that concern `asked`. */
export function selectConcerned(
  { flows, sas }: Snapshot,
  asked: Address | undefined,
): Pick<Context, "flows" | "sas" | "peers"> {
  const own = asked ? flows.filter((flow) => concerns(flow, asked)) : flows;
  const peers = new Map<string, Address>();
  for (const flow of own) {
    const peer = isProtecting(flow) ? peerOf(flow) : undefined;
    if (peer) peers.set(formatAddress(peer), peer);
  }
  if (asked && !peers.size) peers.set(formatAddress(asked), asked);
  const concerned = sas.filter(({ peer }) => !asked || peers.has(peer));
  if (!asked) { for (const { peer } of sas) peers.set(peer, parseAddress(peer)); }
  return { flows: own, sas: concerned, peers: [...peers.values()] };
}

/** Reads every knob of the engine. */
async function fetchKnobs(client: PfkeyClient): Promise<Map<string, string>> {
  const { extensions } = await client.request("X_SYSCTL", "UNSPEC");
  const rows = (extensions.X_TEXT ?? "").split("\n").map((row) => row.split("="));
  return new Map(rows.filter(({ length }) => length === 2) as [string, string][]);
}

/** The engine's answers at two times, with `between` done meanwhile; or why there are none. */
export async function askEngine(
  between: (before: Snapshot) => Promise<void>,
): Promise<Pick<EngineState, "before" | "after" | "knobs"> | string> {
  try {
    using client = await PfkeyClient.connect();
    const before = await fetchSnapshot(client, Date.now() / 1000);
    await between(before);
    const after = await fetchSnapshot(client, Date.now() / 1000);
    return { before, after, knobs: await fetchKnobs(client) };
  } catch (error) {
    if (error instanceof EngineUnreachableError) return error.message;
    throw error;
  }
}

const DEFAULT_CONF = "/etc/isakmpd/isakmpd.conf";
const DEFAULT_PHOTURIS = "/etc/photuris";

/** What follows an option on a running daemon's command line. */
function argumentOf(daemon: KeyDaemon | undefined, option: string): string | undefined {
  if (!daemon) return undefined;
  const words = Deno.readTextFileSync(`/proc/${daemon.process}/cmdline`).split("\0");
  const at = words.lastIndexOf(option);
  return at < 0 ? undefined : words[at + 1];
}

/** What there is without an engine. @param configurationFile absent: what the running isakmpd reads, or the usual one */
export function systemContext(netlink: Netlink, configurationFile: string | undefined, asked?: Address): Context {
  const [isakmpd, photurisd] = [findDaemon("isakmpd"), findDaemon("photurisd")];
  return {
    netlink,
    links: listLinks(netlink),
    addresses: listAddresses(netlink),
    asked,
    configurationFile: configurationFile ?? argumentOf(isakmpd, "-c") ?? DEFAULT_CONF,
    photurisDirectory: argumentOf(photurisd, "-d") ?? DEFAULT_PHOTURIS,
    isakmpd,
    photurisd,
    flows: [],
    sas: [],
    peers: asked ? [asked] : [],
    heard: [],
    paths: [],
  };
}

/** Whether an address is one of this host. */
export const isOwn = ({ addresses }: Context, wanted: Address) =>
  addresses.some(({ address }) => equalAddress(address, wanted));

/** An own address within a prefix. */
export function ownWithin({ addresses }: Context, prefix: string): Address | undefined {
  const wanted = parsePrefix(prefix);
  return addresses.find(({ address }) => contains(wanted, address))?.address;
}

/** An address of a prefix that is not ours, if it has room for one. */
export function sampleOf(context: Context, prefix: string): Address {
  const { address, length } = parsePrefix(prefix);
  if (length === 8 * address.octets.length) return address;
  for (let last = 1; last < 8; last++) {
    const octets = address.octets.slice();
    octets[octets.length - 1] |= last;
    const sample = { family: address.family, octets };
    if (contains(parsePrefix(prefix), sample) && !isOwn(context, sample)) return sample;
  }
  return address;
}

/** Flows out of networks behind us. */
export const gatewayFlows = (context: Context): FlowView[] =>
  context.flows.filter((flow) => {
    if (flow.direction !== "out" || !isProtecting(flow)) return false;
    const { length } = parsePrefix(flow.source);
    const host = hostOf(flow.source);
    return length > 0 && !(host && isOwn(context, host));
  });

export const nameOfLink = ({ links }: Context, index: number | undefined): string | undefined =>
  links.find((link) => link.index === index)?.name;
