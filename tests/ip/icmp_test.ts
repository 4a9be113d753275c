import { assertEquals } from "@std/assert";
import { parseAddress } from "../../lib/ip/address.ts";
import { writeIcmpError, writeTooBig } from "../../lib/ip/icmp.ts";
import { concat } from "../../lib/octets/bytes.ts";
import { counting, ipPacket, naiveChecksum } from "../ipsec/support.ts";

const OUT = 8192;

function errorAbout(packet: Uint8Array, source: string, write = writeTooBig): Uint8Array {
  const octets = new Uint8Array(16384);
  octets.set(packet, 100);
  octets.set(parseAddress(source).octets, 16);
  const length = write(new DataView(octets.buffer), 100, packet.length, 1400, 16, OUT);
  return octets.slice(OUT, OUT + length);
}

Deno.test("Fragmentation needed: type 3 code 4, the MTU, the packet as far as 576 octets go (RFC 1191, 1812)", () => {
  const packet = ipPacket({ source: "10.1.1.1", destination: "10.2.2.2", protocol: 17, payload: counting(0, 1480) });
  const error = errorAbout(packet, "10.9.9.9");
  assertEquals(error.length, 576);
  assertEquals([...error.slice(12, 20)], [10, 9, 9, 9, 10, 1, 1, 1]);
  assertEquals(error[9], 1);
  assertEquals(naiveChecksum(error.slice(0, 20)), 0);
  assertEquals(naiveChecksum(error.slice(20)), 0);
  assertEquals([...error.slice(20, 22), ...error.slice(24, 28)], [3, 4, 0, 0, 1400 >> 8, 1400 & 255]);
  assertEquals(error.slice(28), packet.slice(0, 548));
});

Deno.test("A short packet is quoted whole", () => {
  const packet = ipPacket({ source: "10.1.1.1", destination: "10.2.2.2", payload: counting(8, 20) });
  assertEquals(errorAbout(packet, "10.9.9.9").slice(28), packet);
});

Deno.test("Packet too big: type 2, the MTU in 32 bits, up to 1280 octets (RFC 4443)", () => {
  const packet = ipPacket({
    source: "2001:db8::1",
    destination: "2001:db8::2",
    protocol: 6,
    payload: counting(0, 1460),
  });
  const error = errorAbout(packet, "fe80::1");
  assertEquals(error.length, 1280);
  assertEquals(error.slice(24, 40), packet.slice(8, 24));
  assertEquals([error[6], error[40], error[41], ...error.slice(44, 48)], [58, 2, 0, 0, 0, 1400 >> 8, 1400 & 255]);
  const pseudo = concat(error.slice(8, 40), new Uint8Array([0, 0, 1240 >> 8, 1240 & 255, 0, 0, 0, 58]));
  assertEquals(naiveChecksum(concat(pseudo, error.slice(40))), 0);
  assertEquals(error.slice(48), packet.slice(0, 1232));
});

Deno.test("No error is sent about an ICMP error, a later fragment, or to no single host", () => {
  const none = new Uint8Array();
  const v4 = { source: "10.1.1.1", destination: "10.2.2.2" };
  const v6 = { source: "2001:db8::1", destination: "2001:db8::2" };
  assertEquals(errorAbout(ipPacket({ ...v4, payload: counting(3, 30) }), "10.9.9.9"), none);
  assertEquals(errorAbout(ipPacket({ ...v4, protocol: 17, fragment: 3 }), "10.9.9.9"), none);
  assertEquals(errorAbout(ipPacket({ ...v4, source: "0.0.0.0", protocol: 17 }), "10.9.9.9"), none);
  assertEquals(errorAbout(ipPacket({ ...v4, source: "224.0.0.1", protocol: 17 }), "10.9.9.9"), none);
  assertEquals(errorAbout(ipPacket({ ...v4, destination: "255.255.255.255", protocol: 17 }), "10.9.9.9"), none);
  assertEquals(errorAbout(ipPacket({ ...v6, protocol: 58, payload: counting(1, 30) }), "fe80::1"), none);
  assertEquals(errorAbout(ipPacket({ ...v6, source: "ff02::1", protocol: 17 }), "fe80::1"), none);
  assertEquals(errorAbout(ipPacket({ ...v6, source: "::", protocol: 17 }), "fe80::1"), none);
  assertEquals(errorAbout(counting(0, 30), "10.9.9.9"), none);
});

Deno.test("An echo request is answered: it is no error", () => {
  const packet = ipPacket({ source: "10.1.1.1", destination: "10.2.2.2", payload: counting(8, 20) });
  const unreachable: typeof writeTooBig = (view, at, octets, _mtu, sourceAt, outAt) =>
    writeIcmpError(view, at, octets, 3, 13, 0, sourceAt, outAt);
  assertEquals([...errorAbout(packet, "10.9.9.9", unreachable).slice(20, 22)], [3, 13]);
});
