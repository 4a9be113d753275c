/** Raw and UDP sockets that carry protected packets. @module */
import { ERRNO, SystemError } from "../ffi/errno.ts";
import { check, cInt, errno, libc } from "../ffi/libc.ts";
import { OPTION, PMTU, SOCKADDR_IN, SOCKADDR_IN6, SOCKET } from "../ffi/structs.ts";
import { type Address, formatAddress } from "../ip/address.ts";
import { encodeSockaddr } from "./message.ts";
import { holderOfUdpPort } from "./proc.ts";

/** Socket mark of every packet that the engine sends to the network; the routing rules skip what carries it. */
export const DEFAULT_MARK = 0x1b5ec;

/** An open socket. */
export interface Socket extends Disposable {
  readonly fd: number;
  readonly family: 4 | 6;
  close(): void;
}

export interface SocketOptions {
  /** SO_MARK; default {@linkcode DEFAULT_MARK}. */
  readonly mark?: number;
  /** Octets of the send and receive buffers; default 8 MiB. */
  readonly bufferOctets?: number;
  /** Calls return EAGAIN instead of waiting; default yes. */
  readonly nonBlocking?: boolean;
}

const DEFAULT_BUFFER_OCTETS = 8 << 20;

/** Whether this kernel has IPv6. Where it has not, the functions below return undefined for family 6. */
export function hasIpv6(): boolean {
  const fd = libc().socket(SOCKET.AF_INET6, SOCKET.SOCK_DGRAM | SOCKET.SOCK_CLOEXEC, 0);
  if (fd >= 0) libc().close(fd);
  return fd >= 0;
}

/** Sets an integer option. @throws {SystemError} */
export function setOption(fd: number, option: readonly [number, number], value: number, what: string): void {
  check(libc().setsockopt(fd, option[0], option[1], cInt(value), 4), `set ${what}`);
}

/** Sets an integer option that the kernel may lack; returns whether it took it. */
export function tryOption(fd: number, option: readonly [number, number], value: number): boolean {
  return libc().setsockopt(fd, option[0], option[1], cInt(value), 4) >= 0;
}

/** Opens a socket, or undefined where the kernel has no such address family. */
function open(family: 4 | 6, type: number, protocol: number, what: string, options: SocketOptions): number | undefined {
  const { socket } = libc();
  const flags = SOCKET.SOCK_CLOEXEC | (options.nonBlocking ?? true ? SOCKET.SOCK_NONBLOCK : 0);
  const fd = socket(family === 4 ? SOCKET.AF_INET : SOCKET.AF_INET6, type | flags, protocol);
  if (fd >= 0) return fd;
  const error = errno();
  if (family === 6 && error === ERRNO.EAFNOSUPPORT) return undefined;
  const denied = error === ERRNO.EPERM || error === ERRNO.EACCES;
  throw new SystemError(`open ${what}`, error, denied ? "root or CAP_NET_RAW is needed" : undefined);
}

function configure(fd: number, what: string, options: SocketOptions): void {
  if (libc().setsockopt(fd, ...OPTION.SO_MARK, cInt(options.mark ?? DEFAULT_MARK), 4) < 0) {
    const error = errno();
    throw new SystemError(
      `set the mark of ${what}`,
      error,
      error === ERRNO.EPERM ? "root or CAP_NET_ADMIN is needed" : undefined,
    );
  }
  const octets = options.bufferOctets ?? DEFAULT_BUFFER_OCTETS;
  // Without CAP_NET_ADMIN in the first user namespace (containers) the forced size is refused; then the limit of
  // net.core.rmem_max and wmem_max holds.
  if (!tryOption(fd, OPTION.SO_RCVBUFFORCE, octets)) tryOption(fd, OPTION.SO_RCVBUF, octets);
  if (!tryOption(fd, OPTION.SO_SNDBUFFORCE, octets)) tryOption(fd, OPTION.SO_SNDBUF, octets);
}

/** `fd` as a Socket, after `set` has set its options; closed again when that fails. */
function finish(fd: number, family: 4 | 6, set: () => void): Socket {
  let isOpen = true;
  const close = () => {
    if (isOpen) libc().close(fd);
    isOpen = false;
  };
  try {
    set();
  } catch (error) {
    close();
    throw error;
  }
  return { fd, family, close, [Symbol.dispose]: close };
}

