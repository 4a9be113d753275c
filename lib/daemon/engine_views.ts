/** What the engine holds, as plain data that text and JSON views share. @module */
import { authenticatorByPfkey, cipherByPfkey } from "../crypto/algorithms.ts";
import type { PfkeyClient } from "./pfkey_client.ts";
import { type Address, formatAddress, formatPrefix } from "../ip/address.ts";
import {
  type Flow,
  type Identity,
  type Lifetime,
  NO_LIMIT,
  type SecurityProtocol,
  type Selector,
} from "../ipsec/types.ts";
import { readFlow, selectorOf } from "../pfkey/flow_message.ts";
import type { Message } from "../pfkey/message.ts";
import { protocolOf, readIdentities } from "../pfkey/nouns.ts";
import { nameOf, SA_FLAGS, SA_STATES, SA_TYPES, type SaType } from "../pfkey/numbers.ts";

/** How an SA is named in text. */
export type ProtocolName = "esp" | "ah" | "ip4";

/** Another SA that one is tied to. */
export interface SaLink {
  readonly protocol: ProtocolName;
  readonly spi: number;
  readonly destination: string;
}

/** One SA. Key lengths are those of the algorithm, salt not counted; counters and ages are as of the answer. */
export interface SaView {
  readonly protocol: ProtocolName;
  readonly spi: number;
  readonly source: string;
  readonly destination: string;
  readonly proxy?: string;
  readonly state: "larval" | "mature" | "dying" | "dead";
  readonly encryption?: { readonly name: string; readonly kernelName: string; readonly keyBits: number };
  readonly authentication?: { readonly name: string; readonly kernelName: string; readonly keyBits: number };
  readonly tunnel: boolean;
  readonly oldHeader: boolean;
  readonly halfIv: boolean;
  readonly randomPadding: boolean;
  readonly replayWindow: number;
  readonly udpPort?: number;
  readonly ageSeconds: number;
  /** Seconds since the epoch; 0: never. */
  readonly firstUsed: number;
  readonly lastUsed: number;
  readonly packets: number;
  readonly bytes: number;
  readonly allocations: number;
  readonly drops: number;
  readonly sequence: number;
  readonly hard: Lifetime;
  readonly soft: Lifetime;
  /** Seconds of the use limits that have passed; meaningful once the SA was used. */
  readonly usedSeconds: number;
  readonly selector?: SelectorView;
  readonly sourceIdentity?: Identity;
  readonly destinationIdentity?: Identity;
  readonly outer?: SaLink;
  readonly bound?: SaLink;
  /** The SA extension's flag word. */
  readonly flags: number;
}

/** The packets a flow or SA is about. */
export interface SelectorView {
  readonly source: string;
  readonly destination: string;
  readonly transport: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
}

/** One flow. */
export interface FlowView extends SelectorView {
  readonly direction: "in" | "out";
  readonly type: Flow["type"];
  readonly protocol: ProtocolName;
  readonly peer?: string;
  readonly local?: string;
  readonly spi?: number;
  readonly sourceIdentity?: Identity;
  readonly destinationIdentity?: Identity;
  readonly static: boolean;
}

const NAMES: Readonly<Record<SecurityProtocol, ProtocolName>> = { 50: "esp", 51: "ah", 4: "ip4" };

const protocolName = (satype: SaType): ProtocolName => NAMES[protocolOf(satype)];

const linkOf = (sa?: { spi: number; satype: number }, destination?: { address: Address }) =>
  sa && destination && {
    protocol: protocolName(nameOf(SA_TYPES, sa.satype)!),
    spi: sa.spi,
    destination: formatAddress(destination.address),
  };

const selectorView = (
  { source, destination, transport, sourcePort, destinationPort }: Omit<Selector, "direction">,
) => ({
  source: formatPrefix(source),
  destination: formatPrefix(destination),
  transport,
  sourcePort,
  destinationPort,
});

/** Leaves out what is undefined, so that JSON and comparisons do not show it. */
function defined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as T;
}

