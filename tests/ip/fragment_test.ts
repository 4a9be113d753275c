import { assert, assertEquals } from "@std/assert";
import { writeHeaderChecksum } from "../../lib/ip/checksum.ts";
import { fragment } from "../../lib/ip/fragment.ts";
import { concat } from "../../lib/octets/bytes.ts";
import { parseHex } from "../../lib/octets/hex.ts";
import { counting, ipPacket, naiveChecksum } from "../ipsec/support.ts";

const v4 = { source: "10.0.0.1", destination: "10.0.0.2", protocol: 50 };
const v6 = { source: "2001:db8::1", destination: "2001:db8::2", protocol: 50 };
const AT = 64;

function cut(packet: Uint8Array, mtu: number): Uint8Array[] {
  const octets = concat(new Uint8Array(AT), packet);
  const pieces: Uint8Array[] = [];
  const view = new DataView(octets.buffer);
  const count = fragment(
    view,
    AT,
    packet.length,
    mtu,
    0x1234,
    (at, length) => pieces.push(octets.slice(at, at + length)),
  );
  assertEquals(count, pieces.length);
  return pieces;
}

/** Puts IPv4 fragments together again, checking each. */
function joinV4(pieces: Uint8Array[]): Uint8Array {
  let data = new Uint8Array();
  pieces.forEach((piece, i) => {
    const view = new DataView(piece.buffer);
    const headerOctets = (piece[0] & 15) * 4;
    assertEquals(view.getUint16(2), piece.length);
    assertEquals(naiveChecksum(piece.slice(0, headerOctets)), 0);
    const bits = view.getUint16(6);
    assertEquals((bits & 0x1fff) * 8, data.length);
    assertEquals((bits & 0x2000) !== 0, i < pieces.length - 1);
    data = concat(data, piece.slice(headerOctets));
  });
  return data;
}

Deno.test("IPv4 fragments hold the data in order, each with sound length, offset, flag and checksum", () => {
  const payload = counting(0, 2000);
  for (const mtu of [68, 100, 576, 1500, 1503]) {
    const pieces = cut(ipPacket({ ...v4, payload }), mtu);
    assertEquals(joinV4(pieces), payload);
    assert(pieces.every((piece) => piece.length <= mtu));
    assertEquals(pieces.length, Math.ceil(2000 / (mtu - 20 & ~7)));
  }
});

Deno.test("A packet that fits is emitted as it is", () => {
  const packet = ipPacket({ ...v4, payload: counting(0, 100), fragment: 0x4000 });
  assertEquals(cut(packet, 120), [packet]);
});

Deno.test("DF, an unsound packet and an MTU too small for two headers are refused", () => {
  assertEquals(cut(ipPacket({ ...v4, payload: counting(0, 200), fragment: 0x4000 }), 100), []);
  assertEquals(cut(ipPacket({ ...v4, payload: counting(0, 200) }), 40), []);
  assertEquals(cut(parseHex("45"), 10), []);
  assertEquals(cut(ipPacket({ ...v6, payload: counting(0, 2000) }), 95), []);
});

Deno.test("Options without the copied flag are in the first fragment alone", () => {
  // Router alert (148, copied), record route (7, not copied), end of list.
  const options = parseHex("940400000707080a00000100");
  const payload = counting(0, 300);
  const packet = concat(ipPacket({ ...v4, payload }).slice(0, 20), options, payload);
  packet[0] = 0x48;
  packet[3] = packet.length & 255;
  packet[2] = packet.length >> 8;
  writeHeaderChecksum(new DataView(packet.buffer), 0, 32);
  const pieces = cut(packet, 128);
  assertEquals(joinV4(pieces), payload);
  assertEquals(pieces[0].slice(20, 32), options);
  for (const piece of pieces.slice(1)) {
    assertEquals(piece[0], 0x46);
    assertEquals(piece.slice(20, 24), options.slice(0, 4));
  }
});

Deno.test("A fragment cut again keeps its offset and its MF flag", () => {
  const payload = counting(0, 400);
  const pieces = cut(ipPacket({ ...v4, payload, fragment: 0x2000 | 10 }), 220);
  assertEquals(pieces.map((piece) => new DataView(piece.buffer).getUint16(6)), [0x2000 | 10, 0x2000 | 35]);
});

Deno.test("IPv6 fragments have the header after hop-by-hop and routing headers, and hold the data in order", () => {
  const rest = counting(0, 3000);
  for (const [extension, kept] of [[new Uint8Array(), 40], [parseHex("3200010400000000"), 48]] as const) {
    const packet = ipPacket({ ...v6, protocol: extension.length ? 0 : 50, payload: concat(extension, rest) });
    const pieces = cut(packet, 1280);
    let data = new Uint8Array();
    pieces.forEach((piece, i) => {
      const view = new DataView(piece.buffer);
      assert(piece.length <= 1280);
      assertEquals(view.getUint16(4), piece.length - 40);
      assertEquals(piece[kept === 40 ? 6 : 40], 44);
      assertEquals(piece.slice(kept, kept + 2), new Uint8Array([50, 0]));
      assertEquals(view.getUint16(kept + 2), data.length | (i < pieces.length - 1 ? 1 : 0));
      assertEquals(view.getUint32(kept + 4), 0x1234);
      data = concat(data, piece.slice(kept + 8));
    });
    assertEquals(data, rest);
  }
});
