/**
 * What key management is told to do: typed, resolved (no reference to another section is left), every rule with the line
 * that made it, so that a failed negotiation can name it. Numbers are those of isakmp/numbers.ts.
 *
 * @module
 */
import type { Address, Prefix } from "../ip/address.ts";
import type { ClientSelector, Identification } from "../isakmp/identification.ts";
import type { Secret } from "../octets/secret.ts";

/** Where a rule was written. */
export interface Origin {
  readonly file: string;
  /** From 1; 0: predefined, no line of the file. */
  readonly line: number;
  readonly section: string;
  readonly tag?: string;
}

/** `X,Y:Z`: offered is `offer`, accepted is `least` to `most`; an exact value has all three the same. */
export interface Range {
  readonly offer: number;
  readonly least: number;
  readonly most: number;
}

/** What a rule allows. `"ANY"` cannot be offered. */
export type Allowed = Range | "ANY";

/** One attribute of a transform. `attribute` is a class of IKE_ATTRIBUTE (phase 1) or IPSEC_ATTRIBUTE (phase 2), never a life. */
export interface AttributeRule {
  readonly attribute: number;
  readonly allowed: Allowed;
  readonly origin: Origin;
}

/** One lifetime of a transform. */
export interface LifeRule {
  readonly type: "SECONDS" | "KILOBYTES";
  readonly duration: Allowed;
  /** A peer may offer more than the most of `duration`; it is told that the SA ends earlier (RFC 2407 4.5.4). */
  readonly capped?: true;
  readonly origin: Origin;
}

/** A transform that is offered and accepted. */
export interface TransformRule {
  /** Its section's name. */
  readonly name: string;
  /** Phase 1: KEY_IKE; phase 2: a value of ESP_TRANSFORM or AH_TRANSFORM. */
  readonly id: number;
  /** In the order in which they are offered. A transform of the peer with an attribute that has no rule here is refused. */
  readonly attributes: readonly AttributeRule[];
  /** Empty: no life is offered and any is accepted. */
  readonly lives: readonly LifeRule[] | "ANY";
  readonly origin: Origin;
}

/** One protocol of a suite. */
export interface ProtocolRule {
  readonly name: string;
  /** PROTOCOL_ID: IPSEC_AH or IPSEC_ESP. */
  readonly protocol: number;
  /** Alternatives, best first. */
  readonly transforms: readonly TransformRule[];
  /** Packets; 0: no replay protection. */
  readonly replayWindow: number;
  readonly origin: Origin;
}

/** A suite: one protocol, or AH and ESP together. It becomes one proposal number. */
export interface Suite {
  readonly name: string;
  readonly protocols: readonly ProtocolRule[];
  readonly origin: Origin;
}

/** XAUTH and mode config with one peer (draft-beaulieu-ike-xauth-02, draft-dukes-ike-mode-cfg). */
export interface Extensions {
  /** `client`: we are asked for a name and password. `server`: we ask. */
  readonly xauth?: { readonly role: "server" } | {
    readonly role: "client";
    readonly user: string;
    readonly password: Secret;
  };
  /** `client`: we ask for an address (pull) or take what is set (push). `server`: we answer; with `push` we set. */
  readonly modeConfig?: { readonly role: "client" | "server"; readonly push: boolean };
}

/** The fields of a peer whose line is worth naming. */
export type PeerField = "address" | "localAddress" | "exchange" | "secret" | "localId" | "remoteId" | "transforms";

/** An ISAKMP peer: with whom and how to do phase 1. */
export interface Peer extends Extensions {
  /** Its section's name. */
  readonly name: string;
  /** Absent: only answers, whoever asks (`Default`). */
  readonly address?: Address;
  /** UDP port of the peer, 500. */
  readonly port: number;
  readonly localAddress?: Address;
  readonly exchange: "ID_PROT" | "AGGRESSIVE";
  /** Best first. */
  readonly transforms: readonly TransformRule[];
  /** The pre-shared key. */
  readonly secret?: Secret;
  /** Absent: our address. */
  readonly localId?: Identification;
  /** Whom we expect; another ID is refused. Absent: whoever authenticates, and the policy decides on the ID. */
  readonly remoteId?: Identification;
  /** RFC 3947; off: neither announced nor understood. */
  readonly natTraversal: boolean;
  /** Encapsulate in UDP although no NAT is seen. */
  readonly forceEncapsulation: boolean;
  /** Announce and use IKE fragments (payload 132). */
  readonly fragmentation: boolean;
  /** RFC 3706: seconds of silence before the peer is asked whether it lives; 0: never asked, still answered. */
  readonly dpdSeconds: number;
  readonly origin: Origin;
  readonly origins: Readonly<Partial<Record<PeerField, Origin>>>;
}

