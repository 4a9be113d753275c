import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Network } from "../simulation/network.ts";
import { type HostOptions, offer, pair, secretBook, SMALL_PRIMES } from "./host.ts";

/** What whoever waits at the initiator is told, and what both logs say. */
function diagnose(west: HostOptions, east: HostOptions) {
  const network = new Network(1);
  const hosts = pair(network, 1, west, east);
  hosts.west.start(hosts.east);
  network.run(200_000);
  const [outcome, ...more] = hosts.west.outcomes;
  assertEquals(more, []);
  assert(!outcome.established);
  assertEquals(hosts.west.installed.length, 0);
  return { told: outcome.text, east: hosts.east.log.join("\n"), west: hosts.west.log.join("\n"), network };
}

Deno.test("No common scheme: both lists are named", () => {
  const { told } = diagnose({ schemes: [offer(8), offer(2, SMALL_PRIMES[128])] }, {
    schemes: [offer(4), offer(2, SMALL_PRIMES[64])],
  });
  assertEquals(
    told,
    "Cannot agree on an exchange scheme with 10.0.0.2: it offers DH_G_2_DES_MD5 0, DH_G_2_MD5 64; " +
      "ours are DH_G_2_3DES_SHA1 0, DH_G_2_MD5 128",
  );
});

Deno.test("No common attributes: both lists are named, at the initiator or at the responder", () => {
  const { told } = diagnose({ offers: [6, 2, 18, 1, 254, 5] }, { offers: [6, 2, 16, 1, 254, 5] });
  assertEquals(
    told,
    "Cannot agree on encryption and authentication with 10.0.0.2: " +
      "it offers SHA1-IPMAC; ESP-Attributes: Blowfish (OpenBSD); AH-Attributes: HMAC flag (OpenBSD), MD5-IPMAC; " +
      "ours are SHA1-IPMAC; ESP-Attributes: 3DES (OpenBSD); AH-Attributes: HMAC flag (OpenBSD), MD5-IPMAC",
  );
});

Deno.test("No common identification attribute: both lists are named", () => {
  const { told } = diagnose({ offers: [5, 1, 254, 5] }, { offers: [6, 1, 254, 5] });
  assertStringIncludes(told, "Cannot agree on encryption"); // the default options ask for ESP first
  const network = new Network(2);
  const { west, east } = pair(network, 2, { offers: [5, 1, 254, 5] }, { offers: [6, 1, 254, 5] });
  west.start(east, { options: { encryption: false, authentication: true } });
  network.run(10_000);
  assertEquals(
    west.outcomes[0].text,
    "Cannot agree on an identification attribute with 10.0.0.2: offered SHA1-IPMAC, ours MD5-IPMAC",
  );
});

Deno.test("Unknown identification: the responder names it, the initiator is told at once what is likely", () => {
  const { told, east } = diagnose({ secrets: secretBook(["mallory\n", "x"], {}) }, {});
  assertStringIncludes(
    east,
    'warning: Cannot identify 10.0.0.1: it calls itself "mallory\\n", and no "identity remote" entry has that name',
  );
  assertStringIncludes(told, '10.0.0.2 could not verify us as "mallory\\n"');
});

Deno.test("Another secret: each side names the entry that it used, and no secret", () => {
  const wrong = secretBook(["west", "not the secret"], { east: "the east's secret" });
  const { told, east, west } = diagnose({ secrets: wrong }, {});
  assertStringIncludes(
    east,
    'Cannot verify that 10.0.0.1 is "west": most likely its secret is not that of secrets.conf:2',
  );
  assertStringIncludes(told, "or another secret than our secrets.conf:1");
  assert(!/the secret|west's/.test(east + west + told.replaceAll("most likely its secret", "")), east);
});

Deno.test("A responder with another secret is found out by the initiator", () => {
  const { told } = diagnose({}, { secrets: secretBook(["east", "changed"], { west: "the west's secret" }) });
  assertEquals(told, 'Cannot verify that 10.0.0.2 is "east": most likely its secret is not that of secrets.conf:2');
});

Deno.test("No local identity: said before anything is sent of it", () => {
  const nobody = { local: () => undefined, pairLocal: () => undefined, remote: () => undefined };
  assertEquals(
    diagnose({ secrets: nobody }, {}).told,
    'Cannot identify ourselves to 10.0.0.2: no "identity local" entry',
  );
  assertStringIncludes(
    diagnose({}, { secrets: { ...secretBook(["x", "y"], { west: "the west's secret" }), local: () => undefined } })
      .east,
    'Cannot identify ourselves to 10.0.0.1: no "identity local" entry',
  );
});

Deno.test("No answer: four tries seven seconds apart, then the sentence says to what", () => {
  const network = new Network(3);
  const { west, east } = pair(network, 3);
  const times: number[] = [];
  network.tap = (now) => times.push(now);
  network.conditions = { loss: 1, duplication: 0, reordering: 0, reorderMs: 0, corruption: 0, delayMs: [1, 1] };
  west.start(east);
  network.run(100_000);
  assertEquals(times, [0, 7_000, 14_000, 21_000]);
  assertEquals(west.outcomes.map(({ text }) => text), ["No answer from 10.0.0.2 port 468 to Cookie_Request"]);
  assertEquals(west.core.counts, { exchanges: 0, spis: 0, pending: 0 });
});

Deno.test("A modulus that is no safe prime is not used", () => {
  const composite = SMALL_PRIMES[64].slice();
  composite[3] ^= 0x10;
  assertEquals(
    diagnose({ schemes: [offer(2, SMALL_PRIMES[64])] }, { schemes: [offer(2, composite)] }).told,
    "Cannot use the modulus of 64 bits that 10.0.0.2 offers: it is no safe prime",
  );
});

Deno.test("A peer's own safe prime is tested once and then used", () => {
  const network = new Network(4);
  const { west, east } = pair(network, 4, { schemes: [offer(2, SMALL_PRIMES[64])] }, {
    schemes: [offer(2, SMALL_PRIMES[128])],
  });
  for (let time = 0; time < 2; time++) {
    west.start(east);
    network.run(network.now + 70_000);
  }
  assertEquals(west.outcomes.map(({ established }) => established), [true, true]);
  assertEquals(west.computations.filter(({ job }) => job.kind === "safePrime").length, 1);
});

Deno.test("An engine without SPIs is named", () => {
  const network = new Network(5);
  const { west, east } = pair(network, 5);
  west.hasSpis = false;
  west.start(east);
  network.run(10_000);
  assertEquals(west.outcomes[0].text, "Cannot get an SPI for 10.0.0.2 from the engine");
});
