/** A TCP stream that is as fast as the way lets it be, and round trips beside it: both ends of it. @module */
import { type Address, formatAddress } from "../../ip/address.ts";
import { IcmpProbe } from "../../linux/icmp_probe.ts";

export const DEFAULT_PORT = 5210;
const BUFFER_OCTETS = 256 << 10;
/** What the receiver says at the end: octets, milliseconds, each a float64. */
const VERDICT_OCTETS = 16;
/** For each second of the stream, but some at least. */
const TRIPS_A_SECOND = 50;
const LEAST_TRIPS = 10;
const TRIP_PACE_MS = 10;
const LOST_AFTER_MS = 1000;
/** IP header, ICMP header and 56 octets, as ping sends. */
const TRIP_OCTETS = 84;

/** What a sender learns. */
export interface StreamResult {
  /** As the receiver counted. */
  readonly mbits: number;
  /** Median of an echo's round trip in milliseconds before the stream, and the one that 99 % stay below. */
  readonly tripMs?: number;
  readonly tripMostMs?: number;
}

/** A listener for IPv6 and IPv4, or for IPv4 where the kernel has no other. */
function listenEverywhere(port: number): Deno.Listener {
  try {
    return Deno.listen({ port, hostname: "::" });
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) throw error;
    return Deno.listen({ port, hostname: "0.0.0.0" });
  }
}

/** Receives streams one after the other, until it is ended, and tells each sender what came. */
export async function receive(port: number, listening: (port: number) => void): Promise<never> {
  const listener = listenEverywhere(port);
  listening((listener.addr as Deno.NetAddr).port);
  const buffer = new Uint8Array(BUFFER_OCTETS);
  for (;;) {
    using connection = await listener.accept();
    try {
      let octets = 0;
      let start = 0;
      for (let got = await connection.read(buffer); got !== null; got = await connection.read(buffer)) {
        if (octets === 0) start = performance.now();
        octets += got;
      }
      const verdict = new DataView(new ArrayBuffer(VERDICT_OCTETS));
      verdict.setFloat64(0, octets);
      verdict.setFloat64(8, performance.now() - start);
      await connection.write(new Uint8Array(verdict.buffer));
    } catch (error) {
      // A sender that went away; the next one may be better.
      if (!(error instanceof Error)) throw error;
    }
  }
}

/** Sends for `seconds`; answers megabits a second as the receiver counted. @throws {Error} of the network */
export async function send(address: Address, port: number, seconds: number): Promise<number> {
  using connection = await Deno.connect({ hostname: formatAddress(address), port });
  const buffer = new Uint8Array(BUFFER_OCTETS);
  const end = performance.now() + 1000 * seconds;
  while (performance.now() < end) await connection.write(buffer);
  await connection.closeWrite();
  const verdict = new Uint8Array(VERDICT_OCTETS);
  for (let at = 0; at < VERDICT_OCTETS;) {
    const got = await connection.read(verdict.subarray(at));
    if (got === null) throw new Error("the receiver went away before it told what came");
    at += got;
  }
  const view = new DataView(verdict.buffer);
  return view.getFloat64(0) * 8 / 1000 / view.getFloat64(8);
}

/** Round trips of echo requests, in milliseconds, the shortest first; empty when none came back. */
export async function roundTrips(address: Address, count: number): Promise<number[]> {
  using probe = new IcmpProbe(address);
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    const sequence = probe.send(TRIP_OCTETS);
    const answers = await probe.collect(
      LOST_AFTER_MS,
      (answers) => answers.some((answer) => answer.sequence === sequence),
    );
    const took = performance.now() - start;
    if (answers.some(({ kind, sequence: own }) => kind === "reply" && own === sequence)) times.push(took);
    else if (times.length === 0 && i >= 2) return [];
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, TRIP_PACE_MS - took)));
  }
  return times.sort((a, b) => a - b);
}

/** Round trips (where raw sockets are allowed), then a stream. */
export async function measureStream(address: Address, port: number, seconds: number): Promise<StreamResult> {
  const count = Math.max(LEAST_TRIPS, Math.round(TRIPS_A_SECOND * seconds));
  const times = await roundTrips(address, count).catch(() => []);
  return {
    mbits: await send(address, port, seconds),
    tripMs: times[times.length >> 1],
    tripMostMs: times[Math.floor(times.length * 0.99)],
  };
}
