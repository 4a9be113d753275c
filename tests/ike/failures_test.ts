// Each way to fail of failures.ts leaves exactly these lines in the two logs, and `ipsecbox check` says the same of the two
// files. UPDATE_GOLDEN=1 writes them anew: read every one as an administrator who has nothing else.
import { assertEquals } from "@std/assert";
import { checkConfigurations } from "../../lib/ike/check.ts";
import { parseAddress } from "../../lib/ip/address.ts";
import { concat } from "../../lib/octets/bytes.ts";
import { blocked } from "../simulation/ike_node.ts";
import { confsOf, FAILURES, logsOf } from "./failures.ts";
import { EAST, gateways, NAME, WEST } from "./gateways.ts";

const golden = new URL("../golden/ike_failures.txt", import.meta.url);

Deno.test("every way to fail is told once by each end: peer, connection, what was offered, what is allowed, the line, what to change", () => {
  const text = FAILURES.map((failure) => {
    const logs = logsOf(failure);
    const lines = (["west", "east"] as const).flatMap((side) => logs[side].map((line) => `${side}: ${line}\n`));
    return `# ${failure.title}\n${lines.join("")}`;
  }).join("\n");
  if (Deno.env.get("UPDATE_GOLDEN")) Deno.writeTextFileSync(golden, text);
  assertEquals(text, Deno.readTextFileSync(golden));
});

for (const failure of FAILURES.filter(({ beyondFiles }) => !beyondFiles)) {
  Deno.test(`check A B says what the daemons say: ${failure.title}`, () => {
    const confs = confsOf(failure);
    const side = (name: "west" | "east", address: string) => ({
      name,
      configuration: confs[name].configuration,
      addresses: [parseAddress(address)],
    });
    const [result] = checkConfigurations(side("west", WEST), side("east", EAST));
    const told = (name: string) =>
      result.outcomes.filter(({ side }) => side === name).map(({ outcome }) => outcome.text);
    const logs = logsOf(failure);
    const failed = (lines: readonly string[]) => lines.filter((line) => line.startsWith("Cannot agree"));
    assertEquals({ west: told("west"), east: told("east") }, { west: failed(logs.west), east: failed(logs.east) });
  });
}

Deno.test("answers from another port are taken", () => {
  const { west, east, network } = gateways();
  const deliver = west.onDatagram.bind(west);
  west.onDatagram = (now, from, to, octets) => deliver(now, { ...from, port: 40_500 }, to, octets);
  west.input((ike, now) => ike.start(now));
  network.run(1000);
  assertEquals(blocked(west, east, NAME), undefined);
  assertEquals([...west.texts("failed"), ...east.texts("failed")], []);
});

for (const why of ["ended by hand", "ended with its phase 1 SA"]) {
  Deno.test(`an SPI that the kernel reserves for a Quick Mode ${why} meanwhile is given back`, () => {
    const { west, east, network } = gateways();
    const late: number[] = [];
    const perform = west.perform.bind(west);
    west.perform = (effects) =>
      perform(effects.filter((effect) => {
        if (effect.type === "reserveSpi") late.push(effect.id);
        return effect.type !== "reserveSpi";
      }));
    for (const end of [west, east]) end.input((ike, now) => ike.start(now));
    network.run(100);
    assertEquals(late.length, 1);
    const quick = west.ike.exchangeStatus().find(({ messageId }) => messageId !== 0)!;
    const { initiatorCookie, responderCookie } = west.ike.phase1Status()[0];
    const cookies = concat(initiatorCookie, responderCookie);
    const messageId = why === "ended by hand" ? quick.messageId : undefined;
    west.input((ike, now) => ike.deleteSa(now, cookies, messageId));
    west.kernel.reserved.add(0x1234);
    west.input((ike, now) => ike.onSpi(now, late[0], 0x1234));
    assertEquals([...west.kernel.reserved], []);
  });
}
