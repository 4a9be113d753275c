import { assert, assertEquals } from "@std/assert";
import { identityExtensions, saExtensions } from "../../lib/pfkey/sa_message.ts";
import { encodeMessage, readHeader } from "../../lib/pfkey/message.ts";
import { flowExtensions } from "../../lib/pfkey/flow_message.ts";
import { UNUSED } from "../../lib/engine/effects.ts";
import { parsePrefix } from "../../lib/ip/address.ts";
import { EAST, espSa, flow, Harness, seeded } from "./harness.ts";

const NONE = { allocations: 0, bytes: 0, addSeconds: 0, useSeconds: 0 };
const expiries = (h: Harness) =>
  h.sent.map(({ to, message: { type, extensions } }) => [
    to,
    type,
    extensions.LIFETIME_HARD ? "hard" : "soft",
    extensions.LIFETIME_CURRENT!.bytes,
  ]);

Deno.test("a soft limit makes the SA dying and is told once; the hard one ends it", () => {
  const h = new Harness().client(1).client(2);
  const sa = espSa({ hard: { ...NONE, addSeconds: 100 }, soft: { ...NONE, addSeconds: 80 } });
  h.ask(1, "ADD", "ESP", saExtensions(sa, true));
  assertEquals(h.engine.nextDeadline(), h.now + 80_000);
  assertEquals(h.tick(79), []);
  h.tick(1);
  assertEquals(expiries(h), [[[1, 2], "EXPIRE", "soft", 0]]);
  assertEquals(h.effect("updateSa").state, "dying");
  assertEquals(h.sent[0].message.extensions.SA!.state, 2);
  assertEquals(h.tick(19), []);
  h.tick(1);
  assertEquals(expiries(h), [[[1, 2], "EXPIRE", "hard", 0]]);
  assertEquals(h.kinds(), ["removeSa"]);
  assertEquals(h.answer(1, "GET", "ESP", identityExtensions(sa, sa.source)).errno, "ESRCH");
  assertEquals(h.engine.nextDeadline(), Infinity);
});

Deno.test("limits count bytes, flows and the time since first use", () => {
  const limits = [
    [{ hard: { ...NONE, bytes: 1000 }, soft: { ...NONE, bytes: 800 } }, { bytes: 900 }, { bytes: 1000 }],
    [{ hard: { ...NONE, allocations: 3 }, soft: { ...NONE, allocations: 2 } }, { allocations: 2 }, { allocations: 3 }],
  ] as const;
  for (const [lifetimes, soft, hard] of limits) {
    const h = new Harness().client(1);
    h.ask(1, "ADD", "ESP", saExtensions(espSa(lifetimes), true));
    const { id } = h.effect("installSa");
    h.take(h.engine.onUsage([[id, { ...UNUSED, packets: 1, bytes: 10, allocations: 1 }], [99, UNUSED]], h.now));
    h.sent = [];
    h.take(h.engine.onUsage([[id, { ...UNUSED, ...soft }]], h.now));
    assertEquals(expiries(h).map((row) => row[2]), ["soft"]);
    h.take(h.engine.onUsage([[id, { ...UNUSED, ...soft }]], h.now));
    assertEquals(h.sent.length, 1);
    h.take(h.engine.onUsage([[id, { ...UNUSED, ...hard }]], h.now));
    assertEquals(expiries(h).map((row) => row[2]), ["soft", "hard"]);
    assertEquals(h.engine.saCount, 0);
  }
  const h = new Harness().client(1);
  const sa = espSa({ hard: { ...NONE, useSeconds: 60 }, soft: { ...NONE, useSeconds: 50 } });
  h.ask(1, "ADD", "ESP", saExtensions(sa, true));
  const { id } = h.effect("installSa");
  assertEquals(h.tick(1000), []);
  const firstUsedSeconds = h.now / 1000;
  h.take(h.engine.onUsage([[id, { ...UNUSED, firstUsedSeconds, lastUsedSeconds: firstUsedSeconds }]], h.now));
  assertEquals(h.engine.nextDeadline(), h.now + 50_000);
  h.tick(50);
  assertEquals(expiries(h).map((row) => row[2]), ["soft"]);
  h.tick(10);
  assertEquals(expiries(h).map((row) => row[2]), ["hard"]);
});

Deno.test("where both limits are passed only the hard one is told", () => {
  const h = new Harness().client(1);
  const both = { ...NONE, addSeconds: 100 };
  h.ask(1, "ADD", "ESP", saExtensions(espSa({ hard: both, soft: both }), true));
  h.tick(100);
  assertEquals(expiries(h).map((row) => row[2]), ["hard"]);
});

