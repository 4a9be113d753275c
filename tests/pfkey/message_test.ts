import { assert, assertEquals, assertThrows } from "@std/assert";
import { formatHex } from "../../lib/octets/hex.ts";
import { describeMessage, describeOctets } from "../../lib/pfkey/describe.ts";
import { EXTENSION_NAMES, EXTENSIONS, type Extensions } from "../../lib/pfkey/extensions.ts";
import { decodeMessage, encodeMessage, Framer, MAX_MESSAGE_OCTETS, type Message } from "../../lib/pfkey/message.ts";
import { ERRNO, errnoName, MESSAGE_TYPES, PfkeyError } from "../../lib/pfkey/numbers.ts";
import { EXTENSION_SETS } from "../../lib/pfkey/validate.ts";
import { address, combination, EVERY, sa } from "./every.ts";

const message = (extensions: Extensions, type: Message["type"] = "ADD"): Message => ({
  type,
  satype: "ESP",
  seq: 1,
  pid: 2,
  extensions,
});

Deno.test("every extension comes back as it was, alone and all together, in ascending order", () => {
  for (const name of EXTENSION_NAMES) {
    const one = message({ [name]: EVERY[name] });
    const octets = encodeMessage(one);
    assertEquals(octets.length % 8, 0);
    assertEquals(decodeMessage(octets), one, name);
    assert(describeMessage(one).split("\n").length >= 2);
  }
  const all = encodeMessage(message(EVERY));
  assertEquals(decodeMessage(all).extensions, EVERY);
  const view = new DataView(all.buffer);
  let last = 0;
  for (let at = 16; at < all.length; at += 8 * view.getUint16(at, true)) {
    const number = view.getUint16(at + 2, true);
    assert(number > last);
    last = number;
  }
});

Deno.test("no description holds a key or authentication data", () => {
  const text = describeMessage(message(EVERY));
  for (const { key } of [EVERY.KEY_AUTH, EVERY.KEY_ENCRYPT]) assert(!text.includes(formatHex(key.subarray(0, 4))));
  assert(!text.includes("BBBB") && !text.includes("CCCC"));
});

Deno.test("text from a peer cannot write lines of its own", () => {
  const text = describeMessage(message({ IDENTITY_SRC: { type: 2, id: 0, text: "a\nsa: forged\x1b[2J" } }));
  assertEquals(text.split("\n").length, 2);
  assert(!text.includes("\x1b"));
});

Deno.test("a reserved octet that is not zero is EINVAL, wherever it is", () => {
  const reserved: Partial<Record<keyof Extensions, number[]>> = {
    ADDRESS_SRC: [4, 5, 6, 7, 16, 23],
    ADDRESS_DST: [4, 12, 15, 36, 39],
    KEY_AUTH: [6, 7],
    IDENTITY_SRC: [6, 7, 29, 31],
    SPIRANGE: [12, 15],
    X_UDPENCAP: [6, 7],
    SUPPORTED_AUTH: [4, 14],
    PROPOSAL: [6, 8 + 12],
    X_PROTOCOL: [7],
    X_TEXT: [4, 30],
    X_SA_USAGE: [],
  };
  for (const [name, offsets] of Object.entries(reserved)) {
    const key = name as keyof Extensions;
    for (const at of offsets) {
      const octets = encodeMessage(message({ [key]: EVERY[key] }));
      octets[16 + at] = 1;
      assertThrows(() => decodeMessage(octets), PfkeyError, undefined, `${name} ${at}`);
    }
  }
});

Deno.test("what a message may not be: short, long, of another version, of unknown parts", () => {
  const good = encodeMessage(message({ SA: sa }));
  const change = (at: number, value: number) => {
    const octets = good.slice();
    octets[at] = value;
    return octets;
  };
  const bad: [Uint8Array, string][] = [
    [good.subarray(0, 15), "the header alone has 16"],
    [good.subarray(0, 24), "Message says 32 octets and has 24"],
    [change(0, 1), "Version 1"],
    [change(1, 0), "No message type 0"],
    [change(1, 99), "No message type 99"],
    [change(3, 10), "No SA type 10"],
    [change(6, 1), "reserved field"],
    [change(16, 0), "says 0 octets"],
    [change(16, 3), "says 24 octets, 16 are left"],
    [change(18, 0), "No extension type 0"],
    [change(18, 100), "No extension type 100"],
    [change(16 + 9, 4), "no SA state 4"],
  ];
  for (const [octets, text] of bad) {
    assertEquals(assertThrows(() => decodeMessage(octets), PfkeyError, text).errno, "EINVAL");
    assert(describeOctets(octets).startsWith("malformed message"));
  }
  const twice = new Uint8Array([...good, ...good.subarray(16)]);
  twice[4] += 2;
  assertThrows(() => decodeMessage(twice), PfkeyError, "SA: there twice");
});

