/** What it means that the peer answers with an error notify, and what of ours it is about. @module */
import { addressId, describeId, describeSelector } from "../isakmp/identification.ts";
import { nameOf, NOTIFY } from "../isakmp/numbers.ts";
import type { Fault } from "./events.ts";
import { describeOffer } from "./negotiate.ts";
import { refusedValue } from "./public_value.ts";
import type { Exchange } from "./state.ts";

/** Errors that are about what we proposed. */
const PROPOSAL_ERRORS: readonly number[] = [
  NOTIFY.NO_PROPOSAL_CHOSEN,
  NOTIFY.BAD_PROPOSAL_SYNTAX,
  NOTIFY.ATTRIBUTES_NOT_SUPPORTED,
  NOTIFY.INVALID_TRANSFORM_ID,
  NOTIFY.INVALID_PROTOCOL_ID,
  NOTIFY.DOI_NOT_SUPPORTED,
  NOTIFY.SITUATION_NOT_SUPPORTED,
  NOTIFY.INVALID_EXCHANGE_TYPE,
  NOTIFY.UNSUPPORTED_EXCHANGE_TYPE,
];

/** Errors by which a peer tells that it does not believe us. */
const PROOF_ERRORS: readonly number[] = [
  NOTIFY.AUTHENTICATION_FAILED,
  NOTIFY.INVALID_HASH_INFORMATION,
  NOTIFY.INVALID_ID_INFORMATION,
  NOTIFY.INVALID_SIGNATURE,
  NOTIFY.INVALID_CERTIFICATE,
  NOTIFY.INVALID_CERT_AUTHORITY,
  NOTIFY.INVALID_CERT_ENCODING,
  NOTIFY.CERT_TYPE_UNSUPPORTED,
  NOTIFY.CERTIFICATE_UNAVAILABLE,
];

const READ_ITS_LOG = "Read the peer's log: it says what it allows";

/** What the peer's error means, with what we sent; `sealed`: it came under the keys of phase 1. */
export function refusedByPeer(exchange: Exchange, type: number, sealed = false): Fault {
  const value = type === NOTIFY.INVALID_KEY_INFORMATION ? refusedValue(exchange) : undefined;
  if (value) return value;
  return exchange.quick ? quickRefused(exchange, type) : phase1Refused(exchange, type, sealed);
}

function quickRefused({ quick }: Exchange, type: number): Fault {
  const { connection, offer, local, remote } = quick!;
  const code = nameOf(NOTIFY, type);
  const { origin, origins } = connection!;
  if (type === NOTIFY.INVALID_ID_INFORMATION) {
    return {
      code,
      offered: [`IDs ${describeSelector(local)} to ${describeSelector(remote)}`],
      detail: `the peer refuses them: ${code}`,
      origin: origins.localId ?? origin,
      advice: "Let Local-ID and Remote-ID of the peer's connection be our Remote-ID and Local-ID",
    };
  }
  return {
    code,
    offered: offer && describeOffer(offer),
    detail: `the peer refuses it: ${code}`,
    origin: origins.suites ?? origin,
    advice: READ_ITS_LOG,
  };
}

function phase1Refused(exchange: Exchange, type: number, sealed: boolean): Fault {
  const { sa, role } = exchange;
  const { peer, negotiation } = sa;
  const code = nameOf(NOTIFY, type);
  const hasProven = negotiation?.proof !== undefined;
  const isProof = PROOF_ERRORS.includes(type) || (hasProven && type === NOTIFY.PAYLOAD_MALFORMED);
  if (role === "initiator" && PROPOSAL_ERRORS.includes(type) && !hasProven) {
    return {
      code,
      offered: negotiation?.offer && [`${peer.exchange} ${describeOffer(negotiation.offer).join(", ")}`],
      detail: `the peer refuses it: ${code}`,
      origin: peer.origins.transforms ?? peer.origin,
      advice: READ_ITS_LOG,
    };
  }
  const id = describeId(sa.localId ?? peer.localId ?? addressId(sa.local.address));
  if (isProof && sealed && sa.secret) {
    return {
      code,
      item: "ID",
      detail: `the pre-shared keys agree, but the peer refuses our ID ${id} or AUTHENTICATION_METHOD: ${code}`,
      origin: peer.origins.localId ?? peer.origin,
      advice: READ_ITS_LOG,
    };
  }
  if (isProof && !sealed && peer.secret) {
    return {
      code,
      item: "Authentication",
      detail: hasProven || role === "responder"
        ? `the peer refuses our proof (${code}): probably different pre-shared keys, or the peer refuses our ID ${id}`
        : `the peer refuses us (${code}): it has no pre-shared key for us, or refuses our ID ${id}`,
      origin: negotiation?.secretOrigin ?? peer.origins.secret,
      advice: "Set the same Authentication at both ends, and the peer's Remote-ID to our ID",
    };
  }
  if (isProof) {
    return {
      code,
      item: "ID",
      detail: `the peer refuses our ID ${id}, signature or certificate: ${code}`,
      origin: peer.origins.localId ?? peer.origin,
      advice: "Read the peer's log: it says what it misses",
    };
  }
  return {
    code,
    detail: `the peer gives up: ${code}`,
    origin: peer.origin,
    advice: "Read the peer's log: it says why",
  };
}
