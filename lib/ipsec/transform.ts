/** A packet through an SA or a bundle of them, whatever their kind. @module */
import type { Arena } from "../octets/arena.ts";
import { DROP, type Packet } from "./packet.ts";
import { COUNTER, type Sa } from "./sa.ts";
import { SCRATCH } from "./scratch.ts";

/** Whether the SA has reached its hard limit of octets. */
function isSpent({ counters, countersAt: at }: Sa): boolean {
  return counters[at + COUNTER.BYTES] >= counters[at + COUNTER.HARD_BYTES];
}

/** Counts one packet of `octets` octets, or a drop. */
function count(arena: Arena, sa: Sa, drop: number, octets: number): void {
  const { counters, countersAt: at } = sa;
  if (drop !== 0) {
    counters[at + COUNTER.DROPS] += 1;
    return;
  }
  const now = arena.view.getFloat64(sa.scratchAt + SCRATCH.CLOCK);
  counters[at + COUNTER.PACKETS] += 1;
  counters[at + COUNTER.BYTES] += octets;
  if (counters[at + COUNTER.FIRST_USED] === 0) counters[at + COUNTER.FIRST_USED] = now;
  counters[at + COUNTER.LAST_USED] = now;
}

/**
 * Applies one SA to an IP packet in place: it grows to the left (headers) and to the right (trailer, ICV). Tunnel mode
 * when the SA asks for it, when the packet's addresses are not the SA's, or when the packet is a fragment, which
 * transport mode cannot carry.
 *
 * @returns 0 or a reason of {@linkcode DROP}; the packet is then worthless.
 */
export function encapsulate(arena: Arena, sa: Sa, packet: Packet): number {
  if (!sa.usable || isSpent(sa)) return DROP.expired;
  const octets = packet.octets;
  const drop = sa.transform.encapsulate(arena, sa, packet);
  count(arena, sa, drop, octets);
  if (drop === 0) sa.counters[sa.countersAt + COUNTER.SEQUENCE] = sa.sequence >>> 0;
  return drop;
}

/**
 * Undoes one SA on a packet that `locate` has seen. What is left starts with an IP header: the one from inside (tunnel
 * mode, `packet.tunnelled`) or the outer one without the security header.
 *
 * @returns 0 or a reason; the packet is then worthless.
 */
export function decapsulate(arena: Arena, sa: Sa, packet: Packet): number {
  if (!sa.usable || isSpent(sa)) return DROP.expired;
  const drop = sa.transform.decapsulate(arena, sa, packet);
  count(arena, sa, drop, packet.octets);
  if (drop === 0 && sa.replay !== null) sa.counters[sa.countersAt + COUNTER.SEQUENCE] = sa.replay.last >>> 0;
  return drop;
}

/**
 * Applies a bundle: `sa`, which goes innermost, and all SAs grouped around it. `packet.bare` is a wish for the last of
 * them.
 */
export function encapsulateBundle(arena: Arena, sa: Sa, packet: Packet): number {
  const bare = packet.bare;
  for (let next: Sa | null = sa; next !== null; next = next.outer) {
    packet.bare = bare && next.outer === null;
    const drop = encapsulate(arena, next, packet);
    if (drop !== 0) return drop;
  }
  return 0;
}
