import { assert, assertEquals } from "@std/assert";
import { Network } from "../simulation/network.ts";
import { blocked, Gateway, realCompute } from "../simulation/ike_node.ts";
import { configuration, connection, peer } from "./configurations.ts";

const WEST = "192.0.2.1", EAST = "192.0.2.2";

Deno.test("Main Mode and Quick Mode bring a connection up", () => {
  const network = new Network(1);
  const west = new Gateway(
    network,
    WEST,
    configuration([peer("east", EAST)], [
      connection("west-east", "east", { local: "10.1.0.0/16", remote: "10.2.0.0/16" }),
    ]),
    { compute: realCompute },
  );
  const east = new Gateway(
    network,
    EAST,
    configuration([peer("west", WEST)], [
      connection("west-east", "west", { local: "10.2.0.0/16", remote: "10.1.0.0/16" }, { active: false }),
    ]),
    { compute: realCompute },
  );
  west.input((ike, now) => ike.start(now));
  network.run(1000);
  console.log(west.outcomes.map((o) => o.text), east.outcomes.map((o) => o.text), west.log, east.log);
  assertEquals(blocked(west, east, "west-east"), undefined);
  assertEquals(blocked(east, west, "west-east"), undefined);
  assert(west.ike.isUp("west-east"));
});
