/** Opening ESP and AH with keys, and saying whether the ICV is right. @module */
import { createNodeCrypto } from "../crypto/node.ts";
import { type Address, formatAddress } from "../ip/address.ts";
import { locate } from "../ipsec/locate.ts";
import { DROP, DROPS, HEADROOM, Packet, TAILROOM } from "../ipsec/packet.ts";
import { createSa, type Sa } from "../ipsec/sa.ts";
import { decapsulate } from "../ipsec/transform.ts";
import { NO_LIMIT, type SaParameters } from "../ipsec/types.ts";
import { type Arena, createArena } from "../octets/arena.ts";
import type { Bytes } from "../octets/bytes.ts";
import { formatHex } from "../octets/hex.ts";
import type { Seen } from "./seen.ts";

const PACKET_OCTETS = 65536;
/** SAs whose keys are known; more are refused. */
const MOST_SAS = 65536;

/** What became of a protected packet. */
export interface Opened {
  /** `icv ok`, `no icv`, or what is wrong. */
  readonly verdict: string;
  /** What was inside, from its IP header on; in transport mode with the outer header. */
  readonly inner?: Bytes;
  /** IV and ICV as they are in the packet, and the algorithms. */
  readonly details: readonly string[];
}

const keyOf = (spi: number, protocol: number, destination: Address) =>
  `${protocol} ${spi >>> 0} ${formatAddress(destination)}`;

const VERDICTS: Readonly<Record<number, string>> = {
  [DROP.badIcv]: "icv bad: another key, or changed on the way",
  [DROP.badPadding]: "bad padding: probably another key",
  [DROP.badLength]: "length does not fit the cipher: probably another algorithm",
  [DROP.badInner]: "no IP packet inside: probably another key",
};

/** The SAs whose keys are known. Dispose of it to erase them. */
export class KnownSas implements Disposable {
  readonly #arena: Arena = createArena(4 * PACKET_OCTETS);
  readonly #crypto = createNodeCrypto(this.#arena);
  readonly #at = this.#arena.reserve(HEADROOM + PACKET_OCTETS + TAILROOM) + HEADROOM;
  readonly #packet = new Packet();
  readonly #sas = new Map<string, Sa>();

  get size(): number {
    return this.#sas.size;
  }

  /** Adds an SA, in the place of an earlier one with its identity. @throws {RangeError} on keys that do not fit */
  add(parameters: SaParameters): void {
    const key = keyOf(parameters.spi, parameters.protocol, parameters.destination);
    const before = this.#sas.get(key);
    if (!before && this.#sas.size === MOST_SAS) throw new RangeError(`more than ${MOST_SAS} SAs`);
    const sa = createSa({ ...parameters, replayWindow: 0, hard: NO_LIMIT, soft: NO_LIMIT }, this.#crypto, this.#arena);
    before?.[Symbol.dispose]();
    this.#sas.set(key, sa);
  }

  /** Whether the packet's SA is known. */
  has({ spi, kind, destination }: Seen): boolean {
    return spi !== undefined && this.#sas.has(keyOf(spi, kind === "ah" ? 51 : 50, destination));
  }

  /** Opens a whole packet that `see` took for ESP or AH; undefined when its SA is not known. */
  open({ packet: octets, spi, kind, destination }: Seen): Opened | undefined {
    const sa = spi === undefined ? undefined : this.#sas.get(keyOf(spi, kind === "ah" ? 51 : 50, destination));
    if (!sa || octets.length > PACKET_OCTETS) return undefined;
    const { u8 } = this.#arena;
    const packet = this.#packet;
    u8.set(octets, this.#at);
    packet.at = this.#at;
    packet.octets = octets.length;
    packet.bare = false;
    const located = locate(this.#arena, packet);
    if (located !== 0) return { verdict: DROPS[located].text, details: [] };
    const details = this.#details(sa, packet);
    const drop = decapsulate(this.#arena, sa, packet);
    if (drop !== 0) return { verdict: VERDICTS[drop] ?? DROPS[drop].text, details };
    return {
      verdict: sa.authenticates ? "icv ok" : "no icv",
      inner: u8.slice(packet.at, packet.at + packet.octets),
      details,
    };
  }

  #details(sa: Sa, packet: Packet): string[] {
    const { u8 } = this.#arena;
    const end = packet.at + packet.octets;
    const hex = (from: number, octets: number) =>
      from >= packet.securityAt && from + octets <= end ? formatHex(u8.subarray(from, from + octets)) : "cut off";
    const { encryption, authentication } = sa.parameters;
    const algorithms = [encryption, authentication].filter(Boolean).join(" ") || "no algorithm";
    const isEsp = sa.protocol === 50;
    const ivAt = packet.securityAt + sa.headOctets - (isEsp ? sa.ivOctets : sa.ivOctets + sa.icvOctets);
    const icvAt = isEsp ? end - sa.icvOctets : packet.securityAt + 12 + sa.ivOctets;
    return [
      `SA: ${algorithms}, ${sa.tunnel ? "tunnel" : "transport"} mode`,
      ...(sa.ivOctets && isEsp ? [`IV: ${hex(ivAt, sa.ivOctets)}`] : []),
      ...(sa.icvOctets && (isEsp || !sa.parameters.oldHeader) ? [`ICV: ${hex(icvAt, sa.icvOctets)}`] : []),
    ];
  }

  /** Forgets all SAs and erases their keys. */
  clear(): void {
    for (const sa of this.#sas.values()) sa[Symbol.dispose]();
    this.#sas.clear();
  }

  [Symbol.dispose](): void {
    this.clear();
  }
}
