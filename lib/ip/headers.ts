/** Layouts of IPv4 (RFC 791), IPv6 (RFC 8200), UDP, TCP and ICMP headers as offsets from the header. @module */

/** IP protocol and next-header numbers. */
export const IP_PROTOCOL = {
  HOP_BY_HOP: 0,
  ICMP: 1,
  IPIP: 4,
  TCP: 6,
  UDP: 17,
  DCCP: 33,
  IPV6: 41,
  ROUTING: 43,
  FRAGMENT: 44,
  ESP: 50,
  AH: 51,
  ICMPV6: 58,
  NONE: 59,
  DESTINATION: 60,
  SCTP: 132,
  UDPLITE: 136,
} as const;

export const IPV4 = {
  VERSION_IHL: 0,
  TOS: 1,
  TOTAL_LENGTH: 2,
  IDENTIFICATION: 4,
  FRAGMENT: 6,
  TTL: 8,
  PROTOCOL: 9,
  CHECKSUM: 10,
  SOURCE: 12,
  DESTINATION: 16,
  OCTETS: 20,
  DF: 0x4000,
  MF: 0x2000,
  OFFSET_MASK: 0x1fff,
} as const;

export const IPV6 = {
  VERSION_CLASS_FLOW: 0,
  PAYLOAD_LENGTH: 4,
  NEXT_HEADER: 6,
  HOP_LIMIT: 7,
  SOURCE: 8,
  DESTINATION: 24,
  OCTETS: 40,
  FRAGMENT_OCTETS: 8,
} as const;

export const UDP = { SOURCE_PORT: 0, DESTINATION_PORT: 2, LENGTH: 4, CHECKSUM: 6, OCTETS: 8 } as const;

export const TCP = {
  SOURCE_PORT: 0,
  DESTINATION_PORT: 2,
  SEQUENCE: 4,
  ACKNOWLEDGEMENT: 8,
  DATA_OFFSET: 12,
  FLAGS: 13,
  CHECKSUM: 16,
  OCTETS: 20,
  FIN: 0x01,
  PSH: 0x08,
  ACK: 0x10,
  CWR: 0x80,
} as const;

/** The same offsets serve ICMP (RFC 792) and ICMPv6 (RFC 4443). */
export const ICMP = { TYPE: 0, CODE: 1, CHECKSUM: 2, REST: 4, OCTETS: 8 } as const;
