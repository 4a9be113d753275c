/** Sending informational messages: protected ones under an SA, and the few in clear. @module */
import { formatAddress } from "../ip/address.ts";
import { encodeMessage, type Header, type Payload } from "../isakmp/message.ts";
import { DOI, EXCHANGE, NOTIFY, type NotifyName, PAYLOAD, PROTOCOL_ID } from "../isakmp/numbers.ts";
import { NOTIFY_LAYOUT } from "../isakmp/payloads.ts";
import { Builder } from "../octets/builder.ts";
import { type Bytes, concat } from "../octets/bytes.ts";
import type { Endpoint } from "./events.ts";
import { beginProtected } from "./exchange.ts";
import { log } from "./log.ts";
import type { Core, Exchange, Phase1Sa } from "./state.ts";

/** An informational message with these payloads. It is not acknowledged and not repeated. */
export function sendProtected(core: Core, sa: Phase1Sa, payloads: readonly Payload[]): void {
  if (sa.state !== "established") return;
  beginProtected(core, sa, "INFO", (exchange) => exchange.outgoing = payloads);
}

/** A NOTIFY payload. */
export function notifyPayload(type: number, protocol: number, spi: Bytes, data: Bytes = new Uint8Array(0)): Payload {
  return { type: PAYLOAD.NOTIFY, body: NOTIFY_LAYOUT.encode({ doi: DOI.IPSEC, protocol, type, spi, data }) };
}

/** INITIAL-CONTACT, RFC 2407 4.6.3.3: its SPI is the cookies of the SA under which it is sent. */
export const initialContact = ({ initiatorCookie, responderCookie }: Phase1Sa): Payload =>
  notifyPayload(NOTIFY.INITIAL_CONTACT, PROTOCOL_ID.ISAKMP, concat(initiatorCookie, responderCookie));

/** Tells the peer under its SA why an exchange failed; a Quick Mode is named by the initiator's SPI. Never answers INFO. */
export function notifyPeer(core: Core, exchange: Exchange, type: NotifyName): void {
  if (exchange.name === "INFO") return;
  const { quick } = exchange;
  const proposal = quick?.offer?.[0];
  const payload = proposal
    ? notifyPayload(NOTIFY[type], proposal.protocol, proposal.spi)
    : notifyPayload(NOTIFY[type], PROTOCOL_ID.ISAKMP, new Uint8Array(0));
  sendProtected(core, exchange.sa, [payload]);
}

/** An error notify in clear, a hint that the receiver need not believe; rate-limited by source. */
export function notifyPlain(
  core: Core,
  to: Phase1Sa | { readonly local: Endpoint; readonly remote: Endpoint; readonly header: Header },
  type: NotifyName,
): void {
  const { local, remote } = to;
  if (!("header" in to) && !core.limiter.allows(core.now, `notify ${formatAddress(remote.address)}`)) return;
  const cookies = "header" in to ? to.header : to;
  const messageId = core.environment.random(4).reduce((id, octet) => (id << 8 | octet) >>> 0, 0) || 1;
  const header: Header = {
    initiatorCookie: cookies.initiatorCookie,
    responderCookie: cookies.responderCookie,
    nextPayload: PAYLOAD.NOTIFY,
    exchange: EXCHANGE.INFO,
    flags: 0,
    messageId,
  };
  log(core, "Message", 30, () => `Sending ${type} in clear to ${formatAddress(remote.address)}`);
  const octets = encodeMessage(header, [notifyPayload(NOTIFY[type], PROTOCOL_ID.ISAKMP, new Uint8Array(0))]);
  core.effects.push({ type: "send", local, remote, octets });
}

/** Four octets. */
export const u32 = (value: number): Bytes => new Builder().u32(value).finish();
