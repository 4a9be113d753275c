/** Links, addresses, routes and rules of Linux (linux/rtnetlink.h), as requests to and messages from a Netlink socket. @module */
import { SOCKET } from "../ffi/structs.ts";
import { type Address, address, type Prefix, prefixOf, unspecified } from "../ip/address.ts";
import { DecodeError } from "../octets/reader.ts";
import {
  attributeNumber,
  attributeText,
  BodyWriter,
  decodeAttributes,
  type Message,
  type Netlink,
  NLM,
  type Request,
} from "./netlink.ts";

/** Message types. */
export const RTM = {
  NEWLINK: 16,
  DELLINK: 17,
  GETLINK: 18,
  NEWADDR: 20,
  DELADDR: 21,
  GETADDR: 22,
  NEWROUTE: 24,
  DELROUTE: 25,
  GETROUTE: 26,
  NEWRULE: 32,
  DELRULE: 33,
  GETRULE: 34,
} as const;

/** Notification groups, for `new Netlink(groups)`. */
export const RTNLGRP = { LINK: 1, IPV4_ADDRESS: 5, IPV4_ROUTE: 7, IPV6_ADDRESS: 9, IPV6_ROUTE: 11 } as const;

/** Attributes of links, addresses, routes and rules. */
export const IFLA = { NAME: 3, MTU: 4, TXQLEN: 13, LINKINFO: 18, INFO_KIND: 1 } as const;
export const IFA = { ADDRESS: 1, LOCAL: 2, FLAGS: 8 } as const;
export const RTA = {
  DST: 1,
  IIF: 3,
  OIF: 4,
  GATEWAY: 5,
  PRIORITY: 6,
  PREFSRC: 7,
  METRICS: 8,
  TABLE: 15,
  MARK: 16,
  SRC: 2,
} as const;
const RTAX_MTU = 2;
export const FRA = {
  DST: 1,
  SRC: 2,
  IIFNAME: 3,
  GOTO: 4,
  PRIORITY: 6,
  FWMARK: 10,
  TABLE: 15,
  FWMASK: 16,
  PROTOCOL: 21,
  IP_PROTO: 22,
  SPORT: 23,
  DPORT: 24,
} as const;
const FIB_RULE_INVERT = 2;

/** Interface flags. */
export const IFF = {
  UP: 0x1,
  LOOPBACK: 0x8,
  POINTOPOINT: 0x10,
  RUNNING: 0x40,
  NOARP: 0x80,
  MULTICAST: 0x1000,
} as const;

/** rtm_type */
export const ROUTE_TYPES = {
  unicast: 1,
  local: 2,
  broadcast: 3,
  blackhole: 6,
  unreachable: 7,
  prohibit: 8,
  throw: 9,
} as const;
export type RouteType = keyof typeof ROUTE_TYPES;
const ROUTE_TYPE_NAMES = new Map<number, RouteType>(
  Object.entries(ROUTE_TYPES).map(([name, number]) => [number, name as RouteType]),
);

/** action of a rule */
export const RULE_ACTIONS = { table: 1, goto: 2, nop: 3, blackhole: 6, unreachable: 7, prohibit: 8 } as const;
export type RuleAction = keyof typeof RULE_ACTIONS;
const RULE_ACTION_NAMES = new Map<number, RuleAction>(
  Object.entries(RULE_ACTIONS).map(([name, number]) => [number, name as RuleAction]),
);

/** rtm_scope and ifa_scope */
export const SCOPE = { GLOBAL: 0, SITE: 200, LINK: 253, HOST: 254, ANY: 255 } as const;
/** Routing tables of the system. */
export const TABLE = { DEFAULT: 253, MAIN: 254, LOCAL: 255 } as const;

export interface Link {
  readonly index: number;
  readonly name: string;
  /** IFF bits. */
  readonly flags: number;
  readonly mtu: number;
  readonly queueLength: number;
  /** "tun", "veth" ...; absent for hardware. */
  readonly kind?: string;
}

export interface InterfaceAddress {
  readonly index: number;
  readonly address: Address;
  /** The network on the link. */
  readonly prefix: Prefix;
  readonly scope: number;
  /** IFA_F bits; 0x40 tentative, 0x08 duplicate, 0x01 secondary (IPv4) or temporary (IPv6). */
  readonly flags: number;
}

