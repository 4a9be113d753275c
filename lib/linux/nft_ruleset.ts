/**
 * Which rule of nftables drops a packet or gives it another source address, from what `nft -j list ruleset` says.
 *
 * @module
 */
import {
  addressIs,
  all,
  any,
  type FilterDrop,
  interfaceIs,
  type Maybe,
  not,
  type Outcome,
  type ProbePacket,
  protocolNumber,
} from "./firewall.ts";
import { NFPROTO } from "./nft.ts";

type Json = unknown;
type Row = Readonly<Record<string, Json>>;

interface Chain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly type?: string;
  readonly hook?: string;
  readonly priority: number;
  readonly policy?: string;
  readonly rules: { readonly handle: number; readonly expr: readonly Row[] }[];
}

/** Statements that neither match nor decide. */
const NEUTRAL: ReadonlySet<string> = new Set([
  "counter",
  "log",
  "mangle",
  "notrack",
  "flow",
  "ct helper",
  "set",
  "map",
]);
const VERDICTS: ReadonlySet<string> = new Set([
  "accept",
  "drop",
  "reject",
  "return",
  "jump",
  "goto",
  "continue",
  "queue",
  "masquerade",
  "snat",
]);
const MAX_DEPTH = 16;
/** `ct state new`, as nft -n prints it. */
const CT_NEW = 8;
/** Numbers of address families (`meta nfproto`) and of Ethernet (`meta protocol`), and nft's names for them. */
const FAMILIES = { 4: [NFPROTO.IPV4, "ipv4", 0x0800, "ip"], 6: [NFPROTO.IPV6, "ipv6", 0x86dd, "ip6"] } as const;

const isRow = (value: Json): value is Row => typeof value === "object" && value !== null && !Array.isArray(value);
const list = (value: Json): readonly Json[] => Array.isArray(value) ? value : [value];

/** The rules of a whole system. */
export class NftRuleset {
  readonly #chains: Chain[] = [];
  readonly #sets = new Map<string, Json>();

