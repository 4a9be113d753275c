/**
 * Which rule of iptables drops a packet or gives it another source address, from what `iptables-save` or `ip6tables-save`
 * says.
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

interface Rule {
  readonly text: string;
  readonly words: readonly string[];
}

interface Chain {
  readonly name: string;
  readonly policy: string;
  readonly rules: Rule[];
}

const MAX_DEPTH = 16;
/** Targets that change or note something and let the packet go on. */
const PASSING: ReadonlySet<string> = new Set([
  "LOG",
  "NFLOG",
  "MARK",
  "CONNMARK",
  "TCPMSS",
  "TOS",
  "DSCP",
  "CT",
  "NOTRACK",
]);

/** Words as a shell would see them: iptables-save quotes comments. */
const wordsOf = (line: string): string[] =>
  Array.from(line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g), (match) => match[1] ?? match[2]);

function portIs(port: number | undefined, text: string): Maybe {
  if (port === undefined) return undefined;
  const match = /^(\d+)(?::(\d+))?$/.exec(text);
  return match ? port >= Number(match[1]) && port <= Number(match[2] ?? match[1]) : undefined;
}

/** What each option with an argument asks; those that are not here are not understood. */
const OPTIONS: Readonly<Record<string, (packet: ProbePacket, value: string) => Maybe>> = {
  "-p": ({ protocol }, value) => {
    const number = value === "all" ? protocol : protocolNumber(value);
    return number === undefined ? undefined : number === protocol;
  },
  "-s": ({ source }, value) => addressIs(source, value),
  "-d": ({ destination }, value) => addressIs(destination, value),
  "-i": ({ inputInterface }, value) => interfaceIs(inputInterface, value, "+"),
  "-o": ({ outputInterface }, value) => interfaceIs(outputInterface, value, "+"),
  "--dport": ({ destinationPort }, value) => portIs(destinationPort, value),
  "--sport": ({ sourcePort }, value) => portIs(sourcePort, value),
  "--dports": ({ destinationPort }, value) => any(value.split(",").map((part) => portIs(destinationPort, part))),
  "--sports": ({ sourcePort }, value) => any(value.split(",").map((part) => portIs(sourcePort, part))),
  "--state": (_, value) => value.split(",").includes("NEW"),
  "--ctstate": (_, value) => value.split(",").includes("NEW"),
};
/** Options that match nothing by themselves. */
const SILENT: ReadonlySet<string> = new Set(["-m", "--comment", "--reject-with", "--log-prefix", "--log-level", "-c"]);

/** Targets that give a packet another source address. */
const TRANSLATING: ReadonlySet<string> = new Set(["MASQUERADE", "SNAT", "NETMAP"]);

type Chains = Map<string, Chain>;

/** The tables `filter` and `nat` of one address family. */
export class IptablesRules {
  readonly #tables: Readonly<Record<string, Chains>> = { filter: new Map(), nat: new Map() };

  constructor(text: string) {
    let table = "";
    for (const line of text.split("\n")) {
      if (line.startsWith("*")) table = line.slice(1).trim();
      if (!Object.hasOwn(this.#tables, table)) continue;
      const chains = this.#tables[table];
      const chain = /^:(\S+) (\S+)/.exec(line);
      if (chain) chains.set(chain[1], { name: chain[1], policy: chain[2], rules: [] });
      const rule = /^-A (\S+) ?(.*)$/.exec(line);
      if (rule) chains.get(rule[1])?.rules.push({ text: line, words: wordsOf(rule[2]) });
    }
  }

  /** Where `INPUT`, `OUTPUT` or `FORWARD` drops a packet for certain; undefined: nowhere, or it cannot be told. */
  findDrop(packet: ProbePacket, name: "INPUT" | "OUTPUT" | "FORWARD"): FilterDrop | undefined {
    const chains = this.#tables.filter;
    const chain = chains.get(name);
    if (!chain) return undefined;
    const { verdict, certain, drop } = this.#run(chains, chain, packet, 0);
    if (!certain) return undefined;
    if (verdict === "drop") return drop;
    return verdict === "return" && chain.policy === "DROP" ? { by: "iptables", chain: name } : undefined;
  }

  /** Where a packet that leaves is given another source address for certain. */
  findTranslation(packet: ProbePacket): FilterDrop | undefined {
    const chains = this.#tables.nat;
    const chain = chains.get("POSTROUTING");
    if (!chain) return undefined;
    const { verdict, certain, drop } = this.#run(chains, chain, packet, 0);
    return certain && verdict === "translate" ? drop : undefined;
  }

  #run(chains: Chains, chain: Chain, packet: ProbePacket, depth: number): Outcome {
    let certain = true;
    for (const { text, words } of chain.rules) {
      const { held, target, isGoto } = read(packet, words);
      if (held === false || target === undefined || PASSING.has(target)) continue;
      if (target === "RETURN") {
        if (held) return { verdict: "return", certain };
        certain = false;
        continue;
      }
      const outcome = this.#target(chains, chain, text, target, packet, depth);
      if (!held || !outcome.certain) certain = false;
      else if (outcome.verdict !== "return" || isGoto) return { ...outcome, certain };
    }
    return { verdict: "return", certain };
  }

  #target(
    chains: Chains,
    { name }: Chain,
    rule: string,
    target: string,
    packet: ProbePacket,
    depth: number,
  ): Outcome {
    if (target === "ACCEPT") return { verdict: "accept", certain: true };
    if (target === "DROP" || target === "REJECT") {
      return { verdict: "drop", certain: true, drop: { by: "iptables", chain: name, rule } };
    }
    if (TRANSLATING.has(target)) {
      return { verdict: "translate", certain: true, drop: { by: "iptables", chain: name, rule } };
    }
    const next = chains.get(target);
    return next && depth < MAX_DEPTH
      ? this.#run(chains, next, packet, depth + 1)
      : { verdict: "return", certain: false };
  }
}

/** Whether a rule matches, and where it leads. */
function read(packet: ProbePacket, words: readonly string[]): { held: Maybe; target?: string; isGoto: boolean } {
  const matches: Maybe[] = [];
  let target: string | undefined;
  let isGoto = false;
  let negated = false;
  for (let at = 0; at < words.length; at++) {
    const word = words[at];
    if (word === "!") {
      negated = true;
      continue;
    }
    if (word === "-j" || word === "-g") {
      target = words[++at];
      isGoto = word === "-g";
    } else if (SILENT.has(word)) at++;
    else if (Object.hasOwn(OPTIONS, word)) {
      const held = OPTIONS[word](packet, words[++at] ?? "");
      matches.push(negated ? not(held) : held);
    } else if (word.startsWith("-") && target === undefined) matches.push(undefined);
    negated = false;
  }
  return { held: all(matches), target, isGoto };
}
