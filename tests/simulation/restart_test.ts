/**
 * Peers that start anew and do not say INITIAL-CONTACT, and peers that lose an old phase 1 SA and nothing else: with DPD what
 * is left of former lives ends, and what lives stays.
 */
import { assert, assertEquals } from "@std/assert";
import type { Configuration, Connection } from "../../lib/ike/configuration.ts";
import { formatAddress } from "../../lib/ip/address.ts";
import { concat } from "../../lib/octets/bytes.ts";
import { configuration, connection, exactly, peer, phase1Transform, suite } from "../ike/configurations.ts";
import { EAST, NAME, WEST } from "../ike/gateways.ts";
import { blocked, Gateway } from "./ike_node.ts";
import { type Conditions, Network, PERFECT } from "./network.ts";

const DPD_SECONDS = 10;
/** Silence, five questions, five more once the peer is known to live; the newest SA's silence; the end of replaced pairs. */
const BOUND_MS = 1000 * (1.2 * DPD_SECONDS + 25 + 1.2 * DPD_SECONDS + 25 + 10);

/** Nothing is damaged: a damaged vendor ID would leave us without DPD. */
const LOSSY: Conditions = {
  loss: 0.2,
  duplication: 0.1,
  reordering: 0.2,
  reorderMs: 500,
  corruption: 0,
  delayMs: [5, 60],
};

const SECOND = "second";
const LIVES = { suites: [suite({ life: exactly(7200) })] };
const transforms = (seconds: number) => [phase1Transform({ life: exactly(seconds) })];

function settings(of: "west" | "east", phase1Seconds: number, second: Partial<Connection> = {}): Configuration {
  const [other, address, local, remote] = of === "west" ? ["east", EAST, 1, 2] : ["west", WEST, 2, 1];
  const link = (name: string, net: number, rest: Partial<Connection>) =>
    connection(name, other, { local: `10.${local}.${net}.0/24`, remote: `10.${remote}.${net}.0/24` }, {
      ...LIVES,
      active: of === "west",
      ...rest,
    });
  return configuration(
    [peer(other, address, { dpdSeconds: DPD_SECONDS, transforms: transforms(phase1Seconds) })],
    [link(NAME, 0, {}), ...(second.active === undefined && of === "west" ? [] : [link(SECOND, 1, second)])],
    { checkIntervalSeconds: 20 },
  );
}

/** West that has forgotten everything. It says no INITIAL-CONTACT: that there are SAs of an earlier life is all it knows. */
function newLife(network: Network, second?: Partial<Connection>): Gateway {
  const west = new Gateway(network, WEST, settings("west", 28_800, second), {
    environment: { hasOtherSas: () => true },
  });
  west.input((ike, now) => ike.start(now));
  return west;
}

function begin(second?: Partial<Connection>, seed = 7) {
  const network = new Network(seed);
  const east = new Gateway(network, EAST, settings("east", 28_800));
  east.input((ike, now) => ike.start(now));
  const west = newLife(network, second);
  network.run(1000);
  assertEquals(blocked(west, east, NAME), undefined);
  return { network, east, west };
}

/** Both ends, which renew phase 1 within so many seconds. */
function renewing(phase1Seconds: number) {
  const network = new Network(7);
  const [east, west] = ([["east", EAST], ["west", WEST]] as const).map(([of, address]) =>
    new Gateway(network, address, settings(of, phase1Seconds))
  );
  for (const gateway of [east, west]) gateway.input((ike, now) => ike.start(now));
  return { network, east, west };
}

const sizes = ({ ike }: Gateway) => [ike.phase1Status().length, ike.pairStatus().length];

Deno.test("a peer that starts anew every minute without INITIAL-CONTACT leaves a bounded number of SAs, and none for long", () => {
  const { network, east, west: first } = begin();
  let west = first;
  const most = [0, 0];
  for (let life = 1; life <= 30; life++) {
    network.remove(west);
    west = newLife(network);
    network.run(network.now + 60_000);
    assertEquals([blocked(west, east, NAME), blocked(east, west, NAME)], [undefined, undefined]);
    sizes(east).forEach((size, i) => most[i] = Math.max(most[i], size));
  }
  assert(most[0] <= 3 && most[1] <= 3, `${most[0]} phase 1 SAs, ${most[1]} pairs`);
  network.run(network.now + BOUND_MS);
  assertEquals([sizes(east), sizes(west)], [[1, 1], [1, 1]]);
  assertEquals([east.kernel.inbound.size, east.kernel.outbound.size, east.kernel.flows.length], [1, 1, 1]);
  assertEquals(east.kernel.complaints, []);
});

