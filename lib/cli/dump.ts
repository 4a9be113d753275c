/** `ipsecbox dump`: tcpdump for IPsec and its key management (FAQ 13.11). @module */
import { type EncHeader, openFrame } from "../dump/link.ts";
import { Describer, encPrefix, formatTime, hexLines } from "../dump/describe.ts";
import { type Filter, FilterError, isIpsec, parseFilter } from "../dump/filter.ts";
import { IkeReader } from "../dump/ike_reader.ts";
import { type Frame, PcapError, pcapHeader, PcapReader, pcapRecord } from "../dump/pcap.ts";
import { KnownSas } from "../dump/secured.ts";
import { see, type Seen } from "../dump/seen.ts";
import { EngineUnreachableError } from "../daemon/pfkey_client.ts";
import { SystemError } from "../ffi/errno.ts";
import { PacketCapture } from "../linux/capture.ts";
import { Netlink } from "../linux/netlink.ts";
import { IFF, type Link, listLinks } from "../linux/rtnetlink.ts";
import { didYouMean } from "../octets/nearest.ts";
import { CommandError, reason } from "./command.ts";
import { print } from "./commands.ts";
import { WatchedEngine } from "./dump/engine.ts";
import { KeyFiles } from "./dump/keys.ts";
import { getopt, OptionError } from "./getopt.ts";

export const HELP =
  `usage: ipsecbox dump [-qtvx] [-c COUNT] [-i INTERFACE | -r FILE] [-w FILE] [--sa] [--keys FILE] [FILTER]

Shows packets of ESP, AH, IKE (with NAT traversal) and Photuris, one a line, from an interface or
from a pcap file. On the engine's interface (enc0), packets are in clear, and the SA that protects
them is named where it can be known.

  -c COUNT       end after so many packets
  -i INTERFACE   the interface; without it (or "any") all of them, each packet with its interface
  -q             no summary at the end
  -r FILE        read a pcap file (- is standard input)
  -t             no times
  -v             messages of IKE and Photuris in full, payload by payload
  -vv            all fields of IP, ESP and AH, too
  -w FILE        write the packets to a pcap file instead of showing them (- is standard output)
  -x             the octets of each packet in hexadecimal digits
  --sa           ask the engine for its SAs and their keys: decrypt ESP, check ICVs
  --keys FILE    the same with keys from a file: lines of ipsecadm (new esp ...), Wireshark's tables
                 esp_sa and ikev1_decryption_table, or the directory that isakmpd -W writes;
                 with the last two IKE is decrypted, if it is seen from the beginning

A filter is made of these words, with "and" (which may be left out), "or", "not" and parentheses:

  esp  ah  ipip  isakmp  photuris  ipsec (all of these)  icmp  icmp6  tcp  udp  ip  ip6  frag
  [src|dst] host ADDRESS   [src|dst] net PREFIX   [udp|tcp] [src|dst] port NUMBER
  proto NUMBER   spi NUMBER

Without a filter, a file and interfaces of TUN devices such as enc0 are shown whole, and of other
interfaces what "ipsec" means.

  ipsecbox dump -i eth0 esp and host 192.0.2.1
  ipsecbox dump -v udp port 500
  ipsecbox dump --sa spi 0x1000
`;

interface Options {
  readonly count: number;
  readonly interfaceName?: string;
  readonly readFile?: string;
  readonly writeFile?: string;
  readonly quiet: boolean;
  readonly times: boolean;
  readonly hex: boolean;
  readonly verbosity: number;
  readonly sa: boolean;
  readonly keyFiles: readonly string[];
  readonly filter?: Filter;
}

const usage = (text: string) => new CommandError(`${text} ("ipsecbox help dump")`, 2);

function takeLongOptions(args: readonly string[]): { short: string[]; sa: boolean; keyFiles: string[] } {
  const short: string[] = [];
  const keyFiles: string[] = [];
  let sa = false;
  for (let at = 0; at < args.length; at++) {
    const word = args[at];
    if (word === "--sa") sa = true;
    else if (word === "--keys" || word.startsWith("--keys=")) {
      const file = word === "--keys" ? args[++at] : word.slice("--keys=".length);
      if (!file) throw usage("--keys needs a file");
      keyFiles.push(file);
    } else if (word.startsWith("--") && word !== "--") {
      throw usage(`unknown option "${word}"${didYouMean(word, ["--sa", "--keys"])}`);
    } else short.push(word);
  }
  return { short, sa, keyFiles };
}

