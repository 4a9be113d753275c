/**
 * Floods a host with Cookie_Requests from random sources and prints the octets that the heap holds after each 25,000, a
 * full collection before: `deno run --v8-flags=--expose-gc tests/photuris/flood_memory.ts`.
 *
 * @module
 */
import { address } from "../../lib/ip/address.ts";
import { encodeMessage } from "../../lib/photuris/messages.ts";
import { Network, SeededRandom } from "../simulation/network.ts";
import { pair } from "./host.ts";

const { east } = pair(new Network(1), 1);
const random = new SeededRandom(2);
const { gc } = globalThis as unknown as { gc: () => void };
const held: number[] = [];
for (let round = 0; round < 4; round++) {
  for (let at = 0; at < 25_000; at++) {
    const cookies = { initiatorCookie: random.octets(16), responderCookie: random.octets(16) };
    const request = encodeMessage({ name: "Cookie_Request", ...cookies, counter: 0 });
    const source = { address: address(random.octets(4)), port: 1 };
    east.core.receive(round * 2_500 + at / 10, source, east.endpoint, request);
  }
  gc();
  held.push(Deno.memoryUsage().heapUsed);
}
console.log(JSON.stringify(held));
