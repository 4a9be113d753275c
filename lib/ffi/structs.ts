/**
 * Structures and numbers of the Linux system interface, for x86_64 and aarch64. Both are little-endian LP64 and share
 * the kernel's generic socket and ioctl numbers, so one table serves; what differs (open flags) is a row per
 * architecture. tests/ffi compares every row with what each architecture's C compiler says.
 *
 * @module
 */

/** The architectures whose structures are known here, under Deno's own names. */
export const ARCHITECTURES = ["x86_64", "aarch64"] as const;
export type Architecture = typeof ARCHITECTURES[number];

/** Size and alignment of C's scalar types under LP64. */
const SCALARS = { u8: 1, u16: 2, i16: 2, u32: 4, i32: 4, u64: 8, i64: 8, size: 8, pointer: 8 } as const;
type Scalar = keyof typeof SCALARS;
/** A scalar type, or an array of so many octets. */
type FieldType = Scalar | number;

/** A C structure: how many octets, how aligned, and where each field lies. */
export interface Layout<Name extends string> {
  readonly octets: number;
  readonly align: number;
  readonly at: Readonly<Record<Name, number>>;
}

/** Lays fields out as a C compiler does: each at the next multiple of its size, the whole a multiple of the largest. */
export function layout<Name extends string>(fields: Record<Name, FieldType>): Layout<Name> {
  const at = {} as Record<Name, number>;
  let octets = 0;
  let align = 1;
  for (const [name, type] of Object.entries(fields) as [Name, FieldType][]) {
    const [size, alignment] = typeof type === "number" ? [type, 1] : [SCALARS[type], SCALARS[type]];
    octets = Math.ceil(octets / alignment) * alignment;
    at[name] = octets;
    octets += size;
    align = Math.max(align, alignment);
  }
  return { octets: Math.ceil(octets / align) * align, align, at };
}

/** struct iovec */
export const IOVEC = layout({ base: "pointer", length: "size" });
const MSGHDR_FIELDS = {
  name: "pointer",
  nameLength: "u32",
  iov: "pointer",
  iovLength: "size",
  control: "pointer",
  controlLength: "size",
  flags: "i32",
} as const;
/** struct msghdr */
export const MSGHDR = layout(MSGHDR_FIELDS);
/** struct mmsghdr: a whole msghdr with the padding at its end, then the octets sent or received. */
export const MMSGHDR = layout({ ...MSGHDR_FIELDS, pad: 4, length: "u32" });
/** struct cmsghdr; its data follow at the next multiple of 8. */
export const CMSGHDR = layout({ length: "size", level: "i32", type: "i32" });
/** struct pollfd */
export const POLLFD = layout({ fd: "i32", events: "i16", revents: "i16" });
/** struct epoll_event, which x86_64 alone packs; `data` is 64 bits of the caller's. */
export const EPOLL_EVENT_BY_ARCHITECTURE = {
  x86_64: layout({ events: "u32", data: 8 }),
  aarch64: layout({ events: "u32", data: "u64" }),
} as const satisfies Record<Architecture, Layout<"events" | "data">>;
/** struct timespec */
export const TIMESPEC = layout({ seconds: "i64", nanoseconds: "i64" });
/** struct timeval */
export const TIMEVAL = layout({ seconds: "i64", microseconds: "i64" });
/** struct sockaddr_in */
export const SOCKADDR_IN = layout({ family: "u16", port: "u16", address: 4, zero: 8 });
/** struct sockaddr_in6 */
export const SOCKADDR_IN6 = layout({ family: "u16", port: "u16", flowInfo: "u32", address: 16, scope: "u32" });
/** struct sockaddr_nl */
export const SOCKADDR_NL = layout({ family: "u16", pad: "u16", port: "u32", groups: "u32" });
/** struct sockaddr_ll */
export const SOCKADDR_LL = layout({
  family: "u16",
  protocol: "u16",
  index: "i32",
  hardware: "u16",
  packetType: "u8",
  addressOctets: "u8",
  address: 8,
});
/** struct in_pktinfo */
export const IN_PKTINFO = layout({ index: "i32", source: 4, destination: 4 });
/** struct in6_pktinfo */
export const IN6_PKTINFO = layout({ address: 16, index: "u32" });
/** struct ifreq as TUNSETIFF reads it */
export const IFREQ = layout({ name: 16, flags: "u16", rest: 6, more: "u64", last: "u64" });
/** struct virtio_net_hdr, little-endian */
export const VNET_HEADER = layout({
  flags: "u8",
  gsoType: "u8",
  headerLength: "u16",
  gsoSize: "u16",
  checksumStart: "u16",
  checksumOffset: "u16",
});

