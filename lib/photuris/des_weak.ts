/**
 * DES keys that RFC 2523 3 and 5.3 discard: the 4 weak, 12 semi-weak and 48 possibly weak ones. All 64 have both halves of
 * the key schedule, C and D, repeating one of eight patterns of 4 bits.
 *
 * @module
 */

const PATTERNS = [0b0000, 0b1111, 0b0101, 0b1010, 0b0011, 0b0110, 0b1100, 0b1001];

/** Key bits without parity. Permuted choice 1 fills C from bits 1-3 of the octets 8 to 1 and bit 4 of 8 to 5, D likewise. */
function keyOf(c: number, d: number): string {
  const octets = Array.from({ length: 8 }, (_, at) => {
    const step = (7 - at) % 4;
    const fromC = c >> step & 1 ? (at >= 4 ? 0xf0 : 0xe0) : 0;
    const fromD = d >> step & 1 ? (at < 4 ? 0x1e : 0x0e) : 0;
    return (fromC | fromD) >> 1;
  });
  return octets.join();
}

const WEAK: ReadonlySet<string> = new Set(PATTERNS.flatMap((c) => PATTERNS.map((d) => keyOf(c, d))));

/** Whether a key of 8 octets is weak, semi-weak or possibly weak; parity bits do not matter. */
export const isDiscardedDesKey = (key: Uint8Array): boolean => WEAK.has(Array.from(key, (octet) => octet >> 1).join());