export interface Route {
  readonly destination: Prefix;
  readonly table: number;
  /** Default unicast. */
  readonly type?: RouteType;
  /** Interface index. */
  readonly device?: number;
  readonly gateway?: Address;
  /** Own address that locally made packets take (RTA_PREFSRC). */
  readonly source?: Address;
  readonly metric?: number;
  readonly mtu?: number;
  readonly scope?: number;
  /** RTPROT number: who made the route. */
  readonly protocol?: number;
}

export interface Rule {
  readonly family: 4 | 6;
  readonly priority: number;
  readonly action: RuleAction;
  readonly table?: number;
  /** Priority of the rule to go on with. */
  readonly goto?: number;
  readonly from?: Prefix;
  readonly to?: Prefix;
  /** "lo": packets made here. */
  readonly inputInterface?: string;
  /** Upper protocol number. */
  readonly transport?: number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly mark?: number;
  /** Default all bits. */
  readonly markMask?: number;
  /** The rule applies to what it does *not* describe, as a whole. */
  readonly invert?: boolean;
  /** RTPROT number: who made the rule. */
  readonly protocol?: number;
}

const familyNumber = (family: 4 | 6 | 0) => family === 0 ? 0 : family === 4 ? SOCKET.AF_INET : SOCKET.AF_INET6;

function familyOf(number: number): 4 | 6 | undefined {
  return number === SOCKET.AF_INET ? 4 : number === SOCKET.AF_INET6 ? 6 : undefined;
}

// Requests

export function dumpLinks(): Request {
  return { type: RTM.GETLINK, flags: NLM.DUMP, body: new BodyWriter().u8(0, 0).u16(0).u32(0).u32(0).u32(0).finish() };
}

/** What to change of a link; flags are IFF bits to set and to clear. */
export interface LinkChange {
  readonly mtu?: number;
  readonly queueLength?: number;
  readonly set?: number;
  readonly clear?: number;
}

export function changeLink(index: number, change: LinkChange): Request {
  const set = change.set ?? 0;
  const body = new BodyWriter().u8(0, 0).u16(0).u32(index).u32(set).u32(set | (change.clear ?? 0));
  if (change.mtu !== undefined) body.attributeU32(IFLA.MTU, change.mtu);
  if (change.queueLength !== undefined) body.attributeU32(IFLA.TXQLEN, change.queueLength);
  return { type: RTM.NEWLINK, flags: 0, body: body.finish() };
}

export function dumpAddresses(family: 4 | 6 | 0 = 0): Request {
  const body = new BodyWriter().u8(familyNumber(family), 0, 0, 0).u32(0).finish();
  return { type: RTM.GETADDR, flags: NLM.DUMP, body };
}

function addressBody(index: number, address: Address, length: number): BodyWriter {
  return new BodyWriter().u8(familyNumber(address.family), length, 0, SCOPE.GLOBAL).u32(index)
    .attribute(IFA.LOCAL, address.octets).attribute(IFA.ADDRESS, address.octets);
}

const IFA_F_NODAD = 2;

/** Adds an address; of IPv6 without waiting for duplicate address detection. */
export function addAddress(index: number, address: Address, length: number): Request {
  const body = addressBody(index, address, length);
  if (address.family === 6) body.attributeU32(IFA.FLAGS, IFA_F_NODAD);
  return { type: RTM.NEWADDR, flags: NLM.CREATE | NLM.REPLACE, body: body.finish() };
}

function routeBody(route: Route, scope: number): BodyWriter {
  const { address, length } = route.destination;
  const body = new BodyWriter()
    .u8(familyNumber(address.family), length, 0, 0, 0, route.protocol ?? 0, scope)
    .u8(ROUTE_TYPES[route.type ?? "unicast"]).u32(0)
    .attributeU32(RTA.TABLE, route.table);
  if (length > 0) body.attribute(RTA.DST, address.octets);
  if (route.device !== undefined) body.attributeU32(RTA.OIF, route.device);
  if (route.gateway) body.attribute(RTA.GATEWAY, route.gateway.octets);
  if (route.source) body.attribute(RTA.PREFSRC, route.source.octets);
  if (route.metric !== undefined) body.attributeU32(RTA.PRIORITY, route.metric);
  if (route.mtu !== undefined) body.attribute(RTA.METRICS, new BodyWriter().attributeU32(RTAX_MTU, route.mtu).finish());
  return body;
}

