/** From a captured frame to the IP packet in it, by link type (tcpdump.org/linktypes.html). @module */
import type { Frame } from "./pcap.ts";

/** What OpenBSD's enc interface says of a packet (if_enc.h). */
export interface EncHeader {
  /** 0: not told. */
  readonly spi: number;
  readonly authentic: boolean;
  readonly confidential: boolean;
}

/** A frame's content. */
export interface LinkContent {
  /** The packet from its IP header on; absent for other protocols. */
  readonly ip?: Uint8Array;
  /** What there is instead of IP, in words. */
  readonly other?: string;
  readonly enc?: EncHeader;
}

const ETHERTYPE = { IPV4: 0x0800, IPV6: 0x86dd, VLAN: 0x8100, QINQ: 0x88a8, ARP: 0x0806 } as const;
const ENC_CONFIDENTIAL = 0x0400;
const ENC_AUTHENTIC = 0x0800;

const CUT: LinkContent = { other: "frame cut off" };

function byEtherType(octets: Uint8Array, typeAt: number): LinkContent {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  for (let at = typeAt, tags = 0; tags < 4; at += 4, tags++) {
    if (octets.length < at + 2) return CUT;
    const type = view.getUint16(at);
    if (type === ETHERTYPE.IPV4 || type === ETHERTYPE.IPV6) return { ip: octets.subarray(at + 2) };
    if (type === ETHERTYPE.ARP) return { other: "arp" };
    if (type !== ETHERTYPE.VLAN && type !== ETHERTYPE.QINQ) {
      return { other: `ethertype 0x${type.toString(16).padStart(4, "0")}` };
    }
  }
  return { other: "too many VLAN tags" };
}

function afterHeader(octets: Uint8Array, headerOctets: number): LinkContent {
  if (octets.length <= headerOctets) return CUT;
  const ip = octets.subarray(headerOctets);
  const version = ip[0] >> 4;
  return version === 4 || version === 6 ? { ip } : { other: `IP version ${version}` };
}

function enc(octets: Uint8Array): LinkContent {
  if (octets.length < 12) return CUT;
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  // The address family is in the order of the host that captured: it tells the order of the flags.
  const flags = view.getUint32(8, view.getUint32(0) > 0xffff);
  return {
    ...afterHeader(octets, 12),
    enc: {
      spi: view.getUint32(4),
      authentic: (flags & ENC_AUTHENTIC) !== 0,
      confidential: (flags & ENC_CONFIDENTIAL) !== 0,
    },
  };
}

/** LINKTYPE -> how to find the packet. */
const LINK_TYPES: Readonly<Record<number, (octets: Uint8Array) => LinkContent>> = {
  0: (octets) => afterHeader(octets, 4), // NULL: BSD loopback
  1: (octets) => byEtherType(octets, 12), // ETHERNET
  12: (octets) => afterHeader(octets, 0), // RAW as some systems write it
  14: (octets) => afterHeader(octets, 0), // RAW of OpenBSD
  101: (octets) => afterHeader(octets, 0), // RAW
  108: (octets) => afterHeader(octets, 4), // LOOP: OpenBSD loopback
  109: enc, // ENC: OpenBSD enc0
  113: (octets) => byEtherType(octets, 14), // LINUX_SLL
  228: (octets) => afterHeader(octets, 0), // IPV4
  229: (octets) => afterHeader(octets, 0), // IPV6
  // LINUX_SLL2: the protocol comes first, the packet after 20 octets.
  276: (octets) => {
    if (octets.length < 20) return CUT;
    const type = octets[0] << 8 | octets[1];
    if (type === ETHERTYPE.IPV4 || type === ETHERTYPE.IPV6) return { ip: octets.subarray(20) };
    return { other: type === ETHERTYPE.ARP ? "arp" : `ethertype 0x${type.toString(16).padStart(4, "0")}` };
  },
};

/** The content of a frame. Never throws. */
export function openFrame({ linkType, octets }: Frame): LinkContent {
  return LINK_TYPES[linkType]?.(octets) ?? { other: `link type ${linkType} is not known here` };
}
