import { assert, assertEquals } from "@std/assert";
import { address } from "../../lib/ip/address.ts";
import { encodeMessage, messageName, PHOTURIS_PORT } from "../../lib/photuris/messages.ts";
import { Network, SeededRandom } from "../simulation/network.ts";
import { pair } from "./host.ts";

const RATE = 10_000;
const SECONDS = 5;

Deno.test(`${RATE} Cookie_Requests a second from random sources leave nothing behind, and a peer still gets its keys`, () => {
  const network = new Network(1);
  const { west, east } = pair(network, 1);
  const random = new SeededRandom(2);
  let answers = 0;
  network.tap = (_now, from, _to, octets) => {
    if (from.address === east.addresses[0] && messageName(octets[32]) === "Cookie_Response") answers++;
  };
  let spent = 0;
  for (let at = 0; at < RATE * SECONDS; at++) {
    network.at(at * 1000 / RATE, () => {
      const source = { address: address(random.octets(at % 10 === 0 ? 16 : 4)), port: random.below(65536) };
      const cookies = { initiatorCookie: random.octets(16), responderCookie: random.octets(16) };
      const request = encodeMessage({ name: "Cookie_Request", ...cookies, counter: random.below(256) });
      const start = performance.now();
      const effects = east.core.receive(network.now, source, east.endpoint, request);
      spent += performance.now() - start;
      for (const effect of effects) if (effect.do === "send") network.send(effect.from, effect.to, effect.datagram);
    });
  }
  network.at(2_000, () => west.start(east), west);
  network.run(500);
  const before = JSON.stringify(east.core.counts);
  network.run(1_900);
  assertEquals(JSON.stringify(east.core.counts), before);
  assertEquals(east.core.counts, { exchanges: 0, spis: 0, pending: 0 });
  network.run(SECONDS * 1000 + 1_000);
  assert(west.outcomes[0].established);
  assert(west.outcomes.length === 1 && network.now < 7_000, "at the first try");
  assertEquals(east.core.counts, { exchanges: 1, spis: 2, pending: 0 });
  assert(answers > 0.9 * RATE * SECONDS, `${answers} answers`);
  assert(spent < 1000 * SECONDS / 2, `${Math.round(spent)} ms for ${RATE * SECONDS} requests`);
});

Deno.test("A flood in the name of one victim is answered eight times a second, so that it is not amplified", () => {
  const network = new Network(1);
  const { west, east } = pair(network, 1);
  const random = new SeededRandom(3);
  const victim = { address: address(new Uint8Array([203, 0, 113, 9])), port: PHOTURIS_PORT };
  let answers = 0;
  for (let at = 0; at < RATE; at++) {
    const cookies = { initiatorCookie: random.octets(16), responderCookie: new Uint8Array(16) };
    const request = encodeMessage({ name: "Cookie_Request", ...cookies, counter: 0 });
    answers += east.core.receive(at / 10, victim, east.endpoint, request).length;
  }
  assertEquals(answers, 8);
  assertEquals(west.core.counts.exchanges, 0);
});

Deno.test("75,000 more sources take no more memory than the first 25,000", async () => {
  const script = new URL("./flood_memory.ts", import.meta.url).pathname;
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const args = ["run", "-A", "--quiet", "--config", config, "--v8-flags=--expose-gc", script];
  const { stdout } = await new Deno.Command(Deno.execPath(), { args, stderr: "inherit" }).output();
  const held: number[] = JSON.parse(new TextDecoder().decode(stdout));
  assert(held[3] - held[0] < 75_000, `${held} octets: one octet for each source is too much`);
});
