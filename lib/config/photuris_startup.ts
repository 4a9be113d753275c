/** photuris.startup and requests of startkey: the same grammar, `key=value` items of an entry. @module */
import { isAddress, parsePrefix, type Prefix } from "../ip/address.ts";
import { didYouMean } from "../octets/nearest.ts";
import type { Options } from "../photuris/choose.ts";
import { type Fault, Faults, linesOf, wholeNumber } from "./photuris_reader.ts";

/** One wish for keys, not yet resolved. */
export interface StartupEntry {
  readonly line: number;
  /** An address or a host name. */
  readonly dst: string;
  readonly port?: number;
  readonly options?: Options;
  /** Source and destination of the packets that go through a tunnel. */
  readonly tunnel?: { readonly source: Prefix; readonly destination: Prefix };
  readonly exchangeLifetime?: number;
  readonly spiLifetime?: number;
  readonly user?: string;
  /** Ours: the socket at which startkey waits for the outcome. OpenBSD's daemon ignores the key. */
  readonly answer?: string;
}

const KEYS = ["dst", "port", "options", "tsrc", "tdst", "exchange_lifetime", "spi_lifetime", "user", "answer"];
const MOST_SECONDS = 0xffffff; // LifeTime has 3 octets

/** The items of one entry to values; undefined when it has no dst. */
function readEntry(faults: Faults, line: number, items: { line: number; text: string }[]): StartupEntry | undefined {
  const found = new Map<string, string>();
  for (const { line, text } of items) {
    const at = text.indexOf("=");
    const [key, value] = [text.slice(0, at), text.slice(at + 1)];
    if (at < 1 || value === "") faults.error(line, `found "${text}", allowed: KEY=VALUE`);
    else if (!KEYS.includes(key)) {
      faults.warning(line, `found key "${key}", which is unknown${didYouMean(key, KEYS)}; ignored`);
    } else if (found.has(key)) faults.error(line, `${key} stands twice in one entry`);
    else found.set(key, value);
  }
  const number = (key: string, least: number, most: number) => {
    const text = found.get(key);
    const value = text === undefined ? undefined : wholeNumber(text, least, most);
    if (text !== undefined && value === undefined) {
      faults.error(line, `${key}: found "${text}", allowed: ${least} to ${most}`);
    }
    return value;
  };
  const prefix = (key: string): Prefix | undefined => {
    const text = found.get(key);
    if (text === undefined) return undefined;
    try {
      return parsePrefix(text);
    } catch (error) {
      if (!(error instanceof SyntaxError || error instanceof RangeError)) throw error;
      return faults.error(line, `${key}: found "${text}", allowed: ADDRESS/NETMASK or ADDRESS/LENGTH`);
    }
  };
  const [source, destination] = [prefix("tsrc"), prefix("tdst")];
  if (found.has("tsrc") !== found.has("tdst")) {
    faults.error(line, `${found.has("tsrc") ? "tsrc" : "tdst"} stands alone: a tunnel needs tsrc and tdst`);
  } else if (source && destination && source.address.family !== destination.address.family) {
    faults.error(line, "tsrc and tdst are of different address families");
  }
  const port = number("port", 1, 65_535);
  const exchangeLifetime = number("exchange_lifetime", 1, MOST_SECONDS);
  const spiLifetime = number("spi_lifetime", 1, MOST_SECONDS);
  const options = readOptions(faults, line, found.get("options"));
  const dst = found.get("dst");
  if (dst === undefined) return faults.error(line, "dst is missing: dst=ADDRESS is needed");
  if (!isAddress(dst) && !/^[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$/.test(dst)) {
    return faults.error(line, `dst: found "${dst}", allowed: an address or a host name`);
  }
  const tunnel = source && destination && { source, destination };
  return {
    line,
    dst,
    port,
    options,
    tunnel,
    exchangeLifetime,
    spiLifetime,
    user: found.get("user"),
    answer: found.get("answer"),
  };
}

function readOptions(faults: Faults, line: number, text: string | undefined): Options | undefined {
  if (text === undefined) return undefined;
  const words = text.split(",").filter((word) => word !== "");
  const bad = words.find((word) => word !== "enc" && word !== "auth");
  if (bad !== undefined || !words.length) {
    return faults.error(line, `options: found "${bad ?? text}", allowed: enc, auth or enc,auth`);
  }
  return { encryption: words.includes("enc"), authentication: words.includes("auth") };
}

/** Reads photuris.startup: entries separated by blank lines. */
export function parseStartup(text: string, file = "photuris.startup"): { entries: StartupEntry[]; faults: Fault[] } {
  const faults = new Faults(file);
  const entries: StartupEntry[] = [];
  let items: { line: number; text: string }[] = [];
  const end = () => {
    if (!items.length) return;
    const entry = readEntry(faults, items[0].line, items);
    if (entry) entries.push(entry);
    items = [];
  };
  for (const { number, text: content } of linesOf(text)) {
    if (content === "") end();
    else for (const item of content.split(/\s+/)) items.push({ line: number, text: item });
  }
  end();
  return { entries, faults: faults.list };
}
