import { assertEquals } from "@std/assert";
import { type DescribeOptions, Describer, encPrefix, formatTime, hexLines } from "../../lib/dump/describe.ts";
import { KnownSas } from "../../lib/dump/secured.ts";
import { fragment } from "../../lib/ip/fragment.ts";
import { concat } from "../../lib/octets/bytes.ts";
import { parseHex } from "../../lib/octets/hex.ts";
import { encodeMessage } from "../../lib/photuris/messages.ts";
import { PACKET_VECTORS } from "../vectors/ipsec_packets.ts";
import { ah, EAST, ECHO_REQUEST, esp, ipPacket, saOf, seen, udp, WEST } from "./packets.ts";

const lines = (packet: Uint8Array, options?: DescribeOptions) => new Describer(options).describe(seen(packet));

Deno.test("ESP and AH look as in the FAQ", () => {
  assertEquals(lines(ipPacket(WEST, EAST, 50, esp(0x1000, 17, 116))), [
    "esp 192.168.5.1 > 192.168.25.9 spi 0x00001000 seq 17 len 116",
  ]);
  assertEquals(lines(ipPacket(WEST, EAST, 51, ah(1, 0x1000, 4, ECHO_REQUEST))), [
    "ah 192.168.5.1 > 192.168.25.9 spi 0x00001000 seq 4 len 24: icmp: echo request",
  ]);
  assertEquals(lines(ipPacket("fd00:5::1", "fd00:25::9", 50, esp(0xdeadbeef, 0xffffffff, 50))), [
    "esp fd00:5::1 > fd00:25::9 spi 0xDEADBEEF seq 4294967295 len 50",
  ]);
  assertEquals(formatTime(50531.10412, 0), "14:02:11.104120");
  assertEquals(formatTime(1_700_000_000.9999999, 3600), "23:13:21.000000");
});

Deno.test("what is inside AH and IP-in-IP is shown in the same line", () => {
  const ping = ipPacket("10.0.0.1", "10.0.0.2", 1, ECHO_REQUEST);
  assertEquals(lines(ipPacket(WEST, EAST, 51, ah(4, 0x2000, 1, ping))), [
    "ah 192.168.5.1 > 192.168.25.9 spi 0x00002000 seq 1 len 24: 10.0.0.1 > 10.0.0.2: icmp: echo request",
  ]);
  assertEquals(lines(ipPacket(WEST, EAST, 51, ah(50, 0x2000, 1, esp(0x1000, 9, 40)))), [
    "ah 192.168.5.1 > 192.168.25.9 spi 0x00002000 seq 1 len 24: " +
    "esp 192.168.5.1 > 192.168.25.9 spi 0x00001000 seq 9 len 40",
  ]);
  assertEquals(lines(ipPacket(WEST, EAST, 4, ping)), [
    "192.168.5.1 > 192.168.25.9: 10.0.0.1 > 10.0.0.2: icmp: echo request (encap)",
  ]);
});

Deno.test("UDP port 4500 carries ESP, IKE behind its marker, and keepalives", () => {
  const natEsp = Uint8Array.from([0x11, 0x94, 0xee, 0x48, 0, 48, 0, 0, ...esp(0x1000, 3, 40)]);
  assertEquals(lines(ipPacket(WEST, EAST, 17, natEsp)), [
    "esp 192.168.5.1.4500 > 192.168.25.9.61000 spi 0x00001000 seq 3 len 40 (in UDP)",
  ]);
  const keepalive = Uint8Array.from([0xee, 0x48, 0x11, 0x94, 0, 9, 0, 0, 0xff]);
  assertEquals(lines(ipPacket(EAST, WEST, 17, keepalive)), ["192.168.25.9.61000 > 192.168.5.1.4500: nat-t keepalive"]);
  const header = parseHex("0102030405060708" + "0000000000000000" + "01100200" + "00000000" + "0000001c");
  assertEquals(lines(udp(`${WEST}.4500`, `${EAST}.4500`, header)), [
    "192.168.5.1.4500 > 192.168.25.9.4500: isakmp (non-ESP marker) malformed: " +
    "payloads: SA payload: needs 1 octets, 0 left, 28 octets",
  ]);
});

Deno.test("Photuris messages are named, and told in full when asked for", () => {
  const octets = encodeMessage({
    name: "Cookie_Request",
    initiatorCookie: parseHex("11".repeat(16)),
    responderCookie: parseHex("00".repeat(16)),
    counter: 0,
  });
  const packet = udp(`${WEST}.468`, `${EAST}.468`, octets);
  assertEquals(lines(packet), ["192.168.5.1.468 > 192.168.25.9.468: Photuris Cookie_Request (0), 34 octets"]);
  assertEquals(lines(packet, { verbosity: 1 }).slice(1), [
    "    Initiator-Cookie: 11111111111111111111111111111111",
    "    Responder-Cookie: 00000000000000000000000000000000",
    "    Counter: 0",
  ]);
});

