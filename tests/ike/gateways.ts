/** Two gateways, west and east, on a perfect network. @module */
import type { Configuration, Connection, Peer, Suite } from "../../lib/ike/configuration.ts";
import type { Environment } from "../../lib/ike/events.ts";
import { type Compute, Gateway, toyCompute } from "../simulation/ike_node.ts";
import { Network } from "../simulation/network.ts";
import { configuration, connection, peer } from "./configurations.ts";

export const WEST = "192.0.2.1", EAST = "192.0.2.2", NAME = "west-east";

export interface Options {
  /** For both peer sections. */
  peer?: Partial<Peer>;
  west?: Partial<Peer>;
  east?: Partial<Peer>;
  suites?: readonly Suite[];
  westConnection?: Partial<Connection>;
  eastConnection?: Partial<Connection>;
  /** Without client IDs. */
  hostToHost?: boolean;
  westConfiguration?: Partial<Configuration>;
  eastConfiguration?: Partial<Configuration>;
  westEnvironment?: Partial<Environment>;
  eastEnvironment?: Partial<Environment>;
  compute?: Compute;
  eastCompute?: Compute;
  /** Address of west as east sees it. */
  seenWest?: string;
  seed?: number;
}

export interface Ends {
  network: Network;
  west: Gateway;
  east: Gateway;
}

/** West's connection is active, east's answers. Nothing has begun. */
export function gateways(options: Options = {}): Ends {
  const network = new Network(options.seed ?? 1);
  const { compute = toyCompute, suites, hostToHost } = options;
  const ids = (local: string, remote: string) => hostToHost ? {} : { local, remote };
  const common = suites ? { suites } : {};
  const west = new Gateway(
    network,
    WEST,
    configuration([peer("east", EAST, { ...options.peer, ...options.west })], [
      connection(NAME, "east", ids("10.1.0.0/16", "10.2.0.0/16"), { ...common, ...options.westConnection }),
    ], options.westConfiguration),
    { compute, environment: options.westEnvironment },
  );
  const east = new Gateway(
    network,
    EAST,
    configuration([peer("west", options.seenWest ?? WEST, { ...options.peer, ...options.east })], [
      connection(NAME, "west", ids("10.2.0.0/16", "10.1.0.0/16"), {
        ...common,
        active: false,
        ...options.eastConnection,
      }),
    ], options.eastConfiguration),
    { compute: options.eastCompute ?? compute, environment: options.eastEnvironment },
  );
  return { network, west, east };
}

/** The same, and west has begun and a second has passed. */
export function connected(options: Options = {}): Ends {
  const ends = gateways(options);
  ends.west.input((ike, now) => ike.start(now));
  ends.east.input((ike, now) => ike.start(now));
  ends.network.run(ends.network.now + 1000);
  return ends;
}
