/** `isakmpd`: the ISAKMP/IKE key management daemon. @module */
import { FilesError } from "../daemon/isakmpd_files.ts";
import { handOver, userFor } from "../daemon/daemon_user.ts";
import { announceReady, isDetached, startDetached } from "../daemon/detach.ts";
import { FifoError } from "../daemon/fifo.ts";
import { Isakmpd, StartError } from "../daemon/isakmpd.ts";
import { type IsakmpdOptions, resultFileOf } from "../daemon/isakmpd_options.ts";
import { LEVEL_LIMIT, Log, parseDebugOption, stderrSink, syslogSink } from "../daemon/log.ts";
import { EngineUnreachableError } from "../daemon/pfkey_client.ts";
import { PrivateFileError } from "../daemon/private_file.ts";
import { confine } from "../linux/confine.ts";
import { feedWatchdog, notifyService } from "../linux/notify.ts";
import { holdersInTheWay } from "../linux/proc.ts";
import { restrain, socketCapabilities } from "../linux/privileges.ts";
import { SystemError } from "../ffi/errno.ts";
import { CommandError } from "./command.ts";
import { print } from "./commands.ts";
import { getopt, type GivenOption, OptionError } from "./getopt.ts";

export const HELP = `usage: isakmpd [-46adKLnSTv] [-c file] [-D class=level] [-f fifo] [-i pid-file] [-l packet-log]
               [-N udpencap-port] [-p listen-port] [-P local-port] [-r seed] [-R report-file] [-W directory]

Negotiates keys with IKE (RFC 2409) for ESP and AH, as /etc/isakmpd/isakmpd.conf says, and gives
SAs and flows to the IPsec engine. It goes into the background and logs to syslog. The first time:

  isakmpd -d -DA=99

  -4, -6        IPv4 only, IPv6 only
  -a            install SAs, but no flows
  -c file       configuration (/etc/isakmpd/isakmpd.conf); nobody else may read it
  -d            stay in the foreground and log to standard error
  -D class=level  debug level, 0 to ${LEVEL_LIMIT}, of a class: 0 Misc, 1 Transport, 2 Message, 3 Crypto,
                4 Timer, 5 Sysdep, 6 SA, 7 Exchange, 8 Negotiation, 9 Policy, 10 UI, A all of them
  -f fifo       control FIFO (/var/run/isakmpd.fifo); "-" is standard input
  -i file       pid file (/var/run/isakmpd.pid)
  -K            no policy file, no KeyNote: whoever authenticates gets what the configuration allows
  -l file       write the messages in clear to a pcap file
  -L            the same to /var/run/isakmpd.pcap
  -n            leave the engine alone: negotiate, but install nothing
  -N port       UDP encapsulation port (4500)
  -p port       UDP port to listen on (500)
  -P port       accepted and without effect, as always
  -r seed       predictable "random" numbers, for tests only
  -R file       report file for SIGUSR1 (/var/run/isakmpd.report)
  -S            begin passive, and send no DELETE at the end
  -T            no NAT traversal
  -v            log every phase 1 and phase 2 that is finished
  -W directory  write what Wireshark needs to decrypt IKE and ESP (its tables ikev1_decryption_table
                and esp_sa; use WIRESHARK_CONFIG_DIR). These are keys!

SIGHUP reads configuration and policy again; what they no longer have ends, the rest goes on.
SIGUSR1 writes the report, SIGTERM and SIGINT send DELETE for all SAs and end the daemon. FIFO
commands: c NAME, t NAME, t main NAME (a peer or its address for NAME), T, C set, C rm, C rms,
C add, C rmv, C get, d COOKIES MSGID, D CLASS LEVEL, D T, p on[=FILE], p off, r, R, Q, S, M active,
M passive.

"ipsecbox check FILE" looks at a configuration without starting anything; "ipsecbox check A B"
says whether two of them will agree.
`;

const USAGE = HELP.slice(0, HELP.indexOf("\n\n"));
const LETTERS = "46adKLnSTvc:D:f:i:l:N:p:P:r:R:W:";
const RUN = "/var/run";

const port = (letter: string, text: string): number => {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > 65535) {
    throw new OptionError(`-${letter}: found "${text}", allowed a UDP port, 1 to 65535`);
  }
  return number;
};

