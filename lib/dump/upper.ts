/** What is inside an IP packet that is none of ours, in a few words, as tcpdump of OpenBSD had them. @module */
import { IP_PROTOCOL, UDP } from "../ip/headers.ts";

const ICMP_TYPES: Readonly<Record<number, string>> = {
  0: "echo reply",
  4: "source quench",
  5: "redirect",
  8: "echo request",
  11: "time exceeded",
  12: "parameter problem",
};
const UNREACHABLE: Readonly<Record<number, string>> = {
  0: "net unreachable",
  1: "host unreachable",
  2: "protocol unreachable",
  3: "port unreachable",
  4: "unreachable - need to frag",
  9: "net prohibited",
  10: "host prohibited",
  13: "administratively prohibited",
};
const ICMP6_TYPES: Readonly<Record<number, string>> = {
  1: "destination unreachable",
  2: "packet too big",
  3: "time exceeded",
  4: "parameter problem",
  128: "echo request",
  129: "echo reply",
  130: "multicast listener query",
  131: "multicast listener report",
  133: "router solicitation",
  134: "router advertisement",
  135: "neighbor solicitation",
  136: "neighbor advertisement",
  137: "redirect",
  143: "multicast listener report",
};

/** TCP's flag bits in the order in which tcpdump prints them. */
const TCP_FLAGS = [[0x01, "F"], [0x02, "S"], [0x04, "R"], [0x08, "P"], [0x20, "U"]] as const;

const NAMES: Readonly<Record<number, string>> = {
  [IP_PROTOCOL.NONE]: "no next header",
  2: "igmp",
  46: "rsvp",
  47: "gre",
  88: "eigrp",
  89: "ospf",
  103: "pim",
  108: "ipcomp",
  112: "carp or vrrp",
  [IP_PROTOCOL.SCTP]: "sctp",
};

const u16 = (octets: Uint8Array, at: number) => octets[at] << 8 | octets[at + 1];
const u32 = (octets: Uint8Array, at: number) => (u16(octets, at) * 65536 + u16(octets, at + 2)) >>> 0;

function icmp(payload: Uint8Array, verbose: boolean): string {
  const [type, code] = payload;
  if (type === 3) {
    const words = UNREACHABLE[code] ?? `unreachable, code ${code}`;
    return `icmp: ${words}${code === 4 ? ` (mtu ${u16(payload, 6)})` : ""}`;
  }
  const words = ICMP_TYPES[type] ?? `type ${type} code ${code}`;
  const echo = type === 0 || type === 8 ? ` (id ${u16(payload, 4)} seq ${u16(payload, 6)})` : "";
  return `icmp: ${words}${verbose ? echo : ""}`;
}

function icmp6(payload: Uint8Array, verbose: boolean): string {
  const [type, code] = payload;
  const words = ICMP6_TYPES[type] ?? `type ${type} code ${code}`;
  const mtu = type === 2 ? ` (mtu ${u32(payload, 4)})` : "";
  const echo = type === 128 || type === 129 ? ` (id ${u16(payload, 4)} seq ${u16(payload, 6)})` : "";
  return `icmp6: ${words}${mtu}${verbose ? echo : ""}`;
}

function tcp(payload: Uint8Array): string {
  const [sequence, acknowledgement] = [u32(payload, 4), u32(payload, 8)];
  const bits = payload[13];
  const flags = TCP_FLAGS.filter(([bit]) => bits & bit).map(([, letter]) => letter).join("") || ".";
  const data = Math.max(0, payload.length - (payload[12] >> 4) * 4);
  const range = data || bits & 0x07 ? ` ${sequence}:${(sequence + data) >>> 0}(${data})` : "";
  return `tcp: ${flags}${range}${bits & 0x10 ? ` ack ${acknowledgement}` : ""} win ${u16(payload, 14)}`;
}

/** `icmp: echo request`, `tcp: S 1:1(0) win 65535`, `udp 12`, `ip-proto-103 20`. */
export function describeUpper(protocol: number, payload: Uint8Array, verbose = false): string {
  switch (protocol) {
    case IP_PROTOCOL.ICMP:
      if (payload.length >= 8) return icmp(payload, verbose);
      break;
    case IP_PROTOCOL.ICMPV6:
      if (payload.length >= 8) return icmp6(payload, verbose);
      break;
    case IP_PROTOCOL.TCP:
      if (payload.length >= 20) return tcp(payload);
      break;
    case IP_PROTOCOL.UDP:
      if (payload.length >= UDP.OCTETS) return `udp ${Math.max(0, u16(payload, UDP.LENGTH) - UDP.OCTETS)}`;
      break;
    default:
      return NAMES[protocol] ? `${NAMES[protocol]} ${payload.length}` : `ip-proto-${protocol} ${payload.length}`;
  }
  return `ip-proto-${protocol} ${payload.length} (cut off)`;
}
