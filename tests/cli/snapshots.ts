// Snapshots of an engine that never was.
import type { FlowView, SaView } from "../../lib/daemon/engine_views.ts";
import { type Snapshot, statusOf } from "../../lib/daemon/snapshot.ts";
import { NO_LIMIT } from "../../lib/ipsec/types.ts";

const FLOW: FlowView = {
  source: "192.168.5.1/32",
  destination: "192.168.25.9/32",
  transport: 0,
  sourcePort: 0,
  destinationPort: 0,
  direction: "out",
  type: "require",
  protocol: "esp",
  peer: "192.168.25.9",
  static: true,
};

/** An outbound SA (even numbers) or an inbound one of 192.168.5.1, with SPI 0x1000 + `number`. */
export function saView(number: number, more: Partial<SaView> = {}): SaView {
  const [source, destination] = number % 2 ? ["192.168.25.9", "192.168.5.1"] : ["192.168.5.1", "192.168.25.9"];
  return {
    protocol: "esp",
    spi: 0x1000 + number,
    source,
    destination,
    state: "mature",
    encryption: { name: "aes", kernelName: "AES", keyBits: 128 },
    authentication: { name: "sha1", kernelName: "HMAC-SHA1", keyBits: 160 },
    tunnel: true,
    oldHeader: false,
    halfIv: false,
    randomPadding: false,
    replayWindow: 32,
    ageSeconds: 125,
    firstUsed: 90,
    lastUsed: 95,
    packets: 10,
    bytes: 840,
    allocations: 1,
    drops: 0,
    sequence: 10,
    hard: NO_LIMIT,
    soft: NO_LIMIT,
    usedSeconds: 10,
    flags: 0,
    ...more,
  };
}

export interface SnapshotOptions {
  readonly sas?: number | readonly SaView[];
  readonly time?: number;
  readonly packets?: (number: number) => number;
  readonly flows?: readonly FlowView[];
  readonly statistics?: Snapshot["statistics"];
}

export function snapshot(options: SnapshotOptions = {}): Snapshot {
  const { sas = 2, time = 100, packets = () => 10, flows = [FLOW] } = options;
  const views = typeof sas === "number"
    ? Array.from({ length: sas }, (_, i) => saView(i, { packets: packets(i), bytes: 84 * packets(i) }))
    : sas;
  return {
    time,
    engine: { process: 4711, upSeconds: 7980, interfaceIndex: 7, crypto: "libcrypto" },
    sas: views.map((sa) => statusOf(sa, new Set(["192.168.5.1"]))),
    flows,
    statistics: options.statistics ?? {
      esp: { inputPackets: 12, inputOctets: 1200, outputPackets: 10, outputOctets: 1000, badIcv: 3, noSa: 0 },
      policy: { cleartext: 5, heldBack: 0 },
    },
  };
}
