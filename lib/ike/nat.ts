/** NAT traversal in phase 2: encapsulation modes and original addresses (RFC 3947 5). @module */
import { ENCAPSULATION_MODE, IPSEC_ATTRIBUTE } from "../isakmp/numbers.ts";
import type { Translation } from "./negotiate.ts";
import type { Phase1Sa } from "./state.ts";

const { TUNNEL, TRANSPORT } = ENCAPSULATION_MODE;
const RFC: ReadonlyMap<number, number> = new Map<number, number>([
  [TUNNEL, ENCAPSULATION_MODE.UDP_ENCAP_TUNNEL],
  [TRANSPORT, ENCAPSULATION_MODE.UDP_ENCAP_TRANSPORT],
]);
const DRAFT: ReadonlyMap<number, number> = new Map<number, number>([
  [TUNNEL, ENCAPSULATION_MODE.UDP_ENCAP_TUNNEL_DRAFT],
  [TRANSPORT, ENCAPSULATION_MODE.UDP_ENCAP_TRANSPORT_DRAFT],
]);
const BASE: ReadonlyMap<number, number> = new Map([...RFC, ...DRAFT].map(([plain, udp]) => [udp, plain]));

/** Whether ESP with this peer goes in UDP. */
export const encapsulates = ({ nat }: Phase1Sa): boolean =>
  nat !== undefined && (nat.localBehind || nat.remoteBehind || nat.forced);

/** Configured encapsulation modes are TUNNEL and TRANSPORT; behind a NAT their UDP forms are said and wanted instead. */
export function encapsulationTranslation(sa: Phase1Sa): Translation {
  const udp = encapsulates(sa) ? sa.nat!.version === "rfc" ? RFC : DRAFT : undefined;
  const isMode = (attribute: number) => attribute === IPSEC_ATTRIBUTE.ENCAPSULATION_MODE;
  return {
    toWire: (attribute, value) => isMode(attribute) ? (udp ? udp.get(value) : value) : value,
    fromWire: (attribute, value) => isMode(attribute) ? (udp ? BASE.get(value) : value) : value,
  };
}

/** The plain form of an encapsulation mode. */
export const plainMode = (mode: number): number => BASE.get(mode) ?? mode;
export const isTunnel = (mode: number): boolean => plainMode(mode) === TUNNEL;
