/**
 * Holds cleartext to the policy, through nftables: what comes in unprotected though a flow demands protection, and what
 * would go out by another interface than the engine's. While the engine works nothing goes out so, since routes lead into
 * its interface; the table is what stays when interface and routes go: the engine was killed, or someone took the
 * interface down. It stays until each of its flows is there again, or the administrator opens it.
 *
 * Packets are looked up as the SPD does: one hash table per shape of selector, the most specific shape first.
 *
 * @module
 */
import { covers, formatPrefix } from "../ip/address.ts";
import { EXCLUDED, type FlowSelector, ownAddresses, selectorKey } from "./flow_tables.ts";
import { askNft, NFT_TABLE, removeTable, runNft } from "./nft.ts";
import { NftElements } from "./nft_elements.ts";
import type { InterfaceAddress } from "./rtnetlink.ts";
import { type MapKind, mapName, readMap, VerdictMap } from "./verdict_map.ts";

/** A flow of either direction; the engine's Flow is one. */
export interface FilteredFlow {
  readonly selector: FlowSelector & { readonly direction: "in" | "out" };
  readonly type: "use" | "acquire" | "require" | "bypass" | "deny" | "dontacq";
}

export interface PolicyFilterOptions {
  /** The engine's interface, out of which what was protected comes, and into which goes what shall be. */
  readonly interfaceName: string;
  /** Socket mark of the engine's own packets. */
  readonly mark: number;
  /** UDP ports of key management and encapsulation at this host; default 500, 4500, 468. */
  readonly udpPorts?: readonly number[];
  /** Let IP-in-IP (protocols 4 and 41) to this host through: the engine takes it apart. Default no. */
  readonly tunnels?: boolean;
}

const DEFAULT_UDP_PORTS = [500, 4500, 468];
const UNENFORCED = "-require cannot drop cleartext that should have been protected";

/** Flow types that demand protection; the others let cleartext through, also where a wider flow demands it. */
const DEMANDING = new Set<FilteredFlow["type"]>(["require", "deny", "dontacq"]);

/** The chain in which each kind of map is asked. */
const CHAINS: Readonly<Record<MapKind, string>> = { in: "spd_in", out: "spd_out", own: "own", fragment: "fragments" };

/** Multicast, broadcast and neighbours that a demanding flow covers without naming them go out all the same. */
const isNamed = ({ destination }: FlowSelector) =>
  EXCLUDED[destination.address.family].some((excluded) => covers(excluded, destination));

function verdictOf({ selector, type }: FilteredFlow): string {
  if (!DEMANDING.has(type)) return "accept";
  if (selector.direction === "in") return "goto unprotected_in";
  return isNamed(selector) ? "goto hold_back" : "goto unprotected_out";
}

interface FlowState {
  readonly flow: FilteredFlow;
  /** Left by an engine that is no more. */
  readonly leftover: boolean;
  /** The maps that its selector is in. */
  readonly kinds: MapKind[];
}

/** Keeps the table in step with the flows. It exists only while a flow demands protection. */
export class PolicyFilter implements Disposable {
  readonly #options: Required<PolicyFilterOptions>;
  readonly #flows = new Map<string, FlowState>();
  readonly #maps = new Map<string, VerdictMap>();
  readonly #elements = new NftElements();
  #addresses: readonly InterfaceAddress[] = [];
  #demanding = 0;
  #present = false;
  #complained = false;
  #before = { dropped: 0, held: 0 };

  /** Takes over the table that an engine which was killed has left. */
  constructor(options: PolicyFilterOptions) {
    this.#options = { udpPorts: DEFAULT_UDP_PORTS, tunnels: false, ...options };
    const listed = askNft(["list", "table", ...NFT_TABLE.split(" ")]);
    for (const { map } of listed) {
      for (const { kind, selector, passes } of map ? readMap(map) : []) {
        if (kind !== "in" && kind !== "out") continue;
        this.#add({ selector: { ...selector, direction: kind }, type: passes ? "bypass" : "require" }, true);
      }
    }
    if (this.#demanding === 0) {
      this.#forget();
      if (listed.length) removeTable();
    }
  }

