/** One exchange: its states and what each phase has added to it. @module */
import { type Bytes, concat, erase } from "../octets/bytes.ts";
import type { SectionChoice } from "./choose.ts";
import type { Endpoint } from "./cookies.ts";
import type { Contribution } from "./keys.ts";
import type { PrivacyContext } from "./privacy.ts";
import type { ChosenScheme } from "./schemes.ts";
import type { Identity, StartRequest } from "./settings.ts";

export type Role = "initiator" | "responder";

/** States are named for what was sent last or is being worked out. */
export const STATES = [
  "COOKIE_SENT",
  "CHOOSING",
  "VALUE_SENT",
  "DERIVING",
  "RESERVING",
  "IDENTITY_SENT",
  "VALUE_COMPUTING",
  "VALUE_ANSWERED",
  "IDENTITY_ANSWERING",
  "ESTABLISHED",
  "ENDED",
] as const;
export type State = typeof STATES[number];

/** Set by the Value Exchange. */
export interface ValuePhase {
  readonly chosen: ChosenScheme;
  readonly exponent: Bytes;
  readonly own: Contribution;
  /** The initiator knows it from the Value_Response on. */
  peer?: Contribution;
  /** The shared-secret, once computed. */
  shared?: Bytes;
}

/** Set by the Identification Exchange. */
export interface IdentityPhase {
  readonly own: Identity;
  readonly ownChoice: number;
  /** Our and the peer's Identity Verification, with Sizes. */
  readonly ownVerification: Bytes;
  readonly peer: Identity;
  readonly peerChoice: number;
  readonly peerVerification: Bytes;
}

/** Our half, while the peer's is outstanding. */
export type OwnIdentity = Pick<IdentityPhase, "own" | "ownChoice" | "ownVerification">;

/** An SPI that we have reserved and are about to announce. */
export interface Announced {
  readonly spi: number;
  readonly lifeSeconds: number;
  readonly choices: readonly SectionChoice[];
  /** Attribute-Choices as sent. */
  readonly attributes: Bytes;
}

/** A datagram that waits for its answer. */
export interface Retransmission {
  readonly datagram: Bytes;
  at: number;
  left: number;
  intervalMs: number;
}

export interface Exchange {
  readonly id: number;
  readonly role: Role;
  state: State;
  peer: Endpoint;
  readonly local: Endpoint;
  readonly initiatorCookie: Bytes;
  responderCookie: Bytes;
  counter: number;
  readonly startedAt: number;
  expiresAt: number;
  /** Initiator: what it is for. */
  readonly request?: StartRequest;
  /** Responder: our own wish for the peer, if we have one. */
  wish?: StartRequest;
  /** More that wait for the same outcome. */
  readonly joined: StartRequest[];
  /** The Responder's Offered-Schemes. */
  offeredSchemes: Bytes;
  chosen?: ChosenScheme;
  values?: ValuePhase;
  ownIdentity?: OwnIdentity;
  identity?: IdentityPhase;
  announced?: Announced;
  /** A verified Identity_Request that is not answered yet. */
  verified?: VerifiedIdentity & { readonly datagram: Bytes };
  retransmission?: Retransmission;
  /** The last request answered and the answer: a duplicate gets the same again. */
  answered?: { readonly request: Bytes; readonly reply: Bytes };
  /** An Identity_Request that came before the shared-secret was computed. */
  held?: Bytes;
  /** What to put into the next Cookie_Request, from a Resource_Limit or Bad_Cookie. */
  restart?: { readonly responderCookie: Bytes; readonly counter: number };
  restarts: number;
  /** Whether those who wait have been told the outcome. */
  told: boolean;
  /** SPIs that the peer has announced in this exchange: none may come twice, RFC 2522 6.2. */
  readonly peerSpis: Set<number>;
}

/** What a verified Identity message says. */
export interface VerifiedIdentity {
  readonly peer: Identity;
  readonly peerChoice: number;
  /** With its Size. */
  readonly verification: Bytes;
  /** 0: the peer owns no SPI. */
  readonly spi: number;
  readonly lifeSeconds: number;
  readonly choices: readonly SectionChoice[];
  /** Attribute-Choices as received. */
  readonly attributes: Bytes;
}

/** Both cookies, as key derivation hashes them. */
export const cookiesOf = (exchange: Exchange): Bytes => concat(exchange.initiatorCookie, exchange.responderCookie);

/** Keys of messages that we send ("own") or receive ("peer"). */
export function privacyContext(exchange: Exchange, sender: "own" | "peer"): PrivacyContext {
  const values = exchange.values!;
  const receiver = sender === "own" ? "peer" : "own";
  return {
    scheme: values.chosen.scheme,
    senderExchangeValue: values[sender]!.exchangeValue,
    receiverExchangeValue: values[receiver]!.exchangeValue,
    shared: values.shared!,
  };
}

/** Overwrites what an attacker would want of an exchange that has ended. */
export function purge(exchange: Exchange): void {
  if (exchange.values) erase(exchange.values.exponent, ...(exchange.values.shared ? [exchange.values.shared] : []));
  exchange.values = undefined;
  exchange.retransmission = undefined;
}

/** Whether identification is still to come: such exchanges cost memory that the peer has not earned. */
export const isUnidentified = (exchange: Exchange): boolean =>
  exchange.role === "responder" && exchange.state !== "ESTABLISHED" && exchange.state !== "ENDED";
