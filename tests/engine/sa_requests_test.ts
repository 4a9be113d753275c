import { assert, assertEquals } from "@std/assert";
import { parseAddress, unspecified } from "../../lib/ip/address.ts";
import { pairExtensions } from "../../lib/pfkey/pair_message.ts";
import { SA_FLAGS } from "../../lib/pfkey/numbers.ts";
import { identityExtensions, saExtensions } from "../../lib/pfkey/sa_message.ts";
import { EAST, espSa, flow, Harness, WEST } from "./harness.ts";
import { flowExtensions } from "../../lib/pfkey/flow_message.ts";

const at = (address: typeof WEST) => ({ address, port: 0 });
const range = (min: number, max: number) => ({
  ADDRESS_SRC: at(EAST),
  ADDRESS_DST: at(WEST),
  SPIRANGE: { min, max },
});
const ADD = saExtensions(espSa(), true);
const AH = espSa({
  protocol: 51,
  encryption: undefined,
  encryptionKey: undefined,
  tunnel: false,
});

Deno.test("ADD installs a mature SA and tells every client, without keys", () => {
  const h = new Harness().client(1).client(2);
  const [{ to, message }] = h.ask(1, "ADD", "ESP", ADD, 77);
  assertEquals(to, [1, 2]);
  assertEquals([message.seq, message.pid, message.errno], [77, 1001, undefined]);
  assertEquals(message.extensions.KEY_AUTH, undefined);
  assertEquals(message.extensions.KEY_ENCRYPT, undefined);
  assertEquals(message.extensions.SA?.spi, 0x1000);
  assertEquals(h.kinds(), ["installSa"]);
  const effect = h.effect("installSa");
  assertEquals(effect.sa, {
    ...espSa(),
    encryptionKey: espSa().encryptionKey,
    authenticationKey: espSa().authenticationKey,
  });
});

Deno.test("an SA is known by destination, SPI and protocol alone", () => {
  const h = new Harness().client(1);
  h.engine.setSysctl("net.inet.ah.enable", "1");
  h.ask(1, "ADD", "ESP", ADD);
  assertEquals(h.answer(1, "ADD", "ESP", ADD).errno, "EEXIST");
  const elsewhere = parseAddress("192.168.25.10");
  assertEquals(h.answer(1, "ADD", "ESP", saExtensions(espSa({ source: elsewhere }), true)).errno, "EEXIST");
  assertEquals(h.answer(1, "ADD", "ESP", saExtensions(espSa({ destination: elsewhere }), true)).errno, undefined);
  assertEquals(h.answer(1, "ADD", "ESP", saExtensions(espSa({ spi: 0x1001 }), true)).errno, undefined);
  assertEquals(h.answer(1, "ADD", "AH", saExtensions(AH, true)).errno, undefined);
  assertEquals(h.engine.saCount, 4);
});

Deno.test("a key of the wrong length or an impossible algorithm is EINVAL, and nothing is installed", () => {
  const h = new Harness().client(1);
  h.engine.setSysctl("net.inet.ah.enable", "1");
  const bad: Parameters<typeof espSa>[0][] = [
    { encryptionKey: new Uint8Array(23) },
    { authenticationKey: new Uint8Array(16) },
    { encryption: undefined },
    { authentication: undefined },
    { encryption: undefined, authentication: undefined, encryptionKey: undefined, authenticationKey: undefined },
    { encryption: "aes", encryptionKey: new Uint8Array(20) },
    { encryption: "null", authentication: undefined, encryptionKey: undefined, authenticationKey: undefined },
    { encryption: "aes-gcm", encryptionKey: new Uint8Array(20) },
    { oldHeader: true },
    { halfIv: true },
    { spi: 255 },
    { protocol: 51 },
    { protocol: 4 },
    { source: parseAddress("2001:db8::1") },
    { replayWindow: 70000 },
    { udpPort: 0 },
  ];
  for (const change of bad) {
    const sa = espSa(change);
    const satype = sa.protocol === 51 ? "AH" : sa.protocol === 4 ? "IPIP" : "ESP";
    assertEquals(h.answer(1, "ADD", satype, saExtensions(sa, true)).errno, "EINVAL", JSON.stringify(change));
    assertEquals(h.effects, []);
  }
  assertEquals(h.engine.saCount, 0);
});

