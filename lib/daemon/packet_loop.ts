/**
 * A Worker's life: wait until the TUN device, a socket or the main thread has something, move packets, wait again. It
 * blocks in `poll` and never returns to its event loop, because every return would cost more than a packet does.
 *
 * @module
 */
import { choosePacketCrypto } from "../crypto/libcrypto.ts";
import type { PacketCrypto } from "../crypto/packet.ts";
import { Coalescer, type TunWriter } from "../datapath/coalescing.ts";
import { Inbound } from "../datapath/inbound.ts";
import { Outbound } from "../datapath/outbound.ts";
import { createSums, type Sums } from "../datapath/sums.ts";
import { VNET_OCTETS } from "../datapath/vnet.ts";
import { addressOf } from "../ffi/address.ts";
import { libc } from "../ffi/libc.ts";
import { IN_PKTINFO, OPTION, SOCKADDR_IN, SOCKADDR_IN6 } from "../ffi/structs.ts";
import { address } from "../ip/address.ts";
import { TUPLE } from "../ip/tuple.ts";
import { sameAddressAt, wordsAddress } from "../ip/words.ts";
import { Counters, DROP, HEADROOM, type Packet, TAILROOM } from "../ipsec/packet.ts";
import type { Sa } from "../ipsec/sa.ts";
import { setClock, setIdentification } from "../ipsec/scratch.ts";
import type { SpdEntry } from "../ipsec/spd.ts";
import { Epoll } from "../linux/epoll.ts";
import { rebuildIpv6Header } from "../linux/message.ts";
import { Nap } from "../linux/nap.ts";
import { Receiver } from "../linux/receive.ts";
import type { Socket, UdpSocket } from "../linux/sockets.ts";
import { Transmitter, type UdpTarget } from "../linux/transmit.ts";
import { type Arena, createArena } from "../octets/arena.ts";
import { collectGarbage, returnFreeMemory } from "./heap.ts";
import { Mailbox } from "./mailbox.ts";
import { PacketTables } from "./packet_tables.ts";
import type { Player, Rehearsal } from "./rehearsal.ts";
import { Spin, SPIN_MS } from "./spin.ts";
import type { Order, Report, SocketGrant, UdpSocketGrant, WorkerStart } from "./packet_orders.ts";

/** Room for a rehearsal's loop, too. */
const ARENA_OCTETS = 64 << 20;
/** An IPv6 header with extension headers is put back before a received packet, and more may be before that. */
const RECEIVE_HEADROOM = HEADROOM + 1024;
const DATAGRAM_BATCH = 16;
const PACKET_BATCH = 64;
/** Packets (or super-packets) read from the device before what they became is sent. */
const READS = 32;
const TUN_OCTETS = 65536 + VNET_OCTETS;
/** Rounds of work after which descriptors that were idle are looked at again. */
const ROUNDS_BETWEEN_WAITS = 8;
/** After so many orders garbage is worth collecting, once nothing has happened for so long. */
const ORDERS_TO_COLLECT = 1000;
const QUIET_MS = 1000;
/**
 * Whole packets come one by one, not in runs as datagrams do. A batch of so many says that a stream is under way: then so
 * long a nap brings more at a time, and fewer acknowledgements, for fewer wake-ups.
 */
const STREAM_BATCH = 4;
const NAP_US = 100;
/** How long after a packet the way is rehearsed, and how often: caches are cold again after a millisecond or two. */
const WARM_MS = 20;
const WARM_EVERY_MS = 2;

/** An SA's packets that come from another address than its peer's are told once in so long. */
const MOVED_PAUSE_MS = 1000;

/** Something that is serviced when its descriptor is readable; answers how much it moved, and whether that was all. */
interface Source {
  readonly fd: number;
  ready: boolean;
  service(): number;
}

const asSocket = (grant: SocketGrant): Socket => ({ ...grant, close() {}, [Symbol.dispose]() {} });

/** What all packet loops of a thread share, so that the compiler knows one of each. */
export interface PacketTools {
  readonly arena: Arena;
  readonly crypto: PacketCrypto;
  readonly sums: Sums;
}

