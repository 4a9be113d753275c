/**
 * Which routes and rules bring the packets of a set of flows to the engine's interface, as values: no kernel is asked.
 *
 * The rules of one family, by priority (the numbers are {@linkcode RANGE}'s, a table has the number of its rule):
 *
 *     4000  fwmark MARK goto 4999               what the engine itself sends is not looked at again
 *     4001- iif lo [ipproto P] [sport] [dport]  packets made here: destinations of flows whose source is ours
 *     4130  iif lo from 0.0.0.0 goto 4999       (with the catch-all) packets made here that have no source yet
 *     4199  from all                            the catch-all
 *     4200- from SOURCE [ipproto P]             packets forwarded: destinations of the flows from SOURCE
 *     4999  nop                                 the end
 *
 * What a route brings in but no flow matches the engine passes on unchanged, so a rule may be broader than its flows:
 * rules for forwarded packets leave out ports, which fragments do not have, and more than {@linkcode MAX_FORWARD_RULES}
 * sources become one catch-all rule. Packets of bypass flows would come back unchanged as well, but slower and under the
 * interface's MTU: where it is certain that a bypass flow is about all of them, a route takes its destination out.
 *
 * @module
 */
import { type Address, contains, covers, equalAddress, formatPrefix, isUnspecified } from "../ip/address.ts";
import { parsePrefix, type Prefix, prefixOf } from "../ip/address.ts";
import { FewEntries } from "../octets/few_entries.ts";
import type { InterfaceAddress, Route, Rule } from "./rtnetlink.ts";

/** What packets a flow is about; the engine's Selector is one. */
export interface FlowSelector {
  readonly source: Prefix;
  readonly destination: Prefix;
  /** Upper protocol number; 0: any. */
  readonly transport: number;
  /** 0: any. */
  readonly sourcePort: number;
  readonly destinationPort: number;
}

/** A flow whose packets the engine must see, or need not (`bypass`); the engine's Flow is one. */
export interface RoutedFlow {
  readonly selector: FlowSelector;
  readonly type?: string;
  /** The peer; absent: the packet's own destination. */
  readonly peer?: Address;
}

/** Numbers that are ours: RTPROT value, priorities of rules, and tables (FIRST_TABLE + priority - FIRST_PRIORITY). */
export const RANGE = {
  PROTOCOL: 50,
  FIRST_PRIORITY: 4000,
  LAST_PRIORITY: 4999,
  FIRST_TABLE: 450_000,
  LAST_TABLE: 450_999,
} as const;

/** More distinct sources than this become one catch-all rule. */
export const MAX_FORWARD_RULES = 256;
const MAX_LOCAL_RULES = 64;

// Twice as many numbers as rules: while one set of flows replaces another, both have theirs.
const LOCAL_SPECIFIC = { first: 1, last: 2 * MAX_LOCAL_RULES };
const LOCAL_GENERAL = { first: 129, last: 129 };
const UNBOUND = 130;
const FORWARD_ALL = { first: 199, last: 199 };
const FORWARD = { first: 200, last: 199 + 2 * MAX_FORWARD_RULES };
const END = RANGE.LAST_PRIORITY;

/** From the catch-all back to single rules only when clearly fewer, so that one flow more or less does not rebuild all. */
const isTooMany = (isNow: boolean, count: number, max: number) => count > max || (isNow && count > max / 2);

/** Of the routes that take the excluded out: after a flow's own to the same destination. */
const EXCLUDED_METRIC = 9999;

/** More bypass flows than this are left to the engine, and those that more flows to one destination surround. */
const MAX_BYPASSES = 256;
const MOST_COMPARED = 64;

/** Never captured, unless a flow names it: multicast, broadcast, and IPv6's neighbours. */
export const EXCLUDED: Readonly<Record<4 | 6, readonly Prefix[]>> = {
  4: ["224.0.0.0/4", "255.255.255.255/32"].map(parsePrefix),
  6: ["ff00::/8", "fe80::/10"].map(parsePrefix),
};

const IFA_F_DADFAILED = 0x08;
const IFA_F_TENTATIVE = 0x40;
const SCOPE_GLOBAL = 0;