  /** @param rows the array `nftables` of nft's answer @param own our own table, which is not looked at: `inet ipsecbox` */
  constructor(rows: readonly Row[], own: string) {
    for (const row of rows) {
      const { chain, rule } = row;
      if (isRow(chain) && `${chain.family} ${chain.table}` !== own) {
        this.#chains.push({
          family: String(chain.family),
          table: String(chain.table),
          name: String(chain.name),
          type: chain.type as string | undefined,
          hook: chain.hook as string | undefined,
          priority: Number(chain.prio ?? 0),
          policy: chain.policy as string | undefined,
          rules: [],
        });
      }
      for (const kind of ["set", "map"]) {
        const set = row[kind];
        if (isRow(set)) this.#sets.set(`${set.family} ${set.table} ${set.name}`, set.elem ?? []);
      }
      if (isRow(rule)) {
        const expr = Array.isArray(rule.expr) ? rule.expr.filter(isRow) : [];
        this.#find(String(rule.family), String(rule.table), String(rule.chain))?.rules.push({
          handle: Number(rule.handle),
          expr,
        });
      }
    }
  }

  #find(family: string, table: string, name: string): Chain | undefined {
    return this.#chains.find((chain) => chain.family === family && chain.table === table && chain.name === name);
  }

  /** Where a packet is dropped for certain on its way through `hooks`; undefined: nowhere, or it cannot be told. */
  findDrop(packet: ProbePacket, hooks: readonly string[]): FilterDrop | undefined {
    for (const chain of this.#base("filter", packet, hooks)) {
      const { verdict, certain, drop } = this.#run(chain, packet, 0);
      const dropped = verdict === "drop"
        ? drop
        : verdict === "return" && chain.policy === "drop"
        ? { by: "nft" as const, chain: nameOf(chain) }
        : undefined;
      if (dropped && certain) return dropped;
    }
    return undefined;
  }

  /** Where a packet that leaves is given another source address for certain. */
  findTranslation(packet: ProbePacket): FilterDrop | undefined {
    for (const chain of this.#base("nat", packet, ["postrouting"])) {
      const { verdict, certain, drop } = this.#run(chain, packet, 0);
      if (!certain) return undefined;
      if (verdict === "translate") return drop;
    }
    return undefined;
  }

  /** The base chains of a type that a packet comes through, in order. */
  #base(type: string, packet: ProbePacket, hooks: readonly string[]): Chain[] {
    const families = packet.family === 4 ? ["ip", "inet"] : ["ip6", "inet"];
    return this.#chains
      .filter((chain) => chain.type === type && hooks.includes(chain.hook ?? "") && families.includes(chain.family))
      .sort((a, b) => hooks.indexOf(a.hook!) - hooks.indexOf(b.hook!) || a.priority - b.priority);
  }

  /** The rules of a chain, in order. */
  #run(chain: Chain, packet: ProbePacket, depth: number): Outcome {
    let certain = true;
    for (const { handle, expr } of chain.rules) {
      const matches: Maybe[] = [];
      for (const statement of expr) {
        const [kind] = Object.keys(statement);
        const value = statement[kind];
        if (kind === "match" && isRow(value)) matches.push(this.#match(chain, packet, value));
        else if (kind === "vmap" && isRow(value)) {
          const outcome = this.#verdictMap(chain, packet, value, handle, depth);
          const held = all(matches);
          if (held === false) break;
          if (outcome === undefined || held === undefined || !outcome.certain) certain = false;
          else if (outcome.verdict !== "return") return { ...outcome, certain };
        } else if (VERDICTS.has(kind)) {
          const held = all(matches);
          if (held === false) break;
          const outcome = this.#verdict(chain, packet, statement, handle, depth);
          if (outcome === undefined) break;
          if (outcome === "leave") {
            if (held) return { verdict: "return", certain };
            certain = false;
          } else if (held && outcome.certain) {
            if (outcome.verdict !== "return") return { ...outcome, certain };
          } else certain = false;
          break;
        } else if (!NEUTRAL.has(kind)) matches.push(undefined);
      }
    }
    return { verdict: "return", certain };
  }

  /** What a verdict statement leads to; "leave": back to the chain before; undefined: on with the next rule. */
  #verdict(
    chain: Chain,
    packet: ProbePacket,
    statement: Row,
    handle: number,
    depth: number,
  ): Outcome | "leave" | undefined {
    const [kind] = Object.keys(statement);
    switch (kind) {
      case "accept":
        return { verdict: "accept", certain: true };
      case "drop":
      case "reject":
        return { verdict: "drop", certain: true, drop: { by: "nft", chain: nameOf(chain), handle } };
      case "masquerade":
      case "snat":
        return { verdict: "translate", certain: true, drop: { by: "nft", chain: nameOf(chain), handle } };
      case "return":
        return "leave";
      case "jump":
      case "goto": {
        const target = statement[kind];
        const name = isRow(target) ? String(target.target) : "";
        const next = this.#find(chain.family, chain.table, name);
        if (!next || depth === MAX_DEPTH) return { verdict: "return", certain: false };
        const outcome = this.#run(next, packet, depth + 1);
        return kind === "goto" && outcome.verdict === "return" && outcome.certain ? "leave" : outcome;
      }
      case "continue":
        return undefined;
      default:
        return { verdict: "accept", certain: false };
    }
  }

  #verdictMap(chain: Chain, packet: ProbePacket, vmap: Row, handle: number, depth: number): Outcome | undefined {
    const data = this.#elements(chain, vmap.data);
    if (!data) return undefined;
    for (const element of data) {
      if (!Array.isArray(element) || !isRow(element[1])) return undefined;
      const held = this.#equals(packet, vmap.key, element[0]);
      if (held === undefined) return undefined;
      if (!held) continue;
      const outcome = this.#verdict(chain, packet, element[1], handle, depth);
      return outcome === undefined || outcome === "leave"
        ? { verdict: "return", certain: outcome === undefined }
        : outcome;
    }
    return { verdict: "return", certain: true };
  }

  /** The elements of an anonymous or named set; undefined where it is not known. */
  #elements({ family, table }: Chain, value: Json): readonly Json[] | undefined {
    if (typeof value === "string" && value.startsWith("@")) {
      const elements = this.#sets.get(`${family} ${table} ${value.slice(1)}`);
      return elements === undefined ? undefined : list(elements).map(bare);
    }
    return isRow(value) && value.set !== undefined ? list(value.set).map(bare) : undefined;
  }

  #match(chain: Chain, packet: ProbePacket, { op, left, right }: Row): Maybe {
    const elements = this.#elements(chain, right) ??
      (typeof right === "string" && right.startsWith("@") ? undefined : list(right));
    if (!elements) return undefined;
    const equal = any(elements.map((element) => this.#equals(packet, left, element)));
    if (op === "==" || op === "in") return equal;
    return op === "!=" ? not(equal) : undefined;
  }

  #equals(packet: ProbePacket, left: Json, right: Json): Maybe {
    if (!isRow(left)) return undefined;
    if (isRow(left.meta)) return metaIs(packet, String(left.meta.key), right);
    if (isRow(left.payload)) return payloadIs(packet, left.payload, right);
    // The peer must be able to begin: its first packet is new to conntrack.
    if (isRow(left.ct) && left.ct.key === "state") {
      return typeof right === "number" ? (right & CT_NEW) !== 0 : right === "new";
    }
    return undefined;
  }
}

