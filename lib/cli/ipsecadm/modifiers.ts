/** Every modifier of ipsecadm: what it takes, what it means, how it is read. @module */
import {
  authenticatorByName,
  type AuthenticatorRow,
  AUTHENTICATORS,
  cipherByName,
  type CipherRow,
  ESP_CIPHERS,
} from "../../crypto/algorithms.ts";
import { type Address, lengthOfMask, parseAddress, type Prefix, prefixOf } from "../../ip/address.ts";
import type { FlowType, Identity, SecurityProtocol } from "../../ipsec/types.ts";
import { didYouMean } from "../../octets/nearest.ts";
import { parseHex } from "../../octets/hex.ts";
import { CommandError } from "../command.ts";
import type { NameTables } from "../names.ts";

/** What the options of one command line say. */
export interface Values {
  src?: Address;
  dst?: Address;
  dst2?: Address;
  proxy?: Address;
  spi?: number;
  spi2?: number;
  cipher?: CipherRow;
  authenticator?: AuthenticatorRow;
  key?: Uint8Array;
  authKey?: Uint8Array;
  halfIv?: boolean;
  tunnel?: boolean;
  udpPort?: number;
  protocol?: SecurityProtocol;
  protocol2?: SecurityProtocol;
  packets?: { source: Prefix; destination: Prefix };
  transport?: number;
  sourcePort?: number;
  destinationPort?: number;
  direction?: "in" | "out";
  policy?: FlowType;
  remove?: boolean;
  chain?: boolean;
  sourceId?: string;
  destinationId?: string;
  sourceIdType?: Identity["type"];
  destinationIdType?: Identity["type"];
  protocols?: SecurityProtocol[];
  json?: boolean;
}

/** What reading an option needs to know besides its words. */
export interface Reading {
  /** `new esp`, `flow`, ... */
  readonly command: string;
  readonly values: Values;
  /** Said on standard error though the command goes on. */
  readonly warnings: string[];
  readonly names: NameTables;
  readKeyFile(path: string): Uint8Array;
}

/** One modifier. */
export interface Modifier {
  readonly name: string;
  /** What follows, as help shows it; a modifier without it takes nothing. */
  readonly argument?: string;
  readonly text: string;
  /** No more than once; which others exclude it. */
  readonly group?: string;
  /** Kept for old scripts; help does not list it. */
  readonly deprecated?: boolean;
  /** How many words follow; absent: as many as `argument` has. */
  readonly count?: (words: readonly string[]) => number;
  read(reading: Reading, words: readonly string[]): void;
}

const RESERVED_SPIS = 256;
const MAX_SPI = 0xffff_ffff;

function address(option: string, text: string): Address {
  try {
    return parseAddress(text);
  } catch {
    throw new CommandError(`${option}: "${text}" is no numeric IPv4 or IPv6 address`);
  }
}

function spi(option: string, text: string): number {
  if (!/^(0[xX])?[0-9a-fA-F]{1,8}$/.test(text)) {
    throw new CommandError(`${option}: "${text}" is no SPI: 1 to 8 hexadecimal digits are needed`);
  }
  const number = parseInt(text, 16);
  if (number < RESERVED_SPIS || number > MAX_SPI) {
    throw new CommandError(`${option}: SPI ${text} is reserved: 100 to ffffffff (hexadecimal) may be used`);
  }
  return number;
}

function key(option: string, text: string): Uint8Array {
  try {
    if (text === "") throw new SyntaxError("no digits");
    return parseHex(text);
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new CommandError(`${option}: ${error.message.replace(/^Cannot parse hex: /, "")}`);
    }
    throw error;
  }
}

const SECURITY_PROTOCOLS: Readonly<Record<string, SecurityProtocol>> = {
  esp: 50,
  ah: 51,
  ip4: 4,
  50: 50,
  51: 51,
  4: 4,
};

function securityProtocol(option: string, text: string): SecurityProtocol {
  const word = text.toLowerCase();
  if (Object.hasOwn(SECURITY_PROTOCOLS, word)) return SECURITY_PROTOCOLS[word];
  if (/^(ipcomp|108)$/i.test(text)) throw new CommandError(`${option}: IP compression is not supported`);
  throw new CommandError(`${option}: no security protocol "${text}": esp, ah and ip4 (50, 51, 4) are there`);
}

