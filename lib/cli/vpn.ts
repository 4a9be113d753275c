/** `ipsecbox vpn` (rc.vpn): manual keying between networks from a few variables. @module */
import { formatFault } from "../config/ini.ts";
import { isVpnVariable, parseVariables, type Variable, type Variables, vpnCommands } from "../config/rc_vpn.ts";
import { PfkeyError } from "../pfkey/numbers.ts";
import { readSysctl, SYSTEM_SETTINGS } from "../linux/sysctl.ts";
import { CommandError } from "./command.ts";
import { print } from "./commands.ts";
import { withEngine } from "./engine.ts";
import { systemContext } from "./ipsecadm.ts";
import { parseLine } from "./ipsecadm/parse.ts";
import { carryOut } from "./ipsecadm/send.ts";

export const HELP = `usage: vpn [FILE]

Sets up manual keying between two security gateways and the networks behind them: two SAs and
flows for every pair. The variables come from FILE (assignments as a shell has them) or from
the environment; FILE's count more.

  GW_LOCAL                        address of this gateway
  GW_PEER                         address of the other gateway
  LOCAL_NET_0, LOCAL_NET_1, ...   networks behind this gateway, NET/MASK
  REMOTE_NET_0, REMOTE_NET_1, ...  networks behind the other one
  ENC, AUTH                       algorithms of ipsecadm (3des, sha1)
  SPI_OUT, SPI_IN                 SPIs (1000, 1001); on the other gateway the two are exchanged
  KEYFILE, AUTHKEYFILE            key files (/etc/esp-enc-key, /etc/esp-auth-key)
  DEBUG                           echo: print the ipsecadm commands instead of running them

The names of OpenBSD 3.x work, too: GW_REMOTE, LOCAL_NETWORKS and REMOTE_NETWORKS (lists of
NET/LENGTH, and an empty ENC leaves the SAs to isakmpd). Keys: "ipsecbox genkey 192 >
/etc/esp-enc-key", "ipsecbox genkey 160 > /etc/esp-auth-key", chmod 600, and the same on the
other gateway.

example:
  GW_LOCAL=208.1.1.1 GW_PEER=208.2.2.2 \\
  LOCAL_NET_0=192.168.99.0/255.255.255.0 \\
  REMOTE_NET_0=208.1.2.0/255.255.255.0 REMOTE_NET_1=208.1.5.0/255.255.255.0 \\
  DEBUG=echo ipsecbox vpn
`;

function fromEnvironment(): Map<string, Variable> {
  return new Map(
    Object.entries(Deno.env.toObject()).filter(([name]) => isVpnVariable(name))
      .map(([name, value]) => [name, { file: "environment", line: 0, value }]),
  );
}

function fail(faults: Parameters<typeof formatFault>[0][]): never {
  const [first, ...rest] = faults.map(formatFault);
  throw new CommandError([first, ...rest.map((line) => `vpn: ${line}`)].join("\n"));
}

function readVariables(path: string | undefined): Variables {
  const environment = fromEnvironment();
  if (path === undefined) return environment;
  let text: string;
  try {
    text = Deno.readTextFileSync(path);
  } catch (error) {
    throw new CommandError(
      `${path}: ${error instanceof Deno.errors.NotFound ? "no such file" : (error as Error).message}`,
    );
  }
  const { variables, faults } = parseVariables(text, path, environment);
  if (faults.length) fail(faults);
  return new Map([...environment, ...variables].filter(([name]) => isVpnVariable(name)));
}

/** What must be on before a gateway can work, and how to switch it on; undefined: all is. */
async function switchedOff(): Promise<string | undefined> {
  const forwarding = "net.inet.ip.forwarding";
  if (readSysctl(SYSTEM_SETTINGS[forwarding]) === "0") return forwarding;
  const esp = "net.inet.esp.enable";
  const answer = await withEngine((client) => client.request("X_SYSCTL", "UNSPEC", { X_TEXT: esp }));
  return answer.extensions.X_TEXT === `${esp}=0` ? esp : undefined;
}

export async function run(args: string[]): Promise<number> {
  if (args[0] === "help" || args[0] === "--help") {
    print(HELP);
    return 0;
  }
  if (args.length > 1 || args[0]?.startsWith("-")) {
    throw new CommandError(`one file at most is read, not "${args.join(" ")}"`);
  }
  const variables = readVariables(args[0]);
  const { commands, faults } = vpnCommands(variables);
  if (faults.length) fail(faults);
  if (variables.get("DEBUG")?.value === "echo") {
    print(commands.map((words) => `${words.join(" ")}\n`).join(""));
    return 0;
  }
  const off = await switchedOff();
  if (off) {
    print(`vpn: ${off} is 0: "ipsecbox sysctl -w ${off}=1" sets it and keeps it; no VPN was set up\n`);
    return 0;
  }
  // All of it is understood, keys included, before anything is changed.
  const context = systemContext();
  const parsed = commands.map((words) => parseLine(words.slice(1), context));
  for (const warning of new Set(parsed.flatMap(({ warnings }) => warnings))) {
    print(`vpn: warning: ${warning}\n`, Deno.stderr);
  }
  print(" VPN \n");
  try {
    await withEngine(async (client) => {
      for (const { orders } of parsed) for (const order of orders) await carryOut(client, order);
    });
  } catch (error) {
    if (error instanceof PfkeyError) throw new CommandError(error.message);
    throw error;
  }
  return 0;
}
