import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ESP_CIPHERS } from "../../lib/crypto/algorithms.ts";
import { generateRsaKey, type KeyObject, publicKeyOf, signRsaBare, verifyRsaBare } from "../../lib/crypto/signature.ts";
import type { LifeRule } from "../../lib/ike/configuration.ts";
import type { Computation, ComputationResult } from "../../lib/ike/events.ts";
import { formatId, textId } from "../../lib/isakmp/identification.ts";
import { IKE_AUTHENTICATION } from "../../lib/isakmp/numbers.ts";
import { blocked, type Compute, realCompute } from "../simulation/ike_node.ts";
import { phase1Transform, suite } from "./configurations.ts";
import { connected, NAME, type Options } from "./gateways.ts";

/** Both directions work. */
function assertUp(options: Options) {
  const ends = connected(options);
  const told = [...ends.west.texts("failed"), ...ends.east.texts("failed")].join("\n");
  assertEquals(blocked(ends.west, ends.east, NAME), undefined, told);
  assertEquals(blocked(ends.east, ends.west, NAME), undefined, told);
  assertEquals(ends.west.kernel.complaints.concat(ends.east.kernel.complaints), []);
  return ends;
}

for (const exchange of ["ID_PROT", "AGGRESSIVE"] as const) {
  Deno.test(`${exchange} with a pre-shared key brings a connection up`, () => {
    const { west, east } = assertUp({ peer: { exchange }, compute: realCompute });
    assertEquals(west.texts("established").length, 2);
    assertEquals(east.texts("established").length, 2);
    assertEquals(west.kernel.flows.length, 1);
    assertEquals(east.kernel.flows.length, 1);
  });
}

Deno.test("every ESP cipher that IKE has a number for is negotiated with keys of its length", () => {
  for (const row of ESP_CIPHERS) {
    if (row.espTransform === undefined) continue;
    const cipher = row.espTransformName as "AES";
    const keyBits = row.keyLengthAttribute === "forbidden" ? undefined : 8 * Math.min(32, row.key.max);
    const { west } = assertUp({ suites: [suite({ cipher, keyBits, authentication: row.aead ? null : "HMAC_SHA" })] });
    const sa = west.kernel.current(NAME)!;
    const octets = keyBits === undefined ? row.key.recommended : keyBits / 8;
    assertEquals([sa.encryption, sa.encryptionKey?.length ?? 0], [row.name, octets + row.saltOctets]);
    assertEquals(sa.authenticationKey?.length ?? 0, row.aead ? 0 : 20);
  }
});

Deno.test("AH alone, and AH with ESP as one bundle with ESP inside", () => {
  const alone = assertUp({ suites: [suite({ protocol: "AH", ah: "SHA2_256", authentication: "HMAC_SHA2_256" })] });
  const sa = alone.west.kernel.current(NAME)!;
  assertEquals([sa.protocol, sa.authentication, sa.authenticationKey?.length, sa.tunnel], ["ah", "sha2-256", 32, true]);
  const { west, east } = assertUp({ suites: [suite({ protocol: "AH" }, {})] });
  const [esp, ah] = [...west.kernel.outbound.values()];
  assertEquals([esp.protocol, esp.tunnel, ah.protocol, ah.tunnel], ["esp", true, "ah", false]);
  assertEquals(west.kernel.outbound.size + west.kernel.inbound.size + east.kernel.outbound.size, 6);
});

Deno.test("host to host without client IDs in transport mode", () => {
  const { west } = assertUp({ hostToHost: true, suites: [suite({ mode: "TRANSPORT" })] });
  assertEquals(west.kernel.current(NAME)!.tunnel, false);
  assertStringIncludes(west.texts("established", 2)[0], "192.0.2.1/32 to 192.0.2.2/32");
});

Deno.test("the first suite that the responder allows is taken, and the SPIs of the others are given back", () => {
  const ours = [suite({ protocol: "AH" }), suite({ cipher: "AES_GCM_16", authentication: null }), suite()];
  const { west, east } = assertUp({ suites: ours, eastConnection: { suites: [suite()] } });
  assertEquals(west.kernel.current(NAME)!.encryption, "aes");
  assertEquals(west.kernel.reserved.size + east.kernel.reserved.size, 0);
});

Deno.test("limits in kilobytes: offered, or the responder's own, told by RESPONDER-LIFETIME", () => {
  const kilobytes = { offer: 1000, least: 768, most: 1536 };
  const offered = assertUp({ suites: [suite({ kilobytes })] });
  assertEquals(offered.west.kernel.current(NAME)!.hard.bytes, 1_024_000);
  const told = assertUp({ suites: [suite()], eastConnection: { suites: [suite({ kilobytes })] } });
  assertEquals(told.west.kernel.current(NAME)!.hard.bytes, 1_024_000);
  assertEquals(told.east.kernel.current(NAME)!.hard.bytes, 1_024_000);
  const { soft, hard } = told.west.kernel.current(NAME)!;
  assert(soft.bytes > 0.8 * hard.bytes && soft.bytes < hard.bytes && soft.seconds < hard.seconds);
});

