// Headers: which mode is used, what the outer header holds, what changes on the way in and out.
import { assert, assertEquals } from "@std/assert";
import { parseAddress } from "../../lib/ip/address.ts";
import { decapsulatedEcn, ECN_DROP } from "../../lib/ipsec/ecn.ts";
import { locate } from "../../lib/ipsec/locate.ts";
import { maxTransport } from "../../lib/ipsec/sa.ts";
import { decapsulate, encapsulate } from "../../lib/ipsec/transform.ts";
import { PROTOCOL } from "../../lib/ipsec/types.ts";
import { concat } from "../../lib/octets/bytes.ts";
import { formatHex, parseHex } from "../../lib/octets/hex.ts";
import { bench, counting, ipPacket, naiveChecksum } from "./support.ts";

const GCM = { encryption: "aes-gcm", encryptionKey: counting(0, 20) };
const SHA1 = { authentication: "sha1", authenticationKey: counting(0, 20) };
const NULL_SHA1 = { encryption: "null", ...SHA1 };
const AH = { protocol: PROTOCOL.AH, ...SHA1 };
const GATEWAYS = { source: "10.0.0.1", destination: "10.0.0.2" };
const GATEWAYS6 = { source: "2001:db8::1", destination: "2001:db8::2" };
const gateways6 = { source: parseAddress(GATEWAYS6.source), destination: parseAddress(GATEWAYS6.destination) };
const HOSTS = { source: "192.168.1.1", destination: "192.168.2.2", protocol: 17 };
const HOSTS6 = { source: "fd00::1", destination: "fd00::2", protocol: 17 };

Deno.test("Without `tunnel` a packet is tunnelled exactly when its addresses are not the SA's, or when it is a fragment", () => {
  const b = bench();
  const sa = b.sa(GCM);
  const tunnelled = (packet: Uint8Array) => (b.wrap(sa, packet), b.packet.tunnelled);
  assertEquals(tunnelled(ipPacket({ ...GATEWAYS })), false);
  assertEquals(tunnelled(ipPacket({ ...GATEWAYS, destination: "10.0.0.3" })), true);
  assertEquals(tunnelled(ipPacket({ ...GATEWAYS, source: "10.0.0.9" })), true);
  assertEquals(tunnelled(ipPacket(HOSTS6)), true);
  assertEquals(tunnelled(ipPacket({ ...GATEWAYS, fragment: 0x2000 })), true);
  assertEquals(tunnelled(ipPacket({ ...GATEWAYS, fragment: 5 })), true);
  const always = b.sa({ ...GCM, tunnel: true });
  b.wrap(always, ipPacket({ ...GATEWAYS }));
  assertEquals(b.packet.tunnelled, true);
  const anySource = b.sa({ ...GCM, source: parseAddress("0.0.0.0") });
  b.wrap(anySource, ipPacket({ ...GATEWAYS, source: "10.0.0.9" }));
  assertEquals(b.packet.tunnelled, false);
});

Deno.test("The outer IPv4 header is built as RFC 2401 5.1.2.1 says", () => {
  const b = bench({ identification: 0xffff });
  const sa = b.sa({ ...GCM, tunnel: true }, { hopLimit: 77 });
  const inner = ipPacket({ ...HOSTS, tos: 0xb9, ttl: 3, payload: counting(0, 33) });
  b.wrap(sa, inner);
  const outer = b.octets();
  assertEquals(formatHex(outer.slice(0, 2)), "45b9");
  assertEquals(outer[2] << 8 | outer[3], outer.length);
  assertEquals(formatHex(outer.slice(4, 10)), "ffff00004d32");
  assertEquals(naiveChecksum(outer.slice(0, 20)), 0);
  assertEquals([...outer.slice(12, 20)], [10, 0, 0, 1, 10, 0, 0, 2]);
  b.wrap(sa, inner);
  assertEquals(formatHex(b.octets().slice(4, 6)), "0001", "the identification wraps, but is never 0");
});