/** Adds a route, or replaces the one to the same destination with the same metric in the same table. */
export function addRoute(route: Route): Request {
  const onLink = route.device !== undefined && !route.gateway && route.destination.address.family === 4;
  const scope = route.scope ?? (onLink ? SCOPE.LINK : SCOPE.GLOBAL);
  return { type: RTM.NEWROUTE, flags: NLM.CREATE | NLM.REPLACE, body: routeBody(route, scope).finish() };
}

export function deleteRoute(route: Route): Request {
  return { type: RTM.DELROUTE, flags: 0, body: routeBody(route, route.scope ?? SCOPE.ANY).finish() };
}

/** All routes of a family; kernels since 4.20 leave out those of other tables and makers. */
export function dumpRoutes(family: 4 | 6, filter: { table?: number; protocol?: number } = {}): Request {
  const body = new BodyWriter().u8(familyNumber(family), 0, 0, 0, 0, filter.protocol ?? 0, 0, 0).u32(0);
  if (filter.table !== undefined) body.attributeU32(RTA.TABLE, filter.table);
  return { type: RTM.GETROUTE, flags: NLM.DUMP, body: body.finish() };
}

export interface LookupOptions {
  /** Socket mark that the packet would carry. */
  readonly mark?: number;
  readonly source?: Address;
  /** Index of the interface by which the packet came; it is forwarded then, and needs a source. */
  readonly inputDevice?: number;
}

/** Which way a packet made here, or one to be forwarded, would go. */
export function lookupRoute(destination: Address, { mark, source, inputDevice }: LookupOptions = {}): Request {
  const bits = 8 * destination.octets.length;
  const body = new BodyWriter().u8(familyNumber(destination.family), bits, source ? bits : 0, 0, 0, 0, 0, 0).u32(0)
    .attribute(RTA.DST, destination.octets);
  if (source) body.attribute(RTA.SRC, source.octets);
  if (inputDevice !== undefined) body.attributeU32(RTA.IIF, inputDevice);
  if (mark !== undefined) body.attributeU32(RTA.MARK, mark);
  return { type: RTM.GETROUTE, flags: 0, body: body.finish() };
}

function ruleBody(rule: Rule): BodyWriter {
  const body = new BodyWriter()
    .u8(familyNumber(rule.family), rule.to?.length ?? 0, rule.from?.length ?? 0, 0, 0, 0, 0, RULE_ACTIONS[rule.action])
    .u32(rule.invert ? FIB_RULE_INVERT : 0)
    .attributeU32(FRA.PRIORITY, rule.priority);
  if (rule.table !== undefined) body.attributeU32(FRA.TABLE, rule.table);
  if (rule.goto !== undefined) body.attributeU32(FRA.GOTO, rule.goto);
  if (rule.from?.length) body.attribute(FRA.SRC, rule.from.address.octets);
  if (rule.to?.length) body.attribute(FRA.DST, rule.to.address.octets);
  if (rule.inputInterface !== undefined) body.attributeText(FRA.IIFNAME, rule.inputInterface);
  if (rule.mark !== undefined) {
    body.attributeU32(FRA.FWMARK, rule.mark).attributeU32(FRA.FWMASK, rule.markMask ?? 0xffffffff);
  }
  if (rule.protocol !== undefined) body.attributeU8(FRA.PROTOCOL, rule.protocol);
  if (rule.transport) body.attributeU8(FRA.IP_PROTO, rule.transport);
  if (rule.sourcePort) body.attributeRange(FRA.SPORT, rule.sourcePort, rule.sourcePort);
  if (rule.destinationPort) body.attributeRange(FRA.DPORT, rule.destinationPort, rule.destinationPort);
  return body;
}

/** Adds a rule; refused with EEXIST when there is the same one. */
export function addRule(rule: Rule): Request {
  return { type: RTM.NEWRULE, flags: NLM.CREATE | NLM.EXCL, body: ruleBody(rule).finish() };
}

