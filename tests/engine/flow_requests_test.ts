import { assertEquals } from "@std/assert";
import { formatPrefix, parseAddress, parsePrefix } from "../../lib/ip/address.ts";
import { flowExtensions, readFlow } from "../../lib/pfkey/flow_message.ts";
import { FLOW_TYPES } from "../../lib/pfkey/numbers.ts";
import { saExtensions } from "../../lib/pfkey/sa_message.ts";
import { EAST, espSa, flow, Harness, PACKET, WEST } from "./harness.ts";

Deno.test("X_ADDFLOW adds, and a second one with the same selector changes it in its place", () => {
  const h = new Harness().client(1).client(2);
  const [{ to, message }] = h.ask(1, "X_ADDFLOW", "ESP", flowExtensions(flow()));
  assertEquals([to, message.errno], [[1, 2], undefined]);
  assertEquals(h.effect("addFlow").flow, flow());
  h.ask(1, "X_ADDFLOW", "ESP", flowExtensions(flow({ type: "use", spi: 0x1000 })));
  const changed = h.effect("addFlow");
  assertEquals([changed.flow.type, changed.flow.spi, changed.replaced], ["use", 0x1000, flow()]);
  assertEquals(h.engine.flowCount, 1);
});

Deno.test("direction, transport, ports and both nets make a flow another one", () => {
  const h = new Harness().client(1);
  const { selector } = flow();
  const others = [
    selector,
    { ...selector, direction: "in" as const },
    { ...selector, transport: 6 },
    { ...selector, transport: 6, sourcePort: 25 },
    { ...selector, transport: 6, destinationPort: 25 },
    { ...selector, source: parsePrefix("192.168.99.0/25") },
    { ...selector, destination: parsePrefix("208.1.3.0/24") },
  ];
  for (const selector of others) h.ask(1, "X_ADDFLOW", "ESP", flowExtensions(flow({ selector })));
  assertEquals(h.engine.flowCount, others.length);
  for (const selector of others) {
    assertEquals(h.answer(1, "X_DELFLOW", "ESP", flowExtensions(flow({ selector }), "delete")).errno, undefined);
  }
  assertEquals(h.engine.flowCount, 0);
  assertEquals(h.answer(1, "X_DELFLOW", "ESP", flowExtensions(flow(), "delete")).errno, "ESRCH");
});

Deno.test("host bits in a flow's addresses are masked, and SA type 0 means ESP", () => {
  const h = new Harness().client(1);
  const extensions = flowExtensions(flow());
  h.ask(1, "X_ADDFLOW", "UNSPEC", {
    ...extensions,
    X_SRC_FLOW: { address: parseAddress("192.168.99.77"), port: 0 },
    ADDRESS_DST: { address: parseAddress("0.0.0.0"), port: 0 },
  });
  const made = h.effect("addFlow").flow;
  assertEquals([formatPrefix(made.selector.source), made.protocol, made.peer], ["192.168.99.0/24", 50, undefined]);
});

Deno.test("a flow with a wrong direction, type, mask or mixed families is EINVAL", () => {
  const h = new Harness().client(1);
  const good = flowExtensions(flow());
  const port = (address: string, port: number) => ({ address: parseAddress(address), port });
  const bad = [
    { ...good, X_FLOW_TYPE: { proto: FLOW_TYPES.require, direction: 3, flags: 1 } },
    { ...good, X_FLOW_TYPE: { proto: FLOW_TYPES.require, direction: 0, flags: 1 } },
    { ...good, X_FLOW_TYPE: { proto: 0, direction: 1, flags: 1 } },
    { ...good, X_FLOW_TYPE: { proto: 7, direction: 1, flags: 1 } },
    { ...good, X_SRC_MASK: port("255.0.255.0", 0) },
    { ...good, X_SRC_MASK: port("255.255.255.0", 0xff00) },
    { ...good, X_SRC_MASK: port("ffff::", 0) },
    { ...good, X_SRC_FLOW: port("2001:db8::", 0), X_SRC_MASK: port("ffff::", 0) },
    { ...good, ADDRESS_SRC: port("2001:db8::1", 0) },
    { ...good, X_DST_MASK: undefined },
    { ...good, X_FLOW_TYPE: undefined },
  ];
  for (const extensions of bad) {
    assertEquals(h.answer(1, "X_ADDFLOW", "ESP", extensions).errno, "EINVAL");
    assertEquals(h.effects, []);
  }
  assertEquals(h.answer(1, "X_ADDFLOW", "IPCOMP", good).errno, "EOPNOTSUPP");
  assertEquals(h.engine.flowCount, 0);
});

