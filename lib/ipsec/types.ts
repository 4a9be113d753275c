/**
 * The nouns of RFC 2401: SA, selector, SPD entry. These are what PF_KEY messages, the engine's tables and the datapath
 * exchange; they are plain data (structured-cloneable) so that they can also be handed to a Worker.
 *
 * @module
 */
import type { Address, Prefix } from "../ip/address.ts";

/** IP protocol numbers of the security protocols; IP-in-IP (4) is an SA without security (`ipsecadm ip4`). */
export const PROTOCOL = { IPIP: 4, ESP: 50, AH: 51 } as const;
export type SecurityProtocol = typeof PROTOCOL[keyof typeof PROTOCOL];

/** A limit or count of an SA's life; 0 means no limit (RFC 2367 2.3.2). */
export interface Lifetime {
  /** Flows that may use (have used) the SA. */
  allocations: number;
  bytes: number;
  /** Seconds since creation (limits) or seconds since the epoch (current). */
  addSeconds: number;
  /** Seconds since first use, likewise. */
  useSeconds: number;
}

/** No limit at all. */
export const NO_LIMIT: Lifetime = { allocations: 0, bytes: 0, addSeconds: 0, useSeconds: 0 };

/** RFC 2367 3.1.x: larval (SPI reserved), mature, dying (soft limit passed), dead. */
export type SaState = "larval" | "mature" | "dying" | "dead";

/** An identity for key management (RFC 2367 2.3.5). */
export interface Identity {
  type: "prefix" | "fqdn" | "ufqdn" | "connection";
  text: string;
}

/** What identifies an SA: (destination, SPI, protocol), RFC 2401 4.1. */
export interface SaIdentity {
  readonly destination: Address;
  /** 1 to 2^32-1, unsigned. */
  readonly spi: number;
  readonly protocol: SecurityProtocol;
}

/** Everything needed to build an SA. Algorithm names are the `name`s of crypto/algorithms.ts. */
export interface SaParameters extends SaIdentity {
  readonly source: Address;
  /** Inner source that packets arriving through the SA must carry. */
  readonly proxy?: Address;
  /** A row's name of ESP_CIPHERS; absent for AH, IPIP and authentication-only ESP. */
  readonly encryption?: string;
  /** A row's name of AUTHENTICATORS; absent for AEAD ciphers and ESP without authentication. */
  readonly authentication?: string;
  /** Cipher key, with the salt or nonce at its end where the algorithm has one. */
  readonly encryptionKey?: Uint8Array;
  readonly authenticationKey?: Uint8Array;
  /** Always put IP-in-IP around the packet; without it a packet is tunnelled only when its addresses are not the SA's. */
  readonly tunnel: boolean;
  /** The RFC 1827/1826 ("old") header: no sequence number. */
  readonly oldHeader: boolean;
  /** Old ESP with a 32-bit IV. */
  readonly halfIv: boolean;
  readonly randomPadding: boolean;
  /** Packets of the replay window; 0: no replay protection (manual keys). */
  readonly replayWindow: number;
  /** RFC 3948: the peer's UDP port (4500 or what a NAT made of it). */
  readonly udpPort?: number;
  /** Transport mode behind NAT: the peers' original addresses, for checksum correction (RFC 3948 3.1.2). */
  readonly natOriginal?: { source?: Address; destination?: Address };
  /** What the SA was negotiated for, as its sender sees the packets; absent: anything its flow sends through it. */
  readonly selector?: Omit<Selector, "direction">;
  readonly hard: Lifetime;
  readonly soft: Lifetime;
  readonly sourceIdentity?: Identity;
  readonly destinationIdentity?: Identity;
}

/** What packets an SPD entry is about (RFC 2401 4.4.2). */
export interface Selector {
  readonly source: Prefix;
  readonly destination: Prefix;
  /** Upper protocol number; 0: any. */
  readonly transport: number;
  /** 0: any. */
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly direction: "in" | "out";
}

/** The policy words of ipsecadm; `use`, `acquire`, `require`, `dontacq` apply IPsec. */
export type FlowType = "use" | "acquire" | "require" | "bypass" | "deny" | "dontacq";

/** An SPD entry. It is identified by its selector; a second one with the same selector replaces the first. */
export interface Flow {
  readonly selector: Selector;
  readonly type: FlowType;
  /** Security protocol of the SA to use. */
  readonly protocol: SecurityProtocol;
  /** The peer, in both directions; absent: the packet's own destination (its source for `in`). */
  readonly peer?: Address;
  /** Our own end. */
  readonly local?: Address;
  /** 2.6-2.8: the SA named by the flow; later releases look one up by peer and protocol. */
  readonly spi?: number;
  readonly sourceIdentity?: Identity;
  readonly destinationIdentity?: Identity;
  /** Made by an administrator: key management does not overwrite it. */
  readonly static: boolean;
}