export function deleteRule(rule: Rule): Request {
  return { type: RTM.DELRULE, flags: 0, body: ruleBody(rule).finish() };
}

export function dumpRules(family: 4 | 6): Request {
  return {
    type: RTM.GETRULE,
    flags: NLM.DUMP,
    body: new BodyWriter().u8(familyNumber(family), 0, 0, 0, 0, 0, 0, 0).u32(0).finish(),
  };
}

// Messages

/** A family's own structure at the start of `payload`, and the attributes after it. */
function split(payload: Uint8Array, octets: number, what: string): [DataView, Map<number, Uint8Array>] {
  if (payload.length < octets) throw new DecodeError(`${what}: needs ${octets} octets, ${payload.length} left`);
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  return [view, decodeAttributes(payload.subarray(octets))];
}

function numberOf(attributes: Map<number, Uint8Array>, type: number): number | undefined {
  const value = attributes.get(type);
  return value && attributeNumber(value);
}

function addressOf(attributes: Map<number, Uint8Array>, type: number, family: 4 | 6): Address | undefined {
  const value = attributes.get(type);
  if (!value) return undefined;
  if (value.length !== (family === 4 ? 4 : 16)) {
    throw new DecodeError(`netlink attribute: an IPv${family} address of ${value.length} octets`);
  }
  return address(value);
}

function prefix(attributes: Map<number, Uint8Array>, type: number, family: 4 | 6, length: number): Prefix {
  if (length > (family === 4 ? 32 : 128)) throw new DecodeError(`netlink: an IPv${family} prefix of ${length} bits`);
  return prefixOf(addressOf(attributes, type, family) ?? unspecified(family), length);
}

/** RTM_NEWLINK or RTM_DELLINK. @throws {DecodeError} */
export function decodeLink({ payload }: Message): Link {
  const [view, attributes] = split(payload, 16, "link message");
  const info = attributes.get(IFLA.LINKINFO);
  const kind = info && decodeAttributes(info).get(IFLA.INFO_KIND);
  const name = attributes.get(IFLA.NAME);
  return {
    index: view.getInt32(4, true),
    name: name ? attributeText(name) : "",
    flags: view.getUint32(8, true),
    mtu: numberOf(attributes, IFLA.MTU) ?? 0,
    queueLength: numberOf(attributes, IFLA.TXQLEN) ?? 0,
    ...(kind && { kind: attributeText(kind) }),
  };
}

/** RTM_NEWADDR or RTM_DELADDR; undefined for other families than IPv4 and IPv6. @throws {DecodeError} */
export function decodeAddress({ payload }: Message): InterfaceAddress | undefined {
  const [view, attributes] = split(payload, 8, "address message");
  const family = familyOf(view.getUint8(0));
  if (!family) return undefined;
  const onLink = addressOf(attributes, IFA.ADDRESS, family);
  const own = addressOf(attributes, IFA.LOCAL, family) ?? onLink;
  if (!own) throw new DecodeError("address message: no address");
  const length = view.getUint8(1);
  if (length > 8 * own.octets.length) throw new DecodeError(`address message: a prefix of ${length} bits`);
  return {
    index: view.getUint32(4, true),
    address: own,
    // On a point-to-point link the address attribute is the other end's, and the network is there.
    prefix: prefixOf(onLink ?? own, length),
    scope: view.getUint8(3),
    flags: numberOf(attributes, IFA.FLAGS) ?? view.getUint8(2),
  };
}

/** RTM_NEWROUTE or RTM_DELROUTE; undefined for other families, and types that {@linkcode Route} has no word for. @throws {DecodeError} */
export function decodeRoute({ payload }: Message): Route | undefined {
  const [view, attributes] = split(payload, 12, "route message");
  const family = familyOf(view.getUint8(0));
  const type = ROUTE_TYPE_NAMES.get(view.getUint8(7));
  if (!family || !type) return undefined;
  const metrics = attributes.get(RTA.METRICS);
  return {
    destination: prefix(attributes, RTA.DST, family, view.getUint8(1)),
    table: numberOf(attributes, RTA.TABLE) ?? view.getUint8(4),
    type,
    device: numberOf(attributes, RTA.OIF),
    gateway: addressOf(attributes, RTA.GATEWAY, family),
    source: addressOf(attributes, RTA.PREFSRC, family),
    metric: numberOf(attributes, RTA.PRIORITY),
    mtu: metrics && numberOf(decodeAttributes(metrics), RTAX_MTU),
    scope: view.getUint8(6),
    protocol: view.getUint8(5),
  };
}

