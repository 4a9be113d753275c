import { assert, assertEquals } from "@std/assert";
import { createNodeCrypto } from "../../lib/crypto/node.ts";
import { Coalescer, type TunWriter } from "../../lib/datapath/coalescing.ts";
import { Inbound } from "../../lib/datapath/inbound.ts";
import { createSums } from "../../lib/datapath/sums.ts";
import { addressOf } from "../../lib/ffi/address.ts";
import { parseAddress, parsePrefix } from "../../lib/ip/address.ts";
import { Counters } from "../../lib/ipsec/packet.ts";
import { createSa } from "../../lib/ipsec/sa.ts";
import { Sad } from "../../lib/ipsec/sad.ts";
import { Spd } from "../../lib/ipsec/spd.ts";
import { encapsulateBundle } from "../../lib/ipsec/transform.ts";
import { type Flow, PROTOCOL } from "../../lib/ipsec/types.ts";
import { createArena } from "../../lib/octets/arena.ts";
import { concat } from "../../lib/octets/bytes.ts";
import { formatHex } from "../../lib/octets/hex.ts";
import { bench, counting, generator, ipPacket, saParameters } from "../ipsec/support.ts";

// The peers 10.0.0.1 and 10.0.0.3, each with a network and an IPv6 network of its own, speak to us, 10.0.0.2.
const PEERS = ["10.0.0.1", "10.0.0.3"];
const parametersOf = (peer: number) =>
  saParameters({
    encryption: "aes-gcm",
    encryptionKey: counting(peer, 20),
    source: parseAddress(PEERS[peer]),
    spi: 0x1000 + peer,
    tunnel: true,
  });

function flow(peer: number, family: 4 | 6, type: Flow["type"] = "require"): Flow {
  const source = family === 4 ? `192.168.${peer}.0/24` : `2001:db8:${peer}::/48`;
  const destination = family === 4 ? "192.168.9.0/24" : "2001:db8:9::/48";
  return {
    selector: {
      source: parsePrefix(source),
      destination: parsePrefix(destination),
      transport: 0,
      sourcePort: 0,
      destinationPort: 0,
      direction: "in",
    },
    type,
    protocol: PROTOCOL.ESP,
    peer: parseAddress(PEERS[peer]),
    static: true,
  };
}

/** A receiver: what it hands to the device, in order. */
function receiver() {
  const arena = createArena(1 << 17, addressOf);
  const delivered: string[] = [];
  const take = (at: number, octets: number) => {
    delivered.push(formatHex(arena.u8.slice(at + 10, at + octets)));
    return octets;
  };
  const tun: TunWriter = { write: take, writev: () => 0 };
  const sad = new Sad(), spd = new Spd();
  const counters = new Counters();
  const coalescer = new Coalescer(arena, createSums(arena), tun, { udp: false });
  const inbound = new Inbound(arena, { sad, spd, counters }, coalescer, { moved() {} });
  const crypto = createNodeCrypto(arena);
  for (const peer of PEERS.keys()) sad.add(createSa(parametersOf(peer), crypto, arena));
  const at = arena.reserve(4096) + 1024;
  return {
    spd,
    /** What came of a packet: the packet delivered, or "dropped". */
    take(octets: Uint8Array): string {
      const before = delivered.length;
      arena.u8.set(octets, at);
      inbound.takePacket(at, octets.length);
      inbound.flush();
      return delivered.length > before ? delivered[before] : "dropped";
    },
  };
}

const senders = (() => {
  const b = bench();
  const sas = PEERS.map((_, peer) => b.sa(parametersOf(peer)));
  return (peer: number, inner: Uint8Array): Uint8Array => {
    b.put(inner);
    assertEquals(encapsulateBundle(b.arena, sas[peer], b.packet), 0);
    return b.octets();
  };
})();

const TCP = 6, UDP = 17;
function segment(from: string, to: string, ports: number, protocol = TCP, fragment = 0): Uint8Array {
  const payload = concat(Uint8Array.of(ports >> 8, ports & 255, 0, 80), counting(3, 40));
  return ipPacket({ source: from, destination: to, protocol, payload, fragment });
}

Deno.test("A connection that may pass stops when the flow that let it pass is changed, or its SA is another's", () => {
  const { take, spd } = receiver();
  for (const peer of [0, 1]) spd.add(flow(peer, 4));
  const packet = segment("192.168.0.7", "192.168.9.8", 4000);
  for (let i = 0; i < 3; i++) assertEquals(take(senders(0, packet)), formatHex(packet));
  assertEquals(take(senders(1, packet)), "dropped", "the other peer may not speak for this network");
  assertEquals(take(senders(0, packet)), formatHex(packet));
  spd.add(flow(0, 4, "deny"));
  assertEquals(take(senders(0, packet)), "dropped");
  spd.add(flow(0, 4));
  assertEquals(take(senders(0, packet)), formatHex(packet));
  spd.remove(flow(0, 4).selector);
  assertEquals(take(senders(0, packet)), "dropped");
});

Deno.test("What is remembered of the packet before never changes a verdict: a receiver with a past judges as one without", () => {
  const pick = generator(20_261_124);
  const one = <Item>(items: readonly Item[]) => items[pick(items.length)];
  const flows = [0, 1].flatMap((peer) => ([4, 6] as const).map((family) => [peer, family] as const));
  const old = receiver();
  const present = new Map(flows.map((key) => [key, "require" as Flow["type"]]));
  for (const [[peer, family], type] of present) old.spd.add(flow(peer, family, type));
  let dropped = 0;
  let inner = segment("192.168.0.7", "192.168.9.8", 1);
  const ROUNDS = 800;
  for (let round = 0; round < ROUNDS; round++) {
    if (pick(40) === 0) {
      const key = one(flows);
      const type = one(["require", "deny", "bypass"] as const);
      present.set(key, type);
      old.spd.add(flow(key[0], key[1], type));
    }
    // Mostly more of the same, as the cache expects it; else something that differs in one respect.
    if (pick(3) === 0) {
      const family = one([4, 6]), network = pick(3);
      inner = segment(
        family === 4 ? `192.168.${network}.${1 + pick(2)}` : `2001:db8:${network}::${1 + pick(2)}`,
        family === 4 ? `192.168.${one([9, 8])}.1` : `2001:db8:${one([9, 8])}::1`,
        1 + pick(2),
        one([TCP, TCP, TCP, UDP, 50]),
        family === 4 ? one([0, 0, 0x2000, 0x00b9]) : 0,
      );
    }
    const packet = senders(pick(8) === 0 ? 1 : 0, inner);
    const fresh = receiver();
    for (const [[peer, family], type] of present) fresh.spd.add(flow(peer, family, type));
    const expected = fresh.take(packet);
    if (expected === "dropped") dropped++;
    assertEquals(old.take(packet), expected, `round ${round}: ${formatHex(inner)}`);
  }
  assert(dropped > ROUNDS / 10 && dropped < ROUNDS * 9 / 10, `${dropped} of ${ROUNDS} dropped`);
});
