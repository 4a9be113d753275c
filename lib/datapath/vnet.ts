/** The virtio-net header that Linux puts before each packet of a TUN device with offloads (linux/virtio_net.h). @module */

/** Octets of the header. */
export const VNET_OCTETS = 10;

/** Offsets of its fields; the 16-bit ones are little-endian. */
export const VNET = { FLAGS: 0, GSO_TYPE: 1, HEADER_OCTETS: 2, GSO_OCTETS: 4, SUM_START: 6, SUM_OFFSET: 8 } as const;

export const NEEDS_SUM = 1;
export const GSO = { NONE: 0, TCP_V4: 1, TCP_V6: 4, UDP: 5, ECN: 0x80 } as const;
