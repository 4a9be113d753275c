/** What a whole command line must have, in the order in which it is looked at. @module */
import { type AuthenticatorRow, checkKey, type CipherRow } from "../../crypto/algorithms.ts";
import { covers, formatPrefix } from "../../ip/address.ts";
import { hasPorts } from "../../ip/classify.ts";
import type { Values } from "./modifiers.ts";

interface Check {
  /** The commands it is for. */
  readonly of: readonly string[];
  /** What is wrong, as one line; undefined when nothing is. */
  complaint(values: Values, command: string): string | undefined;
}

const ESP = ["new esp", "old esp"];
const AH = ["new ah", "old ah"];
const SAS = [...ESP, ...AH, "ip4"];
const PAIRS = ["group", "bind"];

const need = (there: unknown, text: string) => there === undefined ? text : undefined;

function keyComplaint(option: string, row: CipherRow | AuthenticatorRow | undefined, key: Uint8Array | undefined) {
  if (!row || !key) return undefined;
  try {
    checkKey(row, key);
    return undefined;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const octets = row.key.min + row.saltOctets;
    const help = row.key.min === row.key.max ? `: "ipsecbox genkey ${8 * octets}" makes one` : "";
    return error.message.replace("Cannot use key", option) + help;
  }
}

/** In order; the first complaint counts. */
export const CHECKS: readonly Check[] = [
  {
    of: ["new esp"],
    complaint: ({ cipher, authenticator }) => need(cipher ?? authenticator, "ESP needs -enc, -auth or both"),
  },
  { of: ["old esp"], complaint: ({ cipher }) => need(cipher, "old ESP needs -enc") },
  { of: PAIRS, complaint: ({ spi2 }) => need(spi2, "-spi2 is needed: the SPI of the second SA") },
  { of: AH, complaint: ({ authenticator }) => need(authenticator, "AH needs -auth") },
  {
    of: ["new esp", "flow"],
    complaint({ sourceId, sourceIdType, destinationId, destinationIdType }) {
      if ((sourceId === undefined) !== (sourceIdType === undefined)) return "-srcid and -srcid_type go together";
      if ((destinationId === undefined) !== (destinationIdType === undefined)) {
        return "-dstid and -dstid_type go together";
      }
      return undefined;
    },
  },
  {
    of: ESP,
    complaint({ cipher, key }) {
      if (cipher && cipher.key.max > 0) return need(key, `-enc ${cipher.name} needs -key or -keyfile`);
      if (key) return cipher ? `-enc ${cipher.name} has no key` : "-key goes with -enc (the hash's key is -authkey)";
      return undefined;
    },
  },
  {
    of: ["new esp"],
    complaint({ cipher, authenticator, authKey }) {
      if (authenticator && cipher?.aead) return `-enc ${cipher.name} authenticates by itself: leave -auth out`;
      if (authenticator) return need(authKey, `-auth ${authenticator.name} needs -authkey or -authkeyfile`);
      if (authKey) return "-authkey goes with -auth";
      if (cipher?.name === "null") return "-enc null alone protects nothing: add -auth";
      if (cipher?.cipher === "aes-ctr") {
        return "-enc aesctr without -auth would let anybody change the packets: add -auth";
      }
      return undefined;
    },
  },
  { of: AH, complaint: ({ authenticator, key }) => need(key, `-auth ${authenticator?.name} needs -key or -keyfile`) },
  { of: [...SAS, ...PAIRS, "delspi"], complaint: ({ spi }) => need(spi, "-spi is needed") },
  { of: SAS, complaint: ({ src }) => need(src, "-src is needed: where the SA's packets come from") },
  { of: [...SAS, ...PAIRS, "delspi"], complaint: ({ dst }) => need(dst, "-dst is needed") },
  { of: ["flow"], complaint: ({ packets }) => need(packets, "-addr is needed: the packets that the flow is about") },
  {
    of: ["flow"],
    complaint({ transport, sourcePort, destinationPort }) {
      if (sourcePort === undefined && destinationPort === undefined) return undefined;
      if (!transport) return "-sport and -dport need -transport";
      return hasPorts(transport) ? undefined : `-sport and -dport: packets of protocol ${transport} have no ports`;
    },
  },
  { of: PAIRS, complaint: ({ dst2 }) => need(dst2, "-dst2 is needed: the destination of the second SA") },
  { of: ESP, complaint: ({ cipher, key }) => keyComplaint("-key", cipher, key) },
  { of: ["new esp"], complaint: ({ authenticator, authKey }) => keyComplaint("-authkey", authenticator, authKey) },
  { of: AH, complaint: ({ authenticator, key }) => keyComplaint("-key", authenticator, key) },
  {
    of: [...SAS, "flow"],
    complaint({ src, dst }) {
      return src && dst && src.family !== dst.family ? "-src and -dst are of two address families" : undefined;
    },
  },
];

/** The first thing wrong with a whole command line. */
export function complaintAbout(command: string, values: Values): string | undefined {
  for (const check of CHECKS) {
    const complaint = check.of.includes(command) ? check.complaint(values, command) : undefined;
    if (complaint !== undefined) return complaint;
  }
  return undefined;
}

/** A network that is behind this gateway and, in part, in the flow's other end: it would no longer reach the gateway. */
function overlapWarning({ packets, policy, transport, remove }: Values): string[] {
  if (!packets || remove || transport || policy === "bypass" || policy === "deny") return [];
  const { source, destination } = packets;
  const [wide, narrow] = source.length < destination.length ? [source, destination] : [destination, source];
  const isHost = narrow.length === 8 * narrow.address.octets.length;
  if (isHost || wide.length === narrow.length || !covers(wide, narrow)) return [];
  const net = formatPrefix(narrow);
  return [
    `packets within ${net} are covered, too, those to and from this host among them: ` +
    `"ipsecadm flow -bypass -out -addr ${net} ${net}", and the same with -in, leaves them in clear`,
  ];
}

/** What is allowed and unwise. */
export function warningsAbout(values: Values): string[] {
  const { cipher, authenticator } = values;
  const warnings = [cipher, authenticator].flatMap((row) => row?.weak ? [`${row.name} is weak: ${row.weak}`] : []);
  if (cipher && !cipher.manualKeys) {
    warnings.push(
      `${cipher.name} under a key given by hand: give it a new key each time the engine or the SA is started anew, ` +
        "because a repeated counter gives the plaintext away",
    );
  }
  return [...warnings, ...overlapWarning(values)];
}
