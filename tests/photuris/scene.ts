/** Two hosts on a network, and everything that they send. @module */
import { assert } from "@std/assert";
import type { Bytes } from "../../lib/octets/bytes.ts";
import type { Options } from "../../lib/photuris/choose.ts";
import { messageName } from "../../lib/photuris/messages.ts";
import { Network } from "../simulation/network.ts";
import { type Host, type HostOptions, pair } from "./host.ts";

export const AH: Options = { encryption: false, authentication: true };
export const ESP: Options = { encryption: true, authentication: false };

export interface Seen {
  readonly at: number;
  readonly from: "west" | "east";
  readonly name: string;
  readonly octets: Bytes;
}

/** Two hosts and everything they send. */
export function scene(seed = 1, westOptions: HostOptions = {}, eastOptions: HostOptions = {}) {
  const network = new Network(seed);
  const { west, east } = pair(network, seed, westOptions, eastOptions);
  const seen: Seen[] = [];
  network.tap = (at, from, _to, octets) =>
    seen.push({
      at,
      from: from.address === west.addresses[0] ? "west" : "east",
      name: messageName(octets[32])!,
      octets,
    });
  const inject = (to: Host, from: Host, octets: Bytes) => {
    to.onDatagram(network.now, from.endpoint, to.endpoint, octets);
    network.touched(to);
  };
  const of = (name: string) => seen.filter((one) => one.name === name);
  return { network, west, east, seen, of, inject };
}

/** A scene in which keys are established. */
export function established(seed = 1, westOptions: HostOptions = {}, eastOptions: HostOptions = {}) {
  const all = scene(seed, westOptions, eastOptions);
  all.west.start(all.east);
  all.network.run(1_000);
  assert(all.west.outcomes[0]?.established, [...all.west.log, ...all.east.log].join("\n"));
  return all;
}
