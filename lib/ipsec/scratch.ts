/** Memory in the arena that lives for one call, one piece for each arena. @module */
import type { Arena } from "../octets/arena.ts";

/** Offsets in the scratch memory. */
export const SCRATCH = {
  /** Nonce of an AEAD (12 octets) or counter block of CTR (16). */
  NONCE: 0,
  /** An IV expanded from the one in the packet. */
  IV: 16,
  /** A whole MAC. */
  MAC: 32,
  /** The ICV that came with a packet. */
  ICV: 96,
  /** Identification of the next outer IPv4 header. */
  IDENTIFICATION: 160,
  /** Seconds since the epoch, a double: what {@linkcode setClock} said last. */
  CLOCK: 168,
  /** Saved IP header with its options or extension headers. */
  HEADER: 192,
  HEADER_OCTETS: 2048,
} as const;

const scratches = new WeakMap<Arena, number>();

/** Arena offset of the arena's scratch memory; reserved at the first call. */
export function scratchOf(arena: Arena): number {
  let at = scratches.get(arena);
  if (at === undefined) scratches.set(arena, at = arena.reserve(SCRATCH.HEADER + SCRATCH.HEADER_OCTETS));
  return at;
}

/** Sets the identification that the arena's next outer IPv4 header gets; the ones after count up from it. */
export function setIdentification(arena: Arena, identification: number): void {
  arena.view.setInt32(scratchOf(arena) + SCRATCH.IDENTIFICATION, identification);
}

/** Tells the time (seconds since the epoch) that SAs of this arena note as the time of their use. */
export function setClock(arena: Arena, seconds: number): void {
  arena.view.setFloat64(scratchOf(arena) + SCRATCH.CLOCK, seconds);
}