/**
 * A raw socket that receives the packets of one IP protocol, reassembled by the kernel.
 *
 * Over IPv4 a packet comes with its IP header. Over IPv6 it comes *without*: what stood before the payload comes as
 * control messages (destination, interface, traffic class, hop limit, hop-by-hop, destination and routing headers in
 * their order), from which `rebuildIpv6Header` (message.ts) restores the header that AH must see.
 *
 * The socket can also send: the kernel then makes the IP header and fragments where the packet does not fit (source
 * address from PKTINFO, TOS and TTL from control messages), with DF clear. The header-included socket never fragments.
 *
 * @param protocol IP protocol number: 4, 41, 50, 51
 * @returns undefined for family 6 where the kernel has no IPv6
 * @throws {SystemError} saying which privilege is missing
 */
export function openProtocolSocket(family: 4 | 6, protocol: number, options: SocketOptions = {}): Socket | undefined {
  const what = `the raw IPv${family} socket for protocol ${protocol}`;
  const fd = open(family, SOCKET.SOCK_RAW, protocol, what, options);
  if (fd === undefined) return undefined;
  return finish(fd, family, () => {
    configure(fd, what, options);
    if (family === 4) return setOption(fd, OPTION.IP_MTU_DISCOVER, PMTU.DONT, "IP_MTU_DISCOVER");
    setOption(fd, OPTION.IPV6_MTU_DISCOVER, PMTU.DONT, "IPV6_MTU_DISCOVER");
    setOption(fd, OPTION.IPV6_RECVPKTINFO, 1, "IPV6_RECVPKTINFO");
    setOption(fd, OPTION.IPV6_RECVTCLASS, 1, "IPV6_RECVTCLASS");
    setOption(fd, OPTION.IPV6_RECVHOPLIMIT, 1, "IPV6_RECVHOPLIMIT");
    setOption(fd, OPTION.IPV6_RECVHOPOPTS, 1, "IPV6_RECVHOPOPTS");
    setOption(fd, OPTION.IPV6_RECVDSTOPTS, 1, "IPV6_RECVDSTOPTS");
    setOption(fd, OPTION.IPV6_RECVRTHDR, 1, "IPV6_RECVRTHDR");
  });
}

/**
 * A raw socket that sends whole packets, IP header included, and receives nothing. The kernel fills in the checksum and
 * the total length of an IPv4 header, and an identification of 0. A packet longer than the link's MTU is refused with
 * EMSGSIZE, whatever its DF bit says.
 *
 * @returns undefined for family 6 where the kernel has no IPv6
 * @throws {SystemError} saying which privilege is missing
 */
export function openPacketSocket(family: 4 | 6, options: SocketOptions = {}): Socket | undefined {
  const what = `the raw IPv${family} socket to send`;
  const fd = open(family, SOCKET.SOCK_RAW, SOCKET.IPPROTO_RAW, what, options);
  if (fd === undefined) return undefined;
  return finish(fd, family, () => {
    configure(fd, what, options);
    setOption(fd, family === 4 ? OPTION.IP_HDRINCL : OPTION.IPV6_HDRINCL, 1, "the header-included option");
    setOption(fd, family === 4 ? OPTION.IP_MTU_DISCOVER : OPTION.IPV6_MTU_DISCOVER, PMTU.PROBE, "path MTU discovery");
  });
}

/** ICMP types, by family, that tell of a packet that was too big: destination unreachable, packet too big. */
const TOO_BIG_TYPE = { 4: 3, 6: 2 } as const;

/**
 * A raw socket that receives those ICMP messages among which "fragmentation needed" and "packet too big" are, IPv4 with
 * the IP header, IPv6 without, and nothing else.
 *
 * @returns undefined for family 6 where the kernel has no IPv6
 * @throws {SystemError} saying which privilege is missing
 */
