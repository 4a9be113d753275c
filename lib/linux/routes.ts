/** Keeps the kernel's routes and rules in step with the flows. @module */
import { ERRNO } from "../ffi/errno.ts";
import {
  type Address,
  contains,
  formatAddress,
  formatPrefix,
  overlaps,
  parseAddress,
  type Prefix,
} from "../ip/address.ts";
import { exampleAddress, FlowTables, RANGE, type RoutedFlow, selectorKey } from "./flow_tables.ts";
import type { NetworkEvent } from "./monitor.ts";
import { describeOutcome, Netlink, type Outcome, type Request } from "./netlink.ts";
import { ReversePathFilters } from "./rp_filter.ts";
import {
  addRoute,
  addRule,
  deleteRoute,
  deleteRule,
  findLink,
  findRoute,
  IFF,
  type InterfaceAddress,
  type Link,
  listAddresses,
  listLinks,
  listRoutes,
  listRules,
  type Route,
  type Rule,
} from "./rtnetlink.ts";
import { DEFAULT_MARK } from "./sockets.ts";

export type { FlowSelector, RoutedFlow } from "./flow_tables.ts";

export interface FlowRouterOptions {
  /** The engine's interface, which exists and is up. */
  readonly interfaceName: string;
  /** Socket mark of the engine's own packets; default {@linkcode DEFAULT_MARK}. */
  readonly mark?: number;
  /** The run directory, where what must be restored is remembered. */
  readonly runFolder: string;
}

/** Stands for the index of every interface. */
const EVERY_LINK = -1;

/** With more peers than this, only news of addresses and links lead to another look. */
const MOST_RECHECKED = 256;

/** What had gone already when we wanted to remove it. */
const GONE = new Set([ERRNO.ESRCH, ERRNO.ENOENT, ERRNO.ENODEV]);

/**
 * Routes and rules of a set of flows. Every method that changes something has told the kernel when it returns; what the
 * kernel refused comes back as lines for the log.
 */
export class FlowRouter implements Disposable {
  readonly #netlink = new Netlink();
  readonly #link: Link;
  readonly #mark: number;
  readonly #tables: FlowTables;
  readonly #filters: ReversePathFilters;
  #addresses: InterfaceAddress[] = [];
  #links: Link[] = [];
  #natural = new Map<string, Address | undefined>();
  #peerLinks = new Map<string, number | undefined>();
  /** By flow: indexes of the interfaces whose reverse-path filter must be loose for it; and how many flows want each. */
  readonly #loose = { byFlow: new Map<string, number[]>(), counts: new Map<number, number>(), applied: "" };
  #isUp = true;
  #open = true;
  #complaints = new Set<string>();