  /** Flows in force that an engine which was killed has left, and that nobody has given again. */
  leftovers(): number {
    return [...this.#flows.values()].filter(({ leftover }) => leftover).length;
  }

  /**
   * Removes flows (by direction and selector), then adds others. All flows belong here, whatever their type.
   *
   * @returns lines for the log: that cleartext cannot be dropped, and why; told once
   */
  update({ add = [], remove = [] }: { add?: Iterable<FilteredFlow>; remove?: Iterable<FilteredFlow> }): string[] {
    for (const flow of remove) this.#remove(keyOf(flow));
    for (const flow of add) {
      this.#remove(keyOf(flow));
      this.#add(flow, false);
    }
    return this.#apply();
  }

  /** All flows are these now, and leftovers go. */
  replaceAll(flows: Iterable<FilteredFlow>): string[] {
    for (const key of [...this.#flows.keys()]) this.#remove(key);
    return this.update({ add: flows });
  }

  /**
   * Own addresses have come or gone. Packets made here take the address that a flow is about because its route says so;
   * without the route they would take another, which no flow is about, and go out.
   */
  setAddresses(addresses: readonly InterfaceAddress[]): string[] {
    this.#addresses = addresses;
    for (const state of this.#flows.values()) {
      if (!isOut(state.flow)) continue;
      this.#leave(state);
      this.#enter(state);
    }
    return this.#apply();
  }

  #map(kind: MapKind, selector: FlowSelector): VerdictMap {
    const name = mapName(kind, selector);
    let map = this.#maps.get(name);
    if (!map) this.#maps.set(name, map = new VerdictMap(kind, selector));
    return map;
  }

  #add(flow: FilteredFlow, leftover: boolean): void {
    const state: FlowState = { flow, leftover, kinds: [] };
    this.#flows.set(keyOf(flow), state);
    if (DEMANDING.has(flow.type)) this.#demanding++;
    this.#enter(state);
  }

  #enter({ flow, kinds }: FlowState): void {
    const { selector, type } = flow;
    kinds.push(selector.direction);
    if (isOut(flow) && DEMANDING.has(type)) {
      if (ownAddresses(selector.source, this.#addresses).length) kinds.push("own");
      if (selector.sourcePort || selector.destinationPort) kinds.push("fragment");
    }
    for (const kind of kinds) this.#map(kind, selector).add(selector, verdictOf(flow));
  }

  #leave({ flow: { selector }, kinds }: FlowState): void {
    for (const kind of kinds.splice(0)) this.#map(kind, selector).remove(selector);
  }

  #remove(key: string): void {
    const state = this.#flows.get(key);
    if (!state) return;
    this.#flows.delete(key);
    if (DEMANDING.has(state.flow.type)) this.#demanding--;
    this.#leave(state);
  }

