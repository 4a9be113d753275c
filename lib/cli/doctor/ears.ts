/** Listening for protected packets that come to us with an SPI for which we have no SA. @module */
import { see } from "../../dump/seen.ts";
import { type Address, formatAddress } from "../../ip/address.ts";
import { PacketCapture } from "../../linux/capture.ts";

/** Packets of one sender with one SPI. */
export interface Heard {
  readonly protocol: "esp" | "ah";
  readonly spi: number;
  readonly source: Address;
  readonly destination: Address;
  packets: number;
}

/** What one SA is called here. */
export const heardKey = (protocol: string, spi: number, destination: string) => `${protocol} ${spi} ${destination}`;

/** Senders and SPIs that are remembered. */
const MOST = 64;

/** Listens on all interfaces until it is closed. */
export class Ears implements Disposable {
  readonly #capture = new PacketCapture(0);
  readonly #own: ReadonlySet<string>;
  readonly #heard = new Map<string, Heard>();
  readonly ended: Promise<void>;

  /** @param own addresses of this host */
  constructor(own: ReadonlySet<string>) {
    this.#own = own;
    this.ended = this.#listen();
  }

  async #listen(): Promise<void> {
    for await (const { ip, outgoing } of this.#capture.packets()) {
      const seen = outgoing ? undefined : see(ip);
      if (!seen || (seen.kind !== "esp" && seen.kind !== "ah") || seen.spi === undefined) continue;
      const destination = formatAddress(seen.destination);
      if (!this.#own.has(destination)) continue;
      const key = `${heardKey(seen.kind, seen.spi, destination)} ${formatAddress(seen.source)}`;
      const known = this.#heard.get(key);
      if (known) known.packets++;
      else if (this.#heard.size < MOST) {
        const { kind: protocol, spi, source, destination } = seen;
        this.#heard.set(key, { protocol, spi, source, destination, packets: 1 });
      }
    }
  }

  /** What came for SAs that are not among `known` (see {@linkcode heardKey}). */
  unknown(known: ReadonlySet<string>): Heard[] {
    return [...this.#heard.values()].filter(({ protocol, spi, destination }) =>
      !known.has(heardKey(protocol, spi, formatAddress(destination)))
    );
  }

  [Symbol.dispose](): void {
    this.#capture.close();
  }
}
