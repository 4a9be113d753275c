/** `ipsecbox enc`: runs the engine. @module */
import { parseArgs } from "../std/parse_args.ts";
import { loadLibcrypto } from "../crypto/libcrypto.ts";
import { Enc, type EncLog, type EncOptions } from "../daemon/enc.ts";
import { loadSysctlConf } from "../daemon/sysctl_file.ts";
import { CommandError } from "./command.ts";
import { print } from "./commands.ts";

export const HELP = `usage: ipsecbox enc [-nv] [-i INTERFACE] [--mtu OCTETS] [--port PORT] [--workers 1|2]

Runs the IPsec engine in the foreground: it keeps SAs and flows, moves packets through the
interface enc0, and answers ipsecadm, isakmpd and photurisd on /run/ipsecbox/pfkey.sock
(the directory is moved by IPSECBOX_RUN). SIGTERM or SIGINT ends it and removes the
interface, routes, rules and filters that it made.

  -i INTERFACE     name of the interface (enc0)
  -n               check what an engine needs, say what is missing, start nothing
  -v               log more
  --mtu OCTETS     MTU of the interface; without it the MTU follows the SAs in use
  --port PORT      UDP port of encapsulated ESP (4500); 0: no UDP encapsulation
  --workers 1|2    one thread for both directions, or one for each (the default)

Knobs such as net.inet.ah.enable are read from /etc/ipsecbox/sysctl.conf; see "ipsecbox help
sysctl". IPSECBOX_LIBCRYPTO=off in the environment keeps the engine away from libcrypto.
`;

const stamp = () => new Date().toISOString().slice(0, 19).replace("T", " ");

function logTo(verbose: boolean): EncLog {
  const line = (text: string) => print(`${stamp()} enc: ${text}\n`, Deno.stderr);
  return { notice: line, debug: verbose ? line : () => {} };
}

function numberOption(name: string, value: unknown, from: number, to: number): number {
  const number = Number(value);
  if (typeof value === "string" && /^\d+$/.test(value) && number >= from && number <= to) return number;
  throw new CommandError(`${name} "${value}": a number from ${from} to ${to} is needed`, 2);
}

function parse(args: string[]): { options: EncOptions; check: boolean; verbose: boolean } {
  const unknown: string[] = [];
  const parsed = parseArgs(args, {
    boolean: ["n", "v"],
    string: ["i", "mtu", "port", "workers"],
    default: { i: "enc0", port: "4500", workers: "2" },
    unknown: (word) => {
      unknown.push(word);
      return false;
    },
  });
  if (unknown.length) throw new CommandError(`unknown option "${unknown[0]}"\n${HELP.split("\n")[0]}`, 2);
  return {
    check: parsed.n === true,
    verbose: parsed.v === true,
    options: {
      interfaceName: String(parsed.i),
      mtu: parsed.mtu === undefined ? undefined : numberOption("--mtu", parsed.mtu, 576, 65535),
      udpPort: numberOption("--port", parsed.port, 0, 65535),
      workers: numberOption("--workers", parsed.workers, 1, 2) as 1 | 2,
      libcrypto: Deno.env.get("IPSECBOX_LIBCRYPTO") === "off" ? "off" : "auto",
      sysctls: loadSysctlConf(),
    },
  };
}

export async function run(args: string[]): Promise<number> {
  const { options, check, verbose } = parse(args);
  const log = logTo(verbose);
  let enc: Enc;
  try {
    enc = await Enc.start(options, log);
  } catch (error) {
    throw new CommandError(error instanceof Error ? error.message : String(error));
  }
  if (check) {
    await enc.stop();
    const fast = options.libcrypto === "auto" && loadLibcrypto() !== undefined;
    print(
      `an engine can run here; cryptography by ${fast ? "libcrypto" : "node:crypto (libcrypto would be faster)"}\n`,
    );
    return 0;
  }
  log.notice(`ready: interface ${options.interfaceName}, process ${Deno.pid}`);
  const signal = await new Promise<string>((resolve) => {
    for (const name of ["SIGTERM", "SIGINT"] as const) Deno.addSignalListener(name, () => resolve(name));
  });
  log.notice(`${signal}: ending`);
  await enc.stop();
  return 0;
}
