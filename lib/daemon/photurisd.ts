/**
 * The Photuris daemon: sockets, clock, files, FIFO and PF_KEY around the core (lib/photuris/endpoint.ts).
 *
 * @module
 */
import { lookup } from "node:dns/promises";
import type { StartupEntry } from "../config/photuris_startup.ts";
import { formatFault } from "../config/photuris_reader.ts";
import { parseStartup } from "../config/photuris_startup.ts";
import { type Address, equalAddress, formatAddress, formatPrefix, isAddress, parseAddress } from "../ip/address.ts";
import { PROTOCOL } from "../ipsec/types.ts";
import { Netlink } from "../linux/netlink.ts";
import { findRoute } from "../linux/rtnetlink.ts";
import { DEFAULT_MARK } from "../linux/sockets.ts";
import { UdpPorts } from "../linux/udp_ports.ts";
import { PfkeyError } from "../pfkey/numbers.ts";
import type { Options } from "../photuris/choose.ts";
import type { Effect } from "../photuris/effects.ts";
import { Photuris } from "../photuris/endpoint.ts";
import { modulusBits } from "../photuris/schemes.ts";
import type { StartRequest } from "../photuris/settings.ts";
import { Alarm, monotonicMs, randomOctets } from "./clock.ts";
import { ComputePool } from "./compute_pool.ts";
import { localAddresses } from "./local_addresses.ts";
import type { LogSink } from "./log.ts";
import { EngineUnreachableError, PfkeyClient } from "./pfkey_client.ts";
import { type Acquire, flowsFor, PhoturisEngine, readAcquire, readExpire } from "./photurisd_engine.ts";
import { type Configuration, ConfigurationError, readConfiguration, settingsFrom } from "./photurisd_files.ts";
import { answer, openPipe, type Pipe } from "./photurisd_pipe.ts";

export interface PhoturisdOptions {
  readonly directory: string;
  readonly port: number;
  /** Test the moduli of photuris.conf at the start. */
  readonly checkModuli: boolean;
  /** Begin the exchanges of photuris.startup. */
  readonly startup: boolean;
  readonly log: LogSink;
  /** Whether debug lines are wanted. */
  readonly isVerbose: boolean;
}

/** Who waits for an outcome. */
interface Ticket {
  /** startkey's socket. */
  readonly answer?: string;
  readonly acquire?: Acquire;
}

const ADDRESSES_MS = 10_000;
const RECONNECT_MS = 2_000;
/** An engine that takes longer for an answer counts as gone. */
const ANSWER_MS = 10_000;

/** Runs until it is stopped. */
export class Photurisd {
  readonly #options: PhoturisdOptions;
  #configuration: Configuration;
  readonly #pool = new ComputePool();
  readonly #netlink = new Netlink();
  readonly #alarm = new Alarm(() => this.#later((core) => core.tick(monotonicMs())));
  readonly #ports: UdpPorts;
  #core!: Photuris;
  #engine!: PhoturisEngine;
  #pipe: Pipe | undefined;
  /** What is wanted of which peer: entries of photuris.startup, then requests of startkey. */
  #wanted: StartRequest[] = [];
  /** SPIs whose SAs the engine refused, until their exchange's outcome has been told. */
  readonly #refused = new Map<string, string>();
  /** What went with an engine that has gone, until there is one again. */
  #lost: Photuris["inventory"] = { spis: [], requests: [] };
  #chain: Promise<void> = Promise.resolve();
  #busy = 0;
  #addressTimer: ReturnType<typeof setInterval> | undefined;
  #stopping = false;

