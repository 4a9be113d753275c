/** `ipsecbox sysctl`: the engine's knobs and Linux's forwarding under their OpenBSD names. @module */
import { dirname } from "node:path";
import { changeSysctlConf, parseSysctlConf } from "../config/sysctl_conf.ts";
import { sysctlConfPath } from "../daemon/paths.ts";
import { EngineUnreachableError, PfkeyClient } from "../daemon/pfkey_client.ts";
import { readSysctlConf } from "../daemon/sysctl_file.ts";
import { knobComplaint, KNOBS } from "../engine/sysctl.ts";
import { readSysctl, SysctlError, SYSTEM_SETTINGS, systemSetting, writeSysctl } from "../linux/sysctl.ts";
import { didYouMean } from "../octets/nearest.ts";
import { CommandError, reason } from "./command.ts";
import { print } from "./commands.ts";
import { toJson } from "../daemon/engine_views.ts";

const SYSTEM_TEXTS: Readonly<Record<string, string>> = {
  "net.inet.ip.forwarding": "whether Linux forwards IPv4 packets (its net.ipv4.ip_forward)",
  "net.inet6.ip6.forwarding": "whether Linux forwards IPv6 packets (its net.ipv6.conf.all.forwarding)",
};

const WIDTH = Math.max(...[...KNOBS.map(({ name }) => name), ...Object.keys(SYSTEM_TEXTS)].map(({ length }) => length));
const line = (name: string, text: string) => `  ${name.padEnd(WIDTH)}  ${text}`;

export const HELP = `usage: ipsecbox sysctl [-n] [--json] [-a | NAME ...]
       ipsecbox sysctl [-w] NAME=VALUE ...

Shows or sets what OpenBSD has under these names. A setting takes effect at once and is kept
in /etc/ipsecbox/sysctl.conf (the directory is moved by IPSECBOX_ETC), from where the engine
reads it when it starts. -n prints values alone.

${Object.entries(SYSTEM_TEXTS).map(([name, text]) => line(name, text)).join("\n")}
${KNOBS.map(({ name, text, value }) => line(name, `${text} (${value})`)).join("\n")}
`;

const NAMES = [...Object.keys(SYSTEM_SETTINGS), ...KNOBS.map(({ name }) => name)];

function demandName(name: string): void {
  if (!NAMES.includes(name)) {
    throw new CommandError(`there is no ${name}${didYouMean(name, NAMES)} ("ipsecbox sysctl -a" lists them)`);
  }
}

/** What is wrong with a value. */
function complaint(name: string, value: string): string | undefined {
  if (!Object.hasOwn(SYSTEM_SETTINGS, name)) return knobComplaint(name, value);
  return value === "0" || value === "1" ? undefined : `${name} is 0 or 1, not "${value}"`;
}

/** A running engine's values; undefined where none runs. */
async function askEngine(setting?: string): Promise<Map<string, string> | undefined> {
  let client: PfkeyClient;
  try {
    client = await PfkeyClient.connect();
  } catch (error) {
    if (error instanceof EngineUnreachableError) return undefined;
    throw error;
  }
  using _ = client;
  const { extensions } = await client.request("X_SYSCTL", "UNSPEC", setting === undefined ? {} : { X_TEXT: setting });
  return new Map((extensions.X_TEXT ?? "").split("\n").map((row) => row.split("=") as [string, string]));
}

/** The values in force; of the engine's knobs, where no engine runs, those with which it would start. */
async function values(): Promise<Map<string, string>> {
  const engine = await askEngine();
  const found = new Map<string, string>();
  for (const [name, system] of Object.entries(SYSTEM_SETTINGS)) {
    const value = readSysctl(system);
    if (value !== undefined) found.set(name, value);
  }
  const path = sysctlConfPath();
  const kept = parseSysctlConf(readSysctlConf(path), path).settings;
  for (const { name, value } of KNOBS) {
    const setting = kept.findLast((each) => each.name === name && knobComplaint(name, each.value) === undefined);
    found.set(name, engine?.get(name) ?? setting?.value ?? value);
  }
  return found;
}

function keep(name: string, value: string, isInForce: boolean): void {
  const path = sysctlConfPath();
  try {
    Deno.mkdirSync(dirname(path), { recursive: true });
    const text = changeSysctlConf(readSysctlConf(path), name, value);
    const temporary = `${path}.${Deno.pid}`;
    Deno.writeTextFileSync(temporary, text, { mode: 0o644 });
    Deno.renameSync(temporary, path);
  } catch (error) {
    throw new CommandError(`${path}: ${reason(error)}${isInForce ? ": the setting is in force but not kept" : ""}`);
  }
}

async function set(name: string, value: string): Promise<void> {
  const system = systemSetting(name);
  if (system) writeSysctl(system, value);
  const isInForce = system !== undefined || await askEngine(`${name}=${value}`) !== undefined;
  keep(name, value, isInForce);
}

export async function run(args: string[]): Promise<number> {
  try {
    return await showOrSet(args);
  } catch (error) {
    if (error instanceof SysctlError) throw new CommandError(error.message);
    throw error;
  }
}

async function showOrSet(args: string[]): Promise<number> {
  const flags = args.filter((word) => word.startsWith("-"));
  const words = args.filter((word) => !word.startsWith("-"));
  if (args[0] === "help" || flags.includes("--help")) {
    print(HELP);
    return 0;
  }
  const unknown = flags.find((flag) => !["-w", "-a", "-n", "--json"].includes(flag));
  if (unknown) throw new CommandError(`no option "${unknown}": -a, -n, -w and --json are there`);
  if (flags.includes("-w") && !words.length) throw new CommandError("-w needs NAME=VALUE");
  const settings = words.filter((word) => word.includes("="));
  // All names and values are looked at before anything is set.
  for (const word of words) {
    const [name, value] = [word.replace(/=.*$/, ""), /=(.*)$/.exec(word)?.[1]];
    demandName(name);
    const wrong = value === undefined ? undefined : complaint(name, value);
    if (wrong) throw new CommandError(wrong);
    if (value === undefined && flags.includes("-w")) throw new CommandError(`-w ${name} needs a value: ${name}=VALUE`);
  }
  const before = await values();
  const bare = flags.includes("-n");
  for (const word of settings) {
    const [name, value] = word.split("=");
    await set(name, value);
    print(bare ? `${value}\n` : `${name}: ${before.get(name) ?? "?"} -> ${value}\n`);
  }
  const shown = words.length ? words.filter((word) => !word.includes("=")) : NAMES.filter((name) => before.has(name));
  if (flags.includes("--json") && !settings.length) {
    print(toJson(Object.fromEntries(shown.map((name) => [name, before.get(name)]))));
  } else {
    for (const name of shown) print(bare ? `${before.get(name) ?? ""}\n` : `${name}=${before.get(name) ?? ""}\n`);
  }
  return 0;
}
