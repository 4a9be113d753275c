/** The packet being worked on, and the reasons for which one is dropped. @module */

/**
 * One packet in the arena. The datapath keeps a single object of this class (or one per queue) and reuses it for every
 * packet. The caller guarantees {@linkcode HEADROOM} octets before `at` and {@linkcode TAILROOM} after the end.
 */
export class Packet {
  /** Arena offset of the first octet: an IP header or, when `bare`, the ESP header itself. */
  at = 0;
  octets = 0;
  /**
   * There is no outer IP (and UDP) header at `at`, because a socket gives and takes it.
   *
   * - Before `decapsulate`: a fact; `family`, `sourceAt`, `destinationAt` and `tos` then describe the header that the
   *   socket took away.
   * - Before `encapsulate`: a wish, granted for ESP in tunnel mode and else cleared. When granted, nothing before the
   *   ESP header is written and `tos` and `dontFragment` say what the outer header should carry.
   */
  bare = false;
  /** Outer family: 4 or 6. */
  family = 4;
  /** Arena offsets of the outer addresses (4 or 16 octets). Set by `locate`, by the caller for bare packets. */
  sourceAt = 0;
  destinationAt = 0;
  /** TOS or traffic class of the outer header. */
  tos = 0;
  /** DF of the outer IPv4 header, after `encapsulate`. */
  dontFragment = false;
  /** Set by `locate`: arena offset of the ESP or AH header (of the inner header for IP-in-IP). */
  securityAt = 0;
  /** Set by `locate`: 50, 51 or 4 (41 is reported as 4). */
  protocol = 0;
  /** Set by `locate`: SPI as int32; 0 for IP-in-IP. */
  spi = 0;
  /** Set by `locate`: arena offset of the protocol (next header) octet that names the security header; 0 when bare. */
  nextHeaderAt = 0;
  /** Set by `locate`: where the IP header with its options or extension headers ends. */
  headerEnd = 0;
  /** Set while a packet is encapsulated: arena offset of what is protected, and its protocol number. */
  payloadAt = 0;
  nextHeader = 0;
  /** After `decapsulate`: an IP header came out from inside (tunnel mode). After `encapsulate`: one was put around. */
  tunnelled = false;
}

/** Octets before the packet that `encapsulate` may write. */
export const HEADROOM = 256;
/** Octets after the packet that `encapsulate` may write. */
export const TAILROOM = 320;

/**
 * Every reason for which a packet is not passed on, in the order of their numbers; 0 is "not dropped". `text` completes
 * "N packets ..." in `netstat -s`.
 */
export const DROPS = [
  { name: "none", text: "passed" },
  { name: "malformedHeader", text: "with a malformed IP header" },
  { name: "short", text: "shorter than their headers say" },
  { name: "fragment", text: "still fragments where a whole packet is needed" },
  { name: "noSa", text: "with an SPI for which there is no SA" },
  { name: "badSpi", text: "with a reserved SPI" },
  { name: "expired", text: "for an SA that is not (or no longer) usable" },
  { name: "wrongProtocol", text: "not in the form their SA asks for" },
  { name: "replayZero", text: "with sequence number zero" },
  { name: "replayOld", text: "older than the replay window" },
  { name: "replayDuplicate", text: "seen before (replayed)" },
  { name: "badIcv", text: "that failed authentication" },
  { name: "badPadding", text: "with bad padding" },
  { name: "badLength", text: "whose length does not fit the cipher block" },
  { name: "badInner", text: "with something other than a sound IP packet inside" },
  { name: "congestion", text: "marked congested around a packet that cannot carry the mark" },
  { name: "sequence", text: "refused because the sequence numbers of their SA are used up" },
  { name: "tooBig", text: "too big for the path" },
  { name: "policy", text: "that the policy does not allow from their SA" },
  { name: "denied", text: "that a flow denies" },
  { name: "noKey", text: "held back because no SA for their flow exists yet" },
  { name: "disabled", text: "refused because the protocol is switched off (sysctl)" },
  { name: "queueFull", text: "lost because a queue was full" },
  { name: "dummy", text: "that were dummies (next header 59)" },
  { name: "looping", text: "that would enter their own tunnel" },
  { name: "noRoute", text: "that could not be sent" },
] as const;

export type DropName = typeof DROPS[number]["name"];

/** Number of a reason by its name: `DROP.badIcv`. */
export const DROP = Object.fromEntries(DROPS.map(({ name }, number) => [name, number])) as Readonly<
  Record<DropName, number>
>;

/** Columns of {@linkcode Counters} per protocol, before the drop reasons. */
export const TOTALS = ["inputPackets", "inputOctets", "outputPackets", "outputOctets"] as const;
/** Rows of {@linkcode Counters}; 0 is for packets that no security protocol is to blame for. */
export const COUNTED_PROTOCOLS = [50, 51, 4, 0] as const;

const COLUMNS = TOTALS.length + DROPS.length;

/** Packet counters by protocol and reason: doubles in one buffer, which may be shared between threads (one writer each). */
export class Counters {
  /** Octets of the buffer. */
  static readonly OCTETS = 8 * COLUMNS * COUNTED_PROTOCOLS.length;
  readonly cells: Float64Array;

  constructor(buffer: ArrayBufferLike = new ArrayBuffer(Counters.OCTETS)) {
    this.cells = new Float64Array(buffer);
  }

  #row(protocol: number): number {
    return protocol === 50 ? 0 : protocol === 51 ? COLUMNS : protocol === 4 ? 2 * COLUMNS : 3 * COLUMNS;
  }

  input(protocol: number, octets: number): void {
    const row = this.#row(protocol);
    this.cells[row] += 1;
    this.cells[row + 1] += octets;
  }

  output(protocol: number, octets: number): void {
    const row = this.#row(protocol) + 2;
    this.cells[row] += 1;
    this.cells[row + 1] += octets;
  }

  /** Counts dropped packets. `reason` is a number of {@linkcode DROP}. */
  drop(protocol: number, reason: number, packets = 1): void {
    this.cells[this.#row(protocol) + TOTALS.length + reason] += packets;
  }

  /** The counters of one protocol by name. */
  read(protocol: number): Record<typeof TOTALS[number] | DropName, number> {
    const names = [...TOTALS, ...DROPS.map(({ name }) => name)];
    const row = this.#row(protocol);
    return Object.fromEntries(names.map((name, column) => [name, this.cells[row + column]])) as Record<
      typeof TOTALS[number] | DropName,
      number
    >;
  }
}
