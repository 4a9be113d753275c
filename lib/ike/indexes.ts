/** Finding things among ten thousand of them: configurations by name, wants by peer, negotiations by address. @module */
import { type Address, formatAddress } from "../ip/address.ts";
import type { Configuration, Connection, Peer } from "./configuration.ts";
import { formatHex } from "../octets/hex.ts";
import { IndexMap } from "./index_map.ts";
import type { Phase1Sa, Want } from "./state.ts";

interface Names {
  /** Names of peer sections by the address that `[Phase 1]` has. */
  readonly peersByAddress: ReadonlyMap<string, string>;
  readonly peers: ReadonlyMap<string, Peer>;
  /** Of several with one name the first counts. */
  readonly connections: ReadonlyMap<string, Connection>;
  readonly connectionsByPeer: IndexMap<Connection>;
}

const known = new WeakMap<Configuration, Names>();

function namesOf(configuration: Configuration): Names {
  const before = known.get(configuration);
  if (before) return before;
  const connectionsByPeer = new IndexMap<Connection>();
  for (const connection of configuration.connections) connectionsByPeer.add(connection.peer, connection);
  const names = {
    peersByAddress: new Map(
      configuration.peersByAddress.map(({ address, peer }) => [formatAddress(address), peer] as const).reverse(),
    ),
    peers: new Map(configuration.peers.map((peer) => [peer.name, peer] as const).reverse()),
    connections: new Map(configuration.connections.map((each) => [each.name, each] as const).reverse()),
    connectionsByPeer,
  };
  known.set(configuration, names);
  return names;
}

/** The peer section that `[Phase 1]` has for an address, or its Default. */
export function peerAt(configuration: Configuration, address: Address): Peer | undefined {
  const name = namesOf(configuration).peersByAddress.get(formatAddress(address)) ?? configuration.defaultPeer?.peer;
  return name === undefined ? undefined : peerNamed(configuration, name);
}

/** The peer section of a name. */
export const peerNamed = (configuration: Configuration, name: string): Peer | undefined =>
  namesOf(configuration).peers.get(name);

/** The connection of a name. */
export const connectionNamed = (configuration: Configuration, name: string): Connection | undefined =>
  namesOf(configuration).connections.get(name);

/** The connections with a peer section, in the configuration's order. */
export const connectionsWith = (configuration: Configuration, peer: string): Connection[] => [
  ...namesOf(configuration).connectionsByPeer.get(peer),
];

/** Connections to be brought up, by key and by the name of their peer section. */
export class Wants extends Map<string, Want> {
  readonly #byPeer = new IndexMap<Want>();

  override set(key: string, want: Want): this {
    this.delete(key);
    this.#byPeer.add(want.peer.name, want);
    return super.set(key, want);
  }

  override delete(key: string): boolean {
    const want = this.get(key);
    if (want) this.#byPeer.delete(want.peer.name, want);
    return super.delete(key);
  }

  override clear(): void {
    for (const key of [...this.keys()]) this.delete(key);
  }

  /** Those with a peer section, oldest first. */
  ofPeer(name: string): Want[] {
    return [...this.#byPeer.get(name)];
  }
}

/** The address that an SA was begun with; it stays the same while its peer may move. */
export const openingAddress = ({ opening }: Phase1Sa): string => opening.slice(opening.indexOf(" ") + 1);

/** SAs under way that we began, by our cookie and by the peer's address. */
export class Initiating {
  readonly #byCookie = new Map<string, Phase1Sa>();
  readonly #byAddress = new IndexMap<Phase1Sa>();

  add(sa: Phase1Sa): void {
    this.#byCookie.set(formatHex(sa.initiatorCookie), sa);
    this.#byAddress.add(openingAddress(sa), sa);
  }

  delete(sa: Phase1Sa): void {
    if (this.#byCookie.get(formatHex(sa.initiatorCookie)) === sa) this.#byCookie.delete(formatHex(sa.initiatorCookie));
    this.#byAddress.delete(openingAddress(sa), sa);
  }

  /** The one with our cookie. */
  ofCookie(cookie: Uint8Array): Phase1Sa | undefined {
    return this.#byCookie.get(formatHex(cookie));
  }

  /** Whether one with that peer section and address is under way. */
  isWith(peer: Peer, remote: Phase1Sa["remote"]): boolean {
    for (const sa of this.#byAddress.get(formatAddress(remote.address))) if (sa.peer.name === peer.name) return true;
    return false;
  }
}
