/** `ipsecbox enc`: runs the engine. @module */
import { parseArgs } from "../std/parse_args.ts";
import { loadLibcrypto } from "../crypto/libcrypto.ts";
import { daemonUser } from "../daemon/daemon_user.ts";
import { Enc } from "../daemon/enc.ts";
import type { EncLog, EncOptions } from "../daemon/enc_options.ts";
import { EngineRunningError, PfkeyServer } from "../daemon/pfkey_server.ts";
import { type MetricsAddress, MetricsServer, parseMetricsAddress } from "../daemon/metrics.ts";
import { rcConfPath } from "../daemon/paths.ts";
import { loadSysctlConf } from "../daemon/sysctl_file.ts";
import { removeTable } from "../linux/nft.ts";
import { confine } from "../linux/confine.ts";
import { SysctlError } from "../linux/sysctl.ts";
import { feedWatchdog, notifyService } from "../linux/notify.ts";
import { holdersInTheWay } from "../linux/proc.ts";
import { type Capability, restrain } from "../linux/privileges.ts";
import { CommandError, reasonWithPath } from "./command.ts";
import { print } from "./commands.ts";
import { applyRcConf, readRcConf } from "./rc_conf.ts";

export const HELP = `usage: ipsecbox enc [-nv] [-i INTERFACE] [--hold] [--metrics [ADDRESS:]PORT] [--mtu OCTETS]
                    [--port PORT] [--workers 1|2]
       ipsecbox enc --open

Runs the IPsec engine in the foreground: it keeps SAs and flows, moves packets through the
interface enc0, and answers ipsecadm, isakmpd and photurisd on /run/ipsecbox/pfkey.sock
(the directory is moved by IPSECBOX_RUN). SIGTERM or SIGINT ends it and removes the
interface, routes, rules and filters that it made. When it is killed, cleartext that its
-require, -deny and -dontacq flows forbid stays held back until each flow is given again or
"ipsecadm flush" flushes them.

  -i INTERFACE     name of the interface (enc0)
  -n               check what an engine needs, say what is missing, start nothing
  -v               log more
  --hold           hold such cleartext back after SIGTERM too, as a service that is restarted must
  --metrics [ADDRESS:]PORT  serve counters for Prometheus at /metrics; without ADDRESS to this host
                   alone (127.0.0.1)
  --mtu OCTETS     MTU of the interface; without it the MTU follows the SAs in use
  --open           let go what an engine that is no more holds back; start nothing
  --port PORT      UDP port of encapsulated ESP (4500); 0: no UDP encapsulation
  --workers 1|2    one thread for both directions, which costs less, or one for each, which carries
                   more both ways at once (the default with more than two processors)

What the engine begins with stands in /etc/ipsecbox/rc.conf (the directory is moved by
IPSECBOX_ETC): lines of ipsecadm, only new, ip4, flow, group and bind. They are carried out
before the engine says that it is ready, flows first.

Knobs such as net.inet.ah.enable are read from /etc/ipsecbox/sysctl.conf; see "ipsecbox help
sysctl". IPSECBOX_LIBCRYPTO=off in the environment keeps the engine away from libcrypto.
`;

/** What the engine needs as long as it runs. */
const KEPT: readonly Capability[] = ["NET_ADMIN", "NET_RAW", "NET_BIND_SERVICE"];

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

function metricsOption(value: unknown): MetricsAddress {
  try {
    return parseMetricsAddress(String(value));
  } catch (error) {
    if (error instanceof SyntaxError) throw new CommandError(`--metrics ${error.message}`, 2);
    throw error;
  }
}

/** What sysctl.conf says. */
function sysctlConf(set: boolean) {
  try {
    return loadSysctlConf(undefined, undefined, set);
  } catch (error) {
    if (error instanceof SysctlError) throw new CommandError(error.message);
    throw error;
  }
}

interface Parsed {
  readonly options: EncOptions;
  readonly check: boolean;
  readonly verbose: boolean;
  readonly metrics?: MetricsAddress;
  readonly hold: boolean;
  readonly open: boolean;
}