/** What each letter means for the options. */
const ROWS: Readonly<Record<string, (argument: string, options: Mutable) => void>> = {
  4: (_, options) => void (options.families = [4]),
  6: (_, options) => void (options.families = [6]),
  a: (_, options) => void (options.flows = false),
  c: (argument, options) => void (options.configurationFile = argument),
  d: (_, options) => void (options.foreground = true),
  D: (argument, options) => void options.debug.push(parseDebugOption(argument)),
  f: (argument, options) => void (options.fifo = argument),
  i: (argument, options) => void (options.pidFile = argument),
  K: (_, options) => void (options.policy = false),
  l: (argument, options) => void (options.packetLog = argument),
  L: (_, options) => void (options.packetLog = `${RUN}/isakmpd.pcap`),
  n: (_, options) => void (options.kernel = false),
  N: (argument, options) => void (options.ports = { ...options.ports, nat: port("N", argument) }),
  p: (argument, options) => void (options.ports = { ...options.ports, ike: port("p", argument) }),
  P: (argument) => void port("P", argument),
  r: (argument, options) => void (options.seed = argument),
  R: (argument, options) => void (options.reportFile = argument),
  S: (_, options) => void (options.passive = true),
  T: (_, options) => void (options.natTraversal = false),
  v: (_, options) => void (options.verbose = true),
  W: (argument, options) => void (options.wireshark = argument),
};

type Mutable = { -readonly [Key in keyof IsakmpdOptions]: IsakmpdOptions[Key] } & {
  foreground: boolean;
  debug: ReturnType<typeof parseDebugOption>[];
};

function parse(args: readonly string[]): Mutable {
  const options: Mutable = {
    configurationFile: "/etc/isakmpd/isakmpd.conf",
    fifo: `${RUN}/isakmpd.fifo`,
    pidFile: `${RUN}/isakmpd.pid`,
    reportFile: `${RUN}/isakmpd.report`,
    families: [4, 6],
    flows: true,
    kernel: true,
    policy: true,
    natTraversal: true,
    passive: false,
    verbose: false,
    ports: { ike: 500, nat: 4500 },
    foreground: false,
    debug: [],
  };
  let given: GivenOption[];
  try {
    const { options: found, rest } = getopt(args, LETTERS);
    if (rest.length) throw new OptionError(`found "${rest[0]}" after the options, allowed nothing`);
    given = found;
    for (const { letter, argument } of given) ROWS[letter](argument, options);
  } catch (error) {
    if (error instanceof OptionError) throw new CommandError(`${error.message}\n${USAGE}`);
    if (error instanceof RangeError) throw new CommandError(`-D: ${error.message}`);
    throw error;
  }
  return options;
}

/** Errors that are the user's to read; every line gets the program's name. */
function failure(error: unknown): CommandError {
  const known = [FilesError, StartError, PrivateFileError, FifoError, EngineUnreachableError, SystemError];
  if (!known.some((kind) => error instanceof kind)) throw error;
  return new CommandError((error as Error).message.replaceAll("\n", "\nisakmpd: "));
}

export async function run(args: string[]): Promise<number> {
  const options = parse(args);
  if (!options.foreground && !isDetached()) {
    try {
      await startDetached(["isakmpd", ...args]);
      return 0;
    } catch (error) {
      // It has said why under its own name.
      throw new CommandError((error as Error).message.replace(/^isakmpd: /, ""));
    }
  }
  const { user, warning } = userFor(options.configurationFile);
  if (user) {
    const { pidFile, reportFile, fifo } = options;
    const files = [pidFile, reportFile, resultFileOf(options)];
    handOver(user, { files, fifos: fifo === "-" ? [] : [fifo] });
  }
  const environment = holdersInTheWay({ udpPorts: [options.ports.ike, options.ports.nat] });
  try {
    confine({ keep: socketCapabilities(), user, groups: user && [], environment });
  } catch (error) {
    throw failure(error);
  }
  if (warning) print(`isakmpd: ${warning}\n`, Deno.stderr);
  const log = new Log(options.foreground ? stderrSink() : syslogSink("isakmpd"));
  for (const { name, level } of options.debug) log.setLevel(name, level);
  let daemon: Isakmpd;
  try {
    daemon = await Isakmpd.start(options, log);
  } catch (error) {
    throw failure(error);
  }
  restrain({ keep: socketCapabilities(), startsPrograms: false });
  announceReady();
  notifyService("READY=1");
  using _watchdog = feedWatchdog();
  return await daemon.ended;
}