Deno.test("a protocol that is switched off answers EOPNOTSUPP, as does one we do not have", () => {
  const h = new Harness().client(1);
  assertEquals(h.answer(1, "ADD", "AH", saExtensions(AH, true)).errno, "EOPNOTSUPP");
  assertEquals(h.answer(1, "GETSPI", "AH", range(256, 300)).errno, "EOPNOTSUPP");
  h.engine.setSysctl("net.inet.ah.enable", "1");
  assertEquals(h.answer(1, "ADD", "AH", saExtensions(AH, true)).errno, undefined);
  h.engine.setSysctl("net.inet.esp.enable", "0");
  assertEquals(h.answer(1, "ADD", "ESP", ADD).errno, "EOPNOTSUPP");
  assertEquals(h.answer(1, "ADD", "IPCOMP", ADD).errno, "EOPNOTSUPP");
  assertEquals(h.answer(1, "ADD", "TCPSIGNATURE", ADD).errno, "EOPNOTSUPP");
});

Deno.test("GETSPI reserves an SPI of the range; UPDATE makes it an SA; unused it is gone after 60 s", () => {
  const h = new Harness().client(1).client(2);
  const [{ to, message }] = h.ask(1, "GETSPI", "ESP", range(0x1000, 0x10ff), 9);
  assertEquals(to, [1, 2]);
  const { SA, ADDRESS_SRC, ADDRESS_DST, ...others } = message.extensions;
  assert(SA!.spi >= 0x1000 && SA!.spi <= 0x10ff && SA!.state === 0);
  assertEquals([ADDRESS_SRC, ADDRESS_DST, others], [at(EAST), at(WEST), {}]);
  assertEquals(h.effects, []);
  const sa = espSa({ spi: SA!.spi, source: EAST, destination: WEST, replayWindow: 64 });
  assertEquals(h.answer(1, "ADD", "ESP", saExtensions(sa, true)).errno, "EEXIST");
  assertEquals(h.answer(1, "UPDATE", "ESP", saExtensions(sa, true)).errno, undefined);
  assertEquals(h.kinds(), ["installSa"]);
  const unused = h.answer(1, "GETSPI", "ESP", range(0x2000, 0x2000)).extensions.SA!.spi;
  assertEquals(unused, 0x2000);
  assertEquals(h.engine.nextDeadline(), h.now + 60_000);
  assertEquals(h.tick(59), []);
  assertEquals(h.engine.saCount, 2);
  assertEquals(h.tick(1), []);
  assertEquals([h.engine.saCount, h.effects], [1, []]);
  assertEquals(h.engine.nextDeadline(), Infinity);
});

Deno.test("GETSPI: taken range EEXIST, reserved range EINVAL, the last free one is found", () => {
  const h = new Harness().client(1);
  const seen = new Set<number>();
  for (let i = 0; i < 300; i++) seen.add(h.answer(1, "GETSPI", "ESP", range(0x100, 0x22b)).extensions.SA!.spi);
  assertEquals(seen.size, 300);
  assertEquals(h.answer(1, "GETSPI", "ESP", range(0x100, 0x22b)).errno, "EEXIST");
  assertEquals(h.answer(1, "GETSPI", "ESP", range(1, 255)).errno, "EINVAL");
  assertEquals(h.answer(1, "GETSPI", "ESP", range(0, 256)).errno, "EEXIST");
});

Deno.test("UPDATE of a mature SA changes lifetimes and UDP port, nothing else", () => {
  const h = new Harness().client(1);
  const sa = espSa({ udpPort: 4500 });
  h.ask(1, "ADD", "ESP", saExtensions(sa, true));
  const hard = { allocations: 0, bytes: 0, addSeconds: 100, useSeconds: 0 };
  assertEquals(h.answer(1, "UPDATE", "ESP", saExtensions({ ...sa, hard, udpPort: 1027 }, false)).errno, undefined);
  const effect = h.effect("updateSa");
  assertEquals([effect.sa.hard, effect.sa.udpPort, effect.state], [hard, 1027, "mature"]);
  assertEquals(effect.sa.encryptionKey, sa.encryptionKey);
  assertEquals(h.answer(1, "UPDATE", "ESP", saExtensions(sa, true)).errno, "EINVAL");
  const aes = saExtensions({ ...sa, encryption: "aes" }, false);
  assertEquals(h.answer(1, "UPDATE", "ESP", aes).errno, "EINVAL");
  assertEquals(h.answer(1, "UPDATE", "ESP", saExtensions(espSa({ spi: 0x9999 }), false)).errno, "ESRCH");
});

