import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { checkConfigurations, describeCheck } from "../../lib/ike/check.ts";
import type { Configuration } from "../../lib/ike/configuration.ts";
import { configuration, connection, peer, phase1Transform, secret, suite } from "./configurations.ts";

const WEST = "198.51.100.1", EAST = "203.0.113.1";

interface Ends {
  west?: Parameters<typeof peer>[2];
  east?: Parameters<typeof peer>[2];
  westConnection?: Parameters<typeof connection>[3];
  eastConnection?: Parameters<typeof connection>[3];
  eastLocal?: string;
}

function ends({ west, east, westConnection, eastConnection, eastLocal = "10.2.0.0/16" }: Ends = {}) {
  const side = (name: string, configuration: Configuration) => ({ name, configuration });
  return [
    side(
      "west.conf",
      configuration([peer("east", EAST, { file: "west.conf", ...west })], [
        connection("tunnel", "east", { local: "10.1.0.0/16", remote: "10.2.0.0/16" }, {
          suites: [suite({ file: "west.conf" })],
          file: "west.conf",
          ...westConnection,
        }),
      ]),
    ),
    side(
      "east.conf",
      configuration([peer("west", WEST, { file: "east.conf", ...east })], [
        connection("tunnel", "west", { local: eastLocal, remote: "10.1.0.0/16" }, {
          suites: [suite({ file: "east.conf" })],
          file: "east.conf",
          active: false,
          ...eastConnection,
        }),
      ]),
    ),
  ] as const;
}

/** All lines of the check. */
const lines = (options?: Ends) => checkConfigurations(...ends(options)).flatMap(describeCheck);

Deno.test("two configurations that fit tell the SAs they will have", () => {
  const results = checkConfigurations(...ends());
  assertEquals(results.map(({ connection, initiator, agreed }) => [connection, initiator, agreed]), [
    ["tunnel", "west.conf", true],
    ["tunnel", "east.conf", true],
  ]);
  const text = describeCheck(results[0]).join("\n");
  assertStringIncludes(text, "AES_CBC-128 SHA PRE_SHARED CURVE_25519, 3600 seconds");
  assertStringIncludes(text, "10.1.0.0/16 to 10.2.0.0/16, ESP AES-128 HMAC_SHA TUNNEL, 1200 seconds");
});

Deno.test("a different group in phase 1 is named with both files' lines", () => {
  const text = lines({ east: { transforms: [phase1Transform({ group: "MODP_2048", file: "east.conf" })] } }).join("\n");
  assertStringIncludes(
    text,
    "GROUP_DESCRIPTION: offered CURVE_25519, allowed MODP_2048 (east.conf:25 [transform-1] GROUP_DESCRIPTION)",
  );
  assertStringIncludes(text, "the peer refuses it: NO_PROPOSAL_CHOSEN (west.conf:18 [main-mode] Transforms)");
  assertStringIncludes(text, "offered ID_PROT ISAKMP AES_CBC KEY_LENGTH 128 SHA PRE_SHARED CURVE_25519 3600 SECONDS");
  assertEquals(text.split("\n").length, 6, "a failure is told once by each side");
});

Deno.test("different pre-shared keys are named as such on both sides", () => {
  const text = lines({ east: { secret: secret("something else") } }).join("\n");
  assertStringIncludes(text, "east.conf: Cannot agree on phase 1");
  assertStringIncludes(
    text,
    "decrypts to garbage: probably different pre-shared keys (east.conf:14 [west] Authentication)",
  );
  assertStringIncludes(
    text,
    "probably different pre-shared keys, or the peer refuses our ID IPV4_ADDR 198.51.100.1 (west.conf:14 [east] Authentication)",
  );
  assert(!text.includes("mekmitasdigoat") && !text.includes("something else"));
});

Deno.test("different pre-shared keys are named in Aggressive Mode, too", () => {
  const exchange = "AGGRESSIVE" as const;
  const text = lines({ west: { exchange }, east: { exchange, secret: secret("something else") } }).join("\n");
  assertStringIncludes(
    text,
    "the peer's hash is not the one our pre-shared key gives: probably different pre-shared keys (west.conf:14",
  );
});

Deno.test("different exchange types are named", () => {
  const text = lines({ west: { exchange: "AGGRESSIVE" } }).join("\n");
  assertStringIncludes(
    text,
    "EXCHANGE_TYPE: offered AGGRESSIVE, allowed ID_PROT (east.conf:17 [main-mode] EXCHANGE_TYPE)",
  );
});

Deno.test("PFS on one side only is named", () => {
  const text = lines({ eastConnection: { suites: [suite({ pfs: "MODP_1024", file: "east.conf" })] } }).join("\n");
  assertStringIncludes(
    text,
    "GROUP_DESCRIPTION: offered none, allowed MODP_1024 (east.conf:56 [ESP-transform] GROUP_DESCRIPTION)",
  );
  assertStringIncludes(text, "GROUP_DESCRIPTION: offered MODP_1024, allowed none (west.conf:52 [ESP-transform])");
});

Deno.test("a lifetime out of range is named with the range", () => {
  const strict = { offer: 600, least: 450, most: 720 };
  const text = lines({ eastConnection: { suites: [suite({ life: strict, file: "east.conf" })] } }).join("\n");
  assertStringIncludes(
    text,
    "LIFE_DURATION (SECONDS): offered 1200, allowed 450 to 720 (east.conf:59 [ESP-transform] Life)",
  );
});

Deno.test("client IDs that no connection has are listed beside those that it has", () => {
  const text = lines({ eastLocal: "10.3.0.0/16" }).join("\n");
  assertStringIncludes(
    text,
    "client IDs: offered 10.1.0.0/16 to 10.2.0.0/16, allowed 10.1.0.0/16 to 10.3.0.0/16 (connection tunnel) (east.conf:34 [tunnel] Remote-ID)",
  );
  assertStringIncludes(text, "the peer refuses them: INVALID_ID_INFORMATION (west.conf:33 [tunnel] Local-ID)");
});

Deno.test("a suite of other protocols is named", () => {
  const text = lines({ eastConnection: { suites: [suite({ protocol: "AH", file: "east.conf" })] } }).join("\n");
  assertStringIncludes(text, "Protocols: offered IPSEC_ESP, allowed IPSEC_AH (east.conf:45 [suite] Protocols)");
});

Deno.test("another ID than the expected one is named", () => {
  const remoteId = { type: 2, protocol: 0, port: 0, data: new TextEncoder().encode("west.example.org") };
  const text = lines({ east: { remoteId } }).join("\n");
  assertStringIncludes(
    text,
    "Remote-ID: offered IPV4_ADDR 198.51.100.1, allowed FQDN west.example.org (east.conf:15 [west] Remote-ID)",
  );
});

Deno.test("a peer without address is not asked to begin", () => {
  const [west, east] = ends({ east: { address: undefined } });
  const results = checkConfigurations(west, {
    ...east,
    configuration: { ...east.configuration, defaultPeer: { peer: "west", origin: east.configuration.peers[0].origin } },
  });
  assertEquals(results.map(({ initiator, agreed }) => [initiator, agreed]), [["west.conf", true]]);
});
