/**
 * Renegotiation under traffic: at every instant the SA that a packet leaves through exists at the other side when the packet
 * arrives, and SAs do not multiply. Packets themselves are never lost here, so any loss is key management's.
 */
import { assert, assertEquals } from "@std/assert";
import { formatAddress } from "../../lib/ip/address.ts";
import type { NegotiatedSa } from "../../lib/ike/events.ts";
import { phase1Transform, suite } from "../ike/configurations.ts";
import { gateways, NAME, type Options } from "../ike/gateways.ts";
import { blocked, type Gateway } from "./ike_node.ts";
import { type Conditions, PERFECT } from "./network.ts";

const exactly = (seconds: number) => ({ offer: seconds, least: seconds, most: seconds });

interface Traffic {
  sent: number;
  lost: string[];
  mostPairs: number;
  mostPhase1: number;
  spis: Set<number>;
}

/** Sends a packet in both directions every `everyMs` from when both sides can, until `untilMs`. */
function ping(ends: ReturnType<typeof gateways>, everyMs: number, untilMs: number): Traffic {
  const { network, west, east } = ends;
  const traffic: Traffic = { sent: 0, lost: [], mostPairs: 0, mostPhase1: 0, spis: new Set() };
  let begun = false;
  const send = (from: Gateway, to: Gateway) => {
    const sa = from.kernel.current(NAME);
    const what = `${formatAddress(from.address)} at ${network.now} ms`;
    if (!sa) return void traffic.lost.push(`${what}: no outbound SA`);
    traffic.sent++;
    traffic.spis.add(sa.spi);
    const delay = network.random.between(1, 60);
    network.at(network.now + delay, () => arrive(sa, to, what));
  };
  const arrive = (sa: NegotiatedSa, to: Gateway, what: string) => {
    const key = `${sa.protocol} ${sa.spi} ${formatAddress(to.address)}`;
    if (!to.kernel.inbound.has(key)) traffic.lost.push(`${what}: no inbound SA ${key}`);
  };
  for (let at = 0; at < untilMs; at += everyMs) {
    network.at(at, () => {
      begun ||= !blocked(west, east, NAME) && !blocked(east, west, NAME);
      if (!begun) return;
      send(west, east);
      send(east, west);
      for (const { ike } of [west, east]) {
        traffic.mostPairs = Math.max(traffic.mostPairs, ike.pairStatus().length);
        traffic.mostPhase1 = Math.max(traffic.mostPhase1, ike.phase1Status().length);
      }
    });
  }
  return traffic;
}

const LOSSY: Conditions = {
  loss: 0.2,
  duplication: 0.1,
  reordering: 0.2,
  reorderMs: 500,
  corruption: 0.01,
  delayMs: [5, 60],
};

function rekeying(
  options: Options & { seconds?: number; conditions?: Conditions; both?: boolean; phase1Seconds?: number },
) {
  const { seconds = 60, conditions = PERFECT, both = true, phase1Seconds = 200 } = options;
  const ends = gateways({
    ...options,
    // Five unanswered questions in a row do happen on a network that loses a fifth; that is no matter of renegotiation.
    peer: {
      transforms: [phase1Transform({ life: exactly(phase1Seconds) })],
      dpdSeconds: conditions === PERFECT ? 20 : 0,
    },
    suites: [suite({ life: exactly(seconds), pfs: "CURVE_25519" })],
    eastConnection: { active: both },
  });
  const { network, west, east } = ends;
  west.input((ike, now) => ike.start(now));
  east.input((ike, now) => ike.start(now));
  network.run(10_000);
  network.conditions = conditions;
  return ends;
}

Deno.test("a packet every 10 ms through 20 renegotiations with equal lifetimes, begun in the same second: none is lost", () => {
  const ends = rekeying({});
  const until = 20 * 60_000;
  const traffic = ping(ends, 10, until);
  ends.network.run(until);
  assertEquals(traffic.lost, []);
  assert(traffic.sent > 230_000, String(traffic.sent));
  assert(traffic.spis.size >= 40, `${traffic.spis.size} SAs were used`);
  assert(
    traffic.mostPairs <= 4 && traffic.mostPhase1 <= 3,
    `${traffic.mostPairs} pairs, ${traffic.mostPhase1} phase 1 SAs`,
  );
});

Deno.test("the same with one side that begins", () => {
  const ends = rekeying({ both: false });
  const traffic = ping(ends, 50, 600_000);
  ends.network.run(600_000);
  assertEquals(traffic.lost, []);
  assert(
    traffic.mostPairs <= 3 && traffic.mostPhase1 <= 2,
    `${traffic.mostPairs} pairs, ${traffic.mostPhase1} phase 1 SAs`,
  );
});

for (let seed = 1; seed <= 20; seed++) {
  Deno.test(`renegotiation on a network that loses a fifth of the messages loses no packet (seed ${seed})`, () => {
    const ends = rekeying({ seed, seconds: 300, phase1Seconds: 500, conditions: LOSSY, both: seed % 2 === 0 });
    const traffic = ping(ends, 200, 3_000_000);
    ends.network.run(3_000_000);
    assertEquals(traffic.lost, []);
    assert(
      traffic.mostPairs <= 6 && traffic.mostPhase1 <= 4,
      `${traffic.mostPairs} pairs, ${traffic.mostPhase1} phase 1 SAs`,
    );
  });
}

Deno.test("SAs of a connection that is no longer wanted end and leave nothing", () => {
  const { network, west, east } = rekeying({ both: false });
  network.remove(east);
  network.run(400_000);
  const { kernel, ike } = west;
  assertEquals([kernel.inbound.size, kernel.outbound.size, kernel.flows.length, ike.pairStatus().length], [0, 0, 0, 0]);
});

Deno.test("a soft limit in bytes renegotiates at once", () => {
  const { network, west, east } = rekeying({ seconds: 3600, phase1Seconds: 7200, both: false });
  const before = west.kernel.current(NAME)!;
  west.input((ike, now) => ike.onExpire(now, "soft", "esp", before.spi, before.destination));
  network.run(11_000);
  assert(west.kernel.current(NAME)!.spi !== before.spi);
  assertEquals(blocked(west, east, NAME), undefined);
  west.input((ike, now) => ike.onExpire(now, "hard", "esp", before.spi, before.destination));
  network.run(12_000);
  assertEquals([west.ike.pairStatus().length, east.ike.pairStatus().length], [1, 1]);
  assertEquals(blocked(east, west, NAME), undefined);
});
