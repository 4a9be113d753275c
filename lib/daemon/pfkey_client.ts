/**
 * A key management program's end of the PF_KEY socket.
 *
 * ```ts
 * using pfkey = await PfkeyClient.connect();
 * await pfkey.register("ESP");
 * for await (const message of pfkey.messages()) if (message.type === "ACQUIRE") ...
 * const spi = await pfkey.allocateSpi("ESP", peer, local, acquire.seq);
 * await pfkey.updateSa({ ...inbound, spi }, acquire.seq);
 * await pfkey.addSa(outbound, acquire.seq);
 * ```
 *
 * @module
 */
import { type Address, unspecified } from "../ip/address.ts";
import type { Flow, SaIdentity, SaParameters, Selector } from "../ipsec/types.ts";
import type { Extensions, SupportedAlgorithm } from "../pfkey/extensions.ts";
import { concat } from "../octets/bytes.ts";
import { flowExtensions, selectorOf } from "../pfkey/flow_message.ts";
import { decodeMessage, encodeMessage, Framer, type Message } from "../pfkey/message.ts";
import { saTypeOf } from "../pfkey/nouns.ts";
import { pairExtensions } from "../pfkey/pair_message.ts";
import { ERRNO, type Errno, type MessageType, PfkeyError, type SaType } from "../pfkey/numbers.ts";
import { identityExtensions, saExtensions } from "../pfkey/sa_message.ts";
import { pfkeySocketPath } from "./paths.ts";

/** The engine cannot be reached; the message says what to do. */
export class EngineUnreachableError extends Error {
  override name = "EngineUnreachableError";
}

/** What the engine can do, by sadb_alg_id. */
export interface Supported {
  readonly authentication: readonly SupportedAlgorithm[];
  readonly encryption: readonly SupportedAlgorithm[];
}

/** What an ACQUIRE was about: the packets (as they leave us) and the flow that asked. */
export interface AcquiredPolicy {
  readonly selector: Selector;
}

interface Waiting {
  readonly type: MessageType;
  readonly seq: number;
  readonly rows?: (message: Message) => void;
  readonly timer?: ReturnType<typeof setTimeout>;
  resolve(message: Message): void;
  reject(error: Error): void;
}

/** Own requests start here, so that they do not look like answers to the engine's ACQUIREs, which it counts from 1. */
const FIRST_SEQ = 0x8000_0000;
const READ_OCTETS = 65536;
/** SPIs that isakmpd of OpenBSD asks for. */
const ANY_SPI = { min: 0x100, max: 0xffff_ffff } as const;

function unreachable(path: string, error: unknown): EngineUnreachableError {
  if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.ConnectionRefused) {
    return new EngineUnreachableError(`cannot reach the IPsec engine at ${path}: start it with "ipsecbox enc"`);
  }
  if (error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable) {
    return new EngineUnreachableError(`no permission to use the IPsec engine's socket ${path}: only root may`);
  }
  return new EngineUnreachableError(
    `cannot reach the IPsec engine at ${path}: ${error instanceof Error ? error.message : error}`,
  );
}

/** One connection to the engine. Requests may be made without waiting for one another; answers are told apart by (pid, seq). */
export class PfkeyClient implements Disposable {
  readonly #connection: Deno.Conn;
  readonly #framer = new Framer();
  #waiting: Waiting[] = [];
  #seq = FIRST_SEQ;
  #outgoing: Uint8Array[] = [];
  #writing = false;
  readonly #listeners = new Set<(message: Message | undefined) => void>();
  #failure: Error | undefined;
  /**
   * How long an answer (of a dump: all rows) may take, for requests made from now on. An engine that takes longer counts
   * as gone: the connection ends with an {@linkcode EngineUnreachableError} that says so.
   */
  answerLimitMs = Infinity;
  /** Resolves when the connection has ended, for whatever reason. */
  readonly closed: Promise<void>;

  private constructor(connection: Deno.Conn, readonly path: string, readonly pid: number) {
    this.#connection = connection;
    this.closed = this.#read();
  }

  /**
   * Connects to the engine.
   *
   * @param pid put into every message; the engine holds a connection to the first one it sees
   * @throws {EngineUnreachableError} one line that says what to do
   */
  static async connect(path: string = pfkeySocketPath(), pid: number = Deno.pid): Promise<PfkeyClient> {
    try {
      return new PfkeyClient(await Deno.connect({ transport: "unix", path }), path, pid);
    } catch (error) {
      throw unreachable(path, error);
    }
  }

