/** The flows of connections that are to be protected also while they are down. @module */
import type { Configuration, Connection } from "../ike/configuration.ts";
import type { NegotiatedFlow } from "../ike/events.ts";
import type { Address } from "../ip/address.ts";
import { addressId } from "../isakmp/identification.ts";
import { PROTOCOL_ID } from "../isakmp/numbers.ts";
import { hostSelector, type Kernel } from "./isakmpd_kernel.ts";

/**
 * A connection of `Connections` has its flow from the start: its packets are protected or wait, and ask for an SA when
 * there is none.
 */
export class StandingFlows {
  #configuration: Configuration;
  readonly #flows = new Map<string, NegotiatedFlow>();

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

  /** Flows as a configuration wants them; those of connections that it no longer has go, once their SAs are gone. */
  update(configuration: Configuration): void {
    this.#configuration = configuration;
    const wanted = new Set(configuration.connections.filter(({ active }) => active).map(({ name }) => name));
    for (const name of this.#flows.keys()) if (!wanted.has(name)) this.drop(name);
    for (const name of wanted) this.restore(name);
  }

  /** Installs the flow of one connection. */
  restore(name: string): void {
    const connection = this.#configuration.connections.find((each) => each.name === name);
    const flow = connection?.active && this.#flowOf(connection);
    if (!flow) return;
    this.#flows.set(name, flow);
    this.kernel?.installFlow(flow);
  }

  /** Lets the flow of one connection go: at once, or with its SAs. */
  drop(name: string): void {
    const flow = this.#flows.get(name);
    this.#flows.delete(name);
    if (flow && !this.isUp(name)) this.kernel?.removeFlow(flow);
  }

  #flowOf(connection: Connection): NegotiatedFlow | undefined {
    const peer = this.#configuration.peers.find(({ name }) => name === connection.peer);
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
