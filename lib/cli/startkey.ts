/** `startkey`: asks photurisd to begin an exchange, and waits for its outcome. @module */
import { join } from "node:path";
import { constants, openSync, writeSync } from "node:fs";
import { formatHex } from "../octets/hex.ts";
import { PIPE_NAME, REQUEST_OCTETS } from "../daemon/photurisd_pipe.ts";
import { randomOctets } from "../daemon/clock.ts";
import { CommandError, reason } from "./command.ts";
import { print } from "./commands.ts";
import { getopt, OptionError } from "./getopt.ts";
import { DEFAULT_DIRECTORY } from "./photurisd.ts";

export const HELP = `usage: startkey [-n] [-w seconds] [-d directory] key=value ...

Asks photurisd for keys with a host, and waits for the outcome: status 0 when keys are
established, 1 when not. The outcome is told in one line.

  -d directory  photurisd's directory (${DEFAULT_DIRECTORY})
  -n            do not wait: status 0 when photurisd has been asked
  -w seconds    wait so long at most (180)

Keys:
  dst=ADDRESS               the host; needed
  port=PORT                 its UDP port (photurisd's own)
  options=enc,auth          what is wanted: ESP, AH or both (both)
  tsrc=ADDRESS/MASK         with tdst: packets from tsrc to tdst go through a tunnel to the host
  tdst=ADDRESS/MASK
  exchange_lifetime=SECONDS life of the exchange's secret (photuris.conf)
  spi_lifetime=SECONDS      life of session keys (photuris.conf)
  user=NAME                 with the secrets of this user

Example: startkey dst=192.168.25.9 options=auth
`;

const USAGE = HELP.slice(0, HELP.indexOf("\n"));
const DEFAULT_WAIT_SECONDS = 180;

interface Options {
  readonly directory: string;
  readonly waitSeconds: number;
  readonly items: readonly string[];
}

function parse(args: string[]): Options {
  let directory = DEFAULT_DIRECTORY;
  let waitSeconds = DEFAULT_WAIT_SECONDS;
  let words: string[];
  try {
    const { options, rest } = getopt(args, "d:nw:");
    words = rest;
    for (const { letter, argument } of options) {
      if (letter === "d") directory = argument;
      else if (letter === "n") waitSeconds = 0;
      else if (/^\d{1,6}$/.test(argument)) waitSeconds = Number(argument);
      else throw new OptionError(`-w "${argument}": a number of seconds is needed`);
    }
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    throw new CommandError(`${error.message}\n${USAGE}`);
  }
  const bad = words.find((word) => !word.includes("="));
  if (bad !== undefined) throw new CommandError(`missing = in "${bad}"\n${USAGE}`);
  const odd = words.find((word) => /\s/.test(word));
  if (odd !== undefined) throw new CommandError(`"${odd}" holds white space`);
  return { directory, waitSeconds, items: words };
}

/** Who owns a file; null when it is not there. */
function ownerOf(path: string): number | null {
  try {
    return Deno.statSync(path).uid;
  } catch {
    return null;
  }
}

/** Writes the request in one piece, as the daemon reads it. */
function ask(directory: string, request: string): void {
  const path = join(directory, PIPE_NAME);
  const octets = new TextEncoder().encode(request);
  if (octets.length > REQUEST_OCTETS) {
    throw new CommandError(`the request has ${octets.length} octets, ${REQUEST_OCTETS} are allowed`);
  }
  try {
    writeSync(openSync(path, constants.O_WRONLY | constants.O_NONBLOCK), octets);
  } catch (error) {
    const { code } = error as { code?: string };
    const words = code === "ENXIO" || code === "ENOENT" ? "is photurisd running?" : (error as Error).message;
    throw new CommandError(`cannot write to ${path}: ${words}`);
  }
}

export async function run(args: string[]): Promise<number> {
  const { directory, waitSeconds, items } = parse(args);
  if (!items.length) {
    print(`${USAGE}\n`, Deno.stderr); // as OpenBSD's startkey, which ends with 0 here
    return 0;
  }
  if (waitSeconds === 0) {
    ask(directory, `${items.join(" ")} `);
    return 0;
  }
  const name = `startkey.${Deno.pid}.${formatHex(randomOctets(4))}`;
  const path = join(directory, name);
  let listener: Deno.Listener<Deno.UnixConn>;
  try {
    listener = Deno.listen({ transport: "unix", path });
    Deno.chmodSync(path, 0o600);
    // The daemon may be another user than root, who asks.
    const uid = ownerOf(join(directory, PIPE_NAME));
    if (uid !== null && uid !== Deno.uid()) Deno.chownSync(path, uid, null);
  } catch (error) {
    throw new CommandError(`cannot wait in ${directory}: ${reason(error)}; "-n" asks without waiting`);
  }
  try {
    ask(directory, `${items.join(" ")} answer=${name} `);
    const outcome = await receive(listener, waitSeconds);
    if (outcome === undefined) throw new CommandError(`no outcome after ${waitSeconds} seconds`);
    const [word, ...rest] = outcome.split(" ");
    if (word !== "established") throw new CommandError(rest.join(" "));
    print(`${rest.join(" ")}\n`);
    return 0;
  } finally {
    listener.close();
    try {
      Deno.removeSync(path);
    } catch {
      // Somebody else removed it.
    }
  }
}

/** The line that the daemon sends; undefined when none comes in time. */
async function receive(listener: Deno.Listener<Deno.UnixConn>, waitSeconds: number): Promise<string | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), 1000 * waitSeconds);
  });
  const line = async () => {
    const connection = await listener.accept();
    const text = await new Response(connection.readable).text();
    return text.trim();
  };
  try {
    return await Promise.race([line(), timeout]);
  } finally {
    clearTimeout(timer);
  }
}