Deno.test("The outer IPv6 header has the inner class, no flow label, and the SA's hop limit", () => {
  const b = bench();
  const sa = b.sa({ ...GCM, ...gateways6, tunnel: true });
  for (const inner of [ipPacket({ ...HOSTS, tos: 0xb8 }), ipPacket({ ...HOSTS6, tos: 0xb8, flow: 0x54321 })]) {
    b.wrap(sa, inner);
    const outer = b.octets();
    assertEquals(formatHex(outer.slice(0, 4)), "6b800000");
    assertEquals(outer[4] << 8 | outer[5], outer.length - 40);
    assertEquals([outer[6], outer[7]], [50, 64]);
    assertEquals(outer.slice(8, 40), concat(gateways6.source.octets, gateways6.destination.octets));
  }
});

Deno.test("DF is copied, set or cleared; around IPv6 copying means clear", () => {
  const b = bench();
  const df = (policy: "copy" | "set" | "clear" | undefined, packet: Uint8Array) => {
    b.wrap(b.sa({ ...GCM, tunnel: true }, { dontFragment: policy }), packet);
    return (b.octets()[6] & 0x40) !== 0;
  };
  const plain = ipPacket(HOSTS);
  const marked = ipPacket({ ...HOSTS, fragment: 0x4000 });
  assertEquals([df(undefined, plain), df(undefined, marked), df("copy", ipPacket(HOSTS6))], [false, true, false]);
  assertEquals([df("set", plain), df("set", ipPacket(HOSTS6))], [true, true]);
  assertEquals(df("clear", marked), false);
});

Deno.test("ECN through a tunnel: all sixteen combinations of RFC 6040 figure 4", () => {
  const NOT = 0, ECT1 = 1, ECT0 = 2, CE = 3;
  const columns = [NOT, ECT0, ECT1, CE];
  const figure = new Map([
    [NOT, [NOT, NOT, NOT, ECN_DROP]],
    [ECT0, [ECT0, ECT0, ECT1, CE]],
    [ECT1, [ECT1, ECT1, ECT1, CE]],
    [CE, [CE, CE, CE, CE]],
  ]);
  const b = bench();
  for (const [inner, results] of figure) {
    columns.forEach((outer, i) => {
      assertEquals(decapsulatedEcn(0xb8 | inner, 0x28 | outer), results[i]);
      for (const hosts of [HOSTS, HOSTS6]) {
        for (const ends of [{}, gateways6]) {
          const sa = b.sa({ ...GCM, ...ends, tunnel: true });
          const packet = ipPacket({ ...hosts, tos: 0xb8 | inner });
          b.wrap(sa, packet);
          const secured = b.octets();
          if (ends === gateways6) secured[1] = secured[1] & 0xcf | outer << 4;
          else secured[1] = secured[1] & 0xfc | outer;
          const expected = results[i] === ECN_DROP
            ? "congestion"
            : formatHex(ipPacket({ ...hosts, tos: 0xb8 | results[i] }));
          assertEquals(b.unwrap(sa, secured), expected, `${inner} in ${outer}`);
        }
      }
    });
  }
});

Deno.test("Compatibility mode sends not-ECT outside (RFC 6040 4.1)", () => {
  const b = bench();
  b.wrap(b.sa({ ...GCM, tunnel: true }, { ecn: "compatibility" }), ipPacket({ ...HOSTS, tos: 0xb9 }));
  assertEquals(b.octets()[1], 0xb8);
});

Deno.test("Transport mode keeps IPv4 options, TOS, TTL, identification and DF", () => {
  const b = bench();
  const packet = concat(
    ipPacket({ ...GATEWAYS, tos: 0x48, ttl: 9, identification: 0xabcd, fragment: 0x4000 }).slice(0, 20),
    parseHex("94040000"),
    counting(0, 50),
  );
  packet[0] = 0x46;
  packet[3] = packet.length;
  packet[10] = packet[11] = 0;
  const checksum = naiveChecksum(packet.slice(0, 24));
  packet[10] = checksum >> 8;
  packet[11] = checksum & 255;
  for (const algorithms of [GCM, AH]) {
    const sa = b.sa(algorithms);
    b.wrap(sa, packet);
    const secured = b.octets();
    assertEquals(secured[0], 0x46);
    assertEquals(formatHex(secured.slice(4, 9)), "abcd400009");
    assertEquals(formatHex(secured.slice(20, 24)), "94040000");
    assertEquals(naiveChecksum(secured.slice(0, 24)), 0);
    assertEquals(b.unwrap(sa, secured), formatHex(packet));
  }
});

