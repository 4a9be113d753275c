/** What it probably means that a message was not answered, by exchange, role and state. @module */
import { formatAddress } from "../ip/address.ts";
import type { Fault } from "./events.ts";
import { endpointText } from "./log.ts";
import { STATES } from "./rows.ts";
import type { Exchange } from "./state.ts";

interface Silence {
  /** Which message did not come, or was not answered. */
  readonly what: string;
  /** The probable reason. */
  readonly why: (exchange: Exchange) => string;
  readonly advice: (exchange: Exchange) => string;
  /** The line to look at. */
  readonly origin?: (exchange: Exchange) => Fault["origin"];
  readonly item?: (exchange: Exchange) => string | undefined;
}

/** The port that the exchange uses now: 4500 once a NAT was seen. */
const port = ({ sa }: Exchange) => `UDP port ${sa.remote.port}`;
const ourAddress = ({ sa }: Exchange) => formatAddress(sa.local.address);
const addressLine = ({ sa }: Exchange) => sa.peer.origins.address ?? sa.peer.origin;
const connectionLine = ({ quick }: Exchange) => quick?.connection?.origin;

const FIRST_ANSWER: Silence = {
  what: "no answer to our first message",
  why: (exchange) => `the peer is down, does not know ${ourAddress(exchange)}, or a filter drops ${port(exchange)}`,
  advice: (exchange) =>
    `Let the peer's [Phase 1] name ${ourAddress(exchange)}, and filters pass ${port(exchange)} both ways`,
  origin: addressLine,
};

const OUR_ANSWER_LOST = {
  why: () => "our answer does not reach the peer, or the peer refuses it",
  advice: (exchange: Exchange) =>
    `Read the peer's log; let filters pass ${port(exchange)} to ${endpointText(exchange.sa.remote)}`,
  origin: addressLine,
};

/** Keys: exchange, role, state. */
const SILENCES: Readonly<Record<string, Silence>> = {
  "ID_PROT initiator SENT_SA": FIRST_ANSWER,
  "AGGRESSIVE initiator SENT_SA": FIRST_ANSWER,
  "ID_PROT initiator SENT_KE": {
    what: "no answer to our third message (Diffie-Hellman value and nonce)",
    why: () => "the peer refuses it without saying so, or its larger packets are lost on the way",
    advice: () => "Read the peer's log; let filters pass packets of 600 octets and fragments",
    origin: addressLine,
  },
  "ID_PROT initiator SENT_AUTH": {
    what: "no answer to our fifth message (ID and proof)",
    why: ({ sa }) =>
      sa.secret
        ? "probably different pre-shared keys, or the peer refuses our ID"
        : "the peer refuses our ID, signature or certificate without saying so, or fragments of it are lost",
    advice: (exchange) =>
      exchange.sa.secret
        ? `Set the same Authentication at both ends, and let filters pass ${port(exchange)}`
        : `Read the peer's log; let filters pass ${port(exchange)} and fragments`,
    origin: ({ sa }) => sa.negotiation?.secretOrigin ?? sa.peer.origins.localId ?? sa.peer.origin,
    item: ({ sa }) => sa.secret ? "Authentication" : undefined,
  },
  "ID_PROT responder SENT_SA": { what: "no third message (Diffie-Hellman value and nonce) came", ...OUR_ANSWER_LOST },
  "ID_PROT responder SENT_KE": {
    what: "no fifth message (ID and proof) came",
    ...OUR_ANSWER_LOST,
    advice: () => "Read the peer's log; let filters pass UDP ports 500 and 4500, and fragments",
  },
  "AGGRESSIVE responder SENT_AUTH": {
    what: "no third message (proof) came",
    why: () => "our answer does not reach the peer, or the peer refuses our ID or proof",
    advice: () => "Read the peer's log; let filters pass UDP ports 500 and 4500, and fragments",
    origin: addressLine,
  },
  "QUICK_MODE initiator SENT_SA": {
    what: "no answer to our proposals",
    why: () => "the peer has lost phase 1, or refuses them without saying so",
    advice: () => "Read the peer's log",
    origin: connectionLine,
  },
  "QUICK_MODE responder SENT_SA": {
    what: "the third message of Quick Mode did not come",
    ...OUR_ANSWER_LOST,
    origin: connectionLine,
  },
};

/** Nothing came in time. */
export function silence(exchange: Exchange): Fault {
  const { name, role, state, retransmissions } = exchange;
  const repeated = retransmissions ? ` after ${retransmissions} retransmissions` : "";
  const row = SILENCES[`${name} ${role} ${state}`];
  if (!row) return { code: "TIMEOUT", detail: `no answer${repeated} in state ${state} (${STATES[state]})` };
  return {
    code: "TIMEOUT",
    item: row.item?.(exchange),
    detail: `${row.what}${repeated}: ${row.why(exchange)}`,
    origin: row.origin?.(exchange),
    advice: row.advice(exchange),
  };
}
