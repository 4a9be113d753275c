/** From the values of a command line to the PF_KEY requests that it means. @module */
import { type Address, formatAddress, formatPrefix } from "../../ip/address.ts";
import {
  type Flow,
  type Identity,
  NO_LIMIT,
  type SaIdentity,
  type SaParameters,
  type SecurityProtocol,
} from "../../ipsec/types.ts";
import type { Extensions } from "../../pfkey/extensions.ts";
import { flowExtensions } from "../../pfkey/flow_message.ts";
import { saTypeOf } from "../../pfkey/nouns.ts";
import { type MessageType, SA_FLAGS, type SaType } from "../../pfkey/numbers.ts";
import { pairExtensions } from "../../pfkey/pair_message.ts";
import { identityExtensions, saExtensions } from "../../pfkey/sa_message.ts";
import type { Values } from "./modifiers.ts";

/** One request to the engine. */
export interface Order {
  readonly type: MessageType;
  readonly satype: SaType;
  readonly extensions: Extensions;
  /** What it is about, for messages: `esp SA 0x00001000 to 192.0.2.1`. */
  readonly what: string;
  /** The security protocol that a sysctl may have switched off. */
  readonly protocol?: SecurityProtocol;
}

const SA_NAMES = { 50: "esp", 51: "ah", 4: "ip4" } as const;

/** `esp SA 0x00001000 to 192.0.2.1`. */
export function describeSaName({ protocol, spi, destination }: SaIdentity): string {
  return `${SA_NAMES[protocol]} SA 0x${spi.toString(16).padStart(8, "0")} to ${formatAddress(destination)}`;
}

/** `out flow 10.0.0.0/8 -> 192.0.2.1/32`. */
export function describeFlowName({ selector }: Flow): string {
  const { source, destination, sourcePort, destinationPort, transport, direction } = selector;
  const port = (number: number) => number ? ` port ${number}` : "";
  const protocol = transport ? ` protocol ${transport}` : "";
  return `${direction} flow ${formatPrefix(source)}${port(sourcePort)} -> ${formatPrefix(destination)}` +
    `${port(destinationPort)}${protocol}`;
}

const identity = (type: Identity["type"] | undefined, text: string | undefined): Identity | undefined =>
  type !== undefined && text !== undefined ? { type, text } : undefined;

function identities(values: Values) {
  const sourceIdentity = identity(values.sourceIdType, values.sourceId);
  const destinationIdentity = identity(values.destinationIdType, values.destinationId);
  return { ...(sourceIdentity && { sourceIdentity }), ...(destinationIdentity && { destinationIdentity }) };
}

/** `new esp`, `new ah`, `old esp`, `old ah`, `ip4`. */
export function newSa(protocol: SecurityProtocol, old: boolean, values: Values): Order[] {
  const { cipher, authenticator } = values;
  const isAh = protocol === 51;
  const sa: SaParameters = {
    protocol,
    spi: values.spi!,
    source: values.src!,
    destination: values.dst!,
    proxy: values.proxy,
    encryption: cipher?.name,
    authentication: authenticator?.name,
    encryptionKey: isAh ? undefined : values.key,
    authenticationKey: isAh ? values.key : values.authKey,
    tunnel: values.tunnel ?? false,
    oldHeader: old,
    halfIv: values.halfIv ?? false,
    randomPadding: old && protocol === 50,
    // Manual keying has no replay protection: nobody would notice when the sequence numbers start again.
    replayWindow: 0,
    udpPort: values.udpPort,
    hard: NO_LIMIT,
    soft: NO_LIMIT,
    ...identities(values),
  };
  return [{
    type: "ADD",
    satype: saTypeOf(protocol),
    extensions: saExtensions(sa, true),
    what: describeSaName(sa),
    protocol,
  }];
}

const named = (protocol: SecurityProtocol, spi: number, destination: Address): SaIdentity => ({
  protocol,
  spi,
  destination,
});

/** `delspi`. */
export function deleteSa(values: Values): Order[] {
  const sa = named(values.protocol ?? 50, values.spi!, values.dst!);
  const { SA, ...rest } = identityExtensions(sa);
  const flags = values.chain ? SA_FLAGS.CHAINDEL : 0;
  return [{
    type: "DELETE",
    satype: saTypeOf(sa.protocol),
    extensions: { ...rest, SA: { ...SA!, flags } },
    what: describeSaName(sa),
  }];
}

/** `group` and `bind`. */
export function pairSas(type: "X_GRPSPIS" | "X_BINDSA", values: Values): Order[] {
  const first = named(values.protocol ?? 50, values.spi!, values.dst!);
  const second = named(values.protocol2 ?? 51, values.spi2!, values.dst2!);
  return [{
    type,
    satype: saTypeOf(first.protocol),
    extensions: pairExtensions(first, second),
    what: `${describeSaName(first)} or ${describeSaName(second)}`,
  }];
}

/** `flow`. */
export function changeFlow(values: Values): Order[] {
  // A flow that names an SA wants that SA; one that names none and no policy protects when it can.
  const type = values.policy ?? (values.spi === undefined ? "use" : "require");
  const protects = type !== "bypass" && type !== "deny";
  const flow: Flow = {
    selector: {
      ...values.packets!,
      transport: values.transport ?? 0,
      sourcePort: values.sourcePort ?? 0,
      destinationPort: values.destinationPort ?? 0,
      direction: values.direction ?? "out",
    },
    type,
    protocol: values.protocol ?? 50,
    ...(protects && { peer: values.dst, local: values.src, spi: values.spi, ...identities(values) }),
    static: true,
  };
  return [{
    type: values.remove ? "X_DELFLOW" : "X_ADDFLOW",
    satype: saTypeOf(flow.protocol),
    extensions: flowExtensions(flow, values.remove ? "delete" : "add"),
    what: describeFlowName(flow),
  }];
}

/** `flush`. */
export function flush({ protocols }: Values): Order[] {
  const satypes: SaType[] = protocols ? protocols.map(saTypeOf) : ["UNSPEC"];
  return satypes.map((satype) => ({ type: "FLUSH", satype, extensions: {}, what: "flush" }));
}