Deno.test("In IPv6 transport mode ESP and AH go after hop-by-hop and routing, before other destination options", () => {
  const b = bench();
  const chain = concat(
    parseHex("2b00010400000000"),
    parseHex("3c02000000000000" + "20010db8000000000000000000000002"),
    parseHex("1100010400000000"),
    counting(0, 20),
  );
  const packet = ipPacket({ ...GATEWAYS6, protocol: 0, payload: chain });
  for (const [algorithms, number] of [[GCM, 50], [AH, 51]] as const) {
    const sa = b.sa({ ...algorithms, ...gateways6 });
    b.wrap(sa, packet);
    const secured = b.octets();
    assertEquals([secured[6], secured[40], secured[48]], [0, 43, number]);
    if (number === 51) assertEquals(secured[72], 60);
    assertEquals(b.unwrap(sa, secured), formatHex(packet));
  }
});

Deno.test("UDP encapsulation: ports, length, no checksum over IPv4, a right one over IPv6 (RFC 3948, 6935)", () => {
  const b = bench();
  for (const tunnel of [false, true]) {
    const sa = b.sa({ ...GCM, tunnel, udpPort: 4711 });
    const packet = ipPacket({ ...GATEWAYS, payload: counting(0, 41) });
    b.wrap(sa, packet);
    const secured = b.octets();
    assertEquals(secured[9], 17);
    assertEquals(naiveChecksum(secured.slice(0, 20)), 0);
    assertEquals(formatHex(secured.slice(20, 24)), "11941267");
    assertEquals(secured[24] << 8 | secured[25], secured.length - 20);
    assertEquals(formatHex(secured.slice(26, 28)), "0000");
    assertEquals(b.unwrap(sa, secured), formatHex(packet));
    const sa6 = b.sa({ ...GCM, ...gateways6, tunnel, udpPort: 4500 });
    const packet6 = ipPacket({ ...GATEWAYS6, payload: counting(0, 41) });
    b.wrap(sa6, packet6);
    const secured6 = b.octets();
    const length = secured6.length - 40;
    const pseudo = concat(secured6.slice(8, 40), new Uint8Array([0, 0, length >> 8, length & 255, 0, 0, 0, 17]));
    assertEquals(naiveChecksum(concat(pseudo, secured6.slice(40))), 0);
    assertEquals(b.unwrap(sa6, secured6), formatHex(packet6));
  }
});

Deno.test("IKE and keepalives on the UDP port are not taken for ESP", () => {
  const b = bench();
  const sa = b.sa({ ...GCM, udpPort: 4500 });
  const udp = (payload: Uint8Array) =>
    ipPacket({
      ...GATEWAYS,
      protocol: 17,
      payload: concat(new Uint8Array([0x11, 0x94, 0x11, 0x94, 0, 8 + payload.length, 0, 0]), payload),
    });
  assertEquals(b.unwrap(sa, udp(new Uint8Array([255]))), "short");
  assertEquals(b.unwrap(sa, udp(concat(new Uint8Array(4), counting(1, 40)))), "badSpi");
  assertEquals(b.unwrap(sa, udp(counting(1, 7))), "short");
});

