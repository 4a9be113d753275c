/** The security association database (RFC 2401 4.4.3). @module */
import { equalAddress } from "../ip/address.ts";
import { TUPLE } from "../ip/tuple.ts";
import { sameAddressAt } from "../ip/words.ts";
import { AddressTable } from "./address_table.ts";
import { createSa, type Sa } from "./sa.ts";
import type { SpdEntry } from "./spd.ts";
import { type Identity, PROTOCOL, type SaIdentity, type SecurityProtocol } from "./types.ts";

/** The SAs to one destination, the newest first, by protocol. */
class Peer {
  esp: Sa | null = null;
  ah: Sa | null = null;
  ipip: Sa | null = null;

  newest(protocol: number): Sa | null {
    return protocol === PROTOCOL.ESP ? this.esp : protocol === PROTOCOL.AH ? this.ah : this.ipip;
  }

  setNewest(protocol: number, sa: Sa | null): void {
    if (protocol === PROTOCOL.ESP) this.esp = sa;
    else if (protocol === PROTOCOL.AH) this.ah = sa;
    else this.ipip = sa;
  }
}

/** Whether an SA has the identity that a flow asks for. */
function hasIdentity(has: Identity | undefined, wanted: Identity | undefined): boolean {
  return wanted === undefined || (has !== undefined && has.type === wanted.type && has.text === wanted.text);
}

function sameWords(a: Int32Array, b: Int32Array, from = 0): boolean {
  return a[0] === b[from] && a[1] === b[from + 1] && a[2] === b[from + 2] && a[3] === b[from + 3];
}

/**
 * SAs by (destination, SPI, protocol), RFC 2401 4.1, and by destination for sending. Cost does not grow with their
 * number.
 */
export class Sad {
  /** Changes with every change; a cache of SAs is good as long as it is the same. */
  generation = 0;
  #size = 0;
  #age = 0;
  readonly #bySpi = new Map<number, Sa>();
  readonly #peers = new AddressTable<Peer>();

  get size(): number {
    return this.#size;
  }

  /** Adds an SA. @throws {RangeError} when one with the same destination, SPI and protocol is there. */
  add(sa: Sa): void {
    if (this.get(sa.parameters)) throw new RangeError(`Cannot add ${sa}: it exists`);
    sa.age = ++this.#age;
    sa.sameSpi = this.#bySpi.get(sa.spi) ?? null;
    this.#bySpi.set(sa.spi, sa);
    const peer = this.#peers.find(sa.family, sa.destination, 0) ??
      this.#peers.insert(sa.family, sa.destination, new Peer());
    const newest = peer.newest(sa.protocol);
    sa.older = newest;
    sa.newer = null;
    if (newest) newest.newer = sa;
    peer.setNewest(sa.protocol, sa);
    this.#size++;
    this.generation++;
  }

  /** The SA with this identity. */
  get({ destination, spi, protocol }: SaIdentity): Sa | null {
    let sa = this.#bySpi.get(spi | 0) ?? null;
    while (sa !== null && !(sa.protocol === protocol && equalAddress(sa.parameters.destination, destination))) {
      sa = sa.sameSpi;
    }
    return sa;
  }

  /**
   * The SA of an arriving packet: `spi` as int32, the destination address in the arena. IP-in-IP has no SPI on the wire;
   * there the newest SA for that destination serves. Allocates nothing.
   */
  find(spi: number, protocol: number, family: number, view: DataView, destinationAt: number): Sa | null {
    if (protocol === PROTOCOL.IPIP) return this.#findIpip(family, view, destinationAt);
    const word = view.getInt32(destinationAt);
    let sa = this.#bySpi.get(spi) ?? null;
    while (
      sa !== null &&
      !(sa.destinationWord === word && sa.protocol === protocol && sa.family === family &&
        (family === 4 || sameAddressAt(view, destinationAt, 6, sa.destination)))
    ) sa = sa.sameSpi;
    return sa;
  }

  readonly #words = new Int32Array(4);

