import { assertEquals, assertThrows } from "@std/assert";
import {
  type Address,
  formatAddress,
  formatPrefix,
  overlaps,
  parseAddress,
  parsePrefix,
} from "../../lib/ip/address.ts";
import { exampleAddress, FlowTables, MAX_FORWARD_RULES, RANGE, type RoutedFlow } from "../../lib/linux/flow_tables.ts";
import type { InterfaceAddress, Route, Rule } from "../../lib/linux/rtnetlink.ts";

const MARK = 0x1b5ec;

function flow(source: string, destination: string, [transport = 0, sourcePort = 0, destinationPort = 0] = [0, 0, 0]) {
  return {
    selector: {
      source: parsePrefix(source),
      destination: parsePrefix(destination),
      transport,
      sourcePort,
      destinationPort,
    },
  } satisfies RoutedFlow;
}

function own(text: string, index = 2, flags = 0): InterfaceAddress {
  const prefix = parsePrefix(text);
  return { index, address: parseAddress(text.split("/")[0]), prefix, scope: 0, flags };
}

function newTables(naturalSource: (destination: string) => Address | undefined = () => undefined): FlowTables {
  return new FlowTables({ device: 9, mark: MARK, naturalSource: (to) => naturalSource(formatPrefix(to)) });
}

const routeName = ({ destination, table, metric }: Route) => `${formatPrefix(destination)} ${table} ${metric ?? 0}`;
const routeText = (route: Route) =>
  `${routeName(route)} ${route.type ?? route.device} ${route.source ? formatAddress(route.source) : "-"}`;
const ruleText = (rule: Rule) =>
  [
    rule.family,
    rule.priority,
    rule.action,
    rule.table ?? rule.goto ?? "",
    rule.from && formatPrefix(rule.from),
    rule.inputInterface,
    rule.transport,
    rule.sourcePort,
    rule.destinationPort,
    rule.mark,
  ].join(" ");

/** A kernel that does what it is told and complains where a real one would. */
class Kernel {
  readonly routes = new Map<string, string>();
  readonly rules = new Set<string>();

  apply(tables: FlowTables): void {
    const { addRoutes, addRules, deleteRules, deleteRoutes } = tables.changes();
    for (const route of addRoutes) this.routes.set(routeName(route), routeText(route));
    for (const rule of addRules) {
      assertEquals(this.rules.has(ruleText(rule)), false, `rule twice: ${ruleText(rule)}`);
      this.rules.add(ruleText(rule));
    }
    for (const rule of deleteRules) assertEquals(this.rules.delete(ruleText(rule)), true, `no rule: ${ruleText(rule)}`);
    for (const route of deleteRoutes) {
      assertEquals(this.routes.delete(routeName(route)), true, `no route: ${routeText(route)}`);
    }
  }

  /** Rules with their tables' routes in place of table numbers, which depend on history. */
  get meaning(): string[] {
    const byTable = new Map<string, string[]>();
    for (const text of this.routes.values()) {
      const [to, table, ...rest] = text.split(" ");
      const key = `${to.includes(":") ? 6 : 4} ${table}`;
      byTable.set(key, [...byTable.get(key) ?? [], [to, ...rest].join(" ")]);
    }
    return [...this.rules].map((text) => {
      const [family, priority, action, table, ...rest] = text.split(" ");
      const routes = byTable.get(`${family} ${table}`)?.sort();
      const place = routes ? `${routes.join(", ")}` : `${priority} ${table}`;
      return [family, action, ...rest, place].join(" ");
    }).sort();
  }
}

function installed(tables: FlowTables): Kernel {
  const kernel = new Kernel();
  kernel.apply(tables);
  return kernel;
}

Deno.test("a flow from here and from behind here becomes a rule for each, and the mark is let go first", () => {
  const tables = newTables();
  tables.setAddresses([own("192.168.99.1/24")]);
  tables.add(flow("192.168.99.0/24", "208.1.2.0/24"));
  const kernel = installed(tables);
  assertEquals([...kernel.rules].sort(), [
    "4 4000 goto 4999      112108",
    "4 4129 table 450129  lo    ",
    "4 4200 table 450200 192.168.99.0/24     ",
    "4 4999 nop       ",
  ]);
  assertEquals([...kernel.routes.values()], [
    "208.1.2.0/24 450200 0 9 -",
    "208.1.2.0/24 450129 0 9 192.168.99.1",
  ]);
});

