/**
 * Sending in batches: packets built in the arena are queued as message headers and leave in one `sendmmsg` a socket. ESP
 * in UDP leaves in runs of up to 64 datagrams of one size (UDP_SEGMENT), which the kernel cuts behind the network stack.
 *
 * @module
 */
import { ERRNO } from "../ffi/errno.ts";
import { errnoView, libc } from "../ffi/libc.ts";
import { IOVEC, MMSGHDR, MSGHDR, POLLFD, SOCKADDR_IN, SOCKADDR_IN6, SOCKET } from "../ffi/structs.ts";
import type { Address } from "../ip/address.ts";
import { IPV4, IPV6 } from "../ip/headers.ts";
import type { Arena } from "../octets/arena.ts";
import {
  SEGMENT_CONTROL_OCTETS,
  writePacketInfo,
  writePointer,
  writeSegmentSize,
  writeSockaddr,
  writeTos,
} from "./message.ts";
import type { Socket, UdpSocket } from "./sockets.ts";

/** Sockets of the transmitter; absent ones (no IPv6) make what would need them count as unreachable. */
export interface TransmitSockets {
  packet4?: Socket;
  packet6?: Socket;
  udp4?: UdpSocket;
  udp6?: UdpSocket;
}

/** Why a packet was lost: its socket stayed full, the link takes no packet so long, or there is nowhere to send it. */
export type Loss = "queueFull" | "tooBig" | "noRoute";

/** Where the datagrams of an SA go: prebuilt socket address and source-address control message. */
export interface UdpTarget {
  readonly family: 4 | 6;
  readonly nameAt: number;
  readonly nameOctets: number;
  readonly controlAt: number;
  readonly controlOctets: number;
}

/** IP protocol number of ESP, which is what goes through UDP. */
const ESP = 50;
const TARGET_OCTETS = 128;
/** Targets that are reserved at a time. */
const TARGETS = 64;
const MESSAGES = 128;
const VECTORS = 1024;
const CONTROL_OCTETS = 96;
const NAME_OCTETS = SOCKADDR_IN6.octets;
/** UDP_MAX_SEGMENTS of the oldest kernels that have UDP_SEGMENT. */
const RUN_SEGMENTS = 64;
/** IPv4's limit less the headers. */
const RUN_OCTETS = 65000;
const WAIT_MS = 10;
const WAITS = 20;

/** Security protocols by the number in an IP header. UDP is there for ESP in UDP. */
const PROTOCOL_OF = new Map([[50, 50], [51, 51], [4, 4], [41, 4], [17, 50]]);

/** The queue of one socket. */
class Queue {
  readonly fd: number;
  readonly #owner: Transmitter;
  readonly #arena: Arena;
  readonly #segments: boolean;
  readonly #isUdp: boolean;
  readonly #messagesAt: number;
  readonly #vectorsAt: number;
  readonly #controlsAt: number;
  readonly #namesAt: number;
  #messages = 0;
  #vectors = 0;
  // The open run: its first vector, size of a datagram, datagrams, octets, where contiguous data would go on, TOS.
  #runTarget: UdpTarget | null = null;
  #runSegment = 0;
  #runCount = 0;
  #runOctets = 0;
  #runEnd = 0;
  #runTos = 0;
  readonly #counts = new Int32Array(MESSAGES);

  constructor(owner: Transmitter, arena: Arena, socket: Socket | UdpSocket) {
    this.#owner = owner;
    this.#arena = arena;
    this.fd = socket.fd;
    this.#isUdp = "sendOffload" in socket;
    this.#segments = "sendOffload" in socket && socket.sendOffload;
    this.#messagesAt = arena.reserve(MESSAGES * MMSGHDR.octets);
    this.#vectorsAt = arena.reserve(VECTORS * IOVEC.octets);
    this.#controlsAt = arena.reserve(MESSAGES * CONTROL_OCTETS);
    this.#namesAt = arena.reserve(MESSAGES * NAME_OCTETS);
  }

