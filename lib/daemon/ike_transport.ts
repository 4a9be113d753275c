/**
 * How ISAKMP datagrams come and go: port 500 on sockets of our own, port 4500 through the engine (ike_relay.ts), or on
 * sockets of our own where there is no engine (`-n`).
 *
 * @module
 */
import { join } from "node:path";
import type { Endpoint } from "../ike/events.ts";
import { type Address, formatAddress } from "../ip/address.ts";
import { UdpPorts } from "../linux/udp_ports.ts";
import { type Bytes, concat } from "../octets/bytes.ts";
import { DecodeError, Reader } from "../octets/reader.ts";
import { encodeRelayed, type RelayedDatagram, type RelayEndpoint, RelayReader } from "./ike_relay.ts";
import type { Log } from "./log.ts";
import { runDirectory } from "./paths.ts";

/** A datagram without non-ESP marker. */
export type Receive = (local: Endpoint, remote: Endpoint, octets: Bytes) => void;

const NON_ESP_MARKER = new Uint8Array(4);
const KEEPALIVE = new Uint8Array([0xff]);
const RECONNECT_MS = 500;
const READ_OCTETS = 65536;

/** Whether a datagram on the NAT port is IKE (RFC 3948 2.2): it begins with four zero octets. */
const isIke = (octets: Uint8Array) => octets.length > 4 && !(octets[0] | octets[1] | octets[2] | octets[3]);

/** The engine's relay, connected again whenever the engine comes back. */
class Relay implements Disposable {
  #connection: Deno.Conn | undefined;
  #outgoing: Bytes[] = [];
  #closed = false;
  #retry: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly path: string, readonly log: Log, readonly receive: (datagram: RelayedDatagram) => void) {
    this.#connect();
  }

  get connected(): boolean {
    return this.#connection !== undefined;
  }

  send(datagram: RelayedDatagram): boolean {
    if (!this.#connection) return false;
    this.#outgoing.push(encodeRelayed(datagram));
    if (this.#outgoing.length === 1) this.#flush(this.#connection);
    return true;
  }

  async #flush(connection: Deno.Conn): Promise<void> {
    try {
      while (this.#outgoing.length) {
        let octets: Uint8Array = this.#outgoing[0];
        while (octets.length) octets = octets.subarray(await connection.write(octets));
        this.#outgoing.shift();
      }
    } catch {
      // The reader sees the same and connects again.
      this.#outgoing = [];
    }
  }

  async #connect(): Promise<void> {
    try {
      this.#connection = await Deno.connect({ transport: "unix", path: this.path });
      if (this.#closed) return this.#connection.close();
      const reader = new RelayReader();
      const chunk = new Uint8Array(READ_OCTETS);
      for (let n = await this.#connection.read(chunk); n; n = await this.#connection.read(chunk)) {
        for (const datagram of reader.push(chunk.slice(0, n))) this.receive(datagram);
      }
    } catch (error) {
      if (error instanceof DecodeError) this.log.error(`the engine's ike.sock speaks something else: ${error.message}`);
    }
    this.#outgoing = [];
    try {
      this.#connection?.close();
    } catch {
      // closed already
    }
    this.#connection = undefined;
    if (!this.#closed) this.#retry = setTimeout(() => this.#connect(), RECONNECT_MS);
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    if (this.#retry !== undefined) clearTimeout(this.#retry);
    try {
      this.#connection?.close();
    } catch {
      // closed already
    }
  }
}

export interface TransportOptions {
  readonly log: Log;
  readonly ports: { readonly ike: number; readonly nat: number };
  /** Undefined: no NAT port at all (`-T`). */
  readonly natPort: "relay" | "own" | undefined;
  readonly receive: Receive;
  /** ESP of the inbound SA with this SPI comes from `remote` now. */
  readonly moved: (local: RelayEndpoint, remote: RelayEndpoint, spi: number) => void;
}

/** All transports of the daemon. */
export class IkeTransport implements Disposable {
  readonly #options: TransportOptions;
  readonly #sockets: UdpPorts;
  readonly #relay: Relay | undefined;

  constructor(options: TransportOptions) {
    this.#options = options;
    const { log, ports, receive } = options;
    this.#sockets = new UdpPorts(({ local, localPort, remote, remotePort, octets }) => {
      const ends = [{ address: local, port: localPort }, { address: remote, port: remotePort }] as const;
      if (localPort !== ports.nat || ports.nat === ports.ike) return receive(...ends, octets);
      if (isIke(octets)) receive(...ends, octets.subarray(NON_ESP_MARKER.length));
    });
    if (options.natPort === "relay") {
      this.#relay = new Relay(join(runDirectory(), "ike.sock"), log, ({ kind, local, remote, octets }) => {
        if (kind === "ike") receive(local, remote, octets as Bytes);
        else if (kind === "moved") options.moved(local, remote, new Reader(octets).u32());
      });
    }
  }

  /** Whether datagrams can use the NAT port now. */
  get natPortOpen(): boolean {
    return this.#relay?.connected ?? this.#options.natPort === "own";
  }

  /**
   * Listens on exactly these addresses.
   *
   * @returns what could not be opened, one line each
   */
  listen(addresses: readonly Address[]): string[] {
    const { ports, natPort } = this.#options;
    const failures: string[] = [];
    const wanted = natPort === "own" ? [ports.ike, ports.nat] : [ports.ike];
    for (const port of wanted) {
      for (const old of this.#sockets.addresses(port)) {
        if (!addresses.some((address) => formatAddress(address) === formatAddress(old))) {
          this.#sockets.release(old, port);
        }
      }
      for (const address of addresses) {
        if (this.#sockets.has(address, port)) continue;
        try {
          this.#sockets.bind(address, port);
        } catch (error) {
          failures.push((error as Error).message);
        }
      }
    }
    return failures;
  }

  /** The addresses listened on. */
  addresses(): Address[] {
    return this.#sockets.addresses(this.#options.ports.ike);
  }

  /** Sends a message; the marker is put in front on the NAT port. */
  send(local: Endpoint, remote: Endpoint, octets: Bytes): void {
    this.#send("ike", local, remote, octets);
  }

  /** Sends what keeps a NAT's mapping open (RFC 3948 4). */
  keepalive(local: Endpoint, remote: Endpoint): void {
    this.#send("keepalive", local, remote, KEEPALIVE);
  }

  #send(kind: RelayedDatagram["kind"], local: Endpoint, remote: Endpoint, octets: Bytes): void {
    const { ports, natPort, log } = this.#options;
    const onNatPort = local.port === ports.nat && ports.nat !== ports.ike;
    if (onNatPort && natPort === "relay") {
      const sent = this.#relay!.send({ kind, local, remote, octets: kind === "ike" ? octets : new Uint8Array(0) });
      if (!sent) log.debug("Transport", 10, () => `lost a datagram to ${formatAddress(remote.address)}: no engine`);
      return;
    }
    const datagram = onNatPort && kind === "ike" ? concat(NON_ESP_MARKER, octets) : octets;
    const error = this.#sockets.send(local.address, local.port, remote.address, remote.port, datagram);
    if (error) {
      log.debug("Transport", 10, () => `cannot send to ${formatAddress(remote.address)} port ${remote.port}: ${error}`);
    }
  }

  [Symbol.dispose](): void {
    this.#sockets[Symbol.dispose]();
    this.#relay?.[Symbol.dispose]();
  }
}
