/**
 * isakmpd: files, sockets, clock, engine, FIFO and signals around the IKE core (lib/ike/ike.ts).
 *
 * @module
 */
import { dirname } from "node:path";
import { formatFault } from "../config/ini.ts";
import type { Effect, Environment, PolicyQuery, SaName } from "../ike/events.ts";
import { Ike } from "../ike/ike.ts";
import { type Address, formatAddress } from "../ip/address.ts";
import { Netlink } from "../linux/netlink.ts";
import { findRoute } from "../linux/rtnetlink.ts";
import { DEFAULT_MARK } from "../linux/sockets.ts";
import type { Bytes } from "../octets/bytes.ts";
import { formatHex } from "../octets/hex.ts";
import { didYouMean } from "../octets/nearest.ts";
import { CertificateDirectories, nameText } from "./certificates.ts";
import { Admission } from "./admission.ts";
import { Alarm, monotonicMs, randomOctets, seededRandom } from "./clock.ts";
import { ComputePool } from "./compute_pool.ts";
import { type CommandSource, openFifo, stdinSource } from "./fifo.ts";
import { parseFifoCommand } from "./fifo_commands.ts";
import { IkeTransport } from "./ike_transport.ts";
import { Credentials } from "./isakmpd_credentials.ts";
import { type Files, FilesError, readFiles } from "./isakmpd_files.ts";
import { EffectPerformer } from "./isakmpd_effects.ts";
import { StandingFlows } from "./isakmpd_flows.ts";
import { Kernel } from "./isakmpd_kernel.ts";
import { authorize } from "./isakmpd_policy.ts";
import { Records } from "./isakmpd_records.ts";
import { formatReport, formatSas, treeText } from "./isakmpd_report.ts";
import { coreConfiguration, type IsakmpdOptions, resultFileOf } from "./isakmpd_options.ts";
import { IsakmpdUi } from "./isakmpd_ui.ts";
import { certificateWarnings } from "./isakmpd_warnings.ts";
import { chooseAddresses, localAddresses } from "./local_addresses.ts";
import type { Log } from "./log.ts";
import { PrivateFileError, replacePrivateFile } from "./private_file.ts";

/** No socket could be opened, and the like: one line each. */
export class StartError extends Error {
  override name = "StartError";
}

/** Where the engine takes and sends ESP in UDP. */
const ENGINE_NAT_PORT = 4500;

/** Runs until it is stopped. */
export class Isakmpd {
  readonly #ended = Promise.withResolvers<number>();
  /** The exit status. */
  readonly ended: Promise<number> = this.#ended.promise;
  readonly #random: (octets: number) => Bytes;
  readonly #pool = new ComputePool();
  readonly #netlink = new Netlink();
  readonly #alarm = new Alarm(() => this.#do((ike, now) => ike.onTimer(now)));
  readonly #kernel: Kernel | undefined;
  readonly #transport: IkeTransport;
  readonly #ike: Ike;
  readonly #admission = new Admission();
  readonly #records: Records;
  readonly #performer: EffectPerformer;
  #certificates: CertificateDirectories;
  #credentials: Credentials;
  #commands: CommandSource | undefined;
  #ui: IsakmpdUi | undefined;
  #rescan: ReturnType<typeof setInterval> | undefined;
  readonly #standing: StandingFlows;
  #stopping = false;