Deno.test("values out of their range are EINVAL", () => {
  const bad: [Extensions, string][] = [
    [{ SPIRANGE: { min: 2, max: 1 } }, "exceeds"],
    [{ ADDRESS_SRC: address("192.0.2.1", 80) }, "port 80"],
    [{ X_DST2: address("192.0.2.1", 80) }, "port 80"],
    [{ IDENTITY_SRC: { type: 9, id: 0, text: "x" } }, "no identity type 9"],
    [{ X_LOCAL_AUTH: { type: 5, data: new Uint8Array(8) } }, "no type 5"],
    [{ PROPOSAL: { replay: 0, combinations: [{ ...combination, authMinBits: 161 }] } }, "exceeds the greatest"],
    [{ PROPOSAL: { replay: 0, combinations: [{ ...combination, auth: 0 }] } }, "without an algorithm"],
  ];
  for (const [extensions, text] of bad) {
    assertThrows(() => decodeMessage(encodeMessage(message(extensions))), PfkeyError, text);
  }
});

Deno.test("a key's bits and its octets agree, and none is longer than 16 bits can say", () => {
  const octets = encodeMessage(message({ KEY_AUTH: EVERY.KEY_AUTH }));
  for (const bits of [0, 7, 152 + 1, 96, 200]) {
    const wrong = octets.slice();
    new DataView(wrong.buffer).setUint16(20, bits, true);
    assertThrows(() => decodeMessage(wrong), PfkeyError);
  }
  assertThrows(() => encodeMessage(message({ KEY_AUTH: { key: new Uint8Array(8192) } })), RangeError);
});

Deno.test("BSD socket addresses are read, and written as Linux has them", () => {
  const octets = encodeMessage(message({ X_DST_FLOW: address("2001:db8::1", 443) }));
  const bsd = octets.slice();
  bsd.set([28, 24], 24);
  assertEquals(decodeMessage(bsd).extensions, { X_DST_FLOW: address("2001:db8::1", 443) });
  for (const [a, b] of [[28, 10], [16, 24], [0, 0], [2, 0], [24, 28], [255, 255]]) {
    const wrong = octets.slice();
    wrong.set([a, b], 24);
    assertThrows(() => decodeMessage(wrong), PfkeyError);
  }
});

Deno.test("errno octets have Linux's numbers and symbolic names", () => {
  assertEquals([errnoName(0), errnoName(17), errnoName(95), errnoName(200)], [
    undefined,
    "EEXIST",
    "EOPNOTSUPP",
    "EIO",
  ]);
  const octets = encodeMessage({ ...message({}), errno: "EPROTONOSUPPORT" });
  assertEquals([octets[2], decodeMessage(octets).errno], [93, "EPROTONOSUPPORT"]);
  assertEquals(new Set(Object.values(ERRNO).map(([number]) => number)).size, Object.keys(ERRNO).length);
});

Deno.test("a message longer than its length field can say is refused", () => {
  const text = "x".repeat(MAX_MESSAGE_OCTETS);
  assertThrows(() => encodeMessage(message({ X_TEXT: text }, "X_SYSCTL")), RangeError, "is the most");
});

Deno.test("a stream is cut into messages however it arrives", () => {
  const first = encodeMessage(message(EVERY));
  const second = encodeMessage(message({ SA: sa }, "GET"));
  const stream = new Uint8Array([...first, ...second, ...first]);
  for (const size of [1, 7, 16, 100, stream.length]) {
    const framer = new Framer();
    const found: Uint8Array[] = [];
    for (let at = 0; at < stream.length; at += size) found.push(...framer.push(stream.subarray(at, at + size)));
    assertEquals(found, [first, second, first]);
    assertEquals(framer.pending, 0);
  }
  assertThrows(() => new Framer().push(new Uint8Array(16)), PfkeyError, "Version 0");
  const short = encodeMessage(message({}));
  short[4] = 1;
  assertThrows(() => new Framer().push(short), PfkeyError, "says it has 8 octets");
});

Deno.test("every message type has its rule, and a required extension is an allowed one", () => {
  assertEquals(Object.keys(EXTENSION_SETS).sort(), Object.keys(MESSAGE_TYPES).sort());
  for (const rules of Object.values(EXTENSION_SETS)) {
    for (const rule of [rules.in, rules.out]) {
      for (const name of rule?.required ?? []) assert(rule!.allowed.includes(name));
    }
  }
  assertEquals(new Set(EXTENSION_NAMES.map((name) => EXTENSIONS[name].number)).size, EXTENSION_NAMES.length);
});
