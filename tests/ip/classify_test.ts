import { assert, assertEquals, assertFalse } from "@std/assert";
import { formatAddress } from "../../lib/ip/address.ts";
import { classify, classifyQuoted } from "../../lib/ip/classify.ts";
import { createTuple, mirrorTuple, TUPLE } from "../../lib/ip/tuple.ts";
import { wordsAddress } from "../../lib/ip/words.ts";
import { HeaderWalk, walkHeaders } from "../../lib/ip/walk.ts";
import { concat } from "../../lib/octets/bytes.ts";
import { parseHex } from "../../lib/octets/hex.ts";
import { counting, ipPacket } from "../ipsec/support.ts";

/** The tuple of a packet that lies with other octets before and after it, or undefined. */
function tupleOf(packet: Uint8Array, by: typeof classify = classify) {
  const octets = concat(new Uint8Array(3).fill(255), packet, new Uint8Array(40).fill(255));
  const tuple = createTuple();
  if (!by(new DataView(octets.buffer), 3, packet.length, tuple)) return undefined;
  const family = tuple[TUPLE.FAMILY] as 4 | 6;
  return {
    source: formatAddress(wordsAddress(family, tuple, TUPLE.SOURCE)),
    destination: formatAddress(wordsAddress(family, tuple, TUPLE.DESTINATION)),
    protocol: tuple[TUPLE.PROTOCOL],
    ports: [tuple[TUPLE.SOURCE_PORT], tuple[TUPLE.DESTINATION_PORT]],
    fragment: tuple[TUPLE.FRAGMENT],
  };
}
const PORTS = parseHex("c00101bb00000000");
const v4 = { source: "10.1.2.3", destination: "192.168.7.9" };
const v6 = { source: "2001:db8::1", destination: "fe80::9" };

Deno.test("TCP, UDP, SCTP, DCCP and UDP-Lite packets have ports, others have none", () => {
  for (const protocol of [6, 17, 132, 33, 136]) {
    assertEquals(tupleOf(ipPacket({ ...v4, protocol, payload: PORTS })), {
      ...v4,
      protocol,
      ports: [0xc001, 443],
      fragment: 0,
    });
  }
  for (const protocol of [1, 4, 47, 50]) {
    assertEquals(tupleOf(ipPacket({ ...v4, protocol, payload: PORTS }))!.ports, [0, 0]);
  }
  assertEquals(tupleOf(ipPacket({ ...v6, protocol: 17, payload: PORTS })), {
    ...v6,
    protocol: 17,
    ports: [0xc001, 443],
    fragment: 0,
  });
});

Deno.test("The first fragment has ports, later ones and first ones too short do not; all are told apart", () => {
  const facts = (fragment: number, payload: Uint8Array) => {
    const { ports, fragment: kind } = tupleOf(ipPacket({ ...v4, protocol: 17, payload, fragment }))!;
    return [...ports, kind];
  };
  assertEquals(facts(0x4000, PORTS), [0xc001, 443, 0]);
  assertEquals(facts(0x2000, PORTS), [0xc001, 443, 1]);
  assertEquals(facts(0x2000, PORTS.slice(0, 2)), [0, 0, 2]);
  assertEquals(facts(0x0001, PORTS), [0, 0, 2]);
  assertEquals(facts(0x2005, PORTS), [0, 0, 2]);
  const facts6 = (header: string) => {
    const packet = ipPacket({ ...v6, protocol: 44, payload: concat(parseHex(header), PORTS) });
    const { protocol, ports, fragment } = tupleOf(packet)!;
    return [protocol, ...ports, fragment];
  };
  assertEquals(facts6("1100000100000007"), [17, 0xc001, 443, 1]);
  assertEquals(facts6("1100000900000007"), [17, 0, 0, 2]);
});

Deno.test("A port that does not lie in the packet is not read", () => {
  assertEquals(tupleOf(ipPacket({ ...v4, protocol: 17, payload: PORTS.slice(0, 3) }))!.ports, [0, 0]);
});

Deno.test("IPv6 extension headers are walked to the transport header", () => {
  const payload = concat(
    parseHex("2b00010400000000"), // hop-by-hop, next routing
    parseHex("3c02000100000000" + "20010db8000000000000000000000002"), // routing, next destination options
    parseHex("0600010400000000"), // destination options, next TCP
    PORTS,
  );
  const packet = ipPacket({ ...v6, protocol: 0, payload });
  assertEquals(tupleOf(packet)!.protocol, 6);
  assertEquals(tupleOf(packet)!.ports, [0xc001, 443]);
  const walk = new HeaderWalk();
  assert(walkHeaders(new DataView(packet.buffer), 0, packet.length, walk));
  assertEquals([walk.payloadAt, walk.insertAt, walk.insertNextHeaderAt, walk.routingAt], [80, 72, 48, 48]);
});

