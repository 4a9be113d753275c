import { assert, assertEquals } from "@std/assert";
import { Coalescer, type TunWriter } from "../../lib/datapath/coalescing.ts";
import { Segmenter } from "../../lib/datapath/segmentation.ts";
import { createSums, fold, swap16 } from "../../lib/datapath/sums.ts";
import { GSO, VNET_OCTETS } from "../../lib/datapath/vnet.ts";
import { createArena } from "../../lib/octets/arena.ts";

interface Shape {
  v4: boolean;
  tcp: boolean;
  payload: number;
  gso: number;
  flags?: number;
  options?: number;
}

function bed() {
  const arena = createArena(2 << 20);
  const sums = createSums(arena);
  const written: Uint8Array[] = [];
  const tun: TunWriter = {
    write: (at, octets) => written.push(arena.u8.slice(at, at + octets)) && octets,
    writev(at, vectors) {
      const parts: number[] = [];
      for (let i = 0; i < vectors; i++) {
        const from = Number(arena.view.getBigUint64(at + 16 * i, true) - arena.base);
        parts.push(...arena.u8.slice(from, from + arena.view.getUint32(at + 16 * i + 8, true)));
      }
      written.push(new Uint8Array(parts));
      return parts.length;
    },
  };
  return { arena, sums, written, tun, segmenter: new Segmenter(arena, sums) };
}

/** A packet as the kernel hands it over: vnet header, IP, transport header, random payload. */
function superPacket(shape: Shape): Uint8Array {
  const ip = shape.v4 ? 20 : 40;
  const transport = shape.tcp ? 20 + (shape.options ?? 0) : 8;
  const total = ip + transport + shape.payload;
  const out = new Uint8Array(VNET_OCTETS + total);
  const view = new DataView(out.buffer);
  out[0] = 1;
  out[1] = shape.gso === 0 ? 0 : shape.tcp ? (shape.v4 ? GSO.TCP_V4 : GSO.TCP_V6) : GSO.UDP;
  view.setUint16(4, shape.gso, true);
  view.setUint16(6, ip, true);
  view.setUint16(8, shape.tcp ? 16 : 6, true);
  crypto.getRandomValues(out.subarray(VNET_OCTETS));
  const at = VNET_OCTETS;
  if (shape.v4) {
    out.set([0x45, 0x10, 0, 0, 0x12, 0xff, 0x40, 0, 63, shape.tcp ? 6 : 17, 0, 0], at);
    view.setUint16(at + 2, total);
  } else {
    out.set([0x60, 1, 2, 3, 0, 0, shape.tcp ? 6 : 17, 60], at);
    view.setUint16(at + 4, total - 40);
  }
  const segment = new DataView(out.buffer, at + ip);
  if (shape.tcp) {
    segment.setUint32(4, 0xffffff00);
    segment.setUint8(12, transport << 2);
    segment.setUint8(13, shape.flags ?? 0x10);
  } else segment.setUint16(4, 8 + shape.payload);
  return out;
}

/** Sum over pseudo-header and transport; 0xffff when the checksum is right. */
function transportSum(packet: Uint8Array): number {
  const v4 = packet[0] >> 4 === 4;
  const ip = v4 ? (packet[0] & 15) * 4 : 40;
  const words = (octets: Uint8Array) => {
    let sum = 0;
    for (let i = 0; i < octets.length; i += 2) sum += octets[i] | (octets[i + 1] ?? 0) << 8;
    return sum;
  };
  const pseudo = words(v4 ? packet.subarray(12, 20) : packet.subarray(8, 40));
  const protocol = v4 ? packet[9] : packet[6];
  return fold(fold(pseudo + words(packet.subarray(ip)) + swap16(protocol)) + swap16(packet.length - ip));
}

function segments(bench: ReturnType<typeof bed>, packet: Uint8Array): Uint8Array[] {
  bench.arena.u8.set(packet, 1024);
  assert(bench.segmenter.begin(1024, packet.length));
  return Array.from({ length: bench.segmenter.count }, (_, i) => {
    const octets = bench.segmenter.write(i, 200000);
    return bench.arena.u8.slice(200000, 200000 + octets);
  });
}

const SHAPES: Shape[] = [];
for (const v4 of [true, false]) {
  for (const [payload, gso] of [[60000, 1400], [1, 1400], [1401, 1400], [2800, 1400], [900, 7], [33333, 1333]]) {
    SHAPES.push({ v4, tcp: false, payload, gso });
    for (const options of [0, 12]) SHAPES.push({ v4, tcp: true, payload, gso, options, flags: 0x99 });
  }
}

