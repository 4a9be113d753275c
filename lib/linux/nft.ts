/**
 * Drops cleartext that should have come protected, through nftables. Packets that come in on any interface but the
 * engine's own are looked up among the incoming flows as the SPD does: one hash table per shape of selector (prefix
 * lengths, given protocol and ports), the most specific shape first.
 *
 * @module
 */
import { check, cString, libc } from "../ffi/libc.ts";
import { type Address, formatAddress, maskOf, type Prefix } from "../ip/address.ts";
import { decodeText, encodeText } from "../octets/bytes.ts";
import { type FlowSelector, selectorKey } from "./flow_tables.ts";

/** An incoming flow; the engine's Flow is one. */
export interface FilteredFlow {
  readonly selector: FlowSelector;
  readonly type: "use" | "acquire" | "require" | "bypass" | "deny" | "dontacq";
}

export interface InboundFilterOptions {
  /** The engine's interface, out of which what was protected comes. */
  readonly interfaceName: string;
  /** UDP ports of key management and encapsulation at this host; default 500, 4500, 468. */
  readonly udpPorts?: readonly number[];
  /** Let IP-in-IP (protocols 4 and 41) to this host through: the engine takes it apart. Default no. */
  readonly tunnels?: boolean;
}

/** The table, which is ours alone. */
export const NFT_TABLE = "inet ipsecbox";
const DEFAULT_UDP_PORTS = [500, 4500, 468];
const PROGRAMS = ["nft", "/usr/sbin/nft", "/sbin/nft"];
const UNENFORCED = "-require cannot drop cleartext that should have been protected";

/** Flow types that demand protection; the others let cleartext through, also where a wider flow demands it. */
const DEMANDING = new Set<FilteredFlow["type"]>(["require", "deny", "dontacq"]);
const verdictOf = ({ type }: FilteredFlow) => DEMANDING.has(type) ? "goto unprotected" : "return";

/** A part of the tuple that a shape looks at: how nft finds it in a packet, its type in a map, its value of a flow. */
interface Part {
  readonly expression: string;
  readonly type: string;
  readonly value: (selector: FlowSelector) => string;
}

/** Numbers by which shapes are compared, in their order: longer prefixes first, then what names more. */
const shapeOf = ({ source, destination, transport, sourcePort, destinationPort }: FlowSelector) => [
  source.length,
  destination.length,
  +(transport > 0),
  +(sourcePort > 0),
  +(destinationPort > 0),
];

function addressPart(family: 4 | 6, field: "saddr" | "daddr", length: number, of: (s: FlowSelector) => Address): Part {
  const bits = family === 4 ? 32 : 128;
  const mask = length < bits ? ` & ${formatAddress(maskOf(family, length))}` : "";
  return {
    expression: `${family === 4 ? "ip" : "ip6"} ${field}${mask}`,
    type: family === 4 ? "ipv4_addr" : "ipv6_addr",
    value: (selector) => formatAddress(of(selector)),
  };
}

/** What nft must look at to find a flow of this shape. */
function partsOf(selector: FlowSelector): Part[] {
  const { source, destination, transport, sourcePort, destinationPort } = selector;
  const { family } = source.address;
  const parts: Part[] = [];
  const prefix = (field: "saddr" | "daddr", { length }: Prefix, of: (s: FlowSelector) => Address) => {
    if (length) parts.push(addressPart(family, field, length, of));
  };
  prefix("saddr", source, (s) => s.source.address);
  prefix("daddr", destination, (s) => s.destination.address);
  if (transport) parts.push({ expression: "meta l4proto", type: "inet_proto", value: (s) => String(s.transport) });
  if (sourcePort) parts.push({ expression: "th sport", type: "inet_service", value: (s) => String(s.sourcePort) });
  if (destinationPort) {
    parts.push({ expression: "th dport", type: "inet_service", value: (s) => String(s.destinationPort) });
  }
  return parts;
}

/** The flows of one family and shape. */
class Shape {
  readonly family: 4 | 6;
  readonly numbers: readonly number[];
  readonly map: string;
  readonly #parts: readonly Part[];
  /** Element of the map -> verdict, as the flows want it and as nftables has it (undefined: not even the map). */
  readonly elements = new Map<string, string>();
  installed: Map<string, string> | undefined;
  /** Elements that may differ between the two. */
  readonly touched = new Set<string>();

  constructor(selector: FlowSelector) {
    this.family = selector.source.address.family;
    this.numbers = shapeOf(selector);
    this.map = `in${this.family}_${this.numbers.join("_")}`;
    this.#parts = partsOf(selector);
  }

  element(selector: FlowSelector): string {
    return this.#parts.map(({ value }) => value(selector)).join(" . ");
  }

  /** Shapes that look at nothing have no map: every packet of the family is their one flow's, and the rule says it. */
  get hasMap(): boolean {
    return this.#parts.length > 0;
  }