Deno.test("a life that is longer than a default one is capped and told; longer than one that was written, refused", () => {
  const weeks = { offer: 2147483, least: 2147483, most: 2147483 };
  const capped = <T extends { lives: readonly LifeRule[] | "ANY" }>(transform: T): T => ({
    ...transform,
    lives: (transform.lives as LifeRule[]).map((life) => ({ ...life, capped: true as const })),
  });
  const phase1 = phase1Transform();
  const short = suite();
  const ours = {
    ...short,
    protocols: short.protocols.map((each) => ({ ...each, transforms: each.transforms.map(capped) })),
  };
  const asks = {
    suites: [suite({ life: weeks })],
    west: {
      transforms: [{ ...phase1, lives: (phase1.lives as LifeRule[]).map((life) => ({ ...life, duration: weeks })) }],
    },
  };
  const { west, east } = assertUp({
    ...asks,
    east: { transforms: [capped(phase1)] },
    eastConnection: { suites: [ours] },
  });
  for (const { kernel } of [west, east]) assertEquals(kernel.current(NAME)!.hard.seconds, 86400);
  assertStringIncludes(east.texts("established", 1)[0], " 86400 seconds");
  const [{ hardAt }] = west.ike.phase1Status();
  assert(hardAt <= west.network.now + 86_400_000, "the initiator did not take RESPONDER-LIFETIME");
  const strict = connected({ ...asks, eastConnection: { suites: [suite()] } });
  assertStringIncludes(
    strict.east.texts("failed", 1)[0],
    "LIFE_DURATION (SECONDS): offered 2147483, allowed 60 to 86400",
  );
});

// ---- signatures ----------------------------------------------------------------------------------------------------

/** Signs with `own`, verifies with the public half of `peer`. */
function withKeys(own: KeyObject, peer: KeyObject): Compute {
  return (task: Computation, random): ComputationResult => {
    if (task.op === "sign") {
      assertEquals(task.method, IKE_AUTHENTICATION.RSA_SIG);
      const signature = signRsaBare(own, task.octets);
      return { ok: true, value: { signature, certificates: [{ encoding: 4, octets: new Uint8Array(3000).fill(7) }] } };
    }
    if (task.op !== "verify") return realCompute(task, random);
    const good = verifyRsaBare(publicKeyOf(peer), task.octets, task.signature) && task.certificates.length === 1;
    return good
      ? { ok: true, value: { credential: formatId(task.remoteId) } }
      : { ok: false, error: "the signature does not match the public key" };
  };
}

const IDS = {
  west: { localId: textId("FQDN", "west.example.org"), remoteId: textId("FQDN", "east.example.org") },
  east: { localId: textId("FQDN", "east.example.org"), remoteId: textId("FQDN", "WEST.example.org") },
};

for (const exchange of ["ID_PROT", "AGGRESSIVE"] as const) {
  Deno.test(`${exchange} with RSA signatures, certificates and fragments`, () => {
    const [a, b] = [generateRsaKey(1024), generateRsaKey(1024)];
    const ends = assertUp({
      peer: { exchange, secret: undefined, transforms: [phase1Transform({ method: "RSA_SIG" })] },
      ...IDS,
      compute: withKeys(a, b),
      eastCompute: withKeys(b, a),
    });
    assertStringIncludes(ends.west.texts("established", 1)[0], "as FQDN east.example.org");
    // A certificate of 3000 octets does not fit one packet of 1280.
    const messages = exchange === "ID_PROT" ? 9 : 6;
    assert(ends.network.counters.sent >= messages + 4, String(ends.network.counters.sent));
  });

  Deno.test(`${exchange}: another key than the expected one is refused and named`, () => {
    const [a, b] = [generateRsaKey(1024), generateRsaKey(1024)];
    const { west, east, network } = connected({
      peer: { exchange, secret: undefined, transforms: [phase1Transform({ method: "RSA_SIG" })] },
      ...IDS,
      compute: withKeys(a, b),
      eastCompute: withKeys(b, b),
    });
    network.run(30_000);
    assertEquals(west.ike.pairStatus().length, 0);
    const [text] = east.texts("failed", 1);
    assertStringIncludes(text, "ID FQDN west.example.org: the signature does not match the public key");
  });
}

Deno.test("what verified a peer reaches the policy, which can refuse with its reason", () => {
  const [a, b] = [generateRsaKey(1024), generateRsaKey(1024)];
  const queries: Record<string, string>[] = [];
  const { west, east, network } = connected({
    peer: { secret: undefined, transforms: [phase1Transform({ method: "RSA_SIG" })] },
    ...IDS,
    compute: withKeys(a, b),
    eastCompute: withKeys(b, a),
    eastEnvironment: {
      authorize: ({ attributes, credential }) => {
        queries.push(attributes);
        assertEquals(credential, "west.example.org");
        return { allowed: false, explanation: "no assertion licenses west.example.org" };
      },
    },
  });
  network.run(5000);
  assertEquals(queries[0].remote_id, "west.example.org");
  assertEquals(queries[0].esp_enc_alg, "aes");
  assertEquals(queries[0].initiator, "no");
  assertEquals(queries[0].remote_filter, "010.001.000.000-010.001.255.255");
  assertStringIncludes(
    east.texts("failed", 2)[0],
    "policy: offered ESP AES-128 HMAC_SHA TUNNEL, no assertion licenses west.example.org",
  );
  assertStringIncludes(west.texts("failed", 2)[0], "the peer refuses it: NO_PROPOSAL_CHOSEN");
});
