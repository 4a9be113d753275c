/**
 * The engine's end of the PF_KEY socket: accepts key management programs, cuts their streams into messages, and writes
 * answers so that one slow reader holds up nobody else.
 *
 * @module
 */
import { type Bytes, concat } from "../octets/bytes.ts";
import { errorReply, Framer, HEADER_OCTETS } from "../pfkey/message.ts";
import { PfkeyError } from "../pfkey/numbers.ts";
import { shareWithDaemons } from "./daemon_user.ts";
import { engineLockPath, pfkeySocketPath, runDirectory } from "./paths.ts";

/** Another engine has the run directory. */
export class EngineRunningError extends Error {
  override name = "EngineRunningError";
}

/** What becomes of clients and their messages. Clients are numbers that are never used again. */
export interface PfkeyServerHandlers {
  connected(client: number): void;
  /** One whole message; its octets are the receiver's. */
  message(client: number, octets: Bytes): void;
  disconnected(client: number): void;
  log?(text: string): void;
  /** Programs that connect before this has come to pass wait; absent: nobody waits. */
  readonly ready?: Promise<unknown>;
}

/** More than this unread in front of a client and it is disconnected: it has stopped reading. */
export const MOST_QUEUED_OCTETS = 8 * 1024 * 1024;
/** With more than this in front of it a client's own requests wait, so that their answers do not add to it. */
const PAUSE_OCTETS = 256 * 1024;
const WRITE_OCTETS = 65536;
const READ_OCTETS = 65536;
const MOST_CLIENTS = 256;
const ACCEPT_RETRY_MS = 500;

/** One connection: what is to be written to it, in order. */
class Client {
  readonly framer = new Framer();
  readonly #queue: (Bytes | Iterator<Bytes>)[] = [];
  #octets = 0;
  #writing = false;
  #drained: (() => void) | undefined;
  closed = false;

  constructor(readonly connection: Deno.Conn, readonly gone: () => void) {}

