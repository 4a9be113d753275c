/**
 * The policy database as nftables' verdict maps: one hash table per direction and shape of selector (prefix lengths,
 * given protocol and ports). As values, text and octets; nft is not run.
 *
 * @module
 */
import {
  type Address,
  formatAddress,
  maskOf,
  parseAddress,
  type Prefix,
  prefixOf,
  unspecified,
} from "../ip/address.ts";
import type { FlowSelector } from "./flow_tables.ts";
import { concat } from "../octets/bytes.ts";
import { NFPROTO, NFT_TABLE } from "./nft.ts";
import type { ElementChange } from "./nft_elements.ts";

/**
 * What a map is asked for: a packet that comes in, one that goes out; one made here whose source is not known yet (any
 * source); a fragment that goes out without the ports (any ports).
 */
export type MapKind = "in" | "out" | "own" | "fragment";

/** Numbers of a shape: lengths of source and destination prefix; whether protocol, source and destination port are given. */
type Shape = readonly [number, number, number, number, number];

const shapeOf = ({ source, destination, transport, sourcePort, destinationPort }: FlowSelector): Shape => [
  source.length,
  destination.length,
  +(transport > 0),
  +(sourcePort > 0),
  +(destinationPort > 0),
];

/** The selector with what the kind of map does not look at taken out. */
export function reduced(kind: MapKind, selector: FlowSelector): FlowSelector {
  const { source, destination, transport, sourcePort, destinationPort } = selector;
  if (kind === "own") {
    const any = prefixOf(unspecified(source.address.family), 0);
    return { source: any, destination, transport, sourcePort, destinationPort };
  }
  if (kind === "fragment") return { source, destination, transport, sourcePort: 0, destinationPort: 0 };
  return { source, destination, transport, sourcePort, destinationPort };
}

/** A part of the tuple: how nft finds it in a packet, its type in a map, its text of a selector and back. */
interface Part {
  readonly expression: string;
  readonly type: string;
  /** The text as it lies in a key of the kernel's. */
  readonly octets: (text: string) => Uint8Array;
  readonly text: (selector: FlowSelector) => string;
  readonly read: (text: string) => Partial<FlowSelector>;
}

function addressPart(family: 4 | 6, length: number, field: "source" | "destination"): Part {
  const bits = family === 4 ? 32 : 128;
  const mask = length < bits ? ` & ${formatAddress(maskOf(family, length))}` : "";
  return {
    expression: `${family === 4 ? "ip" : "ip6"} ${field === "source" ? "saddr" : "daddr"}${mask}`,
    type: family === 4 ? "ipv4_addr" : "ipv6_addr",
    octets: (text) => parseAddress(text).octets,
    text: (selector) => formatAddress(selector[field].address),
    read: (text) => ({ [field]: prefixOf(parseAddress(text), length) }),
  };
}

function numberPart(expression: string, type: string, field: "transport" | "sourcePort" | "destinationPort"): Part {
  const isPort = field !== "transport";
  return {
    expression,
    type,
    octets: (text) => new Uint8Array(isPort ? [Number(text) >> 8, Number(text) & 0xff] : [Number(text)]),
    text: (selector) => String(selector[field]),
    read: (text) => ({ [field]: Number(text) }),
  };
}

/** Every packet of a family: nft has no map without a key. */
function familyPart(family: 4 | 6): Part {
  return {
    expression: "meta nfproto",
    type: "nf_proto",
    octets: () => new Uint8Array([family === 4 ? NFPROTO.IPV4 : NFPROTO.IPV6]),
    text: () => `ipv${family}`,
    read: () => ({}),
  };
}

function partsOf(family: 4 | 6, [source, destination, transport, sourcePort, destinationPort]: Shape): Part[] {
  const parts: Part[] = [];
  if (source) parts.push(addressPart(family, source, "source"));
  if (destination) parts.push(addressPart(family, destination, "destination"));
  if (transport) parts.push(numberPart("meta l4proto", "inet_proto", "transport"));
  if (sourcePort) parts.push(numberPart("th sport", "inet_service", "sourcePort"));
  if (destinationPort) parts.push(numberPart("th dport", "inet_service", "destinationPort"));
  return parts.length ? parts : [familyPart(family)];
}