  /** The map and all its elements. */
  declaration(): string {
    const type = this.#parts.map(({ type }) => type).join(" . ");
    return `add map ${NFT_TABLE} ${this.map} { type ${type} : verdict; elements = { ${
      elementsText(this.elements)
    } }; }`;
  }

  rule(): string {
    const family = `meta nfproto ipv${this.family}`;
    const expression = this.#parts.map((part) => part.expression).join(" . ");
    return expression ? `${family} ${expression} vmap @${this.map}` : `${family} ${this.elements.get("") ?? "return"}`;
  }

  /** Commands that bring the map to what the flows want, and whether the rules must be written again for that. */
  changes(): { removals: string[]; additions: string[]; rules: boolean } {
    const { elements, installed, hasMap } = this;
    if (elements.size === 0) {
      return {
        removals: installed && hasMap ? [`delete map ${NFT_TABLE} ${this.map}`] : [],
        additions: [],
        rules: true,
      };
    }
    if (!installed || !hasMap) {
      return { removals: [], additions: hasMap ? [this.declaration()] : [], rules: true };
    }
    const [removed, added] = [new Map<string, string>(), new Map<string, string>()];
    for (const element of this.touched) {
      const [wanted, present] = [elements.get(element), installed.get(element)];
      if (wanted === present) continue;
      if (present !== undefined) removed.set(element, present);
      if (wanted !== undefined) added.set(element, wanted);
    }
    const command = (verb: string, rows: Map<string, string>) =>
      rows.size ? [`${verb} element ${NFT_TABLE} ${this.map} { ${elementsText(rows)} }`] : [];
    return { removals: command("delete", removed), additions: command("add", added), rules: false };
  }

  /** Nftables now has what the flows want. */
  settle(): void {
    if (!this.installed) this.installed = new Map(this.elements);
    else {
      for (const element of this.touched) {
        const wanted = this.elements.get(element);
        if (wanted === undefined) this.installed.delete(element);
        else this.installed.set(element, wanted);
      }
    }
    this.touched.clear();
  }
}

function elementsText(elements: ReadonlyMap<string, string>): string {
  return Array.from(elements, ([element, verdict]) => `${element} : ${verdict}`).join(", ");
}

function compareShapes(a: Shape, b: Shape): number {
  const at = a.numbers.findIndex((number, i) => number !== b.numbers[i]);
  return at < 0 ? a.family - b.family : b.numbers[at] - a.numbers[at];
}

/** Keeps the table in step with the incoming flows. It exists only while a flow demands protection. */
export class InboundFilter implements Disposable {
  readonly #options: Required<InboundFilterOptions>;
  readonly #flows = new Map<string, FilteredFlow>();
  readonly #shapes = new Map<string, Shape>();
  #demanding = 0;
  #present = false;
  #complained = false;
  #droppedBefore = 0;

  /** Removes the table that an engine which crashed has left. */
  constructor(options: InboundFilterOptions) {
    this.#options = { udpPorts: DEFAULT_UDP_PORTS, tunnels: false, ...options };
    runNft(`add table ${NFT_TABLE}\ndelete table ${NFT_TABLE}\n`);
  }

  /**
   * Removes flows (by their selectors), then adds others. All incoming flows belong here, whatever their type.
   *
   * @returns lines for the log: that cleartext cannot be dropped, and why; told once
   */
  update({ add = [], remove = [] }: { add?: Iterable<FilteredFlow>; remove?: Iterable<FilteredFlow> }): string[] {
    for (const flow of remove) this.#remove(flow);
    for (const flow of add) {
      this.#remove(flow);
      this.#add(flow);
    }
    return this.#apply();
  }

  replaceAll(flows: Iterable<FilteredFlow>): string[] {
    return this.update({ remove: [...this.#flows.values()], add: flows });
  }

  #shape(selector: FlowSelector): Shape {
    const name = `${selector.source.address.family} ${shapeOf(selector).join()}`;
    let shape = this.#shapes.get(name);
    if (!shape) this.#shapes.set(name, shape = new Shape(selector));
    return shape;
  }

  #add(flow: FilteredFlow): void {
    const { selector, type } = flow;
    const shape = this.#shape(selector);
    const element = shape.element(selector);
    shape.elements.set(element, verdictOf(flow));
    shape.touched.add(element);
    this.#flows.set(selectorKey(selector), flow);
    if (DEMANDING.has(type)) this.#demanding++;
  }

  #remove({ selector }: FilteredFlow): void {
    const key = selectorKey(selector);
    const flow = this.#flows.get(key);
    if (!flow) return;
    this.#flows.delete(key);
    if (DEMANDING.has(flow.type)) this.#demanding--;
    const shape = this.#shape(selector);
    const element = shape.element(selector);
    shape.elements.delete(element);
    shape.touched.add(element);
  }