/** RTM_NEWRULE; undefined for other families and actions that {@linkcode Rule} has no word for. @throws {DecodeError} */
export function decodeRule({ payload }: Message): Rule | undefined {
  const [view, attributes] = split(payload, 12, "rule message");
  const family = familyOf(view.getUint8(0));
  const action = RULE_ACTION_NAMES.get(view.getUint8(7));
  if (!family || !action) return undefined;
  const inputInterface = attributes.get(FRA.IIFNAME);
  const port = (type: number) => {
    const range = attributes.get(type);
    return range && attributeNumber(range.subarray(0, 2));
  };
  const [to, from] = [view.getUint8(1), view.getUint8(2)];
  return {
    family,
    priority: numberOf(attributes, FRA.PRIORITY) ?? 0,
    action,
    table: action === "table" ? numberOf(attributes, FRA.TABLE) ?? view.getUint8(4) : undefined,
    goto: numberOf(attributes, FRA.GOTO),
    from: from ? prefix(attributes, FRA.SRC, family, from) : undefined,
    to: to ? prefix(attributes, FRA.DST, family, to) : undefined,
    inputInterface: inputInterface && attributeText(inputInterface),
    transport: numberOf(attributes, FRA.IP_PROTO),
    sourcePort: port(FRA.SPORT),
    destinationPort: port(FRA.DPORT),
    mark: numberOf(attributes, FRA.FWMARK),
    markMask: numberOf(attributes, FRA.FWMASK),
    invert: (view.getUint32(8, true) & FIB_RULE_INVERT) !== 0,
    protocol: numberOf(attributes, FRA.PROTOCOL),
  };
}

// Questions

/** All interfaces. */
export function listLinks(netlink: Netlink): Link[] {
  return netlink.query(dumpLinks(), "list the interfaces").map(decodeLink);
}

/** The interface of this name, if there is one. */
export function findLink(netlink: Netlink, name: string): Link | undefined {
  return listLinks(netlink).find((link) => link.name === name);
}

/** All addresses of all interfaces. */
export function listAddresses(netlink: Netlink, family: 4 | 6 | 0 = 0): InterfaceAddress[] {
  return present(netlink.query(dumpAddresses(family), "list the addresses").map(decodeAddress));
}

/** The routes of one family in a table, by one maker. */
export function listRoutes(
  netlink: Netlink,
  family: 4 | 6,
  filter: { table?: number; protocol?: number } = {},
): Route[] {
  const routes = present(netlink.query(dumpRoutes(family, filter), "list the routes").map(decodeRoute));
  return routes.filter((route) =>
    (filter.table === undefined || route.table === filter.table) &&
    (filter.protocol === undefined || route.protocol === filter.protocol)
  );
}

/** All rules of one family. */
export function listRules(netlink: Netlink, family: 4 | 6): Rule[] {
  return present(netlink.query(dumpRules(family), "list the rules").map(decodeRule));
}

/** The way of a packet made here or forwarded, or undefined where there is none. */
export function findRoute(netlink: Netlink, destination: Address, options: LookupOptions = {}): Route | undefined {
  try {
    return decodeRoute(netlink.query(lookupRoute(destination, options), "look up a route")[0]);
  } catch (error) {
    if (error instanceof Error && error.name === "NetlinkError") return undefined;
    throw error;
  }
}

/**
 * The largest packet that goes to `destination` unfragmented as far as the kernel knows: the path MTU that it has learnt
 * from ICMP, else the MTU of the route or of the interface. Undefined where there is no route.
 */
export function findPathMtu(netlink: Netlink, destination: Address, options: LookupOptions = {}): number | undefined {
  const route = findRoute(netlink, destination, options);
  if (!route || route.mtu !== undefined) return route?.mtu;
  return listLinks(netlink).find(({ index }) => index === route.device)?.mtu;
}

function present<T>(values: (T | undefined)[]): T[] {
  return values.filter((value) => value !== undefined) as T[];
}
