import process from "node:process";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { contains, formatPrefix, parseAddress, parsePrefix } from "../../lib/ip/address.ts";
import { createTuple, FRAGMENT, TUPLE } from "../../lib/ip/tuple.ts";
import { addressWords, wordsAddress } from "../../lib/ip/words.ts";
import { ACTION, DIRECTION, Spd } from "../../lib/ipsec/spd.ts";
import { type Flow, type FlowType, PROTOCOL, type Selector } from "../../lib/ipsec/types.ts";
import { generator } from "./support.ts";

/** Processor time, because the machine may be busy with other things. */
const cpuMs = () => process.cpuUsage().user / 1000;

function flow(source: string, destination: string, more: Partial<Selector> & Partial<Flow> = {}): Flow {
  const { transport = 0, sourcePort = 0, destinationPort = 0, direction = "out", ...rest } = more;
  return {
    selector: {
      source: parsePrefix(source),
      destination: parsePrefix(destination),
      transport,
      sourcePort,
      destinationPort,
      direction,
    },
    type: "require",
    protocol: PROTOCOL.ESP,
    static: false,
    ...rest,
  };
}

function tuple(source: string, destination: string, protocol = 1, sourcePort = 0, destinationPort = 0): Int32Array {
  const words = createTuple();
  words[TUPLE.FAMILY] = parseAddress(source).family;
  words.set(addressWords(parseAddress(source)), TUPLE.SOURCE);
  words.set(addressWords(parseAddress(destination)), TUPLE.DESTINATION);
  words[TUPLE.PROTOCOL] = protocol;
  words[TUPLE.SOURCE_PORT] = sourcePort;
  words[TUPLE.DESTINATION_PORT] = destinationPort;
  return words;
}

const text = ({ selector: { source, destination, transport, sourcePort, destinationPort } }: Flow) =>
  `${formatPrefix(source)} ${sourcePort} ${formatPrefix(destination)} ${destinationPort} ${transport}`;

Deno.test("The most specific flow wins: source, then destination, then transport, source port, destination port", () => {
  const spd = new Spd();
  // Each is less specific than the one before, by the first thing that differs.
  const flows = [
    flow("10.0.0.1/32", "0.0.0.0/0"),
    flow("10.0.0.0/24", "10.1.0.0/24", { transport: 17, sourcePort: 7, destinationPort: 8 }),
    flow("10.0.0.0/24", "10.1.0.0/24", { transport: 17, sourcePort: 7 }),
    flow("10.0.0.0/24", "10.1.0.0/24", { transport: 17, destinationPort: 8 }),
    flow("10.0.0.0/24", "10.1.0.0/24", { transport: 17 }),
    flow("10.0.0.0/24", "10.1.0.0/24", { destinationPort: 8 }),
    flow("10.0.0.0/24", "10.1.0.0/24"),
    flow("10.0.0.0/24", "10.1.0.0/16", { transport: 17, sourcePort: 7, destinationPort: 8 }),
    flow("10.0.0.0/16", "10.1.0.1/32", { transport: 17, sourcePort: 7, destinationPort: 8 }),
    flow("0.0.0.0/0", "0.0.0.0/0"),
  ];
  for (const i of [3, 9, 0, 7, 5, 1, 8, 2, 6, 4]) spd.add(flows[i]);
  assertEquals([...spd.entries()].map((entry) => text(entry.flow)), flows.map(text));
  const packet = tuple("10.0.0.1", "10.1.0.1", 17, 7, 8);
  for (const expected of flows) {
    const entry = spd.lookup(DIRECTION.OUT, packet)!;
    assertEquals(text(entry.flow), text(expected));
    spd.remove(entry.flow.selector);
  }
  assertEquals(spd.lookup(DIRECTION.OUT, packet), null);
  assertEquals(spd.size, 0);
});

Deno.test("Directions and families are apart", () => {
  const spd = new Spd();
  spd.add(flow("0.0.0.0/0", "0.0.0.0/0"));
  assertEquals(spd.lookup(DIRECTION.IN, tuple("10.0.0.1", "10.0.0.2")), null);
  assertEquals(spd.lookup(DIRECTION.OUT, tuple("::1", "::2")), null);
  spd.add(flow("::/0", "2001:db8::/32", { direction: "in" }));
  assert(spd.lookup(DIRECTION.IN, tuple("fe80::1", "2001:db8:7::2")));
  assertEquals(spd.lookup(DIRECTION.IN, tuple("fe80::1", "2001:db9::2")), null);
  assertThrows(() => spd.add(flow("0.0.0.0/0", "::/0")), RangeError, "different families");
});