function parse(args: string[]): Parsed {
  const unknown: string[] = [];
  const parsed = parseArgs(args, {
    boolean: ["n", "v", "hold", "open"],
    string: ["i", "metrics", "mtu", "port", "workers"],
    default: { i: "enc0", port: "4500", workers: navigator.hardwareConcurrency > 2 ? "2" : "1" },
    unknown: (word) => {
      unknown.push(word);
      return false;
    },
  });
  if (unknown.length) throw new CommandError(`unknown option "${unknown[0]}"\n${HELP.split("\n")[0]}`, 2);
  return {
    check: parsed.n === true,
    verbose: parsed.v === true,
    metrics: parsed.metrics === undefined ? undefined : metricsOption(parsed.metrics),
    hold: parsed.hold === true,
    open: parsed.open === true,
    options: {
      interfaceName: String(parsed.i),
      mtu: parsed.mtu === undefined ? undefined : numberOption("--mtu", parsed.mtu, 576, 65535),
      udpPort: numberOption("--port", parsed.port, 0, 65535),
      workers: numberOption("--workers", parsed.workers, 1, 2) as 1 | 2,
      libcrypto: Deno.env.get("IPSECBOX_LIBCRYPTO") === "off" ? "off" : "auto",
      sysctls: sysctlConf(parsed.n !== true),
    },
  };
}

/** Lets cleartext go that a dead engine's flows forbid; what a running one forbids it must let go itself. */
async function openUp(): Promise<number> {
  const nobody = { ready: new Promise(() => {}), connected() {}, message() {}, disconnected() {} };
  try {
    await using _lock = await PfkeyServer.listen(nobody);
    const failure = removeTable();
    if (failure) throw new CommandError(failure);
  } catch (error) {
    if (error instanceof EngineRunningError) throw new CommandError(`${error.message}: "ipsecadm flush" opens it`);
    throw error;
  }
  return 0;
}

export async function run(args: string[]): Promise<number> {
  const { options, check, verbose, metrics: address, hold, open } = parse(args);
  if (open) return await openUp();
  // In the daemons' group it can give its sockets to it.
  const daemons = daemonUser();
  const environment = holdersInTheWay({
    udpPorts: options.udpPort ? [options.udpPort] : [],
    tun: options.interfaceName,
  });
  const log = logTo(verbose);
  let enc: Enc | undefined;
  let metrics: MetricsServer | undefined;
  try {
    if (!check) confine({ keep: KEPT, groups: daemons && [daemons.gid], environment });
    enc = await Enc.start(options, log);
    if (address) metrics = MetricsServer.listen(address, log.notice);
  } catch (error) {
    await enc?.stop({ open: false });
    throw new CommandError(reasonWithPath(error));
  }
  if (check) {
    await enc.stop({ open: false });
    const { complaints } = readRcConf();
    if (complaints.length) throw new CommandError(complaints.join("\nenc: "));
    const fast = options.libcrypto === "auto" && loadLibcrypto() !== undefined;
    print(
      `an engine can run here; cryptography by ${fast ? "libcrypto" : "node:crypto (libcrypto would be faster)"}\n`,
    );
    return 0;
  }
  restrain({ keep: KEPT, startsPrograms: true });
  const taken = await applyRcConf(log.notice);
  if (taken) log.notice(`${taken} lines of ${rcConfPath()} are in force`);
  log.notice(`ready: interface ${options.interfaceName}, process ${Deno.pid}`);
  notifyService("READY=1");
  using _watchdog = feedWatchdog();
  const signal = new Promise<string>((resolve) => {
    for (const name of ["SIGTERM", "SIGINT"] as const) Deno.addSignalListener(name, () => resolve(name));
  });
  const { isBroken, why } = await Promise.race([
    signal.then((name) => ({ isBroken: false, why: name })),
    enc.broken.then((text) => ({ isBroken: true, why: text })),
  ]);
  notifyService("STOPPING=1");
  log.notice(`${why}: ending`);
  await metrics?.close();
  // Who starts a broken engine again expects nothing to have gone out meanwhile.
  await enc.stop({ open: !hold && !isBroken });
  return isBroken ? 1 : 0;
}
