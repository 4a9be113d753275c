/** `ipsecbox bench`: what this machine can do. @module */
import { choosePacketCrypto, loadLibcrypto } from "../crypto/libcrypto.ts";
import { tellStandardError } from "../daemon/standard_error.ts";
import { addressOf } from "../ffi/address.ts";
import { parseAddress } from "../ip/address.ts";
import { createArena } from "../octets/arena.ts";
import { parseArgs } from "../std/parse_args.ts";
import { type BarStyle, barStyle, chart } from "./bench/chart.ts";
import { type CryptoResult, measureCrypto, megabits, SIZES } from "./bench/crypto.ts";
import { DEFAULT_PORT, measureStream, receive, type StreamResult } from "./bench/stream.ts";
import { measureTunnel, type TunnelResult } from "./bench/tunnel.ts";
import { CommandError } from "./command.ts";
import { print } from "./commands.ts";
import type { Column } from "./status/text.ts";

export const HELP = `usage: ipsecbox bench [--json] [--only crypto|tunnel] [--seconds N]
       ipsecbox bench receive [PORT]
       ipsecbox bench send [--json] [--seconds N] ADDRESS [PORT]

Measures what this machine can do: what each cipher and authenticator costs for packets of 64 and
1400 octets; then, as root, a TCP stream and round trips through tunnels between two network
namespaces, which it makes and removes, beside the same without a tunnel. It takes about half a
minute and nothing of it leaves the machine. Engines of this host are not touched.

  --json         figures as JSON
  --only WHAT    crypto or tunnel
  --seconds N    length of each stream; ciphers get a hundredth of it for each figure (2)

receive and send measure a way between two machines, with or without a tunnel: the one receives
TCP streams on PORT (5210) until it is interrupted, the other sends one and tells what came; as
root, also how long an echo takes.

Everything of a tunnel runs on this machine: two engines, sender and receiver. A gateway that has
only one of them to do carries more.
`;

const ARENA_OCTETS = 1 << 16;
const DEFAULT_WIDTH = 80;

interface Options {
  readonly action: "measure" | "receive" | "send";
  readonly words: readonly string[];
  readonly json: boolean;
  readonly crypto: boolean;
  readonly tunnel: boolean;
  readonly seconds: number;
}

const usage = (text: string) => new CommandError(`${text} ("ipsecbox help bench")`, 2);

/** Arguments to options. @throws {CommandError} about the first that is wrong */
export function parseOptions(args: readonly string[]): Options {
  const unknown: string[] = [];
  const parsed = parseArgs([...args], {
    boolean: ["json"],
    string: ["only", "seconds", "_"],
    default: { seconds: "2" },
    unknown: (word) => {
      if (!word.startsWith("-")) return true;
      unknown.push(word);
      return false;
    },
  });
  if (unknown.length) throw usage(`unknown option "${unknown[0]}"`);
  const [first, ...words] = parsed._.map(String);
  if (first !== undefined && first !== "receive" && first !== "send") {
    throw usage(`"${first}" is not known here: receive and send are`);
  }
  const seconds = Number(parsed.seconds);
  if (!(seconds >= 0.1 && seconds <= 3600)) throw usage(`--seconds "${parsed.seconds}": 0.1 to 3600 are allowed`);
  const { only } = parsed;
  if (only !== undefined && only !== "crypto" && only !== "tunnel") {
    throw usage(`--only "${only}": crypto or tunnel is allowed`);
  }
  const most = first === "send" ? 2 : 1;
  if (words.length > most) throw usage(`"${words[most]}" is one word too many`);
  return {
    action: first ?? "measure",
    words,
    json: parsed.json === true,
    crypto: only !== "tunnel",
    tunnel: only !== "crypto",
    seconds,
  };
}

function portOf(word: string | undefined): number {
  const port = Number(word ?? DEFAULT_PORT);
  if (!(Number.isInteger(port) && port >= 1 && port <= 65535)) throw usage(`port "${word}": 1 to 65535 are allowed`);
  return port;
}

/** How charts are drawn. */
export interface Look {
  readonly style: BarStyle;
  readonly width: number;
}

function lookOf(output: typeof Deno.stdout): Look {
  const isTerminal = output.isTerminal();
  const style = barStyle(isTerminal, (name) => Deno.env.get(name));
  try {
    return { style, width: isTerminal ? Deno.consoleSize().columns || DEFAULT_WIDTH : DEFAULT_WIDTH };
  } catch {
    return { style, width: DEFAULT_WIDTH };
  }
}

/** Megabits a second of long packets, by the slower of the two directions. */
const cryptoMbits = ({ sealNs, openNs }: CryptoResult) => megabits(SIZES[1], Math.max(sealNs[1], openNs[1]));

const CRYPTO_COLUMNS: readonly Column<CryptoResult>[] = [
  { title: "ns a packet", text: ({ name }) => name },
  { title: `seal ${SIZES[0]}`, right: true, text: ({ sealNs }) => sealNs[0].toFixed(0) },
  { title: `open ${SIZES[0]}`, right: true, text: ({ openNs }) => openNs[0].toFixed(0) },
  { title: `seal ${SIZES[1]}`, right: true, text: ({ sealNs }) => sealNs[1].toFixed(0) },
  { title: `open ${SIZES[1]}`, right: true, text: ({ openNs }) => openNs[1].toFixed(0) },
  { title: "Mbit/s", right: true, text: (row) => cryptoMbits(row).toFixed(0) },
];

