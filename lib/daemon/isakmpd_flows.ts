/** The flows of connections that are to be protected also while they are down. @module */
import type { Configuration, Connection } from "../ike/configuration.ts";
import type { NegotiatedFlow } from "../ike/events.ts";
import { connectionNamed, peerNamed } from "../ike/indexes.ts";
import type { Address } from "../ip/address.ts";
import { addressId } from "../isakmp/identification.ts";
import { PROTOCOL_ID } from "../isakmp/numbers.ts";
import { flowKey, hostSelector, type Kernel } from "./isakmpd_kernel.ts";

/**
 * A connection of `Connections` has its flow from the start: its packets are protected or wait, and ask for an SA when
 * there is none.
 */
export class StandingFlows {
  #configuration: Configuration;
  readonly #flows = new Map<string, NegotiatedFlow>();
  /** Taken down by `t NAME`. */
  readonly #down = new Set<string>();

  constructor(
    readonly kernel: Kernel | undefined,
    readonly localFor: (peer: Address) => Address | undefined,
    readonly isUp: (connection: string) => boolean,
    configuration: Configuration,
  ) {
    this.#configuration = configuration;
  }

  /** Whether the flow of a connection outlives its SAs. */
  has(connection: string): boolean {
    return this.#flows.has(connection);
  }

  /**
   * Flows as a configuration wants them; those of connections that it no longer has go, once their SAs are gone. What was
   * taken down by hand stays so, but for a `restart`.
   */
  update(configuration: Configuration, restart = false): void {
    this.#configuration = configuration;
    if (restart) this.#down.clear();
    const wanted = new Set(configuration.connections.filter(({ active }) => active).map(({ name }) => name));
    for (const name of [...this.#flows.keys()]) if (!wanted.has(name)) this.#release(name);
    for (const name of wanted) if (!this.#down.has(name)) this.restore(name);
  }

  /** Installs the flow of one connection, in place of another that it had. */
  restore(name: string): void {
    this.#down.delete(name);
    const connection = connectionNamed(this.#configuration, name);
    const flow = connection?.active && this.#flowOf(connection);
    if (!flow) return;
    const before = this.#flows.get(name);
    if (before && flowKey(before) !== flowKey(flow)) this.kernel?.removeFlow(before);
    this.#flows.set(name, flow);
    this.kernel?.installFlow(flow);
  }

  /** A connection is taken down by hand. */
  drop(name: string): void {
    this.#down.add(name);
    this.#release(name);
  }

  /** Lets the flow of one connection go: at once, or with its SAs. */
  #release(name: string): void {
    const flow = this.#flows.get(name);
    this.#flows.delete(name);
    if (flow && !this.isUp(name)) this.kernel?.removeFlow(flow);
  }

  #flowOf(connection: Connection): NegotiatedFlow | undefined {
    const peer = peerNamed(this.#configuration, connection.peer);
    if (!peer?.address) return undefined;
    const localAddress = peer.localAddress ?? this.localFor(peer.address);
    if (!localAddress) return undefined;
    const { protocols } = connection.suites[0];
    return {
      connection: connection.name,
      local: connection.localId ?? hostSelector(localAddress),
      remote: connection.remoteId ?? hostSelector(peer.address),
      localAddress,
      peer: peer.address,
      protocol: protocols.some(({ protocol }) => protocol === PROTOCOL_ID.IPSEC_ESP) ? "esp" : "ah",
      tunnel: true,
      localIdentity: peer.localId ?? addressId(localAddress),
      remoteIdentity: peer.remoteId ?? addressId(peer.address),
    };
  }
}
