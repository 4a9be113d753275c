/** What a packet filter would do with a packet, as far as its rules can be understood without running them. @module */
import { type Address, contains, equalAddress, isAddress, parseAddress, parsePrefix } from "../ip/address.ts";

/** A packet that does not exist, as filters look at it; what is undefined is not known. */
export interface ProbePacket {
  readonly family: 4 | 6;
  /** Upper protocol number. */
  readonly protocol: number;
  readonly source?: Address;
  readonly destination?: Address;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly inputInterface?: string;
  readonly outputInterface?: string;
  /** 0 for what other programs send. */
  readonly mark?: number;
}

/** Where a filter drops a packet for certain, or gives it another source address. */
export interface FilterDrop {
  /** `nft` or `iptables`. */
  readonly by: "nft" | "iptables";
  /** `inet filter input`, or `INPUT`. */
  readonly chain: string;
  /** The rule in the program's own words; absent: the chain's policy. */
  readonly rule?: string;
  /** Number by which nft names the rule. */
  readonly handle?: number;
}

/** Yes, no, or undefined: it depends on what is not known. */
export type Maybe = boolean | undefined;

export const not = (value: Maybe): Maybe => value === undefined ? undefined : !value;

/** Whether all hold: one that does not decides. */
export function all(values: Iterable<Maybe>): Maybe {
  let result: Maybe = true;
  for (const value of values) {
    if (value === false) return false;
    if (value === undefined) result = undefined;
  }
  return result;
}

/** Whether one holds. */
export function any(values: Iterable<Maybe>): Maybe {
  let result: Maybe = false;
  for (const value of values) {
    if (value === true) return true;
    if (value === undefined) result = undefined;
  }
  return result;
}

/** Whether an address is, or lies in, what `text` says; undefined where one is not known or not understood. */
export function addressIs(address: Address | undefined, text: string): Maybe {
  if (!address) return undefined;
  try {
    if (isAddress(text)) return equalAddress(address, parseAddress(text));
    return contains(parsePrefix(text), address);
  } catch {
    return undefined;
  }
}

/** Whether an interface has a name, in which `wildcard` at the end stands for anything. */
export function interfaceIs(name: string | undefined, wanted: string, wildcard: string): Maybe {
  if (name === undefined) return undefined;
  return wanted.endsWith(wildcard) ? name.startsWith(wanted.slice(0, -wildcard.length)) : name === wanted;
}

/** What the rules of a chain do: an end, or the end of the chain; `certain` false: unknown things might decide before. */
export interface Outcome {
  readonly verdict: "accept" | "drop" | "return" | "translate";
  readonly certain: boolean;
  /** Where it is dropped or translated. */
  readonly drop?: FilterDrop;
}

/** Numbers of protocols by the names that filters use. */
export const PROTOCOL_NAMES: Readonly<Record<string, number>> = {
  icmp: 1,
  igmp: 2,
  ipip: 4,
  ipencap: 4,
  tcp: 6,
  udp: 17,
  ipv6: 41,
  gre: 47,
  esp: 50,
  ah: 51,
  "ipv6-icmp": 58,
  icmpv6: 58,
  sctp: 132,
};

/** The number of a protocol's name or number. */
export function protocolNumber(text: string | number): number | undefined {
  if (typeof text === "number") return text;
  if (/^\d+$/.test(text)) return Number(text);
  return Object.hasOwn(PROTOCOL_NAMES, text) ? PROTOCOL_NAMES[text] : undefined;
}
