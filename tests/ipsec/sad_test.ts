import process from "node:process";
import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { parseAddress, parsePrefix } from "../../lib/ip/address.ts";
import { createTuple, FRAGMENT, TUPLE } from "../../lib/ip/tuple.ts";
import { addressWords } from "../../lib/ip/words.ts";
import { setState } from "../../lib/ipsec/lifetimes.ts";
import type { Sa } from "../../lib/ipsec/sa.ts";
import { Sad } from "../../lib/ipsec/sad.ts";
import { Spd } from "../../lib/ipsec/spd.ts";
import { type Flow, type Identity, PROTOCOL, type SaParameters } from "../../lib/ipsec/types.ts";
import { bench, counting, generator } from "./support.ts";

/** Processor time, because the machine may be busy with other things. */
const cpuMs = () => process.cpuUsage().user / 1000;

const GCM = { encryption: "aes-gcm", encryptionKey: counting(0, 20) };
const AH = { protocol: PROTOCOL.AH, authentication: "sha1", authenticationKey: counting(0, 20) };

function setUp() {
  const b = bench();
  const sad = new Sad();
  const add = (parameters: Partial<SaParameters>) => {
    const sa = b.sa({ ...GCM, ...parameters });
    sad.add(sa);
    return sa;
  };
  const find = (spi: number, protocol: number, destination: string) => {
    const address = parseAddress(destination);
    b.arena.u8.set(address.octets, b.packetAt);
    return sad.find(spi | 0, protocol, address.family, b.arena.view, b.packetAt);
  };
  return { b, sad, add, find };
}

const flowOf = (more: Partial<Flow> = {}): Flow => ({
  selector: {
    source: parsePrefix("192.168.1.0/24"),
    destination: parsePrefix("192.168.2.0/24"),
    transport: 0,
    sourcePort: 0,
    destinationPort: 0,
    direction: "out",
  },
  type: "require",
  protocol: PROTOCOL.ESP,
  peer: parseAddress("10.0.0.2"),
  static: true,
  ...more,
});
const entryOf = (more?: Partial<Flow>) => new Spd().add(flowOf(more));
function tupleOf(source: string, destination: string, protocol = 17): Int32Array {
  const tuple = createTuple();
  tuple[TUPLE.FAMILY] = parseAddress(source).family;
  tuple.set(addressWords(parseAddress(source)), TUPLE.SOURCE);
  tuple.set(addressWords(parseAddress(destination)), TUPLE.DESTINATION);
  tuple[TUPLE.PROTOCOL] = protocol;
  return tuple;
}
const TUPLE_1 = tupleOf("192.168.1.1", "192.168.2.2");

Deno.test("SAs are told apart by destination, SPI and protocol", () => {
  const { sad, add, find } = setUp();
  const one = add({ spi: 0xfffffffe });
  const elsewhere = add({ spi: 0xfffffffe, destination: parseAddress("10.0.0.3") });
  const v6 = add({ spi: 0xfffffffe, destination: parseAddress("2001:db8::2") });
  const ah = add({ ...AH, spi: 0xfffffffe, encryption: undefined, encryptionKey: undefined });
  assertStrictEquals(find(0xfffffffe, 50, "10.0.0.2"), one);
  assertStrictEquals(find(0xfffffffe, 50, "10.0.0.3"), elsewhere);
  assertStrictEquals(find(0xfffffffe, 50, "2001:db8::2"), v6);
  assertStrictEquals(find(0xfffffffe, 51, "10.0.0.2"), ah);
  assertEquals(find(0xfffffffe, 51, "10.0.0.3"), null);
  assertEquals(find(0xfffffffd, 50, "10.0.0.2"), null);
  assertStrictEquals(sad.get(ah.parameters), ah);
  assertThrows(() => add({ spi: 0xfffffffe }), RangeError, "exists");
  assertEquals(sad.size, 4);
});

Deno.test("IP-in-IP is found by its destination alone: it has no SPI on the wire", () => {
  const { add, find } = setUp();
  const sa = add({ protocol: PROTOCOL.IPIP, encryption: undefined, encryptionKey: undefined });
  assertStrictEquals(find(0, 4, "10.0.0.2"), sa);
  assertEquals(find(0, 4, "10.0.0.3"), null);
});

