/** The engine's state at one moment, with what people want to know of each SA: direction, peer, algorithms, what is left. @module */
import { AUTHENTICATORS, ESP_CIPHERS } from "../crypto/algorithms.ts";
import { formatAddress } from "../ip/address.ts";
import { fetchFlows, fetchSas, fetchStatistics, type FlowView, type SaView, type Statistics } from "./engine_views.ts";
import { localAddresses } from "./local_addresses.ts";
import type { PfkeyClient } from "./pfkey_client.ts";

/** What is left of a limited life. */
export interface Left {
  readonly seconds?: number;
  readonly bytes?: number;
}

export interface SaStatus extends SaView {
  readonly direction: "in" | "out";
  /** The other end. */
  readonly peer: string;
  /** `aes-128 sha1`. */
  readonly algorithms: string;
  /** Until the hard limits. */
  readonly left: Left;
}

export interface EngineStatus {
  readonly process: number;
  readonly upSeconds: number;
  readonly interfaceIndex: number;
  readonly crypto: "libcrypto" | "node:crypto";
}

export interface Snapshot {
  /** Seconds since the epoch. */
  readonly time: number;
  readonly engine: EngineStatus;
  readonly sas: readonly SaStatus[];
  readonly flows: readonly FlowView[];
  readonly statistics: Statistics;
}

const VARIABLE_KEYS = new Set(
  [...ESP_CIPHERS, ...AUTHENTICATORS].filter(({ key }) => key.min !== key.max).map(({ name }) => name),
);

function algorithmsOf({ encryption, authentication, protocol }: SaView): string {
  const name = (row: SaView["encryption"]) =>
    row && (VARIABLE_KEYS.has(row.name) ? `${row.name}-${row.keyBits}` : row.name);
  const names = [name(encryption), name(authentication)].filter(Boolean);
  return names.length ? names.join(" ") : protocol === "ip4" ? "ip-in-ip" : "none";
}

function leftOf(sa: SaView): Left {
  const { addSeconds, useSeconds, bytes } = sa.hard;
  const limits = [
    ...(addSeconds ? [addSeconds - sa.ageSeconds] : []),
    ...(useSeconds && sa.firstUsed ? [useSeconds - sa.usedSeconds] : []),
  ];
  return {
    ...(limits.length && { seconds: Math.max(0, Math.min(...limits)) }),
    ...(bytes && { bytes: Math.max(0, bytes - sa.bytes) }),
  };
}

/** An SA with what follows from it. @param own this host's addresses as text */
export function statusOf(sa: SaView, own: ReadonlySet<string>): SaStatus {
  const isInbound = own.has(sa.destination);
  return {
    ...sa,
    direction: isInbound ? "in" : "out",
    peer: isInbound ? sa.source : sa.destination,
    algorithms: algorithmsOf(sa),
    left: leftOf(sa),
  };
}

/** Asks the engine for everything. @param time seconds since the epoch */
export async function fetchSnapshot(client: PfkeyClient, time: number): Promise<Snapshot> {
  const now = Math.floor(time);
  const statistics = await fetchStatistics(client);
  const sas = await fetchSas(client, undefined, now);
  const flows = await fetchFlows(client);
  const own = new Set(localAddresses().map(({ address }) => formatAddress(address)));
  const { process = 0, startSeconds = now, interfaceIndex = 0, libcrypto = 0 } = statistics.engine ?? {};
  return {
    time,
    engine: {
      process,
      upSeconds: Math.max(0, now - startSeconds),
      interfaceIndex,
      crypto: libcrypto ? "libcrypto" : "node:crypto",
    },
    sas: sas.map((sa) => statusOf(sa, own)),
    flows,
    statistics,
  };
}