Deno.test("every segment carries its headers, right checksums and its part of the payload", () => {
  const bench = bed();
  for (const shape of SHAPES) {
    const packet = superPacket(shape);
    const ip = shape.v4 ? 20 : 40;
    const header = ip + (shape.tcp ? 20 + (shape.options ?? 0) : 8);
    const cut = segments(bench, packet);
    assertEquals(cut.length, Math.ceil(shape.payload / shape.gso));
    assertEquals(cut.flatMap((s) => [...s.subarray(header)]), [...packet.subarray(VNET_OCTETS + header)]);
    cut.forEach((segment, i) => {
      assertEquals(transportSum(segment), 0xffff, JSON.stringify(shape));
      const view = new DataView(segment.buffer);
      if (shape.v4) {
        assertEquals(view.getUint16(2), segment.length);
        assertEquals(view.getUint16(4), 0x12ff + i & 0xffff);
        assertEquals(
          fold(bench.sums.sum(200000, 0, 0) + [...Array(10)].reduce((s, _, j) => s + view.getUint16(2 * j), 0)),
          0xffff,
        );
      } else assertEquals(view.getUint16(4), segment.length - 40);
      if (!shape.tcp) return assertEquals(view.getUint16(ip + 4), segment.length - ip);
      assertEquals(view.getUint32(ip + 4), (0xffffff00 + i * shape.gso) % 2 ** 32);
      const last = i === cut.length - 1;
      assertEquals(segment[ip + 13], 0x10 | (last ? 0x09 : 0) | (i === 0 ? 0x80 : 0), "FIN, PSH last; CWR first");
    });
  }
});

Deno.test("a packet that needs only its checksum is finished", () => {
  const bench = bed();
  for (const v4 of [true, false]) {
    for (const tcp of [true, false]) {
      const packet = superPacket({ v4, tcp, payload: 333, gso: 0 });
      const sumAt = VNET_OCTETS + (v4 ? 20 : 40) + (tcp ? 16 : 6);
      // The kernel leaves the pseudo-header's sum in the field.
      packet.set([0, 0], sumAt);
      const full = packet.slice(VNET_OCTETS);
      const rest = transportSum(full);
      const payload = full.subarray(v4 ? 20 : 40);
      let own = 0;
      for (let i = 0; i < payload.length; i += 2) own += payload[i] | (payload[i + 1] ?? 0) << 8;
      new DataView(packet.buffer).setUint16(sumAt, fold(rest + (0xffff - fold(fold(own)))), true);
      assertEquals(transportSum(segments(bench, packet)[0]), 0xffff);
    }
  }
});

Deno.test("headers that contradict the packet are refused", () => {
  const bench = bed();
  const packet = superPacket({ v4: true, tcp: true, payload: 3000, gso: 1000 });
  for (const [at, value] of [[1, 3], [4, 0], [VNET_OCTETS + 9, 17], [VNET_OCTETS + 32, 0x10], [VNET_OCTETS, 0x4f]]) {
    const broken = packet.slice();
    broken[at] = value;
    if (at === 4) broken[5] = 0;
    if (at === VNET_OCTETS) broken.fill(0xff, VNET_OCTETS + 20, VNET_OCTETS + 80);
    bench.arena.u8.set(broken, 1024);
    assertEquals(bench.segmenter.begin(1024, at === VNET_OCTETS ? 90 : broken.length), false, `octet ${at} = ${value}`);
  }
});

Deno.test("coalescing undoes segmentation in one write", () => {
  for (const shape of SHAPES) {
    const bench = bed();
    const flags = shape.tcp ? 0x18 : undefined;
    const packet = superPacket({ ...shape, flags });
    const cut = segments(bench, packet);
    const coalescer = new Coalescer(bench.arena, bench.sums, bench.tun, { udp: true });
    let at = 300000;
    for (const segment of cut) {
      bench.arena.u8.set(segment, at);
      coalescer.deliver(at, segment.length, 50);
      at += segment.length + 40;
    }
    coalescer.flush();
    const header = (shape.v4 ? 20 : 40) + (shape.tcp ? 20 + (shape.options ?? 0) : 8);
    assertEquals(bench.written.length, Math.ceil(cut.length / 64), JSON.stringify(shape));
    const payloads = bench.written.flatMap((w) => [...w.subarray(VNET_OCTETS + header)]);
    assertEquals(payloads, [...packet.subarray(VNET_OCTETS + header)]);
    // Cut again, what the device was given yields the very segments that arrived.
    assertEquals(bench.written.flatMap((w) => segments(bench, w)).map((s) => transportSum(s)), cut.map(() => 0xffff));
  }
});

Deno.test("streams are kept apart and each in order; a wrong checksum is passed on untouched", () => {
  const bench = bed();
  const streams = [1, 2, 3].map((n) => {
    const packet = superPacket({ v4: true, tcp: true, payload: 5000, gso: 1000 });
    packet.set([10, 0, 0, n, 10, 0, 1, n, 0, n, 0, 80], VNET_OCTETS + 12);
    return segments(bench, packet);
  });
  const coalescer = new Coalescer(bench.arena, bench.sums, bench.tun, { udp: true });
  streams[1][2][50] ^= 1;
  let at = 300000;
  for (let i = 0; i < 5; i++) {
    for (const stream of streams) {
      bench.arena.u8.set(stream[i], at);
      coalescer.deliver(at, stream[i].length, 50);
      at += 1200;
    }
  }
  coalescer.flush();
  const bad = bench.written.filter((w) => w.length === streams[1][2].length + VNET_OCTETS);
  assertEquals(bad.map((w) => [...w.subarray(VNET_OCTETS)]), [[...streams[1][2]]]);
  assertEquals(bench.written.length, 1 + 1 + 3, "two whole streams, and one in three pieces");
  const second = bench.written.filter((w) => w[VNET_OCTETS + 15] === 2);
  assertEquals(
    second.flatMap((w) => [...w.subarray(VNET_OCTETS + 40)]),
    streams[1].flatMap((s) => [...s.subarray(40)]),
  );
});
