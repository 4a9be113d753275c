import { assert, assertEquals } from "@std/assert";
import { parseAddress } from "../../lib/ip/address.ts";
import type { Bytes } from "../../lib/octets/bytes.ts";
import { decodeMessage, encodeMessage } from "../../lib/photuris/messages.ts";
import { Network } from "../simulation/network.ts";
import { assertAgreement, Host, offer, secretBook, settingsOf, SMALL_PRIMES } from "./host.ts";
import { established, scene } from "./scene.ts";

Deno.test("The responder keeps nothing before a good cookie has come back", () => {
  const { network, west, east } = scene();
  west.start(east);
  network.run(6); // the Cookie_Request has arrived
  assertEquals(east.core.counts, { exchanges: 0, spis: 0, pending: 0 });
});

Deno.test("A duplicate Value_Request or Identity_Request gets the same answer again, octet for octet", () => {
  const { network, west, east, of, inject } = established();
  for (const [request, reply] of [["Identity_Request", "Identity_Response"]] as const) {
    inject(east, west, of(request)[0].octets);
    network.run(network.now + 100);
    assertEquals(of(reply).length, 2);
    assertEquals(of(reply)[0].octets, of(reply)[1].octets);
  }
  assertEquals(east.installed.length, 2);
  const early = scene(2);
  early.west.start(early.east);
  early.network.run(30, () => early.of("Value_Response").length === 1);
  early.inject(early.east, early.west, early.of("Value_Request")[0].octets);
  assertEquals(
    early.of("Value_Response").map(({ octets }) => octets),
    Array(2).fill(early.of("Value_Response")[0].octets),
  );
});

Deno.test("Another Identity_Request in an established exchange is answered with Verification_Failure", () => {
  const { west, east, of, inject } = established();
  const changed = of("Identity_Request")[0].octets.slice();
  changed[60] ^= 1;
  inject(east, west, changed);
  assertEquals(of("Verification_Failure").length, 1);
  assertEquals(east.installed.length, 2);
});

Deno.test("An Identity_Request that is faster than the shared-secret waits for it", () => {
  const { network, west, east, of } = scene();
  east.computeMs = () => of("Value_Response").length ? 3_000 : 1;
  west.start(east);
  network.run(2_000);
  assertEquals([of("Identity_Request").length, of("Identity_Response").length], [1, 0]);
  network.run(4_000);
  assertEquals([of("Identity_Request").length, of("Identity_Response").length], [1, 1]);
  assertAgreement(west, east);
});

Deno.test("A responder that has restarted answers Bad_Cookie; the initiator begins anew when its tries are over", () => {
  const { network, west, east, of } = scene();
  west.start(east);
  network.run(30, () => of("Value_Request").length === 1);
  east.core = new Host(new Network(9), "other", "10.0.0.2", east.settings, 99).core;
  network.run(100_000);
  assert(of("Bad_Cookie").length >= 1);
  assertEquals(of("Cookie_Request").length, 2);
  assert(west.outcomes[0].established);
});

Deno.test("Messages with unknown cookies get Bad_Cookie if they belong to an exchange, and nothing else does", () => {
  const { west, east, of, inject } = scene();
  const cookies = { initiatorCookie: new Uint8Array(16).fill(1), responderCookie: new Uint8Array(16).fill(2) };
  const masked = new Uint8Array(88);
  const clear = { ...cookies, lifeTime: 1, spi: 1, masked };
  inject(east, west, encodeMessage({ name: "Identity_Request", ...clear }));
  inject(east, west, encodeMessage({ name: "SPI_Update", ...clear }));
  inject(east, west, encodeMessage({ name: "SPI_Needed", ...cookies, random: 1, zero: 0, masked }));
  assertEquals(of("Bad_Cookie").length, 3);
  inject(east, west, encodeMessage({ name: "Identity_Response", ...clear }));
  inject(east, west, encodeMessage({ name: "Bad_Cookie", ...cookies }));
  inject(east, west, encodeMessage({ name: "Verification_Failure", ...cookies }));
  inject(east, west, encodeMessage({ name: "Secret_Request", ...cookies, content: new Uint8Array() }));
  inject(east, west, new Uint8Array(33).fill(77));
  assertEquals(of("Bad_Cookie").length, 3);
  assertEquals(east.core.counts.exchanges, 0);
});

