/** What the core remembers: phase 1 SAs, exchanges, SA pairs, connections wanted. Plain data; the modules work on it. @module */
import type { Cbc } from "../crypto/cipher.ts";
import type { Attribute } from "../isakmp/attributes.ts";
import type { Reassembly } from "../isakmp/fragments.ts";
import type { ClientSelector, Identification } from "../isakmp/identification.ts";
import type { Header, Payload } from "../isakmp/message.ts";
import type { Proposal } from "../isakmp/proposals.ts";
import type { Capability } from "../isakmp/vendor_ids.ts";
import type { Bytes } from "../octets/bytes.ts";
import type { Secret } from "../octets/secret.ts";
import type { Configuration, Connection, Origin, Peer, Suite, TransformRule } from "./configuration.ts";
import type {
  Certificate,
  Computation,
  ComputationValues,
  Effect,
  Endpoint,
  Environment,
  Fault,
  NegotiatedSa,
} from "./events.ts";
import type { IndexMap } from "./index_map.ts";
import type { Initiating, Wants } from "./indexes.ts";
import type { SkeyidKeys } from "./keys.ts";
import type { SuiteChoice } from "./negotiate.ts";
import type { RateLimiter } from "./rate_limiter.ts";
import type { Row, State } from "./rows.ts";
import type { Phase1Terms, Phase2Terms } from "./terms.ts";
import type { Timers } from "./timers.ts";

export type Role = "initiator" | "responder";

/** Everything. One object per `Ike`. */
export interface Core {
  configuration: Configuration;
  readonly environment: Environment;
  readonly ports: { readonly ike: number; readonly nat: number };
  /** Time of the current input. */
  now: number;
  /** What the current input has caused so far. */
  effects: Effect[];
  readonly timers: Timers;
  /** Phase 1 SAs by both cookies. */
  readonly sas: Map<string, Phase1Sa>;
  /** The same by initiator cookie and peer address, for messages without responder cookie. */
  readonly openings: Map<string, Phase1Sa>;
  /** Responders' SAs whose initiators have shown nothing yet, oldest first. */
  readonly halfOpen: Set<Phase1Sa>;
  /** Those whose initiators have sent our cookie back, so that they are where they say, oldest first. */
  readonly reachable: Set<Phase1Sa>;
  /** Keys of first messages that were refused lately. */
  readonly refused: Set<string>;
  readonly halfOpenBySource: Map<string, number>;
  /** SAs under way that we began. */
  readonly initiating: Initiating;
  /** Established SAs by identity of the peer, oldest first, and by its address. */
  readonly established: IndexMap<Phase1Sa>;
  readonly establishedByAddress: IndexMap<Phase1Sa>;
  readonly pairs: Map<number, SaPair>;
  /** Pairs by identity of the peer and by its address. */
  readonly pairsByPeer: IndexMap<SaPair>;
  readonly pairsByAddress: IndexMap<SaPair>;
  /** Pairs by what they protect, in the order in which their outbound SAs were installed; those without come last. */
  readonly pairsByKey: Map<string, SaPair[]>;
  /** Pairs by protocol, SPI and the address that receives. */
  readonly pairsBySpi: Map<string, SaPair>;
  /** Pairs by the name of their connection. */
  readonly pairsByConnection: IndexMap<SaPair>;
  /** Pairs the peer never confirmed. */
  readonly unconfirmed: Set<SaPair>;
  /** Connections to be brought up, by key. */
  readonly wants: Wants;
  /** Connections torn down by hand: nobody makes them again until asked to. */
  readonly suspended: Set<string>;
  /** Exchanges that wait for a computation or an SPI. */
  readonly waits: Map<number, { readonly exchange: Exchange; readonly wait: Wait }>;
  /** Notifies and log lines about things that nobody authenticated. */
  readonly limiter: RateLimiter;
  readonly counters: Counters;
  nextId: number;
  started: boolean;
  /** `-S`: connections are not brought up. */
  passive: boolean;
}

/** Messages dropped, by reason, and a few events worth counting. */
export type Counters = Record<string, number>;

