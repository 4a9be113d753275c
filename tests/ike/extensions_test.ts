import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { ClientAddressing } from "../../lib/ike/configuration.ts";
import { parseAddress, parsePrefix } from "../../lib/ip/address.ts";
import { blocked, realCompute } from "../simulation/ike_node.ts";
import { at, secret, selector } from "./configurations.ts";
import { connected, NAME, type Options } from "./gateways.ts";

const USER = "vroni", PASSWORD = "edelweiss";
const addressing: ClientAddressing = {
  address: parseAddress("10.99.0.1"),
  netmask: parseAddress("255.255.255.0"),
  nameservers: [parseAddress("10.2.0.53"), parseAddress("10.2.0.54")],
  winsServers: [],
  dhcpServers: [],
  networks: [parsePrefix("10.2.0.0/16")],
  splitInclude: [parsePrefix("10.2.0.0/16")],
  defaultDomain: "example.org",
  banner: "Welcome",
  origin: at("east.conf", 90, "ufqdn/vroni"),
};

/** West is a client with a user, east a server that gives addresses. */
function roadWarrior(
  options: { password?: string; push?: boolean; exchange?: "ID_PROT" | "AGGRESSIVE" } = {},
): Options {
  const { password = PASSWORD, push = false, exchange = "ID_PROT" } = options;
  return {
    peer: { exchange },
    west: {
      xauth: { role: "client", user: USER, password: secret(password) },
      modeConfig: { role: "client", push },
    },
    east: { xauth: { role: "server" }, modeConfig: { role: "server", push } },
    westConnection: { localId: undefined, remoteId: selector("10.2.0.0/16") },
    eastConnection: { remoteId: undefined },
    eastConfiguration: { xauthUsers: new Map([[USER, secret(PASSWORD)]]), clientAddressing: [addressing] },
    compute: realCompute,
  };
}

for (const exchange of ["ID_PROT", "AGGRESSIVE"] as const) {
  for (const push of [false, true]) {
    Deno.test(`XAUTH and mode config (${push ? "set by the server" : "asked for"}) after ${exchange}, then phase 2 with the address`, () => {
      const { west, east } = connected(roadWarrior({ exchange, push }));
      assertEquals(blocked(west, east, NAME), undefined, east.texts("failed").join());
      assertEquals(west.addressing.length, 1);
      assertEquals(west.addressing[0].values.INTERNAL_IP4_ADDRESS, ["10.99.0.1"]);
      assertEquals(west.addressing[0].values.INTERNAL_IP4_DNS, ["10.2.0.53", "10.2.0.54"]);
      assertEquals(west.addressing[0].values.UNITY_DEFAULT_DOMAIN, ["example.org"]);
      assertEquals(west.addressing[0].values.UNITY_BANNER, ["Welcome"]);
      assertStringIncludes(west.texts("established", 1)[0], "XAUTH_INIT_PRE_SHARED");
      assertStringIncludes(east.texts("established", 2)[0], "10.2.0.0/16 to 10.99.0.1/32");
      assert(east.log.some((line) => line.includes(`XAUTH user "${USER}" accepted`)));
    });
  }
}

Deno.test("a wrong password is refused three times, then phase 1 ends; no password is told", () => {
  const { west, east, network } = connected(roadWarrior({ password: "wrong" }));
  network.run(20_000);
  assertEquals(west.ike.pairStatus().length, 0);
  assertStringIncludes(west.texts("failed", 1)[0], "XAUTH: the peer refuses our user name or password");
  assertEquals(east.ike.phase1Status().length, 0);
  assert(east.log.every((line) => !line.includes("wrong") && !line.includes(PASSWORD)));
});

Deno.test("no Quick Mode is accepted before XAUTH is finished", () => {
  const options = roadWarrior();
  const { west, east, network } = connected({
    ...options,
    // A client that ignores XAUTH and goes on: its configuration has the method, but not the extension.
    west: { transforms: options.west?.transforms ?? [], xauth: undefined, modeConfig: undefined },
  });
  network.run(20_000);
  assertEquals(east.ike.pairStatus().length, 0);
  assertEquals(west.ike.pairStatus().length, 0);
});

Deno.test("mode config without XAUTH", () => {
  const options = roadWarrior();
  const { west, east } = connected({
    ...options,
    west: { modeConfig: { role: "client", push: false } },
    east: { modeConfig: { role: "server", push: false } },
  });
  assertEquals(blocked(west, east, NAME), undefined, east.texts("failed").join());
  assertEquals(west.addressing[0].values.INTERNAL_IP4_ADDRESS, ["10.99.0.1"]);
});

Deno.test("an address for nobody of that name is refused and told", () => {
  const options = roadWarrior();
  const { west, network } = connected({
    ...options,
    eastConfiguration: { ...options.eastConfiguration, clientAddressing: [{ ...addressing, id: "somebody" }] },
  });
  network.run(140_000);
  assertEquals(west.ike.pairStatus().length, 0);
});