Deno.test("Bare ESP is what the UDP socket carries; it is opened without the headers that the socket took away", () => {
  for (const ends of [{}, gateways6]) {
    for (const tunnel of [true, false]) {
      const b = bench();
      const sa = b.sa({ ...GCM, ...ends, tunnel, udpPort: 4500 });
      const headers = sa.family === 4 ? GATEWAYS : GATEWAYS6;
      const packet = ipPacket({ ...headers, tos: 0x2c, identification: 0, payload: counting(0, 50) });
      b.put(packet);
      b.packet.bare = true;
      assertEquals(encapsulate(b.arena, sa, b.packet), 0);
      assertEquals(b.packet.bare, tunnel, "granted in tunnel mode alone");
      assertEquals(b.packet.tos, 0x2c);
      const octets = b.octets();
      const esp = tunnel ? octets : octets.slice(sa.family === 4 ? 28 : 48);
      assertEquals(formatHex(esp.slice(0, 8)), "0000100000000001");
      // Between two others, as datagrams lie that arrived together.
      b.put(esp);
      const { at } = b.packet;
      b.arena.u8.fill(0xaa, at - 256, at);
      b.arena.u8.fill(0xbb, at + esp.length, at + esp.length + 64);
      const addressAt = at + 4096;
      b.arena.u8.set(sa.parameters.source.octets, addressAt);
      b.arena.u8.set(sa.parameters.destination.octets, addressAt + 16);
      Object.assign(b.packet, {
        bare: true,
        family: sa.family,
        tos: 0x2c,
        sourceAt: addressAt,
        destinationAt: addressAt + 16,
      });
      assertEquals(locate(b.arena, b.packet), 0);
      assertEquals(decapsulate(b.arena, sa, b.packet), 0);
      assertEquals(b.hex(), formatHex(packet));
      assertEquals(b.packet.bare, false);
      const written = tunnel ? 0 : sa.family === 4 ? 4 : 24;
      assert(b.arena.u8.subarray(at - 256, at - written).every((octet) => octet === 0xaa));
      assert(b.arena.u8.subarray(at + esp.length, at + esp.length + 64).every((octet) => octet === 0xbb));
    }
  }
});

Deno.test("A bare tunnel packet writes nothing before its ESP header", () => {
  const b = bench();
  const sa = b.sa({ ...GCM, tunnel: true, udpPort: 4500 });
  b.put(ipPacket(HOSTS));
  const { at } = b.packet;
  b.arena.u8.fill(0xaa, at - 64, at);
  b.packet.bare = true;
  assertEquals(encapsulate(b.arena, sa, b.packet), 0);
  assertEquals(b.packet.at, at - 16);
  assert(b.arena.u8.subarray(at - 64, at - 16).every((octet) => octet === 0xaa));
});

Deno.test("Behind a NAT transport mode corrects the checksums of TCP, UDP and ICMPv6 (RFC 3948 3.1.2)", () => {
  const b = bench();
  // At home the peer has another address; on the way it becomes the one that the SA knows.
  const cases = [
    { ends: GATEWAYS, home: "192.168.0.7", protocol: 6, at: 16 },
    { ends: GATEWAYS, home: "192.168.0.7", protocol: 17, at: 6 },
    { ends: GATEWAYS6, home: "fd00:5::7", protocol: 6, at: 16 },
    { ends: GATEWAYS6, home: "fd00:5::7", protocol: 58, at: 2 },
  ];
  for (const { ends, home, protocol, at } of cases) {
    const payload = counting(0, 51);
    payload[at] = payload[at + 1] = 0;
    const destination = parseAddress(ends.destination);
    const pseudo = (source: string) =>
      concat(parseAddress(source).octets, destination.octets, new Uint8Array([0, protocol, 0, payload.length]));
    const checksum = naiveChecksum(concat(pseudo(home), payload));
    payload[at] = checksum >> 8;
    payload[at + 1] = checksum & 255;
    const parameters = { ...GCM, source: parseAddress(ends.source), destination, udpPort: 4500 };
    const out = b.sa(parameters);
    const back = b.sa({ ...parameters, natOriginal: { source: parseAddress(home) } });
    b.wrap(out, ipPacket({ ...ends, protocol, payload }));
    b.unwrap(back, b.octets());
    const corrected = b.octets().slice(-payload.length);
    assertEquals(naiveChecksum(concat(pseudo(ends.source), corrected)), 0, `protocol ${protocol} from ${home}`);
  }
  const noChecksum = counting(1, 20);
  noChecksum[6] = noChecksum[7] = 0;
  const out = b.sa({ ...GCM, udpPort: 4500 });
  const back = b.sa({ ...GCM, udpPort: 4500, natOriginal: { source: parseAddress("192.168.0.7") } });
  b.wrap(out, ipPacket({ ...GATEWAYS, protocol: 17, payload: noChecksum }));
  b.unwrap(back, b.octets());
  assertEquals(b.octets().slice(20), noChecksum, "UDP without checksum stays without");
});

