/** Filter expressions in tcpdump's words: `esp`, `host A and host B`, `udp port 500`, `proto 50`, `spi 0x1000`. @module */
import { contains, equalAddress, isAddress, parseAddress, parsePrefix } from "../ip/address.ts";
import { IP_PROTOCOL } from "../ip/headers.ts";
import { didYouMean } from "../octets/nearest.ts";
import { ISAKMP_PORT, NAT_PORT, type Seen } from "./seen.ts";
import { PHOTURIS_PORT } from "../photuris/messages.ts";

/** Whether a packet is wanted. */
export type Filter = (seen: Seen) => boolean;

/** An expression that cannot be understood; the message is one line. */
export class FilterError extends Error {
  override name = "FilterError";
}

const PROTOCOLS: Readonly<Record<string, number>> = {
  icmp: IP_PROTOCOL.ICMP,
  ipip: IP_PROTOCOL.IPIP,
  tcp: IP_PROTOCOL.TCP,
  udp: IP_PROTOCOL.UDP,
  esp: IP_PROTOCOL.ESP,
  ah: IP_PROTOCOL.AH,
  icmp6: IP_PROTOCOL.ICMPV6,
};

const PORTS: Readonly<Record<string, number>> = {
  isakmp: ISAKMP_PORT,
  "ipsec-nat-t": NAT_PORT,
  photuris: PHOTURIS_PORT,
};

const isUdpPort = (seen: Seen, ...ports: number[]) =>
  seen.protocol === IP_PROTOCOL.UDP && (ports.includes(seen.sourcePort ?? -1) ||
    ports.includes(seen.destinationPort ?? -1));

/** Everything that this program speaks; later fragments of UDP may belong to it. */
export const isIpsec: Filter = (seen) =>
  seen.kind !== "other" || seen.protocol === IP_PROTOCOL.ESP || seen.protocol === IP_PROTOCOL.AH ||
  seen.protocol === IP_PROTOCOL.IPIP || isUdpPort(seen, ISAKMP_PORT, NAT_PORT, PHOTURIS_PORT) ||
  (seen.protocol === IP_PROTOCOL.UDP && (seen.fragment?.offset ?? 0) > 0);

/** Words that stand alone. */
const WORDS: Readonly<Record<string, Filter>> = {
  ip: ({ family }) => family === 4,
  ip6: ({ family }) => family === 6,
  ipsec: isIpsec,
  esp: ({ kind, protocol }) => kind === "esp" || protocol === IP_PROTOCOL.ESP,
  ah: ({ protocol }) => protocol === IP_PROTOCOL.AH,
  ipip: ({ kind, protocol }) => kind === "ipip" || protocol === IP_PROTOCOL.IPIP,
  icmp: ({ protocol }) => protocol === IP_PROTOCOL.ICMP,
  icmp6: ({ protocol }) => protocol === IP_PROTOCOL.ICMPV6,
  udp: ({ protocol }) => protocol === IP_PROTOCOL.UDP,
  tcp: ({ protocol }) => protocol === IP_PROTOCOL.TCP,
  isakmp: ({ kind }) => kind === "isakmp",
  ike: ({ kind }) => kind === "isakmp",
  photuris: ({ kind }) => kind === "photuris",
  frag: ({ fragment }) => fragment !== undefined,
};

/** Words that stand alone or before another. */
const OTHER_WORDS = ["host", "net", "port", "proto", "spi", "src", "dst", "and", "or", "not"];

/** All words of a filter. */
export const FILTER_WORDS: readonly string[] = [...Object.keys(WORDS), ...OTHER_WORDS];

function number(text: string, most: number, what: string): number {
  if (/^(0x[0-9a-f]{1,8}|\d{1,10})$/i.test(text) && Number(text) <= most) return Number(text);
  throw new FilterError(`${what} "${text}": a number from 0 to ${most} is needed`);
}

class Parser {
  #at = 0;

