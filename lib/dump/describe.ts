/** Packets as lines, in the format of OpenBSD's tcpdump (FAQ 13.11). @module */
import { formatAddress } from "../ip/address.ts";
import { IP_PROTOCOL, IPV4, IPV6 } from "../ip/headers.ts";
import { describeHeader, describePayload } from "../isakmp/describe.ts";
import { IsakmpError } from "../isakmp/error.ts";
import { nameOf, PAYLOAD } from "../isakmp/numbers.ts";
import { HeaderWalk, walkHeaders } from "../ip/walk.ts";
import { formatHex } from "../octets/hex.ts";
import { describe as describePhoturis } from "../photuris/messages.ts";
import { IkeReader } from "./ike_reader.ts";
import type { EncHeader } from "./link.ts";
import { formatFragment, Reassembler } from "./reassembly.ts";
import type { KnownSas, Opened } from "./secured.ts";
import { see, type Seen } from "./seen.ts";
import { describeUpper } from "./upper.ts";

export interface DescribeOptions {
  /** 0: one line; 1: messages of IKE and Photuris in full; 2: every field of IP, ESP and AH, too. Default 0. */
  readonly verbosity?: number;
  /** SAs with which ESP is decrypted and ICVs are checked. */
  readonly sas?: KnownSas;
  /** Reads IKE; with keys, also what is encrypted. */
  readonly ike?: IkeReader;
}

const INDENT = "    ";
/** Packets inside packets that are shown. */
const MAX_DEPTH = 8;
const AH_FIXED_OCTETS = 12;

const formatSpi = (spi: number) => `0x${spi.toString(16).toUpperCase().padStart(8, "0")}`;
const u32 = (octets: Uint8Array, at: number) =>
  (octets[at] << 24 | octets[at + 1] << 16 | octets[at + 2] << 8 | octets[at + 3]) >>> 0;

/** `192.0.2.1`, with `.500` after it where there is a port. */
function formatEnd(seen: Seen, which: "source" | "destination"): string {
  const port = which === "source" ? seen.sourcePort : seen.destinationPort;
  return formatAddress(seen[which]) + (port === undefined ? "" : `.${port}`);
}

const ends = (seen: Seen) => `${formatEnd(seen, "source")} > ${formatEnd(seen, "destination")}`;

/** `SA, VENDOR x3`. */
function payloadNames(types: readonly number[]): string {
  const counts = new Map<string, number>();
  for (const type of types) counts.set(nameOf(PAYLOAD, type), (counts.get(nameOf(PAYLOAD, type)) ?? 0) + 1);
  return Array.from(counts, ([name, count]) => count > 1 ? `${name} x${count}` : name).join(", ");
}

/** `(ttl 64, id 4711, DF, len 84)`. */
function headerFields({ packet, family }: Seen): string {
  const word = (at: number) => packet[at] << 8 | packet[at + 1];
  if (family === 6) {
    const trafficClass = (packet[0] & 15) << 4 | packet[1] >> 4;
    return ` (hlim ${packet[IPV6.HOP_LIMIT]}${trafficClass ? `, class 0x${trafficClass.toString(16)}` : ""}, ` +
      `len ${packet.length})`;
  }
  const dontFragment = word(IPV4.FRAGMENT) & IPV4.DF ? ", DF" : "";
  const tos = packet[IPV4.TOS] ? `, tos 0x${packet[IPV4.TOS].toString(16)}` : "";
  return ` (ttl ${packet[IPV4.TTL]}, id ${word(IPV4.IDENTIFICATION)}${dontFragment}${tos}, len ${packet.length})`;
}

/** How enc0 of OpenBSD names what protected a packet: `(authentic,confidential): SPI 0x00001000: `. */
export function encPrefix({ spi, authentic, confidential }: EncHeader): string {
  const words = [authentic && "authentic", confidential && "confidential"].filter(Boolean).join(",");
  return words ? `(${words}): SPI ${formatSpi(spi)}: ` : "(unprotected): ";
}

/** Lines for packets, one after the other; remembers fragments and IKE conversations. */
export class Describer {
  readonly #verbosity: number;
  readonly #sas: KnownSas | undefined;
  readonly #ike: IkeReader;
  readonly #reassembler = new Reassembler();
  readonly #walk = new HeaderWalk();

