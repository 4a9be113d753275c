/** The engine's end of `ike.sock`: IKE datagrams on the UDP encapsulation port, to and from key management. @module */
import { shareWithDaemons } from "./daemon_user.ts";
import { DecodeError } from "../octets/reader.ts";
import { encodeRelayed, type RelayedDatagram, RelayReader } from "./ike_relay.ts";

/** A client that lets more than this pile up loses datagrams, as with UDP. */
const MOST_QUEUED_OCTETS = 1 << 20;
const READ_OCTETS = 65536;

interface Client {
  readonly connection: Deno.Conn;
  queued: number;
  tail: Promise<void>;
}

/** Accepts key management programs; each gets every datagram. */
export class IkeRelayServer {
  readonly #listener: Deno.UnixListener;
  readonly #clients = new Set<Client>();
  readonly #path: string;
  readonly #send: (datagram: RelayedDatagram) => void;
  #closing = false;

  /**
   * Listens on `path`, mode 0600 or for the daemons' user too, which must not be in use. `send` sends what a client hands
   * over.
   */
  constructor(path: string, send: (datagram: RelayedDatagram) => void) {
    this.#path = path;
    this.#send = send;
    const mask = Deno.umask(0o177);
    try {
      Deno.removeSync(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    try {
      this.#listener = Deno.listen({ transport: "unix", path });
      shareWithDaemons(path, undefined);
    } finally {
      Deno.umask(mask);
    }
    this.#accept();
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) this.#serve({ connection, queued: 0, tail: Promise.resolve() });
  }

  async #serve(client: Client): Promise<void> {
    this.#clients.add(client);
    const reader = new RelayReader();
    const chunk = new Uint8Array(READ_OCTETS);
    try {
      for (let count = await client.connection.read(chunk); count; count = await client.connection.read(chunk)) {
        for (const datagram of reader.push(chunk.slice(0, count))) this.#send(datagram);
      }
    } catch (error) {
      const expected = error instanceof DecodeError || error instanceof Deno.errors.BadResource ||
        error instanceof Deno.errors.Interrupted || error instanceof Deno.errors.ConnectionReset;
      if (!expected && !this.#closing) throw error;
    } finally {
      this.#clients.delete(client);
      closeOnce(client.connection);
    }
  }

  /** Hands a received datagram to every client. */
  deliver(datagram: RelayedDatagram): void {
    const frame = encodeRelayed(datagram);
    for (const client of this.#clients) {
      if (client.queued + frame.length > MOST_QUEUED_OCTETS) continue;
      client.queued += frame.length;
      client.tail = client.tail.then(async () => {
        for (let rest: Uint8Array = frame; rest.length;) rest = rest.subarray(await client.connection.write(rest));
        client.queued -= frame.length;
      }).catch(() => {
        // The client is gone; its reading end notices.
      });
    }
  }

  close(): void {
    this.#closing = true;
    this.#listener.close();
    for (const { connection } of this.#clients) closeOnce(connection);
    try {
      Deno.removeSync(this.#path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** Closes a connection that may be closed already. */
function closeOnce(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}