Deno.test("key management leaves an administrator's flow alone, and is told that all is well", () => {
  const h = new Harness().client(1);
  h.ask(1, "X_ADDFLOW", "ESP", flowExtensions(flow()));
  assertEquals(h.answer(1, "X_ADDFLOW", "ESP", flowExtensions(flow({ type: "use", static: false }))).errno, undefined);
  assertEquals(h.effects, []);
  assertEquals(h.answer(1, "X_DELFLOW", "ESP", flowExtensions(flow({ static: false }), "delete")).errno, undefined);
  assertEquals([h.effects, h.engine.flowCount], [[], 1]);
  h.ask(1, "X_ADDFLOW", "ESP", flowExtensions(flow({ type: "use" })));
  assertEquals(h.effect("addFlow").flow.type, "use");
});

Deno.test("X_SPDDUMP tells every flow as it was made", () => {
  const h = new Harness().client(1);
  const flows = [
    flow(),
    flow({ spi: 0x1001, type: "dontacq" }, "10.0.0.0/8", "0.0.0.0/0"),
    flow({ protocol: 51 }, "::/0", "2001:db8::/32"),
  ]
    .map((one, i) => i === 2 ? { ...one, peer: parseAddress("2001:db8::1"), local: undefined } : one);
  for (const one of flows) h.ask(1, "X_ADDFLOW", one.protocol === 51 ? "AH" : "ESP", flowExtensions(one));
  const rows = h.ask(1, "X_SPDDUMP", "UNSPEC", {}, 3);
  assertEquals(rows.map(({ message }) => message.seq), [3, 3, 0]);
  const { local: _, ...withoutLocal } = flows[2];
  assertEquals(rows.map(({ message }) => readFlow(message.satype, message.extensions)), [
    flows[0],
    flows[1],
    withoutLocal,
  ]);
});

Deno.test("a packet without an SA makes one ACQUIRE for the flow until it is answered or 30 s old", () => {
  const h = new Harness().client(1).client(2);
  h.ask(1, "REGISTER", "ESP");
  const need = (packet = PACKET) => {
    h.sent = [];
    h.take(h.engine.onPacketNeedsSa(flow(), packet, h.now));
    return h.sent;
  };
  const [{ to, message }] = need();
  assertEquals([to, message.type, message.satype, message.seq, message.pid], [[1], "ACQUIRE", "ESP", 1, 0]);
  assertEquals(message.extensions.ADDRESS_SRC!.address, WEST);
  assertEquals(message.extensions.ADDRESS_DST!.address, EAST);
  const [wish] = message.extensions.PROPOSAL!.combinations;
  assertEquals([wish.encrypt, wish.auth, wish.hardAddSeconds, wish.softAddSeconds], [12, 3, 86400, 80000]);
  assertEquals(need(), []);
  assertEquals(need({ ...PACKET, source: parseAddress("192.168.99.8") }), []);
  assertEquals(h.engine.nextDeadline(), h.now + 30_000);
  h.tick(30);
  assertEquals(need().map(({ message }) => message.seq), [2]);
  // Key management makes the outbound SA for it; should that vanish, the next packet asks again at once.
  h.ask(1, "ADD", "ESP", saExtensions(espSa(), true), 2);
  assertEquals(need().map(({ message }) => message.seq), [3]);
});

Deno.test("a failed negotiation is told to everyone and does not make packets ask again at once", () => {
  const h = new Harness().client(1).client(2);
  h.ask(1, "REGISTER", "ESP");
  h.take(h.engine.onPacketNeedsSa(flow(), PACKET, h.now));
  h.sent = [];
  const failure = Uint8Array.of(2, 6, 110, 2, 2, 0, 0, 0, 1, 0, 0, 0, 0xe9, 3, 0, 0);
  h.take(h.engine.onMessage(1, failure, h.now));
  assertEquals(h.sent.map(({ to, message }) => [to, message.type, message.errno]), [[[1, 2], "ACQUIRE", "ETIMEDOUT"]]);
  h.sent = [];
  h.take(h.engine.onPacketNeedsSa(flow(), PACKET, h.now));
  assertEquals(h.sent, []);
});