  constructor(readonly words: readonly string[]) {}

  get done(): boolean {
    return this.#at >= this.words.length;
  }

  #peek(): string | undefined {
    return this.words[this.#at];
  }

  #take(what: string): string {
    if (this.done) throw new FilterError(`${what} is missing at the end of the filter`);
    return this.words[this.#at++];
  }

  any(): Filter {
    const parts = [this.#all()];
    while (this.#peek() === "or") {
      this.#at++;
      parts.push(this.#all());
    }
    return parts.length === 1 ? parts[0] : (seen) => parts.some((part) => part(seen));
  }

  #all(): Filter {
    const parts = [this.#one()];
    while (!this.done && this.#peek() !== "or" && this.#peek() !== ")") {
      if (this.#peek() === "and") this.#at++;
      parts.push(this.#one());
    }
    return parts.length === 1 ? parts[0] : (seen) => parts.every((part) => part(seen));
  }

  #one(): Filter {
    const word = this.#take("a word");
    if (word === "not" || word === "!") {
      const inner = this.#one();
      return (seen) => !inner(seen);
    }
    if (word === "(") {
      const inner = this.any();
      if (this.#take(`")"`) !== ")") throw new FilterError(`")" is missing`);
      return inner;
    }
    if (word === "src" || word === "dst") return this.#end(this.#take("host, net or port"), word);
    if (word === "proto") return this.#protocol();
    if (word === "spi") {
      const spi = number(this.#take("an SPI"), 0xffffffff, "spi");
      return (seen) => seen.spi === spi;
    }
    if ((word === "udp" || word === "tcp") && /^(src|dst|port)$/.test(this.#peek() ?? "")) {
      const [protocol, port] = [WORDS[word], this.#one()];
      return (seen) => protocol(seen) && port(seen);
    }
    if (Object.hasOwn(WORDS, word)) return WORDS[word];
    if (word === "host" || word === "net" || word === "port") return this.#end(word);
    if (isAddress(word)) {
      this.#at--;
      return this.#end("host");
    }
    throw new FilterError(
      `no filter word "${word}"${didYouMean(word, FILTER_WORDS)}; ` +
        `"ipsecbox help dump" lists them`,
    );
  }

  #protocol(): Filter {
    const text = this.#take("a protocol");
    const wanted = Object.hasOwn(PROTOCOLS, text) ? PROTOCOLS[text] : number(text, 255, "proto");
    return ({ protocol }) => protocol === wanted;
  }

  #end(what: string, which?: "src" | "dst"): Filter {
    const either = (source: boolean, destination: boolean) =>
      which === "src" ? source : which === "dst" ? destination : source || destination;
    const text = this.#take(what === "port" ? "a port" : "an address");
    try {
      if (what === "host") {
        const host = parseAddress(text);
        return (seen) => either(equalAddress(seen.source, host), equalAddress(seen.destination, host));
      }
      if (what === "net") {
        const net = parsePrefix(text);
        return (seen) => either(contains(net, seen.source), contains(net, seen.destination));
      }
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof RangeError) throw new FilterError(error.message);
      throw error;
    }
    if (what !== "port") throw new FilterError(`"${which} ${what}": host, net or port follows ${which}`);
    const port = Object.hasOwn(PORTS, text) ? PORTS[text] : number(text, 65535, "port");
    return (seen) => either(seen.sourcePort === port, seen.destinationPort === port);
  }
}

/**
 * The filter that `words` say; `and` may be left out, `or`, `not` and parentheses are known.
 *
 * @throws {FilterError} naming the word at fault
 */
export function parseFilter(words: readonly string[]): Filter {
  const split = words.flatMap((word) => word.replaceAll(/[()!]/g, " $& ").split(/\s+/)).filter(Boolean);
  const parser = new Parser(split);
  const filter = parser.any();
  if (!parser.done) throw new FilterError(`")" without "("`);
  return filter;
}