function port(option: string, text: string, lookUp: (name: string) => number | undefined): number {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : lookUp(text);
  if (number === undefined) throw new CommandError(`${option}: no service "${text}" is known`);
  if (number > 0xffff) throw new CommandError(`${option}: port ${text}: 0 to 65535 are there`);
  return number;
}

/** One end of -addr: `NET/LENGTH` in one word, or `NET MASK` in two. */
function end(words: readonly string[]): { prefix: Prefix; used: number } {
  const [first, second] = words;
  const slash = first.indexOf("/");
  const net = address("-addr", slash < 0 ? first : first.slice(0, slash));
  const tail = slash < 0 ? second : first.slice(slash + 1);
  const bits = 8 * net.octets.length;
  try {
    if (/^\d{1,3}$/.test(tail) && slash >= 0) return { prefix: prefixOf(net, Number(tail)), used: 1 };
    const mask = address("-addr", tail);
    if (mask.family !== net.family) {
      throw new CommandError(`-addr: mask ${tail} does not fit ${first}: two address families`);
    }
    return { prefix: prefixOf(net, lengthOfMask(mask)), used: slash < 0 ? 2 : 1 };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const wrong = /^\d+$/.test(tail)
      ? `prefix length ${tail}: 0 to ${bits} is allowed`
      : error.message.replace(/^Cannot use /, "");
    throw new CommandError(`-addr: ${wrong}`);
  }
}

function cipher({ command }: Reading, text: string): CipherRow {
  const usable = ESP_CIPHERS.filter((row) => command === "new esp" || row.oldEsp);
  const row = cipherByName(text);
  if (row && usable.includes(row)) return row;
  const words = usable.map(({ name }) => name);
  throw new CommandError(
    `-enc: no cipher "${text}" for ${command}${didYouMean(text, words)} (${words.join(", ")})`,
  );
}

function authenticator({ command }: Reading, text: string): AuthenticatorRow {
  const old = command === "old ah";
  const use = command === "new esp" ? "esp" : old ? "old ah" : "ah";
  const row = authenticatorByName(text, old);
  if (row?.uses.includes(use)) return row;
  const words = old
    ? AUTHENTICATORS.filter(({ oldAh }) => oldAh).map(({ name }) => name)
    : AUTHENTICATORS.filter(({ uses }) => uses.includes(use)).map(({ name }) => name);
  throw new CommandError(
    `-auth: no hash "${text}" for ${command}${didYouMean(text, words)} (${words.join(", ")})`,
  );
}

const IDENTITY_WORDS: readonly Identity["type"][] = ["prefix", "fqdn", "ufqdn"];

function identityType(option: string, text: string): Identity["type"] {
  const type = IDENTITY_WORDS.find((word) => word === text.toLowerCase());
  if (!type) throw new CommandError(`${option}: no identity type "${text}": ${IDENTITY_WORDS.join(", ")} are there`);
  return type;
}

const policy = (name: string, type: FlowType, text: string): Modifier => ({
  name,
  text,
  group: "policy",
  read: ({ values }) => void (values.policy = type),
});

const filter = (name: string, protocol: SecurityProtocol, text: string, deprecated = false): Modifier => ({
  name,
  text,
  group: name,
  deprecated,
  read({ values }) {
    values.protocols = [...new Set([...(values.protocols ?? []), protocol])];
  },
});

const unsupportedFilter = (name: string, what: string): Modifier => ({
  name,
  text: `${what}: not supported`,
  deprecated: true,
  read: () => {
    throw new CommandError(`${name}: ${what} is not supported, so there is nothing of that type`);
  },
});

