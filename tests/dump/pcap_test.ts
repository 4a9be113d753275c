import { assertEquals, assertThrows } from "@std/assert";
import { openFrame } from "../../lib/dump/link.ts";
import { type Frame, PcapError, pcapHeader, PcapReader, pcapRecord } from "../../lib/dump/pcap.ts";
import { concat } from "../../lib/octets/bytes.ts";
import { EAST, esp, ipPacket, WEST } from "./packets.ts";

const PACKET = ipPacket(WEST, EAST, 50, esp(0x1000, 17));

function file(littleEndian: boolean, magic: number, linkType: number, octets: Uint8Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(40));
  [magic, 0x00020004, 0, 0, 65535, linkType, 1_000_000_000, 250, octets.length, octets.length + 4].forEach((word, i) =>
    view.setUint32(4 * i, word, littleEndian)
  );
  return concat(new Uint8Array(view.buffer), octets);
}

Deno.test("files of both byte orders, in micro- and nanoseconds, are read in pieces of any size", () => {
  for (const littleEndian of [false, true]) {
    for (const [magic, ticks] of [[0xa1b2c3d4, 1e6], [0xa1b23c4d, 1e9]]) {
      const octets = file(littleEndian, magic, 101, PACKET);
      for (const step of [1, 7, 1000]) {
        const reader = new PcapReader();
        const frames: Frame[] = [];
        for (let at = 0; at < octets.length; at += step) frames.push(...reader.push(octets.subarray(at, at + step)));
        reader.end();
        const wireOctets = PACKET.length + 4;
        assertEquals(frames, [{ time: 1e9 + 250 / ticks, linkType: 101, octets: PACKET, wireOctets }]);
      }
    }
  }
});

Deno.test("what is written is read again, times to the microsecond", () => {
  const times = [1700000000, 1700000000.5, 1700000000.999999, 1700000000.9999996];
  const frames = new PcapReader().push(concat(pcapHeader(), ...times.map((time) => pcapRecord(time, PACKET))));
  assertEquals(frames.map(({ time }) => time), [1700000000, 1700000000.5, 1700000000.999999, 1700000001]);
  for (const frame of frames) assertEquals(openFrame(frame), { ip: PACKET });
});

Deno.test("what is no pcap file is refused with what it is", () => {
  const refused = (octets: Uint8Array) =>
    assertThrows(() => {
      const reader = new PcapReader();
      reader.push(octets);
      reader.end();
    }, PcapError).message;
  const bad = pcapRecord(1, PACKET);
  bad[8] = 0x7f;
  assertEquals(refused(new Uint8Array(10)), "this is no pcap file: it is too short");
  assertEquals(refused(new Uint8Array(30)), "this is no pcap file: it begins with 0x00000000");
  assertEquals(
    refused(concat(new Uint8Array([10, 13, 13, 10]), new Uint8Array(30))),
    `this is pcapng: "editcap -F pcap IN OUT" makes it pcap`,
  );
  assertEquals(
    refused(concat(pcapHeader(), bad)),
    "a frame of 2130706568 octets: 262144 are the most; the file is damaged",
  );
  assertEquals(
    refused(concat(pcapHeader(), pcapRecord(1, PACKET).subarray(0, 50))),
    "the file is cut off within a frame",
  );
});

Deno.test("every link type leads to the packet", () => {
  const ethernet = (type: string) =>
    Uint8Array.from(`000102030405060708090a0b${type}`.match(/../g)!, (x) => parseInt(x, 16));
  const prefix = (hex: string) => Uint8Array.from(hex.match(/../g)!, (x) => parseInt(x, 16));
  const rows: [number, Uint8Array][] = [
    [1, ethernet("0800")],
    [1, ethernet("8100006488a800010800")],
    [0, prefix("02000000")],
    [108, prefix("00000002")],
    [12, new Uint8Array()],
    [14, new Uint8Array()],
    [101, new Uint8Array()],
    [228, new Uint8Array()],
    [113, prefix("00000001000600010203040500000800")],
    [276, prefix("0800000000000001000100060001020304050000")],
  ];
  for (const [linkType, header] of rows) {
    const octets = concat(header, PACKET);
    assertEquals(
      openFrame({ time: 0, linkType, octets, wireOctets: octets.length }).ip,
      PACKET,
      `link type ${linkType}`,
    );
  }
  const other = (linkType: number, octets: Uint8Array) => openFrame({ time: 0, linkType, octets, wireOctets: 0 }).other;
  assertEquals(other(1, ethernet("0806")), "arp");
  assertEquals(other(1, ethernet("88cc")), "ethertype 0x88cc");
  assertEquals(other(1, ethernet("08")), "frame cut off");
  assertEquals(other(147, PACKET), "link type 147 is not known here");
});

Deno.test("OpenBSD's enc frames tell SPI and protection, captured on hosts of either byte order", () => {
  for (const littleEndian of [false, true]) {
    const view = new DataView(new ArrayBuffer(12));
    view.setUint32(0, 2, littleEndian);
    view.setUint32(4, 0x1000);
    view.setUint32(8, 0x0c00, littleEndian);
    const octets = concat(new Uint8Array(view.buffer), PACKET);
    assertEquals(openFrame({ time: 0, linkType: 109, octets, wireOctets: 0 }), {
      ip: PACKET,
      enc: { spi: 0x1000, authentic: true, confidential: true },
    });
  }
});
