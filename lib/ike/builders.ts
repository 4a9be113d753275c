/** Makes each kind of payload that is sent, from what the exchange has gathered. @module */
import { addressId } from "../isakmp/identification.ts";
import type { Payload } from "../isakmp/message.ts";
import { PAYLOAD } from "../isakmp/numbers.ts";
import { CERT_LAYOUT, CERT_REQUEST_LAYOUT, ID_LAYOUT, NAT_OA_LAYOUT, NONCE_LAYOUT } from "../isakmp/payloads.ts";
import { isSignature } from "./authentication.ts";
import { natHash } from "./keys.ts";
import { ourVendorIds } from "./capabilities.ts";
import { responderLifetimes } from "./lifetimes.ts";
import { initialContact } from "./notify.ts";
import type { Token } from "./rows.ts";
import type { Context } from "./state.ts";
import { address } from "../ip/address.ts";

const payload = (type: number, body: Payload["body"] | undefined): Payload[] => body ? [{ type, body }] : [];

/** By token, what goes into the message; nothing where the payload is optional and not needed. */
export const BUILDERS: Readonly<Record<Exclude<Token, "HASH">, (context: Context) => readonly Payload[]>> = {
  SA: ({ sa, exchange }) => {
    const { quick } = exchange;
    const n = sa.negotiation;
    return payload(PAYLOAD.SA, quick ? quick.sa_b : exchange.role === "initiator" ? n!.SAi_b : n!.SAr_b);
  },

  KEY_EXCH: ({ sa, exchange }) =>
    payload(PAYLOAD.KEY_EXCH, (exchange.quick ? exchange.quick.keyPair : sa.negotiation!.keyPair)?.publicValue),

  NONCE: ({ sa, exchange }) => {
    const nonces = exchange.quick ?? sa.negotiation!;
    const nonce = exchange.role === "initiator" ? nonces.Ni_b! : nonces.Nr_b!;
    return payload(PAYLOAD.NONCE, NONCE_LAYOUT.encode({ nonce }));
  },

  ID: ({ sa, exchange }) =>
    exchange.quick ? exchange.quick.ids ?? [] : payload(PAYLOAD.ID, ID_LAYOUT.encode(sa.localId!)),

  CERT: ({ sa }) =>
    sa.negotiation!.certificates.map((certificate) => ({ type: PAYLOAD.CERT, body: CERT_LAYOUT.encode(certificate) })),

  CERT_REQUEST: ({ core, sa }) => {
    if (!isSignature(sa.terms!.method)) return [];
    const authorities = core.environment.certificateAuthorities?.(sa.peer.name) ?? [];
    return authorities.map((authority) => ({
      type: PAYLOAD.CERT_REQUEST,
      body: CERT_REQUEST_LAYOUT.encode(authority),
    }));
  },

  AUTH: ({ sa }) => [sa.negotiation!.proof!],

  NOTIFY: ({ sa, exchange }) => {
    if (exchange.quick) {
      return responderLifetimes(exchange).map((body) => ({ type: PAYLOAD.NOTIFY, body }));
    }
    if (exchange.name === "INFO") return exchange.outgoing!.filter(({ type }) => type === PAYLOAD.NOTIFY);
    return sa.negotiation!.sendInitialContact ? [initialContact(sa)] : [];
  },

  DELETE: ({ exchange }) => exchange.outgoing!.filter(({ type }) => type === PAYLOAD.DELETE),

  ATTRIBUTE: ({ exchange }) => exchange.outgoing!,

  VENDOR: ({ sa }) => ourVendorIds(sa).map((body) => ({ type: PAYLOAD.VENDOR, body })),

  NAT_D: ({ core, sa }) => {
    const { nat, terms } = sa;
    if (!nat) return [];
    const hash = (end: typeof sa.local) =>
      natHash(terms!.hash, sa.initiatorCookie, sa.responderCookie, end.address.octets, end.port);
    const type = nat.version === "rfc" ? PAYLOAD.NAT_D : PAYLOAD.NAT_D_DRAFT;
    // A source that cannot be right makes the peer see a NAT, hence encapsulate.
    const source = nat.forced ? core.environment.random(hash(sa.local).length) : hash(sa.local);
    return [{ type, body: hash(sa.remote) }, { type, body: source }];
  },

  NAT_OA: ({ sa, exchange }) => {
    const { nat } = sa;
    const original = exchange.quick!.natOriginal;
    if (!nat || !original) return [];
    const body = (octets: typeof sa.local.address.octets) =>
      NAT_OA_LAYOUT.encode({ type: addressId(address(octets)).type, address: octets });
    const local = sa.local.address.octets, remote = sa.remote.address.octets;
    if (nat.version === "draft") return [{ type: PAYLOAD.NAT_OA_DRAFT, body: body(local) }];
    // RFC 3947 5.2: the initiator's address first, each as its sender sees it.
    const inOrder = exchange.role === "initiator" ? [local, remote] : [remote, local];
    return inOrder.map((octets) => ({ type: PAYLOAD.NAT_OA, body: body(octets) }));
  },
};
