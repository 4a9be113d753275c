/** What the core is told about the world: files and command line, already checked. @module */
import type { Address } from "../ip/address.ts";
import type { Prefix } from "../ip/address.ts";
import type { Secret } from "../octets/secret.ts";
import type { Attribute } from "./attributes.ts";
import type { AttributeBook, Options } from "./choose.ts";
import type { Endpoint } from "./cookies.ts";
import type { OfferedScheme } from "./schemes.ts";

/** A name and the secret that proves it. */
export interface Identity {
  readonly name: string;
  readonly secret: Secret;
  /** Where the entry stands, `secrets.conf:4`: a diagnosis names it. */
  readonly entry: string;
  /** The user in whose file the entry was found. */
  readonly user?: string;
}

/** secrets.conf, searched as OpenBSD's daemon does. */
export interface SecretBook {
  /** Who we are: the user's first local entry, else the host's. */
  local(user?: string): Identity | undefined;
  /** Who we are to a peer that has said its name (`pair local`). */
  pairLocal(remoteName: string, user?: string): Identity | undefined;
  /** The entry of a received identification. */
  remote(name: string): Identity | undefined;
}

/** Times in seconds, as in photuris.conf. */
export interface Times {
  readonly maxRetransmits: number;
  readonly retransmitTimeout: number;
  readonly exchangeTimeout: number;
  readonly exchangeLifetime: number;
  readonly spiLifetime: number;
}

export interface Settings {
  /** Offered-Schemes in order of preference; their groups are trusted. */
  readonly schemes: readonly OfferedScheme[];
  readonly attributes: AttributeBook & {
    /** Offered-Attributes for a peer. */
    offersFor(peer: Address): readonly Attribute[];
  };
  readonly secrets: SecretBook;
  /**
   * What we want of a peer that begins an exchange itself: of several wishes the one that is nearest to what the peer has
   * chosen for its own SPI. Absent: as the peer chooses.
   */
  requestFor(peer: Endpoint, local: Endpoint, chosen: Options): StartRequest | undefined;
  /** Whether a wish of ours still stands: keys for one that was replaced are not renewed. */
  isWanted(request: StartRequest): boolean;
  readonly times: Times;
  /** Exchanges that may exist at once, and of these not identified ones; beyond, the answer is Resource_Limit. */
  readonly maximumExchanges: number;
  readonly maximumUnidentified: number;
}

/** Who is behind a tunnel's ends. */
export interface Tunnel {
  readonly source: Prefix;
  readonly destination: Prefix;
}

/** A wish for keys: an entry of photuris.startup, a line of startkey, or an ACQUIRE. */
export interface StartRequest {
  readonly peer: Endpoint;
  readonly local: Endpoint;
  /** Absent: both, and whatever the peer chooses for its own SPI. */
  readonly options?: Options;
  readonly tunnel?: Tunnel;
  readonly exchangeLifetime?: number;
  readonly spiLifetime?: number;
  readonly user?: string;
  /** A flow of the engine asked (ACQUIRE): it exists and needs no other. */
  readonly isForFlow?: boolean;
  /** Who waits for the outcome; the core hands it back and knows nothing of it. */
  readonly ticket?: unknown;
}
