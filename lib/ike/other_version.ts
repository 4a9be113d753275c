/** What becomes of a peer that speaks IKEv2: one line that says what to set on it, and the answer of RFC 7296 2.5. @module */
import { formatAddress } from "../ip/address.ts";
import { HEADER_OCTETS } from "../isakmp/message.ts";
import { EXCHANGE, PAYLOAD } from "../isakmp/numbers.ts";
import { Reader } from "../octets/reader.ts";
import type { Endpoint } from "./events.ts";
import { drop } from "./log.ts";
import { notifyPlain } from "./notify.ts";
import { reportRefusal } from "./outcome.ts";
import { peerOf } from "./phase1_sa.ts";
import type { Core } from "./state.ts";

const VERSION_2 = 2;
/** RFC 7296 3.1: the exchange that begins everything, and the flag of answers. */
const IKE_SA_INIT = 34;
const RESPONSE = 0x20;
const COOKIE_OCTETS = 8;

/** A datagram whose header is not ours. Answers whether it was a request of IKEv2, which is then refused. */
export function refuseOtherVersion(core: Core, from: Endpoint, to: Endpoint, octets: Uint8Array): boolean {
  if (octets.length < HEADER_OCTETS) return false;
  const reader = new Reader(octets);
  const initiatorCookie = reader.copy(COOKIE_OCTETS);
  const responderCookie = reader.copy(COOKIE_OCTETS);
  reader.skip(1);
  const version = reader.u8(), exchange = reader.u8(), flags = reader.u8();
  if (version >> 4 !== VERSION_2 || exchange !== IKE_SA_INIT || flags & RESPONSE) return false;
  if (!core.limiter.allows(core.now, `report ${formatAddress(from.address)}`)) {
    drop(core, "otherVersion", from);
    return true;
  }
  const peer = peerOf(core, from);
  reportRefusal(core, from, peer, {
    code: "INVALID_MAJOR_VERSION",
    item: "version",
    offered: ["IKEv2"],
    allowed: ["IKEv1"],
    origin: peer?.origin,
    advice:
      "Set the peer to IKEv1: version = 1 or keyexchange=ikev1 (strongSwan), ikev2=no or keyexchange=ikev1 (libreswan)",
  });
  const header = {
    initiatorCookie,
    responderCookie,
    nextPayload: PAYLOAD.NONE,
    exchange: EXCHANGE.INFO,
    flags: 0,
    messageId: 0,
  };
  notifyPlain(core, { local: to, remote: from, header }, "INVALID_MAJOR_VERSION");
  return true;
}