/** The ciphers and authenticators as a chart. */
export function formatCrypto(results: readonly CryptoResult[], look: Look): string[] {
  return chart(CRYPTO_COLUMNS, results, cryptoMbits, look);
}

const milliseconds = (value: number | undefined) => value === undefined ? "-" : value.toFixed(2);

const TUNNEL_COLUMNS: readonly Column<TunnelResult>[] = [
  { title: "TCP, one stream", text: ({ name }) => name },
  { title: "of veth", right: true, text: ({ ofPlain }) => `${(100 * ofPlain).toFixed(0)} %` },
  { title: "trip ms", right: true, text: ({ tripMs }) => milliseconds(tripMs) },
  { title: "added", right: true, text: ({ addedMs }) => milliseconds(addedMs) },
  { title: "Mbit/s", right: true, text: ({ mbits }) => mbits.toFixed(0) },
];

/** The tunnels as a chart. */
export function formatTunnel(results: readonly TunnelResult[], look: Look): string[] {
  return chart(TUNNEL_COLUMNS, results, ({ mbits }) => mbits, look);
}

function formatStream({ mbits, tripMs, tripMostMs }: StreamResult): string {
  const trips = tripMs === undefined
    ? ""
    : `, round trip ${milliseconds(tripMs)} ms (99 %: ${milliseconds(tripMostMs)})`;
  return `${mbits.toFixed(0)} Mbit/s${trips}\n`;
}

async function sendTo(words: readonly string[], { seconds, json }: Options): Promise<number> {
  const [host, port] = words;
  if (host === undefined) throw usage("the address of the receiver is needed");
  try {
    const result = await measureStream(parseAddress(host), portOf(port), seconds);
    print(json ? `${JSON.stringify(result)}\n` : formatStream(result));
    return 0;
  } catch (error) {
    if (error instanceof SyntaxError) throw new CommandError(error.message, 2);
    if (error instanceof CommandError || !(error instanceof Error)) throw error;
    throw new CommandError(`cannot send to ${host}: ${error.message}`);
  }
}

async function receiveOn(words: readonly string[]): Promise<number> {
  const port = portOf(words[0]);
  try {
    return await receive(port, (port) => print(`receiving on TCP port ${port}\n`, Deno.stderr));
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new CommandError(`cannot receive on TCP port ${port}: ${error.message}`);
  }
}

/** Says on a terminal what is being measured, in a line that the next one replaces. */
function progressLine(): { show(name: string): void; clear(): void } {
  if (!Deno.stderr.isTerminal()) return { show() {}, clear() {} };
  return {
    show: (name) => tellStandardError(`\r\x1b[K${name} ...`),
    clear: () => tellStandardError("\r\x1b[K"),
  };
}

/** Why tunnels cannot be measured here; undefined: nothing is known against it. */
function obstacle(): string | undefined {
  return Deno.uid() === 0 ? undefined : "it makes network namespaces, which takes root";
}

async function measure(options: Options): Promise<number> {
  const look = lookOf(Deno.stdout);
  const progress = progressLine();
  const report: { crypto?: unknown; tunnel?: unknown; tunnelError?: string } = {};
  const say = (lines: readonly string[]) => {
    progress.clear();
    if (!options.json) print(`${lines.join("\n")}\n\n`);
  };
  let status = 0;
  if (options.crypto) {
    const arena = createArena(ARENA_OCTETS, addressOf);
    const backend = choosePacketCrypto(arena, Deno.env.get("IPSECBOX_LIBCRYPTO") === "off" ? "node:crypto" : undefined);
    const version = backend.name === "libcrypto" ? loadLibcrypto()!.version : backend.name;
    const results = measureCrypto(backend, arena, 10 * options.seconds, progress.show);
    report.crypto = { backend: version, sizes: SIZES, results };
    say([`${version}, one thread`, "", ...formatCrypto(results, look)]);
  }
  if (options.tunnel) {
    const abort = new AbortController();
    const end = () => abort.abort();
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) Deno.addSignalListener(signal, end);
    try {
      const reason = obstacle();
      if (reason) throw new Error(reason);
      const results = await measureTunnel({ ...options, progress: progress.show, signal: abort.signal });
      report.tunnel = results;
      if (results.length) say(formatTunnel(results, look));
      if (abort.signal.aborted) status = 1;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      progress.clear();
      report.tunnelError = error.message;
      print(`bench: no tunnel is measured: ${error.message}\n`, Deno.stderr);
      status = options.crypto && obstacle() ? 0 : 1;
    } finally {
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) Deno.removeSignalListener(signal, end);
    }
  }
  if (options.json) print(`${JSON.stringify(report, undefined, 2)}\n`);
  return status;
}

export async function run(args: string[]): Promise<number> {
  if (args[0] === "help" || args[0] === "--help") {
    print(HELP);
    return 0;
  }
  const options = parseOptions(args);
  if (options.action === "receive") return await receiveOn(options.words);
  if (options.action === "send") return await sendTo(options.words, options);
  return await measure(options);
}
