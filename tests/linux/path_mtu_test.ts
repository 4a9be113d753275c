import { assertEquals } from "@std/assert";
import { parseAddress } from "../../lib/ip/address.ts";
import { decodeTooBig } from "../../lib/linux/path_mtu.ts";

const v4 = (to: string, protocol: number, total: number) => {
  const packet = new Uint8Array(28);
  packet.set([0x45, 0, total >> 8, total & 255, 0, 0, 0x40, 0, 64, protocol]);
  packet.set(parseAddress(to).octets, 16);
  packet.set([0x11, 0x94, 0x11, 0x94], 20);
  return packet;
};
const icmp4 = (mtu: number, inner: Uint8Array, code = 4) =>
  new Uint8Array([...v4("10.0.0.1", 1, 56).subarray(0, 20), 3, code, 0, 0, 0, 0, mtu >> 8, mtu & 255, ...inner]);
const v6 = (next: number, ...rest: number[]) =>
  new Uint8Array([
    0x60,
    0,
    0,
    0,
    0,
    0,
    next,
    64,
    ...parseAddress("fd00::1").octets,
    ...parseAddress("fd00::2").octets,
    ...rest,
  ]);
const icmp6 = (mtu: number, inner: Uint8Array) =>
  new Uint8Array([2, 0, 0, 0, mtu >>> 24, mtu >>> 16, mtu >>> 8, mtu, ...inner]);
const news = (to: string, protocol: number, mtu: number, sourcePort = 0) => {
  return { destination: parseAddress(to), protocol, sourcePort, mtu };
};

Deno.test("messages about our packets tell where they went and how large they may be", () => {
  assertEquals(decodeTooBig(4, icmp4(1300, v4("192.0.2.7", 50, 1400))), news("192.0.2.7", 50, 1300));
  assertEquals(decodeTooBig(4, icmp4(1300, v4("192.0.2.7", 17, 1400))), news("192.0.2.7", 17, 1300, 4500));
  assertEquals(decodeTooBig(6, icmp6(1300, v6(50))), news("fd00::2", 50, 1300));
  const chain = v6(0, 60, 0, 1, 4, 0, 0, 0, 0, 44, 0, 1, 4, 0, 0, 0, 0, 51, 0, 0, 1, 0, 0, 0, 0);
  assertEquals(decodeTooBig(6, icmp6(1300, chain)), news("fd00::2", 51, 1300));
});

Deno.test("an MTU is never below what every link takes, and one that is not told is guessed", () => {
  assertEquals(decodeTooBig(4, icmp4(68, v4("192.0.2.7", 50, 1400)))?.mtu, 576);
  assertEquals(decodeTooBig(6, icmp6(0, v6(50)))?.mtu, 1280);
  assertEquals(decodeTooBig(4, icmp4(0, v4("192.0.2.7", 50, 1500)))?.mtu, 1492, "RFC 1191 7.1");
  assertEquals(decodeTooBig(4, icmp4(0, v4("192.0.2.7", 50, 100)))?.mtu, 576);
});

Deno.test("other messages, packets of others and what is cut short are not for us", () => {
  assertEquals(decodeTooBig(4, icmp4(1300, v4("192.0.2.7", 50, 1400), 3)), undefined);
  assertEquals(decodeTooBig(4, icmp4(1300, v4("192.0.2.7", 6, 1400))), undefined);
  assertEquals(decodeTooBig(6, new Uint8Array([1, ...icmp6(1300, v6(50)).subarray(1)])), undefined);
  for (
    const [family, whole] of [[4, icmp4(1300, v4("192.0.2.7", 17, 1400))], [6, icmp6(1300, v6(17, 1, 2, 3))]] as const
  ) {
    for (let length = 0; length < whole.length; length++) {
      assertEquals(decodeTooBig(family, whole.subarray(0, length)), undefined);
    }
  }
});

Deno.test("random octets are read or refused, never more", () => {
  let seed = 3;
  const next = () => (seed = Math.imul(seed, 1103515245) + 12345 & 0x7fffffff) >> 16 & 255;
  const samples = [icmp4(1300, v4("192.0.2.7", 17, 1400)), icmp6(1300, v6(0, 60, 0, 1, 4, 0, 0, 0, 0, 44, 255))];
  for (let round = 0; round < 20_000; round++) {
    const octets = samples[round % 2].slice(0, next() < 64 ? next() : undefined);
    for (let k = round % 6; k >= 0; k--) octets[next() % (octets.length || 1)] = next();
    const found = decodeTooBig(round % 2 ? 6 : 4, octets);
    if (found) assertEquals(found.mtu >= 576, true);
  }
});
