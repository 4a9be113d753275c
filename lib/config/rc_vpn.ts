/**
 * rc.vpn: a VPN between networks from a few variables. Both sets of variables are read, those of September 2000
 * (GW_PEER, LOCAL_NET_0, ...) and those of January 2003 (GW_REMOTE, LOCAL_NETWORKS, ...).
 *
 * @module
 */
import { formatAddress, formatPrefix, maskOf, parseAddress, parsePrefix, type Prefix } from "../ip/address.ts";
import type { Fault, Place } from "./ini.ts";

/** A variable's value and where it was set. */
export interface Variable extends Place {
  readonly value: string;
}
export type Variables = ReadonlyMap<string, Variable>;

const NAME = /^[A-Za-z_][A-Za-z0-9_]*/;

/**
 * The assignments of a shell-style file: `NAME=VALUE`, values bare, in '...' or in "...", `$NAME` and `${NAME}` meaning
 * earlier ones (or those of `outer`), `export` before, # comments. Anything else is a fault: nothing is executed.
 */
export function parseVariables(
  text: string,
  file: string,
  outer: Variables = new Map(),
): { variables: Map<string, Variable>; faults: Fault[] } {
  const variables = new Map<string, Variable>();
  const faults: Fault[] = [];
  text.split("\n").forEach((raw, i) => {
    const line = i + 1;
    const content = raw.trim().replace(/^export\s+/, "");
    if (content === "" || content.startsWith("#")) return;
    const name = NAME.exec(content)?.[0];
    if (!name || content[name.length] !== "=") {
      faults.push({ file, line, severity: "error", message: "only assignments NAME=VALUE are read here" });
      return;
    }
    const value = parseValue(
      content.slice(name.length + 1),
      (other) => (variables.get(other) ?? outer.get(other))?.value,
    );
    if (typeof value === "object") faults.push({ file, line, severity: "error", message: `${name}: ${value.wrong}` });
    else variables.set(name, { file, line, value });
  });
  return { variables, faults };
}