/** Between the parts of an element, a type and an expression. */
const PART_SEPARATOR = " . ";

/** The name of the map of `kind` that a selector belongs to. */
export function mapName(kind: MapKind, selector: FlowSelector): string {
  return `${kind}${selector.source.address.family}_${shapeOf(reduced(kind, selector)).join("_")}`;
}

/** The elements of one map, as the flows want it and as nftables has it. */
export class VerdictMap {
  readonly kind: MapKind;
  readonly name: string;
  readonly #family: 4 | 6;
  readonly #shape: Shape;
  readonly #parts: readonly Part[];
  /** Element -> verdict, and how many flows want it (several can look the same when a map does not look at all). */
  readonly #wanted = new Map<string, { verdict: string; count: number }>();
  /** Undefined: nftables has not even the map. */
  #installed: Map<string, string> | undefined;
  /** Elements that may differ between the two. */
  readonly #touched = new Set<string>();

  constructor(kind: MapKind, selector: FlowSelector) {
    this.kind = kind;
    this.name = mapName(kind, selector);
    this.#family = selector.source.address.family;
    this.#shape = shapeOf(reduced(kind, selector));
    this.#parts = partsOf(this.#family, this.#shape);
  }

  get isEmpty(): boolean {
    return this.#wanted.size === 0;
  }

  get isTouched(): boolean {
    return this.#touched.size > 0;
  }

