import { assert, assertEquals } from "@std/assert";
import { messageName } from "../../lib/photuris/messages.ts";
import { Network } from "../simulation/network.ts";
import { assertAgreement, pair } from "./host.ts";

Deno.test("Two hosts establish keys in six messages and agree on every key", () => {
  const network = new Network(1);
  const { west, east } = pair(network, 1);
  const names: unknown[] = [];
  network.tap = (_now, _from, _to, octets) => names.push(messageName(octets[32]));
  west.start(east);
  network.run(10_000);
  assertEquals(names, [
    "Cookie_Request",
    "Cookie_Response",
    "Value_Request",
    "Value_Response",
    "Identity_Request",
    "Identity_Response",
  ], [...west.log, ...east.log].join("\n"));
  assert(west.outcomes[0].established);
  assertEquals([west.of("owner").length, west.of("user").length, east.of("owner").length, east.of("user").length], [
    1,
    1,
    1,
    1,
  ]);
  assertAgreement(west, east);
});
