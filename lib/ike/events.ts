/**
 * What goes into the core (`Ike`, lib/ike/ike.ts) and what comes out of it. Inputs are its methods; every input returns
 * the effects it has, in the order in which they are to happen. `Ike.deadline()` says when `onTimer` is wanted.
 *
 * @module
 */
import type { Address } from "../ip/address.ts";
import type { ClientSelector, Identification } from "../isakmp/identification.ts";
import type { Bytes } from "../octets/bytes.ts";
import type { Secret } from "../octets/secret.ts";
import type { Origin } from "./configuration.ts";

/** One end of a datagram. Port 4500 (the NAT port) means: in the presence of ESP, the edge adds the non-ESP marker. */
export interface Endpoint {
  readonly address: Address;
  readonly port: number;
}

/** isakmpd's debug classes (`-D`). */
export const LOG_CLASSES = [
  "Misc",
  "Transport",
  "Message",
  "Crypto",
  "Timer",
  "Sysdep",
  "SA",
  "Exchange",
  "Negotiation",
  "Policy",
  "UI",
] as const;
export type LogClass = typeof LOG_CLASSES[number];

// ---- slow computations -------------------------------------------------------------------------------------------

export interface Certificate {
  /** A value of CERT_ENCODING. */
  readonly encoding: number;
  readonly octets: Bytes;
}

/** Who the peer is said to be and what proves it. */
export interface VerifyTask {
  readonly op: "verify";
  /** A value of IKE_AUTHENTICATION, XAUTH and hybrid forms reduced to RSA_SIG, DSS or ECDSA_*. */
  readonly method: number;
  readonly peer: string;
  readonly remoteId: Identification;
  /** In the order in which they came: end entity first. */
  readonly certificates: readonly Certificate[];
  /** HASH_I or HASH_R: what was signed, itself a digest. */
  readonly octets: Bytes;
  readonly signature: Bytes;
}

export interface SignTask {
  readonly op: "sign";
  readonly method: number;
  readonly peer: string;
  readonly localId: Identification;
  /** What the peer asked for in CERT_REQUEST payloads: encoding and authority (empty: any). */
  readonly requests: readonly Certificate[];
  readonly octets: Bytes;
}

/** Slow work that the edge does off the main loop; lib/ike/compute.ts does it. */
export type Computation =
  | { readonly op: "generateKeyPair"; readonly group: number }
  | { readonly op: "sharedSecret"; readonly group: number; readonly privateKey: Bytes; readonly peerPublicValue: Bytes }
  | SignTask
  | VerifyTask;

/** What a computation gives. */
export interface ComputationValues {
  generateKeyPair: { readonly privateKey: Bytes; readonly publicValue: Bytes };
  sharedSecret: Bytes;
  /** The signature and the certificates that go with it, end entity first. */
  sign: { readonly signature: Bytes; readonly certificates: readonly Certificate[] };
  /** `credential` is handed to `authorize` as it is. */
  verify: { readonly credential?: unknown };
}
export type ComputationResult =
  | { readonly ok: true; readonly value: ComputationValues[Computation["op"]] }
  /** `error`: one sentence for people, without a full stop. */
  | { readonly ok: false; readonly error: string };

// ---- questions that the edge answers at once -----------------------------------------------------------------------

/** A query for the policy (KeyNote): the action attributes of isakmpd.policy(5) and who asks. */
export interface PolicyQuery {
  readonly attributes: Readonly<Record<string, string>>;
  /** The key that proved the peer: a pre-shared key, or what `verify` gave. */
  readonly secret?: Secret;
  readonly credential?: unknown;
  readonly peer: string;
  readonly connection?: string;
}