Deno.test("fragments are told as such, and the whole when the last has come, in any order", () => {
  const inner = concat(new Uint8Array(28), new Uint8Array(3000));
  inner.set(parseHex("0102030405060708" + "0000000000000000" + "0d100200" + "00000000" + "00000bd4"));
  inner.set([0, 0, 0x0b, 0xb8], 28);
  for (const order of [[0, 1, 2], [2, 0, 1], [1, 2, 0]]) {
    const octets = concat(new Uint8Array(64), udp(`${WEST}.500`, `${EAST}.500`, inner));
    octets[64 + 6] = 0;
    const pieces: Uint8Array[] = [];
    fragment(new DataView(octets.buffer), 64, octets.length - 64, 1400, 0, (at, length) => {
      pieces.push(octets.slice(at, at + length));
    });
    const describer = new Describer();
    const told = order.map((i) => describer.describe(seen(pieces[i])));
    assertEquals(told.map(({ length }) => length), [1, 1, 2]);
    assertEquals(
      told[2][1],
      "    whole: 192.168.5.1.500 > 192.168.25.9.500: isakmp ID_PROT cookies 0102030405060708 0000000000000000 " +
        "message ID 00000000: VENDOR",
    );
    assertEquals(told[order.indexOf(1)][0], "192.168.5.1 > 192.168.25.9: (frag 0:1376@1376+)");
  }
});

Deno.test("an IPv6 packet of ESP in fragments comes together, too", () => {
  const octets = concat(new Uint8Array(64), ipPacket("fd00:5::1", "fd00:25::9", 50, esp(0x1000, 5, 2000)));
  const pieces: Uint8Array[] = [];
  fragment(new DataView(octets.buffer), 64, octets.length - 64, 1280, 0x1234, (at, length) => {
    pieces.push(octets.slice(at, at + length));
  });
  const describer = new Describer();
  assertEquals(pieces.map((piece) => describer.describe(seen(piece))), [
    ["esp fd00:5::1 > fd00:25::9 spi 0x00001000 seq 5 len 1232 (frag 4660:1232@0+)"],
    [
      "esp fd00:5::1 > fd00:25::9 (frag 4660:768@1232)",
      "    whole: esp fd00:5::1 > fd00:25::9 spi 0x00001000 seq 5 len 2000",
    ],
  ]);
});

Deno.test("every published packet is opened with its keys, and the ICV is judged", () => {
  for (const vector of PACKET_VECTORS) {
    using sas = new KnownSas();
    sas.add(saOf(vector));
    const opened = sas.open(seen(parseHex(vector.secured)));
    const authenticates = vector.authentication !== undefined || /gcm|gmac|poly/.test(vector.encryption ?? "");
    assertEquals(opened?.verdict, authenticates ? "icv ok" : "no icv", vector.name);
    assertEquals(opened?.inner, parseHex(vector.plain), vector.name);
    if (!authenticates) continue;
    const changed = parseHex(vector.secured);
    changed[changed.length - 1] ^= 1;
    assertEquals(sas.open(seen(changed))?.verdict, "icv bad: another key, or changed on the way", vector.name);
  }
});

Deno.test("decrypted ESP is shown in its line; all fields below it with -vv", () => {
  using sas = new KnownSas();
  const vector = PACKET_VECTORS.find(({ name }) => name === "rfc3602-7")!;
  sas.add(saOf(vector));
  const packet = parseHex(vector.secured);
  const line = "esp 192.168.123.3 > 192.168.123.200 spi 0x00008765 seq 2 len 120: no icv: " +
    "192.168.123.3 > 192.168.123.200: icmp: echo request";
  assertEquals(lines(packet, { sas }), [line]);
  assertEquals(lines(packet, { sas, verbosity: 2 }), [
    `${line} (id 43274 seq 256) (ttl 64, id 2308, len 84) (ttl 64, id 2309, len 140)`,
    "    SA: aes, tunnel mode",
    "    IV: f4e765244f6407adf13dc1380f673f37",
  ]);
});

Deno.test("protection on enc0 is told in OpenBSD's words, octets as tcpdump prints them", () => {
  const words = (authentic: boolean, confidential: boolean) => encPrefix({ spi: 0x1000, authentic, confidential });
  assertEquals(words(true, true), "(authentic,confidential): SPI 0x00001000: ");
  assertEquals(words(true, false), "(authentic): SPI 0x00001000: ");
  assertEquals(words(false, false), "(unprotected): ");
  assertEquals(hexLines(parseHex("45000054000102030405060708090a0b0c0d0e")), [
    "\t0x0000:  4500 0054 0001 0203 0405 0607 0809 0a0b",
    "\t0x0010:  0c0d 0e",
  ]);
});
