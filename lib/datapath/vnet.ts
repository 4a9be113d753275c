/** The virtio-net header that Linux puts before each packet of a TUN device with offloads (linux/virtio_net.h). @module */

/** Octets of the header. */
export const VNET_OCTETS = 10;

/** Offsets of its fields; the 16-bit ones are little-endian. */
export const VNET = { FLAGS: 0, GSO_TYPE: 1, HEADER_OCTETS: 2, GSO_OCTETS: 4, SUM_START: 6, SUM_OFFSET: 8 } as const;

export const NEEDS_SUM = 1;
export const GSO = { NONE: 0, TCP_V4: 1, TCP_V6: 4, UDP: 5, ECN: 0x80 } as const;

export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;

/** Offsets in the headers that segmentation and coalescing touch. */
export const V4 = {
  TOS: 1,
  LENGTH: 2,
  ID: 4,
  FRAGMENT: 6,
  TTL: 8,
  PROTOCOL: 9,
  SUM: 10,
  SOURCE: 12,
  OCTETS: 20,
} as const;
export const V6 = { LENGTH: 4, NEXT_HEADER: 6, HOP_LIMIT: 7, SOURCE: 8, OCTETS: 40 } as const;
export const TCP = {
  SEQUENCE: 4,
  ACKNOWLEDGEMENT: 8,
  DATA_OFFSET: 12,
  FLAGS: 13,
  WINDOW: 14,
  SUM: 16,
  OCTETS: 20,
} as const;
export const TCP_FLAG = { FIN: 0x01, PSH: 0x08, ACK: 0x10, CWR: 0x80 } as const;
export const UDP = { LENGTH: 4, SUM: 6, OCTETS: 8 } as const;
