/** The ICV of AH, over the IP header, AH and all that follows. @module */
import { checkIcv, writeIcv, writeNonce } from "./esp_protection.ts";
import { normalizeV4, normalizeV6 } from "./ah_fields.ts";
import { moveWords } from "./outer.ts";
import { DROP, type Packet } from "./packet.ts";
import type { Sa } from "./sa.ts";
import { SCRATCH } from "./scratch.ts";

/** Saves the header before AH and normalizes it in place; false when it is malformed (and then already worthless). */
function normalize(view: DataView, sa: Sa, at: number, ahAt: number, old: boolean): boolean {
  const octets = ahAt - at;
  if (octets > SCRATCH.HEADER_OCTETS) return false;
  moveWords(view, at, sa.scratchAt + SCRATCH.HEADER, octets);
  return sa.family === 4 ? normalizeV4(view, at, octets, old) : normalizeV6(view, at, octets);
}

/**
 * Computes and writes the ICV of a finished packet whose AH at `ahAt` has its ICV at `icvAt` (zeroed). With GMAC the IV,
 * already written, is before it. 0 or `malformedHeader`.
 */
export function authenticate(
  view: DataView,
  sa: Sa,
  packet: Packet,
  ahAt: number,
  icvAt: number,
  old: boolean,
): number {
  const { at, octets } = packet;
  if (!normalize(view, sa, at, ahAt, old)) return DROP.malformedHeader;
  if (sa.aead !== null) {
    // The tag goes to scratch memory first, because its place is part of what it covers.
    const tagAt = sa.scratchAt + SCRATCH.MAC;
    sa.aead.seal(writeNonce(view, sa, icvAt - sa.ivOctets), at, octets, tagAt, 0, tagAt);
    moveWords(view, tagAt, icvAt, sa.icvOctets);
  } else writeIcv(view, sa, at, octets, icvAt);
  moveWords(view, sa.scratchAt + SCRATCH.HEADER, at, ahAt - at);
  return DROP.none;
}

/** Checks the ICV of an arriving packet and leaves its IP header as it was: 0, `malformedHeader` or `badIcv`. */
export function verify(view: DataView, sa: Sa, packet: Packet, ahAt: number, icvAt: number, old: boolean): number {
  const { at, octets } = packet;
  const savedAt = sa.scratchAt + SCRATCH.ICV;
  if (!normalize(view, sa, at, ahAt, old)) return DROP.malformedHeader;
  moveWords(view, icvAt, savedAt, sa.icvOctets);
  for (let i = 0; i < sa.icvOctets; i += 4) view.setInt32(icvAt + i, 0);
  const right = sa.aead !== null
    ? sa.aead.open(writeNonce(view, sa, icvAt - sa.ivOctets), at, octets, savedAt, 0, savedAt)
    : checkIcv(view, sa, at, octets, savedAt);
  moveWords(view, sa.scratchAt + SCRATCH.HEADER, at, ahAt - at);
  return right ? DROP.none : DROP.badIcv;
}
