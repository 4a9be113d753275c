/**
 * A packet loop that only plays: socket pairs are its device and its network, its SA has keys of its own, and nothing
 * leaves the process. A Worker with nothing to do runs packets through it: when an SA has come, so that the compiler
 * knows the way before the first packet goes it, and for a moment after each packet, so that the processor's caches still
 * know it at the next one.
 *
 * @module
 */
import { GSO, NEEDS_SUM, VNET, VNET_OCTETS } from "../datapath/vnet.ts";
import { check, libc } from "../ffi/libc.ts";
import { SOCKET } from "../ffi/structs.ts";
import { parseAddress, prefixOf } from "../ip/address.ts";
import { IP_PROTOCOL, IPV4, TCP, UDP } from "../ip/headers.ts";
import { Counters } from "../ipsec/packet.ts";
import { COUNTER_OCTETS } from "../ipsec/sa.ts";
import { type Flow, NO_LIMIT, PROTOCOL, type SaParameters } from "../ipsec/types.ts";
import type { Bytes } from "../octets/bytes.ts";
import { Mailbox } from "./mailbox.ts";
import type { Order, WorkerStart } from "./packet_orders.ts";

/** What the rehearsal needs of a packet loop. */
export interface Player {
  /** Services every source once, idle or not, and obeys orders. */
  playRound(): void;
}

/** Passes after an SA of a new kind: optimised code comes after some thousand calls. */
const LEARNING_PASSES = 2500;
/** More kinds of SA than this are not worth the time. */
const MOST_KINDS = 4;

const PORT = 4500;
const SOURCE = parseAddress("192.0.2.1");
const DESTINATION = parseAddress("192.0.2.2");
const SPI = 0x1000;
const SEGMENTS = 3;
const SEGMENT_OCTETS = 500;
const ROOM_OCTETS = 65536;

/** The same packet passes both flows: it comes in as it went out. */
function flow(direction: "in" | "out"): Flow {
  const any = prefixOf(parseAddress("198.51.100.0"), 24);
  return {
    selector: { source: any, destination: any, transport: 0, sourcePort: 0, destinationPort: 0, direction },
    type: "require",
    protocol: PROTOCOL.ESP,
    peer: direction === "out" ? DESTINATION : SOURCE,
    static: true,
  };
}

/** A packet as the device hands it over; TCP as a super-packet of three segments. */
function packet(protocol: number, payloadOctets: number): Bytes {
  const transportOctets = protocol === IP_PROTOCOL.TCP ? TCP.OCTETS : UDP.OCTETS;
  const octets = IPV4.OCTETS + transportOctets + payloadOctets;
  const out = new Uint8Array(VNET_OCTETS + octets);
  const view = new DataView(out.buffer);
  out[VNET.FLAGS] = NEEDS_SUM;
  view.setUint16(VNET.SUM_START, IPV4.OCTETS, true);
  view.setUint16(VNET.SUM_OFFSET, protocol === IP_PROTOCOL.TCP ? TCP.CHECKSUM : UDP.CHECKSUM, true);
  if (protocol === IP_PROTOCOL.TCP) {
    out[VNET.GSO_TYPE] = GSO.TCP_V4;
    view.setUint16(VNET.GSO_OCTETS, SEGMENT_OCTETS, true);
  }
  const ip = VNET_OCTETS;
  out.set([0x45, 0, octets >> 8, octets & 255, 0, 0, 0x40, 0, 64, protocol], ip);
  out.set([198, 51, 100, 1, 198, 51, 100, 2], ip + IPV4.SOURCE);
  const transport = ip + IPV4.OCTETS;
  view.setUint16(transport, 9);
  view.setUint16(transport + 2, 9);
  if (protocol === IP_PROTOCOL.TCP) {
    out[transport + TCP.DATA_OFFSET] = TCP.OCTETS / 4 << 4;
    out[transport + TCP.FLAGS] = TCP.ACK;
  } else view.setUint16(transport + UDP.LENGTH, UDP.OCTETS + payloadOctets);
  return out;
}

/** Both ends of a pair that keeps messages apart and does not mind to what address they are sent. */
function socketPair(): [number, number] {
  const fds = new Int32Array(2);
  const type = SOCKET.SOCK_SEQPACKET | SOCKET.SOCK_NONBLOCK | SOCKET.SOCK_CLOEXEC;
  check(libc().socketpair(SOCKET.AF_UNIX, type, 0, new Uint8Array(fds.buffer)), "make a pair of sockets");
  return [fds[0], fds[1]];
}