  /** @throws {Error} when the interface does not exist @throws {SystemError} */
  constructor({ interfaceName, mark = DEFAULT_MARK, runFolder }: FlowRouterOptions) {
    const link = findLink(this.#netlink, interfaceName);
    if (!link) {
      this.#netlink[Symbol.dispose]();
      throw new Error(`Cannot route flows into ${interfaceName}: there is no such interface`);
    }
    this.#link = link;
    this.#mark = mark;
    this.#filters = new ReversePathFilters(runFolder);
    this.#tables = new FlowTables({
      device: link.index,
      mark,
      naturalSource: (destination) => this.#naturalSource(destination),
    });
    this.#readNetwork();
  }

  /** The addresses of this host, as of the last news. */
  get addresses(): readonly InterfaceAddress[] {
    return this.#addresses;
  }

  add(flow: RoutedFlow): string[] {
    return this.update({ add: [flow] });
  }

  remove(flow: RoutedFlow): string[] {
    return this.update({ remove: [flow] });
  }

  /** Removes flows (by their selectors), then adds others, all in few system calls. */
  update({ add = [], remove = [] }: { add?: Iterable<RoutedFlow>; remove?: Iterable<RoutedFlow> }): string[] {
    for (const flow of remove) {
      this.#tables.remove(flow);
      this.#wantLoose(flow, []);
    }
    const refused: string[] = [];
    for (const flow of add) {
      try {
        this.#tables.add(flow);
        this.#wantLoose(flow, this.#linksToLoosen(flow));
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        refused.push(error.message);
      }
    }
    return [...refused, ...this.#apply()];
  }

  replaceAll(flows: Iterable<RoutedFlow>): string[] {
    return this.update({ remove: this.#tables.flows(), add: flows });
  }

  /** Addresses and interfaces have come or gone (see NetworkMonitor). */
  networkChanged(events: readonly NetworkEvent[]): string[] {
    let addressesChanged = false;
    let linksChanged = false;
    for (const event of events) {
      if (event.type === "lost") {
        addressesChanged = true;
        this.#tables.suspect();
      } else if (event.type === "address") {
        addressesChanged = true;
        if (event.gone) this.#tables.suspect(event.address.address);
      } else if (event.link.index === this.#link.index) {
        const isUp = !event.gone && (event.link.flags & IFF.UP) !== 0;
        // The kernel removes the routes of an interface that goes down.
        if (!isUp || !this.#isUp) this.#tables.suspect();
        this.#isUp = isUp;
        linksChanged = true;
      } else linksChanged = true;
    }
    if (addressesChanged) this.#readNetwork();
    else if (linksChanged) this.#links = listLinks(this.#netlink);
    else return [];
    return this.#isUp ? this.#apply() : [];
  }

  #readNetwork(): void {
    this.#natural.clear();
    this.#peerLinks.clear();
    this.#addresses = listAddresses(this.#netlink);
    this.#links = listLinks(this.#netlink);
    this.#tables.setAddresses(this.#addresses);
    for (const flow of this.#tables.flows()) this.#wantLoose(flow, this.#linksToLoosen(flow));
  }

  /** The way of a packet of ours that carries the mark, so that our own rules do not apply. */
  #lookup(destination: Address): Route | undefined {
    return findRoute(this.#netlink, destination, { mark: this.#mark });
  }

  #naturalSource(destination: Prefix): Address | undefined {
    const key = formatPrefix(destination);
    if (!this.#natural.has(key)) this.#natural.set(key, this.#lookup(exampleAddress(destination))?.source);
    return this.#natural.get(key);
  }

  #apply(): string[] {
    const { addRoutes, addRules, deleteRules, deleteRoutes } = this.#tables.changes();
    // New routes before the rules that lead to them, old rules before the routes that they led to: at no moment does a
    // packet of a flow that stays find another way.
    const complaints = [
      ...this.#transact(addRoutes, addRoute, (route) => `add a route to ${formatPrefix(route.destination)}`),
      ...this.#transact(addRules, addRule, (rule) => `add rule ${rule.priority}`),
      ...this.#transact(deleteRules, deleteRule, (rule) => `delete rule ${rule.priority}`),
      ...this.#transact(deleteRoutes, deleteRoute, (route) => `delete the route to ${formatPrefix(route.destination)}`),
      ...this.#loosenFilters(),
    ];
    return complaints;
  }

  #transact<T extends Route | Rule>(
    values: readonly T[],
    request: (value: T) => Request,
    what: (value: T) => string,
  ): string[] {
    if (values.length === 0) return [];
    const failures = this.#netlink.transact(values.map(request));
    const isRemoval = request as unknown === deleteRoute || request as unknown === deleteRule;
    const complaints: string[] = [];
    for (const [index, outcome] of failures) {
      if (isRemoval ? GONE.has(outcome.errno) : outcome.errno === ERRNO.EEXIST) continue;
      complaints.push(`Cannot ${what(values[index])}: ${describeOutcome(outcome)}${hint(outcome)}`);
    }
    return complaints;
  }

  /** Indexes of the links where peers and neighbours are that a flow routes into the engine's interface instead. */
  #linksToLoosen({ selector: { destination }, peer, type }: RoutedFlow): number[] {
    if (type === "bypass") return [];
    if (destination.address.family !== 4) return [];
    if (destination.length === 0) return [EVERY_LINK];
    const indexes = new Set<number>();
    const end = peer ?? destination.address;
    // Without a route to the peer (yet), it may come from anywhere.
    if (contains(destination, end)) indexes.add(this.#peerLink(end) ?? EVERY_LINK);
    for (const { prefix, index } of this.#addresses) if (overlaps(prefix, destination)) indexes.add(index);
    return [...indexes];
  }

  #wantLoose({ selector }: RoutedFlow, indexes: number[]): void {
    const { byFlow, counts } = this.#loose;
    const key = selectorKey(selector);
    for (const index of byFlow.get(key) ?? []) counts.set(index, counts.get(index)! - 1);
    for (const index of indexes) counts.set(index, (counts.get(index) ?? 0) + 1);
    if (indexes.length) byFlow.set(key, indexes);
    else byFlow.delete(key);
  }

  #loosenFilters(): string[] {
    const { counts } = this.#loose;
    const every = (counts.get(EVERY_LINK) ?? 0) > 0;
    const names = this.#links.filter(({ index, flags }) =>
      (every || (counts.get(index) ?? 0) > 0) && index !== this.#link.index && (flags & IFF.LOOPBACK) === 0
    ).map(({ name }) => name);
    if (names.join("/") === this.#loose.applied) return [];
    this.#loose.applied = names.join("/");
    return this.#filters.set(new Set(names)).filter((name) => !this.#complaints.has(name)).map((name) => {
      this.#complaints.add(name);
      return `Cannot loosen the reverse-path filter of ${name}: what a peer sends may be dropped there; set ` +
        `net.ipv4.conf.${name}.rp_filter=2`;
    });
  }

  #peerLink(peer: Address): number | undefined {
    const key = formatAddress(peer);
    if (!this.#peerLinks.has(key)) this.#peerLinks.set(key, this.#lookup(peer)?.device);
    return this.#peerLinks.get(key);
  }

  /** Looks whether routes to peers lead through other links than before, of which nobody tells; to be called now and then. */
  recheckPeers(): string[] {
    if (this.#peerLinks.size > MOST_RECHECKED) return [];
    const hasMoved = [...this.#peerLinks].some(([peer, link]) => this.#lookup(parseAddress(peer))?.device !== link);
    if (!hasMoved) return [];
    this.#peerLinks.clear();
    for (const flow of this.#tables.flows()) this.#wantLoose(flow, this.#linksToLoosen(flow));
    return this.#loosenFilters();
  }

  /** Removes every route and rule of ours and restores the filters. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    try {
      this.replaceAll([]);
      this.#filters.close();
    } finally {
      this.#netlink[Symbol.dispose]();
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function hint({ errno }: Outcome): string {
  if (errno === ERRNO.EPERM) return " (root or CAP_NET_ADMIN is needed)";
  if (errno === ERRNO.EAFNOSUPPORT || errno === ERRNO.EOPNOTSUPP) {
    return " (the kernel lacks policy routing: CONFIG_IP_MULTIPLE_TABLES, CONFIG_IPV6_MULTIPLE_TABLES)";
  }
  return "";
}

const isOurPriority = (priority: number) => priority >= RANGE.FIRST_PRIORITY && priority <= RANGE.LAST_PRIORITY;
const isOurTable = (table: number) => table >= RANGE.FIRST_TABLE && table <= RANGE.LAST_TABLE;

/** Removes what an engine that did not end properly has left: rules, routes, loosened filters; nothing of others. */
export function clearLeftovers(runFolder: string): { rules: number; routes: number } {
  using netlink = new Netlink();
  let [ruleCount, routeCount] = [0, 0];
  for (const family of [4, 6] as const) {
    // Kernels before 4.17 do not tell who made a rule; then priority and table must do.
    const rules = attempt(() => listRules(netlink, family)).filter((rule) =>
      isOurPriority(rule.priority) && (rule.protocol ?? RANGE.PROTOCOL) === RANGE.PROTOCOL &&
      (rule.table === undefined || isOurTable(rule.table))
    );
    ruleCount += rules.length - netlink.transact(rules.map(deleteRule)).size;
    const routes = attempt(() => listRoutes(netlink, family, { protocol: RANGE.PROTOCOL })).filter((route) =>
      isOurTable(route.table)
    );
    routeCount += routes.length - netlink.transact(routes.map(deleteRoute)).size;
  }
  new ReversePathFilters(runFolder).restoreLeftovers();
  return { rules: ruleCount, routes: routeCount };
}

/** What a question brings; nothing where the kernel lacks the family. */
function attempt<T>(ask: () => T[]): T[] {
  try {
    return ask();
  } catch (error) {
    if (error instanceof Error && error.name === "NetlinkError") return [];
    throw error;
  }
}