Deno.test("an UPDATE with new lifetimes makes a dying SA mature again", () => {
  const h = new Harness().client(1);
  const sa = espSa({ hard: { ...NONE, addSeconds: 100 }, soft: { ...NONE, addSeconds: 10 } });
  h.ask(1, "ADD", "ESP", saExtensions(sa, true));
  h.tick(10);
  const longer = { ...sa, hard: { ...NONE, addSeconds: 1000 }, soft: { ...NONE, addSeconds: 900 } };
  h.ask(1, "UPDATE", "ESP", saExtensions(longer, false));
  assertEquals(h.effect("updateSa").state, "mature");
  assertEquals(h.engine.nextDeadline(), h.now + 890_000);
});

Deno.test("REGISTER answers every algorithm with key lengths and IV in bits", () => {
  const h = new Harness().client(1).client(2);
  const { to, message } = h.ask(1, "REGISTER", "ESP")[0];
  assertEquals(to, [1]);
  const find = (list: { id: number }[], id: number) => list.find((row) => row.id === id);
  const { SUPPORTED_AUTH, SUPPORTED_ENCRYPT } = message.extensions;
  assertEquals(find([...SUPPORTED_AUTH!], 3), { id: 3, ivBits: 0, minBits: 160, maxBits: 160 });
  assertEquals(find([...SUPPORTED_ENCRYPT!], 3), { id: 3, ivBits: 64, minBits: 192, maxBits: 192 });
  assertEquals(find([...SUPPORTED_ENCRYPT!], 20), { id: 20, ivBits: 64, minBits: 160, maxBits: 288 });
  // The second to register is told, and so is the first (RFC 2367 3.1.7).
  assertEquals(h.ask(2, "REGISTER", "ESP")[0].to, [1, 2]);
  assertEquals(h.answer(1, "REGISTER", "IPCOMP").errno, "EOPNOTSUPP");
});

Deno.test("a promiscuous client overhears requests with the writer's pid, unicast answers with 0", () => {
  const h = new Harness().client(1).client(2);
  assertEquals(h.answer(2, "X_PROMISC", "AH").errno, undefined);
  h.ask(1, "X_SYSCTL", "UNSPEC", { X_TEXT: "net.inet.esp.enable" });
  const overheard = h.sent.filter(({ to }) => to.includes(2)).map(({ message }) => [
    message.type,
    message.seq,
    readHeader(message.wrapped!).type,
  ]);
  assertEquals(overheard, [["X_PROMISC", 1001, 201], ["X_PROMISC", 0, 201]]);
  h.ask(2, "X_PROMISC", "UNSPEC");
  h.ask(1, "X_SYSCTL", "UNSPEC");
  assertEquals(h.sent.filter(({ to }) => to.includes(2)), []);
  assertEquals(h.answer(2, "X_PROMISC", "ESP").errno, "EINVAL");
});

Deno.test("X_PROMISC with a message inside passes it to the process named", () => {
  const h = new Harness().client(1).client(2).client(3);
  for (const id of [2, 3]) h.ask(id, "X_SYSCTL", "UNSPEC");
  const inner = encodeMessage({ type: "EXPIRE", satype: "ESP", seq: 9, pid: 1001, extensions: {} });
  const to = (pid: number) =>
    h.ask(1, "X_PROMISC", "UNSPEC", {}, pid, inner).filter(({ message }) => message.type === "EXPIRE").map((s) => s.to);
  assertEquals(to(1003), [[3]]);
  assertEquals(to(0), [[2, 3]]);
  assertEquals(h.answer(1, "X_PROMISC", "UNSPEC", {}, 0, new Uint8Array(16)).errno, "EINVAL");
  assertEquals(h.answer(1, "X_PROMISC", "UNSPEC", {}, 0, new Uint8Array(8)).errno, "EINVAL");
});