export function openTooBigSocket(family: 4 | 6): Socket | undefined {
  const what = `the raw IPv${family} socket for ICMP`;
  const fd = open(family, SOCKET.SOCK_RAW, family === 4 ? SOCKET.IPPROTO_ICMP : SOCKET.IPPROTO_ICMPV6, what, {});
  if (fd === undefined) return undefined;
  return finish(fd, family, () => {
    // A set bit blocks its type.
    const filter = new Uint32Array(family === 4 ? 1 : 8).fill(0xffffffff);
    filter[0] &= ~(1 << TOO_BIG_TYPE[family]);
    const octets = new Uint8Array(filter.buffer);
    const [level, name] = family === 4 ? OPTION.ICMP_FILTER : OPTION.ICMPV6_FILTER;
    check(libc().setsockopt(fd, level, name, octets, octets.length), `filter ICMP of family ${family}`);
  });
}

export interface UdpSocketOptions extends SocketOptions {
  /** Own address; default any. */
  readonly address?: Address;
  /** UDP_GRO: datagrams of one sender come in runs; default yes. */
  readonly receiveOffload?: boolean;
  /** Set DF and refuse what does not fit the link (EMSGSIZE); default no: the kernel fragments. */
  readonly dontFragment?: boolean;
}

/** A UDP socket and the offloads that this kernel granted. */
export interface UdpSocket extends Socket {
  readonly port: number;
  /** Whether received runs must be split by the size in the UDP_GRO control message. */
  readonly receiveOffload: boolean;
  /** Whether UDP_SEGMENT may be used. */
  readonly sendOffload: boolean;
}

/**
 * A UDP socket for RFC 3948 encapsulation that tells the own address (IP_PKTINFO, IPV6_PKTINFO) and the TOS octet
 * (IP_TOS, IPV6_TCLASS) of every datagram.
 *
 * @param port local port, 4500; 0 lets the kernel choose
 * @returns undefined for family 6 where the kernel has no IPv6
 * @throws {SystemError} naming the process that has the port already
 */
export function openUdpSocket(family: 4 | 6, port: number, options: UdpSocketOptions = {}): UdpSocket | undefined {
  const what = `UDP port ${port} (IPv${family})`;
  const fd = open(family, SOCKET.SOCK_DGRAM, 0, what, options);
  if (fd === undefined) return undefined;
  let receiveOffload = false;
  let sendOffload = false;
  let boundPort = port;
  const socket = finish(fd, family, () => {
    configure(fd, what, options);
    if (family === 6) setOption(fd, OPTION.IPV6_V6ONLY, 1, "IPV6_V6ONLY");
    setOption(fd, family === 4 ? OPTION.IP_PKTINFO : OPTION.IPV6_RECVPKTINFO, 1, "PKTINFO");
    setOption(fd, family === 4 ? OPTION.IP_RECVTOS : OPTION.IPV6_RECVTCLASS, 1, "RECVTOS");
    setOption(
      fd,
      family === 4 ? OPTION.IP_MTU_DISCOVER : OPTION.IPV6_MTU_DISCOVER,
      options.dontFragment ? PMTU.PROBE : PMTU.DONT,
      "path MTU discovery",
    );
    receiveOffload = (options.receiveOffload ?? true) && tryOption(fd, OPTION.UDP_GRO, 1);
    // A size of 0 means none: whether the option is known is all that this asks.
    sendOffload = tryOption(fd, OPTION.UDP_SEGMENT, 0);
    bind(fd, family, port, options.address);
    boundPort = port || localPort(fd, family);
  });
  return { ...socket, port: boundPort, receiveOffload, sendOffload };
}

function bind(fd: number, family: 4 | 6, port: number, address?: Address): void {
  const name = encodeSockaddr(address ?? { family, octets: new Uint8Array(family === 4 ? 4 : 16) }, port);
  if (libc().bind(fd, name, name.length) >= 0) return;
  const error = errno();
  const holder = error === ERRNO.EADDRINUSE ? holderOfUdpPort(port) : undefined;
  throw new SystemError(
    `bind UDP port ${port}${address ? ` of ${formatAddress(address)}` : ""}`,
    error,
    holder && `process ${holder.pid} (${holder.command}) has it`,
  );
}

function localPort(fd: number, family: 4 | 6): number {
  const name = new Uint8Array(family === 4 ? SOCKADDR_IN.octets : SOCKADDR_IN6.octets);
  check(libc().getsockname(fd, name, cInt(name.length)), "read the socket's own port");
  return name[SOCKADDR_IN.at.port] << 8 | name[SOCKADDR_IN.at.port + 1];
}