export type ConnectionField = "peer" | "localId" | "remoteId" | "suites";

/** A phase 2 connection. */
export interface Connection {
  readonly name: string;
  /** Name of its peer. */
  readonly peer: string;
  /** Best first; all with the same PFS group or all without. */
  readonly suites: readonly Suite[];
  /** Absent (both or none): host to host between the peers' addresses. */
  readonly localId?: ClientSelector;
  readonly remoteId?: ClientSelector;
  /** Brought up at start, kept up, made again after expiry. */
  readonly active: boolean;
  /** The peer may bring it up. */
  readonly passive: boolean;
  /** A responder without `remoteId` takes what the initiator's ID is (road warrior); with it the ID may lie within. */
  readonly anyRemote?: boolean;
  /** Made by the core for an ACQUIRE or by the policy's leave, not configured. */
  readonly dynamic?: true;
  readonly origin: Origin;
  readonly origins: Readonly<Partial<Record<ConnectionField, Origin>>>;
}

/** What mode config hands to a client whose phase 1 ID is `id` (IKECFG-ID sections), or to anybody (`id` absent). */
export interface ClientAddressing {
  /** As `formatId` writes it. */
  readonly id?: string;
  readonly address?: Address;
  readonly netmask?: Address;
  readonly nameservers: readonly Address[];
  readonly winsServers: readonly Address[];
  readonly dhcpServers: readonly Address[];
  readonly networks: readonly Prefix[];
  /** Networks behind us that the client shall send through the tunnel (Unity split include). */
  readonly splitInclude: readonly Prefix[];
  readonly defaultDomain?: string;
  readonly banner?: string;
  readonly lifeSeconds?: number;
  readonly origin: Origin;
}

/** The whole of it. */
export interface Configuration {
  /** Retransmissions of a message before its exchange is given up. */
  readonly retransmits: number;
  /** An exchange not finished by then is given up. */
  readonly exchangeMaxTimeSeconds: number;
  /** Period in which active connections that are down are tried again. */
  readonly checkIntervalSeconds: number;
  readonly natKeepaliveSeconds: number;
  /** No replay protection is asked for. */
  readonly sharedSadb: boolean;
  readonly peers: readonly Peer[];
  /** `[Phase 1]`: which peer section answers to an address; names of `peers`. */
  readonly peersByAddress: readonly { readonly address: Address; readonly peer: string; readonly origin: Origin }[];
  readonly defaultPeer?: { readonly peer: string; readonly origin: Origin };
  /** Where `[Phase 1]` is. */
  readonly phase1Origin?: Origin;
  readonly connections: readonly Connection[];
  /** Suites offered and accepted where no connection says so: for ACQUIREs and for IDs that no connection has. */
  readonly defaultSuites: readonly Suite[];
  /** Initiator-ID sections: pre-shared keys by `formatId` of the initiator's ID (aggressive mode). */
  readonly initiatorSecrets: ReadonlyMap<string, { readonly secret: Secret; readonly origin: Origin }>;
  /** Users of the XAUTH server. */
  readonly xauthUsers: ReadonlyMap<string, Secret>;
  readonly clientAddressing: readonly ClientAddressing[];
}

/** A rule's place for people: `east.conf:31 [3DES-SHA] GROUP_DESCRIPTION`. */
export function formatOrigin({ file, line, section, tag }: Origin): string {
  const place = line > 0 ? `${file}:${line}` : "predefined";
  return `${place} [${section}]${tag ? ` ${tag}` : ""}`;
}