  private constructor(readonly options: IsakmpdOptions, readonly log: Log, private files: Files) {
    this.#random = options.seed === undefined ? randomOctets : seededRandom(options.seed);
    this.#records = new Records(log);
    this.#certificates = new CertificateDirectories(files.conf.settings);
    this.#credentials = new Credentials(files.conf.settings, this.#pool, this.#certificates);
    if (options.kernel) {
      this.#kernel = new Kernel(log, {
        acquire: (request) => this.#ask((ike, now) => ike.acquire(now, request), "cannot negotiate for a packet"),
        expire: (sa, hard) => this.#expire(sa, hard ? "hard" : "soft"),
        restarted: (lost) => {
          for (const sa of lost) this.#expire(sa, "hard");
        },
      }, options.flows);
    }
    this.#transport = new IkeTransport({
      log,
      ports: options.ports,
      natPort: !options.natTraversal ? undefined : options.kernel ? "relay" : "own",
      receive: (local, remote, octets) => {
        if (!this.#admission.admits(monotonicMs(), remote.address, octets)) return;
        this.#do((ike, now) => ike.onDatagram(now, remote, local, octets));
      },
      moved: (local, remote, spi) => this.#do((ike, now) => ike.onMoved(now, spi, local, remote)),
    });
    this.#ike = new Ike(coreConfiguration(files), this.#environment());
    const { configuration } = files.conf;
    this.#admission.name(configuration.peersByAddress.map(({ address }) => address));
    const isUp = (name: string) => this.#ike.isUp(name);
    this.#standing = new StandingFlows(this.#kernel, (peer) => this.#localFor(peer), isUp, configuration);
    this.#performer = new EffectPerformer({
      log,
      transport: this.#transport,
      kernel: this.#kernel,
      pool: this.#pool,
      standing: this.#standing,
      records: this.#records,
      random: this.#random,
      seeded: options.seed !== undefined,
      credentials: () => this.#credentials,
      verbose: () => options.verbose || this.files.conf.settings.logVerbose,
      ike: () => this.#ike,
      input: (give) => this.#do(give),
    });
  }

  /**
   * Reads the files, reaches the engine, opens FIFO and sockets, begins.
   *
   * @throws {FilesError} with every fault {PrivateFileError} {FifoError} {EngineUnreachableError} {StartError} {SystemError}
   */
  static async start(options: IsakmpdOptions, log: Log): Promise<Isakmpd> {
    const files = readFiles({ ...options });
    const daemon = new Isakmpd(options, log, files);
    try {
      daemon.#tellFaults(files);
      for (const warning of certificateWarnings(files, daemon.#certificates)) log.warn(warning);
      if (options.kernel && options.natTraversal && options.ports.nat !== ENGINE_NAT_PORT) {
        log.warn(`-N ${options.ports.nat}: the engine encapsulates on UDP port ${ENGINE_NAT_PORT}`);
      }
      if (options.seed !== undefined) log.warn("-r: every key of this daemon can be predicted by who knows the seed");
      await daemon.#kernel?.start();
      const failures = daemon.#listen();
      if (failures.length) throw new StartError(failures.join("\n"));
      if (options.packetLog) daemon.startCapture(options.packetLog);
      if (options.wireshark) daemon.#records.startSecrets(options.wireshark);
      daemon.#commands = options.fifo === "-" ? stdinSource() : openFifo(options.fifo);
      Deno.writeTextFileSync(options.pidFile, `${Deno.pid}\n`, { mode: 0o644 });
      daemon.#begin();
      return daemon;
    } catch (error) {
      daemon.#release();
      throw error;
    }
  }

  #environment(): Environment {
    const { log, options } = this;
    const policyNow = () => this.files.policy;
    const capture = () => this.#records.wanted;
    return {
      random: (octets) => this.#random(octets),
      // Without a policy there is nobody to ask: what the configuration does not name is refused.
      get authorize() {
        const policy = policyNow();
        return policy && ((query: PolicyQuery) => authorize(policy, query));
      },
      certificateAuthorities: () => this.#certificates.authorities(),
      nameText,
      localAddressFor: (remote) => this.#localFor(remote),
      hasOtherSas: (remote) => this.#kernel?.hadSasWith(remote) ?? false,
      wallClock: () => new Date(),
      wantsLog: (name, level) => log.enabled(name, level),
      get capture() {
        return capture();
      },
      ports: options.ports,
    };
  }

  #begin(): void {
    const ui = this.#ui = new IsakmpdUi(this, dirname(this.options.reportFile));
    this.#commands!.run((line) => {
      try {
        const command = parseFifoCommand(line);
        if (!command) return;
        this.log.debug("UI", 60, () => `command "${line}"`);
        ui.execute(command);
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
        this.log.warn(`command not understood: ${error.message}`);
      }
    });
    Deno.addSignalListener("SIGHUP", this.#onHup);
    Deno.addSignalListener("SIGUSR1", this.#onUsr1);
    Deno.addSignalListener("SIGTERM", this.#onTerm);
    Deno.addSignalListener("SIGINT", this.#onTerm);
    const { checkIntervalSeconds } = this.files.conf.configuration;
    this.#rescan = setInterval(() => this.#listen(), 1000 * checkIntervalSeconds);
    this.#applyLevels();
    this.#standing.update(this.files.conf.configuration);
    this.#do((ike, now) => ike.start(now, this.options.passive));
    this.log.notice(`listening on ${this.#transport.addresses().map(formatAddress).join(", ")}`);
  }

  readonly #onHup = () => this.reload();
  readonly #onUsr1 = () => this.writeReport();
  readonly #onTerm = () => void this.stop();

  // ---- files -----------------------------------------------------------------------------------------------------

  #tellFaults({ conf, policy }: Files): void {
    for (const fault of conf.faults) this.log.warn(formatFault(fault));
    for (const problem of policy?.problems ?? []) {
      this.log.warn(`${problem.name}:${problem.line}:${problem.column}: assertion left out: ${problem.message}`);
    }
  }

  #applyLevels(): void {
    for (const { name, level } of this.files.conf.settings.logLevels) this.log.setLevel(name, level);
  }

  /** The configuration that FIFO commands edit and report. */
  get tree(): Files["tree"] {
    return this.files.tree;
  }

  /** SIGHUP: the files again, the interfaces again. With a fault in the files the old ones stay. */
  reload(): void {
    this.log.notice("reading the configuration again");
    try {
      const files = readFiles({ ...this.options });
      this.#tellFaults(files);
      this.#ui?.discard();
      this.apply(files, true);
    } catch (error) {
      if (!(error instanceof FilesError || error instanceof PrivateFileError)) throw error;
      for (const line of error.message.split("\n")) this.log.error(line);
      this.log.error("the configuration in use stays");
      return;
    }
    for (const failure of this.#listen()) this.log.error(failure);
    if (this.files.conf.settings.renegotiateOnHup) this.#do((ike, now) => ike.renegotiate(now));
  }

  /**
   * Uses another configuration from now on. SAs of what it has as before stay. `restart`: also what was torn down by hand
   * comes up again.
   */
  apply(files: Files, restart = false): void {
    this.files = files;
    this.#certificates = new CertificateDirectories(files.conf.settings);
    this.#credentials = new Credentials(files.conf.settings, this.#pool, this.#certificates);
    for (const warning of certificateWarnings(files, this.#certificates)) this.log.warn(warning);
    this.#applyLevels();
    this.#admission.name(files.conf.configuration.peersByAddress.map(({ address }) => address));
    this.#do((ike, now) => ike.reconfigure(now, coreConfiguration(files), restart));
    this.#standing.update(this.files.conf.configuration, restart);
  }

  get current(): Files {
    return this.files;
  }

  // ---- sockets ---------------------------------------------------------------------------------------------------

  /** Opens and closes sockets as addresses come and go. */
  #listen(): string[] {
    const { listenOn } = this.files.conf.settings;
    const { chosen, unmatched } = chooseAddresses(localAddresses(), listenOn, this.options.families);
    for (const element of unmatched) this.log.debug("Transport", 20, `Listen-on: this host does not have ${element}`);
    const failures = this.#transport.listen(chosen);
    if (chosen.length === 0) failures.push(`no address to listen on: Listen-on is ${listenOn?.join(", ") ?? "absent"}`);
    return failures;
  }

  #localFor(remote: Address): Address | undefined {
    const ours = this.#transport.addresses().filter(({ family }) => family === remote.family);
    const source = findRoute(this.#netlink, remote, { mark: DEFAULT_MARK })?.source;
    const known = source && ours.find((address) => formatAddress(address) === formatAddress(source));
    return known ?? (ours.length === 1 ? ours[0] : source);
  }

  // ---- the core --------------------------------------------------------------------------------------------------

  /** Gives the core an input and performs what comes of it. */
  #do(input: (ike: Ike, now: number) => readonly Effect[]): void {
    if (this.#stopping) return;
    this.#performer.perform(input(this.#ike, monotonicMs()));
    this.#alarm.set(this.#ike.deadline());
  }

  /** The same for inputs that may be refused; that is logged. */
  #ask(input: (ike: Ike, now: number) => { effects: readonly Effect[]; refused?: string }, what: string): void {
    this.#do((ike, now) => {
      const { effects, refused } = input(ike, now);
      if (refused) this.log.warn(`${what}: ${refused}`);
      return effects;
    });
  }

  #expire({ protocol, spi, destination }: SaName, hardness: "soft" | "hard"): void {
    this.#do((ike, now) => ike.onExpire(now, hardness, protocol, spi, destination));
  }

  // ---- what the FIFO and signals ask for -------------------------------------------------------------------------

  connect(name: string): void {
    const { configuration, faults } = this.files.conf;
    if (!configuration.connections.some((connection) => connection.name === name)) {
      const names = configuration.connections.map((connection) => connection.name);
      this.log.error(`cannot bring up "${name}": there is no such connection${didYouMean(name, names)}`);
      for (const fault of faults.filter(({ severity }) => severity === "error")) this.log.error(formatFault(fault));
      return;
    }
    this.#standing.restore(name);
    this.#ask((ike, now) => {
      const done = ike.connect(now, name);
      if (done.renews) this.log.notice(`connection ${name} is up; its SAs are negotiated anew`);
      return done;
    }, `cannot bring up "${name}"`);
  }

  teardown(phase: 1 | 2, name: string): void {
    const what = `cannot tear down "${name}"`;
    if (phase === 2) this.#ike.connectionsNamed(name).forEach((each) => this.#standing.drop(each));
    this.#ask((ike, now) => phase === 1 ? ike.teardownPhase1(now, name) : ike.teardown(now, name), what);
  }

  teardownAll(): void {
    this.#do((ike, now) => ike.teardownPairs(now));
  }

  deleteSa(cookies: Bytes, messageId: number | undefined): void {
    this.#ask((ike, now) => {
      const { effects, found } = ike.deleteSa(now, cookies, messageId);
      return { effects, refused: found ? undefined : "there is none" };
    }, `cannot delete SA ${formatHex(cookies)}`);
  }

  setActive(active: boolean): void {
    this.#do((ike, now) => ike.setPassive(now, !active));
  }

  /** @throws when the file cannot be written */
  startCapture(path: string): void {
    this.#records.startPackets(path);
  }

  stopCapture(): void {
    this.#records.stopPackets();
  }

  /** All SAs in isakmpd's format. */
  sas(): string {
    return formatSas(this.#ike.phase1Status(), this.#ike.pairStatus(), monotonicMs());
  }

  /** The whole state. */
  report(): string {
    const now = monotonicMs();
    const pairs = this.#ike.pairStatus();
    const { natPortOpen } = this.#transport;
    const deadline = this.#ike.deadline();
    return formatReport({
      phase1: this.#ike.phase1Status(),
      pairs,
      exchanges: this.#ike.exchangeStatus(),
      transports: [
        ...this.#transport.addresses().map((address) => `udp ${formatAddress(address)} port ${this.options.ports.ike}`),
        `NAT port ${this.options.ports.nat}: ${natPortOpen ? "open" : "closed"}`,
        `engine: ${this.#kernel ? this.#kernel.connected ? "connected" : "gone" : "not used"}`,
      ],
      counters: { ...this.#ike.counters, "first messages refused under load": this.#admission.refused },
      connections: this.files.conf.configuration.connections.map(({ name, active, passive }) => ({
        name,
        state: `${this.#ike.isUp(name) ? "up" : "down"}, ${active ? "kept up" : passive ? "passive" : "on demand"}`,
      })),
      timerInMs: deadline === undefined ? undefined : deadline - now,
      configuration: treeText(this.tree),
      now,
    });
  }

  writeReport(): void {
    this.#writeFile(this.options.reportFile, this.report());
  }

  /** Writes a file of ours, mode 0600, replacing what is there. */
  writeResult(text: string): void {
    this.#writeFile(resultFileOf(this.options), text);
  }

  #writeFile(path: string, text: string): void {
    try {
      replacePrivateFile(path, text);
    } catch (error) {
      this.log.error(`cannot write ${path}: ${(error as Error).message}`);
    }
  }

  // ---- the end ---------------------------------------------------------------------------------------------------

  /** Sends DELETE for all SAs, removes them and what was installed for them, ends. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.log.notice("ending");
    const { deleteSas } = this.files.conf.settings;
    if (deleteSas && !this.options.passive) {
      this.#do((ike, now) => ike.shutdown(now));
      for (const flow of this.#kernel?.flows() ?? []) this.#kernel!.removeFlow(flow);
    }
    this.#stopping = true;
    await this.#kernel?.close();
    this.#release();
    this.#ended.resolve(0);
  }

  #release(): void {
    this.#stopping = true;
    this.#alarm.set(undefined);
    if (this.#rescan !== undefined) clearInterval(this.#rescan);
    for (
      const [signal, listener] of [["SIGHUP", this.#onHup], ["SIGUSR1", this.#onUsr1], ["SIGTERM", this.#onTerm], [
        "SIGINT",
        this.#onTerm,
      ]] as const
    ) {
      Deno.removeSignalListener(signal, listener);
    }
    this.#commands?.close();
    this.#transport[Symbol.dispose]();
    this.#kernel?.[Symbol.dispose]();
    this.#pool[Symbol.dispose]();
    this.#netlink[Symbol.dispose]();
    this.#records[Symbol.dispose]();
    try {
      if (Deno.readTextFileSync(this.options.pidFile).trim() === String(Deno.pid)) {
        Deno.truncateSync(this.options.pidFile);
        Deno.removeSync(this.options.pidFile);
      }
    } catch (error) {
      // In a directory that is not ours an empty file stays.
      const expected = error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied;
      if (!expected) this.log.error((error as Error).message);
    }
  }
}