  #apply(): string[] {
    if (this.#demanding === 0) {
      if (this.#present) {
        this.#before = { dropped: this.dropped(), held: this.held() };
        removeTable();
      }
      this.#settle(false);
      return [];
    }
    const touched = [...this.#maps.values()].filter((map) => map.isTouched);
    if (this.#present && touched.length === 0) return [];
    // Changes fail when someone else has flushed the table: then it is made anew.
    const changed = this.#present && (this.#changeElements(touched) || runNft(this.#changes(touched)) === undefined);
    const failure = changed ? undefined : runNft(this.#table());
    this.#settle(failure === undefined);
    if (failure === undefined || this.#complained) return [];
    this.#complained = true;
    return [`${UNENFORCED}: ${failure}; everything else works`];
  }

  /** Nftables has what the flows want, or, after a failure too, nothing: then the next change begins there. */
  #settle(present: boolean): void {
    this.#present = present;
    for (const [name, map] of this.#maps) {
      if (map.isEmpty) this.#maps.delete(name);
      else map.settle(present);
    }
  }

  #rules(): string[] {
    const maps = [...this.#maps.values()].filter((map) => !map.isEmpty).sort(VerdictMap.compare);
    const rules = maps.map((map) => `add rule ${NFT_TABLE} ${CHAINS[map.kind]} ${map.rule()}`);
    if (!maps.some(({ kind }) => kind === "fragment")) return rules;
    const fragments = ["ip frag-off & 0x1fff != 0", "frag frag-off != 0"];
    return [...fragments.map((match) => `add rule ${NFT_TABLE} spd_out ${match} jump fragments`), ...rules];
  }

  /** The quick way, for which no program is started: where elements of maps that are there change, and nothing else. */
  #changeElements(touched: readonly VerdictMap[]): boolean {
    const changes = touched.map((map) => map.elementChanges());
    return changes.every((change) => change !== undefined) && this.#elements.apply(changes.flat());
  }

  #changes(touched: readonly VerdictMap[]): string {
    const changes = touched.map((map) => map.changes());
    const rules = changes.some((change) => change.rules);
    return [
      ...(rules ? Object.values(CHAINS).map((chain) => `flush chain ${NFT_TABLE} ${chain}`) : []),
      ...changes.flatMap(({ removals }) => removals),
      ...changes.flatMap(({ additions }) => additions),
      ...(rules ? this.#rules() : []),
    ].map((line) => line + "\n").join("");
  }

  #table(): string {
    const maps = [...this.#maps.values()].filter((map) => !map.isEmpty);
    const { interfaceName, mark, udpPorts, tunnels } = this.#options;
    const protocols = ["esp", "ah", ...(tunnels ? ["4", "41"] : [])].join(", ");
    const inside = `{ "lo", ${JSON.stringify(interfaceName)} }`;
    const way = (hook: string, rest: string) =>
      // The mark first: most packets that leave are the engine's own.
      `type filter hook ${hook} priority raw - 10; policy accept;\n    meta mark ${mark} accept\n    ` +
      `oifname ${inside} accept\n    ${rest}`;
    return `add table ${NFT_TABLE}
delete table ${NFT_TABLE}
table ${NFT_TABLE} {
  counter dropped { comment "cleartext dropped by policy"; }
  counter held { comment "cleartext held back"; }
  chain unprotected_in {
    meta l4proto { ${protocols} } fib daddr type local accept
    udp dport { ${udpPorts.join(", ")} } fib daddr type local accept
    ip6 nexthdr ah fib daddr type local accept
    hbh nexthdr ah fib daddr type local accept
    dst nexthdr ah fib daddr type local accept
    rt nexthdr ah fib daddr type local accept
    frag nexthdr ah fib daddr type local accept
    ip frag-off & 0x1fff != 0 accept
    frag frag-off != 0 accept
    icmpv6 type 133-137 ip6 hoplimit 255 accept
    counter name dropped drop
  }
  chain hold_back {
    counter name held drop
  }
  chain unprotected_out {
    icmpv6 type 133-137 ip6 hoplimit 255 accept
    ip daddr { ${EXCLUDED[4].map(formatPrefix).join(", ")} } accept
    ip6 daddr { ${EXCLUDED[6].map(formatPrefix).join(", ")} } accept
    fib daddr type broadcast accept
    goto hold_back
  }
  chain spd_in {
  }
  chain spd_out {
  }
  chain own {
  }
  chain fragments {
  }
  chain prerouting {
    type filter hook prerouting priority raw - 10; policy accept;
    iifname ${inside} accept
    goto spd_in
  }
  chain forward {
    ${way("forward", "goto spd_out")}
  }
  chain output {
    ${way("output", "jump spd_out\n    goto own")}
  }
}
${[...maps.map((map) => map.declaration()), ...this.#rules()].join("\n")}
`;
  }

  #counted(name: "dropped" | "held"): number {
    if (!this.#present) return this.#before[name];
    const row = askNft(["list", "counter", ...NFT_TABLE.split(" "), name]).find(({ counter }) => counter);
    return this.#before[name] + ((row?.counter as { packets?: number } | undefined)?.packets ?? 0);
  }

  /** Cleartext packets that came in though a flow demands protection, so far. */
  dropped(): number {
    return this.#counted("dropped");
  }

  /** Cleartext packets that would have gone out, so far. */
  held(): number {
    return this.#counted("held");
  }

  #forget(): void {
    this.#flows.clear();
    this.#maps.clear();
    this.#demanding = 0;
  }

  /** Removes the table: everything is open. */
  close(): void {
    if (this.#demanding || this.#present) removeTable();
    this.#present = false;
    this.#elements[Symbol.dispose]();
    this.#forget();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

const isOut = ({ selector }: FilteredFlow) => selector.direction === "out";
const keyOf = ({ selector }: FilteredFlow) => `${selector.direction} ${selectorKey(selector)}`;