Deno.test("A flow takes the newest mature SA to its peer, a dying one only without it, a dead one never", () => {
  const { sad, add } = setUp();
  const entry = entryOf();
  assertEquals(sad.select(entry, TUPLE_1), null);
  const [old, middle, young] = [1, 2, 3].map((i) => add({ spi: 0x1000 + i }));
  add({ spi: 0x2000, destination: parseAddress("10.0.0.9") });
  add({ ...AH, spi: 0x3000, encryption: undefined, encryptionKey: undefined });
  assertStrictEquals(sad.select(entry, TUPLE_1), young);
  setState(young, "dying");
  assertStrictEquals(sad.select(entry, TUPLE_1), middle);
  setState(middle, "dead");
  assertStrictEquals(sad.select(entry, TUPLE_1), old);
  setState(old, "dead");
  assertStrictEquals(sad.select(entry, TUPLE_1), young);
  setState(young, "dead");
  assertEquals(sad.select(entry, TUPLE_1), null);
});

Deno.test("The SA named by a flow wins; when it is gone another one serves", () => {
  const { sad, add } = setUp();
  const entry = entryOf({ spi: 0xfffff001 });
  const named = add({ spi: 0xfffff001 });
  const other = add({ spi: 0x1002 });
  assertStrictEquals(sad.select(entry, TUPLE_1), named);
  sad.remove(named);
  assertStrictEquals(sad.select(entry, TUPLE_1), other);
});

Deno.test("Without a peer in the flow the packet's destination is the peer", () => {
  const { sad, add } = setUp();
  const entry = entryOf({ peer: undefined });
  const sa = add({ destination: parseAddress("192.168.2.2") });
  add({ destination: parseAddress("192.168.2.3") });
  assertStrictEquals(sad.select(entry, TUPLE_1), sa);
  assertStrictEquals(sad.select(entryOf({ peer: undefined, spi: 0x1000 }), TUPLE_1), sa);
  assertEquals(sad.select(entry, tupleOf("192.168.1.1", "192.168.2.4")), null);
});

Deno.test("A flow's own end and its identities must be the SA's", () => {
  const { sad, add } = setUp();
  const id = (text: string): Identity => ({ type: "fqdn", text });
  const plain = add({ spi: 0x1001 });
  const named = add({ spi: 0x1002, sourceIdentity: id("west"), destinationIdentity: id("east") });
  const other = add({ spi: 0x1003, source: parseAddress("10.0.0.7") });
  const select = (more: Partial<Flow>) => sad.select(entryOf(more), TUPLE_1);
  assertStrictEquals(select({}), other);
  assertStrictEquals(select({ local: parseAddress("10.0.0.1") }), named);
  assertStrictEquals(select({ sourceIdentity: id("west"), destinationIdentity: id("east") }), named);
  assertEquals(select({ sourceIdentity: id("west"), destinationIdentity: id("north") }), null);
  assertEquals(select({ sourceIdentity: { type: "ufqdn", text: "west" } }), null);
  setState(named, "dead");
  assertStrictEquals(select({ local: parseAddress("10.0.0.1") }), plain);
});

Deno.test("An SA negotiated for certain packets serves those alone", () => {
  const { sad, add } = setUp();
  const any = add({ spi: 0x1001 });
  const { direction: _, ...ends } = flowOf().selector;
  const narrow = add({ spi: 0x1002, selector: { ...ends, destination: parsePrefix("192.168.2.2/32"), transport: 17 } });
  const entry = entryOf();
  assertStrictEquals(sad.select(entry, TUPLE_1), narrow);
  assertStrictEquals(sad.select(entry, tupleOf("192.168.1.1", "192.168.2.2", 6)), any);
  assertStrictEquals(sad.select(entry, tupleOf("192.168.1.1", "192.168.2.3")), any);
  // A later fragment has no ports to compare.
  const ports = add({ spi: 0x1003, selector: { ...ends, transport: 17, destinationPort: 53 } });
  const fragment = tupleOf("192.168.1.1", "192.168.2.3");
  fragment[TUPLE.FRAGMENT] = FRAGMENT.LATER;
  assertStrictEquals(sad.select(entry, fragment), ports);
  fragment[TUPLE.FRAGMENT] = FRAGMENT.FIRST;
  assertStrictEquals(sad.select(entry, fragment), any);
});

Deno.test("Groups link two SAs, break older links, never make a ring, and end with either of them", () => {
  const { sad, add } = setUp();
  const [a, b, c] = [1, 2, 3].map((i) => add({ spi: 0x1000 + i }));
  const links = () => [a, b, c].map((sa) => [sa.inner?.spi ?? 0, sa.outer?.spi ?? 0]);
  sad.link(a, b);
  sad.link(b, c);
  assertEquals(links(), [[0, 0x1002], [0x1001, 0x1003], [0x1002, 0]]);
  assertThrows(() => sad.link(c, a), RangeError, "ring");
  assertThrows(() => sad.link(a, a), RangeError, "ring");
  sad.link(a, c);
  assertEquals(links(), [[0, 0x1003], [0, 0], [0x1001, 0]]);
  sad.link(a, null);
  assertEquals(links(), [[0, 0], [0, 0], [0, 0]]);
  sad.link(a, b);
  sad.link(b, c);
  sad.remove(b);
  assertEquals([a.outer, c.inner], [null, null]);
});