/** Every modifier, in the order in which help lists them. */
export const MODIFIERS: readonly Modifier[] = [
  {
    name: "-src",
    argument: "ADDRESS",
    group: "-src",
    text: "source of the SA, or our own end of a flow",
    read: ({ values }, [text]) => void (values.src = address("-src", text)),
  },
  {
    name: "-dst",
    argument: "ADDRESS",
    group: "-dst",
    text: "destination of the SA, or the peer of a flow (also of an incoming one)",
    read: ({ values }, [text]) => void (values.dst = address("-dst", text)),
  },
  {
    name: "-proxy",
    argument: "ADDRESS",
    group: "-proxy",
    text: "inner source that packets arriving through the SA must have",
    read: ({ values }, [text]) => void (values.proxy = address("-proxy", text)),
  },
  {
    name: "-spi",
    argument: "HEX",
    group: "-spi",
    text: "Security Parameter Index, hexadecimal, 100 or more; on a flow: the SA to use",
    read: ({ values }, [text]) => void (values.spi = spi("-spi", text)),
  },
  {
    name: "-dst2",
    argument: "ADDRESS",
    group: "-dst2",
    text: "destination of the second SA",
    read: ({ values }, [text]) => void (values.dst2 = address("-dst2", text)),
  },
  {
    name: "-spi2",
    argument: "HEX",
    group: "-spi2",
    text: "SPI of the second SA",
    read: ({ values }, [text]) => void (values.spi2 = spi("-spi2", text)),
  },
  {
    name: "-proto",
    argument: "PROTOCOL",
    group: "-proto",
    text: "security protocol: esp (default), ah or ip4",
    read: ({ values }, [text]) => void (values.protocol = securityProtocol("-proto", text)),
  },
  {
    name: "-proto2",
    argument: "PROTOCOL",
    group: "-proto2",
    text: "security protocol of the second SA: ah (default), esp or ip4",
    read: ({ values }, [text]) => void (values.protocol2 = securityProtocol("-proto2", text)),
  },
  {
    name: "-enc",
    argument: "CIPHER",
    group: "-enc",
    text: "cipher; see the table below",
    read: (reading, [text]) => void (reading.values.cipher = cipher(reading, text)),
  },
  {
    name: "-auth",
    argument: "HASH",
    group: "-auth",
    text: "hash that authenticates; see the table below",
    read: (reading, [text]) => void (reading.values.authenticator = authenticator(reading, text)),
  },
  {
    name: "-key",
    argument: "HEX",
    group: "-key",
    text: "key of the cipher (AH: of the hash), two digits an octet; -keyfile keeps it out of sight",
    read: ({ values }, [text]) => void (values.key = key("-key", text)),
  },
  {
    name: "-keyfile",
    argument: "FILE",
    group: "-key",
    text: "the same, from a file that only its owner can read",
    read: ({ values, readKeyFile }, [path]) => void (values.key = readKeyFile(path)),
  },
  {
    name: "-authkey",
    argument: "HEX",
    group: "-authkey",
    text: "key of the hash",
    read: ({ values }, [text]) => void (values.authKey = key("-authkey", text)),
  },
  {
    name: "-authkeyfile",
    argument: "FILE",
    group: "-authkey",
    text: "the same, from a file that only its owner can read",
    read: ({ values, readKeyFile }, [path]) => void (values.authKey = readKeyFile(path)),
  },
  {
    name: "-forcetunnel",
    group: "-forcetunnel",
    text: "put an IP header around every packet, also where source and destination are the SA's own",
    read: ({ values }) => void (values.tunnel = true),
  },
  {
    name: "-tunnel",
    argument: "ADDRESS ADDRESS",
    deprecated: true,
    text: "the same as -forcetunnel; the two addresses are ignored",
    read({ values, warnings }) {
      values.tunnel = true;
      warnings.push("-tunnel is an old form: -forcetunnel says the same, with -src and -dst as outer addresses");
    },
  },
  {
    name: "-halfiv",
    group: "-halfiv",
    text: "initialization vector of 4 octets instead of 8",
    read: ({ values }) => void (values.halfIv = true),
  },
  {
    name: "-iv",
    argument: "WORD",
    deprecated: true,
    text: "ignored; with old esp and 4 characters the same as -halfiv",
    read({ command, values, warnings }, [text]) {
      if (command === "old esp" && text.length === 4) values.halfIv = true;
      warnings.push("-iv is an old form and ignored: every packet has an unpredictable vector of its own");
    },
  },
  {
    name: "-newpadding",
    deprecated: true,
    text: "ignored",
    read: ({ warnings }) => void warnings.push("-newpadding is an old form and ignored: it is what new esp does"),
  },
  {
    name: "-udpencap",
    argument: "PORT",
    group: "-udpencap",
    text: "put ESP into UDP to this port of the peer (usually 4500; RFC 3948)",
    read({ values, names }, [text]) {
      values.udpPort = port("-udpencap", text, names.service);
      if (values.udpPort === 0) throw new CommandError("-udpencap: port 0: 1 to 65535 are there");
    },
  },
  {
    name: "-addr",
    argument: "SOURCE MASK DESTINATION MASK",
    group: "-addr",
    text: "the packets that the flow is about; also SOURCE/LENGTH DESTINATION/LENGTH",
    count: (words) => {
      const first = words[0]?.includes("/") ? 1 : 2;
      return first + (words[first]?.includes("/") ? 1 : 2);
    },
    read({ values }, words) {
      const source = end(words);
      const destination = end(words.slice(source.used));
      if (source.prefix.address.family !== destination.prefix.address.family) {
        throw new CommandError("-addr: source and destination are of two address families");
      }
      values.packets = { source: source.prefix, destination: destination.prefix };
    },
  },
  {
    name: "-transport",
    argument: "PROTOCOL",
    group: "-transport",
    text: "upper protocol of the packets, by name or number; default any",
    read({ values, names }, [text]) {
      const number = /^\d{1,3}$/.test(text) ? Number(text) : names.protocol(text);
      if (number === undefined) throw new CommandError(`-transport: no protocol "${text}" is known`);
      if (number > 255) throw new CommandError(`-transport: protocol ${text}: 0 to 255 are there`);
      values.transport = number;
    },
  },
  {
    name: "-sport",
    argument: "PORT",
    group: "-sport",
    text: "source port of the packets, by name or number; needs -transport",
    read: ({ values, names }, [text]) => void (values.sourcePort = port("-sport", text, names.service)),
  },
  {
    name: "-dport",
    argument: "PORT",
    group: "-dport",
    text: "destination port of the packets; needs -transport",
    read: ({ values, names }, [text]) => void (values.destinationPort = port("-dport", text, names.service)),
  },
  {
    name: "-out",
    group: "direction",
    text: "the flow is about packets that leave (default)",
    read: ({ values }) => void (values.direction = "out"),
  },
  {
    name: "-in",
    group: "direction",
    text: "the flow is about packets that arrive",
    read: ({ values }) => void (values.direction = "in"),
  },
  policy("-require", "require", "protect; ask key management for an SA and send nothing before there is one"),
  policy("-acquire", "acquire", "protect; ask key management for an SA and send in the clear until there is one"),
  policy("-use", "use", "protect where there is an SA, else send in the clear; never ask"),
  policy("-dontacq", "dontacq", "protect; send nothing where there is no SA; never ask"),
  policy("-permit", "bypass", "let the packets pass as they are"),
  policy("-bypass", "bypass", "the same as -permit"),
  policy("-deny", "deny", "drop the packets"),
  {
    name: "-delete",
    group: "-delete",
    text: "remove the flow with these packets and direction",
    read: ({ values }) => void (values.remove = true),
  },
  {
    name: "-local",
    deprecated: true,
    text: "ignored",
    read: ({ warnings }) =>
      void warnings.push("-local is an old form and ignored: a flow is about this host's own packets, too"),
  },
  {
    name: "-srcid",
    argument: "TEXT",
    group: "-srcid",
    text: "our identity for key management; needs -srcid_type",
    read: ({ values }, [text]) => void (values.sourceId = text),
  },
  {
    name: "-srcid_type",
    argument: "TYPE",
    group: "-srcid_type",
    text: "form of -srcid: prefix, fqdn or ufqdn",
    read: ({ values }, [text]) => void (values.sourceIdType = identityType("-srcid_type", text)),
  },
  {
    name: "-dstid",
    argument: "TEXT",
    group: "-dstid",
    text: "the peer's identity; needs -dstid_type",
    read: ({ values }, [text]) => void (values.destinationId = text),
  },
  {
    name: "-dstid_type",
    argument: "TYPE",
    group: "-dstid_type",
    text: "form of -dstid",
    read: ({ values }, [text]) => void (values.destinationIdType = identityType("-dstid_type", text)),
  },
  {
    name: "-chain",
    group: "-chain",
    text: "all SAs that are grouped with it, too",
    read: ({ values }) => void (values.chain = true),
  },
  filter("-esp", 50, "ESP SAs"),
  filter("-ah", 51, "AH SAs"),
  filter("-ip4", 4, "IP-in-IP SAs"),
  filter("-oldesp", 50, "the same as -esp", true),
  filter("-oldah", 51, "the same as -ah", true),
  unsupportedFilter("-ipcomp", "IP compression"),
  unsupportedFilter("-tcpmd5", "the TCP MD5 signature"),
  {
    name: "--json",
    group: "--json",
    text: "JSON instead of text",
    read: ({ values }) => void (values.json = true),
  },
];

const byName = new Map(MODIFIERS.map((modifier) => [modifier.name, modifier]));

/** The modifier called `name`. */
export const modifierByName = (name: string): Modifier | undefined => byName.get(name);