  #apply(): string[] {
    const touched = [...this.#shapes.values()].filter((shape) => shape.touched.size > 0);
    const wasPresent = this.#present;
    if (this.#demanding === 0) {
      if (wasPresent) {
        this.#droppedBefore += this.#counted();
        runNft(`delete table ${NFT_TABLE}\n`);
      }
      this.#settle(false);
      return [];
    }
    if (wasPresent && touched.length === 0) return [];
    const failure = runNft(wasPresent ? this.#changes(touched) : this.#table());
    this.#settle(failure === undefined);
    if (failure === undefined || this.#complained) return [];
    this.#complained = true;
    return [`${UNENFORCED}: ${failure}; everything else works`];
  }

  /** Nftables has what the flows want, or, after a failure too, nothing: then the next change begins there. */
  #settle(present: boolean): void {
    this.#present = present;
    for (const [name, shape] of this.#shapes) {
      if (shape.elements.size === 0) this.#shapes.delete(name);
      else if (present) shape.settle();
      else {
        shape.installed = undefined;
        shape.touched.clear();
      }
    }
  }

  #rules(): string[] {
    const shapes = [...this.#shapes.values()].filter(({ elements }) => elements.size > 0).sort(compareShapes);
    return shapes.map((shape) => `add rule ${NFT_TABLE} spd ${shape.rule()}`);
  }

  #changes(touched: readonly Shape[]): string {
    const changes = touched.map((shape) => shape.changes());
    const rules = changes.some((change) => change.rules);
    return [
      ...(rules ? [`flush chain ${NFT_TABLE} spd`] : []),
      ...changes.flatMap(({ removals }) => removals),
      ...changes.flatMap(({ additions }) => additions),
      ...(rules ? this.#rules() : []),
    ].map((line) => line + "\n").join("");
  }

  #table(): string {
    const shapes = [...this.#shapes.values()].filter(({ elements, hasMap }) => elements.size > 0 && hasMap);
    const { interfaceName, udpPorts, tunnels } = this.#options;
    const protocols = ["esp", "ah", ...(tunnels ? ["4", "41"] : [])].join(", ");
    return `add table ${NFT_TABLE}
delete table ${NFT_TABLE}
table ${NFT_TABLE} {
  counter dropped { comment "cleartext dropped by policy"; }
  chain unprotected {
    fib daddr type local meta l4proto { ${protocols} } accept
    fib daddr type local udp dport { ${udpPorts.join(", ")} } accept
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
  chain spd {
  }
  chain prerouting {
    type filter hook prerouting priority raw - 10; policy accept;
    iifname { "lo", ${JSON.stringify(interfaceName)} } accept
    goto spd
  }
}
${[...shapes.map((shape) => shape.declaration()), ...this.#rules()].join("\n")}
`;
  }

  #counted(): number {
    const text = this.#present ? outputOfNft(["-j", "list", "counter", ...NFT_TABLE.split(" "), "dropped"]) : undefined;
    try {
      const { nftables } = JSON.parse(text ?? "{}") as { nftables?: { counter?: { packets: number } }[] };
      return nftables?.find(({ counter }) => counter)?.counter?.packets ?? 0;
    } catch (error) {
      if (error instanceof SyntaxError) return 0;
      throw error;
    }
  }

  /** Cleartext packets dropped by policy so far. */
  dropped(): number {
    return this.#droppedBefore + this.#counted();
  }

  /** Removes the table. */
  close(): void {
    if (this.#present) runNft(`delete table ${NFT_TABLE}\n`);
    this.#present = false;
    this.#flows.clear();
    this.#shapes.clear();
    this.#demanding = 0;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function command(args: string[]): Deno.CommandOutput | undefined {
  for (const program of PROGRAMS) {
    try {
      return new Deno.Command(program, { args, stdin: "null" }).outputSync();
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return undefined;
}

/** What nft prints; undefined where it fails or is missing. */
function outputOfNft(args: string[]): string | undefined {
  const output = command(args);
  return output?.success ? decodeText(output.stdout) : undefined;
}

/** Runs a script as one transaction; returns what went wrong. */
function runNft(script: string): string | undefined {
  const { memfd_create, writeBuffer, close } = libc();
  // The script reaches nft through memory: no file, and no pipe that would need the event loop.
  const fd = check(memfd_create(cString("nft"), 0), "keep an nft script in memory");
  try {
    for (let octets = encodeText(script); octets.length;) {
      const written = check(writeBuffer(fd, octets, BigInt(octets.length)), "keep an nft script in memory");
      octets = octets.subarray(written);
    }
    const output = command(["-f", `/proc/${Deno.pid}/fd/${fd}`]);
    if (!output) return "install nftables";
    if (output.success) return undefined;
    const [line] = decodeText(output.stderr).split("\n");
    return `nft says "${line.replace(/^\S*?:\d+:\d+(-\d+)?: /, "").trim()}"`;
  } finally {
    close(fd);
  }
}