/** Whether the kernel would take `address` as a source now. */
export function isUsable({ flags }: InterfaceAddress): boolean {
  return (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) === 0;
}

/** The own addresses that packets made here can take so that a flow with this source is about them. */
export function ownAddresses(source: Prefix, addresses: readonly InterfaceAddress[]): InterfaceAddress[] {
  return addresses.filter((each) =>
    each.address.family === source.address.family && isUsable(each) && contains(source, each.address) &&
    (each.scope === SCOPE_GLOBAL || source.length === 8 * each.address.octets.length)
  );
}

interface RouteState {
  readonly destination: Prefix;
  readonly excluded: boolean;
  /** By flow: the own address that packets made here shall take. The first flow's counts. */
  readonly wanted: FewEntries<string, Address | undefined>;
  installed?: { readonly source?: Address };
}

interface TableState {
  readonly key: string;
  /** Priority and table, counted from the start of their ranges. */
  readonly offset: number;
  readonly rule: Rule;
  readonly routes: Map<string, RouteState>;
  ruleInstalled: boolean;
}

interface FlowState {
  readonly flow: RoutedFlow;
  readonly places: { readonly table: TableState; readonly route: string }[];
}

/** Routes and rules to add and to delete, in the order in which they must happen. */
export interface Changes {
  readonly addRoutes: Route[];
  readonly addRules: Rule[];
  readonly deleteRules: Rule[];
  readonly deleteRoutes: Route[];
}

export interface FlowTablesOptions {
  /** Index of the engine's interface. */
  readonly device: number;
  readonly mark: number;
  /**
   * The own address that the kernel would give to a packet to this destination if there were no flows; asked only when
   * several own addresses fit a flow.
   */
  readonly naturalSource: (destination: Prefix) => Address | undefined;
}

/** A selector as text: two flows with the same are one. */
export const selectorKey = ({ source, destination, transport, sourcePort, destinationPort }: FlowSelector) =>
  `${formatPrefix(source)} ${formatPrefix(destination)} ${transport} ${sourcePort} ${destinationPort}`;

/** One family's flows, and what of them is installed. */
class FamilyTables {
  readonly #family: 4 | 6;
  readonly #options: FlowTablesOptions;
  readonly #flows = new Map<string, FlowState>();
  readonly #bypasses = new Map<string, FlowState>();
  readonly #tables = new Map<string, TableState>();
  readonly #dirty = new Map<TableState, Set<string>>();
  readonly #offsets = new Set<number>();
  /** How many flows want a rule of their own, by the rule's key. */
  readonly #rules = { forward: new Map<string, number>(), local: new Map<string, number>() };
  readonly #catchAll = { forward: false, local: false };
  #addresses: readonly InterfaceAddress[] = [];
  #frameInstalled = false;
  #unboundInstalled = false;

  constructor(family: 4 | 6, options: FlowTablesOptions) {
    this.#family = family;
    this.#options = options;
  }

  /** @returns false when there is a flow with this selector already */
  add(flow: RoutedFlow): boolean {
    const key = selectorKey(flow.selector);
    if (flow.type === "bypass") {
      const isNew = !this.remove(flow);
      this.#bypasses.set(key, { flow, places: [] });
      return isNew;
    }
    this.#forgetBypass(key);
    const before = this.#flows.get(key);
    if (before) {
      this.#flows.set(key, { flow, places: before.places });
      return false;
    }
    const state: FlowState = { flow, places: [] };
    this.#flows.set(key, state);
    this.#count(flow, 1);
    this.#decideCatchAll();
    if (!state.places.length) this.#place(key, state);
    return true;
  }

  remove({ selector }: RoutedFlow): boolean {
    const key = selectorKey(selector);
    const state = this.#flows.get(key);
    if (!state) return this.#forgetBypass(key);
    this.#unplace(key, state);
    this.#flows.delete(key);
    this.#count(state.flow, -1);
    this.#decideCatchAll();
    return true;
  }

