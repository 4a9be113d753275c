/**
 * Gateways on a bad network, in virtual time, from seeds. Each run has a failing half (loss, copies, overtaking, damage,
 * partitions) and a healed half, after which: every configured connection is up, both ends agree on algorithms and keys,
 * nothing is left over.
 *
 *   IKE_SIMULATIONS=100000 deno test -A tests/simulation/ike_test.ts    a longer run
 *   IKE_SEED=4711 deno test -A tests/simulation/ike_test.ts             one run again
 */
import { assert, assertEquals } from "@std/assert";
import { formatAddress, parseAddress } from "../../lib/ip/address.ts";
import { describeDatagram } from "../../lib/isakmp/describe.ts";
import { textId } from "../../lib/isakmp/identification.ts";
import type { Connection, Peer } from "../../lib/ike/configuration.ts";
import { configuration, connection, peer, phase1Transform, secret, suite } from "../ike/configurations.ts";
import { blocked, Gateway } from "./ike_node.ts";
import { type Conditions, Network, PERFECT, type SeededRandom } from "./network.ts";

const SIMULATIONS = Number(Deno.env.get("IKE_SIMULATIONS") ?? 10_000);
const ONLY_SEED = Deno.env.get("IKE_SEED");
const SHARDS = 10;

interface World {
  readonly network: Network;
  readonly gateways: readonly Gateway[];
  /** Connections: between which gateways, under which name. */
  readonly links: readonly { readonly name: string; readonly a: Gateway; readonly b: Gateway }[];
}

const net = (i: number) => `10.${i}.0.0/16`;

/** Gateways 0 to n-1, each pair with one connection; who begins, the modes and algorithms come from the seed. */
function makeWorld(seed: number): World {
  const network = new Network(seed);
  const { random } = network;
  const count = random.chance(0.9) ? 2 : 3 + random.below(2);
  const addresses = Array.from({ length: count }, (_, i) => `192.0.2.${i + 1}`);
  const natted = count === 2 && random.chance(0.2);
  if (natted) network.nat([parseAddress(addresses[0])], parseAddress("198.51.100.1"));
  const peers: Peer[][] = addresses.map(() => []);
  const connections: Connection[][] = addresses.map(() => []);
  for (let a = 0; a < count; a++) {
    for (let b = a + 1; b < count; b++) {
      const aggressive = random.chance(0.3);
      const pfs = random.chance(0.5) ? "CURVE_25519" as const : undefined;
      const bundle = !natted && random.chance(0.2);
      const suites = [suite(...(bundle ? [{ protocol: "AH" as const, pfs }, { pfs }] : [{ pfs }]))];
      if (random.chance(0.3)) suites.unshift(suite({ cipher: "AES_GCM_16", authentication: null, pfs }));
      const transforms = [phase1Transform({
        cipher: random.pick(["AES_CBC", "3DES_CBC"] as const),
        hash: random.pick(["MD5", "SHA", "SHA2_256"] as const),
      })];
      const fqdn = random.chance(0.3);
      const natTraversal = natted || random.chance(0.7);
      const forceEncapsulation = natTraversal && random.chance(0.1);
      const common = {
        exchange: aggressive ? "AGGRESSIVE" as const : "ID_PROT" as const,
        transforms,
        natTraversal,
        fragmentation: random.chance(0.5),
        dpdSeconds: random.chance(0.5) ? 30 : 0,
        secret: secret(`secret of ${a} and ${b}`),
      };
      const ids = [a, b].map((i) => fqdn ? textId("FQDN", `gateway-${i}.example.org`) : undefined);
      const bothActive = !natted && random.chance(0.5);
      const many = random.chance(0.1) ? 5 : 1;
      const seenA = natted ? "198.51.100.1" : addresses[a];
      const [localId, remoteId] = ids;
      peers[a].push(peer(`to-${b}`, addresses[b], { ...common, forceEncapsulation, localId, remoteId }));
      peers[b].push(peer(`to-${a}`, seenA, { ...common, localId: remoteId, remoteId: localId }));
      for (let i = 0; i < many; i++) {
        const name = `${a}-${b}-${i}`;
        const [left, right] = many > 1 ? [`10.${a}.${i}.0/24`, `10.${b}.${i}.0/24`] : [net(a), net(b)];
        connections[a].push(connection(name, `to-${b}`, { local: left, remote: right }, { suites }));
        connections[b].push(
          connection(name, `to-${a}`, { local: right, remote: left }, { suites, active: bothActive }),
        );
      }
    }
  }
  const gateways = addresses.map((address, i) =>
    new Gateway(network, address, configuration(peers[i], connections[i], { checkIntervalSeconds: 20 }))
  );
  const links = connections.flatMap((list, a) =>
    list.filter(({ name }) => name.startsWith(`${a}-`)).map(({ name }) => ({
      name,
      a: gateways[a],
      b: gateways[Number(name.split("-")[1])],
    }))
  );
  return { network, gateways, links };
}