/** What is negotiated about a phase 1 SA and forgotten afterwards. */
export interface Phase1Negotiation {
  offer?: readonly Proposal[];
  /** Octets of the initiator's SA payload, of both KE, NONCE and ID payloads. */
  SAi_b?: Bytes;
  g_xi?: Bytes;
  g_xr?: Bytes;
  Ni_b?: Bytes;
  Nr_b?: Bytes;
  IDii_b?: Bytes;
  IDir_b?: Bytes;
  /** The responder's answer. */
  SAr_b?: Bytes;
  keyPair?: ComputationValues["generateKeyPair"];
  /** What the peer asked for. */
  requests: Certificate[];
  /** The HASH or SIG payload that proves us, and the certificates that go with it. */
  proof?: Payload;
  certificates: readonly Certificate[];
  sendInitialContact?: boolean;
  /** We end the SA before the time that the initiator offered. */
  endsEarlier?: boolean;
  receivedInitialContact?: boolean;
  secretOrigin?: Origin;
}

/** NAT traversal of a phase 1 SA. */
export interface NatState {
  /** Which numbers: RFC 3947's or the drafts'. */
  readonly version: "rfc" | "draft";
  localBehind: boolean;
  remoteBehind: boolean;
  /** Encapsulate whatever was seen. */
  forced: boolean;
}

export interface DpdState {
  /** Our next sequence number. */
  sequence: number;
  /** The question that is not answered, when it was asked first, and whether the peer was heard elsewhere since. */
  pending?: { readonly sequence: number; readonly since: number; tries: number; lives?: true };
  /** When something authenticated came last. */
  heardAt: number;
  /** The highest number the peer asked with, and when. */
  peerSequence?: number;
  answeredAt: number;
}

/** A phase 1 SA, from its first message on. */
export interface Phase1Sa {
  readonly id: number;
  /** Its key in `Core.openings`. */
  readonly opening: string;
  readonly role: Role;
  /** Its section as it was when the negotiation began; once established, as it is now. */
  peer: Peer;
  /** Of the peer, across SAs; empty until it stands fast. */
  identity: string;
  readonly initiatorCookie: Bytes;
  /** Zeros until the responder has chosen. */
  responderCookie: Bytes;
  local: Endpoint;
  remote: Endpoint;
  state: "negotiating" | "established" | "dead";
  readonly exchangeType: number;
  readonly capabilities: Set<Capability>;
  nat?: NatState;
  terms?: Phase1Terms;
  rule?: TransformRule;
  keys?: SkeyidKeys;
  cbc?: Cbc;
  /** Last cipher block of phase 1. */
  lastBlock?: Bytes;
  negotiation?: Phase1Negotiation;
  localId?: Identification;
  remoteId?: Identification;
  secret?: Secret;
  credential?: unknown;
  /** Exchanges by message ID; phase 1's own is 0. */
  readonly exchanges: Map<number, Exchange>;
  readonly usedIds: Set<number>;
  readonly startedAt: number;
  establishedAt: number;
  /** A newer one took its place. */
  replaced: boolean;
  /** It said INITIAL-CONTACT. */
  initialContact?: boolean;
  /** The identity of the peer whose pairs it is to ask after. */
  probes?: string;
  reassembly?: { readonly since: number; readonly pieces: Reassembly };
  dpd?: DpdState;
  /** XAUTH and mode config, where they are needed. */
  extension?: ExtensionState;
  /** Encrypted so far. */
  octets: number;
}

/** How far XAUTH and mode config have come; phase 2 waits for `ready`. */
export interface ExtensionState {
  /** Who is asked by XAUTH. */
  readonly xauth?: "client" | "server";
  user?: string;
  attempts: number;
  /** The user is proven, or nobody asks for one: the peer may begin phase 2. */
  admitted: boolean;
  /** Nothing is missing: we may begin phase 2. */
  ready: boolean;
  /** Mode config: our address at the server, or the client's. */
  assigned?: Bytes;
}

/** A message that arrived, decrypted, its payloads read. */
export interface Incoming {
  readonly header: Header;
  readonly from: Endpoint;
  readonly to: Endpoint;
  /** The whole message as it came. */
  readonly datagram: Bytes;
  readonly payloads: readonly Payload[];
  /** The payloads after the first one, with their generic headers, without padding. */
  readonly rest: Bytes;
  /** The IV of what follows. */
  readonly nextIv?: Bytes;
}

/** One exchange. */
export interface Exchange {
  readonly name: Row["exchange"];
  readonly role: Role;
  readonly sa: Phase1Sa;
  readonly messageId: number;
  state: State;
  iv?: Bytes;
  /** The last message accepted, to know its copies. */
  received?: Bytes;
  /** The last message sent, and how often it was sent because of a copy. */
  sent?: { readonly octets: Bytes; readonly header: Header; repeats: number };
  /** Whether `sent` answers `received`, so that a copy of it gets it again. */
  answers: boolean;
  retransmissions: number;
  /** The steps under way; they wait for a computation. */
  running?: Generator<Wait, void, any>;
  context?: Context;
  /** The message that came while they ran. */
  pending?: { readonly from: Endpoint; readonly to: Endpoint; readonly octets: Bytes };
  /** What was wrong with a message nobody authenticated, or what an unprotected notify said. */
  problem?: Fault;
  notified: boolean;
  finished: boolean;
  readonly startedAt: number;
  quick?: QuickState;
  /** Payloads of an informational or transaction message to be sent. */
  outgoing?: readonly Payload[];
  transaction?: TransactionState;
}

