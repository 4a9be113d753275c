/** Selectors and flows as extensions and back: X_ADDFLOW, X_DELFLOW, X_ASKPOLICY, and the flow set of an SA. @module */
import { type Address, equalAddress, isUnspecified, lengthOfMask, maskOf, prefixOf } from "../ip/address.ts";
import type { Prefix } from "../ip/address.ts";
import type { Flow, FlowType, Selector } from "../ipsec/types.ts";
import type { Extensions } from "./extensions.ts";
import { DIRECTIONS, FLOW_STATIC, FLOW_TYPES, nameOf, PfkeyError, type SaType } from "./numbers.ts";
import { identitiesOf, protocolOf, readIdentities } from "./nouns.ts";
import type { SocketAddress } from "./sockaddr.ts";

const PORT_MASK = 0xffff;

const end = ({ address }: Prefix, port: number): SocketAddress => ({ address, port });
const mask = ({ address, length }: Prefix, port: number): SocketAddress => ({
  address: maskOf(address.family, length),
  port: port ? PORT_MASK : 0,
});

/** The flow set: addresses, masks, transport, and direction with the flow's type (0 where there is no flow). */
export function flowSetOf(selector: Selector, type?: FlowType, fixed = false): Extensions {
  const { source, destination, sourcePort, destinationPort, transport, direction } = selector;
  return {
    X_SRC_FLOW: end(source, sourcePort),
    X_DST_FLOW: end(destination, destinationPort),
    X_SRC_MASK: mask(source, sourcePort),
    X_DST_MASK: mask(destination, destinationPort),
    X_PROTOCOL: { proto: transport, direction: 0, flags: 0 },
    X_FLOW_TYPE: {
      proto: type ? FLOW_TYPES[type] : 0,
      direction: DIRECTIONS[direction],
      flags: fixed ? FLOW_STATIC : 0,
    },
  };
}

const invalid = (text: string) => new PfkeyError("EINVAL", text);

function prefixAndPort(flow: SocketAddress, mask: SocketAddress, which: string): { prefix: Prefix; port: number } {
  if (flow.address.family !== mask.address.family) throw invalid(`${which}: mask of another address family`);
  if (mask.port !== 0 && mask.port !== PORT_MASK) throw invalid(`${which}: only a whole port can be matched`);
  try {
    return { prefix: prefixOf(flow.address, lengthOfMask(mask.address)), port: mask.port ? flow.port : 0 };
  } catch (error) {
    if (error instanceof RangeError) throw invalid(error.message);
    throw error;
  }
}

/** The selector among `extensions`; addresses are masked. @throws {PfkeyError} EINVAL */
export function selectorOf(extensions: Extensions): Selector {
  const { X_SRC_FLOW, X_SRC_MASK, X_DST_FLOW, X_DST_MASK, X_PROTOCOL, X_FLOW_TYPE } = extensions;
  const source = prefixAndPort(X_SRC_FLOW!, X_SRC_MASK!, "X_SRC_FLOW");
  const destination = prefixAndPort(X_DST_FLOW!, X_DST_MASK!, "X_DST_FLOW");
  if (source.prefix.address.family !== destination.prefix.address.family) {
    throw invalid("The flow's source and destination are of two address families");
  }
  const direction = nameOf(DIRECTIONS, X_FLOW_TYPE!.direction);
  if (!direction) throw invalid(`No flow direction ${X_FLOW_TYPE!.direction}`);
  return {
    source: source.prefix,
    destination: destination.prefix,
    transport: X_PROTOCOL?.proto ?? 0,
    sourcePort: source.port,
    destinationPort: destination.port,
    direction,
  };
}

const at = (address: Address | undefined) => address && { address, port: 0 };

/** The extensions of X_ADDFLOW (and, for `wanted` "delete", of X_DELFLOW, which names the selector only). */
export function flowExtensions(flow: Flow, wanted: "add" | "delete" = "add"): Extensions {
  const set = flowSetOf(flow.selector, flow.type, flow.static);
  if (wanted === "delete") return set;
  return {
    ...set,
    ADDRESS_SRC: at(flow.local),
    ADDRESS_DST: at(flow.peer),
    ...identitiesOf(flow),
    X_FLOW_SPI: flow.spi === undefined ? undefined : { spi: flow.spi },
  };
}

/**
 * The flow that an X_ADDFLOW describes. SA type 0 means ESP; an unspecified peer or local address is none.
 *
 * @throws {PfkeyError} EINVAL or EOPNOTSUPP
 */
export function readFlow(satype: SaType, extensions: Extensions): Flow {
  const selector = selectorOf(extensions);
  const type = nameOf(FLOW_TYPES, extensions.X_FLOW_TYPE!.proto);
  if (!type) throw invalid(`No flow type ${extensions.X_FLOW_TYPE!.proto}`);
  const given = (end: SocketAddress | undefined) => end && !isUnspecified(end.address) ? end.address : undefined;
  const peer = given(extensions.ADDRESS_DST);
  const local = given(extensions.ADDRESS_SRC);
  if (peer && local && peer.family !== local.family) throw invalid("The flow's two ends are of two address families");
  return {
    selector,
    type,
    protocol: protocolOf(satype === "UNSPEC" ? "ESP" : satype),
    ...(peer && { peer }),
    ...(local && { local }),
    ...(extensions.X_FLOW_SPI && { spi: extensions.X_FLOW_SPI.spi }),
    ...readIdentities(extensions),
    static: Boolean(extensions.X_FLOW_TYPE!.flags & FLOW_STATIC),
  };
}

/** Whether two selectors name the same SPD entry. */
export function equalSelector(a: Selector, b: Selector): boolean {
  const same = (one: Prefix, other: Prefix) => one.length === other.length && equalAddress(one.address, other.address);
  return a.direction === b.direction && a.transport === b.transport && a.sourcePort === b.sourcePort &&
    a.destinationPort === b.destinationPort && same(a.source, b.source) && same(a.destination, b.destination);
}