  #findIpip(family: number, view: DataView, destinationAt: number): Sa | null {
    const words = this.#words;
    for (let i = 0; i < (family === 4 ? 1 : 4); i++) words[i] = view.getInt32(destinationAt + 4 * i);
    return this.#peers.find(family, words, 0)?.ipip ?? null;
  }

  /**
   * IP-in-IP needs no SA at the receiver: what one of ours sends to a peer, that peer may send back. This is such an SA,
   * with its ends swapped and counters of its own, for a packet from the peer to us; null: none.
   */
  findMirror(family: number, view: DataView, sourceAt: number, destinationAt: number): Sa | null {
    let sa = this.#findIpip(family, view, sourceAt);
    while (
      sa !== null &&
      !(sa.usable && (!sa.sourceKnown || sameAddressAt(view, destinationAt, sa.family, sa.source)))
    ) sa = sa.older;
    if (sa === null || sa.mirror !== null) return sa && sa.mirror;
    const { source, destination } = sa.parameters;
    const mirror = sa.mirror = createSa(
      { ...sa.parameters, source: destination, destination: source },
      sa.crypto,
      sa.arena,
    );
    // What was decided for packets of one is not decided for those of the other.
    mirror.age = -sa.age;
    return mirror;
  }

  /**
   * The SA that a flow sends a packet through, the innermost of its bundle.
   *
   * One named by the flow's SPI, if it is usable. Else of the SAs with the flow's protocol to its peer (or to the packet's
   * destination) the newest that fits: mature before dying; from the flow's own end, if that is given; with the flow's
   * identities, if it has any; negotiated for such packets, if it was negotiated for some.
   */
  select(entry: SpdEntry, tuple: Int32Array): Sa | null {
    const family = entry.peer !== null ? entry.peerFamily : tuple[TUPLE.FAMILY];
    const peer = entry.peer !== null
      ? this.#peers.find(family, entry.peer, 0)
      : this.#peers.find(family, tuple, TUPLE.DESTINATION);
    if (peer === null) return null;
    if (entry.spi !== 0) {
      const named = this.#named(entry, family, tuple);
      if (named !== null) return named;
    }
    let dying: Sa | null = null;
    for (let sa = peer.newest(entry.protocol); sa !== null; sa = sa.older) {
      if (!sa.usable || !this.#fits(sa, entry, tuple)) continue;
      if (sa.state === "mature") return sa;
      if (dying === null) dying = sa;
    }
    return dying;
  }

  #named(entry: SpdEntry, family: number, tuple: Int32Array): Sa | null {
    let sa = this.#bySpi.get(entry.spi) ?? null;
    for (; sa !== null; sa = sa.sameSpi) {
      const rightPeer = entry.peer !== null
        ? sameWords(sa.destination, entry.peer)
        : sameWords(sa.destination, tuple, TUPLE.DESTINATION);
      if (sa.protocol === entry.protocol && sa.family === family && rightPeer && sa.usable) return sa;
    }
    return null;
  }

  #fits(sa: Sa, entry: SpdEntry, tuple: Int32Array): boolean {
    const { sourceIdentity, destinationIdentity } = entry.flow;
    return (entry.local === null || !sa.sourceKnown || sameWords(sa.source, entry.local)) &&
      hasIdentity(sa.parameters.sourceIdentity, sourceIdentity) &&
      hasIdentity(sa.parameters.destinationIdentity, destinationIdentity) &&
      (sa.selector === null || sa.selector.contains(tuple));
  }

  /**
   * Makes a bundle (SADB_X_GRPSPIS): what `inner` has protected is given to `outer`, or to nobody any more. Older links of
   * the two at these ends are broken.
   *
   * @throws {RangeError} when the bundle would be a ring.
   */
  link(inner: Sa, outer: Sa | null): void {
    for (let sa = outer; sa !== null; sa = sa.outer) {
      if (sa === inner) throw new RangeError(`Cannot group ${inner} with ${outer}: the bundle would be a ring`);
    }
    if (inner.outer) inner.outer.inner = null;
    inner.outer = outer;
    if (outer) {
      if (outer.inner) outer.inner.outer = null;
      outer.inner = inner;
    }
    this.generation++;
  }

  /** Removes an SA that is in here, takes it out of its bundle and erases its keys. */
  remove(sa: Sa): void {
    if (sa.inner) this.link(sa.inner, null);
    if (sa.outer) this.link(sa, null);
    let before: Sa | null = null;
    for (let other = this.#bySpi.get(sa.spi) ?? null; other !== sa; other = other.sameSpi) {
      if (other === null) throw new RangeError(`Cannot remove ${sa}: it is not in the SAD`);
      before = other;
    }
    if (before) before.sameSpi = sa.sameSpi;
    else if (sa.sameSpi) this.#bySpi.set(sa.spi, sa.sameSpi);
    else this.#bySpi.delete(sa.spi);
    const peer = this.#peers.find(sa.family, sa.destination, 0)!;
    if (sa.newer) sa.newer.older = sa.older;
    else peer.setNewest(sa.protocol, sa.older);
    if (sa.older) sa.older.newer = sa.newer;
    sa.sameSpi = sa.older = sa.newer = null;
    if (!peer.esp && !peer.ah && !peer.ipip) this.#peers.delete(sa.family, sa.destination);
    this.#size--;
    this.generation++;
    sa[Symbol.dispose]();
  }

  /** Removes all SAs, or those of one protocol; returns how many. */
  flush(protocol?: SecurityProtocol): number {
    const doomed = [...this].filter((sa) => protocol === undefined || sa.protocol === protocol);
    for (const sa of doomed) this.remove(sa);
    return doomed.length;
  }

  /** All SAs, those with the same SPI together; otherwise in no order. */
  *[Symbol.iterator](): Generator<Sa> {
    for (const first of this.#bySpi.values()) for (let sa: Sa | null = first; sa !== null; sa = sa.sameSpi) yield sa;
  }
}