Deno.test("ports choose among packets made here only: forwarded fragments do not have them", () => {
  const tables = newTables();
  tables.setAddresses([own("10.0.0.1/8")]);
  tables.add(flow("10.0.0.1", "10.9.0.0/16", [6, 0, 80]));
  assertEquals([...installed(tables).rules].filter((rule) => rule.includes("table")), [
    "4 4200 table 450200 10.0.0.1/32  6   ",
    "4 4001 table 450001  lo 6 0 80 ",
  ]);
});

Deno.test("of several own addresses the kernel's choice is taken if the flow has it, else the first", () => {
  const addresses = [own("10.0.0.1/8"), own("10.0.0.2/8"), own("192.0.2.1/24", 3), own("10.0.0.3/8", 2, 0x40)];
  const source = (natural: string, ...flows: RoutedFlow[]) => {
    const tables = newTables(() => parseAddress(natural));
    tables.setAddresses(addresses);
    for (const each of flows) tables.add(each);
    return [...installed(tables).routes.values()].find((route) => route.includes(" 450129 "))?.split(" ").at(-1);
  };
  assertEquals(source("10.0.0.2", flow("10.0.0.0/8", "11.0.0.0/8")), "10.0.0.2");
  assertEquals(source("192.0.2.1", flow("10.0.0.0/8", "11.0.0.0/8")), "10.0.0.1");
  assertEquals(source("192.0.2.1", flow("0.0.0.0/0", "11.0.0.0/8")), "192.0.2.1");
  assertEquals(source("10.0.0.1", flow("10.0.0.3", "11.0.0.0/8")), undefined, "a tentative address");
  const two = [flow("10.0.0.1", "0.0.0.0/0"), flow("192.0.2.1", "0.0.0.0/0")];
  assertEquals(source("192.0.2.1", ...two), "192.0.2.1");
  assertEquals(source("10.0.0.2", ...two), "10.0.0.1");
});

Deno.test("multicast and broadcast stay outside of a flow to everywhere, unless a flow names them", () => {
  const tables = newTables();
  tables.add(flow("10.0.0.0/8", "0.0.0.0/0"));
  tables.add(flow("10.0.0.0/8", "224.0.0.0/4"));
  tables.add(flow("fd00::/8", "::/0"));
  assertEquals([...installed(tables).routes.values()].sort(), [
    "0.0.0.0/0 450200 0 9 -",
    "224.0.0.0/4 450200 0 9 -",
    "224.0.0.0/4 450200 9999 throw -",
    "255.255.255.255/32 450200 9999 throw -",
    "::/0 450200 0 9 -",
    "fe80::/10 450200 9999 throw -",
    "ff00::/8 450200 9999 throw -",
  ]);
});