function parse(args: readonly string[]): Options {
  const { short, sa, keyFiles } = takeLongOptions(args);
  try {
    const { options, rest } = getopt(short, "c:i:nqr:tvw:x");
    const last = (letter: string) => options.findLast((option) => option.letter === letter)?.argument;
    const has = (letter: string) => options.some((option) => option.letter === letter);
    const count = last("c");
    if (count !== undefined && !(/^\d{1,9}$/.test(count) && Number(count) > 0)) {
      throw usage(`-c "${count}": a number of packets is needed`);
    }
    if (has("i") && has("r")) throw usage("-i and -r exclude each other");
    return {
      count: count === undefined ? Infinity : Number(count),
      interfaceName: last("i"),
      readFile: last("r"),
      writeFile: last("w"),
      quiet: has("q"),
      times: !has("t"),
      hex: has("x"),
      verbosity: options.filter(({ letter }) => letter === "v").length,
      sa,
      keyFiles,
      filter: rest.length ? parseFilter(rest) : undefined,
    };
  } catch (error) {
    if (error instanceof OptionError) throw usage(error.message);
    if (error instanceof FilterError) throw new CommandError(error.message, 2);
    throw error;
  }
}

/** Keys from wherever the options say. */
interface Keys {
  readonly sas: KnownSas;
  readonly files: readonly KeyFiles[];
  readonly engine?: WatchedEngine;
}

/** Asks again for keys when a packet's SA is not known. */
async function learnKeys({ sas, files, engine }: Keys, options: Options, seen: Seen): Promise<void> {
  const isUnknown = (seen.kind === "esp" || seen.kind === "ah") && !sas.has(seen);
  if (isUnknown) { for (const file of files) file.readAgain(); }
  await engine?.refresh(options.sa && isUnknown);
}

/** Where captured packets go. */
class Output {
  readonly #options: Options;
  readonly #describer: Describer;
  readonly #file: Deno.FsFile | typeof Deno.stdout | undefined;
  readonly #offset = -60 * new Date().getTimezoneOffset();
  shown = 0;

  constructor(options: Options, describer: Describer) {
    this.#options = options;
    this.#describer = describer;
    if (options.writeFile === undefined) return;
    this.#file = options.writeFile === "-" ? Deno.stdout : createFile(options.writeFile);
    this.#write(pcapHeader());
  }