export interface TransactionState {
  identifier: number;
  purpose: "xauth-request" | "xauth-status" | "config-request" | "config-set" | "answer";
  /** What to act on after our answer has left: an XAUTH status, an address that was set. */
  status?: boolean;
  set?: readonly Attribute[];
}

/** A Quick Mode. */
export interface QuickState {
  readonly want?: Want;
  connection?: Connection;
  key: string;
  local: ClientSelector;
  remote: ClientSelector;
  suites: readonly Suite[];
  /** Whether ID payloads are in it, and the received ones. */
  withIds: boolean;
  offer?: readonly Proposal[];
  /** Ours, by protocol. */
  readonly spis: Map<number, number>;
  Ni_b?: Bytes;
  Nr_b?: Bytes;
  keyPair?: ComputationValues["generateKeyPair"];
  group?: number;
  peerPublicValue?: Bytes;
  choice?: SuiteChoice;
  terms?: readonly Phase2Terms[];
  /** Body of our SA payload. */
  sa_b?: Bytes;
  /** ID payloads as they are sent. */
  ids?: readonly Payload[];
  /** NAT-OA: for transport mode, whether we send it, and what the peer said its address and ours are. */
  natOriginal?: { remote?: Bytes; local?: Bytes };
  /** RESPONDER-LIFETIME. */
  lifetime?: { seconds?: number; kilobytes?: number };
  pair?: SaPair;
}

/** SAs of a Quick Mode: one pair for each protocol of the suite. */
export interface SaPair {
  readonly id: number;
  /** The phase 1 SA and message ID of its Quick Mode. */
  readonly phase1: number;
  readonly messageId: number;
  readonly key: string;
  readonly role: Role;
  readonly connection: Connection;
  readonly peer: Peer;
  /** Of the peer, as its phase 1 SAs have it. */
  readonly identity: string;
  readonly remoteId: Identification;
  readonly localId: Identification;
  local: Endpoint;
  remote: Endpoint;
  readonly localSelector: ClientSelector;
  readonly remoteSelector: ClientSelector;
  readonly protocols: readonly { readonly protocol: number; inbound: NegotiatedSa; outbound: NegotiatedSa }[];
  readonly tunnel: boolean;
  readonly createdAt: number;
  softAt: number;
  hardAt: number;
  inboundInstalled: boolean;
  outboundInstalled: boolean;
  /** How often the peer was told to forget it because it never confirmed it, and when it may be told again. */
  farewells: number;
  farewellAt: number;
  /** The peer has lost the phase 1 SA that it was made under, and perhaps this, too. */
  doubted: boolean;
  readonly text: string;
}

/** A connection that is to be brought up. */
export interface Want {
  /** Name of the connection and address of the peer. */
  readonly key: string;
  connection: Connection;
  peer: Peer;
  /** Where the peer is: its configured address, or where the pair to be replaced went. */
  readonly remote: Endpoint;
  readonly local?: Endpoint;
  /** The peer's identity, where an SA with somebody else of the same section will not do. */
  readonly identity?: string;
  readonly localSelector?: ClientSelector;
  readonly remoteSelector?: ClientSelector;
  /** The pair that is being replaced. */
  readonly replaces?: SaPair;
  /** Asked for by hand although there is a pair: that is doubtful, and ends when the new one is there. */
  anew?: boolean;
  /** The Quick Mode under way. */
  exchange?: Exchange;
}

/** What a step waits for. */
export type Wait = Computation | { readonly op: "reserveSpi"; readonly protocol: "esp" | "ah" };

/** What steps work on. */
export interface Context {
  readonly core: Core;
  readonly sa: Phase1Sa;
  readonly exchange: Exchange;
  readonly row: Row;
  /** Absent when we send the first message. */
  readonly message?: Incoming;
  /** The message was accepted: what goes wrong from here on ends the exchange. */
  accepted: boolean;
}

/** One step of a row. A generator step gets the value of what it yields. */
export type Step = (context: Context) => void | Generator<Wait, void, any>;