  /** Puts a message, or a series of them, behind what is there. */
  push(item: Bytes | Iterator<Bytes>): void {
    if (this.closed) return;
    if (item instanceof Uint8Array) this.#octets += item.length;
    if (this.#octets > MOST_QUEUED_OCTETS) return this.close();
    this.#queue.push(item);
    if (!this.#writing) this.#write();
  }

  /** Resolves when so little is left to write that more requests may be read. */
  async ready(): Promise<void> {
    while (!this.closed && this.#octets > PAUSE_OCTETS) {
      await new Promise<void>((resolve) => this.#drained = resolve);
    }
  }

  /** The next octets to write, about WRITE_OCTETS of them; undefined when there is nothing. */
  #next(): Uint8Array | undefined {
    const parts: Bytes[] = [];
    let octets = 0;
    while (octets < WRITE_OCTETS && this.#queue.length) {
      const first = this.#queue[0];
      if (first instanceof Uint8Array) {
        this.#queue.shift();
        this.#octets -= first.length;
        parts.push(first);
        octets += first.length;
        continue;
      }
      const row = first.next();
      if (row.done) this.#queue.shift();
      else {
        parts.push(row.value);
        octets += row.value.length;
      }
    }
    return parts.length === 0 ? undefined : parts.length === 1 ? parts[0] : concat(...parts);
  }

  async #write(): Promise<void> {
    this.#writing = true;
    try {
      // What one turn of the event loop has to say leaves in one system call.
      await Promise.resolve();
      for (let octets = this.#next(); octets; octets = this.#next()) {
        while (octets.length) octets = octets.subarray(await this.connection.write(octets));
        if (this.#octets <= PAUSE_OCTETS) this.#drained?.();
      }
    } catch {
      this.close(); // the program is gone
    } finally {
      this.#writing = false;
    }
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#queue.length = 0;
    this.#drained?.();
    try {
      this.connection.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error;
    }
    this.gone();
  }
}

/** The listening socket and its clients. */
export class PfkeyServer implements AsyncDisposable {
  readonly #clients = new Map<number, Client>();
  #lastClient = 0;
  #closing = false;
  readonly #closed = Promise.withResolvers<void>();
  readonly #accepting: Promise<void>;

  private constructor(
    readonly path: string,
    private readonly listener: Deno.UnixListener,
    private readonly lock: EngineLock,
    private readonly handlers: PfkeyServerHandlers,
  ) {
    this.#accepting = this.#accept();
  }

  /**
   * Takes the run directory (made with mode 0700 when missing) and listens on `pfkey.sock`, mode 0600, or for the
   * daemons' user too. What an engine that crashed left there is taken over.
   *
   * @throws {EngineRunningError} naming the engine that has the directory, by pid
   */
  static async listen(handlers: PfkeyServerHandlers, directory = runDirectory()): Promise<PfkeyServer> {
    Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
    const lock = await EngineLock.take(directory);
    try {
      const path = pfkeySocketPath(directory);
      // The lock is ours, so whatever lies there belongs to nobody.
      removeQuietly(path);
      const mask = Deno.umask(0o177);
      try {
        const listener = Deno.listen({ transport: "unix", path });
        shareWithDaemons(path, handlers.log);
        return new PfkeyServer(path, listener, lock, handlers);
      } finally {
        Deno.umask(mask);
      }
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** Sends one message to some clients; those that are gone or do not read any more are skipped. */
  send(to: readonly number[], message: Bytes): void {
    for (const client of to) this.#clients.get(client)?.push(message);
  }

  /** Sends a series of messages to one client, taken from the iterator as fast as it reads. */
  dump(to: number, messages: Iterator<Bytes>): void {
    this.#clients.get(to)?.push(messages);
  }

  get clientCount(): number {
    return this.#clients.size;
  }

  /** Closes every connection and removes socket and lock. */
  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    this.#closed.resolve();
    this.listener.close();
    for (const client of [...this.#clients.values()]) client.close();
    await this.#accepting;
    removeQuietly(this.path);
    this.lock.release();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #accept(): Promise<void> {
    await Promise.race([this.handlers.ready, this.#closed.promise]);
    while (!this.#closing) {
      try {
        this.#serve(await this.listener.accept());
      } catch (error) {
        if (this.#closing) return;
        // Out of file descriptors, or a program that went away while it was accepted.
        this.handlers.log?.(`cannot accept on ${this.path}: ${error instanceof Error ? error.message : error}`);
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_RETRY_MS));
      }
    }
  }

  async #serve(connection: Deno.Conn): Promise<void> {
    if (this.#clients.size >= MOST_CLIENTS) {
      this.handlers.log?.(`refused a program on ${this.path}: ${MOST_CLIENTS} are connected`);
      return connection.close();
    }
    const id = ++this.#lastClient;
    const client = new Client(connection, () => {
      this.#clients.delete(id);
      this.handlers.disconnected(id);
    });
    this.#clients.set(id, client);
    this.handlers.connected(id);
    const chunk = new Uint8Array(READ_OCTETS);
    try {
      while (!client.closed) {
        const count = await connection.read(chunk);
        if (count === null) break;
        for (const octets of client.framer.push(chunk.subarray(0, count))) {
          if (client.closed) return;
          this.handlers.message(id, octets);
        }
        await client.ready();
      }
    } catch (error) {
      if (error instanceof PfkeyError) {
        this.handlers.log?.(`closed a connection that sent something else than PF_KEY: ${error.message}`);
        await this.#refuseRubbish(connection);
      } else if (!(error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted)) {
        this.handlers.log?.(`connection lost: ${error instanceof Error ? error.message : error}`);
      }
    } finally {
      client.close();
    }
  }

  /** EINVAL, and then nothing more: where the next message would start is unknown. */
  async #refuseRubbish(connection: Deno.Conn): Promise<void> {
    try {
      await connection.write(errorReply(new Uint8Array(HEADER_OCTETS), "EINVAL"));
    } catch {
      // It does not want to know.
    }
  }
}

/** The locked file that makes an engine the only one of its run directory; the kernel unlocks it should the engine die. */
class EngineLock {
  private constructor(readonly path: string, readonly file: Deno.FsFile) {}

  /** @throws {EngineRunningError} */
  static async take(directory: string): Promise<EngineLock> {
    const path = engineLockPath(directory);
    while (true) {
      const file = Deno.openSync(path, { read: true, write: true, create: true, mode: 0o600 });
      try {
        if (!await file.tryLock(true)) {
          const pid = Deno.readTextFileSync(path).trim();
          const who = /^\d+$/.test(pid) ? ` as process ${pid}` : "";
          throw new EngineRunningError(`an IPsec engine runs already${who} in ${directory}`);
        }
        // Should the engine before have removed the file just now, what we locked is not what others will see.
        if (inode(path) === file.statSync().ino) {
          file.truncateSync(0);
          file.writeSync(new TextEncoder().encode(`${Deno.pid}\n`));
          return new EngineLock(path, file);
        }
        file.close();
      } catch (error) {
        file.close();
        throw error;
      }
    }
  }

  release(): void {
    removeQuietly(this.path);
    this.file.close();
  }
}

function inode(path: string): number | null | undefined {
  try {
    return Deno.statSync(path).ino;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function removeQuietly(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
