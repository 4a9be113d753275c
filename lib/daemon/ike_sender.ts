/** Sends IKE datagrams from the engine's UDP encapsulation sockets. @module */
import { addressOf } from "../ffi/address.ts";
import type { UdpSocket } from "../linux/sockets.ts";
import { Transmitter } from "../linux/transmit.ts";
import { type Arena, createArena } from "../octets/arena.ts";
import type { RelayedDatagram } from "./ike_relay.ts";

const ARENA_OCTETS = 1 << 20;
const MARKER_OCTETS = 4;
const MOST_OCTETS = 65_000;

/** One sender; it belongs to the main thread. */
export class IkeSender {
  readonly #arena: Arena = createArena(ARENA_OCTETS, addressOf);
  readonly #transmitter: Transmitter;
  readonly #at: number;

  constructor(sockets: { udp4?: UdpSocket; udp6?: UdpSocket }) {
    this.#transmitter = new Transmitter(this.#arena, sockets);
    this.#at = this.#arena.reserve(MARKER_OCTETS + MOST_OCTETS);
  }

  /** Sends one datagram behind the non-ESP marker (RFC 3948 2.2), or a NAT keepalive (2.3). */
  send({ kind, local, remote, octets }: RelayedDatagram): void {
    if (octets.length > MOST_OCTETS) return;
    const { u8 } = this.#arena;
    const target = this.#transmitter.target(local.address, remote.address, remote.port);
    if (kind === "keepalive") u8[this.#at] = 0xff;
    else {
      u8.fill(0, this.#at, this.#at + MARKER_OCTETS);
      u8.set(octets, this.#at + MARKER_OCTETS);
    }
    this.#transmitter.datagram(target, this.#at, kind === "keepalive" ? 1 : MARKER_OCTETS + octets.length);
    this.#transmitter.flush();
    this.#transmitter.release(target);
  }
}
