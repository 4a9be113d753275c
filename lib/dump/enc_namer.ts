/** Which SA a packet on enc0 came through or goes to, as far as flows and SAs tell it. @module */
import { equalAddress } from "../ip/address.ts";
import { classify } from "../ip/classify.ts";
import { createTuple } from "../ip/tuple.ts";
import { ACTION, DIRECTION, Spd } from "../ipsec/spd.ts";
import { type Flow, PROTOCOL, type SaParameters } from "../ipsec/types.ts";
import type { EncHeader } from "./link.ts";
import type { Seen } from "./seen.ts";

/** What must be known of an SA, and whether it may be used. */
export interface NamedSa extends Pick<SaParameters, "protocol" | "spi" | "source" | "destination"> {
  readonly encryption?: string;
  readonly authentication?: string;
  readonly usable: boolean;
}

const UNPROTECTED: EncHeader = { spi: 0, authentic: false, confidential: false };

/** AEAD ciphers authenticate by themselves. */
const AEADS: ReadonlySet<string> = new Set(["aes-gcm", "aes-gmac", "chacha20-poly1305"]);
/** Encryption that hides nothing. */
const PLAIN: ReadonlySet<string> = new Set(["null", "aes-gmac"]);

function headerOf({ spi, protocol, encryption, authentication }: NamedSa): EncHeader {
  return {
    spi,
    authentic: authentication !== undefined || AEADS.has(encryption ?? ""),
    confidential: protocol === PROTOCOL.ESP && encryption !== undefined && !PLAIN.has(encryption),
  };
}

/** Names SAs from one state of the engine. */
export class EncNamer {
  readonly #spd = new Spd();
  readonly #sas: readonly NamedSa[];
  readonly #tuple = createTuple();

  /** @param sas in the order of their making */
  constructor(flows: Iterable<Flow>, sas: readonly NamedSa[]) {
    for (const flow of flows) this.#spd.add(flow);
    this.#sas = sas;
  }

  /**
   * What protects a packet; undefined where more than one SA may have, or none that is known.
   *
   * @param outgoing the packet goes to the engine, to be protected
   */
  name(seen: Seen, outgoing: boolean): EncHeader | undefined {
    const { packet } = seen;
    const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
    if (!classify(view, 0, packet.length, this.#tuple)) return undefined;
    const entry = this.#spd.lookup(outgoing ? DIRECTION.OUT : DIRECTION.IN, this.#tuple);
    if (entry === null) return outgoing ? UNPROTECTED : undefined;
    const { flow, action } = entry;
    if (action === ACTION.BYPASS) return UNPROTECTED;
    if (action === ACTION.DENY) return undefined;
    const peer = flow.peer ?? (outgoing ? seen.destination : seen.source);
    const candidates = this.#sas.filter((sa) =>
      sa.usable && sa.protocol === flow.protocol && equalAddress(outgoing ? sa.destination : sa.source, peer)
    );
    // Going out, the SA that the flow names or the newest is taken; coming in, any of them may have been used.
    const named = candidates.find(({ spi }) => spi === flow.spi);
    const sa = named ?? (outgoing || candidates.length === 1 ? candidates.at(-1) : undefined);
    return sa && headerOf(sa);
  }
}
