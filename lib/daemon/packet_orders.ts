/** What the engine's main thread and its packet Workers say to each other. @module */
import type { Address } from "../ip/address.ts";
import type { Flow, SaParameters, SaState } from "../ipsec/types.ts";

/** Which packets a Worker moves. */
export type Role = "both" | "out" | "in";

/** First and only message to a Worker, which then never returns to its event loop. File descriptors are the process's. */
export interface WorkerStart {
  readonly role: Role;
  readonly tun: { readonly fd: number; readonly udp: boolean };
  readonly sockets: WorkerSockets;
  /** Readable when there are orders. */
  readonly wakeFd: number;
  readonly orders: SharedArrayBuffer;
  /** Drop reasons and totals (ipsec/packet.ts, `Counters`). */
  readonly counters: SharedArrayBuffer;
  /** Counters of SAs (ipsec/sa.ts, `COUNTER`), one row for each slot. */
  readonly usage: SharedArrayBuffer;
  /** `off` keeps away from libcrypto. */
  readonly libcrypto: "auto" | "off";
}

export interface SocketGrant {
  readonly fd: number;
  readonly family: 4 | 6;
}
export interface UdpSocketGrant extends SocketGrant {
  readonly port: number;
  readonly receiveOffload: boolean;
  readonly sendOffload: boolean;
  /** What to believe of datagrams when the socket does not tell. */
  readonly assumes?: { readonly local: Address; readonly remote: Address; readonly remotePort: number };
}

export interface WorkerSockets {
  /** Receive whole packets; `protocol` is 4, 41, 50 or 51. */
  readonly protocols: readonly (SocketGrant & { readonly protocol: number })[];
  readonly packet4?: SocketGrant;
  readonly packet6?: SocketGrant;
  readonly udp4?: UdpSocketGrant;
  readonly udp6?: UdpSocketGrant;
}

/** An order through the mailbox, carried out between two packets. */
export type Order =
  | {
    readonly order: "installSa";
    readonly id: number;
    readonly sa: SaParameters;
    /** Row of `usage`. */
    readonly slot: number;
    /** MTU of the path to the SA's destination; 0: unknown. */
    readonly pathMtu: number;
  }
  | { readonly order: "updateSa"; readonly id: number; readonly sa: SaParameters; readonly state: SaState }
  | { readonly order: "removeSa"; readonly id: number }
  | { readonly order: "link"; readonly inner: number; readonly outer: number | undefined }
  | { readonly order: "pathMtu"; readonly id: number; readonly mtu: number }
  | { readonly order: "addFlow"; readonly flow: Flow }
  | { readonly order: "removeFlow"; readonly flow: Flow }
  | { readonly order: "flush" }
  | { readonly order: "enable"; readonly esp: boolean; readonly ah: boolean }
  | { readonly order: "stop" };

/** What a Worker tells the main thread by `postMessage`. */
export type Report =
  | { readonly report: "ready"; readonly crypto: string }
  | {
    readonly report: "needsSa";
    readonly flow: Flow;
    readonly packet: {
      readonly source: Address;
      readonly destination: Address;
      readonly transport: number;
      readonly sourcePort: number;
      readonly destinationPort: number;
    };
  }
  /** An IKE datagram on the UDP encapsulation port, marker removed; or a NAT keepalive when empty. */
  | {
    readonly report: "ike";
    readonly local: Address;
    readonly localPort: number;
    readonly remote: Address;
    readonly remotePort: number;
    readonly octets: Uint8Array;
  }
  /** The peer of an SA now sends from here. */
  | { readonly report: "moved"; readonly id: number; readonly address: Address; readonly port: number }
  /** An SA has reached its hard limit in bytes: the counters are worth reading now. */
  | { readonly report: "spent" }
  /** The kernel refused packets of an SA as too long for the path. */
  | { readonly report: "tooBig" }
  /** The largest inner packet that every SA can carry in one piece has changed. */
  | { readonly report: "mtu"; readonly largest: number }
  | { readonly report: "failed"; readonly text: string }
  | { readonly report: "stopped" };