Deno.test("Messages of the right cookies from another address are none of the exchange's", () => {
  const { network, west, east, of } = established();
  const stranger = { address: parseAddress("10.0.0.66"), port: 468 };
  const before = east.installed.length;
  east.onDatagram(network.now, stranger, east.endpoint, of("Identity_Request")[0].octets);
  assertEquals(of("Bad_Cookie").length, 1);
  assertEquals([east.installed.length, west.removed.length], [before, 0]);
});

Deno.test("Optional and unknown messages of a known exchange get Message_Reject, which is only logged", () => {
  const { west, east, of, inject } = established();
  const { initiatorCookie, responderCookie } = decodeMessage(of("Identity_Request")[0].octets);
  inject(
    east,
    west,
    encodeMessage({ name: "Secret_Request", initiatorCookie, responderCookie, content: new Uint8Array(8) }),
  );
  const unknown = of("Identity_Request")[0].octets.slice();
  unknown[32] = 77;
  inject(east, west, unknown);
  const rejects = of("Message_Reject").map(({ octets }) => decodeMessage(octets));
  assertEquals(rejects.map((one) => one.name === "Message_Reject" && [one.badMessage, one.offset]), [[6, 32], [
    77,
    32,
  ]]);
  inject(west, east, of("Message_Reject")[0].octets);
  assert(west.log.at(-1)?.includes("10.0.0.2 rejects message 6 at octet 32"));
  assertEquals(of("Message_Reject").length, 2);
});

Deno.test("A young exchange in the way means Resource_Limit; a request that names it passes", () => {
  const { network, west, east, of } = established();
  // A restarted initiator knows nothing of the exchange; the answer tells it.
  west.core = new Host(new Network(9), "other", "10.0.0.1", west.settings, 98).core;
  west.start(east);
  network.run(2_000);
  const [limit] = of("Resource_Limit").map(({ octets }) => decodeMessage(octets));
  const [first] = of("Identity_Response").map(({ octets }) => decodeMessage(octets));
  assertEquals(limit.responderCookie, first.responderCookie);
  network.run(1000 + 2000 * west.settings.times.retransmitTimeout + 2_000); // at the next timeout, which is doubled
  assert(west.outcomes[1].established);
  assertEquals(of("Identity_Response").length, 2);
});

Deno.test("Without memory of it the initiator that still knows the exchange begins the next one at once", () => {
  const { network, west, east, of } = established();
  west.start(east);
  network.run(3_000);
  assertEquals([of("Resource_Limit").length, west.outcomes.length], [0, 2]);
  const [, second] = of("Cookie_Request").map(({ octets }) => decodeMessage(octets));
  const [first] = of("Identity_Response").map(({ octets }) => decodeMessage(octets));
  assertEquals(second.responderCookie, first.responderCookie);
  const counters = of("Cookie_Response").map(({ octets }) => octets[33]);
  assertEquals(counters, [1, 2]);
  // The former responder names the former Initiator-Cookie.
  east.start(west);
  network.run(6_000);
  const third = decodeMessage(of("Cookie_Request")[2].octets);
  assertEquals(third.responderCookie, decodeMessage(of("Identity_Response")[1].octets).initiatorCookie);
  assert(east.outcomes[0].established);
});

Deno.test("Two hosts that begin in turn within one Exchange TimeOut are never in each other's way", () => {
  const { network, west, east, of } = established();
  for (let turn = 1; turn <= 6; turn++) {
    const [one, other] = turn % 2 ? [east, west] : [west, east];
    one.start(other);
    network.run(1_000 * (turn + 1));
    assertEquals(one.outcomes.at(-1)?.established, true);
    assertEquals(west.outcomes.length + east.outcomes.length, turn + 1);
  }
  assertEquals(of("Resource_Limit").length, 0);
  assertAgreement(west, east);
});

Deno.test("A responder without room answers Resource_Limit and serves again when there is room", () => {
  const { network, west, east, of } = scene(1, {}, { maximumUnidentified: 0 });
  west.start(east);
  network.run(5_000);
  assertEquals(of("Resource_Limit").length, 1);
  Object.assign(east.settings, { maximumUnidentified: 10 });
  network.run(60_000);
  assert(west.outcomes[0].established);
});