Deno.test("a bypass flow takes its destination out of a wider flow's routes, where no other flow could want it", () => {
  const tables = newTables();
  tables.setAddresses([own("10.1.0.1/16"), own("192.0.2.1/24", 3)]);
  const bypass = (source: string, destination: string, transport = 0) => ({
    ...flow(source, destination, [transport, 0, 0]),
    type: "bypass",
  });
  const kernel = new Kernel();
  const thrown = () => {
    kernel.apply(tables);
    return [...kernel.routes.values()].filter((route) => /^(10|172)/.test(route) && route.includes("throw"))
      .map((route) => route.split(" ").slice(0, 2).join(" ")).sort();
  };
  tables.add(bypass("10.1.0.0/16", "10.1.0.0/16"));
  assertEquals([thrown(), kernel.rules.size], [[], 0], "no flow that leads there, no route");
  tables.add(flow("10.1.0.0/16", "0.0.0.0/0"));
  assertEquals(thrown(), ["10.1.0.0/16 450129", "10.1.0.0/16 450200"]);
  tables.add(bypass("10.1.0.0/16", "172.16.0.0/12", 6));
  tables.add(bypass("10.0.0.0/8", "172.16.0.0/12"));
  assertEquals(thrown().length, 2, "one protocol, and another source");
  tables.add(flow("192.0.2.1", "10.0.0.0/8"));
  assertEquals(thrown(), ["10.1.0.0/16 450200"], "packets made here may be about the other flow");
  tables.remove(flow("192.0.2.1", "10.0.0.0/8"));
  assertEquals(thrown().length, 2);
  tables.add(flow("10.1.0.0/16", "10.1.0.0/16"));
  assertEquals(thrown(), [], "the same selector, no bypass any more");
  tables.add(bypass("10.1.0.0/16", "10.1.0.0/16"));
  assertEquals(thrown().length, 2);
  tables.remove(flow("10.1.0.0/16", "0.0.0.0/0"));
  assertEquals([thrown(), kernel.routes.size, kernel.rules.size], [[], 0, 0], "a bypass alone needs nothing");
});

Deno.test("too many sources become one rule, and single rules again when they are few", () => {
  const tables = newTables();
  const kernel = new Kernel();
  const flows = Array.from(
    { length: MAX_FORWARD_RULES + 1 },
    (_, i) => flow(`10.${i >> 8}.${i & 255}.0/24`, "11.0.0.1"),
  );
  for (const each of flows.slice(1)) tables.add(each);
  kernel.apply(tables);
  assertEquals(kernel.rules.size, MAX_FORWARD_RULES + 2);
  tables.add(flows[0]);
  kernel.apply(tables);
  // Packets made here that have no source yet are none of the catch-all's.
  assertEquals([...kernel.rules].sort(), [
    "4 4000 goto 4999      112108",
    "4 4130 goto 4999 0.0.0.0/32 lo    ",
    "4 4199 table 450199      ",
    "4 4999 nop       ",
  ]);
  assertEquals([...kernel.routes.values()], ["11.0.0.1/32 450199 0 9 -"]);
  for (const each of flows.slice(MAX_FORWARD_RULES / 2 + 1)) tables.remove(each);
  kernel.apply(tables);
  assertEquals(kernel.rules.size, 4);
  tables.remove(flows[0]);
  kernel.apply(tables);
  assertEquals(kernel.rules.size, MAX_FORWARD_RULES / 2 + 2);
});

