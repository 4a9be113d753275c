/** What the engine's core asks the daemon to do. @module */
import type { Flow, SaParameters, SaState } from "../ipsec/types.ts";
import type { Bytes } from "../octets/bytes.ts";

/** To be done in the order given. SAs are named by `id`, a number that is never used again while the engine runs. */
export type Effect =
  /** One message to some clients. */
  | { readonly kind: "send"; readonly to: readonly number[]; readonly message: Bytes }
  /** Many messages to one client; taken from the iterator no faster than the client reads. */
  | { readonly kind: "dump"; readonly to: number; readonly messages: Iterator<Bytes> }
  /** A mature SA: packets may use it from now on. */
  | { readonly kind: "installSa"; readonly id: number; readonly sa: SaParameters }
  /** Lifetimes, UDP port or state (dying: other SAs are preferred for sending) have changed. */
  | { readonly kind: "updateSa"; readonly id: number; readonly sa: SaParameters; readonly state: SaState }
  /** The SA's keys have been erased; drop every trace of it. */
  | { readonly kind: "removeSa"; readonly id: number; readonly sa: SaParameters }
  /** A bundle: what `inner` has protected is given to `outer`; undefined: to nobody any more. */
  | { readonly kind: "link"; readonly inner: number; readonly outer: number | undefined }
  /** A new flow, or a changed one in the place of `replaced`. */
  | { readonly kind: "addFlow"; readonly flow: Flow; readonly replaced?: Flow }
  | { readonly kind: "removeFlow"; readonly flow: Flow }
  /** Every SA and every flow is gone. */
  | { readonly kind: "flush" }
  /** A knob of sysctl.ts was set. */
  | { readonly kind: "sysctl"; readonly name: string; readonly value: string }
  /** A line for the log; notice: worth reading, debug: only when asked for. */
  | { readonly kind: "log"; readonly level: "notice" | "debug"; readonly text: string };

/** What packets have done to an SA so far. Times are seconds since the epoch, 0: not yet. */
export interface SaUsage {
  readonly packets: number;
  readonly bytes: number;
  /** Flows that have used it. */
  readonly allocations: number;
  readonly drops: number;
  /** Last sequence number sent or accepted. */
  readonly sequence: number;
  readonly firstUsedSeconds: number;
  readonly lastUsedSeconds: number;
}

export const UNUSED: SaUsage = {
  packets: 0,
  bytes: 0,
  allocations: 0,
  drops: 0,
  sequence: 0,
  firstUsedSeconds: 0,
  lastUsedSeconds: 0,
};
