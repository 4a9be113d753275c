// Mutated packets, frames and files: lines or a typed error, never anything else, and nothing that grows.
import { assert } from "@std/assert";
import { Describer } from "../../lib/dump/describe.ts";
import { FilterError, parseFilter } from "../../lib/dump/filter.ts";
import { IkeReader } from "../../lib/dump/ike_reader.ts";
import { openFrame } from "../../lib/dump/link.ts";
import { PcapError, pcapHeader, PcapReader, pcapRecord } from "../../lib/dump/pcap.ts";
import { KnownSas } from "../../lib/dump/secured.ts";
import { see } from "../../lib/dump/seen.ts";
import { parseEspRow, parseIkeSecret } from "../../lib/dump/wireshark.ts";
import { concat } from "../../lib/octets/bytes.ts";
import { parseHex } from "../../lib/octets/hex.ts";
import { ah, EAST, ECHO_REQUEST, esp, ipPacket, saOf, udp, WEST } from "../dump/packets.ts";
import { CASES, isakmpOf } from "../ike/recorded.ts";
import { PACKET_VECTORS } from "../vectors/ipsec_packets.ts";
import { generator, mutateOctets, mutateText } from "./mutate.ts";

const ROUNDS = 40_000;

const random = generator(7);

const IKE = CASES.flatMap((recorded) =>
  recorded.messages.map((message) =>
    udp(message.src.replace(/:(\d+)$/, ".$1"), message.dst.replace(/:(\d+)$/, ".$1"), isakmpOf(message))
  )
);
const CORPUS = [
  ...PACKET_VECTORS.map(({ secured }) => parseHex(secured)),
  ...IKE,
  ipPacket(WEST, EAST, 50, esp(0x1000, 1)),
  ipPacket(WEST, EAST, 50, esp(0x1000, 1), 0x2000),
  ipPacket(WEST, EAST, 50, esp(0x1000, 1), 0x000d),
  ipPacket(WEST, EAST, 51, ah(4, 0x1000, 1, ipPacket(WEST, EAST, 51, ah(1, 1, 1, ECHO_REQUEST)))),
  ipPacket("fd00::1", "fd00::2", 44, parseHex("3200000100001234" + "00001000" + "00000001")),
  ipPacket("fd00::1", "fd00::2", 44, parseHex("3200000800001234" + "00001000" + "00000001")),
  ipPacket("fd00::1", "fd00::2", 0, parseHex("3c00010400000000" + "3200010400000000" + "00001000" + "00000001")),
  udp(`${WEST}.468`, `${EAST}.468`, new Uint8Array(60)),
  ipPacket(WEST, EAST, 6, new Uint8Array(32)),
];

Deno.test("whatever a packet holds becomes lines, with and without keys, and no packet is read beyond its end", () => {
  const keys = new Map(CASES.map(({ messages, phase1 }) => [messages[0].header.cky_i, parseHex(phase1.cipher_key)]));
  using sas = new KnownSas();
  for (const vector of PACKET_VECTORS) sas.add(saOf(vector));
  const ike = new IkeReader((cookie) => keys.get(cookie));
  const describer = new Describer({ verbosity: 2, sas, ike });
  const filters = ["ipsec", "spi 0x1000 or port 500", "not (esp or host 10.0.0.1)"].map((text) => parseFilter([text]));
  for (let round = 0; round < ROUNDS; round++) {
    const octets = mutateOctets(random, CORPUS[round % CORPUS.length], CORPUS);
    const packet = see(octets);
    if (!packet) continue;
    for (const filter of filters) filter(packet);
    const lines = describer.describe(packet);
    assert(lines.length >= 1 && lines.every((line) => !line.includes("\n")), lines.join("\\n"));
    assert(lines.length < 5000);
  }
});

Deno.test("whatever a file holds becomes frames or one PcapError", () => {
  const file = concat(pcapHeader(), ...CORPUS.slice(0, 4).map((packet, i) => pcapRecord(i, packet)));
  for (let round = 0; round < 3000; round++) {
    const octets = mutateOctets(random, file, CORPUS);
    try {
      const reader = new PcapReader();
      for (const frame of reader.push(octets)) {
        for (const linkType of [0, 1, 109, 113, 276, frame.linkType]) openFrame({ ...frame, linkType });
      }
      reader.end();
    } catch (error) {
      if (!(error instanceof PcapError)) throw error;
    }
  }
});

Deno.test("whatever a filter or a table of keys says is understood or refused in one line", () => {
  const words = "esp ah host port net proto spi src dst and or not ( ) 10.0.0.1 fd00::/8 500 0x1000 udp x".split(" ");
  for (let round = 0; round < 5000; round++) {
    const text = Array.from({ length: 1 + random(8) }, () => words[random(words.length)]);
    try {
      parseFilter(text);
    } catch (error) {
      if (!(error instanceof FilterError)) throw error;
      assert(!error.message.includes("\n"));
    }
  }
  const rows = [
    `"IPv4","10.0.0.1","10.0.0.2","0x00001000","AES-CBC [RFC3602]","0x00112233445566778899aabbccddeeff","NULL","","32-bit"`,
    "0102030405060708,aabbccddeeff00112233445566778899",
  ];
  for (let round = 0; round < 4000; round++) {
    const text = mutateText(random, rows[round & 1], rows);
    try {
      if (round & 1) parseIkeSecret(text);
      else parseEspRow(text);
    } catch (error) {
      if (!(error instanceof SyntaxError || error instanceof RangeError)) throw error;
    }
  }
});
