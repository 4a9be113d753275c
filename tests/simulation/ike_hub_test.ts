/** One gateway and hundreds of others, all at once on a bad network. */
import { assert, assertEquals } from "@std/assert";
import { formatAddress } from "../../lib/ip/address.ts";
import { textId } from "../../lib/isakmp/identification.ts";
import { configuration, connection, peer, secret } from "../ike/configurations.ts";
import { blocked, Gateway } from "./ike_node.ts";
import { Network, PERFECT } from "./network.ts";

const SPOKES = 300;
const HUB = "192.0.2.1";
const spokeAddress = (i: number) => `198.51.${100 + (i >> 8)}.${i & 255}`;
const spokeNet = (i: number) => `10.${i >> 8}.${i & 255}.0/24`;

/** Half of the spokes are configured by address, half come as road warriors with a key by their ID. */
function makeWorld(seed: number) {
  const network = new Network(seed);
  const warriors = Array.from({ length: SPOKES }, (_, i) => i).filter((i) => i % 2);
  const fixed = Array.from({ length: SPOKES }, (_, i) => i).filter((i) => i % 2 === 0);
  const initiatorSecrets = new Map(warriors.map((i) => [`spoke-${i}.example.org`, {
    secret: secret(`key ${i}`),
    origin: { file: "hub.conf", line: i, section: `spoke-${i}.example.org` },
  }]));
  const hub = new Gateway(
    network,
    HUB,
    configuration(
      [
        ...fixed.map((i) => peer(`spoke-${i}`, spokeAddress(i), { secret: secret(`key ${i}`), dpdSeconds: 60 })),
        peer("warriors", undefined, { exchange: "AGGRESSIVE", secret: undefined, dpdSeconds: 60 }),
      ],
      [
        ...fixed.map((i) =>
          connection(`net-${i}`, `spoke-${i}`, { local: "172.16.0.0/16", remote: spokeNet(i) }, { active: i % 4 === 0 })
        ),
        connection("warriors", "warriors", { local: "172.16.0.0/16" }, { active: false }),
      ],
      { initiatorSecrets, checkIntervalSeconds: 20 },
    ),
  );
  const spokes = Array.from({ length: SPOKES }, (_, i) =>
    new Gateway(
      network,
      spokeAddress(i),
      configuration(
        [
          peer("hub", HUB, {
            secret: secret(`key ${i}`),
            exchange: i % 2 ? "AGGRESSIVE" : "ID_PROT",
            localId: i % 2 ? textId("FQDN", `spoke-${i}.example.org`) : undefined,
            dpdSeconds: 60,
          }),
        ],
        [connection(`net-${i}`, "hub", { local: spokeNet(i), remote: "172.16.0.0/16" })],
        { checkIntervalSeconds: 20 },
      ),
    ));
  return { network, hub, spokes };
}

Deno.test(`${SPOKES} gateways that begin in the same second all reach the hub, which keeps as many SAs as it needs`, () => {
  const { network, hub, spokes } = makeWorld(1);
  network.conditions = {
    loss: 0.2,
    duplication: 0.1,
    reordering: 0.2,
    reorderMs: 300,
    corruption: 0.01,
    delayMs: [10, 120],
  };
  hub.input((ike, now) => ike.start(now));
  for (const spoke of spokes) {
    network.at(network.random.between(0, 1000), () => spoke.input((ike, now) => ike.start(now)));
  }
  network.run(60_000);
  network.conditions = PERFECT;
  network.run(400_000);
  for (const [i, spoke] of spokes.entries()) {
    assertEquals(blocked(spoke, hub, `net-${i}`), undefined);
    assert(hub.kernel.outbound.size >= SPOKES && spoke.ike.isUp(`net-${i}`), formatAddress(spoke.address));
  }
  assertEquals(hub.kernel.complaints, []);
  const pairs = hub.ike.pairStatus();
  assert(pairs.length <= 2 * SPOKES, `${pairs.length} pairs`);
  assertEquals(
    new Set(pairs.filter(({ current }) => current).map(({ remote }) => formatAddress(remote.prefix.address))).size,
    SPOKES,
  );
  const { wants, waits, halfOpen } = hub.ike.sizes();
  assertEquals([wants, waits, halfOpen], [0, 0, 0]);
});