export function createPacketTools(libcrypto: WorkerStart["libcrypto"]): PacketTools {
  const arena = createArena(ARENA_OCTETS, addressOf);
  setIdentification(arena, crypto.getRandomValues(new Uint16Array(1))[0]);
  return {
    arena,
    crypto: choosePacketCrypto(arena, libcrypto === "off" ? "node:crypto" : undefined),
    sums: createSums(arena),
  };
}

/** One Worker's packets. */
export class PacketLoop implements Player {
  readonly #start: WorkerStart;
  readonly #send: (report: Report) => void;
  readonly #arena: Arena;
  readonly #crypto: PacketCrypto;
  readonly #tables: PacketTables;
  readonly #counters: Counters;
  readonly #outbound: Outbound<UdpTarget>;
  readonly #inbound: Inbound;
  readonly #coalescer: Coalescer;
  readonly #transmitter: Transmitter;
  readonly #mailbox: Mailbox;
  readonly #stagingAt: number;
  /** When it was last told that an SA's packets come from another address. */
  readonly #movedAt = new WeakMap<Sa, number>();
  readonly #sources: Source[] = [];
  #now = 0;
  /** An order may have brought what held packets wait for. */
  #retryDue = false;
  /** Wall clock at time 0 of `#now`; read once, so that it never jumps. */
  readonly #epochMs = performance.timeOrigin;
  /** The last size reported. */
  #toldSize = 0;
  #sawTooBig = false;
  readonly #targets = new Map<Sa, UdpTarget>();
  #spentSeen = 0;
  readonly #spin = new Spin();
  #stopped = false;
  #ordersSinceCollection = 0;
  #rehearsal: Rehearsal | undefined;
  /** The last round emptied a socket to which a stream of whole packets comes. */
  #streaming = false;
  readonly #nap: Nap;