/** struct sockaddr_un */
export const SOCKADDR_UN = layout({ family: "u16", path: 108 });
/** struct rlimit */
export const RLIMIT = layout({ soft: "u64", hard: "u64" });
/** struct __user_cap_header_struct */
export const CAP_HEADER = layout({ version: "u32", thread: "i32" });
/** struct __user_cap_data_struct: capabilities 0 to 31; a second one has 32 to 63. */
export const CAP_DATA = layout({ effective: "u32", permitted: "u32", inheritable: "u32" });
/** Octets of cpu_set_t. */
export const CPU_SET_OCTETS = 128;
/** OSSL_PARAM of libcrypto; an entry of zeros ends a list of them. */
export const OSSL_PARAM = layout({
  key: "pointer",
  dataType: "u32",
  data: "pointer",
  dataOctets: "size",
  returnOctets: "size",
});

/** _IOW(type, number, size) of asm-generic/ioctl.h, which both architectures use. */
const iow = (type: string, number: number, octets: number) =>
  (1 << 30 | octets << 16 | type.charCodeAt(0) << 8 | number) >>> 0;
/** _IOR, likewise. */
const ior = (type: string, number: number, octets: number) =>
  (2 << 30 | octets << 16 | type.charCodeAt(0) << 8 | number) >>> 0;

/** ioctl requests, by their names in C. */
export const IOCTL = {
  TUNSETIFF: iow("T", 202, 4),
  TUNSETOFFLOAD: iow("T", 208, 4),
  TUNGETIFF: ior("T", 210, 4),
  TUNSETSNDBUF: iow("T", 212, 4),
  TUNSETVNETHDRSZ: iow("T", 216, 4),
} as const;

/** Flags of open(2) that are the same everywhere. */
export const OPEN = { O_RDONLY: 0, O_WRONLY: 1, O_RDWR: 2, O_CREAT: 0o100, O_NONBLOCK: 0o4000, O_CLOEXEC: 0o2000000 };
/** Flags of open(2) that differ. */
export const OPEN_BY_ARCHITECTURE: Record<Architecture, { O_DIRECTORY: number; O_NOFOLLOW: number }> = {
  x86_64: { O_DIRECTORY: 0o200000, O_NOFOLLOW: 0o400000 },
  aarch64: { O_DIRECTORY: 0o40000, O_NOFOLLOW: 0o100000 },
};

/** Flags of linux/if_tun.h. */
export const TUN = {
  IFF_TUN: 0x0001,
  IFF_NO_PI: 0x1000,
  IFF_VNET_HDR: 0x4000,
  IFF_TUN_EXCL: 0x8000,
  IFF_MULTI_QUEUE: 0x0100,
  TUN_F_CSUM: 0x01,
  TUN_F_TSO4: 0x02,
  TUN_F_TSO6: 0x04,
  TUN_F_USO4: 0x20,
  TUN_F_USO6: 0x40,
} as const;

