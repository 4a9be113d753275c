/** What the engine is started with. @module */

export interface EncOptions {
  /** Name of the interface. */
  readonly interfaceName: string;
  /** Fixed MTU of the interface; absent: it follows the SAs. */
  readonly mtu?: number;
  /** UDP encapsulation port; 0: none. */
  readonly udpPort: number;
  /** Packet Workers: 1 for both directions, 2 for one each. */
  readonly workers: 1 | 2;
  readonly libcrypto: "auto" | "off";
  /** Knobs set before anything else, from sysctl.conf. */
  readonly sysctls: readonly (readonly [name: string, value: string])[];
}

/** Where the engine's lines go. */
export interface EncLog {
  notice(text: string): void;
  debug(text: string): void;
}