  constructor(start: WorkerStart, send: (report: Report) => void, { arena, crypto, sums }: PacketTools) {
    this.#start = start;
    this.#send = send;
    this.#arena = arena;
    this.#crypto = crypto;
    this.#counters = new Counters(start.counters);
    this.#mailbox = new Mailbox(start.orders);
    this.#nap = new Nap(arena, NAP_US);
    this.#stagingAt = arena.reserve(TUN_OCTETS + 256);
    const tun = this.#tunWriter();
    const { packet4, packet6, udp4, udp6 } = start.sockets;
    const sockets = {
      packet4: packet4 && asSocket(packet4),
      packet6: packet6 && asSocket(packet6),
      udp4: udp4 && { ...udp4, ...asSocket(udp4) } as UdpSocket,
      udp6: udp6 && { ...udp6, ...asSocket(udp6) } as UdpSocket,
    };
    this.#transmitter = new Transmitter(arena, sockets, (protocol, loss, packets) => {
      if (loss === "tooBig") this.#sawTooBig = true;
      this.#counters.drop(protocol, DROP[loss], packets);
    });
    this.#coalescer = new Coalescer(arena, sums, tun, {
      udp: start.tun.udp,
      lost: (protocol, packets) => this.#counters.drop(protocol, DROP.queueFull, packets),
    });
    this.#tables = new PacketTables(arena, crypto, start.usage, (sa) => this.#releaseTarget(sa));
    const tables = { sad: this.#tables.sad, spd: this.#tables.spd, counters: this.#counters };
    this.#inbound = new Inbound(arena, tables, this.#coalescer, {
      moved: (sa, packet, portAt) => this.#moved(sa, packet, portAt),
    });
    this.#outbound = new Outbound(arena, sums, tables, {
      sender: this.#transmitter,
      targetOf: (sa) => this.#targetOf(sa),
      tun,
      needsSa: (entry, tuple) => this.#needsSa(entry, tuple),
    });
    if (start.role !== "in") this.#sources.push(this.#source(start.tun.fd, (source) => this.#readTun(source)));
    if (start.role !== "out") {
      for (const grant of start.sockets.protocols) this.#sources.push(this.#packetSource(grant));
      for (const udp of [udp4, udp6]) if (udp) this.#sources.push(this.#datagramSource(udp));
    }
  }

  #tunWriter(): TunWriter {
    const { write, writev } = libc();
    const { base } = this.#arena;
    const fd = this.#start.tun.fd;
    return {
      write: (at, octets) => write(fd, base + BigInt(at | 0), octets),
      writev: (at, vectors) => writev(fd, base + BigInt(at | 0), vectors),
    };
  }

  /** Moves packets until told to stop; `rehearsal` keeps that fast. */
  run(rehearsal?: Rehearsal): void {
    this.#rehearsal = rehearsal;
    this.#send({ report: "ready", crypto: this.#crypto.name });
    const { read } = libc();
    const { base } = this.#arena;
    const sources = this.#sources;
    const wakeAt = this.#arena.reserve(8);
    using epoll = new Epoll(this.#arena, [...sources.map(({ fd }) => fd), this.#start.wakeFd]);
    let rounds = 0;
    while (!this.#stopped) {
      const moved = this.#round();
      if (moved !== 0 && !this.#streaming && ++rounds < ROUNDS_BETWEEN_WAITS) continue;
      rounds = 0;
      this.#settle();
      if (this.#streaming) this.#nap.take();
      const ready = this.#wait(epoll, moved !== 0);
      for (let i = 0; i < ready; i++) {
        const index = epoll.ready(i);
        if (index < sources.length) sources[index].ready = true;
        else read(this.#start.wakeFd, base + BigInt(wakeAt | 0), 8);
      }
    }
    this.#tables[Symbol.dispose]();
    this.#send({ report: "stopped" });
  }

  /** Services what is ready, and orders; answers how much was moved. */
  #round(): number {
    const sources = this.#sources;
    this.#streaming = false;
    this.#now = performance.now();
    setClock(this.#arena, Math.floor((this.#epochMs + this.#now) / 1000));
    let moved = 0;
    for (let i = 0; i < sources.length; i++) if (sources[i].ready) moved += sources[i].service();
    if (this.#mailbox.pending) this.#obey();
    this.#retryHeld();
    return moved;
  }

  playRound(): void {
    for (let i = 0; i < this.#sources.length; i++) this.#sources[i].ready = true;
    this.#round();
  }

  /** Waits until there is something to do; not at all when a source that was ready may be so still. */
  #wait(epoll: Epoll, busy: boolean): number {
    let ready = epoll.wait(0);
    if (ready > 0 || busy) return ready;
    if (this.#spin.worthwhile) {
      const { sched_yield } = libc();
      const end = performance.now() + SPIN_MS;
      do {
        sched_yield();
        ready = epoll.wait(0);
      } while (ready <= 0 && performance.now() < end);
      this.#spin.settle(ready > 0);
      if (ready > 0) return ready;
    }
    if (this.#rehearsal?.able) {
      ready = this.#rehearse(epoll, this.#rehearsal);
      if (ready !== 0) return ready;
    }
    const collects = this.#ordersSinceCollection >= ORDERS_TO_COLLECT;
    ready = epoll.wait(collects ? QUIET_MS : -1);
    if (ready === 0) this.#collect();
    return ready;
  }

  /** Rehearses while that helps and nothing else is to be done. */
  #rehearse(epoll: Epoll, rehearsal: Rehearsal): number {
    for (;;) {
      const { learning } = rehearsal;
      if (!learning && performance.now() > this.#now + WARM_MS) {
        // What the compiler needed is not needed again.
        if (rehearsal.hasLearnt()) returnFreeMemory();
        return 0;
      }
      const ready = epoll.wait(learning ? 0 : WARM_EVERY_MS);
      if (ready !== 0) return ready;
      rehearsal.pass();
    }
  }

  #readTun(source: Source): number {
    const { read } = libc();
    const { base } = this.#arena;
    const { fd } = this.#start.tun;
    const at = this.#stagingAt;
    let count = 0;
    while (count < READS) {
      const octets = read(fd, base + BigInt(at | 0), TUN_OCTETS);
      if (octets <= 0) {
        source.ready = false;
        break;
      }
      // A route leads here only once its flow's order is in the mailbox: what was read is judged by that order.
      if (this.#mailbox.pending) {
        this.#outbound.flush();
        this.#obey();
      }
      this.#outbound.take(at, octets, this.#now);
      // A lone packet shall not wait for the news that it is alone.
      if (++count === 1) this.#outbound.flush();
    }
    if (count > 1) this.#outbound.flush();
    return count;
  }

  #source(fd: number, service: (source: Source) => number): Source {
    const source: Source = { fd, ready: true, service: () => service(source) };
    return source;
  }

  #packetSource(grant: SocketGrant & { readonly protocol: number }): Source {
    const room = { batch: PACKET_BATCH, headroom: RECEIVE_HEADROOM, tailroom: TAILROOM };
    const receiver = new Receiver(this.#arena, asSocket(grant), room);
    return this.#source(grant.fd, (source) => {
      const count = receiver.receive();
      source.ready = count === receiver.batch;
      if (!source.ready && count >= STREAM_BATCH) this.#streaming = true;
      for (let i = 0; i < count; i++) {
        const at = receiver.at(i);
        const octets = receiver.octets(i);
        if (grant.family === 4) {
          this.#inbound.takePacket(at, octets);
          continue;
        }
        const headroom = RECEIVE_HEADROOM - HEADROOM;
        const header = rebuildIpv6Header(this.#arena, receiver.messageAt(i), grant.protocol, at, octets, headroom);
        if (header === 0) this.#counters.drop(grant.protocol, DROP.malformedHeader);
        else this.#inbound.takePacket(header, at + octets - header);
      }
      if (count) this.#inbound.flush();
      return count;
    });
  }

  #datagramSource(udp: UdpSocketGrant): Source {
    const receiver = new Receiver(this.#arena, asSocket(udp), {
      batch: DATAGRAM_BATCH,
      headroom: RECEIVE_HEADROOM,
      tailroom: TAILROOM,
    });
    const v4 = udp.family === 4;
    const packetInfo = v4 ? OPTION.IP_PKTINFO : OPTION.IPV6_PKTINFO;
    const tosOption = v4 ? OPTION.IP_TOS : OPTION.IPV6_TCLASS;
    const addressAt = v4 ? SOCKADDR_IN.at.address : SOCKADDR_IN6.at.address;
    const assumedAt = this.#arena.reserve(16);
    if (udp.assumes) {
      this.#arena.u8.set(udp.assumes.local.octets, assumedAt);
      for (let i = 0; i < receiver.batch; i++) {
        this.#arena.view.setUint16(receiver.nameAt(i) + SOCKADDR_IN.at.port, udp.assumes.remotePort);
        this.#arena.u8.set(udp.assumes.remote.octets, receiver.nameAt(i) + addressAt);
      }
    }
    return this.#source(udp.fd, (source) => {
      const count = receiver.receive();
      source.ready = count === receiver.batch;
      for (let i = 0; i < count; i++) {
        const name = receiver.nameAt(i);
        const info = receiver.control(i, packetInfo);
        if (info === 0 && !udp.assumes) continue;
        const localAt = info === 0 ? assumedAt : v4 ? info + IN_PKTINFO.at.destination : info;
        const portAt = name + SOCKADDR_IN.at.port;
        const tosAt = receiver.control(i, tosOption);
        const tos = tosAt === 0 ? 0 : this.#arena.u8[tosAt];
        let at = receiver.at(i);
        let left = receiver.octets(i);
        const segment = receiver.segmentOctets(i);
        while (left > 0) {
          const octets = left < segment ? left : segment;
          if (octets < 8 || this.#arena.i32[at >> 2] === 0 && (at & 3) === 0 || this.#arena.view.getInt32(at) === 0) {
            this.#keyManagement(udp, at, octets, name + addressAt, localAt, portAt);
          } else this.#inbound.takeDatagram(at, octets, udp.family, name + addressAt, localAt, portAt, tos);
          at += octets;
          left -= octets;
        }
      }
      if (count) this.#inbound.flush();
      return count;
    });
  }

  /** A datagram that is no ESP (RFC 3948 2.2, 2.3): IKE behind its marker; a NAT keepalive says nothing. */
  #keyManagement(
    udp: UdpSocketGrant,
    at: number,
    octets: number,
    remoteAt: number,
    localAt: number,
    portAt: number,
  ): void {
    const { u8, view } = this.#arena;
    if (octets < 8 || view.getInt32(at) !== 0) {
      if (!(octets === 1 && u8[at] === 0xff)) this.#counters.drop(50, DROP.short);
      return;
    }
    const length = udp.family === 4 ? 4 : 16;
    this.#send({
      report: "ike",
      local: address(u8.subarray(localAt, localAt + length)),
      localPort: udp.port,
      remote: address(u8.subarray(remoteAt, remoteAt + length)),
      remotePort: view.getUint16(portAt),
      octets: u8.slice(at + 4, at + octets),
    });
  }

  #moved(sa: Sa, packet: Packet, portAt: number): void {
    const { u8, view } = this.#arena;
    const port = view.getUint16(portAt);
    const length = sa.family === 4 ? 4 : 16;
    const from = address(u8.subarray(packet.sourceAt, packet.sourceAt + length));
    // Say it once: of another port at once, as the order that follows changes the SA; of another address now and then.
    if (sameAddressAt(view, packet.sourceAt, sa.family, sa.source)) sa.udpPort = port;
    else {
      const now = performance.now();
      if (now < (this.#movedAt.get(sa) ?? -Infinity) + MOVED_PAUSE_MS) return;
      this.#movedAt.set(sa, now);
    }
    this.#send({ report: "moved", id: sa.id, address: from, port });
  }

  #needsSa(entry: SpdEntry, tuple: Int32Array): void {
    const family = tuple[TUPLE.FAMILY] as 4 | 6;
    this.#send({
      report: "needsSa",
      flow: entry.flow,
      packet: {
        source: wordsAddress(family, tuple, TUPLE.SOURCE),
        destination: wordsAddress(family, tuple, TUPLE.DESTINATION),
        transport: tuple[TUPLE.PROTOCOL],
        sourcePort: tuple[TUPLE.SOURCE_PORT],
        destinationPort: tuple[TUPLE.DESTINATION_PORT],
      },
    });
  }

  /** Where the datagrams of an SA go; kept until the SA or its port is another. */
  #targetOf(sa: Sa): UdpTarget {
    let target = this.#targets.get(sa);
    if (!target) {
      const { source, destination } = sa.parameters;
      this.#targets.set(sa, target = this.#transmitter.target(source, destination, sa.udpPort));
    }
    return target;
  }

  #releaseTarget(sa: Sa): void {
    const target = this.#targets.get(sa);
    if (!target) return;
    this.#targets.delete(sa);
    this.#transmitter.release(target);
  }

  /** Before sleeping: asks for path MTUs if a packet was too big. */
  #settle(): void {
    if (this.#outbound.spent !== this.#spentSeen) {
      this.#spentSeen = this.#outbound.spent;
      this.#send({ report: "spent" });
    }
    if (!this.#sawTooBig) return;
    this.#sawTooBig = false;
    this.#send({ report: "tooBig" });
  }

  #collect(): void {
    this.#ordersSinceCollection = 0;
    collectGarbage();
  }

  #obey(): void {
    for (
      let order = this.#mailbox.take() as Order | undefined;
      order;
      order = this.#mailbox.take() as Order | undefined
    ) {
      this.#ordersSinceCollection++;
      try {
        this.#retryDue = this.#carryOut(order) || this.#retryDue;
      } catch (error) {
        this.#send({ report: "failed", text: error instanceof Error ? error.message : String(error) });
      }
      if (this.#stopped) return;
    }
    this.#tellSize();
  }

  /** Carries out one order; answers whether packets that wait may go now. */
  #carryOut(order: Order): boolean {
    switch (order.order) {
      case "installSa":
        this.#rehearsal?.learn(order.sa);
        return this.#tables.carryOut(order);
      case "enable":
        this.#inbound.espEnabled = order.esp;
        this.#inbound.ahEnabled = order.ah;
        return false;
      case "stop":
        this.#stopped = true;
        return false;
      default:
        return this.#tables.carryOut(order);
    }
  }

  /** Uses the room for what is read from the device, so not between reading and taking a packet. */
  #retryHeld(): void {
    if (this.#retryDue && this.#outbound.held.size) this.#outbound.retryHeld(this.#stagingAt, this.#now);
    this.#retryDue = false;
  }

  /** Tells the main thread when the interface's MTU should change. */
  #tellSize(): void {
    const smallest = this.#tables.smallest;
    if (this.#start.role === "in" || smallest === Infinity || smallest === this.#toldSize) return;
    this.#toldSize = smallest;
    this.#send({ report: "mtu", largest: smallest });
  }
}
