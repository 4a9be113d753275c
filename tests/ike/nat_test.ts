import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { formatAddress, parseAddress } from "../../lib/ip/address.ts";
import { decodeHeader, decodePayloads } from "../../lib/isakmp/message.ts";
import { PAYLOAD } from "../../lib/isakmp/numbers.ts";
import { formatHex } from "../../lib/octets/hex.ts";
import { OUR_VENDOR_IDS } from "../../lib/isakmp/vendor_ids.ts";
import { blocked } from "../simulation/ike_node.ts";
import type { Endpoint } from "../simulation/network.ts";
import { suite } from "./configurations.ts";
import { connected, EAST, gateways, NAME, type Options, WEST } from "./gateways.ts";

const PUBLIC = "198.51.100.1";

function behindNat(options: Options = {}) {
  const ends = gateways({ seenWest: PUBLIC, ...options });
  const nat = ends.network.nat([parseAddress(WEST)], parseAddress(PUBLIC));
  const ports = new Set<string>();
  ends.network.tap = (_now, from: Endpoint, to: Endpoint) => {
    if (formatAddress(from.address) === WEST) ports.add(`${from.port} to ${to.port}`);
  };
  ends.west.input((ike, now) => ike.start(now));
  ends.network.run(1000);
  return { ...ends, nat, ports };
}

for (const exchange of ["ID_PROT", "AGGRESSIVE"] as const) {
  Deno.test(`${exchange} through a NAT goes on at port 4500, ESP in UDP`, () => {
    const { west, east, ports } = behindNat({ peer: { exchange } });
    assertEquals(blocked(west, east, NAME), undefined);
    assertEquals([...ports], ["500 to 500", "4500 to 4500"]);
    assertEquals(west.ike.phase1Status()[0].nat, "local");
    assertEquals(east.ike.phase1Status()[0].nat, "remote");
    const sa = east.kernel.current(NAME)!;
    assertEquals(formatAddress(sa.destination), PUBLIC);
    assert(sa.encapsulation!.remotePort >= 20000 && sa.encapsulation!.localPort === 4500);
    assertEquals(west.kernel.current(NAME)!.encapsulation, { localPort: 4500, remotePort: 4500 });
  });
}

Deno.test("the side behind the NAT sends keepalives, the other does not", () => {
  const { west, east, network } = behindNat();
  const perform = { west: 0, east: 0 };
  for (const side of ["west", "east"] as const) {
    const gateway = { west, east }[side];
    const before = gateway.perform.bind(gateway);
    gateway.perform = (effects) => {
      perform[side] += effects.filter(({ type }) => type === "keepalive").length;
      before(effects);
    };
  }
  network.run(101_000);
  assertEquals(perform, { west: 5, east: 0 });
});

Deno.test("a NAT that forgets its mapping is followed with the next authenticated message", () => {
  const { west, east, network, nat } = behindNat({ peer: { dpdSeconds: 10 } });
  const before = east.ike.phase1Status()[0].remote.port;
  const moved: string[] = [];
  const perform = east.perform.bind(east);
  east.perform = (effects) => {
    for (const effect of effects) {
      if (effect.type === "peerMoved") moved.push(...effect.sas.map(({ direction }) => direction));
    }
    perform(effects);
  };
  nat.forget();
  network.run(15_000);
  const after = east.ike.phase1Status()[0].remote.port;
  assert(before !== after, "the port changed");
  assertEquals(moved, ["in", "out"]);
  const [{ sas }] = east.ike.pairStatus();
  assertEquals(sas.map(({ encapsulation }) => encapsulation?.remotePort), [after, after]);
  assertEquals([...east.kernel.outbound.values()].length, 1);
  assertEquals(west.ike.isUp(NAME) && east.ike.isUp(NAME), true);
});

Deno.test("without a NAT everything stays on port 500 and plain", () => {
  const { west, east } = connected();
  assertEquals(west.ike.phase1Status()[0].remote.port, 500);
  assertEquals(east.kernel.current(NAME)!.encapsulation, undefined);
});