Deno.test("Every change moves the generation; removal erases the keys and can be done once", () => {
  const { sad, add } = setUp();
  const seen = new Set([sad.generation]);
  const sa = add({});
  const other = add({ spi: 0x1001 });
  seen.add(sad.generation);
  sad.link(sa, other);
  seen.add(sad.generation);
  sad.remove(sa);
  seen.add(sad.generation);
  assertEquals(seen.size, 4);
  assert(sa.parameters.encryptionKey!.every((octet) => octet === 0));
  assertThrows(() => sad.remove(sa), RangeError, "not in the SAD");
});

Deno.test("Flush takes one protocol or all", () => {
  const { sad, add } = setUp();
  add({});
  add({ ...AH, spi: 0x2000, encryption: undefined, encryptionKey: undefined });
  add({ spi: 0x1002 });
  assertEquals(sad.flush(PROTOCOL.AH), 1);
  assertEquals([...sad].map((sa) => sa.spi).sort(), [0x1000, 0x1002]);
  assertEquals(sad.flush(), 2);
  assertEquals([...sad], []);
});

Deno.test("Random additions and removals agree with a plain list", () => {
  const { sad, b, find } = setUp();
  const next = generator(7);
  const list: Sa[] = [];
  const entry = entryOf({ peer: undefined });
  for (let round = 0; round < 3000; round++) {
    const destination = `10.0.${next(3)}.${next(5)}`;
    const spi = 0x1000 + next(12);
    const known = list.find((sa) => sa.spi === spi && `${sa.parameters.destination.octets.join(".")}` === destination);
    if (known && next(2)) {
      sad.remove(known);
      list.splice(list.indexOf(known), 1);
    } else if (!known) {
      const sa = b.sa({ ...GCM, spi, destination: parseAddress(destination) });
      sad.add(sa);
      list.push(sa);
    }
    assertEquals(sad.size, list.length);
    const probe = `10.0.${next(3)}.${next(5)}`;
    const to = list.filter((sa) => sa.parameters.destination.octets.join(".") === probe);
    assertStrictEquals(find(spi, 50, probe), to.find((sa) => sa.spi === spi) ?? null);
    assertStrictEquals(sad.select(entry, tupleOf("192.168.1.1", probe)), to.at(-1) ?? null);
  }
});

Deno.test("Finding an SA costs the same among 100 and 100,000", () => {
  const { sad, b } = setUp();
  const destination = parseAddress("10.0.0.2");
  b.arena.u8.set(destination.octets, b.packetAt);
  const entry = entryOf();
  const cost = () => {
    let best = Infinity;
    for (let round = 0; round < 5; round++) {
      const start = cpuMs();
      for (let i = 0; i < 20000; i++) {
        sad.find(0x1000 + i % 100, 50, 4, b.arena.view, b.packetAt);
        sad.select(entry, TUPLE_1);
      }
      best = Math.min(best, cpuMs() - start);
    }
    return best;
  };
  for (let i = 0; i < 100; i++) sad.add(b.sa({ ...GCM, spi: 0x1000 + i }));
  cost();
  const few = cost();
  for (let i = 100; i < 100_000; i++) sad.add(b.sa({ ...GCM, spi: 0x1000 + i }));
  const many = cost();
  assert(many < 10 * few + 5, `${few} ms among 100, ${many} ms among 100,000`);
});

Deno.test("IP-in-IP from a peer of an ip4 SA comes in through that SA mirrored, while it is usable", () => {
  const { b, sad } = setUp();
  const ends = (source: string, destination: string) => {
    b.arena.u8.set(parseAddress(source).octets, b.packetAt);
    b.arena.u8.set(parseAddress(destination).octets, b.packetAt + 16);
    return sad.findMirror(parseAddress(source).family, b.arena.view, b.packetAt, b.packetAt + 16);
  };
  const sa = b.sa({ protocol: PROTOCOL.IPIP });
  sad.add(sa);
  const mirror = ends("10.0.0.2", "10.0.0.1")!;
  assertEquals([mirror.source[0], mirror.destination[0]], [sa.destination[0], sa.source[0]]);
  assertStrictEquals(ends("10.0.0.2", "10.0.0.1"), mirror);
  assertEquals(ends("10.0.0.2", "10.0.0.7"), null, "to another address of ours");
  assertEquals(ends("10.0.0.3", "10.0.0.1"), null, "from somebody else");
  setState(sa, "dead");
  assertEquals(ends("10.0.0.2", "10.0.0.1"), null);
});
