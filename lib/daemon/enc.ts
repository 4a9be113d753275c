/**
 * The engine, "the kernel's part": it owns SAs and flows, the interface enc0, the sockets of IP protocols 4, 41, 50 and 51
 * and UDP 4500, and the routes that bring packets in. The main thread answers PF_KEY and keeps time; packets are moved by
 * Workers (packet_loop.ts).
 *
 * @module
 */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { KeyEngine } from "../engine/key_engine.ts";
import type { Effect } from "../engine/effects.ts";
import { Builder } from "../octets/builder.ts";
import { type Address, equalAddress, formatAddress } from "../ip/address.ts";
import type { Flow } from "../ipsec/types.ts";
import { configureInterface, setMtu } from "../linux/interface.ts";
import { NetworkMonitor } from "../linux/monitor.ts";
import { Netlink } from "../linux/netlink.ts";
import { PathMtuMonitor, type TooBig } from "../linux/path_mtu.ts";
import { PolicyFilter } from "../linux/policy_filter.ts";
import { clearLeftovers, FlowRouter } from "../linux/routes.ts";
import { findPathMtu, type Link } from "../linux/rtnetlink.ts";
import {
  DEFAULT_MARK,
  hasIpv6,
  openPacketSocket,
  openProtocolSocket,
  openUdpSocket,
  type Socket,
  type UdpSocket,
} from "../linux/sockets.ts";
import { openTun, type Tun } from "../linux/tun.ts";
import { monotonicEpoch } from "./clock.ts";
import type { EncLog, EncOptions } from "./enc_options.ts";
import { collectGarbage, returnFreeMemory } from "./heap.ts";
import type { RelayEndpoint } from "./ike_relay.ts";
import { IkeRelayServer } from "./ike_relay_server.ts";
import { IkeSender } from "./ike_sender.ts";
import type { Order, Report, Role, UdpSocketGrant } from "./packet_orders.ts";
import { PacketWorkers } from "./packet_workers.ts";
import { runDirectory } from "./paths.ts";
import { PathMtus } from "./path_mtus.ts";
import { PendingFlows } from "./pending_flows.ts";
import { PfkeyServer } from "./pfkey_server.ts";

/** ESP, AH, and IPv4 and IPv6 in IP, over either. */
const PROTOCOLS = [50, 51, 4, 41];
/** AES-GCM in UDP over an Ethernet; the first SA corrects it. */
const FIRST_MTU = 1438;
const COMMIT_RETRY_MS = 2;
/** How often a Worker that does not read its orders is waited for; it is then dead, which is told elsewhere. */
const COMMIT_PATIENCE = 2000;
const MIN_MTU = 1280;
const MAX_MTU = 65_000;
const USAGE_MS = 500;
/** After so many changes garbage is worth collecting, once there has been none for so long: Workers have then done so. */
const CHANGES_TO_COLLECT = 1000;
const QUIET_MS = 2000;
/** Path MTUs are asked for again so that a path may recover (RFC 1191 6.3). */
const PATH_MTU_MS = 600_000;
/** A default route may lead elsewhere without any address or interface changing. */
const PEER_ROUTES_MS = 5_000;

const grant = ({ fd, family }: Socket) => ({ fd, family });
const grantUdp = (socket: UdpSocket): UdpSocketGrant => ({
  ...grant(socket),
  port: socket.port,
  receiveOffload: socket.receiveOffload,
  sendOffload: socket.sendOffload,
});

