/** Receiving in batches: one `recvmmsg` fills fixed slots of the arena. @module */
import { libc } from "../ffi/libc.ts";
import { CMSGHDR, IOVEC, MMSGHDR, MSGHDR, OPTION, SOCKADDR_IN6, SOCKET } from "../ffi/structs.ts";
import type { Arena } from "../octets/arena.ts";
import { findControl, IPV6_CONTROL_OCTETS, writeIovec, writeMessage } from "./message.ts";
import type { Socket } from "./sockets.ts";

export interface ReceiverOptions {
  /** Messages of one batch. */
  readonly batch: number;
  /** Octets that may be written before and after what was received. */
  readonly headroom: number;
  readonly tailroom: number;
}

/** The largest IP packet, and the largest run that UDP_GRO makes. */
const MESSAGE_OCTETS = 65536;
/** One cache line more than a power of two, so that slots do not all fall into the same cache sets. */
const SKEW_OCTETS = 64;

/** One socket's slots. What {@linkcode receive} brought stays until the next call. */
export class Receiver {
  readonly family: 4 | 6;
  readonly fd: number;
  readonly batch: number;

  readonly #arena: Arena;
  readonly #messagesAt: number;
  readonly #slotsAt: number;
  readonly #stride: number;
  readonly #controlsAt: number;
  readonly #controlOctets: number;
  readonly #headroom: number;

  constructor(arena: Arena, socket: Socket, options: ReceiverOptions) {
    this.#arena = arena;
    this.family = socket.family;
    this.fd = socket.fd;
    const batch = this.batch = options.batch;
    this.#headroom = options.headroom;
    this.#stride = options.headroom + MESSAGE_OCTETS + options.tailroom + SKEW_OCTETS & ~63 | 0;
    this.#controlOctets = socket.family === 4 ? 128 : IPV6_CONTROL_OCTETS;
    this.#messagesAt = arena.reserve(batch * MMSGHDR.octets);
    this.#controlsAt = arena.reserve(batch * this.#controlOctets);
    const vectorsAt = arena.reserve(batch * IOVEC.octets);
    const namesAt = arena.reserve(batch * 32);
    this.#slotsAt = arena.reserve(batch * this.#stride);
    for (let i = 0; i < batch; i++) {
      writeIovec(arena, vectorsAt + i * IOVEC.octets, this.at(i), MESSAGE_OCTETS);
      writeMessage(arena, this.messageAt(i), {
        name: namesAt + i * 32,
        nameOctets: SOCKADDR_IN6.octets,
        iov: vectorsAt + i * IOVEC.octets,
        iovCount: 1,
        control: this.#controlsAt + i * this.#controlOctets,
        controlOctets: this.#controlOctets,
      });
    }
  }

  /** Fills slots with what is there; answers how many messages, 0 when none. */
  receive(): number {
    const { u32, base } = this.#arena;
    for (let i = 0; i < this.batch; i++) {
      const message = this.#messagesAt + i * MMSGHDR.octets;
      u32[(message + MSGHDR.at.nameLength) >> 2] = SOCKADDR_IN6.octets;
      u32[(message + MSGHDR.at.controlLength) >> 2] = this.#controlOctets;
    }
    const count = libc().recvmmsg(this.fd, base + BigInt(this.#messagesAt | 0), this.batch, SOCKET.MSG_DONTWAIT, 0n);
    return count > 0 ? count : 0;
  }

  /** Arena offset of the struct msghdr of message `i`. */
  messageAt(i: number): number {
    return this.#messagesAt + i * MMSGHDR.octets;
  }

  /** Arena offset of what message `i` brought. */
  at(i: number): number {
    return this.#slotsAt + i * this.#stride + this.#headroom;
  }

  octets(i: number): number {
    return this.#arena.u32[(this.messageAt(i) + MMSGHDR.at.length) >> 2];
  }

  /** Arena offset of the sender's socket address. */
  nameAt(i: number): number {
    const { u32, baseNumber } = this.#arena;
    const word = (this.messageAt(i) + MSGHDR.at.name) >> 2;
    return u32[word] + u32[word + 1] * 4294967296 - baseNumber;
  }

  /** Arena offset of the data of a control message of message `i`; 0 when it has none such. */
  control(i: number, option: readonly [number, number]): number {
    const octets = this.#arena.u32[(this.messageAt(i) + MSGHDR.at.controlLength) >> 2];
    if (octets < CMSGHDR.octets) return 0;
    return findControl(this.#arena, this.#controlsAt + i * this.#controlOctets, octets, option);
  }

  /** Octets of each datagram in message `i` but the last: a run that UDP_GRO put together, or one datagram. */
  segmentOctets(i: number): number {
    const at = this.control(i, OPTION.UDP_GRO);
    return at === 0 ? this.octets(i) : this.#arena.view.getInt32(at, true);
  }
}