function badConditions(random: SeededRandom): Conditions {
  const some = (most: number) => random.chance(0.5) ? random.between(0, most) : 0;
  const least = random.between(1, 50);
  return {
    loss: some(0.5),
    duplication: some(0.3),
    reordering: some(0.3),
    reorderMs: random.between(10, 3000),
    corruption: some(0.1),
    delayMs: [least, least + random.between(0, 300)],
  };
}

/** What is wrong in a world that should be at rest. */
function faultsOf({ gateways, links }: World): string[] {
  const faults: string[] = [];
  for (const { name, a, b } of links) {
    for (const [from, to] of [[a, b], [b, a]]) {
      const why = blocked(from, to, name);
      if (why) faults.push(why);
    }
  }
  for (const gateway of gateways) {
    const at = formatAddress(gateway.address);
    const { kernel, ike } = gateway;
    faults.push(...kernel.complaints.map((text) => `${at}: ${text}`));
    if (kernel.reserved.size) faults.push(`${at}: ${kernel.reserved.size} reserved SPIs left over`);
    const installed = kernel.inbound.size + kernel.outbound.size;
    const known = ike.pairStatus().reduce((sum, { sas }) => sum + sas.length, 0);
    if (installed !== known) faults.push(`${at}: ${installed} SAs installed, ${known} known`);
    const { wants, waits, halfOpen } = ike.sizes();
    if (wants || waits || halfOpen) {
      faults.push(`${at}: ${wants} wants, ${waits} waits, ${halfOpen} half-open left over`);
    }
    if (ike.exchangeStatus().length) faults.push(`${at}: ${ike.exchangeStatus().length} exchanges left over`);
  }
  return faults;
}

/** Prints what happens: datagrams as they are sent, outcomes at the end. */
function trace({ network }: World): void {
  console.log("conditions", network.conditions);
  network.tap = (now, from, to, octets) => {
    const ends = [from, to].map(({ address, port }) => `${formatAddress(address)}:${port}`);
    console.log(
      `${now.toFixed(0)} ${ends.join(" > ")} ${describeDatagram(octets).slice(0, 2).join(" ")}`.slice(0, 200),
    );
  };
}

/** Runs one seed: bad times, then healed; the complaints at the end. */
function simulate(seed: number): string[] {
  const world = makeWorld(seed);
  const { network, gateways } = world;
  const { random } = network;
  network.conditions = random.chance(0.2) ? PERFECT : badConditions(random);
  if (ONLY_SEED !== undefined) trace(world);
  for (const gateway of gateways) {
    network.at(random.chance(0.5) ? 0 : random.between(0, 20_000), () => gateway.input((ike, now) => ike.start(now)));
  }
  const badMs = random.between(1_000, 90_000);
  if (random.chance(0.4)) {
    const begin = random.between(0, badMs);
    network.at(begin, () => network.partition([gateways[0].address]));
    network.at(random.between(begin, badMs), () => network.partition());
  }
  network.run(badMs);
  network.partition();
  network.conditions = PERFECT;
  network.run(badMs + 400_000);
  if (ONLY_SEED !== undefined) {
    for (const { outcomes } of gateways) {
      for (const { text } of outcomes) console.log(text);
    }
  }
  return faultsOf(world);
}

if (ONLY_SEED !== undefined) {
  Deno.test(`seed ${ONLY_SEED}`, () => assertEquals(simulate(Number(ONLY_SEED)), []));
} else {
  for (let shard = 0; shard < SHARDS; shard++) {
    const first = 1 + Math.floor(shard * SIMULATIONS / SHARDS), last = Math.floor((shard + 1) * SIMULATIONS / SHARDS);
    Deno.test(`after the network heals every connection is up and nothing is left over (seeds ${first} to ${last})`, () => {
      for (let seed = first; seed <= last; seed++) {
        const faults = simulate(seed);
        assert(faults.length === 0, `IKE_SEED=${seed} fails:\n${faults.join("\n")}`);
      }
    });
  }
}
