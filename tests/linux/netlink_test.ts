import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { ERRNO } from "../../lib/ffi/errno.ts";
import { formatAddress, formatPrefix, parseAddress, parsePrefix } from "../../lib/ip/address.ts";
import { decodeEvent } from "../../lib/linux/monitor.ts";
import {
  attributeNumber,
  attributeText,
  BodyWriter,
  decodeAttributes,
  decodeMessages,
  decodeOutcome,
  encodeRequests,
  type Message,
  NetlinkError,
  NLM,
  NLMSG,
} from "../../lib/linux/netlink.ts";
import * as rt from "../../lib/linux/rtnetlink.ts";
import { DecodeError } from "../../lib/octets/reader.ts";
import { parseHex } from "../../lib/octets/hex.ts";

/** What the kernel would see of a request, and, since requests and answers have one form, what it would answer. */
function echo(request: { type: number; flags: number; body: Uint8Array<ArrayBuffer> }): Message {
  return decodeMessages(encodeRequests([request], 1))[0];
}

/** Reproducible numbers (mulberry32). */
function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

Deno.test("requests are numbered, padded to 4 octets, and only the last asks for an answer", () => {
  const body = new BodyWriter().u8(1).finish();
  const requests = [{ type: 24, flags: NLM.CREATE, body }, { type: 25, flags: 0, body }];
  const octets = encodeRequests(requests, 7, NLM.ACK);
  assertEquals(
    octets,
    parseHex("11000000180001040700000000000000" + "01000000" + "11000000190005000800000000000000" + "01000000"),
  );
  assertEquals(decodeMessages(octets).map(({ type, flags, sequence, payload }) => [type, flags, sequence, payload]), [
    [24, 0x401, 7, new Uint8Array([1])],
    [25, 0x005, 8, new Uint8Array([1])],
  ]);
});

Deno.test("attributes come back as they were written", () => {
  const body = new BodyWriter().attributeU32(1, 0xfffffffe).attributeU8(2, 7).attributeText(3, "enc0")
    .attributeRange(4, 80, 443).attribute(5 | 0x8000, new Uint8Array(200).fill(9)).finish();
  assertEquals(body.length % 4, 0);
  const attributes = decodeAttributes(body);
  assertEquals(attributeNumber(attributes.get(1)!), 0xfffffffe);
  assertEquals(attributeNumber(attributes.get(2)!), 7);
  assertEquals(attributeText(attributes.get(3)!), "enc0");
  assertEquals(attributeNumber(attributes.get(4)!.subarray(2)), 443);
  assertEquals(attributes.get(5)!.length, 200);
  assertThrows(() => attributeNumber(new Uint8Array(3)), DecodeError);
  // Nested ones, and more octets than a writer begins with.
  const many = new BodyWriter();
  for (let i = 0; i < 100; i++) many.u32(i).u16(i).u8(i, i);
  assertEquals(many.finish().subarray(-8), new Uint8Array([99, 0, 0, 0, 99, 0, 99, 99]));
  const outer = new BodyWriter();
  outer.nested(1, () => {
    for (let i = 0; i < 100; i++) outer.nested(i, () => outer.attributeU32(3, i));
  });
  const inner = decodeAttributes(decodeAttributes(outer.finish()).get(1)!);
  assertEquals(inner.size, 100);
  assertEquals(attributeNumber(decodeAttributes(inner.get(77)!).get(3)!), 77);
});

Deno.test("routes keep every word of theirs", () => {
  const route: rt.Route = {
    destination: parsePrefix("10.1.0.0/16"),
    table: 450_001,
    type: "unicast",
    device: 7,
    gateway: parseAddress("192.0.2.1"),
    source: parseAddress("192.0.2.9"),
    metric: 5,
    mtu: 1400,
    scope: 0,
    protocol: 50,
  };
  assertEquals(rt.decodeRoute(echo(rt.addRoute(route))), route);
  const v6 = rt.decodeRoute(echo(rt.addRoute({ destination: parsePrefix("::/0"), table: 254, device: 3 })));
  assertEquals([formatPrefix(v6!.destination), v6!.table, v6!.device, v6!.scope], ["::/0", 254, 3, 0]);
  // An IPv4 route without gateway is one to the link; a deletion asks for any scope.
  const onLink = { destination: parsePrefix("10.0.0.0/8"), table: 1, device: 3 };
  assertEquals(rt.decodeRoute(echo(rt.addRoute(onLink)))!.scope, rt.SCOPE.LINK);
  assertEquals(rt.decodeRoute(echo(rt.deleteRoute(onLink)))!.scope, rt.SCOPE.ANY);
  assertEquals(rt.decodeRoute(echo(rt.addRoute({ ...onLink, type: "throw", device: undefined })))!.type, "throw");
});

Deno.test("rules keep every word of theirs", () => {
  const rule: rt.Rule = {
    family: 6,
    priority: 4001,
    action: "table",
    table: 450_001,
    goto: undefined,
    from: parsePrefix("2001:db8::/32"),
    to: parsePrefix("2001:db8:1::/48"),
    inputInterface: "lo",
    transport: 6,
    sourcePort: 179,
    destinationPort: 80,
    mark: 0x1b5ec,
    markMask: 0xffffffff,
    invert: true,
    protocol: 50,
  };
  assertEquals(rt.decodeRule(echo(rt.addRule(rule))), rule);
  const skip = rt.decodeRule(echo(rt.addRule({ family: 4, priority: 1, action: "goto", goto: 4999 })))!;
  assertEquals([skip.action, skip.goto, skip.table], ["goto", 4999, undefined]);
});

