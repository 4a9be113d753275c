/** Seeing packets on an interface as tcpdump does, from their IP headers on: Ethernet, TUN and every other link alike. @module */
import { addressOf } from "../ffi/address.ts";
import { ERRNO, SystemError } from "../ffi/errno.ts";
import { check, cInt, errno, libc } from "../ffi/libc.ts";
import { OPTION, SOCKADDR_LL, SOCKET, TIMESPEC } from "../ffi/structs.ts";
import { type Arena, createArena } from "../octets/arena.ts";
import type { Bytes } from "../octets/bytes.ts";
import { Readiness } from "./readiness.ts";
import { Receiver } from "./receive.ts";
import { tryOption } from "./sockets.ts";

/** A packet on an interface. */
export interface CapturedPacket {
  /** Seconds since the epoch, with fraction. */
  readonly time: number;
  /** From the IP header on. */
  readonly ip: Bytes;
  readonly interfaceIndex: number;
  /** It leaves by the interface. */
  readonly outgoing: boolean;
}

/** linux/if_ether.h, linux/if_packet.h */
export const CAPTURE = { ETH_P_ALL: 0x0003, ETH_P_IP: 0x0800, ETH_P_IPV6: 0x86dd, PACKET_OUTGOING: 4 } as const;
const BATCH = 16;
const BUFFER_OCTETS = 8 << 20;
const ARENA_OCTETS = 2 << 20;

/** An open capture. */
export class PacketCapture implements Disposable {
  readonly #arena: Arena = createArena(ARENA_OCTETS, addressOf);
  readonly #fd: number;
  readonly #receiver: Receiver;
  readonly #readiness: Readiness;
  #ended = false;
  /** Packets that were lost because they were not taken in time. */
  lost = 0;

  /**
   * @param interfaceIndex 0: all interfaces
   * @throws {SystemError} saying which privilege is missing
   */
  constructor(interfaceIndex: number) {
    const { socket, bind, close } = libc();
    const type = SOCKET.SOCK_DGRAM | SOCKET.SOCK_CLOEXEC | SOCKET.SOCK_NONBLOCK;
    // Protocol 0: nothing comes before the socket is bound to its interface.
    const fd = socket(SOCKET.AF_PACKET, type, 0);
    if (fd < 0) {
      const error = errno();
      const denied = error === ERRNO.EPERM || error === ERRNO.EACCES;
      throw new SystemError("open a packet socket", error, denied ? "root or CAP_NET_RAW is needed" : undefined);
    }
    this.#fd = fd;
    try {
      check(libc().setsockopt(fd, ...OPTION.SO_TIMESTAMPNS, cInt(1), 4), "set SO_TIMESTAMPNS");
      tryOption(fd, OPTION.SO_RXQ_OVFL, 1);
      if (!tryOption(fd, OPTION.SO_RCVBUFFORCE, BUFFER_OCTETS)) tryOption(fd, OPTION.SO_RCVBUF, BUFFER_OCTETS);
      const name = new DataView(new ArrayBuffer(SOCKADDR_LL.octets));
      name.setUint16(SOCKADDR_LL.at.family, SOCKET.AF_PACKET, true);
      name.setUint16(SOCKADDR_LL.at.protocol, CAPTURE.ETH_P_ALL);
      name.setInt32(SOCKADDR_LL.at.index, interfaceIndex, true);
      check(bind(fd, new Uint8Array(name.buffer), SOCKADDR_LL.octets), "watch the interface");
      this.#receiver = new Receiver(this.#arena, { fd, family: 4, close() {}, [Symbol.dispose]() {} }, {
        batch: BATCH,
        headroom: 0,
        tailroom: 0,
      });
      this.#readiness = new Readiness(fd);
    } catch (error) {
      close(fd);
      throw error;
    }
  }

  /** The packets that have come, at most a batch; none when there are none. Others than IPv4 and IPv6 are left out. */
  receive(): CapturedPacket[] {
    if (this.#ended) return [];
    const receiver = this.#receiver;
    const { u8, view } = this.#arena;
    const packets: CapturedPacket[] = [];
    const count = receiver.receive();
    for (let i = 0; i < count; i++) {
      const name = receiver.nameAt(i);
      const overflow = receiver.control(i, OPTION.SO_RXQ_OVFL);
      if (overflow) this.lost = view.getUint32(overflow, true);
      const protocol = view.getUint16(name + SOCKADDR_LL.at.protocol);
      if (protocol !== CAPTURE.ETH_P_IP && protocol !== CAPTURE.ETH_P_IPV6) continue;
      const stamp = receiver.control(i, OPTION.SO_TIMESTAMPNS);
      const at = receiver.at(i);
      packets.push({
        time: stamp
          ? Number(view.getBigInt64(stamp + TIMESPEC.at.seconds, true)) +
            Number(view.getBigInt64(stamp + TIMESPEC.at.nanoseconds, true)) / 1e9
          : Date.now() / 1000,
        ip: u8.slice(at, at + receiver.octets(i)) as Bytes,
        interfaceIndex: view.getInt32(name + SOCKADDR_LL.at.index, true),
        outgoing: u8[name + SOCKADDR_LL.at.packetType] === CAPTURE.PACKET_OUTGOING,
      });
    }
    return packets;
  }

  /** Packets one by one until {@linkcode close}. */
  async *packets(): AsyncGenerator<CapturedPacket, void> {
    for (;;) {
      // A batch may hold nothing but other protocols, so the wait decides whether there is more.
      for (let some = this.receive(); some.length; some = this.receive()) yield* some;
      if (this.#ended || !await this.#readiness.wait()) return;
    }
  }

  /** Ends the capture. */
  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#readiness[Symbol.dispose]();
    libc().close(this.#fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