Deno.test("sysctl: read one, read all, set; unknown names and values are refused", () => {
  const h = new Harness().client(1);
  const ask = (X_TEXT?: string) => {
    const { errno, extensions } = h.answer(1, "X_SYSCTL", "UNSPEC", X_TEXT === undefined ? {} : { X_TEXT });
    return errno ?? extensions.X_TEXT;
  };
  assertEquals(ask("net.inet.esp.enable"), "net.inet.esp.enable=1");
  assertEquals(ask("net.inet.ah.enable"), "net.inet.ah.enable=0");
  assertEquals(ask("net.inet.ah.enable=1"), "net.inet.ah.enable=1");
  assertEquals(h.effects, [{ kind: "sysctl", name: "net.inet.ah.enable", value: "1" }]);
  assertEquals(ask("net.inet.ah.enable"), "net.inet.ah.enable=1");
  assert((ask() as string).split("\n").length > 10);
  for (const bad of ["net.inet.ah.enable=2", "net.inet.ip.ipsec-timeout=-1", "net.inet.ip.ipsec-enc-alg=rot13"]) {
    assertEquals(ask(bad), "EINVAL");
  }
  assertEquals(ask("net.inet.no.such"), "ENOENT");
  assertEquals(ask("net.inet.no.such=1"), "ENOENT");
});

Deno.test("statistics are what the daemon counts", () => {
  const h = new Harness({ statistics: () => ({ "esp.inputPackets": 5, "esp.badIcv": 1 }) }).client(1);
  assertEquals(h.answer(1, "X_STATISTICS", "UNSPEC").extensions.X_TEXT, "esp.inputPackets=5\nesp.badIcv=1");
});

Deno.test("a client keeps its pid, nobody may be 0, and rubbish is EINVAL for its sender alone", () => {
  const h = new Harness().client(1).client(2);
  const flush = (pid: number) => encodeMessage({ type: "FLUSH", satype: "ESP", seq: 1, pid, extensions: {} });
  const send = (octets: Uint8Array) => {
    h.sent = [];
    h.take(h.engine.onMessage(1, octets, h.now));
    return h.sent.map(({ to, message }) => [to, message.errno]);
  };
  assertEquals(send(flush(0)), [[[1], "EINVAL"]]);
  assertEquals(send(flush(77)), [[[1, 2], undefined]]);
  assertEquals(send(flush(78)), [[[1], "EINVAL"]]);
  const odd = flush(77);
  odd[6] = 1;
  assertEquals(send(odd), [[[1], "EINVAL"]]);
  assertEquals(h.engine.onMessage(1, new Uint8Array(3), h.now).filter(({ kind }) => kind === "send"), []);
  assertEquals(h.engine.onMessage(9, flush(77), h.now), []);
});

Deno.test("a client's end takes its registration and nothing else", () => {
  const h = new Harness().client(1).client(2);
  h.ask(1, "ADD", "ESP", saExtensions(espSa(), true));
  h.ask(1, "X_ADDFLOW", "ESP", flowExtensions(flow()));
  h.engine.disconnect(1);
  assertEquals([h.engine.saCount, h.engine.flowCount], [1, 1]);
  assertEquals(h.ask(2, "FLUSH", "AH").map(({ to }) => to), [[2]]);
});

Deno.test("20,000 SAs and flows load and dump without slowing down", () => {
  const h = new Harness().client(1);
  const batch = (from: number) => {
    const start = performance.now();
    for (let i = from; i < from + 10_000; i++) {
      const destination = { family: 4 as const, octets: Uint8Array.of(10, i >> 16, i >> 8 & 255, i & 255) };
      const sa = espSa({ spi: 256 + i, destination, hard: { ...NONE, addSeconds: 1000 + i } });
      h.ask(1, "ADD", "ESP", saExtensions(sa, true));
      const net = parsePrefix(`10.${i >> 16}.${i >> 8 & 255}.${i & 255}/32`);
      h.ask(
        1,
        "X_ADDFLOW",
        "ESP",
        flowExtensions(flow({ peer: EAST, selector: { ...flow().selector, destination: net } })),
      );
    }
    return performance.now() - start;
  };
  const first = batch(0);
  const second = batch(10_000);
  assert(second < 3 * first + 500, `first 10,000 took ${first} ms, the next ${second} ms`);
  assertEquals([h.engine.saCount, h.engine.flowCount], [20_000, 20_000]);
  assertEquals(h.ask(1, "DUMP", "ESP").length, 20_000);
  h.tick(1000 + 20_000);
  assertEquals(h.sent.length, 20_000);
  assertEquals(h.engine.saCount, 0);
});

Deno.test("random SPIs of two engines differ", () => {
  const spi = (seed: number) => {
    const h = new Harness({ random: seeded(seed) }).client(1);
    const ends = { ADDRESS_SRC: { address: EAST, port: 0 }, ADDRESS_DST: { address: espSa().source, port: 0 } };
    return h.answer(1, "GETSPI", "ESP", { ...ends, SPIRANGE: { min: 256, max: 0xffffffff } }).extensions.SA!.spi;
  };
  assert(spi(1) !== spi(2));
});