  private constructor(options: PhoturisdOptions, configuration: Configuration) {
    this.#options = options;
    this.#configuration = configuration;
    this.#ports = new UdpPorts(({ local, localPort, remote, remotePort, octets }) =>
      this.#later((core) =>
        core.receive(
          monotonicMs(),
          { address: remote, port: remotePort },
          { address: local, port: localPort },
          octets,
        )
      )
    );
  }

  /**
   * Reads the files, reaches the engine, opens sockets and FIFO, begins what photuris.startup asks for.
   *
   * @throws {ConfigurationError} with every fault of every file
   * @throws {EngineUnreachableError} {SystemError} {PipeError} in one line
   */
  static async start(options: PhoturisdOptions): Promise<Photurisd> {
    const configuration = readConfiguration(options.directory);
    const daemon = new Photurisd(options, configuration);
    daemon.#core = new Photuris(daemon.#settings(), monotonicMs(), randomOctets);
    try {
      for (const warning of configuration.warnings) options.log.write("warning", warning);
      if (options.checkModuli) await daemon.#checkModuli();
      await daemon.#connect();
      daemon.#bind(true);
      daemon.#addressTimer = setInterval(() => daemon.#bind(false), ADDRESSES_MS);
      daemon.#pipe = openPipe(options.directory, (text) => daemon.#request(text));
      await daemon.#begin();
      return daemon;
    } catch (error) {
      await daemon.stop();
      throw error;
    }
  }

  #log(severity: "error" | "warning" | "notice" | "debug", text: string): void {
    if (severity !== "debug" || this.#options.isVerbose) this.#options.log.write(severity, text);
  }

  #checkModuli(): Promise<unknown> {
    const file = `${this.#options.directory}/photuris.conf`;
    return Promise.all(this.#configuration.conf.moduli.map((group) =>
      new Promise<void>((resolve, reject) => {
        this.#pool.run<"isSafePrime">({ op: "isSafePrime", candidate: group.modulus }, (isSafe, error) => {
          if (isSafe) return resolve();
          const words = error ?? `the modulus of ${modulusBits(group)} bits is no safe prime`;
          reject(new ConfigurationError(`${file}:${group.line}: ${words}`));
        });
      })
    ));
  }

  // ---- the engine

  async #connect(): Promise<void> {
    const pfkey = await PfkeyClient.connect();
    pfkey.answerLimitMs = ANSWER_MS;
    this.#engine = new PhoturisEngine(pfkey, this.#options.port, this.#configuration.conf.spiBytes, this.#engine);
    await this.#engine.register();
    pfkey.onMessage((message) => {
      if (!message) return void this.#reconnect(pfkey.failure);
      const acquire = readAcquire(message);
      if (acquire) this.#acquire(acquire);
      const expire = readExpire(message, (address) => this.#isOwn(address));
      if (!expire) return;
      this.#later((core) => expire.isGone ? core.expired(monotonicMs(), expire) : core.expiring(monotonicMs(), expire));
    });
  }

  /**
   * The engine has ended, or does not answer any more. When there is one again it gets our flows back, and everything that
   * had keys gets new ones: what was asked for here, and what peers had asked for.
   */
  async #reconnect(reason: Error | undefined): Promise<void> {
    if (this.#stopping) return;
    this.#log("warning", `${reason?.message ?? "the IPsec engine has gone"}; waiting for it`);
    const { spis, requests } = this.#core.inventory;
    this.#lost.spis.push(...spis);
    this.#lost.requests.push(...requests);
    while (!this.#stopping) {
      const given = this.#core.abandon(monotonicMs(), "Given up: the IPsec engine has gone");
      this.#enqueue(() => this.#performAll(given));
      await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
      if (this.#stopping) return;
      try {
        await this.#connect();
        break;
      } catch (error) {
        if (!(error instanceof EngineUnreachableError)) throw error;
      }
    }
    try {
      await this.#restore();
    } catch (error) {
      if (error instanceof PfkeyError) this.#log("error", `The engine refuses what it had before: ${error.message}`);
      else if (!(error instanceof EngineUnreachableError)) throw error; // gone again, and this begins again
    }
  }

  async #restore(): Promise<void> {
    this.#log("notice", "The IPsec engine is back");
    const { spis, requests } = this.#lost;
    await this.#engine.restoreFlows();
    // An engine that was only slow has them still.
    for (const spi of spis) await this.#engine.remove(spi);
    this.#lost = { spis: [], requests: [] };
    const ofFile = await this.#begin();
    const wishes = this.#wanted.filter((wish) => !ofFile.has(wishKey(wish)));
    const started = this.#options.startup ? this.#wanted : wishes;
    const isStarted = ({ peer }: StartRequest) => started.some((wish) => equalAddress(wish.peer.address, peer.address));
    for (const request of [...wishes, ...requests.filter((request) => !isStarted(request))]) {
      this.#later((core) => core.start(monotonicMs(), request));
    }
  }

  #acquire(acquire: Acquire): void {
    const { peer, protocol } = acquire;
    const local = acquire.local && this.#isOwn(acquire.local) ? acquire.local : this.#localFor(peer);
    const fail = () => this.#engine.pfkey.acquireFailed(protocol === "esp" ? "ESP" : "AH", acquire.seq);
    if (!local) return fail();
    const port = this.#options.port;
    const endpoint = { address: peer, port };
    if (this.#core.isBusyWith(endpoint)) return;
    const known = this.#requestFor(peer);
    const options = known?.options ?? { encryption: protocol === "esp", authentication: protocol === "ah" };
    const ticket: Ticket = { acquire };
    const request = { peer: endpoint, local: { address: local, port }, ...known, options, isForFlow: true, ticket };
    this.#log("notice", `Keys for ${formatAddress(peer)} are needed`);
    this.#later((core) => core.start(monotonicMs(), request));
  }

  // ---- effects

  /** Runs the core and performs what it asks; at once unless something before it is still being performed. */
  #later(work: (core: Photuris) => Effect[]): void {
    if (this.#stopping) return;
    const effects = work(this.#core);
    this.#alarm.set(this.#core.nextAt);
    if (!effects.length) return;
    if (this.#busy === 0 && effects.every(isImmediate)) {
      for (const effect of effects) this.#performNow(effect);
    } else this.#enqueue(() => this.#performAll(effects));
  }

  #enqueue(work: () => Promise<void>): Promise<void> {
    this.#busy++;
    this.#chain = this.#chain.then(work).catch((error) => {
      if (!(error instanceof EngineUnreachableError)) throw error;
    }).finally(() => this.#busy--);
    return this.#chain;
  }

  async #performAll(effects: readonly Effect[]): Promise<void> {
    for (const effect of effects) {
      if (isImmediate(effect)) this.#performNow(effect);
      else await this.#perform(effect);
    }
  }

  #performNow(effect: Effect): void {
    switch (effect.do) {
      case "send": {
        const { from, to, datagram } = effect;
        const failure = this.#ports.send(from.address, from.port, to.address, to.port, datagram);
        if (failure) this.#log("debug", `Cannot send to ${formatAddress(to.address)}: ${failure}`);
        return;
      }
      case "compute":
        return this.#compute(effect);
      case "log":
        return this.#log(effect.level, effect.text);
    }
  }

  #compute({ token, job }: Extract<Effect, { do: "compute" }>): void {
    // Always as an event of its own: the core must have its effects performed first.
    const done = (value: Uint8Array | boolean | undefined, error: string | undefined) => {
      if (value === undefined) this.#log("warning", `Cannot compute: ${error}`);
      queueMicrotask(() => this.#later((core) => core.computed(monotonicMs(), token, value)));
    };
    if (job.kind === "safePrime") this.#pool.run<"isSafePrime">({ op: "isSafePrime", candidate: job.candidate }, done);
    else {
      const { base, modulus } = job;
      this.#pool.run<"power">({ op: "power", base, exponent: job.exponent.slice(), modulus }, done);
    }
  }

  async #perform(effect: Effect): Promise<void> {
    switch (effect.do) {
      case "reserve": {
        const { token, peer, local, protocols } = effect;
        let spi: number | undefined;
        let reason: string | undefined;
        try {
          spi = await this.#engine.reserve(peer, local, protocols);
        } catch (error) {
          reason = this.#engineWords(error, protocols);
        }
        return queueMicrotask(() => this.#later((core) => core.reserved(monotonicMs(), token, spi, reason)));
      }
      case "install":
        return await this.#install(effect);
      case "remove":
        try {
          await this.#engine.remove(effect);
          if (!this.#core.hasSpis(effect.local, effect.peer)) await this.#engine.removeFlows(effect.peer);
        } catch (error) {
          if (!(error instanceof EngineUnreachableError)) throw error; // gone, and the SPI with it
        }
        return;
      case "outcome":
        return this.#outcome(effect);
    }
  }

  /** What the engine answered, or that it did not. @throws any other error */
  #engineWords(error: unknown, protocols: readonly string[]): string {
    if (error instanceof EngineUnreachableError) return error.message;
    if (!(error instanceof PfkeyError)) throw error;
    if (error.errno !== "EOPNOTSUPP") return error.message;
    const knobs = protocols.map((protocol) => `net.inet.${protocol}.enable=1`).join(" ");
    return `${error.message}; "ipsecbox sysctl ${knobs}" switches it on`;
  }

  async #install(effect: Extract<Effect, { do: "install" }>): Promise<void> {
    const { role, peer, local, protocols } = effect;
    try {
      await this.#engine.install(effect);
      if (!effect.isFirst || effect.request?.isForFlow) return; // the flows are there
      const inner = protocols[0] === "esp" ? PROTOCOL.ESP : PROTOCOL.AH;
      const { request: wish } = effect;
      const alike = this.#wanted.filter((other) =>
        wish && wishKey({ ...other, tunnel: wish.tunnel }) === wishKey(wish)
      );
      for (const request of alike.length ? alike : [wish]) {
        const flows = flowsFor(peer, local, request, { in: inner, out: inner }, this.#options.port);
        const direction = role === "owner" ? "in" : "out";
        await this.#engine.addFlows(flows.filter(({ selector }) => selector.direction === direction));
      }
    } catch (error) {
      const text = `The engine refuses an SA for ${formatAddress(peer)}: ${this.#engineWords(error, protocols)}`;
      this.#refused.set(formatAddress(peer), text);
      this.#log("error", text);
    }
  }

  #outcome({ request, established, text }: Extract<Effect, { do: "outcome" }>): void {
    const ticket = request.ticket as Ticket | undefined;
    const peer = formatAddress(request.peer.address);
    const refused = this.#refused.get(peer);
    this.#refused.delete(peer);
    if (ticket?.acquire && (!established || refused)) {
      const { protocol, seq } = ticket.acquire;
      this.#engine.pfkey.acquireFailed(protocol === "esp" ? "ESP" : "AH", seq);
    }
    if (!ticket?.answer) return;
    answer(this.#options.directory, ticket.answer, established && !refused, refused ?? text)
      .catch((error) => this.#log("warning", `Cannot answer startkey: ${error.message}`));
  }

  // ---- requests

  #isOwn(address: Address): boolean {
    return localAddresses().some((local) => equalAddress(local.address, address));
  }

  /** The address that the kernel would send from. */
  #localFor(peer: Address): Address | undefined {
    return findRoute(this.#netlink, peer, { mark: DEFAULT_MARK })?.source;
  }

  /** What was asked of a peer: the latest wish with the same options, else the latest. */
  #requestFor(peer: Address, chosen?: Options): StartRequest | undefined {
    const wishes = this.#wanted.filter((request) => equalAddress(request.peer.address, peer));
    const isAlike = ({ options }: StartRequest) =>
      options?.encryption === chosen?.encryption && options?.authentication === chosen?.authentication;
    return wishes.findLast(isAlike) ?? wishes.at(-1);
  }

  #settings() {
    return settingsFrom(this.#configuration, {
      requestFor: ({ address }, _local, chosen) => this.#requestFor(address, chosen),
      isWanted: (request) =>
        request.isForFlow === true || this.#wanted.some((wish) => wishKey(wish) === wishKey(request)),
    });
  }

  /** An entry with its names resolved; a sentence when it cannot be done. */
  async #resolve(entry: StartupEntry, ticket?: Ticket): Promise<StartRequest | string> {
    let peer: Address;
    try {
      peer = parseAddress(isAddress(entry.dst) ? entry.dst : (await lookup(entry.dst)).address);
    } catch (error) {
      return `Cannot find the address of "${entry.dst}": ${(error as Error).message}`;
    }
    const text = formatAddress(peer);
    if (this.#isOwn(peer)) return `${text} is an address of this host`;
    const local = this.#localFor(peer);
    if (!local) return `There is no route to ${text}`;
    const { options, tunnel, exchangeLifetime, spiLifetime, user } = entry;
    const port = this.#options.port;
    return {
      peer: { address: peer, port: entry.port ?? port },
      local: { address: local, port },
      options,
      tunnel,
      exchangeLifetime,
      spiLifetime,
      user,
      ticket,
    };
  }

  /** A request of startkey. */
  async #request(text: string): Promise<void> {
    const { entries, faults } = parseStartup(text, "request");
    for (const fault of faults) this.#log("warning", formatFault(fault));
    const [entry] = entries;
    const name = entry?.answer ?? /\banswer=(\S+)/.exec(text)?.[1];
    const refuse = (words: string) => {
      this.#log("warning", `Request refused: ${words}`);
      if (name) answer(this.#options.directory, name, false, words).catch(() => {});
    };
    const fault = faults.find(({ severity }) => severity === "error");
    if (fault || !entry) return refuse(fault?.message ?? "it is empty");
    const request = await this.#resolve(entry, { answer: name });
    if (typeof request === "string") return refuse(request);
    this.#remember(request);
    this.#later((core) => core.start(monotonicMs(), request));
  }

  /** Keeps a request as what is wanted of its peer; one for the same packets replaces the one before. */
  #remember(request: StartRequest): void {
    const packets = (wish: StartRequest) => wishKey({ ...wish, options: undefined });
    this.#wanted = this.#wanted.filter((other) => packets(other) !== packets(request));
    this.#wanted.push({ ...request, ticket: undefined });
  }

  /** The entries of photuris.startup become wishes; with `-i` they wait until the peer begins. Returns their keys. */
  async #begin(): Promise<Set<string>> {
    const keys = new Set<string>();
    for (const entry of this.#configuration.startup) {
      const request = await this.#resolve(entry);
      if (typeof request === "string") {
        this.#log("warning", `${this.#options.directory}/photuris.startup:${entry.line}: ${request}`);
        continue;
      }
      this.#remember(request);
      keys.add(wishKey(request));
      if (this.#options.startup) this.#later((core) => core.start(monotonicMs(), request));
    }
    return keys;
  }

  // ---- addresses, signals

  /** One socket for each own address; addresses come and go. @throws {SystemError} when the port is taken */
  #bind(isStart: boolean): void {
    const { port } = this.#options;
    const own = localAddresses().map(({ address }) => address);
    for (const address of this.#ports.addresses(port)) {
      if (!own.some((other) => equalAddress(address, other))) this.#ports.release(address, port);
    }
    for (const address of own) {
      try {
        this.#ports.bind(address, port);
      } catch (error) {
        if (isStart && address.family === 4) throw error;
        this.#log("debug", `Cannot listen on ${formatAddress(address)}: ${(error as Error).message}`);
      }
    }
  }

  /** SIGHUP: reads all files anew and forgets all exchanges; with faults in them everything stays as it is. */
  reconfigure(): void {
    try {
      this.#configuration = readConfiguration(this.#options.directory);
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      for (const line of error.message.split("\n")) this.#log("error", line);
      return this.#log("error", "The configuration stays as it was");
    }
    for (const warning of this.#configuration.warnings) this.#log("warning", warning);
    this.#engine.spiBytes = this.#configuration.conf.spiBytes;
    this.#log("notice", "The configuration has been read anew");
    this.#later((core) => core.reconfigure(monotonicMs(), this.#settings()));
  }

  /** Ends: peers are told, SAs and flows of ours are gone afterwards. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    if (this.#engine) {
      const last = this.#core.close(monotonicMs());
      this.#stopping = true;
      await this.#enqueue(async () => {
        await this.#performAll(last);
        await this.#engine.removeFlows("all");
      });
      this.#engine.pfkey.close();
    }
    this.#stopping = true;
    clearInterval(this.#addressTimer);
    this.#alarm.set(undefined);
    this.#pipe?.close();
    this.#ports[Symbol.dispose]();
    this.#pool[Symbol.dispose]();
    this.#netlink[Symbol.dispose]();
  }
}

const isImmediate = ({ do: what }: Effect) => what === "send" || what === "compute" || what === "log";

/** What tells one wish from another: the peer, the packets, and what they shall get. */
function wishKey({ peer, tunnel, options }: StartRequest): string {
  const packets = tunnel ? `${formatPrefix(tunnel.source)} ${formatPrefix(tunnel.destination)}` : "";
  return [formatAddress(peer.address), packets, options?.encryption, options?.authentication].join();
}