Deno.test("Policy words: use, acquire, require and dontacq apply IPsec, bypass and deny do not", () => {
  const actions = { use: 2, acquire: 2, require: 2, dontacq: 2, bypass: 0, deny: 1 } as const;
  for (const [type, action] of Object.entries(actions)) {
    assertEquals(new Spd().add(flow("0.0.0.0/0", "0.0.0.0/0", { type: type as FlowType })).action, action);
  }
  assertEquals(ACTION, { BYPASS: 0, DENY: 1, APPLY: 2 });
});

Deno.test("A second flow with the same selector replaces the first in its place", () => {
  const spd = new Spd();
  const first = spd.add(flow("10.0.0.0/8", "10.0.0.0/8", { peer: parseAddress("192.0.2.1") }));
  const before = spd.generation;
  const second = spd.add(flow("10.0.0.0/8", "10.0.0.0/8", { type: "deny" }));
  assertEquals(first, second);
  assertEquals([spd.size, second.action, second.peer], [1, ACTION.DENY, null]);
  assert(spd.generation !== before);
  assert(!spd.namesPeer(4, addressWords(parseAddress("192.0.2.1"))));
  spd.add(flow("10.0.0.0/8", "10.0.0.0/8", { direction: "in" }));
  assertEquals(spd.size, 2);
});

Deno.test("The SPD knows which peers its flows name", () => {
  const spd = new Spd();
  const words = addressWords(parseAddress("192.0.2.1"));
  const named = { peer: parseAddress("192.0.2.1") };
  spd.add(flow("10.0.0.0/8", "10.0.0.0/8", named));
  spd.add(flow("10.0.0.0/8", "10.1.0.0/16", named));
  spd.remove(flow("10.0.0.0/8", "10.0.0.0/8").selector);
  assert(spd.namesPeer(4, words));
  assert(!spd.namesPeer(4, addressWords(parseAddress("192.0.2.2"))));
  spd.remove(flow("10.0.0.0/8", "10.1.0.0/16").selector);
  assert(!spd.namesPeer(4, words));
});

Deno.test("Removing what is not there changes nothing; clearing takes what it is told to", () => {
  const spd = new Spd();
  spd.add(flow("10.0.0.0/8", "10.0.0.0/8"));
  spd.add(flow("10.0.0.0/8", "10.1.0.0/16", { type: "bypass" }));
  const { generation } = spd;
  assertEquals(spd.remove(flow("10.0.0.0/9", "10.0.0.0/8").selector), null);
  assertEquals(spd.find(flow("10.0.0.0/9", "10.0.0.0/8").selector), null);
  assertEquals(spd.generation, generation);
  assertEquals(spd.clear((entry) => entry.action === ACTION.BYPASS), 1);
  assertEquals(spd.clear(), 1);
  assertEquals([...spd.entries()], []);
});

Deno.test("A fragment without ports goes with the flow whose own it could be, rather than in clear", () => {
  const spd = new Spd();
  const later = tuple("10.0.0.1", "10.1.0.1", 17);
  later[TUPLE.FRAGMENT] = FRAGMENT.LATER;
  const found = () => spd.lookup(DIRECTION.OUT, later)?.flow;
  const dns = flow("10.0.0.0/24", "10.1.0.0/24", { transport: 17, destinationPort: 53 });
  const bypassed = flow("10.0.0.0/24", "10.1.0.0/24", { transport: 17, sourcePort: 7, type: "bypass" });
  const all = flow("10.0.0.0/24", "10.1.0.0/24", { type: "bypass" });
  spd.add(bypassed);
  assertEquals(found(), bypassed);
  spd.add(dns);
  assertEquals(found(), dns);
  spd.add(all);
  assertEquals(found(), dns, "the transport makes it more specific");
  const sameWithoutPorts = flow("10.0.0.0/24", "10.1.0.0/24", { transport: 17, type: "bypass" });
  spd.add(sameWithoutPorts);
  assertEquals(found(), dns, "protecting wins where ports decide");
  spd.add({ ...dns, type: "bypass" });
  assertEquals(found(), sameWithoutPorts);
  const narrower = flow("10.0.0.1/32", "10.1.0.0/24", { type: "deny" });
  spd.add(dns);
  spd.add(narrower);
  assertEquals(found(), narrower);
  spd.remove(narrower.selector);
  spd.remove(dns.selector);
  spd.remove(sameWithoutPorts.selector);
  assertEquals(found(), bypassed);
  spd.remove(bypassed.selector);
  assertEquals(found(), all);
  assertEquals(spd.lookup(DIRECTION.OUT, tuple("10.0.0.1", "10.1.0.1", 17, 7))?.flow, all);
  later[TUPLE.PROTOCOL] = 6;
  spd.add(dns);
  assertEquals(found(), all);
});

