/** What the core asks of the edge. Effects are performed in their order. @module */
import type { Address } from "../ip/address.ts";
import type { Bytes } from "../octets/bytes.ts";
import type { AttributeDefinition } from "./attributes.ts";
import type { Endpoint } from "./cookies.ts";
import type { StartRequest } from "./settings.ts";

/** A slow computation; the edge does it off the main loop and answers with {@linkcode Photuris.computed}. */
export type Job =
  /** base ^ exponent mod modulus, as long as the modulus. */
  | { readonly kind: "power"; readonly base: Bytes; readonly exponent: Bytes; readonly modulus: Bytes }
  /** Whether p and (p-1)/2 are probably prime. */
  | { readonly kind: "safePrime"; readonly candidate: Bytes };

/** One algorithm with its key. */
export interface KeyedAlgorithm {
  readonly definition: AttributeDefinition;
  readonly key: Bytes;
}

/** One SA of an SPI. ESP comes before AH where both are used. */
export interface SpiSection {
  readonly protocol: "esp" | "ah";
  readonly encryption?: KeyedAlgorithm;
  readonly authentication?: KeyedAlgorithm;
  readonly hmac: boolean;
}

/** An SPI as it concerns the engine. */
export interface SpiReference {
  /** Ours, for what comes in, or the peer's, for what goes out (RFC 2522 1.1). */
  readonly role: "owner" | "user";
  readonly spi: number;
  readonly peer: Address;
  readonly local: Address;
  readonly protocols: readonly ("esp" | "ah")[];
}

export type LogLevel = "warning" | "notice" | "debug";

export type Effect =
  | { readonly do: "send"; readonly to: Endpoint; readonly from: Endpoint; readonly datagram: Bytes }
  | { readonly do: "compute"; readonly token: number; readonly job: Job }
  /** Reserve one SPI number for all `protocols`; answered with {@linkcode Photuris.reserved}. */
  | {
    readonly do: "reserve";
    readonly token: number;
    readonly peer: Address;
    readonly local: Address;
    readonly protocols: readonly ("esp" | "ah")[];
  }
  | (SpiReference & {
    readonly do: "install";
    readonly sections: readonly SpiSection[];
    readonly lifeSeconds: number;
    /** From an Identity message, not the successor of another SPI. */
    readonly isFirst: boolean;
    /** What the exchange was for; absent when the peer began it. */
    readonly request?: StartRequest;
    /** The port at which the peer speaks Photuris. */
    readonly peerPort: number;
  })
  | (SpiReference & { readonly do: "remove" })
  | {
    readonly do: "outcome";
    readonly request: StartRequest;
    readonly established: boolean;
    /** A sentence without full stop. */
    readonly text: string;
  }
  | { readonly do: "log"; readonly level: LogLevel; readonly text: string };
