/** SPIs in use, beyond the life of the exchanges that made them. @module */
import { type Address, equalAddress } from "../ip/address.ts";
import type { Bytes } from "../octets/bytes.ts";
import type { Endpoint } from "./cookies.ts";
import type { SpiReference } from "./effects.ts";
import type { Role } from "./exchange.ts";
import type { StartRequest } from "./settings.ts";

/** An SPI and when something is due about it; times in milliseconds. */
export interface SpiRecord extends SpiReference {
  readonly exchangeId: number;
  /** Our part in that exchange: the initiator begins the next. */
  readonly exchangeRole: Role;
  readonly peerEndpoint: Endpoint;
  readonly localEndpoint: Endpoint;
  readonly request?: StartRequest;
  /** Attribute-Choices with which it was announced. */
  readonly attributes: Bytes;
  readonly madeAt: number;
  readonly expiresAt: number;
  /** Owner: when to announce the next (half of the life). User: when to ask for one that has not come. 0: done. */
  renewAt: number;
  /** User: when it may replace an older one in the engine; 0: it is there. */
  installAt: number;
  /** The effect that `installAt` delays. */
  install?: () => void;
  /** Owner: the SPI_Update that announced it, to be repeated when the peer has lost it. */
  announcement?: Bytes;
}

/** The engine keeps an owner's SPI so much longer than announced, for datagrams under way. */
export const OWNER_GRACE_SECONDS = 60;

const sameProtocols = (a: SpiRecord, b: SpiReference) => a.protocols.join() === b.protocols.join();

export class Spis {
  readonly records = new Set<SpiRecord>();

  add(record: SpiRecord): void {
    this.records.add(record);
  }

  find(role: SpiRecord["role"], peer: Address, spi: number): SpiRecord | undefined {
    for (const record of this.records) {
      if (record.role === role && record.spi === spi && equalAddress(record.peer, peer)) return record;
    }
    return undefined;
  }

  /** Younger SPIs that do what `record` does. */
  successors(record: SpiRecord): SpiRecord[] {
    return [...this.records].filter((other) =>
      other.role === record.role && other.madeAt > record.madeAt && equalAddress(other.peer, record.peer) &&
      equalAddress(other.local, record.local) && sameProtocols(other, record)
    );
  }

  /** Whether a younger SPI does what `record` does. */
  isReplaced(record: SpiRecord): boolean {
    return this.successors(record).length > 0;
  }

  /** The youngest SPI of `role` between two ends. */
  latest(role: SpiRecord["role"], local: Address, peer: Address): SpiRecord | undefined {
    let found: SpiRecord | undefined;
    for (const record of this.records) {
      if (record.role !== role || !equalAddress(record.peer, peer) || !equalAddress(record.local, local)) continue;
      if (!found || record.madeAt >= found.madeAt) found = record;
    }
    return found;
  }

  /** Those of one exchange. */
  of(exchangeId: number): SpiRecord[] {
    return [...this.records].filter((record) => record.exchangeId === exchangeId);
  }
}