  #vector(at: number, octets: number): number {
    const vectorAt = this.#vectorsAt + this.#vectors++ * IOVEC.octets;
    const { u32, baseNumber } = this.#arena;
    const pointer = baseNumber + at;
    const word = vectorAt >> 2;
    u32[word] = pointer >>> 0;
    u32[word + 1] = pointer / 4294967296 | 0;
    u32[word + 2] = octets;
    u32[word + 3] = 0;
    return vectorAt;
  }

  /** Queues a whole IP packet. */
  packet(at: number, octets: number, family: number): void {
    if (this.#messages === MESSAGES || this.#vectors === VECTORS) this.flush();
    const { u8, u32, view } = this.#arena;
    const index = this.#messages++;
    const message = this.#messagesAt + index * MMSGHDR.octets;
    const name = this.#namesAt + index * NAME_OCTETS;
    if (family === 4) {
      view.setUint32(name, SOCKET.AF_INET, true);
      view.setInt32(name + SOCKADDR_IN.at.address, view.getInt32(at + 16, true), true);
    } else {
      view.setUint32(name, SOCKET.AF_INET6, true);
      view.setUint32(name + SOCKADDR_IN6.at.flowInfo, 0);
      u8.copyWithin(name + SOCKADDR_IN6.at.address, at + 24, at + 40);
      view.setUint32(name + SOCKADDR_IN6.at.scope, 0);
    }
    const vectorAt = this.#vector(at, octets);
    writePointer(this.#arena, message + MSGHDR.at.name, name);
    u32[(message + MSGHDR.at.nameLength) >> 2] = family === 4 ? SOCKADDR_IN.octets : SOCKADDR_IN6.octets;
    writePointer(this.#arena, message + MSGHDR.at.iov, vectorAt);
    u32[(message + MSGHDR.at.iovLength) >> 2] = 1;
    this.#counts[index] = 1;
  }

  /** Queues a datagram, as part of the open run if it can be. */
  datagram(target: UdpTarget, at: number, octets: number, tos: number): void {
    if (
      this.#runTarget === target && this.#runTos === tos && octets <= this.#runSegment &&
      this.#runCount < RUN_SEGMENTS &&
      this.#runOctets + octets <= RUN_OCTETS && this.#vectors < VECTORS
    ) {
      const { u32 } = this.#arena;
      const message = this.#messagesAt + (this.#messages - 1) * MMSGHDR.octets;
      if (at === this.#runEnd) u32[(this.#vectorsAt + (this.#vectors - 1) * IOVEC.octets >> 2) + 2] += octets;
      else {
        this.#vector(at, octets);
        u32[(message + MSGHDR.at.iovLength) >> 2]++;
      }
      this.#runEnd = at + octets;
      this.#runOctets += octets;
      this.#counts[this.#messages - 1] = ++this.#runCount;
      // A shorter datagram can only be a run's last.
      if (octets < this.#runSegment) this.#closeRun();
      return;
    }
    this.#closeRun();
    if (this.#messages === MESSAGES || this.#vectors === VECTORS) this.flush();
    const { u8, u32 } = this.#arena;
    const index = this.#messages++;
    const message = this.#messagesAt + index * MMSGHDR.octets;
    const control = this.#controlsAt + index * CONTROL_OCTETS;
    const vectorAt = this.#vector(at, octets);
    u8.copyWithin(control, target.controlAt, target.controlAt + target.controlOctets);
    writePointer(this.#arena, message + MSGHDR.at.name, target.nameAt);
    u32[(message + MSGHDR.at.nameLength) >> 2] = target.nameOctets;
    writePointer(this.#arena, message + MSGHDR.at.iov, vectorAt);
    u32[(message + MSGHDR.at.iovLength) >> 2] = 1;
    writePointer(this.#arena, message + MSGHDR.at.control, control);
    u32[(message + MSGHDR.at.controlLength) >> 2] = target.controlOctets +
      (tos === 0 ? 0 : writeTos(this.#arena, control + target.controlOctets, target.family, tos));
    this.#counts[index] = 1;
    if (!this.#segments) return;
    this.#runTarget = target;
    this.#runSegment = this.#runOctets = octets;
    this.#runCount = 1;
    this.#runTos = tos;
    this.#runEnd = at + octets;
  }

  #closeRun(): void {
    if (this.#runTarget === null) return;
    this.#runTarget = null;
    if (this.#runCount === 1) return;
    const index = this.#messages - 1;
    const length = (this.#messagesAt + index * MMSGHDR.octets + MSGHDR.at.controlLength) >> 2;
    const { u32 } = this.#arena;
    writeSegmentSize(this.#arena, this.#controlsAt + index * CONTROL_OCTETS + u32[length], this.#runSegment);
    u32[length] += SEGMENT_CONTROL_OCTETS;
  }

  flush(): void {
    this.#closeRun();
    const total = this.#messages;
    if (total === 0) return;
    const { sendmmsg, sendmsg } = libc();
    const base = this.#arena.base;
    let done = 0;
    let waits = 0;
    while (done < total) {
      const at = this.#messagesAt + done * MMSGHDR.octets;
      const sent = total - done === 1
        ? (sendmsg(this.fd, base + BigInt(at | 0), 0) < 0 ? -1 : 1)
        : sendmmsg(this.fd, base + BigInt(at | 0), total - done, 0);
      if (sent > 0) done += sent;
      else if (this.#owner.failed(this.fd, this.#protocolOf(done), this.#counts[done], waits)) waits++;
      else {
        if (this.#counts[done] > 1 && this.#owner.segmentsRefused) this.#sendSingly(done);
        done++;
        waits = 0;
      }
    }
    this.#messages = this.#vectors = 0;
  }

  /** The security protocol of a message; 0: a packet that has none. */
  #protocolOf(index: number): number {
    if (this.#isUdp) return ESP;
    const { u8, u32, baseNumber } = this.#arena;
    const iov = u32[(this.#messagesAt + index * MMSGHDR.octets + MSGHDR.at.iov) >> 2] - baseNumber >>> 0;
    const at = u32[iov >> 2] - baseNumber >>> 0;
    return PROTOCOL_OF.get(u8[at] >>> 4 === 4 ? u8[at + 9] : u8[at + 6]) ?? 0;
  }

  /** Sends a run that the kernel would not cut (longer than the link's MTU) datagram by datagram; it then fragments. */
  #sendSingly(index: number): void {
    const { u32, view, baseNumber, base } = this.#arena;
    const { sendmsg } = libc();
    const message = this.#messagesAt + index * MMSGHDR.octets;
    const offset = (at: number) => u32[at >> 2] + u32[(at >> 2) + 1] * 4294967296 - baseNumber;
    const controlAt = offset(message + MSGHDR.at.control);
    const controlOctets = u32[(message + MSGHDR.at.controlLength) >> 2] - SEGMENT_CONTROL_OCTETS;
    const segment = view.getUint16(controlAt + controlOctets + 16, true);
    const vectorAt = offset(message + MSGHDR.at.iov);
    const vectors = u32[(message + MSGHDR.at.iovLength) >> 2];
    u32[(message + MSGHDR.at.controlLength) >> 2] = controlOctets;
    u32[(message + MSGHDR.at.iovLength) >> 2] = 1;
    for (let i = 0; i < vectors; i++) {
      const one = vectorAt + i * IOVEC.octets;
      writePointer(this.#arena, message + MSGHDR.at.iov, one);
      let at = offset(one);
      let left = u32[(one >> 2) + 2];
      while (left > 0) {
        const octets = Math.min(left, segment);
        writePointer(this.#arena, one, at);
        u32[(one >> 2) + 2] = octets;
        if (sendmsg(this.fd, base + BigInt(message | 0), 0) < 0) this.#owner.failed(this.fd, ESP, 1, WAITS);
        at += octets;
        left -= octets;
      }
    }
  }
}

/** Queues packets of every kind; {@linkcode flush} before the memory they lie in is used again. */
export class Transmitter {
  /** Whether the last failure was a run that the kernel would not cut. */
  segmentsRefused = false;

  readonly #arena: Arena;
  readonly #packet4: Queue | undefined;
  readonly #packet6: Queue | undefined;
  readonly #udp4: Queue | undefined;
  readonly #udp6: Queue | undefined;
  readonly #pollAt: number;
  readonly #lost: (protocol: number, loss: Loss, packets: number) => void;
  readonly #freeTargets: number[] = [];

  /** `lost` is told of packets that could not be sent, with their security protocol (0: none). */
  constructor(
    arena: Arena,
    { packet4, packet6, udp4, udp6 }: TransmitSockets,
    lost: (protocol: number, loss: Loss, packets: number) => void = () => {},
  ) {
    this.#arena = arena;
    this.#lost = lost;
    this.#packet4 = packet4 && new Queue(this, arena, packet4);
    this.#packet6 = packet6 && new Queue(this, arena, packet6);
    this.#udp4 = udp4 && new Queue(this, arena, udp4);
    this.#udp6 = udp6 && new Queue(this, arena, udp6);
    this.#pollAt = arena.reserve(POLLFD.octets);
  }

  /** A target for datagrams from `local` to `remote`, to be given back to {@linkcode release}. */
  target(local: Address, remote: Address, remotePort: number): UdpTarget {
    if (this.#freeTargets.length === 0) {
      const first = this.#arena.reserve(TARGETS * TARGET_OCTETS);
      for (let i = 0; i < TARGETS; i++) this.#freeTargets.push(first + i * TARGET_OCTETS);
    }
    const at = this.#freeTargets.pop()!;
    this.#arena.u8.fill(0, at, at + TARGET_OCTETS);
    const nameOctets = writeSockaddr(this.#arena, at, remote, remotePort);
    const controlOctets = writePacketInfo(this.#arena, at + 64, local);
    return { family: remote.family, nameAt: at, nameOctets, controlAt: at + 64, controlOctets };
  }

  /** Gives a target back for which nothing is queued. */
  release(target: UdpTarget): void {
    this.#freeTargets.push(target.nameAt);
  }

  /** Queues the IP packet at `at`, header included. */
  packet(at: number, octets: number): void {
    const family = this.#arena.u8[at] >>> 4;
    const queue = family === 4 ? this.#packet4 : this.#packet6;
    if (queue) return queue.packet(at, octets, family);
    const protocol = this.#arena.u8[at + (family === 4 ? IPV4.PROTOCOL : IPV6.NEXT_HEADER)];
    this.#lost(PROTOCOL_OF.get(protocol) ?? 0, "noRoute", 1);
  }

  /** Queues a UDP datagram of the octets at `at`; `tos`: TOS octet or traffic class of its header. */
  datagram(target: UdpTarget, at: number, octets: number, tos = 0): void {
    const queue = target.family === 4 ? this.#udp4 : this.#udp6;
    if (queue) queue.datagram(target, at, octets, tos);
    else this.#lost(ESP, "noRoute", 1);
  }

  flush(): void {
    this.#udp4?.flush();
    this.#packet4?.flush();
    this.#udp6?.flush();
    this.#packet6?.flush();
  }

  /** Judges errno after a failed send of `count` datagrams: whether to try again; if not, they are counted. */
  failed(fd: number, protocol: number, count: number, waits: number): boolean {
    const error = errnoView()[0];
    this.segmentsRefused = false;
    switch (error) {
      case ERRNO.EAGAIN:
        if (waits >= WAITS) break;
        this.#arena.i32[(this.#pollAt + POLLFD.at.fd) >> 2] = fd;
        this.#arena.view.setInt16(this.#pollAt + POLLFD.at.events, SOCKET.POLLOUT, true);
        libc().poll(this.#arena.base + BigInt(this.#pollAt | 0), 1, WAIT_MS);
        return true;
      case ERRNO.EINTR:
      case ERRNO.ECONNREFUSED:
        // An ICMP error for an earlier datagram, reported now: it says nothing of this one.
        return waits < WAITS;
      case ERRNO.EMSGSIZE:
      case ERRNO.EINVAL:
        this.segmentsRefused = count > 1;
        if (count === 1) this.#lost(protocol, "tooBig", 1);
        return false;
      case ERRNO.ENOBUFS:
        break;
      default:
        this.#lost(protocol, "noRoute", count);
        return false;
    }
    this.#lost(protocol, "queueFull", count);
    return false;
  }
}
