/** Building and sending the messages of exchanges. @module */
import { fragment } from "../isakmp/fragments.ts";
import { encodeHeader, encodePayloads, type Header, type Payload } from "../isakmp/message.ts";
import { EXCHANGE, FLAG, PAYLOAD } from "../isakmp/numbers.ts";
import { type Bytes, concat } from "../octets/bytes.ts";
import { describeMessage } from "../isakmp/describe.ts";
import { exchangeNumber, ivOf } from "./exchange.ts";
import { HASH_1, HASH_2, HASH_3 } from "./keys.ts";
import { capture, endpointText, log } from "./log.ts";
import { BUILDERS } from "./builders.ts";
import { spend } from "./phase1_sa.ts";
import type { HashNumber, Token } from "./rows.ts";
import type { Context, Core, Exchange, Phase1Sa } from "./state.ts";
import { retransmitDelayMs } from "./timers.ts";

/** Octets of an ISAKMP message that fit an IP packet of 1280 octets: IP and UDP headers, non-ESP marker. */
const FRAGMENT_OCTETS = { 4: 1280 - 20 - 8 - 4, 6: 1280 - 40 - 8 - 4 } as const;

/** HASH(n) of a message of `exchange` whose other payloads are `rest`. */
export function hashOf(exchange: Exchange, hash: HashNumber, rest: Uint8Array): Bytes {
  const { sa, messageId, quick } = exchange;
  const { hash: H } = sa.terms!;
  const { SKEYID_a } = sa.keys!;
  if (hash === 1) return HASH_1(H, SKEYID_a, messageId, rest);
  if (hash === 2) return HASH_2(H, SKEYID_a, messageId, quick!.Ni_b!, rest);
  return HASH_3(H, SKEYID_a, messageId, quick!.Ni_b!, quick!.Nr_b!);
}

/** Sends the message of a row and arms what makes it be sent again. */
export function sendRow(context: Context): void {
  const { core, sa, exchange, row } = context;
  const { payloads: tokens, encrypted, hash, again } = row.sends!;
  const payloads: Payload[] = [];
  for (const sent of tokens) {
    const token = sent.replace("?", "") as Token;
    if (token !== "HASH") payloads.push(...BUILDERS[token](context));
  }
  if (hash) payloads.unshift({ type: PAYLOAD.HASH, body: hashOf(exchange, hash, encodePayloads(payloads)) });
  const header: Header = {
    initiatorCookie: sa.initiatorCookie,
    responderCookie: sa.responderCookie,
    nextPayload: payloads[0].type,
    exchange: exchangeNumber(exchange.name),
    flags: encrypted ? FLAG.ENCRYPTION : 0,
    messageId: exchange.messageId,
  };
  let body = encodePayloads(payloads);
  if (encrypted) {
    const { blockOctets } = sa.cbc!;
    const padding = (blockOctets - body.length % blockOctets) % blockOctets;
    body = sa.cbc!.encrypt(ivOf(exchange), concat(body, new Uint8Array(padding)));
    exchange.iv = body.slice(-blockOctets);
    spend(core, sa, body.length);
  }
  exchange.sent = { octets: concat(encodeHeader(header, body.length), body), header, repeats: 0 };
  exchange.retransmissions = 0;
  log(
    core,
    "Message",
    70,
    () => `Sending to ${endpointText(sa.remote)}:\n${describeMessage(header, payloads).join("\n")}`,
  );
  capture(core, sa, header, payloads, true);
  put(core, sa, exchange.sent.octets, header);
  if (again === "timer") core.timers.set(exchange, "retransmit", core.now + retransmitDelayMs(0));
}

/** Sends the last message of an exchange once more, the same octets. */
export function resend(core: Core, exchange: Exchange, onTimer: boolean): void {
  const { sent, sa } = exchange;
  if (!sent) return;
  log(core, "Exchange", 50, () => `Sending ${exchange.name} message again to ${endpointText(sa.remote)}`);
  put(core, sa, sent.octets, sent.header);
  if (onTimer) core.timers.set(exchange, "retransmit", core.now + retransmitDelayMs(exchange.retransmissions));
}

/** Hands a message to the edge, in fragments where the peer takes them and it would not fit. */
export function put(core: Core, sa: Phase1Sa, octets: Bytes, header: Header): void {
  const { local, remote } = sa;
  const most = FRAGMENT_OCTETS[remote.address.family];
  const whole = octets.length <= most || !sa.peer.fragmentation || !sa.capabilities.has("fragmentation");
  const exchange = sa.exchangeType === EXCHANGE.AGGRESSIVE ? EXCHANGE.AGGRESSIVE : EXCHANGE.ID_PROT;
  for (const piece of whole ? [octets] : fragment(octets, { ...header, exchange }, most)) {
    core.effects.push({ type: "send", local, remote, octets: piece });
  }
}