  constructor({ verbosity = 0, sas, ike = new IkeReader() }: DescribeOptions = {}) {
    this.#verbosity = verbosity;
    this.#sas = sas;
    this.#ike = ike;
  }

  /** The lines of a packet; the first is about the whole, further ones are indented. Never throws on any packet. */
  describe(seen: Seen): string[] {
    const [first, ...more] = this.#packet(seen, 0);
    return [first, ...more.map((line) => INDENT + line)];
  }

  /** The lines of octets that `see` did not take for an IP packet. */
  static unsound(octets: Uint8Array): string[] {
    return [`no sound IP packet: ${octets.length} octets ${formatHex(octets.subarray(0, 40))}`];
  }

  #packet(seen: Seen, depth: number): string[] {
    const [first, ...more] = seen.fragment ? this.#fragment(seen, depth) : this.#whole(seen, depth);
    return [first + (this.#verbosity > 1 ? headerFields(seen) : ""), ...more];
  }

  #fragment(seen: Seen, depth: number): string[] {
    const fragment = seen.fragment!;
    const words = formatFragment(fragment);
    const [first, ...more] = fragment.offset === 0 ? this.#whole(seen, depth) : [this.#laterFragment(seen)];
    const view = new DataView(seen.packet.buffer, seen.packet.byteOffset, seen.packet.byteLength);
    const sound = walkHeaders(view, 0, seen.packet.length, this.#walk);
    const octets = sound ? this.#reassembler.add(seen.packet, this.#walk) : undefined;
    const whole = octets && see(octets);
    if (!whole || depth === MAX_DEPTH) return [`${first} ${words}`, ...more];
    const lines = this.#whole(whole, depth + 1);
    return [`${first} ${words}`, ...more, `whole: ${lines[0]}`, ...lines.slice(1)];
  }

  #laterFragment(seen: Seen): string {
    if (seen.protocol === IP_PROTOCOL.ESP) return `esp ${ends(seen)}`;
    return seen.protocol === IP_PROTOCOL.AH ? `ah ${ends(seen)}` : `${ends(seen)}:`;
  }

  #whole(seen: Seen, depth: number): string[] {
    switch (seen.kind) {
      case "esp":
        return this.#esp(seen, depth);
      case "ah":
        return this.#ah(seen, depth);
      case "ipip":
        return this.#inside(`${ends(seen)}: `, seen.body, depth, " (encap)");
      case "keepalive":
        return [`${ends(seen)}: nat-t keepalive`];
      case "isakmp":
        return this.#isakmp(seen);
      case "photuris": {
        const [first, ...more] = describePhoturis(seen.body);
        return [`${ends(seen)}: ${first}`, ...(this.#verbosity > 0 ? more : [])];
      }
      case "other":
        return [`${ends(seen)}: ${describeUpper(seen.protocol, seen.payload, this.#verbosity > 0)}`];
    }
  }

  /** A packet in a packet, in the same line. */
  #inside(before: string, octets: Uint8Array, depth: number, after = ""): string[] {
    const inner = depth < MAX_DEPTH ? see(octets) : undefined;
    if (!inner) return [`${before}${octets.length} octets${after}`];
    const [first, ...more] = this.#packet(inner, depth + 1);
    return [`${before}${first}${after}`, ...more];
  }