/** One running engine. */
export class Enc {
  readonly #options: EncOptions;
  readonly #log: EncLog;
  readonly #stack = new DisposableStack();
  readonly #netlink: Netlink;
  readonly #tun: Tun;
  readonly #link: Link;
  readonly #router: FlowRouter;
  readonly #filter: PolicyFilter;
  readonly #workers = new PacketWorkers();
  readonly #engine: KeyEngine;
  readonly #udp: { udp4?: UdpSocket; udp6?: UdpSocket } = {};
  readonly #ikeSender: IkeSender;
  #server!: PfkeyServer;
  #relay: IkeRelayServer | undefined;
  #tick: ReturnType<typeof setTimeout> | undefined;
  readonly #intervals: ReturnType<typeof setInterval>[] = [];
  readonly #destinations = new Map<number, Address>();
  readonly #pathMtus: PathMtus;
  #mtu: number;
  readonly #pending = { routes: new PendingFlows(), filters: new PendingFlows() };
  readonly #unsaid: (Effect & { kind: "send" | "dump" })[] = [];
  #commitScheduled = false;
  #changes = 0;
  #collection: ReturnType<typeof setTimeout> | undefined;
  #stopping = false;
  readonly #broken = Promise.withResolvers<string>();
  /** Comes to pass, with a line that says why, when the engine can work no longer. */
  readonly broken = this.#broken.promise;
  /** Packets go through libcrypto. */
  #fast = false;