/** Address families, socket types and flags, message flags, poll events, shutdown and lock words. */
export const SOCKET = {
  AF_UNIX: 1,
  AF_INET: 2,
  AF_INET6: 10,
  AF_NETLINK: 16,
  AF_PACKET: 17,
  SOCK_DGRAM: 2,
  SOCK_RAW: 3,
  SOCK_SEQPACKET: 5,
  SOCK_NONBLOCK: 0o4000,
  SOCK_CLOEXEC: 0o2000000,
  IPPROTO_IP: 0,
  IPPROTO_ICMP: 1,
  IPPROTO_IPIP: 4,
  IPPROTO_UDP: 17,
  IPPROTO_IPV6: 41,
  IPPROTO_ESP: 50,
  IPPROTO_AH: 51,
  IPPROTO_ICMPV6: 58,
  IPPROTO_RAW: 255,
  MSG_PEEK: 0x02,
  MSG_CTRUNC: 0x08,
  MSG_TRUNC: 0x20,
  MSG_DONTWAIT: 0x40,
  MSG_NOSIGNAL: 0x4000,
  MSG_ZEROCOPY: 0x4000000,
  POLLIN: 0x01,
  POLLOUT: 0x04,
  POLLERR: 0x08,
  POLLHUP: 0x10,
} as const;

/** Socket options and control message types: [level, name]. */
export const OPTION = {
  SO_REUSEADDR: [1, 2],
  SO_ERROR: [1, 4],
  SO_SNDBUF: [1, 7],
  SO_RCVBUF: [1, 8],
  SO_RCVTIMEO: [1, 20],
  SO_BINDTODEVICE: [1, 25],
  SO_SNDBUFFORCE: [1, 32],
  SO_RCVBUFFORCE: [1, 33],
  SO_TIMESTAMPNS: [1, 35],
  SO_MARK: [1, 36],
  SO_RXQ_OVFL: [1, 40],
  IP_TOS: [0, 1],
  IP_TTL: [0, 2],
  IP_HDRINCL: [0, 3],
  IP_PKTINFO: [0, 8],
  IP_MTU_DISCOVER: [0, 10],
  IP_RECVERR: [0, 11],
  IP_RECVTOS: [0, 13],
  IPV6_MTU_DISCOVER: [41, 23],
  IPV6_V6ONLY: [41, 26],
  IPV6_HDRINCL: [41, 36],
  IPV6_RECVPKTINFO: [41, 49],
  IPV6_PKTINFO: [41, 50],
  IPV6_RECVHOPLIMIT: [41, 51],
  IPV6_HOPLIMIT: [41, 52],
  IPV6_RECVHOPOPTS: [41, 53],
  IPV6_HOPOPTS: [41, 54],
  IPV6_RECVRTHDR: [41, 56],
  IPV6_RTHDR: [41, 57],
  IPV6_RECVDSTOPTS: [41, 58],
  IPV6_DSTOPTS: [41, 59],
  IPV6_RECVTCLASS: [41, 66],
  IPV6_TCLASS: [41, 67],
  UDP_SEGMENT: [17, 103],
  UDP_GRO: [17, 104],
  ICMP_FILTER: [255, 1],
  ICMPV6_FILTER: [58, 1],
  NETLINK_ADD_MEMBERSHIP: [270, 1],
  NETLINK_EXT_ACK: [270, 11],
  NETLINK_CAP_ACK: [270, 10],
  NETLINK_GET_STRICT_CHK: [270, 12],
} as const;

/** Of epoll(7). */
export const EPOLL = { EPOLL_CLOEXEC: 0o2000000, EPOLL_CTL_ADD: 1, EPOLLIN: 0x01 } as const;

/** Values of IP_MTU_DISCOVER and IPV6_MTU_DISCOVER. */
export const PMTU = { DONT: 0, WANT: 1, DO: 2, PROBE: 3 } as const;

/**
 * This machine's architecture.
 *
 * @throws {Error} on one whose structures are not known here.
 */
export function architecture(): Architecture {
  const name = Deno.build.arch;
  if (Deno.build.os === "linux" && (ARCHITECTURES as readonly string[]).includes(name)) return name as Architecture;
  throw new Error(
    `Cannot use system calls on ${Deno.build.os} ${name}: Linux on ${ARCHITECTURES.join(" or ")} is needed`,
  );
}