Deno.test("whatever the history, the kernel has what the flows and addresses of now want; the end is nothing", () => {
  let seed = 7;
  const next = (below: number) => (seed = Math.imul(seed, 1103515245) + 12345 & 0x7fffffff) % below;
  const addresses = ["10.0.0.1/8", "10.1.0.1/16", "192.0.2.1/24", "fd00::1/64", "fd01::1/64"].map((text) => own(text));
  const sources = [
    "10.0.0.0/8",
    "10.1.0.0/16",
    "192.0.2.1",
    "0.0.0.0/0",
    "172.16.0.0/12",
    "fd00::/16",
    "::/0",
    "fd01::1",
  ];
  const destinations = ["0.0.0.0/0", "11.0.0.0/8", "11.1.0.0/16", "192.0.2.7", "224.0.0.0/4", "::/0", "fd09::/64"];
  const transports: [number, number, number][] = [[0, 0, 0], [6, 0, 80], [6, 0, 443], [17, 500, 500], [1, 0, 0]];
  const pool: RoutedFlow[] = sources.flatMap((source) => {
    const fits = (to: string) => to.includes(":") === source.includes(":");
    return [
      ...destinations.filter(fits).flatMap((to) => transports.map((transport) => flow(source, to, transport))),
      ...["11.1.2.0/24", "10.0.0.0/9", "fd09::/80"].filter(fits).map((to) => ({ ...flow(source, to), type: "bypass" })),
    ];
  });
  const many = Array.from({ length: 400 }, (_, i) => flow(`10.2.${i >> 8}.${i & 255}`, "11.0.0.0/8"));
  const natural = () => parseAddress("10.1.0.1");
  const tables = newTables(natural);
  const kernel = new Kernel();
  const flows = new Set<RoutedFlow>();
  for (let step = 0; step < 600; step++) {
    for (let k = next(6); k >= 0; k--) {
      const each = pool[next(pool.length)];
      if (next(2)) {
        assertEquals(tables.add(each), !flows.has(each));
        flows.add(each);
      } else {
        assertEquals(tables.remove(each), flows.has(each));
        flows.delete(each);
      }
    }
    if (step % 40 === 0) {
      const add = next(2) === 1;
      for (const each of many.slice(next(200), 200 + next(200))) {
        if (add) tables.add(each);
        else tables.remove(each);
        if (add) flows.add(each);
        else flows.delete(each);
      }
    }
    const here = addresses.filter((_, i) => (step >> i) & 1);
    if (step % 7 === 0 || step > 590) tables.setAddresses(here);
    kernel.apply(tables);
    if (step % 7 !== 0 && step <= 590) continue;
    const fresh = newTables(natural);
    fresh.setAddresses(here);
    // Between half the limit and the limit, what was before decides; there the two may differ.
    const count = new Set([...flows].map(({ selector }) => formatPrefix(selector.source) + selector.transport)).size;
    for (const each of tables.flows()) fresh.add(each);
    if (count <= MAX_FORWARD_RULES / 2 || count > MAX_FORWARD_RULES) {
      assertEquals(kernel.meaning, installed(fresh).meaning);
    }
  }
  for (const each of tables.flows()) tables.remove(each);
  kernel.apply(tables);
  assertEquals([kernel.rules.size, kernel.routes.size], [0, 0]);
});

Deno.test("routes that the kernel dropped by itself are made again", () => {
  const tables = newTables();
  tables.setAddresses([own("10.0.0.1/8")]);
  tables.add(flow("10.0.0.1", "11.0.0.1"));
  installed(tables);
  assertEquals(tables.changes().addRoutes, []);
  tables.suspect(parseAddress("10.0.0.1"));
  assertEquals(tables.changes().addRoutes.map(routeText), ["11.0.0.1/32 450129 0 9 10.0.0.1"]);
  tables.suspect();
  assertEquals(tables.changes().addRoutes.length, 2);
});

Deno.test("priorities and tables stay in the documented range; a flow between IP versions is refused", () => {
  const tables = newTables();
  tables.setAddresses([own("10.0.0.1/8")]);
  for (let i = 0; i < 500; i++) tables.add(flow(`10.0.${i & 255}.0/24`, "11.0.0.0/8", [6, i, 80]));
  const { addRules, addRoutes } = tables.changes();
  assertEquals(
    addRules.every(({ priority }) => priority >= RANGE.FIRST_PRIORITY && priority <= RANGE.LAST_PRIORITY),
    true,
  );
  assertEquals(addRoutes.every(({ table }) => table >= RANGE.FIRST_TABLE && table <= RANGE.LAST_TABLE), true);
  assertEquals(addRules.every(({ protocol }) => protocol === RANGE.PROTOCOL), true);
  assertThrows(() => tables.add(flow("10.0.0.0/8", "fd00::/8")), RangeError, "two IP versions");
});

Deno.test("a lookup for a prefix asks for an address within it", () => {
  const example = (text: string) => formatAddress(exampleAddress(parsePrefix(text)));
  assertEquals(["0.0.0.0/0", "10.0.0.0/8", "10.0.0.4/32", "10.0.0.4/31", "::/0", "fd00::/8"].map(example), [
    "192.0.2.1",
    "10.0.0.1",
    "10.0.0.4",
    "10.0.0.4",
    "2001:db8::1",
    "fd00::1",
  ]);
  assertEquals(overlaps(parsePrefix("10.0.0.0/8"), parsePrefix("10.1.0.0/16")), true);
  assertEquals(overlaps(parsePrefix("10.0.0.0/16"), parsePrefix("10.1.0.0/16")), false);
});