Deno.test("A bundle is applied innermost first: IP AH ESP data; each SA undoes its own part", () => {
  const b = bench();
  const esp = b.sa(GCM);
  const ah = b.sa({ ...AH, spi: 0x2000 });
  esp.outer = ah;
  const packet = ipPacket({ ...GATEWAYS, payload: counting(0, 30) });
  b.wrap(esp, packet);
  const secured = b.octets();
  assertEquals(secured[9], 51);
  assertEquals(secured[20], 50);
  assertEquals(formatHex(secured.slice(44, 48)), "00001000");
  assertEquals(b.unwrap([ah, esp], secured), formatHex(packet));
  // RFC 2402 3.3.3: AH sees the packet as if nothing were added around it, so it is right after another tunnel, too.
  const around = b.sa({ ...GCM, spi: 0x3000, tunnel: true });
  ah.outer = around;
  b.wrap(esp, packet);
  assertEquals(b.unwrap([around, ah, esp], b.octets()), formatHex(packet));
});

Deno.test("A net-to-net packet through ESP and AH is tunnelled once: IP AH ESP IP data", () => {
  const b = bench();
  const esp = b.sa(GCM);
  esp.outer = b.sa({ ...AH, spi: 0x2000 });
  const packet = ipPacket(HOSTS);
  b.wrap(esp, packet);
  const secured = b.octets();
  assertEquals([secured[9], secured[20]], [51, 50]);
  assertEquals(secured.length, 20 + 24 + 16 + Math.ceil((packet.length + 2) / 4) * 4 + 16);
  assertEquals(b.unwrap([esp.outer, esp], secured), formatHex(packet));
});

Deno.test("IP in IP: protocol 4 or 41, inner packet as it is, no SPI", () => {
  const b = bench();
  const sa = b.sa({ protocol: PROTOCOL.IPIP });
  for (const [packet, number] of [[ipPacket(HOSTS), 4], [ipPacket(HOSTS6), 41], [ipPacket(GATEWAYS), 4]] as const) {
    b.wrap(sa, packet);
    const secured = b.octets();
    assertEquals(secured[9], number);
    assertEquals(secured.slice(20), packet);
    assertEquals(b.unwrap(sa, secured), formatHex(packet));
    assertEquals([b.packet.protocol, b.packet.spi], [4, 0]);
  }
  const sa6 = b.sa({ protocol: PROTOCOL.IPIP, ...gateways6 });
  b.wrap(sa6, ipPacket(HOSTS));
  assertEquals(b.octets()[6], 4);
  assertEquals(b.unwrap(sa6, b.octets()), formatHex(ipPacket(HOSTS)));
  assertEquals(b.wrap(sa, ipPacket({ ...HOSTS, ttl: 0 })), "malformedHeader", "RFC 2003 3.1");
  b.wrap(sa, ipPacket(HOSTS));
  assertEquals(b.wrap(sa, b.octets()), "looping");
});

Deno.test("IP in IP inside ESP is an ordinary tunnel to the receiver", () => {
  const b = bench();
  const ipip = b.sa({ protocol: PROTOCOL.IPIP });
  const esp = b.sa(GCM);
  ipip.outer = esp;
  const packet = ipPacket(HOSTS);
  b.wrap(ipip, packet);
  assertEquals(b.unwrap(esp, b.octets()), formatHex(packet));
});

Deno.test("IPv6 transport sizes: the largest packet that fits the MTU", () => {
  const b = bench();
  for (const ends of [{}, gateways6]) {
    for (const algorithms of [GCM, NULL_SHA1, AH]) {
      const sa = b.sa({ ...algorithms, ...ends });
      const headers = sa.family === 4 ? GATEWAYS : GATEWAYS6;
      const most = maxTransport(sa, 1500);
      const length = (octets: number) => {
        b.wrap(sa, ipPacket({ ...headers, payload: new Uint8Array(octets - (sa.family === 4 ? 20 : 40)) }));
        return b.packet.octets;
      };
      assert(length(most) <= 1500 && length(most + 1) > 1500);
    }
  }
});
