/** The payload layouts of RFC 2408 3.4 to 3.16 and of its extensions. Bodies: what follows the generic header. @module */
import { address, formatAddress } from "../ip/address.ts";
import type { Bytes } from "../octets/bytes.ts";
import { formatHex } from "../octets/hex.ts";
import { countOf, elementLength, type Layout, layout, lengthOf, number, reserved, rest, sized } from "./layout.ts";
import { CERT_ENCODING, CFG_TYPE, DOI, ID_TYPE, NOTIFY, PAYLOAD, PROTOCOL_ID, SITUATION } from "./numbers.ts";
import { vendorName } from "./vendor_ids.ts";

const octetsAndHex = (value: Bytes) => `${value.length} octets ${formatHex(value)}`;

export const SA_LAYOUT = layout("SA", "RFC 2408 3.4, RFC 2407 4.6.1", {
  doi: number(4, DOI),
  situation: number(4, SITUATION),
  proposals: rest(0, 65535, () => ""),
});

export const KEY_EXCH_LAYOUT = layout("KEY_EXCH", "RFC 2408 3.7", { publicValue: rest(1, 2048, octetsAndHex) });

export const ID_LAYOUT = layout("ID", "RFC 2408 3.8, RFC 2407 4.6.2", {
  type: number(1, ID_TYPE),
  protocol: number(1),
  port: number(2),
  data: rest(0, 8192),
});

export const CERT_LAYOUT = layout("CERT", "RFC 2408 3.9", {
  encoding: number(1, CERT_ENCODING),
  octets: rest(0, 32768, octetsAndHex),
});

export const CERT_REQUEST_LAYOUT = layout("CERT_REQUEST", "RFC 2408 3.10", {
  encoding: number(1, CERT_ENCODING),
  octets: rest(0, 8192),
});

export const HASH_LAYOUT = layout("HASH", "RFC 2408 3.11", { hash: rest(1, 256) });
export const SIG_LAYOUT = layout("SIG", "RFC 2408 3.12", { signature: rest(1, 4096, octetsAndHex) });
/** RFC 2409 5: 8 to 256 octets. */
export const NONCE_LAYOUT = layout("NONCE", "RFC 2408 3.13, RFC 2409 5", { nonce: rest(8, 256) });

export const NOTIFY_LAYOUT = layout("NOTIFY", "RFC 2408 3.14", {
  doi: number(4, DOI),
  protocol: number(1, PROTOCOL_ID),
  spiOctets: lengthOf("spi"),
  type: number(2, NOTIFY),
  spi: sized(),
  data: rest(0, 8192),
});

export const DELETE_LAYOUT = layout("DELETE", "RFC 2408 3.15", {
  doi: number(4, DOI),
  protocol: number(1, PROTOCOL_ID),
  spiOctets: elementLength("spis"),
  count: countOf("spis", "spiOctets"),
  spis: sized(),
});

export const VENDOR_LAYOUT = layout("VENDOR", "RFC 2408 3.16", {
  id: rest(0, 4096, (id) => {
    const name = vendorName(id);
    return name ? `${formatHex(id)} (${name})` : formatHex(id);
  }),
});

export const ATTRIBUTE_LAYOUT = layout("ATTRIBUTE", "draft-dukes-ike-mode-cfg 3.2", {
  type: number(1, CFG_TYPE),
  reserved: reserved(1),
  identifier: number(2),
  attributes: rest(0, 16384, () => ""),
});

export const NAT_D_LAYOUT = layout("NAT_D", "RFC 3947 3.2", { hash: rest(1, 64) });

export const NAT_OA_LAYOUT = layout("NAT_OA", "RFC 3947 5.2", {
  type: number(1, ID_TYPE),
  reserved: reserved(3),
  address: rest(4, 16, (octets) => octets.length % 12 === 4 ? formatAddress(address(octets)) : formatHex(octets)),
});

/** Not of any RFC: Cisco's fragments as strongSwan, racoon, libreswan and Windows speak them. */
export const FRAGMENT_LAYOUT = layout("FRAGMENT", "vendor, IKE fragmentation", {
  id: number(2),
  number: number(1),
  flags: number(1),
  piece: rest(1, 65535, octetsAndHex),
});

/** Layout by payload type; what is missing here is unknown. PROPOSAL and TRANSFORM live inside SA (proposals.ts). */
export const LAYOUTS: ReadonlyMap<number, Layout<any>> = new Map<number, Layout<any>>([
  [PAYLOAD.SA, SA_LAYOUT],
  [PAYLOAD.KEY_EXCH, KEY_EXCH_LAYOUT],
  [PAYLOAD.ID, ID_LAYOUT],
  [PAYLOAD.CERT, CERT_LAYOUT],
  [PAYLOAD.CERT_REQUEST, CERT_REQUEST_LAYOUT],
  [PAYLOAD.HASH, HASH_LAYOUT],
  [PAYLOAD.SIG, SIG_LAYOUT],
  [PAYLOAD.NONCE, NONCE_LAYOUT],
  [PAYLOAD.NOTIFY, NOTIFY_LAYOUT],
  [PAYLOAD.DELETE, DELETE_LAYOUT],
  [PAYLOAD.VENDOR, VENDOR_LAYOUT],
  [PAYLOAD.ATTRIBUTE, ATTRIBUTE_LAYOUT],
  [PAYLOAD.NAT_D, NAT_D_LAYOUT],
  [PAYLOAD.NAT_OA, NAT_OA_LAYOUT],
  [PAYLOAD.NAT_D_DRAFT, NAT_D_LAYOUT],
  [PAYLOAD.NAT_OA_DRAFT, NAT_OA_LAYOUT],
  [PAYLOAD.FRAGMENT, FRAGMENT_LAYOUT],
]);

/** How many payloads of a type one message may hold; what is not listed: one, or any number of unknown private ones. */
export const MOST_PER_MESSAGE: ReadonlyMap<number, number> = new Map<number, number>([
  [PAYLOAD.SA, 4],
  [PAYLOAD.ID, 2],
  [PAYLOAD.CERT, 8],
  [PAYLOAD.CERT_REQUEST, 32],
  [PAYLOAD.NOTIFY, 20],
  [PAYLOAD.DELETE, 20],
  [PAYLOAD.VENDOR, 40],
  [PAYLOAD.NAT_D, 10],
  [PAYLOAD.NAT_D_DRAFT, 10],
  [PAYLOAD.NAT_OA, 2],
  [PAYLOAD.NAT_OA_DRAFT, 2],
]);
