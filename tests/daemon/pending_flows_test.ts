import { assertEquals } from "@std/assert";
import { PendingFlows } from "../../lib/daemon/pending_flows.ts";
import { parseAddress, prefixOf } from "../../lib/ip/address.ts";
import { type Flow, PROTOCOL } from "../../lib/ipsec/types.ts";

const flow = (destination: string, direction: "in" | "out"): Flow => ({
  selector: {
    source: prefixOf(parseAddress("10.0.0.1"), 32),
    destination: prefixOf(parseAddress(destination), 32),
    transport: 0,
    sourcePort: 0,
    destinationPort: 0,
    direction,
  },
  type: "require",
  protocol: PROTOCOL.ESP,
  peer: parseAddress(destination),
  static: true,
});

Deno.test("the last word about a flow counts, each direction for itself, and is taken once", () => {
  const pending = new PendingFlows();
  assertEquals(pending.take(), undefined);
  const [out, inward, other] = [flow("10.0.0.2", "out"), flow("10.0.0.2", "in"), flow("10.0.0.3", "out")];
  pending.set(out, true);
  pending.set(inward, true);
  pending.set(other, false);
  pending.set(out, false);
  assertEquals(pending.take(), { add: [inward], remove: [out, other] });
  assertEquals(pending.take(), undefined);
  pending.set(out, true);
  pending.clear();
  assertEquals(pending.take(), undefined);
});
