import { assert, assertEquals } from "@std/assert";
import { SCHEMES } from "../../lib/photuris/schemes.ts";
import { assertAgreement, type Host, offer, pair, SMALL_PRIMES } from "../photuris/host.ts";
import { type Conditions, Network, PERFECT } from "./network.ts";

/** One seed repeats one exchange: `PHOTURIS_SEED=1234 deno test -A tests/simulation/photuris_test.ts`. */
const ONLY = Deno.env.get("PHOTURIS_SEED");
const EXCHANGES = 10_000;
const OFFERS = [
  [6, 5, 2, 254, 16, 18, 17, 6, 5, 1, 254, 5, 6],
  [5, 2, 254, 18, 6, 1, 254, 6],
  [7, 5, 1, 5, 6, 2, 8],
  [6, 7, 2, 18, 254, 7, 1, 254, 7],
];

function conditionsOf(network: Network): Conditions {
  const { random } = network;
  return {
    loss: random.fraction() * 0.35,
    duplication: random.fraction() * 0.3,
    reordering: random.fraction() * 0.4,
    reorderMs: 9_000, // more than a retransmission interval
    corruption: random.chance(0.3) ? random.fraction() * 0.1 : 0,
    delayMs: [1, 1 + random.below(400)],
  };
}

/** What must hold at any time: what one uses the other owns, with the same keys, and an SPI_Update's had it first. */
function assertConsistent(west: Host, east: Host): void {
  assertAgreement(west, east);
  for (const [owner, user] of [[west, east], [east, west]]) {
    const since = new Map(owner.of("owner").map((sa) => [sa.spi, sa.at]));
    const early = user.of("user").filter((sa) => (since.get(sa.spi) ?? 0) > sa.at);
    // A responder may use the SPI of an Identity_Request before the initiator has its answer; nobody else is early.
    const begun = new Set(user.outcomes.filter((one) => one.established).map(({ text }) => text)).size;
    const asResponder = user.log.filter((line) => /Established keys/.test(line)).length - begun;
    assert(early.length <= asResponder, `${user.name} was early with ${early.map(({ spi }) => spi)}`);
  }
}

/** Runs one exchange under bad conditions, then asks again on a network that has healed. */
function run(seed: number): { established: boolean; corrupted: boolean } {
  const network = new Network(seed);
  const { random } = network;
  const scheme = random.pick(SCHEMES);
  const [base] = scheme.refersTo;
  const prime = SMALL_PRIMES[random.pick([64, 96, 128] as const)];
  const schemes = base === undefined ? [offer(scheme.number, prime)] : [offer(scheme.number), offer(base, prime)];
  const offers = random.pick(OFFERS);
  const { west, east } = pair(network, seed, { schemes, offers }, { schemes, offers });
  network.conditions = conditionsOf(network);
  const slowMs = random.pick([1, 50, 3_000]);
  for (const host of [west, east]) host.computeMs = () => 1 + random.below(slowMs);
  west.start(east);
  if (random.chance(0.2)) network.at(random.below(3_000), () => east.start(west));
  const isIdle = () => !west.core.isBusyWith(east.endpoint) && !east.core.isBusyWith(west.endpoint);
  network.run(3_000); // both may have begun
  network.run(250_000, isIdle);
  network.run(network.now + 20_000);
  assertConsistent(west, east);
  const [outcome] = west.outcomes;
  assert(outcome, `no outcome: ${west.log.join("\n")}`);
  const established = outcome.established;
  const corrupted = network.counters.corrupted > 0;

  network.conditions = PERFECT;
  const before = west.outcomes.length;
  west.start(east);
  network.run(network.now + 150_000, isIdle);
  network.run(network.now + 20_000);
  const again = west.outcomes.slice(before);
  assert(again.some((one) => one.established), `not healed: ${[...west.log, "east:", ...east.log].join("\n")}`);
  assertConsistent(west, east);
  return { established, corrupted };
}

Deno.test(`${EXCHANGES} exchanges with loss, duplicates, reordering and damage agree on keys or fail, and heal`, () => {
  const seeds = ONLY ? [Number(ONLY)] : Array.from({ length: EXCHANGES }, (_, at) => at + 1);
  let established = 0;
  let clean = 0;
  for (const seed of seeds) {
    try {
      const result = run(seed);
      if (result.corrupted) continue;
      clean++;
      if (result.established) established++;
    } catch (error) {
      throw new Error(`PHOTURIS_SEED=${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
  // Four tries a message, up to 35 % loss each way: where nothing was damaged few may fail.
  if (!ONLY) assert(established / clean > 0.9, `${established} of ${clean} exchanges without damage were established`);
});

Deno.test("Keys renew through two days of a bad network, and what is used is always owned", () => {
  const network = new Network(7);
  const { west, east } = pair(network, 7);
  west.start(east);
  network.run(10_000);
  network.conditions = {
    ...PERFECT,
    loss: 0.2,
    duplication: 0.1,
    reordering: 0.2,
    reorderMs: 3_000,
    delayMs: [1, 200],
  };
  let gaps = 0;
  for (let hour = 0; hour < 48; hour++) {
    network.run(network.now + 3_600_000);
    assertConsistent(west, east);
    for (const host of [west, east]) {
      const alive = host.of("user").filter((sa) => sa.at + 1000 * sa.lifeSeconds > network.now);
      const removed = new Set(host.removed.filter(({ role }) => role === "user").map(({ spi }) => spi));
      if (!alive.some(({ spi }) => !removed.has(spi))) gaps++;
    }
  }
  assert(gaps <= 2, `${gaps} of 96 hourly looks found no keys`);
  assert(west.of("user").length > 200);
  const { exchanges, spis, pending } = west.core.counts;
  assert(exchanges <= 6 && spis <= 24 && pending === 0, JSON.stringify(west.core.counts));
});

Deno.test("Everything is forgotten when all lives are over", () => {
  const network = new Network(8);
  const { west, east } = pair(network, 8);
  west.start(east);
  network.run(5_000);
  network.partition(west.addresses, east.addresses);
  network.run(network.now + 2 * 3_600_000);
  assertEquals(west.core.counts, { exchanges: 0, spis: 0, pending: 0 });
  assertEquals(east.core.counts, { exchanges: 0, spis: 0, pending: 0 });
  assertEquals(west.core.nextAt, Infinity);
});