Deno.test("a peer whose NAT gives it another port: all its SAs have it, and nobody else's behind that NAT", () => {
  const h = new Harness().client(1);
  const sas = [
    espSa({ spi: 0x1001, source: EAST, destination: WEST, udpPort: 20_001 }),
    espSa({ spi: 0x1002, udpPort: 20_001 }),
    espSa({ spi: 0x1003, source: EAST, destination: WEST, udpPort: 20_001 }), // from before the last renegotiation
    espSa({ spi: 0x1004, udpPort: 20_002 }),
    espSa({ spi: 0x1005 }),
    espSa({ spi: 0x1006, destination: parseAddress("192.168.25.10"), udpPort: 20_001 }),
  ];
  for (const sa of sas) h.ask(1, "ADD", "ESP", saExtensions(sa, true));
  const [{ id }] = h.engine.sas();
  h.effects = [];
  h.take(h.engine.movePeer(id, 30_000));
  const ports = () => Array.from(h.engine.sas(), ({ sa }) => sa.udpPort);
  assertEquals(ports(), [30_000, 30_000, 30_000, 20_002, undefined, 20_001]);
  assertEquals(h.kinds(), ["updateSa", "updateSa", "updateSa"]);
  const shown = h.answer(1, "GET", "ESP", identityExtensions(sas[1], WEST)).extensions.X_UDPENCAP;
  assertEquals(shown?.port, 30_000);
  h.take(h.engine.movePeer(id, 20_001));
  assertEquals(ports().slice(0, 3), [20_001, 20_001, 20_001], "and back");
  h.take(h.engine.movePeer(99, 1));
});

Deno.test("GET answers the requester alone, with keys, counters and lifetimes", () => {
  const usage = {
    packets: 3,
    bytes: 300,
    allocations: 1,
    drops: 2,
    sequence: 5,
    firstUsedSeconds: 1_000_000_001,
    lastUsedSeconds: 1_000_000_004,
  };
  const h = new Harness({ usageOf: () => usage }).client(1).client(2);
  h.ask(2, "X_PROMISC", "AH");
  h.ask(1, "ADD", "ESP", ADD);
  h.now += 10_000;
  const request = identityExtensions(espSa(), unspecified(4));
  const sent = h.ask(1, "GET", "ESP", request).filter(({ message }) => message.type === "GET");
  assertEquals(sent.map(({ to }) => to), [[1]]);
  const { extensions } = sent[0].message;
  assertEquals(extensions.KEY_ENCRYPT!.key, espSa().encryptionKey);
  assertEquals(extensions.LIFETIME_CURRENT, {
    allocations: 1,
    bytes: 300,
    addSeconds: 1_000_000_000,
    useSeconds: 1_000_000_001,
  });
  const { ageSeconds, packets, drops, sequence, idleSeconds, encryptBits, authBits } = extensions.X_SA_USAGE!;
  assertEquals([ageSeconds, packets, drops, sequence, idleSeconds, encryptBits, authBits], [10, 3, 2, 5, 6, 192, 160]);
  // The promiscuous client overheard the question, not the answer with the keys.
  assertEquals(h.sent.filter(({ to }) => to.includes(2)).length, 1);
  assertEquals(h.answer(1, "GET", "ESP", identityExtensions(espSa({ spi: 0x5000 }), WEST)).errno, "ESRCH");
});

Deno.test("DELETE removes one SA and breaks its links; with CHAINDEL the whole bundle goes", () => {
  const h = new Harness().client(1);
  h.engine.setSysctl("net.inet.ah.enable", "1");
  h.ask(1, "ADD", "ESP", ADD);
  h.ask(1, "ADD", "AH", saExtensions(AH, true));
  const pair = pairExtensions(espSa(), AH);
  assertEquals(h.answer(1, "X_GRPSPIS", "ESP", pair).errno, undefined);
  assertEquals(h.kinds(), ["link"]);
  const link = h.effect("link");
  assertEquals([link.inner, link.outer], [1, 2]);
  const outer = h.answer(1, "GET", "ESP", identityExtensions(espSa(), WEST)).extensions;
  assertEquals([outer.X_OUTER_SA, outer.X_OUTER_DST], [{ spi: 0x1000, satype: 1 }, at(EAST)]);

  h.ask(1, "DELETE", "AH", identityExtensions(AH));
  assertEquals(h.kinds(), ["link", "removeSa"]);
  assertEquals(h.answer(1, "DELETE", "AH", identityExtensions(AH)).errno, "ESRCH");
  assertEquals(h.answer(1, "GET", "ESP", identityExtensions(espSa(), WEST)).extensions.X_OUTER_SA, undefined);

  h.ask(1, "ADD", "AH", saExtensions(AH, true));
  h.ask(1, "X_GRPSPIS", "ESP", pair);
  const { SA, ...rest } = identityExtensions(AH);
  h.ask(1, "DELETE", "AH", { ...rest, SA: { ...SA!, flags: SA_FLAGS.CHAINDEL } });
  assertEquals(h.kinds().filter((kind) => kind === "removeSa").length, 2);
  assertEquals(h.engine.saCount, 0);
});

