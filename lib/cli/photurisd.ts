/** `photurisd`: the Photuris key management daemon. @module */
import { join } from "node:path";
import { handOver, userFor } from "../daemon/daemon_user.ts";
import { announceReady, isDetached, startDetached } from "../daemon/detach.ts";
import { stderrSink, syslogSink } from "../daemon/log.ts";
import { runDirectory } from "../daemon/paths.ts";
import { Photurisd } from "../daemon/photurisd.ts";
import { looksUpUsers } from "../daemon/photurisd_files.ts";
import { PIPE_NAME } from "../daemon/photurisd_pipe.ts";
import { confine } from "../linux/confine.ts";
import { feedWatchdog, notifyService } from "../linux/notify.ts";
import { holdersInTheWay } from "../linux/proc.ts";
import { type Capability, restrain, socketCapabilities } from "../linux/privileges.ts";
import { PHOTURIS_PORT } from "../photuris/messages.ts";
import { CommandError, reason } from "./command.ts";
import { print } from "./commands.ts";
import { getopt, OptionError } from "./getopt.ts";

export const DEFAULT_DIRECTORY = "/etc/photuris";

export const HELP = `usage: photurisd [-cfinv] [-d directory] [-p port]

Negotiates keys with Photuris (RFC 2522, RFC 2523) for ESP and AH. It reads its files, begins
the exchanges of photuris.startup, goes into the background and logs to syslog. Requests come
from startkey through the FIFO photuris.pipe, and from the IPsec engine when a flow needs keys.

  -c            test that the moduli of photuris.conf are safe primes; without it they are trusted
  -d directory  where the files are (${DEFAULT_DIRECTORY})
  -f            stay in the foreground and log to standard error
  -i            do not begin the exchanges of photuris.startup; they still say what its hosts get
                when they begin themselves
  -n            read the files, say what is wrong with them, start nothing
  -p port       UDP port (${PHOTURIS_PORT})
  -v            as -i ("VPN mode" of OpenBSD 2.5 to 2.8), and log more

Files in the directory: photuris.conf (moduli, schemes, times), attributes.conf (algorithms),
secrets.conf (names and secrets; must be private), photuris.startup (exchanges to begin).
SIGHUP reads them anew and forgets all exchanges. SIGTERM and SIGINT end the daemon: peers are
told, and the SAs and flows that it made are removed. Its process id is in
/run/ipsecbox/photurisd.pid (the directory is moved by IPSECBOX_RUN).
`;

const USAGE = HELP.slice(0, HELP.indexOf("\n"));

interface Options {
  readonly directory: string;
  readonly port: number;
  readonly checkModuli: boolean;
  readonly foreground: boolean;
  readonly startup: boolean;
  readonly checkFiles: boolean;
  readonly isVerbose: boolean;
}

function parse(args: string[]): Options {
  const given = new Map<string, string>();
  try {
    const { options, rest } = getopt(args, "cd:finp:v");
    if (rest.length) throw new OptionError(`found "${rest[0]}", no arguments are allowed`);
    for (const { letter, argument } of options) given.set(letter, argument);
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    throw new CommandError(`${error.message}\n${USAGE}`); // 1, as OpenBSD's daemon ends
  }
  const text = given.get("p") ?? String(PHOTURIS_PORT);
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65535) {
    throw new CommandError(`-p "${text}": a UDP port from 1 to 65535 is needed`);
  }
  return {
    directory: given.get("d") ?? DEFAULT_DIRECTORY,
    port,
    checkModuli: given.has("c"),
    foreground: given.has("f"),
    startup: !given.has("i") && !given.has("v"),
    checkFiles: given.has("n"),
    isVerbose: given.has("v"),
  };
}

/** Lines of a ConfigurationError go out as they are; each names its file. */
function failure(error: unknown): CommandError {
  return new CommandError(error instanceof Error ? error.message.replaceAll("\n", "\nphoturisd: ") : String(error));
}

export async function run(args: string[]): Promise<number> {
  const options = parse(args);
  const { directory } = options;
  try {
    if (!Deno.statSync(directory).isDirectory) throw new CommandError(`${directory} is no directory`);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    if (error instanceof Deno.errors.NotFound) {
      throw new CommandError(
        `${directory} does not exist: "mkdir -m 700 ${directory}" makes it; its files are photuris.conf, ` +
          "attributes.conf and secrets.conf, examples/photuris/etc has them to start from",
      );
    }
    throw new CommandError(`cannot use directory ${directory}: ${reason(error)}`);
  }
  if (options.checkFiles) return checkFiles(directory);
  if (!options.foreground && !isDetached()) {
    try {
      await startDetached(["photurisd", ...args]);
      return 0;
    } catch (error) {
      // The background process has named itself already.
      throw new CommandError((error as Error).message.replace(/^photurisd: /, ""));
    }
  }
  const { user, warning } = userFor(join(directory, "photuris.conf"));
  const pidFile = join(runDirectory(), "photurisd.pid");
  if (user) handOver(user, { files: [pidFile], fifos: [join(directory, PIPE_NAME)] });
  const keep: readonly Capability[] = looksUpUsers(directory)
    ? [...socketCapabilities(), "DAC_READ_SEARCH"]
    : socketCapabilities();
  const environment = holdersInTheWay({ udpPorts: [options.port] });
  try {
    confine({ keep, user, groups: user && [], environment });
  } catch (error) {
    throw failure(error);
  }
  if (warning) print(`photurisd: ${warning}\n`, Deno.stderr);
  const log = options.foreground ? stderrSink() : syslogSink("photurisd");
  let daemon: Photurisd;
  try {
    daemon = await Photurisd.start({ ...options, log });
  } catch (error) {
    throw failure(error);
  }
  restrain({ keep, startsPrograms: false });
  log.write("notice", `Ready: ${directory}, port ${options.port}, process ${Deno.pid}`);
  Deno.writeTextFileSync(pidFile, `${Deno.pid}\n`);
  if (!options.foreground) announceReady();
  notifyService("READY=1");
  using _watchdog = feedWatchdog();
  Deno.addSignalListener("SIGHUP", () => daemon.reconfigure());
  const signal = await new Promise<string>((resolve) => {
    for (const name of ["SIGTERM", "SIGINT"] as const) Deno.addSignalListener(name, () => resolve(name));
  });
  log.write("notice", `${signal}: ending`);
  await daemon.stop();
  try {
    Deno.removeSync(pidFile);
  } catch {
    // Its directory may have gone with the engine.
  }
  return 0;
}

async function checkFiles(directory: string): Promise<number> {
  const { readConfiguration } = await import("../daemon/photurisd_files.ts");
  try {
    const { warnings, conf, startup } = readConfiguration(directory);
    for (const warning of warnings) print(`${warning}\n`, Deno.stderr);
    print(`${directory}: ${conf.schemes.length} exchange schemes, ${startup.length} exchanges to begin\n`);
    return 0;
  } catch (error) {
    throw failure(error);
  }
}