Deno.test("what iproute2 made comes out of the kernel's own octets", () => {
  const recorded = JSON.parse(Deno.readTextFileSync(new URL("../vectors/netlink.json", import.meta.url)));
  const message = (what: string): Message => ({
    type: 0,
    flags: 0,
    sequence: 1,
    payload: parseHex(recorded[what].payload),
  });
  const found = rt.decodeAddress(message("address"))!;
  assertEquals(
    [found.index, formatAddress(found.address), formatPrefix(found.prefix), found.scope, found.flags],
    [2, "10.9.9.9", "10.9.9.0/24", 0, 0x80],
  );
  assertEquals(rt.decodeLink(message("link")), {
    index: 3,
    name: "enc0",
    flags: rt.IFF.POINTOPOINT | rt.IFF.MULTICAST | rt.IFF.NOARP,
    mtu: 1500,
    queueLength: 500,
    kind: "tun",
  });
  assertEquals(rt.decodeRule(message("rule")), {
    family: 4,
    priority: 4001,
    action: "table",
    table: 450_001,
    goto: undefined,
    from: parsePrefix("10.0.0.0/8"),
    to: undefined,
    inputInterface: "lo",
    transport: 6,
    sourcePort: undefined,
    destinationPort: 80,
    mark: 0x1b5ec,
    markMask: 0xffffffff,
    invert: false,
    protocol: 50,
  });
  assertEquals(rt.decodeRoute(message("route")), {
    destination: parsePrefix("10.1.0.0/16"),
    table: 450_001,
    type: "unicast",
    device: 2,
    gateway: parseAddress("10.9.9.1"),
    source: parseAddress("10.9.9.9"),
    metric: 5,
    mtu: 1400,
    scope: 0,
    protocol: 50,
  });
  const change = rt.decodeLink(echo(rt.changeLink(9, { mtu: 1400, queueLength: 500, set: rt.IFF.UP })));
  assertEquals(change, { index: 9, name: "", flags: 1, mtu: 1400, queueLength: 500 });
});

Deno.test("acknowledgements tell the errno and the kernel's words, with and without the request", () => {
  const header = "20000000180005000800000000000000";
  const words = new BodyWriter().attributeText(1, "Invalid prefsrc address").finish();
  const message = (flags: number, ...parts: Uint8Array[]): Message => ({
    type: NLMSG.ERROR,
    flags,
    sequence: 8,
    payload: new Uint8Array(parts.flatMap((part) => [...part])),
  });
  const error = parseHex("eaffffff");
  const capped = message(NLM.CAPPED | NLM.ACK_TLVS, error, parseHex(header), words);
  assertEquals(decodeOutcome(capped), { errno: ERRNO.EINVAL, words: "Invalid prefsrc address" });
  const whole = message(NLM.ACK_TLVS, error, parseHex(header), new Uint8Array(16), words);
  assertEquals(decodeOutcome(whole), { errno: ERRNO.EINVAL, words: "Invalid prefsrc address" });
  assertEquals(decodeOutcome(message(0, parseHex("00000000"), parseHex(header))), { errno: 0 });
  assertEquals(
    new NetlinkError("add a route", decodeOutcome(capped)).message,
    "Cannot add a route: invalid argument (EINVAL): Invalid prefsrc address",
  );
  assertThrows(() => decodeOutcome(message(0)), DecodeError);
});

Deno.test("mutated and random messages are decoded or refused, never more", () => {
  const next = random(1);
  const samples = [
    rt.addRoute({
      destination: parsePrefix("10.0.0.0/8"),
      table: 450_001,
      device: 3,
      mtu: 1400,
      source: parseAddress("1.2.3.4"),
    }),
    rt.addRule({ family: 4, priority: 1, action: "table", table: 5, from: parsePrefix("10.0.0.0/8"), sourcePort: 7 }),
    rt.addAddress(2, parseAddress("2001:db8::1"), 64),
    rt.changeLink(3, { mtu: 1500 }),
    {
      type: NLMSG.ERROR,
      flags: NLM.ACK_TLVS,
      body: new BodyWriter().u32(0xffffffea).u32(36).u32(0).u32(0).u32(0).finish(),
    },
  ].map((request) => encodeRequests([request, request], 1));
  const decoders = [rt.decodeLink, rt.decodeAddress, rt.decodeRoute, rt.decodeRule, decodeOutcome, decodeEvent];
  let decoded = 0;
  for (let round = 0; round < 20_000; round++) {
    let octets: Uint8Array = samples[round % samples.length].slice();
    if (round % 4 === 0) octets = octets.map(() => next() * 256);
    for (let k = 0; k < 1 + round % 5; k++) octets[Math.floor(next() * octets.length)] = next() * 256;
    if (round % 3 === 0) octets = octets.subarray(0, next() * octets.length);
    let messages: Message[] = [];
    try {
      messages = decodeMessages(octets);
    } catch (error) {
      assertInstanceOf(error, DecodeError);
    }
    for (const message of messages) {
      for (const decode of decoders) {
        try {
          decode(message);
          decoded++;
        } catch (error) {
          assertInstanceOf(error, DecodeError);
        }
      }
    }
  }
  assertEquals(decoded > 1000, true);
});