/** One word of shell text to the end of the line. */
function parseValue(text: string, lookUp: (name: string) => string | undefined): string | { wrong: string } {
  let value = "";
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (quote !== "" && char === quote) quote = "";
    else if (quote === "" && (char === "'" || char === '"')) quote = char;
    else if (char === "$" && quote !== "'") {
      const reference = /^\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))/.exec(text.slice(at));
      if (!reference) return { wrong: "$ begins something other than $NAME or ${NAME}, which is not read here" };
      const name = reference[1] ?? reference[2];
      const other = lookUp(name);
      if (other === undefined) return { wrong: `$${name} is not set before` };
      value += other;
      at += reference[0].length - 1;
    } else if (quote === "" && (char === " " || char === "\t" || char === ";")) {
      const rest = text.slice(at).trim().replace(/^;\s*/, "");
      if (rest === "" || rest.startsWith("#")) return value;
      return { wrong: "a value with blanks needs quotes" };
    } else if (quote === "" && /[`()&|<>]/.test(char)) {
      return { wrong: `${char} would be a command of the shell, which is not run here` };
    } else if (char === "\\" && quote !== "'" && at + 1 < text.length) value += text[++at];
    else value += char;
  }
  return quote === "" ? value : { wrong: "a quote is never closed" };
}

const DEFAULTS: Readonly<Record<string, string>> = {
  ENC: "3des",
  AUTH: "sha1",
  SPI_OUT: "1000",
  SPI_IN: "1001",
  KEYFILE: "/etc/esp-enc-key",
  AUTHKEYFILE: "/etc/esp-auth-key",
};

/** Names that only the version of 2000, or only that of 2003 knows. */
const ONLY_2000 = /^(GW_PEER|(LOCAL|REMOTE)_NET_\d+)$/;
const ONLY_2003 = /^(GW_REMOTE|(LOCAL|REMOTE)_NETWORKS)$/;

/** Whether rc.vpn reads a variable of that name. */
export const isVpnVariable = (name: string): boolean =>
  ONLY_2000.test(name) || ONLY_2003.test(name) || name in DEFAULTS || name === "GW_LOCAL" || name === "DEBUG";

interface Plan {
  readonly local: string;
  readonly peer: string;
  readonly localNets: readonly Prefix[];
  readonly remoteNets: readonly Prefix[];
  value(name: string): string;
}

const ipsecadm = (...words: string[]) => ["ipsecadm", ...words];

/** Both SAs of the tunnel. */
function saCommands({ local, peer, value }: Plan): string[][] {
  const keys = ["-keyfile", value("KEYFILE"), "-authkeyfile", value("AUTHKEYFILE")];
  const sa = (from: string, to: string, spi: string) =>
    ipsecadm(
      ..."new esp -src".split(" "),
      from,
      "-dst",
      to,
      ..."-forcetunnel -spi".split(" "),
      spi,
      "-enc",
      value("ENC"),
      "-auth",
      value("AUTH"),
      ...keys,
    );
  return [sa(local, peer, value("SPI_OUT")), sa(peer, local, value("SPI_IN"))];
}

const host = (address: string): Prefix => {
  const parsed = parseAddress(address);
  return { address: parsed, length: 8 * parsed.octets.length };
};

/** Version of 2000: SAs, then flows gateway - gateway, net - net, gateway - net, net - gateway. */
function commandsOf2000(plan: Plan): string[][] {
  const { local, peer, localNets, remoteNets, value } = plan;
  const words = (
    { address, length }: Prefix,
  ) => [formatAddress(address), formatAddress(maskOf(address.family, length))];
  const pair = (here: Prefix, there: Prefix) => {
    const flow = (spi: string, from: Prefix, to: Prefix, direction: string) =>
      ipsecadm(
        ..."flow -proto esp -src".split(" "),
        local,
        "-dst",
        peer,
        "-spi",
        spi,
        "-addr",
        ...words(from),
        ...words(to),
        direction,
        "-require",
      );
    return [flow(value("SPI_OUT"), here, there, "-out"), flow(value("SPI_IN"), there, here, "-in")];
  };
  return [
    ...saCommands(plan),
    ...pair(host(local), host(peer)),
    ...localNets.flatMap((here) => remoteNets.flatMap((there) => pair(here, there))),
    ...remoteNets.flatMap((there) => pair(host(local), there)),
    ...localNets.flatMap((here) => pair(here, host(peer))),
  ];
}

/** Version of 2003: flush, SAs unless ENC is empty, ESP itself bypassed, then every pair with the gateways as first nets. */
function commandsOf2003(plan: Plan): string[][] {
  const { local, peer, value } = plan;
  const here = [host(local), ...plan.localNets];
  const there = [host(peer), ...plan.remoteNets];
  const flow = (direction: string, policy: string, from: Prefix, to: Prefix, ...more: string[]) =>
    ipsecadm(
      "flow",
      direction,
      policy,
      "-proto",
      "esp",
      "-src",
      local,
      "-dst",
      peer,
      "-addr",
      formatPrefix(from),
      formatPrefix(to),
      ...more,
    );
  const [ourselves, them] = [here[0], there[0]];
  return [
    ipsecadm("flush"),
    ...(value("ENC") === "" ? [] : saCommands(plan)),
    flow("-out", "-bypass", ourselves, them, "-transport", "esp"),
    flow("-in", "-bypass", them, ourselves, "-transport", "esp"),
    ...here.flatMap((from) =>
      there.flatMap((to) => [flow("-out", "-require", from, to), flow("-in", "-require", to, from)])
    ),
  ];
}

/** The commands, word by word, that the variables mean; or what is wrong with them. */
export function vpnCommands(variables: Variables): { commands: string[][]; faults: Fault[] } {
  const faults: Fault[] = [];
  const fault = (place: Place, message: string) => faults.push({ ...place, severity: "error", message });
  const nowhere: Place = { file: variables.values().next().value?.file ?? "environment", line: 0 };
  const names = [...variables.keys()];
  const [old, later] = [names.find((name) => ONLY_2000.test(name)), names.find((name) => ONLY_2003.test(name))];
  if (old && later) fault(variables.get(later)!, `${later} and ${old} are of two versions of rc.vpn: use those of one`);
  const peerName = later ? "GW_REMOTE" : "GW_PEER";

  const gateway = (name: string): string => {
    const variable = variables.get(name);
    if (!variable?.value) {
      fault(
        variable ?? nowhere,
        `${name} is needed: the address of ${name === "GW_LOCAL" ? "this" : "the other"} gateway`,
      );
      return "0.0.0.0";
    }
    try {
      return formatAddress(parseAddress(variable.value));
    } catch {
      fault(variable, `${name}: "${variable.value}" is no numeric IP address`);
      return "0.0.0.0";
    }
  };
  const net = (name: string, text: string): Prefix[] => {
    try {
      if (!text.includes("/")) throw new SyntaxError("no mask");
      return [parsePrefix(text)];
    } catch (error) {
      const form = later ? "NET/LENGTH" : "NET/MASK";
      const wrong = error instanceof RangeError ? error.message : `"${text}": ${form} is needed`;
      fault(variables.get(name)!, `${name}: ${wrong}`);
      return [];
    }
  };
  /** `NAME_0`, `NAME_1`, ...; the first missing number ends the list. */
  const numbered = (prefix: string): Prefix[] => {
    const nets: Prefix[] = [];
    for (let i = 0; variables.get(`${prefix}_${i}`)?.value; i++) {
      nets.push(...net(`${prefix}_${i}`, variables.get(`${prefix}_${i}`)!.value));
    }
    return nets;
  };
  const listed = (name: string): Prefix[] =>
    (variables.get(name)?.value ?? "").split(/\s+/).filter((word) => word !== "").flatMap((word) => net(name, word));

  const plan: Plan = {
    local: gateway("GW_LOCAL"),
    peer: gateway(peerName),
    localNets: later ? listed("LOCAL_NETWORKS") : numbered("LOCAL_NET"),
    remoteNets: later ? listed("REMOTE_NETWORKS") : numbered("REMOTE_NET"),
    value: (name) => variables.get(name)?.value ?? DEFAULTS[name],
  };
  if (faults.length) return { commands: [], faults };
  return { commands: later ? commandsOf2003(plan) : commandsOf2000(plan), faults };
}