Deno.test("encapsulation is forced by either side without any NAT", () => {
  for (const options of [{ west: { forceEncapsulation: true } }, { east: { forceEncapsulation: true } }]) {
    const { west, east } = connected(options);
    assertEquals(blocked(west, east, NAME), undefined);
    assertEquals(west.kernel.current(NAME)!.encapsulation, { localPort: 4500, remotePort: 4500 });
    assertStringIncludes(west.texts("established", 2)[0], "UDP_ENCAP_TUNNEL");
  }
});

Deno.test("NAT traversal that one side has not is not used", () => {
  const { west, east } = connected({ west: { natTraversal: false } });
  assertEquals(blocked(west, east, NAME), undefined);
  assertEquals(west.ike.phase1Status()[0].remote.port, 500);
});

Deno.test("a peer that only knows the drafts gets their numbers", () => {
  const ends = gateways({ seenWest: PUBLIC });
  ends.network.nat([parseAddress(WEST)], parseAddress(PUBLIC));
  const rfc = formatHex(OUR_VENDOR_IDS.natRfc3947), seen = new Set<number>();
  const before = ends.west.onDatagram.bind(ends.west);
  // On its way from west the RFC's vendor ID becomes one that nobody knows.
  const deliver = ends.east.onDatagram.bind(ends.east);
  ends.east.onDatagram = (now, from, to, octets) => {
    const at = formatHex(octets).indexOf(rfc);
    if (at >= 0) octets[at / 2] ^= 0xff;
    deliver(now, from, to, octets);
  };
  ends.west.onDatagram = (now, from, to, octets) => {
    const { header, body } = decodeHeader(octets);
    if (!(header.flags & 1)) {
      for (const { type } of decodePayloads(header.nextPayload, body).payloads) {
        seen.add(type);
      }
    }
    before(now, from, to, octets);
  };
  ends.west.input((ike, now) => ike.start(now));
  ends.network.run(1000);
  assertEquals(blocked(ends.west, ends.east, NAME), undefined, ends.east.texts("failed").join());
  assert(seen.has(PAYLOAD.NAT_D_DRAFT) && !seen.has(PAYLOAD.NAT_D));
  assertStringIncludes(ends.west.texts("established", 2)[0], "UDP_ENCAP_TUNNEL_DRAFT");
});

Deno.test("transport mode through a NAT tells both ends the original addresses", () => {
  const { west, east } = behindNat({ hostToHost: true, suites: [suite({ mode: "TRANSPORT" })] });
  const inbound = [...east.kernel.inbound.values()][0];
  assertEquals(formatAddress(inbound.natOriginal!.source!), WEST);
  assertEquals(formatAddress(inbound.natOriginal!.destination!), EAST);
  assertEquals(formatAddress([...west.kernel.inbound.values()][0].natOriginal!.destination!), PUBLIC);
});

Deno.test("NAT-D payloads that were changed on the way do not leave the two sides at odds", () => {
  for (const [receiver, port] of [["east", 500], ["west", 4500]] as const) {
    const ends = gateways();
    const node = ends[receiver];
    const deliver = node.onDatagram.bind(node);
    let changed = false;
    node.onDatagram = (now, from, to, octets) => {
      const { header, body } = decodeHeader(octets);
      if (!changed && header.nextPayload === PAYLOAD.KEY_EXCH) {
        const chain = decodePayloads(header.nextPayload, body);
        if (chain.payloads.some(({ type }) => type === PAYLOAD.NAT_D)) {
          octets[octets.length - 1] ^= 1;
          changed = true;
        }
      }
      deliver(now, from, to, octets);
    };
    ends.west.input((ike, now) => ike.start(now));
    ends.network.run(130_000);
    assert(changed);
    assertEquals(blocked(ends.west, ends.east, NAME), undefined, ends.east.texts("failed").join("\n"));
    assertEquals(ends.west.ike.phase1Status().at(-1)!.remote.port, port);
  }
});
