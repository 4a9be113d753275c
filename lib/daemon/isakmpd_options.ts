/** What isakmpd is told at its start. @module */
import { dirname, join } from "node:path";
import type { Configuration } from "../ike/configuration.ts";
import type { Files } from "./isakmpd_files.ts";

/** What the command line says. */
export interface IsakmpdOptions {
  readonly configurationFile: string;
  /** "-": standard input. */
  readonly fifo: string;
  readonly pidFile: string;
  /** `S` and `C get` write isakmpd.result beside it. */
  readonly reportFile: string;
  readonly packetLog?: string;
  /** Directory of Wireshark's tables. */
  readonly wireshark?: string;
  readonly families: readonly (4 | 6)[];
  readonly flows: boolean;
  /** Off: nothing is installed. */
  readonly kernel: boolean;
  readonly policy: boolean;
  readonly natTraversal: boolean;
  readonly passive: boolean;
  readonly verbose: boolean;
  readonly ports: { readonly ike: number; readonly nat: number };
  readonly seed?: string;
}

/** What `S` and `C get` write. */
export const resultFileOf = ({ reportFile }: IsakmpdOptions): string => join(dirname(reportFile), "isakmpd.result");

/** With Acquire-Only nothing is brought up before a packet asks for it; the flows that make it ask stay. */
export function coreConfiguration({ conf: { configuration, settings } }: Files): Configuration {
  if (!settings.acquireOnly) return configuration;
  const connections = configuration.connections.map((connection) => ({ ...connection, active: false }));
  return { ...configuration, connections };
}
