/** Explicit congestion notification through tunnels (RFC 6040). @module */

const NOT_ECT = 0, ECT1 = 1, ECT0 = 2, CE = 3;
/** The packet cannot carry the congestion mark and must be dropped. */
export const ECN_DROP = 4;

/** Figure 4 of RFC 6040: by inner field, then outer field. */
const DECAPSULATED = new Uint8Array(16);
for (
  const [inner, outer, result] of [
    [NOT_ECT, NOT_ECT, NOT_ECT],
    [NOT_ECT, ECT0, NOT_ECT],
    [NOT_ECT, ECT1, NOT_ECT],
    [NOT_ECT, CE, ECN_DROP],
    [ECT0, NOT_ECT, ECT0],
    [ECT0, ECT0, ECT0],
    [ECT0, ECT1, ECT1],
    [ECT0, CE, CE],
    [ECT1, NOT_ECT, ECT1],
    [ECT1, ECT0, ECT1],
    [ECT1, ECT1, ECT1],
    [ECT1, CE, CE],
    [CE, NOT_ECT, CE],
    [CE, ECT0, CE],
    [CE, ECT1, CE],
    [CE, CE, CE],
  ]
) DECAPSULATED[inner << 2 | outer] = result;

/** The ECN field of the packet that leaves the tunnel, or {@linkcode ECN_DROP}. Only the low two bits count. */
export function decapsulatedEcn(innerTos: number, outerTos: number): number {
  return DECAPSULATED[(innerTos & 3) << 2 | outerTos & 3];
}