  /** @param before what stands between time and packet: interface, SA */
  packet(time: number, seen: Seen, before: string): void {
    this.shown++;
    if (this.#file) return this.#write(pcapRecord(time, seen.packet));
    const [first, ...more] = this.#describer.describe(seen);
    this.#print(time, [before + first, ...more], seen.packet);
  }

  /** Octets that are no sound IP packet. */
  unsound(time: number, octets: Uint8Array, before: string): void {
    this.shown++;
    if (this.#file) return this.#write(pcapRecord(time, octets));
    const [first, ...more] = Describer.unsound(octets);
    this.#print(time, [before + first, ...more], octets);
  }

  #print(time: number, lines: readonly string[], octets: Uint8Array): void {
    const stamp = this.#options.times ? `${formatTime(time, this.#offset)} ` : "";
    const hex = this.#options.hex ? hexLines(octets) : [];
    print(`${stamp}${[...lines, ...hex].join("\n")}\n`);
  }

  #write(octets: Uint8Array): void {
    for (let left = octets; left.length;) left = left.subarray(this.#file!.writeSync(left));
  }

  get done(): boolean {
    return this.shown >= this.#options.count;
  }

  close(): void {
    if (this.#file && this.#file !== Deno.stdout) this.#file.close();
  }
}

function createFile(path: string): Deno.FsFile {
  try {
    return Deno.openSync(path, { write: true, create: true, truncate: true, mode: 0o600 });
  } catch (error) {
    throw new CommandError(`-w ${path}: ${reason(error)}`);
  }
}

/** The next octets of `file`, or of standard input; 0 or null at the end. @throws {CommandError} */
async function readInto(chunk: Uint8Array, file: Deno.FsFile | undefined, path: string): Promise<number | null> {
  try {
    return await (file ?? Deno.stdin).read(chunk);
  } catch (error) {
    throw new CommandError(`-r ${path}: ${reason(error)}`);
  }
}

function openFile(path: string): Deno.FsFile {
  try {
    return Deno.openSync(path);
  } catch (error) {
    throw new CommandError(`-r ${path || `""`}: ${reason(error)}`);
  }
}

/** The frames of a file. @throws {CommandError} */
async function* framesOf(path: string): AsyncGenerator<Frame> {
  const reader = new PcapReader();
  let file: Deno.FsFile | undefined;
  try {
    file = path === "-" ? undefined : openFile(path);
    const chunk = new Uint8Array(65536);
    for (let count = await readInto(chunk, file, path); count; count = await readInto(chunk, file, path)) {
      yield* reader.push(chunk.subarray(0, count));
    }
    reader.end();
  } catch (error) {
    if (error instanceof PcapError) throw new CommandError(`${path}: ${error.message}`);
    throw error;
  } finally {
    file?.close();
  }
}

const encText = (enc: EncHeader | undefined) => enc ? encPrefix(enc) : "";

async function fromFile(path: string, options: Options, output: Output): Promise<void> {
  for await (const frame of framesOf(path)) {
    const { ip, enc } = openFrame(frame);
    const seen = ip && see(ip);
    if (seen ? !options.filter || options.filter(seen) : ip && !options.filter) {
      if (seen) output.packet(frame.time, seen, encText(enc));
      else output.unsound(frame.time, ip!, encText(enc));
    }
    if (output.done) return;
  }
}

function findInterface(links: readonly Link[], name: string): Link | undefined {
  if (name === "any") return undefined;
  const link = links.find((each) => each.name === name);
  if (link) {
    if (link.flags & IFF.UP) return link;
    throw new CommandError(`-i ${name}: the interface is down ("ip link set ${name} up")`);
  }
  const names = links.map((each) => each.name);
  throw new CommandError(`-i ${name}: no such interface${didYouMean(name, names)}; there are ${names.join(", ")}`);
}

async function fromInterface(options: Options, output: Output, keys: Keys): Promise<void> {
  const { engine } = keys;
  using netlink = new Netlink();
  const links = listLinks(netlink);
  const only = findInterface(links, options.interfaceName ?? "any");
  const names = new Map(links.map(({ index, name }) => [index, name]));
  const tuns = new Set(links.filter(({ kind }) => kind === "tun").map(({ index }) => index));
  if (engine?.interfaceIndex) tuns.add(engine.interfaceIndex);
  using capture = new PacketCapture(only?.index ?? 0);
  const end = () => capture.close();
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, end);
  if (!options.quiet) print(`listening on ${only?.name ?? "all interfaces"}\n`, Deno.stderr);
  let captured = 0;
  for await (const { time, ip, interfaceIndex, outgoing } of capture.packets()) {
    captured++;
    const name = only ? "" : `${names.get(interfaceIndex) ?? interfaceIndex}: `;
    const seen = see(ip);
    const filter = options.filter ?? (tuns.has(interfaceIndex) ? undefined : isIpsec);
    if (seen) {
      if (filter && !filter(seen)) continue;
      await learnKeys(keys, options, seen);
      const isEnc = interfaceIndex === engine?.interfaceIndex;
      output.packet(time, seen, name + encText(isEnc ? engine?.namer.name(seen, outgoing) : undefined));
    } else if (!filter) output.unsound(time, ip, name);
    if (output.done) break;
  }
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.removeSignalListener(signal, end);
  if (options.quiet) return;
  print(`${output.shown} packets shown, ${captured} seen, ${capture.lost} lost\n`, Deno.stderr);
}

/** The engine, which is needed for `--sa` and otherwise only names SAs on its interface. */
async function engineFor(options: Options, sas: KnownSas): Promise<WatchedEngine | undefined> {
  try {
    if (options.readFile !== undefined && !options.sa) return undefined;
    return await WatchedEngine.connect(options.sa ? sas : undefined);
  } catch (error) {
    if (!(error instanceof EngineUnreachableError)) throw error;
    if (options.sa) throw new CommandError(error.message);
    return undefined;
  }
}

export async function run(args: string[]): Promise<number> {
  if (args[0] === "help" || args[0] === "--help") {
    print(HELP);
    return 0;
  }
  const options = parse(args);
  using sas = new KnownSas();
  const files = options.keyFiles.map((path) => new KeyFiles(path, sas));
  const ike = new IkeReader((cookie) => {
    for (const file of files) {
      const key = file.ikeKey(cookie);
      if (key) return key;
    }
    return undefined;
  });
  using engine = await engineFor(options, sas);
  const output = new Output(options, new Describer({ verbosity: options.verbosity, sas, ike }));
  try {
    if (options.readFile !== undefined) await fromFile(options.readFile, options, output);
    else await fromInterface(options, output, { sas, files, engine });
  } catch (error) {
    // Whoever read our output has had enough.
    if (error instanceof Deno.errors.BrokenPipe) return 0;
    if (error instanceof SystemError) throw new CommandError(error.message);
    throw error;
  } finally {
    output.close();
  }
  return 0;
}
