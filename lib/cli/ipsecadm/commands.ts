/** The commands of ipsecadm as rows: words, modifiers, requests, and the help that teaches them. @module */
import type { Values } from "./modifiers.ts";
import { changeFlow, deleteSa, flush, newSa, type Order, pairSas } from "./orders.ts";

/** One command. */
export interface IpsecadmCommand {
  /** `new esp`, `flow`, ... */
  readonly name: string;
  readonly summary: string;
  /** Modifiers it takes, in the order of help. */
  readonly modifiers: readonly string[];
  /** Those without which it says nothing, as help shows them. */
  readonly usual: string;
  readonly examples: readonly string[];
  readonly notes: string;
  /** Which algorithm tables help shows. */
  readonly tables?: readonly ("enc" | "auth")[];
  /** The requests; absent for commands that look rather than change. */
  readonly orders?: (values: Values) => Order[];
}

const SA_MODIFIERS = ["-src", "-dst", "-proxy", "-spi", "-forcetunnel", "-tunnel"];
const KEY = ["-key", "-keyfile"];
const FILTERS = ["-esp", "-ah", "-ip4", "-oldesp", "-oldah", "-ipcomp", "-tcpmd5"];
const IDS = ["-srcid", "-srcid_type", "-dstid", "-dstid_type"];
const OLD_FORMS = ["-iv", "-newpadding"];