  #forgetBypass(key: string): boolean {
    const state = this.#bypasses.get(key);
    if (state) this.#unplace(key, state);
    return this.#bypasses.delete(key);
  }

  /** All flows, bypass flows included. */
  flows(): RoutedFlow[] {
    return [...this.#flows.values(), ...this.#bypasses.values()].map(({ flow }) => flow);
  }

  setAddresses(addresses: readonly InterfaceAddress[]): void {
    this.#addresses = addresses.filter(({ address }) => address.family === this.#family);
    this.#placeAll();
  }

  /** The kernel may have dropped routes by itself: all, or those with this own address. */
  suspect(source?: Address): void {
    for (const table of this.#tables.values()) {
      for (const [key, route] of table.routes) {
        if (!route.installed) continue;
        if (source && !(route.installed.source && equalAddress(route.installed.source, source))) continue;
        route.installed = undefined;
        this.#touch(table, key);
      }
    }
  }

  #count({ selector }: RoutedFlow, by: number): void {
    const count = (rules: Map<string, number>, key: string) => {
      const now = (rules.get(key) ?? 0) + by;
      if (now) rules.set(key, now);
      else rules.delete(key);
    };
    count(this.#rules.forward, `${formatPrefix(selector.source)} ${selector.transport}`);
    const { transport, sourcePort, destinationPort } = selector;
    if (transport) count(this.#rules.local, `${transport} ${sourcePort} ${destinationPort}`);
  }

  /** Whether rules have become too many, or few again. */
  #decideCatchAll(): void {
    const forwardNow = isTooMany(this.#catchAll.forward, this.#rules.forward.size, MAX_FORWARD_RULES);
    const localNow = isTooMany(this.#catchAll.local, this.#rules.local.size, MAX_LOCAL_RULES);
    if (forwardNow === this.#catchAll.forward && localNow === this.#catchAll.local) return;
    Object.assign(this.#catchAll, { forward: forwardNow, local: localNow });
    this.#placeAll();
  }

  #placeAll(): void {
    for (const [key, state] of this.#flows) {
      this.#unplace(key, state);
      this.#place(key, state);
    }
  }

  #place(key: string, state: FlowState): void {
    const { selector } = state.flow;
    const put = (table: TableState, source?: Address) => {
      this.#put(key, state, table, selector.destination, false, source);
      for (const excluded of EXCLUDED[this.#family]) {
        if (covers(selector.destination, excluded)) this.#put(key, state, table, excluded, true);
      }
    };
    put(this.#forwardTable(selector));
    const source = this.#localSource(selector);
    if (source) put(this.#localTable(selector), source);
  }

  /**
   * Where a route may take a bypass flow's destination out: in a table that otherwise leads there, if every flow that
   * leads there has the same source, so that of two flows the one with the longer destination, which is the bypass, is the
   * more specific, for whatever packet comes to the table.
   */
  #bypassTables({ selector }: RoutedFlow): TableState[] {
    const { source, destination, transport } = selector;
    if (transport) return [];
    const keys = [this.#catchAll.forward ? undefined : `forward ${formatPrefix(source)} 0`, "local"];
    return keys.flatMap((key) => {
      const table = key === undefined ? undefined : this.#tables.get(key);
      if (!table) return [];
      const wanting: string[] = [];
      for (let length = 0; length <= destination.length; length++) {
        const route = table.routes.get(formatPrefix(prefixOf(destination.address, length)));
        if (route && route.wanted.size > MOST_COMPARED) return [];
        if (route) wanting.push(...route.wanted.keys());
      }
      const isCertain = wanting.length > 0 && wanting.every((flow) => {
        const other = this.#flows.get(flow)!.flow.selector;
        return other.source.length === source.length && covers(other.source, source) &&
          other.destination.length < destination.length;
      });
      return isCertain ? [table] : [];
    });
  }

  /** Puts the routes of bypass flows where they may be now. */
  #placeBypasses(): void {
    let left = MAX_BYPASSES;
    for (const [key, state] of this.#bypasses) {
      const tables = left-- > 0 ? this.#bypassTables(state.flow) : [];
      if (tables.length === state.places.length && tables.every((table, i) => state.places[i].table === table)) {
        continue;
      }
      this.#unplace(key, state);
      for (const table of tables) this.#put(key, state, table, state.flow.selector.destination, true);
    }
  }

  #put(key: string, state: FlowState, table: TableState, to: Prefix, excluded: boolean, source?: Address): void {
    const route = excluded ? `throw ${formatPrefix(to)}` : formatPrefix(to);
    let routeState = table.routes.get(route);
    if (!routeState) table.routes.set(route, routeState = { destination: to, excluded, wanted: new FewEntries() });
    routeState.wanted.set(key, source);
    state.places.push({ table, route });
    this.#touch(table, route);
  }

  #unplace(key: string, state: FlowState): void {
    for (const { table, route } of state.places) {
      table.routes.get(route)?.wanted.delete(key);
      this.#touch(table, route);
    }
    state.places.length = 0;
  }

  #touch(table: TableState, route: string): void {
    let routes = this.#dirty.get(table);
    if (!routes) this.#dirty.set(table, routes = new Set());
    routes.add(route);
  }

  /** The own address for packets made here that the selector is about; undefined where its source is not ours. */
  #localSource({ source, destination }: FlowSelector): Address | undefined {
    const fitting = ownAddresses(source, this.#addresses);
    if (fitting.length < 2) return fitting[0]?.address;
    const natural = this.#options.naturalSource(destination);
    const found = natural && fitting.find(({ address }) => equalAddress(address, natural));
    return (found ?? fitting[0]).address;
  }

  /** Of the own addresses that flows to one destination want, the one that the kernel would take; else the first flow's. */
  #preferred({ wanted, destination }: RouteState): Address | undefined {
    const first = wanted.first;
    if (!first || wanted.size === 1) return first;
    const others = [...wanted.values()].filter((each) => each && !equalAddress(each, first)) as Address[];
    const natural = others.length ? this.#options.naturalSource(destination) : undefined;
    return natural && others.find((each) => equalAddress(each, natural)) || first;
  }

  #forwardTable({ source, transport }: FlowSelector): TableState {
    if (this.#catchAll.forward) return this.#table("forward", FORWARD_ALL, {});
    const match = { ...(source.length && { from: source }), ...(transport && { transport }) };
    return this.#table(`forward ${formatPrefix(source)} ${transport}`, FORWARD, match);
  }

  #localTable({ transport, sourcePort, destinationPort }: FlowSelector): TableState {
    const match = { inputInterface: "lo" };
    if (!transport || this.#catchAll.local) return this.#table("local", LOCAL_GENERAL, match);
    const key = `local ${transport} ${sourcePort} ${destinationPort}`;
    return this.#table(key, LOCAL_SPECIFIC, { ...match, transport, sourcePort, destinationPort });
  }

  #table(key: string, { first, last }: { first: number; last: number }, match: Partial<Rule>): TableState {
    let table = this.#tables.get(key);
    if (!table) {
      let offset = first;
      while (this.#offsets.has(offset)) offset++;
      if (offset > last) throw new RangeError(`Cannot number the rule "${key}": ${first} to ${last} are taken`);
      this.#offsets.add(offset);
      table = { key, offset, rule: this.#rule(offset, match), routes: new Map(), ruleInstalled: false };
      this.#tables.set(key, table);
    }
    return table;
  }

  #rule(offset: number, rest: Partial<Rule>): Rule {
    return {
      family: this.#family,
      priority: RANGE.FIRST_PRIORITY + offset,
      action: "table",
      table: RANGE.FIRST_TABLE + offset,
      protocol: RANGE.PROTOCOL,
      ...rest,
    };
  }

  #frame(): Rule[] {
    const end = { table: undefined, priority: END, action: "nop" } as const;
    const skip = { table: undefined, action: "goto", goto: END } as const;
    return [this.#rule(0, end), this.#rule(0, { ...skip, mark: this.#options.mark })];
  }

  #unbound(): Rule {
    const skip = { table: undefined, action: "goto", goto: END } as const;
    return this.#rule(UNBOUND, { ...skip, inputInterface: "lo", from: parsePrefix("0.0.0.0/32") });
  }

  #route(table: TableState, { destination, excluded }: RouteState, source?: Address): Route {
    return {
      destination,
      table: RANGE.FIRST_TABLE + table.offset,
      protocol: RANGE.PROTOCOL,
      ...(excluded ? { type: "throw", metric: EXCLUDED_METRIC } : { device: this.#options.device, source }),
    };
  }

  /** What must happen in the kernel to bring it where the flows want it; afterwards that is taken to have happened. */
  changes(into: Changes): void {
    this.#placeBypasses();
    const wantsFrame = this.#flows.size > 0;
    if (wantsFrame && !this.#frameInstalled) into.addRules.push(...this.#frame());
    const wantsUnbound = this.#family === 4 && wantsFrame && this.#catchAll.forward;
    if (wantsUnbound && !this.#unboundInstalled) into.addRules.push(this.#unbound());
    for (const [table, keys] of this.#dirty) this.#tableChanges(table, keys, into);
    this.#dirty.clear();
    if (this.#unboundInstalled && !wantsUnbound) into.deleteRules.push(this.#unbound());
    if (this.#frameInstalled && !wantsFrame) into.deleteRules.push(...this.#frame().reverse());
    this.#frameInstalled = wantsFrame;
    this.#unboundInstalled = wantsUnbound;
  }

  #tableChanges(table: TableState, keys: Set<string>, into: Changes): void {
    for (const key of keys) {
      const route = table.routes.get(key);
      if (!route) continue;
      if (route.wanted.size === 0) {
        if (route.installed) into.deleteRoutes.push(this.#route(table, route));
        table.routes.delete(key);
        continue;
      }
      const source = this.#preferred(route);
      const same = route.installed &&
        (source && route.installed.source
          ? equalAddress(source, route.installed.source)
          : source === route.installed.source);
      if (same) continue;
      into.addRoutes.push(this.#route(table, route, source));
      route.installed = { source };
    }
    const wanted = table.routes.size > 0;
    if (wanted !== table.ruleInstalled) (wanted ? into.addRules : into.deleteRules).push(table.rule);
    table.ruleInstalled = wanted;
    if (wanted) return;
    this.#tables.delete(table.key);
    this.#offsets.delete(table.offset);
  }
}

/** The flows of both families. */
export class FlowTables {
  readonly #families: Readonly<Record<4 | 6, FamilyTables>>;

  constructor(options: FlowTablesOptions) {
    this.#families = { 4: new FamilyTables(4, options), 6: new FamilyTables(6, options) };
  }

  /** @returns false when there is a flow with this selector already (its peer is replaced) @throws {RangeError} */
  add(flow: RoutedFlow): boolean {
    const { source, destination } = flow.selector;
    if (source.address.family !== destination.address.family) {
      throw new RangeError(
        `Cannot route from ${formatPrefix(source)} to ${formatPrefix(destination)}: two IP versions`,
      );
    }
    return this.#families[source.address.family].add(flow);
  }

  /** @returns false when there is no flow with this selector */
  remove(flow: RoutedFlow): boolean {
    return this.#families[flow.selector.source.address.family].remove(flow);
  }

  flows(): RoutedFlow[] {
    return [...this.#families[4].flows(), ...this.#families[6].flows()];
  }

  /** Own addresses have come or gone. */
  setAddresses(addresses: readonly InterfaceAddress[]): void {
    for (const family of Object.values(this.#families)) family.setAddresses(addresses);
  }

  /** The kernel may have dropped routes by itself: all (the interface was down), or those with this own address. */
  suspect(source?: Address): void {
    if (source) this.#families[source.family].suspect(source);
    else for (const family of Object.values(this.#families)) family.suspect();
  }

  /** What must happen in the kernel; taken to have happened afterwards. */
  changes(): Changes {
    const changes: Changes = { addRoutes: [], addRules: [], deleteRules: [], deleteRoutes: [] };
    for (const family of Object.values(this.#families)) family.changes(changes);
    return changes;
  }
}

/** A destination for which a lookup stands for the whole prefix: its first address that can be a host's. */
export function exampleAddress({ address, length }: Prefix): Address {
  if (isUnspecified(address)) return parsePrefix(address.family === 4 ? "192.0.2.1" : "2001:db8::1").address;
  if (length >= 8 * address.octets.length - 1) return address;
  const octets = address.octets.slice();
  octets[octets.length - 1] |= 1;
  return { family: address.family, octets };
}