  private constructor(options: EncOptions, log: EncLog) {
    this.#options = options;
    this.#log = log;
    using undo = new DisposableStack();
    this.#netlink = undo.use(new Netlink());
    const { rules, routes } = clearLeftovers(runDirectory());
    if (rules + routes) log.notice(`removed ${rules} rules and ${routes} routes that an engine left behind`);
    this.#tun = undo.use(openTun(options.interfaceName));
    this.#mtu = options.mtu ?? FIRST_MTU;
    this.#link = configureInterface(this.#netlink, options.interfaceName, this.#mtu);
    this.#router = undo.use(
      new FlowRouter({ interfaceName: options.interfaceName, mark: DEFAULT_MARK, runFolder: runDirectory() }),
    );
    // Not to be undone: what an engine that was killed has left holds cleartext back until its flows are there again.
    this.#filter = new PolicyFilter({ interfaceName: options.interfaceName, mark: DEFAULT_MARK, tunnels: true });
    const leftovers = this.#filter.leftovers();
    if (leftovers) log.notice(`cleartext of ${leftovers} flows is held back until they are given again or flushed`);
    this.#noticeAll(this.#filter.setAddresses(this.#router.addresses));
    this.#engine = new KeyEngine({
      random: (octets) => new Uint8Array(randomBytes(octets)),
      usageOf: (id) => this.#workers.rows.usage(id),
      statistics: () => this.#statistics(),
    });
    this.#pathMtus = new PathMtus(
      (destination) => findPathMtu(this.#netlink, destination, { mark: DEFAULT_MARK }),
      () => performance.now(),
    );
    this.#openUdp(undo);
    this.#ikeSender = new IkeSender(this.#udp);
    this.#stack.use(undo.move());
  }

  /**
   * Starts an engine in this network namespace.
   *
   * @throws {Error} in one line that says what is missing or in the way; nothing is left behind then
   */
  static async start(options: EncOptions, log: EncLog): Promise<Enc> {
    // First the lock: two engines must not undo each other's work.
    let enc: Enc | undefined;
    const ready = Promise.withResolvers<void>();
    const server = await PfkeyServer.listen({
      ready: ready.promise,
      connected: (client) => enc && enc.#engine.connect(client),
      message: (client, octets) => enc && enc.#perform(enc.#engine.onMessage(client, octets, monotonicEpoch())),
      disconnected: (client) => enc && enc.#engine.disconnect(client),
      log: (text) => log.notice(text),
    });
    try {
      enc = new Enc(options, log);
      enc.#server = server;
      await enc.#begin();
      ready.resolve();
      return enc;
    } catch (error) {
      if (enc) await enc.stop({ open: false });
      else await server.close();
      throw error;
    }
  }

  /** Without the port everything but UDP encapsulation works. */
  #openUdp(undo: DisposableStack): void {
    const { udpPort } = this.#options;
    if (udpPort === 0) return;
    for (const family of [4, 6] as const) {
      try {
        const socket = openUdpSocket(family, udpPort);
        if (!socket) continue;
        this.#udp[family === 4 ? "udp4" : "udp6"] = undo.use(socket);
      } catch (error) {
        this.#log.notice(`no UDP encapsulation over IPv${family}: ${(error as Error).message}`);
      }
    }
  }

  async #begin(): Promise<void> {
    const families = hasIpv6() ? [4, 6] as const : [4] as const;
    const protocols = families.flatMap((family) =>
      PROTOCOLS.flatMap((protocol) => {
        const socket = openProtocolSocket(family, protocol);
        return socket ? [{ ...grant(this.#stack.use(socket)), protocol }] : [];
      })
    );
    const packet = (family: 4 | 6) => {
      const socket = families.some((each) => each === family) ? openPacketSocket(family) : undefined;
      return socket && grant(this.#stack.use(socket));
    };
    const { udp4, udp6 } = this.#udp;
    const roles: Role[] = this.#options.workers === 1 ? ["both"] : ["out", "in"];
    await this.#workers.start(roles, {
      tun: { fd: this.#tun.fd, udp: this.#tun.offload.udp },
      sockets: {
        protocols,
        packet4: packet(4),
        packet6: packet(6),
        udp4: udp4 && grantUdp(udp4),
        udp6: udp6 && grantUdp(udp6),
      },
      libcrypto: this.#options.libcrypto,
    }, (report) => this.#onReport(report));
    for (const [name, value] of this.#options.sysctls) this.#perform(this.#engine.setSysctl(name, value));
    this.#orderEnable();
    this.#relay = new IkeRelayServer(join(runDirectory(), "ike.sock"), (datagram) => this.#ikeSender.send(datagram));
    this.#stack.use(
      new NetworkMonitor((events) =>
        this.#attempt(() => {
          this.#noticeAll(this.#router.networkChanged(events));
          if (events.some(({ type }) => type !== "link")) {
            this.#noticeAll(this.#filter.setAddresses(this.#router.addresses));
          }
          const ownOnly = events.every((event) => event.type === "link" && event.link.index === this.#link.index);
          if (ownOnly) return;
          this.#pathMtus.askAgain();
          this.#refreshPathMtus();
        })
      ),
    );
    this.#stack.use(new PathMtuMonitor((news) => this.#heardTooBig(news)));
    this.#intervals.push(setInterval(() => this.#collectUsage(), USAGE_MS));
    this.#intervals.push(setInterval(() => this.#refreshPathMtus(), PATH_MTU_MS));
    const recheckPeers = () => this.#attempt(() => this.#noticeAll(this.#router.recheckPeers()));
    this.#intervals.push(setInterval(recheckPeers, PEER_ROUTES_MS));
  }

  /** What the kernel refuses of its tables' upkeep is told; packets go on as they did. */
  #attempt(upkeep: () => void): void {
    try {
      upkeep();
    } catch (error) {
      this.#log.notice((error as Error).message);
    }
  }

  // ---- effects of the PF_KEY core

  #perform(effects: readonly Effect[]): void {
    for (const effect of effects) this.#performOne(effect);
    this.#scheduleTick();
  }

  #performOne(effect: Effect): void {
    this.#noteChange();
    switch (effect.kind) {
      case "send":
      case "dump":
        // An answer means "it is so": not before Workers and the kernel's tables have what was asked for.
        if (this.#commitScheduled) this.#unsaid.push(effect);
        else this.#say(effect);
        return;
      case "installSa":
        this.#destinations.set(effect.id, effect.sa.destination);
        return this.#order({
          order: "installSa",
          id: effect.id,
          sa: effect.sa,
          slot: this.#workers.rows.assign(effect.id),
          pathMtu: this.#pathMtus.of(effect.sa.destination),
        });
      case "updateSa":
        return this.#order({ order: "updateSa", id: effect.id, sa: effect.sa, state: effect.state });
      case "removeSa":
        this.#order({ order: "removeSa", id: effect.id });
        return this.#forgetSa(effect.id);
      case "link":
        return this.#order({ order: "link", inner: effect.inner, outer: effect.outer });
      case "addFlow":
        if (effect.replaced) this.#route(effect.replaced, false);
        this.#route(effect.flow, true);
        return this.#order({ order: "addFlow", flow: effect.flow });
      case "removeFlow":
        this.#route(effect.flow, false);
        return this.#order({ order: "removeFlow", flow: effect.flow });
      case "flush":
        for (const id of [...this.#destinations.keys()]) this.#forgetSa(id);
        this.#pending.routes.clear();
        this.#pending.filters.clear();
        this.#noticeAll([...this.#router.replaceAll([]), ...this.#filter.replaceAll([])]);
        return this.#order({ order: "flush" });
      case "sysctl":
        return this.#orderEnable();
      case "log":
        return effect.level === "notice" ? this.#log.notice(effect.text) : this.#log.debug(effect.text);
    }
  }

  #order(order: Order): void {
    this.#workers.order(order);
    this.#scheduleCommit();
  }

  #say(effect: Effect & { kind: "send" | "dump" }): void {
    if (effect.kind === "send") this.#server.send(effect.to, effect.message);
    else this.#server.dump(effect.to, effect.messages);
  }

  #forgetSa(id: number): void {
    this.#workers.rows.release(id);
    this.#destinations.delete(id);
  }

  #orderEnable(): void {
    const isOn = (name: string) => this.#engine.sysctl(name) === "1";
    this.#order({ order: "enable", esp: isOn("net.inet.esp.enable"), ah: isOn("net.inet.ah.enable") });
  }

  /** Outgoing flows need a route into the interface or around it; all need a place in the filter. */
  #route(flow: Flow, wanted: boolean): void {
    if (flow.selector.direction === "out") this.#pending.routes.set(flow, wanted);
    this.#pending.filters.set(flow, wanted);
    this.#scheduleCommit();
  }

  /** Changes to the kernel's tables are collected for one turn of the event loop. */
  #scheduleCommit(): void {
    if (this.#commitScheduled || this.#stopping) return;
    this.#commitScheduled = true;
    setTimeout(() => this.#commit(), 0);
  }

  #commit(patience = COMMIT_PATIENCE): void {
    // Workers let pass what no flow is about: they must have a flow before its route brings them packets.
    if (this.#workers.isBehind && !this.#stopping && patience > 0) {
      setTimeout(() => this.#commit(patience - 1), COMMIT_RETRY_MS);
      return;
    }
    this.#commitScheduled = false;
    if (this.#stopping) return;
    this.#attempt(() => {
      const routes = this.#pending.routes.take();
      const filters = this.#pending.filters.take();
      if (routes) this.#noticeAll(this.#router.update(routes));
      if (filters) this.#noticeAll(this.#filter.update(filters));
    });
    for (const effect of this.#unsaid.splice(0)) this.#say(effect);
  }

  /** Cleans up behind very many changes, when they have ended. */
  #noteChange(): void {
    if (++this.#changes < CHANGES_TO_COLLECT) return;
    clearTimeout(this.#collection);
    this.#collection = setTimeout(() => {
      this.#changes = 0;
      collectGarbage();
      returnFreeMemory();
    }, QUIET_MS);
  }

  #noticeAll(lines: readonly string[]): void {
    for (const line of lines) this.#log.notice(line);
  }

  #scheduleTick(): void {
    clearTimeout(this.#tick);
    const next = this.#engine.nextDeadline();
    if (next === Infinity || this.#stopping) return;
    // A timer's delay has 31 bits.
    const delayMs = Math.min(Math.max(0, next - monotonicEpoch()), 0x7fff_ffff);
    this.#tick = setTimeout(() => this.#perform(this.#engine.onTick(monotonicEpoch())), delayMs);
  }

  // ---- what Workers say

  #onReport(report: Report): void {
    switch (report.report) {
      case "ready":
        this.#fast = report.crypto === "libcrypto";
        return this.#log.debug(`a Worker moves packets with ${report.crypto}`);
      case "needsSa":
        return this.#perform(this.#engine.onPacketNeedsSa(report.flow, report.packet, monotonicEpoch()));
      case "ike":
        return this.#relay?.deliver({
          kind: "ike",
          local: { address: report.local, port: report.localPort },
          remote: { address: report.remote, port: report.remotePort },
          octets: report.octets,
        });
      case "moved":
        return this.#peerMoved(report.id, { address: report.address, port: report.port });
      case "spent":
        return this.#collectUsage();
      case "tooBig":
        return this.#refreshPathMtus();
      case "mtu":
        return this.#followMtu(report.largest);
      case "failed":
        this.#log.notice(`a packet Worker failed: ${report.text}`);
        return this.#broken.resolve("a packet Worker has failed");
      case "stopped":
        if (!this.#stopping) this.#broken.resolve("a packet Worker has ended");
    }
  }

  /**
   * A NAT gave the peer of an inbound SA another port: what goes to that peer must follow (RFC 3948 5). For another address
   * SAs must be negotiated, so key management is told.
   */
  #peerMoved(id: number, remote: RelayEndpoint): void {
    const moved = [...this.#engine.sas()].find((each) => each.id === id);
    if (!moved) return;
    const { address, port } = remote;
    const { source, destination, spi } = moved.sa;
    this.#relay?.deliver({
      kind: "moved",
      local: { address: destination, port: this.#options.udpPort },
      remote,
      octets: new Builder().u32(spi).finish(),
    });
    if (!equalAddress(source, address)) {
      return this.#log.notice(`peer ${formatAddress(source)} now sends from ${formatAddress(address)} port ${port}`);
    }
    this.#log.notice(`peer ${formatAddress(address)} now sends from UDP port ${port}`);
    this.#perform(this.#engine.movePeer(id, port));
  }

  /** The interface's MTU follows the SA with the largest overhead, so that few packets must be refused or cut. */
  #followMtu(largest: number): void {
    if (this.#options.mtu !== undefined) return;
    const mtu = Math.max(MIN_MTU, largest);
    // Inbound SAs end here, so their path is the loopback interface's and says nothing.
    if (mtu === this.#mtu || mtu > MAX_MTU) return;
    this.#mtu = mtu;
    this.#attempt(() => setMtu(this.#netlink, this.#link, mtu));
    this.#log.debug(`MTU of ${this.#link.name} is now ${mtu}`);
  }

  // ---- path MTU

  /** A router said that packets to a peer were too big. Anyone can say so: it must be a peer of ours (RFC 2401 6.1). */
  #heardTooBig({ destination, mtu }: TooBig): void {
    const isPeer = [...this.#destinations.values()].some((each) => equalAddress(each, destination));
    if (!isPeer || !this.#pathMtus.heard(destination, mtu)) return;
    this.#log.debug(`the path to ${formatAddress(destination)} takes packets of ${mtu} octets`);
    this.#refreshPathMtus();
  }

  #refreshPathMtus(): void {
    this.#pathMtus.keepOnly(this.#destinations.values());
    for (const [id, destination] of this.#destinations) {
      this.#workers.order({ order: "pathMtu", id, mtu: this.#pathMtus.of(destination) });
    }
  }

  // ---- counters

  #collectUsage(): void {
    const changed = this.#workers.rows.changes();
    if (changed.length) this.#perform(this.#engine.onUsage(changed, monotonicEpoch()));
  }

  #statistics(): Record<string, number> {
    const rows = [["esp", 50], ["ah", 51], ["ipip", 4], ["other", 0]] as const;
    const counters = rows.flatMap(([name, protocol]) =>
      Object.entries(this.#workers.statistics(protocol)).map(([counter, value]) => [`${name}.${counter}`, value])
    );
    return {
      ...Object.fromEntries(counters),
      "policy.cleartext": this.#filter.dropped(),
      "policy.heldBack": this.#filter.held(),
      "engine.process": Deno.pid,
      "engine.startSeconds": Math.floor(performance.timeOrigin / 1000),
      "engine.interfaceIndex": this.#link.index,
      "engine.libcrypto": Number(this.#fast),
    };
  }

  /**
   * Ends the engine: interface, routes, rules and sockets of ours are gone afterwards, and nothing else. Filters go too if
   * it is to `open` (the default); if not, cleartext that a flow forbids is held back further on.
   */
  async stop({ open = true }: { open?: boolean } = {}): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    if (open) this.#filter.close();
    clearTimeout(this.#tick);
    clearTimeout(this.#collection);
    for (const interval of this.#intervals) clearInterval(interval);
    this.#relay?.close();
    await this.#server?.close();
    await this.#workers.stop();
    this.#stack.dispose();
  }
}