/** One Worker's rehearsals. */
export class Rehearsal implements Disposable {
  readonly #player: Player;
  readonly #orders: Mailbox;
  readonly #device = socketPair();
  readonly #datagrams = socketPair();
  readonly #whole = socketPair();
  readonly #packets = [
    packet(IP_PROTOCOL.UDP, 64),
    packet(IP_PROTOCOL.TCP, SEGMENTS * SEGMENT_OCTETS),
    packet(IP_PROTOCOL.ICMP, 64),
  ];
  readonly #room: Bytes = new Uint8Array(ROOM_OCTETS);
  readonly #kinds = new Set<string>();
  #wanted: SaParameters | undefined;
  #installed = false;
  #left = 0;
  #learnt = false;

  /** `makePlayer` makes a packet loop with these descriptors that reports to nobody. */
  constructor(start: WorkerStart, makePlayer: (start: WorkerStart) => Player) {
    this.#orders = new Mailbox();
    const [sender, receiver] = this.#whole;
    this.#player = makePlayer({
      ...start,
      role: "both",
      tun: { fd: this.#device[0], udp: start.tun.udp },
      sockets: {
        protocols: [{ fd: receiver, family: 4, protocol: PROTOCOL.ESP }],
        packet4: { fd: sender, family: 4 },
        udp4: {
          fd: this.#datagrams[0],
          family: 4,
          port: PORT,
          receiveOffload: true,
          sendOffload: true,
          assumes: { local: DESTINATION, remote: SOURCE, remotePort: PORT },
        },
      },
      wakeFd: -1,
      orders: this.#orders.buffer,
      counters: new SharedArrayBuffer(Counters.OCTETS),
      usage: new SharedArrayBuffer(COUNTER_OCTETS),
    });
    for (const direction of ["out", "in"] as const) this.#order({ order: "addFlow", flow: flow(direction) });
  }

  #order(order: Order): void {
    this.#orders.put(order);
  }

  /** Notes that a Worker has got this SA. */
  learn(sa: SaParameters): void {
    if (sa.protocol !== PROTOCOL.ESP || sa.oldHeader || this.#kinds.size === MOST_KINDS) return;
    const kind = `${sa.encryption} ${sa.authentication} ${sa.udpPort !== undefined}`;
    if (this.#kinds.has(kind)) return;
    this.#kinds.add(kind);
    this.#wanted = sa;
    this.#left = LEARNING_PASSES;
  }

  /** Whether there is an SA to rehearse with. */
  get able(): boolean {
    return this.#installed || this.#wanted !== undefined;
  }

  /** Whether an SA of a new kind wants more passes. */
  get learning(): boolean {
    return this.#left > 0;
  }

  /** Whether an SA's last learning pass is over; true once. */
  hasLearnt(): boolean {
    const learnt = this.#learnt;
    this.#learnt = false;
    return learnt;
  }

  /** One packet out and in again. */
  pass(): void {
    if (this.#wanted) this.#install(this.#wanted);
    const index = this.#left > 0 ? this.#left-- % this.#packets.length : 0;
    if (index > 0) this.#learnt = true;
    const one = this.#packets[index];
    const { writeBuffer, readBuffer } = libc();
    const [, device] = this.#device;
    const room = this.#room;
    writeBuffer(device, one, BigInt(one.length));
    this.#player.playRound();
    this.#returnDatagrams(one[VNET.GSO_TYPE] === GSO.TCP_V4 ? SEGMENTS : 1);
    this.#player.playRound();
    while (readBuffer(device, room, BigInt(ROOM_OCTETS)) > 0);
  }

  /** What was sent as datagrams comes back on the socket that sent it; a run comes as one message. */
  #returnDatagrams(run: number): void {
    const { writeBuffer, readBuffer } = libc();
    const [, far] = this.#datagrams;
    const room = this.#room;
    const octets = readBuffer(far, room, BigInt(ROOM_OCTETS)) / run;
    for (let i = 0; octets > 0 && i < run; i++) {
      writeBuffer(far, room.subarray(i * octets, (i + 1) * octets), BigInt(octets));
    }
  }

  /** An SA of the same kind with keys that nobody knows. */
  #install(sa: SaParameters): void {
    this.#wanted = undefined;
    const random = (key: Uint8Array | undefined) => key && crypto.getRandomValues(new Uint8Array(key.length));
    if (this.#installed) this.#order({ order: "removeSa", id: 1 });
    this.#installed = true;
    this.#order({
      order: "installSa",
      id: 1,
      slot: 0,
      pathMtu: 0,
      sa: {
        protocol: PROTOCOL.ESP,
        spi: SPI,
        source: SOURCE,
        destination: DESTINATION,
        encryption: sa.encryption,
        authentication: sa.authentication,
        encryptionKey: random(sa.encryptionKey),
        authenticationKey: random(sa.authenticationKey),
        tunnel: true,
        oldHeader: false,
        halfIv: false,
        randomPadding: sa.randomPadding,
        replayWindow: sa.replayWindow,
        udpPort: sa.udpPort === undefined ? undefined : PORT,
        hard: NO_LIMIT,
        soft: NO_LIMIT,
      },
    });
  }

  [Symbol.dispose](): void {
    for (const fd of [...this.#device, ...this.#datagrams, ...this.#whole]) libc().close(fd);
  }
}