/** What the rule says, over a plain list: of all flows that match, the most specific. */
function naiveLookup(flows: Flow[], direction: string, words: Int32Array): Flow | undefined {
  const family = words[TUPLE.FAMILY] as 4 | 6;
  const source = wordsAddress(family, words, TUPLE.SOURCE);
  const destination = wordsAddress(family, words, TUPLE.DESTINATION);
  const given = (value: number, packet: number) => value === 0 || value === packet;
  const matching = flows.filter(({ selector }) =>
    selector.direction === direction && contains(selector.source, source) &&
    contains(selector.destination, destination) &&
    given(selector.transport, words[TUPLE.PROTOCOL]) && given(selector.sourcePort, words[TUPLE.SOURCE_PORT]) &&
    given(selector.destinationPort, words[TUPLE.DESTINATION_PORT])
  );
  const rank = (
    { selector }: Flow,
  ) => ((((selector.source.length * 200 + selector.destination.length) * 2 + +(selector.transport > 0)) * 2 +
        +(selector.sourcePort > 0)) * 2 + +(selector.destinationPort > 0));
  return matching.sort((a, b) => rank(b) - rank(a))[0];
}

Deno.test("Lookup agrees with a plain list on random flow sets that grow and shrink", () => {
  const next = generator(1701);
  for (let set = 0; set < 12; set++) {
    const v6 = set % 3 === 2;
    const address = () => v6 ? `2001:db8:${next(3)}::${next(4)}` : `10.${next(3)}.${next(2)}.${next(4)}`;
    const prefix = () => `${address()}/${v6 ? [0, 32, 48, 127, 128][next(5)] : [0, 8, 16, 24, 31, 32][next(6)]}`;
    const direction = () => next(2) ? "in" as const : "out" as const;
    const spd = new Spd();
    const list = new Map<string, Flow>();
    for (let round = 0; round < 500; round++) {
      const made = flow(prefix(), prefix(), {
        transport: [0, 0, 6, 17][next(4)],
        sourcePort: [0, 0, 0, 500][next(4)],
        destinationPort: [0, 0, 80, 500][next(4)],
        direction: direction(),
      });
      const key = `${made.selector.direction} ${text(made)}`;
      if (next(4)) {
        spd.add(made);
        list.set(key, made);
      } else {
        const gone = list.size ? [...list.keys()][next(list.size)] : key;
        const selector = (list.get(gone) ?? made).selector;
        assertEquals(spd.remove(selector) !== null, list.delete(gone));
      }
      const asked = direction();
      const packet = tuple(address(), address(), [1, 6, 17][next(3)], [0, 500][next(2)], [0, 80, 500][next(3)]);
      const found = spd.lookup(asked === "in" ? DIRECTION.IN : DIRECTION.OUT, packet)?.flow;
      assertEquals(
        found && text(found),
        (naiveLookup([...list.values()], asked, packet) as Flow | undefined) &&
          text(naiveLookup([...list.values()], asked, packet)!),
      );
      assertEquals(spd.size, list.size);
    }
  }
});

Deno.test("100,000 flows load in seconds; a lookup among them costs what it costs among 100", () => {
  const cost = (spd: Spd) => {
    const packets = Array.from({ length: 64 }, (_, i) => tuple(`10.${i}.3.1`, `172.${i}.4.1`, 6, 1, 2));
    let best = Infinity;
    for (let round = 0; round < 5; round++) {
      const start = cpuMs();
      for (let i = 0; i < 20000; i++) spd.lookup(DIRECTION.OUT, packets[i & 63]);
      best = Math.min(best, cpuMs() - start);
    }
    return best;
  };
  const fill = (spd: Spd, count: number) => {
    for (let i = 0; i < count; i++) {
      const net = `${i >> 8 & 255}.${i & 255}`;
      spd.add(flow(`10.${net}.0/24`, `172.${net}.${i >> 16}/${i % 3 ? 32 : 24}`, { transport: i % 5 ? 0 : 6 }));
    }
    return spd;
  };
  const small = fill(new Spd(), 100);
  cost(small);
  const few = cost(small);
  const start = cpuMs();
  const large = fill(new Spd(), 100_000);
  const load = cpuMs() - start;
  assertEquals(large.size, 100_000);
  const many = cost(large);
  assert(load < 5000, `loading took ${load} ms`);
  assert(many < 10 * few + 5, `${few} ms among 100, ${many} ms among 100,000`);
});