  #opened(seen: Seen): Opened | undefined {
    return seen.fragment ? undefined : this.#sas?.open(seen);
  }

  #esp(seen: Seen, depth: number): string[] {
    const { body, spi, inUdp } = seen;
    const line = `esp ${ends(seen)} spi ${formatSpi(spi!)} seq ${u32(body, 4)} len ${body.length}` +
      (inUdp ? " (in UDP)" : "");
    const opened = this.#opened(seen);
    if (!opened) return [line];
    const details = this.#verbosity > 1 ? opened.details : [];
    if (!opened.inner) return [`${line}: ${opened.verdict}`, ...details];
    const [first, ...more] = this.#inside(`${line}: ${opened.verdict}: `, opened.inner, depth);
    return [first, ...details, ...more];
  }

  #ah(seen: Seen, depth: number): string[] {
    const { body, spi, family } = seen;
    const [nextHeader, words] = body;
    // RFC 2402 2.2: in words, less two; old AH (RFC 1826) counts its ICV alone, which an authentic header tells apart.
    const headerOctets = Math.min((words + 2) * 4, body.length);
    const sequence = body.length >= AH_FIXED_OCTETS ? u32(body, 8) : 0;
    const opened = this.#opened(seen);
    const verdict = opened ? ` (${opened.verdict})` : "";
    const before = `ah ${ends(seen)} spi ${formatSpi(spi!)} seq ${sequence} len ${headerOctets}${verdict}: `;
    const fields = [
      `next header ${nextHeader}, ${words} words`,
      `ICV: ${formatHex(body.subarray(Math.min(AH_FIXED_OCTETS, headerOctets), headerOctets))}`,
    ];
    const lines = this.#afterAh(seen, before, nextHeader, body.subarray(headerOctets), family, depth);
    return [lines[0], ...(this.#verbosity > 1 ? fields : []), ...lines.slice(1)];
  }

  /** What AH protects is in clear: a whole packet (tunnel), or what the outer header carries (transport). */
  #afterAh(seen: Seen, before: string, protocol: number, rest: Uint8Array, family: 4 | 6, depth: number): string[] {
    if (protocol === IP_PROTOCOL.IPIP || protocol === IP_PROTOCOL.IPV6) return this.#inside(before, rest, depth);
    if (seen.fragment || protocol !== IP_PROTOCOL.ESP || depth === MAX_DEPTH) {
      return [before + describeUpper(protocol, rest, this.#verbosity > 0)];
    }
    const carried = see(carry(seen, protocol, rest, family));
    return carried ? this.#inside(before, carried.packet, depth) : [before + describeUpper(protocol, rest)];
  }

  #isakmp(seen: Seen): string[] {
    const { body, inUdp } = seen;
    const before = `${ends(seen)}: isakmp${inUdp ? " (non-ESP marker)" : ""} `;
    try {
      const { header, payloads, decrypted, reason, reassembled } = this.#ike.read(formatEnd(seen, "source"), body);
      const names = payloads
        ? payloadNames(payloads.map(({ type }) => type))
        : `encrypted, ${body.length - 28} octets${this.#verbosity > 0 && reason ? ` (${reason})` : ""}`;
      const how = `${decrypted ? " (decrypted)" : ""}${reassembled ? " (from fragments)" : ""}`;
      const lines = this.#verbosity > 0 ? payloads?.flatMap(describePayload) ?? [] : [];
      return [`${before}${describeHeader(header)}: ${names}${how}`, ...lines];
    } catch (error) {
      if (!(error instanceof IsakmpError)) throw error;
      return [`${before}malformed: ${error.message}, ${body.length} octets`];
    }
  }
}

/** The packet as it would be without AH: its IP header and what AH protects. */
function carry({ packet, payload }: Seen, protocol: number, rest: Uint8Array, family: 4 | 6): Uint8Array {
  const headerOctets = family === 4 ? packet.length - payload.length : IPV6.OCTETS;
  const out = new Uint8Array(headerOctets + rest.length);
  out.set(packet.subarray(0, headerOctets));
  out.set(rest, headerOctets);
  const view = new DataView(out.buffer);
  if (family === 4) {
    out[IPV4.PROTOCOL] = protocol;
    view.setUint16(IPV4.TOTAL_LENGTH, out.length);
  } else {
    out[IPV6.NEXT_HEADER] = protocol;
    view.setUint16(IPV6.PAYLOAD_LENGTH, rest.length);
  }
  return out;
}

/** The octets of a packet as tcpdump -x prints them. */
export function hexLines(packet: Uint8Array): string[] {
  return Array.from({ length: Math.ceil(packet.length / 16) }, (_, row) => {
    const digits = formatHex(packet.subarray(16 * row, 16 * row + 16)).match(/.{1,4}/g)!.join(" ");
    return `\t0x${(16 * row).toString(16).padStart(4, "0")}:  ${digits}`;
  });
}

/** `14:02:11.104120`. @param time seconds since the epoch @param offsetSeconds of local time from UTC */
export function formatTime(time: number, offsetSeconds = 0): string {
  const microseconds = Math.round((((time + offsetSeconds) % 86400) + 86400) * 1e6) % 86_400_000_000;
  const seconds = Math.floor(microseconds / 1e6);
  const two = (number: number) => String(number).padStart(2, "0");
  const fraction = String(microseconds % 1e6).padStart(6, "0");
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}.${fraction}`;
}