/** What the core is given besides its configuration. */
export interface Environment {
  /** Random octets. */
  random(octets: number): Bytes;
  /** Absent: everything that the configuration allows is allowed. */
  authorize?(query: PolicyQuery): { readonly allowed: boolean; readonly explanation: string };
  /** A DER name in one line, for policy queries; absent: hexadecimal digits. */
  nameText?(der: Uint8Array): string;
  /** DER names of the authorities whose certificates we accept from a peer; an empty one asks for any. */
  certificateAuthorities?(peer: string): readonly Certificate[];
  /** Our address towards a peer, where the configuration does not give one (what routing would choose). */
  localAddressFor?(remote: Address): Address | undefined;
  /** Whether the kernel has SAs with a peer that we did not make (an earlier run of the daemon did): no INITIAL-CONTACT then. */
  hasOtherSas?(remote: Address): boolean;
  /** Wall-clock time at `now`, for GMTTimeOfDay and LocalTimeOfDay in policy queries. */
  wallClock?(now: number): Date;
  /** Whether lines of this class and level are wanted; absent: none above level 0. */
  wantsLog?(logClass: LogClass, level: number): boolean;
  /** Whether clear-text messages (`-l`) and secrets for Wireshark are wanted. */
  readonly capture?: { readonly messages: boolean; readonly secrets: boolean };
  /** UDP ports, 500 and 4500. */
  readonly ports?: { readonly ike: number; readonly nat: number };
}

// ---- SAs -----------------------------------------------------------------------------------------------------------

/** What names an SA in the kernel. */
export interface SaName {
  readonly direction: "in" | "out";
  readonly protocol: "esp" | "ah";
  readonly spi: number;
  readonly source: Address;
  readonly destination: Address;
}

/** 0: no limit. */
export interface Limits {
  readonly seconds: number;
  readonly bytes: number;
}

/** A negotiated SA, ready to be installed. Algorithm names are those of crypto/algorithms.ts. */
export interface NegotiatedSa extends SaName {
  /** Pair to which it belongs; see {@linkcode PairStatus}. */
  readonly pair: number;
  readonly connection: string;
  readonly encryption?: string;
  readonly authentication?: string;
  /** With the salt at its end where the cipher has one. */
  readonly encryptionKey?: Bytes;
  readonly authenticationKey?: Bytes;
  readonly tunnel: boolean;
  readonly replayWindow: number;
  /** ESP in UDP: our port and the peer's. */
  readonly encapsulation?: { readonly localPort: number; readonly remotePort: number };
  /** Transport mode through NAT: the ends' own addresses (RFC 3947 5.2). */
  readonly natOriginal?: { readonly source?: Address; readonly destination?: Address };
  readonly soft: Limits;
  readonly hard: Limits;
  readonly localIdentity: Identification;
  readonly remoteIdentity: Identification;
}

/** The SPD entries that go with an SA pair. */
export interface NegotiatedFlow {
  readonly connection: string;
  readonly local: ClientSelector;
  readonly remote: ClientSelector;
  readonly localAddress: Address;
  readonly peer: Address;
  /** Of the innermost SA: it is applied first, and names the bundle to the kernel. */
  readonly protocol: "esp" | "ah";
  readonly tunnel: boolean;
  readonly localIdentity: Identification;
  readonly remoteIdentity: Identification;
}

/** An on-demand request of the kernel (SADB_ACQUIRE), or what is known of it. */
export interface AcquireRequest {
  readonly local: ClientSelector;
  readonly remote: ClientSelector;
  readonly peer: Address;
  readonly localAddress?: Address;
  /** Name of a connection, where the flow's identity names one. */
  readonly connection?: string;
}

// ---- diagnosis -----------------------------------------------------------------------------------------------------

/** Why a negotiation failed, as facts; `text` of the outcome words them. */
export interface Fault {
  /** Registry name of what was or could be sent about it (NOTIFY), or what happened locally. */
  readonly code: string;
  /** The attribute, ID or payload at fault. */
  readonly item?: string;
  readonly offered?: readonly string[];
  readonly allowed?: readonly string[];
  /** Our rule. */
  readonly origin?: Origin;
  /** One clause for people. */
  readonly detail?: string;
  /** One sentence, without its full stop: what to change. Where it is absent, the item tells. */
  readonly advice?: string;
}

/** How a negotiation ended, or that an SA ended. Each ends in exactly one. */
export interface Outcome {
  readonly phase: 1 | 2;
  readonly result: "established" | "failed" | "ended";
  readonly role: "initiator" | "responder";
  /** Section name of the peer; absent when the address belongs to none. */
  readonly peer?: string;
  readonly remote: Endpoint;
  readonly connection?: string;
  readonly fault?: Fault;
  /** One sentence for people. */
  readonly text: string;
}

