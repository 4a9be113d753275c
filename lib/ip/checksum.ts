/** The Internet checksum (RFC 1071) over arena ranges, and its incremental update (RFC 1624). @module */
import { IPV4 } from "./headers.ts";

/** Sums `octets` octets from `at` as big-endian 16-bit words onto `initial`; the result is folded to 16 bits. */
export type Summer = (view: DataView, at: number, octets: number, initial: number) => number;

/** Folds carries into 16 bits. */
export function fold(sum: number): number {
  sum = (sum & 0xffff) + (sum >>> 16);
  return (sum & 0xffff) + (sum >>> 16);
}

/** {@linkcode Summer} in plain JavaScript; at most 65,535 octets. */
export function sum(view: DataView, at: number, octets: number, initial: number): number {
  let total = fold(initial);
  const end = at + octets;
  for (; at + 4 <= end; at += 4) {
    const word = view.getInt32(at);
    total += (word >>> 16) + (word & 0xffff);
  }
  if (end - at & 2) {
    total += view.getUint16(at);
    at += 2;
  }
  if (at < end) total += view.getUint8(at) << 8;
  return fold(total);
}

/** The sum of the pseudo-header (RFC 768, RFC 8200 8.1) whose addresses lie in the arena. */
export function pseudoSum(
  view: DataView,
  family: number,
  sourceAt: number,
  destinationAt: number,
  protocol: number,
  octets: number,
): number {
  const addressOctets = family === 4 ? 4 : 16;
  return sum(view, sourceAt, addressOctets, sum(view, destinationAt, addressOctets, protocol + octets));
}

/** Computes and writes the checksum of an IPv4 header. */
export function writeHeaderChecksum(view: DataView, at: number, headerOctets: number): void {
  view.setUint16(at + IPV4.CHECKSUM, 0);
  view.setUint16(at + IPV4.CHECKSUM, ~sum(view, at, headerOctets, 0) & 0xffff);
}

/**
 * A checksum after some of what it covers changed (RFC 1624 equation 3). `before` and `after` are the 16-bit word, or the
 * folded sum of several words, as it was and as it is.
 */
export function updateChecksum(checksum: number, before: number, after: number): number {
  return ~fold((~checksum & 0xffff) + (~before & 0xffff) + after) & 0xffff;
}