/** An element without the timeouts and comments that may surround it. */
function bare(element: Json): Json {
  return isRow(element) && isRow(element.elem) && "val" in element.elem ? element.elem.val : element;
}

const nameOf = ({ family, table, name }: Chain) => `${family} ${table} ${name}`;

/** Whether a number is, or lies in, what nft says. */
function numberIs(value: number | undefined, right: Json): Maybe {
  if (value === undefined) return undefined;
  if (typeof right === "number") return value === right;
  if (isRow(right) && Array.isArray(right.range)) {
    const [from, to] = right.range.map(Number);
    return value >= from && value <= to;
  }
  return undefined;
}

function metaIs(packet: ProbePacket, key: string, right: Json): Maybe {
  switch (key) {
    case "l4proto": {
      const number = typeof right === "string" || typeof right === "number" ? protocolNumber(right) : undefined;
      return number === undefined ? numberIs(packet.protocol, right) : number === packet.protocol;
    }
    case "nfproto":
    case "protocol":
      return (FAMILIES[packet.family] as readonly Json[]).includes(right);
    case "iifname":
    case "iif":
      return interfaceIs(packet.inputInterface, String(right), "*");
    case "oifname":
    case "oif":
      return interfaceIs(packet.outputInterface, String(right), "*");
    case "mark":
      return numberIs(packet.mark, right);
    default:
      return undefined;
  }
}

function payloadIs(packet: ProbePacket, { protocol, field }: Row, right: Json): Maybe {
  if (protocol === "ip" || protocol === "ip6") {
    if (packet.family !== (protocol === "ip" ? 4 : 6)) return false;
    if (field === "protocol" || field === "nexthdr") return metaIs(packet, "l4proto", right);
    const address = field === "saddr" ? packet.source : field === "daddr" ? packet.destination : undefined;
    if (typeof right === "string") return addressIs(address, right);
    if (isRow(right) && isRow(right.prefix)) return addressIs(address, `${right.prefix.addr}/${right.prefix.len}`);
    return undefined;
  }
  if (protocol !== "th") {
    const number = protocolNumber(String(protocol));
    // A match on the header of another protocol never holds.
    if (number !== undefined && number !== packet.protocol) return false;
  }
  if (field === "dport") return numberIs(packet.destinationPort, right);
  if (field === "sport") return numberIs(packet.sourcePort, right);
  return undefined;
}