  /**
   * Sends a request and waits for its answer.
   *
   * @param seq the ACQUIRE's number where SAs are made for one; else a number of our own
   * @throws {PfkeyError} with the errno that the engine answered
   * @throws {EngineUnreachableError} when the connection ends first
   */
  request(type: MessageType, satype: SaType, extensions: Extensions = {}, seq?: number): Promise<Message> {
    return this.#ask(type, satype, extensions, seq);
  }

  /** Sends a message to which no answer is awaited: a failed or user-made ACQUIRE, an EXPIRE. */
  send(message: Omit<Message, "pid">): void {
    this.#write(encodeMessage({ ...message, pid: this.pid }));
  }

  /** All SAs of a type ("UNSPEC": of every type) as DUMP shows them, or all flows (`X_SPDDUMP`), to `row` one by one. */
  async dump(type: "DUMP" | "X_SPDDUMP", satype: SaType, row: (message: Message) => void): Promise<void> {
    const last = await this.#ask(type, satype, {}, undefined, row);
    if (Object.keys(last.extensions).length) row(last);
  }

  /** Every message that is no answer to a request made here: ACQUIRE, EXPIRE, others' answers. Ends with the connection. */
  async *messages(): AsyncGenerator<Message, void> {
    const queue: (Message | undefined)[] = this.#failure ? [undefined] : [];
    let wake = () => {};
    const listener = (message: Message | undefined) => {
      queue.push(message);
      wake();
    };
    this.#listeners.add(listener);
    try {
      while (true) {
        while (queue.length) {
          const message = queue.shift();
          if (!message) return;
          yield message;
        }
        await new Promise<void>((resolve) => wake = resolve);
      }
    } finally {
      this.#listeners.delete(listener);
    }
  }

  /** Calls `listener` for each message that {@linkcode messages} would yield, at once; undefined: the connection ended. */
  onMessage(listener: (message: Message | undefined) => void): void {
    this.#listeners.add(listener);
    if (this.#failure) listener(undefined);
  }

  /** Why the connection has ended; undefined while it has not. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Asks for the ACQUIREs of an SA type. */
  async register(satype: "ESP" | "AH"): Promise<Supported> {
    const { extensions } = await this.request("REGISTER", satype);
    return { authentication: extensions.SUPPORTED_AUTH ?? [], encryption: extensions.SUPPORTED_ENCRYPT ?? [] };
  }

  /** Reserves an SPI for an inbound SA (a larval SA, for 60 s). @returns the SPI */
  async allocateSpi(
    satype: "ESP" | "AH",
    source: Address,
    destination: Address,
    seq?: number,
    range: { min: number; max: number } = ANY_SPI,
  ): Promise<number> {
    const { extensions } = await this.request("GETSPI", satype, {
      ADDRESS_SRC: { address: source, port: 0 },
      ADDRESS_DST: { address: destination, port: 0 },
      SPIRANGE: range,
    }, seq);
    return extensions.SA!.spi;
  }

  /** Adds an SA: an outbound one, or one keyed by hand. */
  async addSa(sa: SaParameters, seq?: number): Promise<void> {
    await this.request("ADD", saTypeOf(sa.protocol), saExtensions(sa, true), seq);
  }

  /** Makes a larval SA mature; of a mature one, changes lifetimes and UDP port only (`keys` false). */
  async updateSa(sa: SaParameters, seq?: number, keys = true): Promise<void> {
    await this.request("UPDATE", saTypeOf(sa.protocol), saExtensions(sa, keys), seq);
  }

  async deleteSa(sa: SaIdentity): Promise<void> {
    await this.request("DELETE", saTypeOf(sa.protocol), identityExtensions(sa));
  }

  /** One SA as it is now: counters, lifetimes, keys. */
  fetchSa(sa: SaIdentity): Promise<Message> {
    const source = unspecified(sa.destination.family);
    return this.request("GET", saTypeOf(sa.protocol), identityExtensions(sa, source));
  }

  /** Makes a bundle: `inner` is applied first, then `outer` around it. */
  async groupSas(inner: SaIdentity, outer: SaIdentity): Promise<void> {
    await this.request("X_GRPSPIS", saTypeOf(inner.protocol), pairExtensions(inner, outer));
  }

  async addFlow(flow: Flow, seq?: number): Promise<void> {
    await this.request("X_ADDFLOW", saTypeOf(flow.protocol), flowExtensions(flow), seq);
  }

  async deleteFlow(flow: Flow): Promise<void> {
    await this.request("X_DELFLOW", saTypeOf(flow.protocol), flowExtensions(flow, "delete"));
  }

  /** Which packets an ACQUIRE was about. @throws {PfkeyError} ESRCH when it is too old */
  async askPolicy(acquireSeq: number): Promise<AcquiredPolicy> {
    const { extensions } = await this.request("X_ASKPOLICY", "UNSPEC", { X_POLICY: { seq: acquireSeq } });
    // The reply's X_FLOW_TYPE carries the transport protocol (OpenBSD's pfkeyv2.c).
    const proto = extensions.X_FLOW_TYPE!.proto;
    return { selector: { ...selectorOf(extensions), transport: proto } };
  }

  /** Tells the engine that no SA could be made for an ACQUIRE. */
  acquireFailed(satype: SaType, seq: number, errno: Errno = "ETIMEDOUT"): void {
    this.send({ type: "ACQUIRE", satype, seq, errno, extensions: {} });
  }

  close(): void {
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.#end(new EngineUnreachableError("the connection to the IPsec engine was closed"));
  }

  #ask(
    type: MessageType,
    satype: SaType,
    extensions: Extensions,
    seq: number | undefined,
    rows?: (message: Message) => void,
  ): Promise<Message> {
    return new Promise((resolve, reject) => {
      if (this.#failure) return reject(this.#failure);
      const number = seq ?? this.#nextSeq();
      const octets = encodeMessage({ type, satype, seq: number, pid: this.pid, extensions });
      const timer = Number.isFinite(this.answerLimitMs) ? this.#limit(type) : undefined;
      this.#waiting.push({ type, seq: number, rows, timer, resolve, reject });
      this.#write(octets);
    });
  }

  #limit(type: MessageType): ReturnType<typeof setTimeout> {
    return setTimeout(() => {
      const seconds = this.answerLimitMs / 1000;
      this.#end(new EngineUnreachableError(`the IPsec engine has not answered ${type} for ${seconds} seconds`));
    }, this.answerLimitMs);
  }