export const IPSECADM_COMMANDS: readonly IpsecadmCommand[] = [
  {
    name: "new esp",
    summary: "add an ESP SA: encryption, authentication or both (RFC 2406)",
    modifiers: [
      ...SA_MODIFIERS,
      "-enc",
      ...KEY,
      "-auth",
      "-authkey",
      "-authkeyfile",
      "-udpencap",
      ...IDS,
      ...OLD_FORMS,
    ],
    usual: "-src ADDRESS -dst ADDRESS -spi HEX -enc CIPHER -keyfile FILE -auth HASH -authkeyfile FILE",
    tables: ["enc", "auth"],
    examples: [
      "ipsecadm new esp -src 192.168.5.1 -dst 192.168.25.9 -forcetunnel -spi 1000 \\\n" +
      "    -enc 3des -auth sha1 -keyfile /etc/esp-enc-key -authkeyfile /etc/esp-auth-key",
    ],
    notes: `An SA protects one direction: give both hosts this line and a second one with -src and -dst
exchanged and another SPI. With -forcetunnel whole packets travel inside the SA's packets
(tunnel mode); without it, packets between the two hosts themselves get no second IP header
(transport mode), and others do. "ipsecbox genkey BITS" makes a key.`,
    orders: (values) => newSa(50, false, values),
  },
  {
    name: "old esp",
    summary: "add an ESP SA in the form of RFC 1827: encryption alone",
    modifiers: [...SA_MODIFIERS, "-enc", ...KEY, "-halfiv", ...OLD_FORMS],
    usual: "-src ADDRESS -dst ADDRESS -spi HEX -enc CIPHER -keyfile FILE",
    tables: ["enc"],
    examples: [
      "ipsecadm old esp -enc 3des -spi 10f3 -src 10.1.1.1 -dst 10.1.1.2 -keyfile /etc/esp-enc-key",
    ],
    notes: `Nothing authenticates these packets. It is for peers that have nothing better.`,
    orders: (values) => newSa(50, true, values),
  },
  {
    name: "new ah",
    summary: "add an AH SA: authentication of the whole packet (RFC 2402)",
    modifiers: [...SA_MODIFIERS, "-auth", ...KEY, ...OLD_FORMS.slice(1)],
    usual: "-src ADDRESS -dst ADDRESS -spi HEX -auth HASH -keyfile FILE",
    tables: ["auth"],
    examples: ["ipsecadm new ah -auth sha1 -spi 10f4 -src 10.1.1.1 -dst 10.1.1.2 -keyfile /etc/ah-key"],
    notes: `AH is off until "ipsecbox sysctl -w net.inet.ah.enable=1".`,
    orders: (values) => newSa(51, false, values),
  },
  {
    name: "old ah",
    summary: "add an AH SA in the form of RFC 1826: a keyed hash",
    modifiers: [...SA_MODIFIERS, "-auth", ...KEY, ...OLD_FORMS.slice(1)],
    usual: "-src ADDRESS -dst ADDRESS -spi HEX -auth HASH -keyfile FILE",
    tables: ["auth"],
    examples: ["ipsecadm old ah -auth md5 -spi 10f2 -src 10.1.1.1 -dst 10.1.1.2 -keyfile /etc/ah-key"],
    notes: `md5 and sha1 mean the keyed hashes of RFC 1828 and 1852; the key may have any length.`,
    orders: (values) => newSa(51, true, values),
  },
  {
    name: "ip4",
    summary: "add an IP-in-IP SA: a tunnel without security",
    modifiers: ["-src", "-dst", "-spi", "-tunnel"],
    usual: "-src ADDRESS -dst ADDRESS -spi HEX",
    examples: ["ipsecadm ip4 -src 10.1.1.1 -dst 10.1.1.2 -spi 10f5"],
    notes: `The SPI is a handle for flow, group and delspi; it is not in the packets.`,
    orders: (values) => newSa(4, false, values),
  },
  {
    name: "group",
    summary: "tie two SAs into a bundle: the first is applied first, the second around it",
    modifiers: ["-dst", "-spi", "-proto", "-dst2", "-spi2", "-proto2"],
    usual: "-dst ADDRESS -spi HEX -proto esp -dst2 ADDRESS -spi2 HEX -proto2 ah",
    examples: [
      "ipsecadm group -dst 10.1.1.2 -spi 1000 -proto esp -dst2 10.1.1.2 -spi2 10f4 -proto2 ah",
    ],
    notes: `This example gives IP AH ESP: the packet is encrypted, then authenticated as a whole.`,
    orders: (values) => pairSas("X_GRPSPIS", values),
  },
  {
    name: "bind",
    summary: "send replies to what came through the first SA through the second one",
    modifiers: ["-dst", "-spi", "-proto", "-dst2", "-spi2", "-proto2"],
    usual: "-dst ADDRESS -spi HEX -proto esp -dst2 ADDRESS -spi2 HEX -proto2 esp",
    examples: [
      "ipsecadm bind -dst 192.168.5.1 -spi 1001 -proto esp -dst2 192.168.25.9 -spi2 1000 -proto2 esp",
    ],
    notes: `Of OpenBSD 2.6 and 2.7. The binding ends with either SA.`,
    orders: (values) => pairSas("X_BINDSA", values),
  },
  {
    name: "delspi",
    summary: "delete one SA",
    modifiers: ["-dst", "-spi", "-proto", "-chain"],
    usual: "-dst ADDRESS -spi HEX",
    examples: ["ipsecadm delspi -dst 10.1.1.2 -spi 10f4 -proto ah"],
    notes: `Flows stay and look for another SA.`,
    orders: deleteSa,
  },
  {
    name: "flow",
    summary: "say which packets are protected, and what happens to the others",
    modifiers: [
      "-addr",
      "-transport",
      "-sport",
      "-dport",
      "-out",
      "-in",
      "-require",
      "-acquire",
      "-use",
      "-dontacq",
      "-permit",
      "-bypass",
      "-deny",
      "-src",
      "-dst",
      "-proto",
      "-spi",
      "-delete",
      ...IDS,
      "-local",
    ],
    usual: "-src ADDRESS -dst ADDRESS -proto esp -addr SOURCE MASK DESTINATION MASK -out -require",
    examples: [
      "ipsecadm flow -proto esp -src 208.1.1.1 -dst 208.2.2.2 -spi 1000 \\\n" +
      "    -addr 192.168.99.0 255.255.255.0 208.1.2.0 255.255.255.0 -out -require",
      "ipsecadm flow -proto esp -src 208.1.1.1 -dst 208.2.2.2 -spi 1001 \\\n" +
      "    -addr 208.1.2.0 255.255.255.0 192.168.99.0 255.255.255.0 -in -require",
      "ipsecadm flow -bypass -out -addr 10.1.1.0/24 10.1.1.0/24",
      "ipsecadm flow -deny -in -transport tcp -dport telnet -addr 0.0.0.0/0 10.1.1.0/24",
      "ipsecadm flow -delete -out -addr 10.1.1.0/24 10.1.1.0/24",
    ],
    notes: `-src is our own end and -dst the peer, for both directions; -addr is written as the packets
are. Without -dst the packet's own destination (for -in: its source) is the peer. An -in flow
is an access list: with -require, matching packets that arrive unprotected are dropped.
-spi names the SA to use; without it, or when that SA is gone, one is looked up by peer and
protocol. A flow with no policy word is -require when -spi is given and -use when it is not.
A flow with the same packets and direction replaces the one before; the most specific flow
wins where several match.`,
    orders: changeFlow,
  },
  {
    name: "flush",
    summary: "delete all SAs and flows, or all SAs of some types",
    modifiers: FILTERS,
    usual: "",
    examples: ["ipsecadm flush", "ipsecadm flush -esp"],
    notes: `With a type, only the SAs of that type are deleted and flows stay.`,
    orders: flush,
  },
  {
    name: "show",
    summary: "show SAs and flows",
    modifiers: [...FILTERS, "--json"],
    usual: "",
    examples: ["ipsecadm show", "ipsecadm show -esp --json"],
    notes: `With a type, only the SAs of that type are shown. Keys are never shown.`,
  },
  {
    name: "monitor",
    summary: "show every PF_KEY message as it passes, until interrupted",
    modifiers: [],
    usual: "",
    examples: ["ipsecadm monitor"],
    notes: `Requests, answers, ACQUIREs and EXPIREs of all programs; keys are never shown.`,
  },
];

/** Commands of later releases that are known and refused. */
export const UNSUPPORTED: Readonly<Record<string, string>> = {
  ipcomp: "IP compression (IPComp) is not supported",
  tcpmd5: "the TCP MD5 signature option is not supported",
};
