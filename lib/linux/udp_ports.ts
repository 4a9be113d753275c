/** UDP sockets of a control protocol, one per own address, on one event loop. @module */
import { ERRNO } from "../ffi/errno.ts";
import { addressOf, errno, libc } from "../ffi/libc.ts";
import { IOVEC, MSGHDR, OPEN, POLLFD, SOCKADDR_IN6, SOCKET } from "../ffi/structs.ts";
import { type Address, formatAddress } from "../ip/address.ts";
import { type Arena, createArena } from "../octets/arena.ts";
import type { Bytes } from "../octets/bytes.ts";
import { encodeSockaddr, readSockaddr, writeIovec, writeMessage } from "./message.ts";
import { openUdpSocket, type UdpSocket } from "./sockets.ts";

/** A datagram that came in. `octets` is a copy. */
export interface UdpDatagram {
  readonly local: Address;
  readonly localPort: number;
  readonly remote: Address;
  readonly remotePort: number;
  readonly octets: Bytes;
}

/** Own port and address of a socket; the port is the one asked for. */
interface Bound {
  readonly address: Address;
  readonly socket: UdpSocket;
}

const DATAGRAM_OCTETS = 65536;
/** Datagrams that are read before timers and other sockets have their turn. */
const BATCH = 64;
/** A control protocol's traffic is small; a flood shall not take the memory of a router. */
const BUFFER_OCTETS = 1 << 20;

const keyOf = (address: Address, port: number) => `${formatAddress(address)} ${port}`;

/**
 * Sockets marked so that no flow catches what they send (sockets.ts). They are added and removed while they run;
 * datagrams come to `receive` on the event loop.
 */
export class UdpPorts implements Disposable {
  readonly #receive: (datagram: UdpDatagram) => void;
  readonly #bound = new Map<string, Bound>();
  readonly #arena: Arena = createArena(2 * DATAGRAM_OCTETS, addressOf);
  readonly #messageAt: number;
  readonly #nameAt: number;
  readonly #dataAt: number;
  readonly #wake: number;
  #closed = false;
  #running = false;

  constructor(receive: (datagram: UdpDatagram) => void) {
    this.#receive = receive;
    this.#messageAt = this.#arena.reserve(MSGHDR.octets);
    this.#nameAt = this.#arena.reserve(32);
    const vectorAt = this.#arena.reserve(IOVEC.octets);
    this.#dataAt = this.#arena.reserve(DATAGRAM_OCTETS);
    writeIovec(this.#arena, vectorAt, this.#dataAt, DATAGRAM_OCTETS);
    writeMessage(this.#arena, this.#messageAt, {
      name: this.#nameAt,
      nameOctets: SOCKADDR_IN6.octets,
      iov: vectorAt,
      iovCount: 1,
    });
    this.#wake = libc().eventfd(0, OPEN.O_CLOEXEC | OPEN.O_NONBLOCK);
  }

  /** The addresses that are bound to `port`. */
  addresses(port: number): Address[] {
    return Array.from(this.#bound.values()).filter((one) => one.socket.port === port).map((one) => one.address);
  }

  /** Whether a socket of that address and port is open. */
  has(address: Address, port: number): boolean {
    return this.#bound.has(keyOf(address, port));
  }

  /** Opens a socket. @throws {SystemError} naming the process that has the port */
  bind(address: Address, port: number): void {
    const key = keyOf(address, port);
    if (this.#bound.has(key)) return;
    const socket = openUdpSocket(address.family, port, {
      address,
      bufferOctets: BUFFER_OCTETS,
      receiveOffload: false,
    });
    if (!socket) return;
    this.#bound.set(key, { address, socket });
    if (this.#running) this.#interrupt();
    else this.#run();
  }

  /** Closes the socket of an address that is gone. */
  release(address: Address, port: number): void {
    const bound = this.#bound.get(keyOf(address, port));
    if (!bound) return;
    this.#bound.delete(keyOf(address, port));
    this.#interrupt();
    bound.socket.close();
  }

  /** Sends; answers undefined, or why it could not (the datagram is lost, as any may be). */
  send(local: Address, localPort: number, remote: Address, remotePort: number, octets: Bytes): string | undefined {
    const bound = this.#bound.get(keyOf(local, localPort));
    if (!bound) return `no socket on ${formatAddress(local)} port ${localPort}`;
    const name = encodeSockaddr(remote, remotePort);
    const { sendto } = libc();
    const sent = sendto(bound.socket.fd, octets, BigInt(octets.length), SOCKET.MSG_NOSIGNAL, name, name.length);
    if (sent >= 0) return undefined;
    return `errno ${errno()}`;
  }

  async #run(): Promise<void> {
    this.#running = true;
    try {
      while (!this.#closed && this.#bound.size) {
        const sockets = Array.from(this.#bound.values());
        const polled = new Uint8Array((sockets.length + 1) * POLLFD.octets);
        const view = new DataView(polled.buffer);
        [...sockets.map(({ socket }) => socket.fd), this.#wake].forEach((fd, i) => {
          view.setInt32(i * POLLFD.octets + POLLFD.at.fd, fd, true);
          view.setInt16(i * POLLFD.octets + POLLFD.at.events, SOCKET.POLLIN, true);
        });
        await libc().pollAsync(polled, BigInt(sockets.length + 1), -1);
        if (view.getInt16(sockets.length * POLLFD.octets + POLLFD.at.revents, true)) {
          libc().readBuffer(this.#wake, new Uint8Array(8), 8n);
        }
        for (const [i, bound] of sockets.entries()) {
          if (!view.getInt16(i * POLLFD.octets + POLLFD.at.revents, true)) continue;
          if (this.#bound.get(keyOf(bound.address, bound.socket.port)) === bound) this.#drain(bound);
        }
      }
    } finally {
      this.#running = false;
    }
  }

  #drain({ address, socket }: Bound): void {
    const arena = this.#arena;
    for (let i = 0; i < BATCH && !this.#closed; i++) {
      arena.u32[(this.#messageAt + MSGHDR.at.nameLength) >> 2] = SOCKADDR_IN6.octets;
      const count = libc().recvmsg(socket.fd, arena.base + BigInt(this.#messageAt | 0), SOCKET.MSG_DONTWAIT);
      if (count < 0) {
        if (errno() === ERRNO.EAGAIN) return;
        continue; // an ICMP error for something sent earlier
      }
      const from = readSockaddr(arena, this.#nameAt);
      if (!from || from.port === 0) continue;
      this.#receive({
        local: address,
        localPort: socket.port,
        remote: from.address,
        remotePort: from.port,
        octets: arena.u8.slice(this.#dataAt, this.#dataAt + count) as Bytes,
      });
    }
  }

  #interrupt(): void {
    libc().writeBuffer(this.#wake, new Uint8Array(new BigUint64Array([1n]).buffer), 8n);
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#interrupt();
    for (const { socket } of this.#bound.values()) socket.close();
    this.#bound.clear();
  }
}
