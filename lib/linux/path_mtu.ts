/**
 * News of paths that take smaller packets (RFC 1191, RFC 8201). Linux learns the path MTU of IPv4 and UDP from ICMP by
 * itself, but not that of IPv6 packets from raw sockets, and it tells nobody; so the engine reads the ICMP messages too.
 *
 * @module
 */
import { libc } from "../ffi/libc.ts";
import { type Address, address } from "../ip/address.ts";
import { ICMP, IP_PROTOCOL, IPV4, IPV6, UDP } from "../ip/headers.ts";
import { Readiness } from "./readiness.ts";
import { openTooBigSocket, type Socket } from "./sockets.ts";

/** An ICMP message that says what was too big, and how large a packet may be on its path. */
export interface TooBig {
  /** Where the packet that was too big went. */
  readonly destination: Address;
  /** Its protocol: 4, 41, 50, 51, or 17. */
  readonly protocol: number;
  /** Port of our end, of UDP; else 0. */
  readonly sourcePort: number;
  /** The largest packet, IP header included; at least the smallest that the IP version guarantees. */
  readonly mtu: number;
}

const CODE_FRAGMENTATION_NEEDED = 4;
const MIN_MTU = { 4: 576, 6: 1280 } as const;
/** RFC 1191 7.1: MTUs that exist, for routers that do not tell theirs. */
const PLATEAUS = [32000, 17914, 8166, 4352, 2002, 1492, 1006, 508];
const OURS = new Set<number>([IP_PROTOCOL.IPIP, IP_PROTOCOL.IPV6, IP_PROTOCOL.ESP, IP_PROTOCOL.AH, IP_PROTOCOL.UDP]);
const EXTENSIONS = new Set<number>([IP_PROTOCOL.HOP_BY_HOP, IP_PROTOCOL.ROUTING, IP_PROTOCOL.DESTINATION]);

/**
 * What an ICMP message says: of family 4 with its IP header, of family 6 without, as raw sockets hand them over.
 *
 * @returns undefined for any other message, one that is cut short, and one about packets that are none of the engine's
 */
export function decodeTooBig(family: 4 | 6, octets: Uint8Array): TooBig | undefined {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  const icmp = family === 4 ? (octets[0] & 15) * 4 : 0;
  const inner = icmp + ICMP.OCTETS;
  return family === 4 ? decodeV4(view, octets, icmp, inner) : decodeV6(view, octets, icmp, inner);
}

function decodeV4(view: DataView, octets: Uint8Array, icmp: number, inner: number): TooBig | undefined {
  if (icmp < IPV4.OCTETS || octets.length < inner + IPV4.OCTETS) return undefined;
  if (octets[icmp] !== 3 || octets[icmp + ICMP.CODE] !== CODE_FRAGMENTATION_NEEDED) return undefined;
  if (octets[inner] >> 4 !== 4) return undefined;
  const told = view.getUint16(icmp + 6);
  const total = view.getUint16(inner + IPV4.TOTAL_LENGTH);
  const mtu = told || (PLATEAUS.find((plateau) => plateau < total) ?? MIN_MTU[4]);
  const payload = inner + (octets[inner] & 15) * 4;
  return ours(view, 4, inner + IPV4.DESTINATION, octets[inner + IPV4.PROTOCOL], payload, mtu);
}

function decodeV6(view: DataView, octets: Uint8Array, icmp: number, inner: number): TooBig | undefined {
  if (octets.length < inner + IPV6.OCTETS || octets[icmp] !== 2 || octets[inner] >> 4 !== 6) return undefined;
  const mtu = view.getUint32(icmp + 4);
  let protocol = octets[inner + IPV6.NEXT_HEADER];
  let at = inner + IPV6.OCTETS;
  while (at + 2 <= octets.length && (EXTENSIONS.has(protocol) || protocol === IP_PROTOCOL.FRAGMENT)) {
    const length = protocol === IP_PROTOCOL.FRAGMENT ? IPV6.FRAGMENT_OCTETS : 8 * (octets[at + 1] + 1);
    protocol = octets[at];
    at += length;
  }
  return ours(view, 6, inner + IPV6.DESTINATION, protocol, at, mtu);
}

function ours(
  view: DataView,
  family: 4 | 6,
  to: number,
  protocol: number,
  at: number,
  mtu: number,
): TooBig | undefined {
  if (!OURS.has(protocol)) return undefined;
  let sourcePort = 0;
  if (protocol === IP_PROTOCOL.UDP) {
    if (at + UDP.OCTETS > view.byteLength) return undefined;
    sourcePort = view.getUint16(at + UDP.SOURCE_PORT);
  }
  const destination = address(new Uint8Array(view.buffer, view.byteOffset + to, family === 4 ? 4 : 16));
  return { destination, protocol, sourcePort, mtu: Math.max(mtu, MIN_MTU[family]) };
}

const MESSAGE_OCTETS = 2048;

/** Listens until it is disposed of. */
export class PathMtuMonitor implements Disposable {
  readonly #sockets: Socket[];
  readonly #readiness: Readiness;
  /** Resolves when the listening has ended. */
  readonly ended: Promise<void>;

  /**
   * @param onTooBig called on the event loop. Anyone on the path can forge such a message: the MTU is never below what
   * every link must take, and should be forgotten after ten minutes (RFC 1191 6.3)
   * @throws {SystemError} saying which privilege is missing
   */
  constructor(onTooBig: (news: TooBig) => void) {
    this.#sockets = ([4, 6] as const).flatMap((family) => openTooBigSocket(family) ?? []);
    this.#readiness = new Readiness(...this.#sockets.map(({ fd }) => fd));
    this.ended = this.#listen(onTooBig);
  }

  async #listen(onTooBig: (news: TooBig) => void): Promise<void> {
    const message = new Uint8Array(MESSAGE_OCTETS);
    try {
      while (await this.#readiness.wait()) {
        for (const { fd, family } of this.#sockets) {
          for (;;) {
            const octets = libc().recvBuffer(fd, message, BigInt(message.length), 0);
            if (octets < 0) break;
            const news = decodeTooBig(family, message.subarray(0, octets));
            if (news) onTooBig(news);
          }
        }
      }
    } finally {
      for (const socket of this.#sockets) socket.close();
    }
  }

  [Symbol.dispose](): void {
    this.#readiness[Symbol.dispose]();
  }
}
