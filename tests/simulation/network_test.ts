import { assert, assertEquals } from "@std/assert";
import { formatAddress, parseAddress } from "../../lib/ip/address.ts";
import type { Bytes } from "../../lib/octets/bytes.ts";
import { type Endpoint, Network, type Node, SeededRandom } from "./network.ts";

const A = { address: parseAddress("192.0.2.1"), port: 500 };
const B = { address: parseAddress("192.0.2.2"), port: 500 };

class Echo implements Node {
  readonly addresses;
  readonly heard: string[] = [];
  wake?: number;
  constructor(readonly network: Network, readonly at: Endpoint, readonly answer = false) {
    this.addresses = [at.address];
    network.add(this);
  }
  onDatagram(now: number, from: Endpoint, to: Endpoint, octets: Bytes) {
    this.heard.push(`${Math.round(now)} ${formatAddress(from.address)}:${from.port} ${octets.join()}`);
    if (this.answer) this.network.send(to, from, octets);
  }
  onTimer(now: number) {
    this.heard.push(`timer ${now}`);
    this.wake = undefined;
  }
  deadline() {
    return this.wake;
  }
}

Deno.test("a perfect network delivers in order and runs timers in virtual time", () => {
  const network = new Network(1);
  const a = new Echo(network, A), b = new Echo(network, B, true);
  b.wake = 7;
  network.touched(b);
  network.send(A, B, new Uint8Array([1]));
  network.send(A, B, new Uint8Array([2]));
  network.run(1000);
  assertEquals(b.heard, ["5 192.0.2.1:500 1", "5 192.0.2.1:500 2", "timer 7"]);
  assertEquals(a.heard, ["10 192.0.2.2:500 1", "10 192.0.2.2:500 2"]);
  assertEquals(network.now, 1000);
});

Deno.test("the same seed gives the same run, another seed another", () => {
  const run = (seed: number) => {
    const network = new Network(seed);
    network.conditions = {
      loss: 0.3,
      duplication: 0.3,
      reordering: 0.3,
      reorderMs: 50,
      corruption: 0.3,
      delayMs: [1, 9],
    };
    const b = new Echo(network, B);
    for (let i = 0; i < 50; i++) network.send(A, B, new Uint8Array([i, i, i]));
    network.run(1000);
    return { heard: b.heard, counters: network.counters };
  };
  assertEquals(run(7), run(7));
  assert(run(7).heard.join() !== run(8).heard.join());
  for (const count of Object.entries(run(7).counters)) assert(count[0] === "unreachable" || count[1] > 0, count[0]);
});

Deno.test("a NAT shows one address with a port per host and lets only answers in", () => {
  const network = new Network(1);
  const inside = { address: parseAddress("10.0.0.2"), port: 500 }, outside = parseAddress("198.51.100.1");
  const nat = network.nat([inside.address], outside);
  const host = new Echo(network, inside), b = new Echo(network, B, true);
  network.send(B, inside, new Uint8Array([1]));
  network.send(B, { address: outside, port: 500 }, new Uint8Array([2]));
  network.send(inside, B, new Uint8Array([3]));
  network.run(100);
  assertEquals(b.heard, ["5 198.51.100.1:20000 3"]);
  assertEquals(host.heard, ["10 192.0.2.2:500 3"]);
  nat.forget();
  network.send(inside, B, new Uint8Array([4]));
  network.run(200);
  assertEquals(b.heard.at(-1), "105 198.51.100.1:20001 4");
});

Deno.test("a partition separates and heals", () => {
  const network = new Network(1);
  const b = new Echo(network, B);
  network.partition([A.address]);
  network.send(A, B, new Uint8Array([1]));
  network.partition();
  network.send(A, B, new Uint8Array([2]));
  network.run(100);
  assertEquals(b.heard, ["5 192.0.2.1:500 2"]);
});

Deno.test("seeded numbers spread evenly", () => {
  const random = new SeededRandom(3);
  const counts = new Array(10).fill(0);
  for (let i = 0; i < 10_000; i++) counts[random.below(10)]++;
  assert(counts.every((count) => count > 850 && count < 1150), counts.join());
});