Deno.test("X_GRPSPIS: unknown SAs and cycles are ESRCH; a new link breaks the older ones", () => {
  const h = new Harness().client(1);
  const sas = [0x1000, 0x1001, 0x1002].map((spi) => espSa({ spi }));
  for (const sa of sas) h.ask(1, "ADD", "ESP", saExtensions(sa, true));
  const group = (a: number, b: number) => h.answer(1, "X_GRPSPIS", "ESP", pairExtensions(sas[a], sas[b])).errno;
  assertEquals(group(0, 1), undefined);
  assertEquals(group(1, 2), undefined);
  assertEquals(group(2, 0), "ESRCH");
  assertEquals(group(0, 0), "ESRCH");
  assertEquals(
    h.answer(1, "X_GRPSPIS", "ESP", pairExtensions(sas[0], espSa({ spi: 0x7777 }))).errno,
    "ESRCH",
  );
  assertEquals(group(0, 2), undefined);
  assertEquals(h.effects.map((e) => e.kind === "link" && [e.inner, e.outer]), [[2, undefined], [1, 3]]);
});

Deno.test("a removed SA's keys are erased", () => {
  const h = new Harness().client(1);
  h.ask(1, "ADD", "ESP", ADD);
  const effect = h.effect("installSa");
  h.ask(1, "DELETE", "ESP", identityExtensions(espSa()));
  assert(effect.sa.encryptionKey!.every((octet) => octet === 0));
  assert(effect.sa.authenticationKey!.every((octet) => octet === 0));
});

Deno.test("bind sends replies through the outbound SA until either SA goes", () => {
  const h = new Harness().client(1);
  const inbound = espSa({ spi: 0x1001, source: EAST, destination: WEST });
  h.ask(1, "ADD", "ESP", ADD);
  h.ask(1, "ADD", "ESP", saExtensions(inbound, true));
  assertEquals(h.answer(1, "X_BINDSA", "ESP", pairExtensions(inbound, espSa())).errno, undefined);
  const made = h.effect("addFlow");
  assertEquals([made.flow.type, made.flow.spi, made.flow.peer], ["use", 0x1000, EAST]);
  assertEquals(made.flow.selector.source.address, WEST);
  assertEquals(
    h.answer(1, "GET", "ESP", identityExtensions(inbound, WEST)).extensions.X_BOUND_SA,
    { spi: 0x1000, satype: 2 },
  );
  h.ask(1, "DELETE", "ESP", identityExtensions(espSa()));
  assertEquals(h.kinds(), ["removeFlow", "removeSa"]);
  assertEquals(h.engine.flowCount, 0);
});

Deno.test("FLUSH of a type removes its SAs and leaves flows; of none, everything", () => {
  const h = new Harness().client(1).client(2);
  h.engine.setSysctl("net.inet.ah.enable", "1");
  h.ask(1, "ADD", "ESP", ADD);
  h.ask(1, "ADD", "AH", saExtensions(AH, true));
  h.ask(1, "X_ADDFLOW", "ESP", flowExtensions(flow()));
  const [{ to, message }] = h.ask(1, "FLUSH", "ESP");
  assertEquals([to, message.type, message.extensions], [[1, 2], "FLUSH", {}]);
  assertEquals([h.engine.saCount, h.engine.flowCount, h.kinds()], [1, 1, ["removeSa"]]);
  h.ask(1, "FLUSH", "UNSPEC");
  assertEquals([h.engine.saCount, h.engine.flowCount, h.kinds()], [0, 0, ["flush"]]);
  assertEquals(h.answer(1, "FLUSH", "RSVP").errno, "EOPNOTSUPP");
});

Deno.test("DUMP: one message per SA without keys, the last with seq 0; nothing: the header alone", () => {
  const h = new Harness().client(1).client(2);
  const empty = h.ask(1, "DUMP", "ESP", {}, 5);
  assertEquals(empty.map(({ message }) => [message.seq, Object.keys(message.extensions)]), [[0, []]]);
  for (const spi of [0x1000, 0x1001, 0x1002]) h.ask(1, "ADD", "ESP", saExtensions(espSa({ spi }), true));
  const rows = h.ask(1, "DUMP", "UNSPEC", {}, 5);
  assertEquals(rows.map(({ to, message }) => [to, message.seq, message.extensions.SA!.spi]), [
    [[1], 5, 0x1000],
    [[1], 5, 0x1001],
    [[1], 0, 0x1002],
  ]);
  assert(rows.every(({ message }) => message.satype === "ESP" && !message.extensions.KEY_ENCRYPT));
  assertEquals(h.ask(1, "DUMP", "AH", {}, 5).length, 1);
});