function saView({ satype, extensions }: Message, nowSeconds: number): SaView {
  const { SA, X_SA_USAGE, LIFETIME_CURRENT, X_LIFETIME_LASTUSE } = extensions;
  const { spi, auth, encrypt, flags, replay, state } = SA!;
  const cipher = encrypt ? cipherByPfkey(encrypt) : undefined;
  const authenticator = auth && !cipher?.aead ? authenticatorByPfkey(auth) : undefined;
  const bits = (row: { saltOctets: number }, all = 0) => Math.max(0, all - 8 * row.saltOctets);
  const firstUsed = LIFETIME_CURRENT?.useSeconds ?? 0;
  return defined({
    protocol: protocolName(satype),
    spi,
    source: formatAddress(extensions.ADDRESS_SRC!.address),
    destination: formatAddress(extensions.ADDRESS_DST!.address),
    proxy: extensions.ADDRESS_PROXY && formatAddress(extensions.ADDRESS_PROXY.address),
    state: nameOf(SA_STATES, state)!.toLowerCase() as SaView["state"],
    encryption: cipher &&
      { name: cipher.name, kernelName: cipher.kernelName, keyBits: bits(cipher, X_SA_USAGE?.encryptBits) },
    authentication: authenticator && {
      name: authenticator.name,
      kernelName: authenticator.kernelName,
      keyBits: bits(authenticator, X_SA_USAGE?.authBits),
    },
    tunnel: Boolean(flags & SA_FLAGS.TUNNEL),
    oldHeader: Boolean(flags & SA_FLAGS.NOREPLAY),
    halfIv: Boolean(flags & SA_FLAGS.HALFIV),
    randomPadding: Boolean(flags & SA_FLAGS.RANDOMPADDING),
    replayWindow: extensions.X_REPLAY_WINDOW?.packets ?? replay,
    udpPort: extensions.X_UDPENCAP?.port,
    ageSeconds: X_SA_USAGE?.ageSeconds ?? 0,
    firstUsed,
    lastUsed: X_LIFETIME_LASTUSE?.useSeconds ?? 0,
    packets: X_SA_USAGE?.packets ?? 0,
    bytes: LIFETIME_CURRENT?.bytes ?? 0,
    allocations: LIFETIME_CURRENT?.allocations ?? 0,
    drops: X_SA_USAGE?.drops ?? 0,
    sequence: X_SA_USAGE?.sequence ?? 0,
    hard: extensions.LIFETIME_HARD ?? NO_LIMIT,
    soft: extensions.LIFETIME_SOFT ?? NO_LIMIT,
    usedSeconds: firstUsed ? Math.max(0, nowSeconds - firstUsed) : 0,
    selector: extensions.X_SRC_FLOW && selectorView(selectorOf(extensions)),
    ...readIdentities(extensions),
    outer: linkOf(extensions.X_OUTER_SA, extensions.X_OUTER_DST),
    bound: linkOf(extensions.X_BOUND_SA, extensions.X_BOUND_DST),
    flags,
  });
}

function flowView({ satype, extensions }: Message): FlowView {
  const flow = readFlow(satype, extensions);
  return defined({
    ...selectorView(flow.selector),
    direction: flow.selector.direction,
    type: flow.type,
    protocol: NAMES[flow.protocol],
    peer: flow.peer && formatAddress(flow.peer),
    local: flow.local && formatAddress(flow.local),
    spi: flow.spi,
    sourceIdentity: flow.sourceIdentity,
    destinationIdentity: flow.destinationIdentity,
    static: flow.static,
  });
}

/** Every SA, or those of some protocols, in the order of their making. */
export async function fetchSas(
  client: PfkeyClient,
  protocols?: readonly SecurityProtocol[],
  nowSeconds = Math.floor(Date.now() / 1000),
): Promise<SaView[]> {
  const views: SaView[] = [];
  await client.dump("DUMP", "UNSPEC", (message) => {
    if (!protocols || protocols.includes(protocolOf(message.satype))) views.push(saView(message, nowSeconds));
  });
  return views;
}

/** Every flow, in the order of their making. */
export async function fetchFlows(client: PfkeyClient): Promise<FlowView[]> {
  const views: FlowView[] = [];
  await client.dump("X_SPDDUMP", "UNSPEC", (message) => views.push(flowView(message)));
  return views;
}

/** Counters by their group: `esp`, `ah`, `ipip`, `other`, `policy`, `engine`. */
export type Statistics = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** `esp.badIcv=1` lines by group. */
export function parseStatistics(text: string): Record<string, Record<string, number>> {
  const found: Record<string, Record<string, number>> = {};
  for (const row of text.split("\n")) {
    const match = /^(\w+)\.(\w+)=(\d+)$/.exec(row);
    if (match) (found[match[1]] ??= {})[match[2]] = Number(match[3]);
  }
  return found;
}

/** The engine's counters. */
export async function fetchStatistics(client: PfkeyClient): Promise<Statistics> {
  const { extensions } = await client.request("X_STATISTICS", "UNSPEC");
  return parseStatistics(extensions.X_TEXT ?? "");
}

/** Pretty JSON with a final newline. */
export const toJson = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/** `0x00001000`. */
export const formatSpi = (spi: number): string => `0x${spi.toString(16).padStart(8, "0")}`;