Deno.test("An extension header longer than the packet, or too many of them, make a packet unsound", () => {
  assertEquals(tupleOf(ipPacket({ ...v6, protocol: 0, payload: parseHex("0601000000000000") })), undefined);
  const chain = concat(...Array(17).fill(parseHex("3c00010400000000")), PORTS);
  assertEquals(tupleOf(ipPacket({ ...v6, protocol: 60, payload: chain })), undefined);
});

Deno.test("Packets with wrong version or lengths are unsound", () => {
  const good = ipPacket({ ...v4, protocol: 17, payload: PORTS });
  const bad = (change: (packet: Uint8Array) => void) => {
    const packet = good.slice();
    change(packet);
    return tupleOf(packet);
  };
  assertEquals(bad((packet) => packet[0] = 0x55), undefined);
  assertEquals(bad((packet) => packet[0] = 0x44), undefined);
  assertEquals(bad((packet) => packet[0] = 0x4f), undefined);
  assertEquals(bad((packet) => packet[3] = 19), undefined);
  assertEquals(bad((packet) => packet[3] = packet.length + 1), undefined);
  assertEquals(tupleOf(good.slice(0, 19)), undefined);
  assertEquals(tupleOf(new Uint8Array()), undefined);
  assertEquals(tupleOf(ipPacket({ ...v6, payload: PORTS }).slice(0, 39)), undefined);
});

Deno.test("Octets after the packet's own length do not matter", () => {
  const packet = concat(ipPacket({ ...v4, protocol: 17, payload: PORTS.slice(0, 2) }), PORTS);
  assertEquals(tupleOf(packet)!.ports, [0, 0]);
});

Deno.test("An ICMP error gives the tuple of the packet it quotes, however much is cut off", () => {
  const lost = ipPacket({ ...v4, protocol: 17, payload: concat(PORTS, new Uint8Array(1000)) });
  for (const type of [3, 4, 5, 11, 12]) {
    const payload = concat(new Uint8Array([type, 0, 0, 0, 0, 0, 0, 0]), lost.slice(0, 28));
    const error = ipPacket({ source: "10.9.9.9", destination: "10.1.2.3", payload });
    assertEquals(tupleOf(error, classifyQuoted), { ...v4, protocol: 17, ports: [0xc001, 443], fragment: 0 });
  }
  const lost6 = ipPacket({ ...v6, protocol: 6, payload: concat(PORTS, new Uint8Array(1000)) });
  const payload = concat(new Uint8Array([2, 0, 0, 0, 0, 0, 5, 0]), lost6.slice(0, 60));
  const error = ipPacket({ source: "fe80::1", destination: "2001:db8::1", protocol: 58, payload });
  assertEquals(tupleOf(error, classifyQuoted), { ...v6, protocol: 6, ports: [0xc001, 443], fragment: 0 });
});

Deno.test("Reading a quote leaves the packet as it was", () => {
  const lost = ipPacket({ ...v4, protocol: 17, payload: concat(PORTS, new Uint8Array(1000)) });
  const error = ipPacket({
    source: "10.9.9.9",
    destination: "10.1.2.3",
    payload: concat(new Uint8Array([3, 4, 0, 0, 0, 0, 0, 0]), lost.slice(0, 28)),
  });
  const before = error.slice();
  assert(classifyQuoted(new DataView(error.buffer), 0, error.length, createTuple()));
  assertEquals(error, before);
});

Deno.test("What is no ICMP error quotes nothing", () => {
  const echo = ipPacket({ ...v4, payload: concat(new Uint8Array([8, 0, 0, 0, 0, 0, 0, 0]), ipPacket(v4)) });
  assertEquals(tupleOf(echo, classifyQuoted), undefined);
  assertEquals(tupleOf(ipPacket({ ...v4, protocol: 17, payload: counting(3, 60) }), classifyQuoted), undefined);
  assertEquals(tupleOf(ipPacket({ ...v4, payload: counting(3, 20) }), classifyQuoted), undefined);
});

Deno.test("A mirrored tuple has its ends swapped; twice mirrored it is itself", () => {
  const tuple = createTuple();
  const packet = ipPacket({ ...v6, protocol: 17, payload: PORTS });
  assert(classify(new DataView(packet.buffer), 0, packet.length, tuple));
  const mirrored = createTuple();
  mirrorTuple(tuple, mirrored);
  assertEquals(mirrored[TUPLE.SOURCE_PORT], 443);
  assertFalse(mirrored.every((word, i) => word === tuple[i]));
  mirrorTuple(mirrored, mirrored);
  assertEquals(mirrored, tuple);
});