// ---- effects -------------------------------------------------------------------------------------------------------

export type Effect =
  /** A datagram (without marker). */
  | { readonly type: "send"; readonly local: Endpoint; readonly remote: Endpoint; readonly octets: Bytes }
  /** One octet 0xFF (RFC 3948 4). */
  | { readonly type: "keepalive"; readonly local: Endpoint; readonly remote: Endpoint }
  /** Answer with `onComputed(now, id, result)`. */
  | { readonly type: "compute"; readonly id: number; readonly task: Computation }
  /** SADB_GETSPI for an inbound SA; answer with `onSpi(now, id, spi)`. */
  | {
    readonly type: "reserveSpi";
    readonly id: number;
    readonly protocol: "esp" | "ah";
    readonly local: Address;
    readonly remote: Address;
  }
  /** SADB_UPDATE of the reserved SPI (inbound) or SADB_ADD (outbound). */
  | { readonly type: "installSa"; readonly sa: NegotiatedSa }
  /** SADB_X_GRPSPIS: a bundle, innermost first. Follows the `installSa`s of its members. */
  | { readonly type: "bundle"; readonly members: readonly SaName[] }
  /** SADB_DELETE; the SA may be gone already, or be a reserved SPI. */
  | { readonly type: "removeSa"; readonly sa: SaName }
  | { readonly type: "installFlow"; readonly flow: NegotiatedFlow }
  /** The last pair of the flow is gone. Whether the flow goes too is the edge's policy. */
  | { readonly type: "removeFlow"; readonly flow: NegotiatedFlow }
  /** The peer's port changed behind its NAT: `sas`, of both directions, have that of `remote` from now on. */
  | {
    readonly type: "peerMoved";
    readonly local: Endpoint;
    readonly from: Endpoint;
    readonly remote: Endpoint;
    readonly sas: readonly SaName[];
  }
  /** What the mode config server gave us; values by name of CFG_ATTRIBUTE, as text. */
  | {
    readonly type: "addressing";
    readonly peer: string;
    readonly values: Readonly<Record<string, readonly string[]>>;
  }
  | { readonly type: "outcome"; readonly outcome: Outcome }
  | { readonly type: "log"; readonly class: LogClass; readonly level: number; readonly text: string }
  /** A message in clear, for the packet log: encryption flag off, padding gone. */
  | {
    readonly type: "capture";
    readonly local: Endpoint;
    readonly remote: Endpoint;
    readonly sent: boolean;
    readonly octets: Bytes;
  }
  /** Wireshark's IKEv1 decryption table: initiator cookie and encryption key. */
  | { readonly type: "secrets"; readonly initiatorCookie: Bytes; readonly encryptionKey: Bytes };

// ---- status --------------------------------------------------------------------------------------------------------

/** A phase 1 SA for reports. */
export interface Phase1Status {
  readonly initiatorCookie: Bytes;
  readonly responderCookie: Bytes;
  readonly role: "initiator" | "responder";
  readonly state: "negotiating" | "established";
  readonly peer?: string;
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly remoteId?: Identification;
  readonly lifeSeconds: number;
  /** Milliseconds of the core's clock; 0: none. */
  readonly softAt: number;
  readonly hardAt: number;
  readonly transform?: string;
  readonly nat?: "none" | "local" | "remote" | "both" | "forced";
}

/** A phase 2 SA pair (or bundle) for reports. */
export interface PairStatus {
  readonly pair: number;
  readonly connection: string;
  readonly role: "initiator" | "responder";
  /** The pair whose outbound SA is in use for its connection. */
  readonly current: boolean;
  readonly local: ClientSelector;
  readonly remote: ClientSelector;
  readonly sas: readonly NegotiatedSa[];
  readonly softAt: number;
  readonly hardAt: number;
}

export interface ExchangeStatus {
  readonly exchange: string;
  readonly role: "initiator" | "responder";
  readonly state: string;
  /** The state in plain words. */
  readonly story: string;
  readonly messageId: number;
  readonly connection?: string;
  readonly remote: Endpoint;
  readonly retransmissions: number;
}
