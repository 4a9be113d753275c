/** The engine's own SAD and SPD as plain data: what there is, not how packets find it. @module */
import type { Address, Prefix } from "../ip/address.ts";
import type { Flow, SaIdentity, SaParameters, SaState, Selector } from "../ipsec/types.ts";
import { formatHex } from "../octets/hex.ts";
import { type SaUsage, UNUSED } from "./effects.ts";

/** An SA with its state. */
export interface SaRecord {
  readonly id: number;
  /** Changed only by an UPDATE. A larval SA has addresses and SPI, no algorithm. */
  sa: SaParameters;
  state: SaState;
  readonly addedMs: number;
  usage: SaUsage;
  /** The SA applied after this one, around it, and the one before it (X_GRPSPIS). */
  outer?: SaRecord;
  inner?: SaRecord;
  /** The outbound SA for replies to what came through this one (X_BINDSA), with the flow made for it. */
  bound?: { readonly to: SaRecord; readonly flow?: Flow };
  /** SAs that are bound to this one. */
  boundBy?: Set<SaRecord>;
}

/** Text that is the same for two SAs exactly when they are the same one: (protocol, SPI, destination). */
export const saKey = ({ protocol, spi, destination }: SaIdentity): string =>
  `${protocol} ${spi} ${formatHex(destination.octets)}`;

/** SAs by identity and by id. */
export class SaTable {
  readonly #byKey = new Map<string, SaRecord>();
  readonly #byId = new Map<number, SaRecord>();
  #lastId = 0;

  get size(): number {
    return this.#byKey.size;
  }

  find(identity: SaIdentity): SaRecord | undefined {
    return this.#byKey.get(saKey(identity));
  }

  byId(id: number): SaRecord | undefined {
    return this.#byId.get(id);
  }

  /** The SA must not be there yet. */
  add(sa: SaParameters, state: SaState, nowMs: number): SaRecord {
    const record: SaRecord = { id: ++this.#lastId, sa, state, addedMs: nowMs, usage: UNUSED };
    this.#byKey.set(saKey(sa), record);
    this.#byId.set(record.id, record);
    return record;
  }

  delete(record: SaRecord): void {
    this.#byKey.delete(saKey(record.sa));
    this.#byId.delete(record.id);
  }

  clear(): void {
    this.#byKey.clear();
    this.#byId.clear();
  }

  /** In the order in which they were added; may be changed while it is read. */
  [Symbol.iterator](): IterableIterator<SaRecord> {
    return this.#byKey.values();
  }
}

const prefixKey = ({ address, length }: Prefix, port: number) => `${formatHex(address.octets)}/${length}:${port}`;

/** Text that is the same for two selectors exactly when they are the same. */
export function selectorKey(selector: Selector): string {
  const { source, sourcePort, destination, destinationPort, transport, direction } = selector;
  return `${direction} ${transport} ${prefixKey(source, sourcePort)} ${prefixKey(destination, destinationPort)}`;
}

/** Flows by selector. */
export class FlowTable {
  readonly #byKey = new Map<string, Flow>();

  get size(): number {
    return this.#byKey.size;
  }

  find(selector: Selector): Flow | undefined {
    return this.#byKey.get(selectorKey(selector));
  }

  /** Adds a flow, or changes the one with the same selector in its place. */
  set(flow: Flow): void {
    this.#byKey.set(selectorKey(flow.selector), flow);
  }

  delete(flow: Flow): void {
    this.#byKey.delete(selectorKey(flow.selector));
  }

  clear(): void {
    this.#byKey.clear();
  }

  [Symbol.iterator](): IterableIterator<Flow> {
    return this.#byKey.values();
  }
}

/** The addresses of a packet for which an SA is wanted. */
export interface PacketAddresses {
  readonly source: Address;
  readonly destination: Address;
  /** Upper protocol and ports; 0 where there are none. */
  readonly transport: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
}