  #nextSeq(): number {
    this.#seq = this.#seq === 0xffff_ffff ? FIRST_SEQ : this.#seq + 1;
    return this.#seq;
  }

  #write(octets: Uint8Array): void {
    if (this.#failure) return;
    this.#outgoing.push(octets);
    if (!this.#writing) this.#flush();
  }

  async #flush(): Promise<void> {
    this.#writing = true;
    try {
      // Requests made in one go leave in few system calls.
      await Promise.resolve();
      while (this.#outgoing.length) {
        const batch = this.#outgoing;
        this.#outgoing = [];
        let octets: Uint8Array = concat(...batch);
        while (octets.length) octets = octets.subarray(await this.#connection.write(octets));
      }
    } catch (error) {
      this.#end(unreachable(this.path, error));
    } finally {
      this.#writing = false;
    }
  }

  async #read(): Promise<void> {
    const chunk = new Uint8Array(READ_OCTETS);
    try {
      while (true) {
        const count = await this.#connection.read(chunk);
        if (count === null) break;
        for (const octets of this.#framer.push(chunk.subarray(0, count))) this.#deliver(octets);
      }
      this.#end(new EngineUnreachableError("the IPsec engine closed the connection"));
    } catch (error) {
      this.#end(error instanceof PfkeyError ? error : unreachable(this.path, error));
    }
  }

  #deliver(octets: Uint8Array): void {
    const message = readMessage(octets);
    if (!message) return;
    // A dump's rows carry our pid and the request's type; its last row has seq 0 (RFC 2367 3.1.10).
    const index = message.pid === this.pid
      ? this.#waiting.findIndex(({ type, seq, rows }) =>
        type === message.type && (seq === message.seq || (rows && message.seq === 0))
      )
      : -1;
    if (index < 0) {
      for (const listener of [...this.#listeners]) listener(message);
      return;
    }
    const waiting = this.#waiting[index];
    if (waiting.rows && !message.errno && message.seq !== 0) return waiting.rows(message);
    this.#waiting.splice(index, 1);
    clearTimeout(waiting.timer);
    if (!message.errno) return waiting.resolve(message);
    waiting.reject(new PfkeyError(message.errno, ERRNO[message.errno][1]));
  }

  #end(failure: Error): void {
    if (this.#failure) return;
    this.#failure = failure;
    try {
      this.#connection.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
    for (const { reject, timer } of this.#waiting.splice(0)) {
      clearTimeout(timer);
      reject(failure);
    }
    for (const listener of [...this.#listeners]) listener(undefined);
  }
}

/** A message; one of a later engine that has parts unknown here is passed over. */
function readMessage(octets: Uint8Array): Message | undefined {
  try {
    return decodeMessage(octets);
  } catch (error) {
    if (error instanceof PfkeyError) return undefined;
    throw error;
  }
}