  #element(selector: FlowSelector): string {
    return this.#parts.map(({ text }) => text(selector)).join(PART_SEPARATOR);
  }

  add(selector: FlowSelector, verdict: string): void {
    const element = this.#element(selector);
    this.#wanted.set(element, { verdict, count: (this.#wanted.get(element)?.count ?? 0) + 1 });
    this.#touched.add(element);
  }

  remove(selector: FlowSelector): void {
    const element = this.#element(selector);
    const row = this.#wanted.get(element);
    if (!row) return;
    this.#touched.add(element);
    if (--row.count === 0) this.#wanted.delete(element);
  }

  #text(): string {
    return elementsText(Array.from(this.#wanted, ([element, { verdict }]) => [element, verdict]));
  }

  /** The command that makes the map with all its elements. */
  declaration(): string {
    const type = this.#parts.map((part) => part.type).join(PART_SEPARATOR);
    return `add map ${NFT_TABLE} ${this.name} { type ${type} : verdict; elements = { ${this.#text()} }; }`;
  }

  /** The rule that asks the map. */
  rule(): string {
    return `meta nfproto ipv${this.#family} ${
      this.#parts.map((part) => part.expression).join(PART_SEPARATOR)
    } vmap @${this.name}`;
  }

  /** Elements that nftables has and shall not have, and the other way round. */
  #difference(installed: ReadonlyMap<string, string>): { removed: [string, string][]; added: [string, string][] } {
    const removed: [string, string][] = [];
    const added: [string, string][] = [];
    for (const element of this.#touched) {
      const [wanted, present] = [this.#wanted.get(element)?.verdict, installed.get(element)];
      if (wanted === present) continue;
      if (present !== undefined) removed.push([element, present]);
      if (wanted !== undefined) added.push([element, wanted]);
    }
    return { removed, added };
  }

  /** Commands that bring the map to what the flows want; `rules`: the rules must be written again for that. */
  changes(): { removals: string[]; additions: string[]; rules: boolean } {
    const installed = this.#installed;
    if (this.isEmpty) {
      return { removals: installed ? [`delete map ${NFT_TABLE} ${this.name}`] : [], additions: [], rules: true };
    }
    if (!installed) return { removals: [], additions: [this.declaration()], rules: true };
    const { removed, added } = this.#difference(installed);
    const command = (verb: string, rows: [string, string][]) =>
      rows.length ? [`${verb} element ${NFT_TABLE} ${this.name} { ${elementsText(rows)} }`] : [];
    return { removals: command("delete", removed), additions: command("add", added), rules: false };
  }

  /** The same as elements alone, removals first; undefined when the map itself, and so the rules, must change. */
  elementChanges(): ElementChange[] | undefined {
    if (this.isEmpty || !this.#installed) return undefined;
    const { removed, added } = this.#difference(this.#installed);
    const change = (verb: ElementChange["verb"], rows: [string, string][]): ElementChange[] =>
      rows.length
        ? [{ verb, map: this.name, elements: rows.map(([element, verdict]) => ({ key: this.#key(element), verdict })) }]
        : [];
    return [...change("delete", removed), ...change("add", added)];
  }

  /** An element's key as the kernel has it: of several parts each fills whole registers of four octets. */
  #key(element: string): Uint8Array {
    const values = element.split(PART_SEPARATOR).map((text, i) => this.#parts[i].octets(text));
    if (values.length === 1) return values[0];
    return concat(...values.flatMap((value) => [value, new Uint8Array(-value.length & 3)]));
  }

  /** Nftables now has what the flows want; or, not `present`, nothing of it. */
  settle(present: boolean): void {
    if (!present) this.#installed = undefined;
    else if (!this.#installed) {
      this.#installed = new Map(Array.from(this.#wanted, ([element, { verdict }]) => [element, verdict]));
    } else {
      for (const element of this.#touched) {
        const wanted = this.#wanted.get(element)?.verdict;
        if (wanted === undefined) this.#installed.delete(element);
        else this.#installed.set(element, wanted);
      }
    }
    this.#touched.clear();
  }

  /** The most specific first: longer prefixes, then what names more. */
  static compare(this: void, a: VerdictMap, b: VerdictMap): number {
    const at = a.#shape.findIndex((number, i) => number !== b.#shape[i]);
    return at < 0 ? a.#family - b.#family : b.#shape[at] - a.#shape[at];
  }
}

function elementsText(rows: readonly (readonly [element: string, verdict: string])[]): string {
  return rows.map(([element, verdict]) => `${element} : ${verdict}`).join(", ");
}

/** A selector found in nftables, and whether its packets are let through. */
export interface FoundSelector {
  readonly kind: MapKind;
  readonly selector: FlowSelector;
  readonly passes: boolean;
}

/** The selectors of a map as `nft -jn` lists it; what we cannot have written is left out. */
export function readMap(map: unknown): FoundSelector[] {
  const { name, elem } = map as { name?: unknown; elem?: unknown };
  const match = /^(in|out|own|fragment)([46])((?:_\d+){5})$/.exec(String(name));
  if (!match || !Array.isArray(elem)) return [];
  const kind = match[1] as MapKind;
  const family = Number(match[2]) as 4 | 6;
  const shape = match[3].slice(1).split("_").map(Number) as unknown as Shape;
  const bits = family === 4 ? 32 : 128;
  if (shape[0] > bits || shape[1] > bits) return [];
  const parts = partsOf(family, shape);
  const any: Prefix = prefixOf(unspecified(family), 0);
  const found: FoundSelector[] = [];
  for (const row of elem) {
    const [key, verdict] = Array.isArray(row) ? row : [];
    const texts: unknown[] = (key as { concat?: unknown[] } | undefined)?.concat ?? [key];
    if (texts.length !== parts.length || typeof verdict !== "object" || verdict === null) continue;
    try {
      const selector = Object.assign(
        { source: any, destination: any, transport: 0, sourcePort: 0, destinationPort: 0 },
        ...parts.map(({ read }, i) => read(String(texts[i]))),
      ) as FlowSelector;
      const numbers = [selector.transport, selector.sourcePort, selector.destinationPort];
      if (!numbers.every(Number.isInteger) || hasFamily(selector, family)) continue;
      found.push({ kind, selector, passes: !("goto" in verdict) });
    } catch (error) {
      if (!(error instanceof Error)) throw error;
    }
  }
  return found;
}

const hasFamily = ({ source, destination }: FlowSelector, family: 4 | 6) =>
  [source, destination].some(({ address }: { address: Address }) => address.family !== family);