for (let seed = 1; seed <= 20; seed++) {
  Deno.test(`the same every ten seconds on a network that loses a fifth of the messages (seed ${seed})`, () => {
    const { network, east, west: first } = begin({ active: true }, seed);
    network.conditions = LOSSY;
    let west = first;
    for (let life = 1; life <= 10; life++) {
      network.remove(west);
      west = newLife(network, { active: network.random.chance(0.5) });
      network.run(network.now + network.random.between(5_000, 20_000));
    }
    network.conditions = PERFECT;
    network.run(network.now + 2 * BOUND_MS);
    for (const name of [NAME, SECOND]) {
      if (west.ike.isUp(name)) {
        assertEquals([blocked(west, east, name), blocked(east, west, name)], [undefined, undefined]);
      }
    }
    assertEquals(west.ike.isUp(NAME), true);
    assertEquals(east.ike.pairStatus().length, west.ike.pairStatus().length);
    assertEquals([east.ike.phase1Status().length, east.kernel.complaints], [1, []]);
  });
}

Deno.test("what the new life has not brought up is negotiated anew, since it would be sent into nothing", () => {
  const { network, east, west } = begin({ active: true });
  assertEquals(blocked(east, west, SECOND), undefined);
  network.remove(west);
  const again = newLife(network, { active: false });
  network.run(network.now + BOUND_MS);
  for (const name of [NAME, SECOND]) {
    assertEquals([blocked(east, again, name), blocked(again, east, name)], [undefined, undefined]);
  }
  assertEquals(sizes(east), [1, 2]);
});

Deno.test("what the new life does not want ends, and the log says why", () => {
  const { network, east, west } = begin({ active: true });
  network.remove(west);
  const again = newLife(network);
  network.run(network.now + BOUND_MS);
  assertEquals(blocked(east, again, NAME), undefined);
  assertEquals(sizes(east), [1, 1]);
  assertEquals(east.texts("ended", 2), [
    "Ended phase 2 with 192.0.2.1 (peer west, connection second): the peer has lost its phase 1 SA and does not renegotiate it",
  ]);
});

Deno.test("phase 1 renewed by a living peer: what was made under the old one stays, and is not asked for again", () => {
  const { network, east, west } = renewing(300);
  network.run(1000);
  const before = east.kernel.current(NAME)!.spi;
  network.run(3_000_000);
  assertEquals(east.kernel.current(NAME)!.spi, before);
  assertEquals([east.ike.counters.lostByPeer, west.ike.counters.lostByPeer], [undefined, undefined]);
  assertEquals(sizes(east), [1, 1]);
});

Deno.test("a living peer that has lost only the old phase 1 SA: packets find their SA at every instant", () => {
  const { network, east, west } = renewing(2000);
  network.run(1_810_000);
  assertEquals(sizes(east), [2, 1], "phase 1 was renewed, and the old one lives");
  const before = east.kernel.current(NAME)!.spi;
  const [old] = west.ike.phase1Status();
  west.ike.deleteSa(network.now, concat(old.initiatorCookie, old.responderCookie)); // its DELETE is lost
  assertEquals(sizes(west), [1, 1]);
  const lost: string[] = [];
  const send = (from: Gateway, to: Gateway) => {
    const { spi, destination } = from.kernel.current(NAME) ?? { spi: 0, destination: to.address };
    network.at(network.now + network.random.between(1, 60), () => {
      if (!to.kernel.inbound.has(`esp ${spi} ${formatAddress(destination)}`)) lost.push(`${spi} at ${network.now} ms`);
    });
  };
  for (let after = 0; after < BOUND_MS; after += 20) {
    network.at(network.now + after, () => {
      send(east, west);
      send(west, east);
    });
  }
  network.run(network.now + BOUND_MS);
  assertEquals(lost, []);
  assertEquals([sizes(east), sizes(west)], [[1, 1], [1, 1]]);
  assert(east.kernel.current(NAME)!.spi !== before, "whether the peer has the pair was found out");
});

Deno.test("two peers that were cut off have lost nothing of each other when they meet again", () => {
  // Some cuts end when neither SA's questions are all asked, some when one's are, some when both are: then the peer is dead.
  for (let cutMs = 14_000; cutMs < 36_000; cutMs += 500) {
    const network = new Network(cutMs);
    const east = new Gateway(network, EAST, settings("east", 2000));
    const west = new Gateway(network, WEST, settings("west", 2000));
    for (const gateway of [east, west]) gateway.input((ike, now) => ike.start(now));
    network.run(1_810_000);
    network.partition([east.address]);
    network.run(network.now + cutMs);
    network.partition();
    network.run(network.now + BOUND_MS);
    const lost = [east, west].map(({ ike }) => ike.counters.lostByPeer);
    assertEquals(lost, [undefined, undefined], `cut off for ${cutMs} ms`);
    assertEquals(blocked(east, west, NAME), undefined);
  }
});