Deno.test("One peer may have four exchanges open without identifying itself", () => {
  const { network, west, east, of, inject } = scene();
  const cookieOf = (at: number) => new Uint8Array(16).fill(at + 1);
  // Cookies are collected first, then all Value_Requests are sent.
  for (let at = 0; at < 6; at++) {
    const initiatorCookie = cookieOf(at);
    inject(
      east,
      west,
      encodeMessage({ name: "Cookie_Request", initiatorCookie, responderCookie: new Uint8Array(16), counter: at }),
    );
  }
  const { group } = offer(2, SMALL_PRIMES[64]);
  const value = group!.modulus.map((octet, at) => at === 7 ? octet ^ 5 : octet) as Bytes;
  value[0] -= 1;
  const responses = of("Cookie_Response").map(({ octets }) => decodeMessage(octets));
  for (const response of responses) {
    if (response.name !== "Cookie_Response") continue;
    const { initiatorCookie, responderCookie, counter } = response;
    const exchangeValue = { bits: 64, value, raw: new Uint8Array([0, 64, ...value]) };
    const offeredAttributes = new Uint8Array([5, 0, 1, 0, 5, 0]);
    inject(
      east,
      west,
      encodeMessage({
        name: "Value_Request",
        initiatorCookie,
        responderCookie,
        counter,
        schemeChoice: 2,
        exchangeValue,
        offeredAttributes,
      }),
    );
  }
  network.run(1_000);
  assertEquals([of("Value_Response").length, of("Resource_Limit").length], [4, 2]);
  assertEquals(east.core.counts.exchanges, 4);
  network.run(70_000);
  assertEquals(east.core.counts.exchanges, 0);
});

Deno.test("A bad exchange value or scheme makes no state and gets no answer", () => {
  const { network, west, east, of, inject } = scene();
  west.start(east);
  network.run(30, () => of("Value_Request").length === 1);
  const good = of("Value_Request")[0].octets;
  const bad = [good.slice(), good.slice(), good.slice()];
  bad[0].fill(0, 38, 46); // zero
  bad[1].set(SMALL_PRIMES[64], 38); // p itself
  bad[2].set([0, 99], 34); // unknown scheme
  for (const octets of bad) inject(east, west, octets);
  assertEquals([east.core.counts.exchanges, of("Value_Response").length], [0, 0]);
  assertEquals(east.log.length, 3);
});

Deno.test("Both sides may begin at once", () => {
  const { network, west, east } = scene();
  west.start(east);
  east.start(west);
  network.run(30_000);
  assert(west.outcomes[0].established && east.outcomes[0].established);
  assertAgreement(west, east);
});

Deno.test("A pair entry replaces our name and secret once the peer's name is known", () => {
  const book = secretBook(["east", "the east's secret"], { west: "the west's secret" });
  const toWest = secretBook(["east-to-west", "pair secret"], {}).local()!;
  const east = { ...book, pairLocal: (name: string) => name === "west" ? toWest : undefined };
  const west = secretBook(["west", "the west's secret"], { "east-to-west": "pair secret" });
  const { network, west: host } = established(1, { secrets: west }, { secrets: east });
  network.run(350_000);
  assert(host.outcomes[0].text.includes("(east-to-west)"));
});

Deno.test("IPv6 hosts key as IPv4 hosts do", () => {
  const network = new Network(1);
  const secrets = secretBook(["host", "secret"], { host: "secret" });
  const west = new Host(network, "west", "2001:db8::1", settingsOf({}, secrets), 1);
  const east = new Host(network, "east", "2001:db8::2", settingsOf({}, secrets), 2);
  west.start(east);
  network.run(5_000);
  assert(west.outcomes[0].text.startsWith("Established keys with 2001:db8::2 (host)"));
  assertAgreement(west, east);
});

Deno.test("A secret of 62 octets and more and a name with spaces serve", () => {
  const name = "a name of several words", secret = "s".repeat(200);
  const book = secretBook([name, secret], { [name]: secret });
  established(1, { secrets: book }, { secrets: book });
});

Deno.test("Who asks again after a failed verification gets a new exchange and an outcome of its own", () => {
  const wrong = secretBook(["west", "wrong"], { east: "the east's secret" });
  const right = secretBook(["west", "the west's secret"], { east: "the east's secret" });
  let isRight = false;
  const secrets = { ...right, local: () => (isRight ? right : wrong).local() };
  const { network, west, east } = scene(1, { secrets });
  west.start(east, { ticket: 1 });
  network.run(1_000);
  assertEquals(west.outcomes.map(({ established }) => established), [false]);
  isRight = true;
  west.start(east, { ticket: 2 });
  network.run(3_000);
  assertEquals(west.outcomes.map(({ request, established }) => [request.ticket, established]), [[1, false], [2, true]]);
});