Deno.test("only acquire and require flows ask, and only when somebody is registered for their protocol", () => {
  const h = new Harness().client(1).client(2);
  assertEquals(h.engine.onPacketNeedsSa(flow(), PACKET, h.now), []);
  h.ask(1, "REGISTER", "AH");
  assertEquals(h.engine.onPacketNeedsSa(flow(), PACKET, h.now), []);
  assertEquals(h.engine.hasKeyManagement(flow()), false);
  h.ask(2, "REGISTER", "ESP");
  assertEquals(h.engine.hasKeyManagement(flow()), true);
  const types = ["use", "dontacq", "bypass", "deny", "require"] as const;
  const asked = types.filter((type) => {
    h.sent = [];
    h.take(h.engine.onPacketNeedsSa(flow({ type }), PACKET, h.now));
    return h.sent.length > 0;
  });
  assertEquals(asked, ["require"]);
  h.engine.disconnect(2);
  h.tick(31);
  assertEquals(h.engine.onPacketNeedsSa(flow(), PACKET, h.now), []);
});

Deno.test("X_ASKPOLICY tells the flow, or the packet's hosts where the flow names no peer", () => {
  const h = new Harness().client(1);
  h.ask(1, "REGISTER", "ESP");
  const ask = (seq: number) => {
    const { errno, extensions } = h.answer(1, "X_ASKPOLICY", "UNSPEC", { X_POLICY: { seq } });
    if (errno) return errno;
    const bits = extensions.X_SRC_MASK!.address.octets;
    return [extensions.X_SRC_FLOW!.address.octets.join("."), bits.join("."), extensions.X_FLOW_TYPE!.proto];
  };
  h.take(h.engine.onPacketNeedsSa(flow({ selector: { ...flow().selector, transport: 17 } }), PACKET, h.now));
  assertEquals(ask(1), ["192.168.99.0", "255.255.255.0", 17]);
  const { peer: _1, local: _2, ...wide } = flow();
  h.sent = [];
  h.take(h.engine.onPacketNeedsSa(wide, PACKET, h.now));
  assertEquals(h.sent[0].message.extensions.ADDRESS_DST!.address, PACKET.destination);
  assertEquals(h.sent[0].message.extensions.ADDRESS_SRC!.address, PACKET.source);
  assertEquals(ask(2), ["192.168.99.7", "255.255.255.255", 0]);
  assertEquals(ask(3), "ESRCH");
  h.tick(30);
  assertEquals(ask(1), "ESRCH");
});

Deno.test("a scan of a wide flow without a peer cannot fill the memory", () => {
  const h = new Harness().client(1);
  h.ask(1, "REGISTER", "ESP");
  const { peer: _, ...wide } = flow();
  h.sent = [];
  for (let i = 0; i < 10_000; i++) {
    const destination = { family: 4 as const, octets: Uint8Array.of(208, 1, i >> 8, i & 255) };
    h.take(h.engine.onPacketNeedsSa(wide, { ...PACKET, destination }, h.now));
  }
  assertEquals(h.sent.length, 4096);
});

Deno.test("an ACQUIRE from a program goes to those registered, and to nobody it cannot", () => {
  const h = new Harness().client(1).client(2);
  const wish = { ADDRESS_SRC: { address: WEST, port: 0 }, ADDRESS_DST: { address: EAST, port: 0 } };
  assertEquals(h.answer(1, "ACQUIRE", "ESP", wish).errno, "EPROTONOSUPPORT");
  h.ask(2, "REGISTER", "ESP");
  assertEquals(h.ask(1, "ACQUIRE", "ESP", wish).map(({ to, message }) => [to, message.pid]), [[[2], 1001]]);
  assertEquals(h.answer(1, "ACQUIRE", "ESP", {}).errno, "EINVAL");
});
