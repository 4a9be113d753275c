import { assert, assertEquals } from "@std/assert";
import { decodeMessage, encodeMessage } from "../../lib/photuris/messages.ts";
import { Network, PERFECT } from "../simulation/network.ts";
import { assertAgreement, Host, settingsOf } from "./host.ts";
import { AH, ESP, established, scene } from "./scene.ts";

Deno.test("SPIs are renewed at half of their life by SPI_Update, and the old ones are removed at its end", () => {
  const { network, west, east, of } = established();
  network.run(350_000);
  assertEquals([of("SPI_Update").length, of("SPI_Needed").length, of("Cookie_Request").length], [2, 0, 1]);
  assertEquals([west.of("owner").length, west.of("user").length, east.of("owner").length, east.of("user").length], [
    2,
    2,
    2,
    2,
  ]);
  assertAgreement(west, east);
  network.run(700_000);
  assertEquals(west.removed.map(({ role }) => role), ["user", "owner"]);
  const { spi } = west.of("owner")[0];
  assertEquals(west.removed.find(({ role }) => role === "owner")?.spi, spi);
});

Deno.test("A lost SPI_Update is asked for with SPI_Needed before the old SPI ends", () => {
  const { network, west, east, of } = established();
  network.conditions = (from) => ({ ...PERFECT, loss: from.address === east.addresses[0] ? 1 : 0 });
  network.run(400_000);
  assertEquals([west.of("user").length, east.of("owner").length], [1, 2]);
  network.conditions = PERFECT;
  network.run(500_000);
  assert(of("SPI_Needed").length >= 1);
  assertEquals(west.of("user").length, 2);
  assertAgreement(west, east);
});

Deno.test("An SPI_Needed so soon after the lost SPI_Update gets the same SPI_Update again", () => {
  const { network, west, east, of } = established();
  const announced = () => east.of("owner").at(-1)!;
  east.perform(east.core.expiring(network.now, { role: "owner", peer: west.addresses[0], spi: announced().spi }));
  network.conditions = (from) => ({ ...PERFECT, loss: from.address === east.addresses[0] ? 1 : 0 });
  network.run(network.now + 100);
  network.conditions = PERFECT;
  const user = west.of("user")[0];
  west.perform(west.core.expiring(network.now, { role: "user", peer: east.addresses[0], spi: user.spi }));
  network.run(network.now + 100);
  const updates = of("SPI_Update");
  assertEquals(updates.length, 2);
  assertEquals(updates[0].octets, updates[1].octets);
  assertEquals(west.of("user").length, 2);
  assertAgreement(west, east);
});

Deno.test("When the exchange's life is over its initiator begins a new one before the keys end", () => {
  const times = { exchangeLifetime: 300, exchangeTimeout: 60, spiLifetime: 400 };
  const { network, west, east, of } = established(1, { times }, { times });
  network.run(1_000_000);
  assert(of("Cookie_Request").length >= 3);
  assert(of("Cookie_Request").every(({ from }) => from === "west"));
  assertAgreement(west, east);
  for (const host of [west, east]) {
    for (const [at, sa] of host.of("user").entries()) {
      const next = host.of("user")[at + 1];
      if (next) assert(next.at < sa.at + 1000 * sa.lifeSeconds, `${host.name} had no keys for a while`);
    }
  }
});

Deno.test("A responder puts off its new user SPI while the old one works, for the initiator may lack the answer", () => {
  const { network, west, east } = established();
  west.start(east);
  network.run(3_000);
  assertEquals([west.of("user").length, east.of("user").length], [2, 1]);
  network.run(20_000);
  assertEquals(east.of("user").length, 2);
  const delay = east.of("user")[1].at - west.of("owner")[1].at;
  assert(delay > 13_000 && delay < 15_000, String(delay));
});

Deno.test("SPI_Update with LifeTime 0 deletes: one SPI, or all with the association", () => {
  const { network, west, east, of } = established();
  west.perform(west.core.close(network.now));
  assertEquals(west.removed.map(({ role }) => role).sort(), ["owner", "user"]);
  network.run(network.now + 100);
  assertEquals(of("SPI_Update").length, 1);
  assertEquals(east.removed.map(({ role }) => role), ["user"]);
  assertEquals(east.core.counts.exchanges, 0);
  assert(east.log.at(-1)?.includes("10.0.0.1 has ended the association"));
});

Deno.test("A hard limit reached early brings new keys at once, from whichever side saw it", () => {
  for (const role of ["owner", "user"] as const) {
    const { network, west, east, of } = established();
    const { spi } = west.of(role)[0];
    west.perform(west.core.expired(network.now, { role, peer: east.addresses[0], spi }));
    network.run(network.now + 1_000);
    assertEquals(of("SPI_Update").length, 1);
    assertEquals(of("SPI_Needed").length, role === "user" ? 1 : 0);
    assertAgreement(west, east);
  }
});

Deno.test("Expiry of an SPI that has a successor changes nothing", () => {
  const { network, west, east, of } = established();
  network.run(350_000);
  const count = of("SPI_Update").length;
  for (const role of ["owner", "user"] as const) {
    west.perform(west.core.expiring(network.now, { role, peer: east.addresses[0], spi: west.of(role)[0].spi }));
  }
  network.run(network.now + 1_000);
  assertEquals(of("SPI_Update").length, count);
});

Deno.test("When the peer has lost the association, SPI_Needed leads to a new exchange", () => {
  const { network, west, east, of } = established();
  east.core = new Host(new Network(9), "other", "10.0.0.2", east.settings, 99).core;
  west.perform(west.core.expiring(network.now, { role: "user", peer: east.addresses[0], spi: west.of("user")[0].spi }));
  network.run(network.now + 2_000);
  assertEquals([of("Bad_Cookie").length, of("Cookie_Request").length], [1, 2]);
  assertEquals(west.of("user").length, 2);
});

Deno.test("A forged Bad_Cookie ends no association that has asked for nothing", () => {
  const { west, east, of, inject } = established();
  const { initiatorCookie, responderCookie } = decodeMessage(of("Identity_Request")[0].octets);
  inject(west, east, encodeMessage({ name: "Bad_Cookie", initiatorCookie, responderCookie }));
  assertEquals(west.core.counts.exchanges, 1);
});

Deno.test("An SPI that was announced once is not taken again, RFC 2522 6.2", () => {
  const { network, west, east, of, inject } = established();
  network.run(350_000);
  const update = of("SPI_Update").find(({ from }) => from === "east")!;
  const before = west.installed.length;
  inject(west, east, update.octets);
  assertEquals(west.installed.length, before);
});

Deno.test("Two requests for the same are one exchange with two outcomes; another wish waits for its turn", () => {
  const { network, west, east, of } = scene();
  west.start(east, { ticket: 1 });
  west.start(east, { ticket: 2 });
  west.start(east, { ticket: 3, options: AH });
  network.run(5_000);
  assertEquals(west.outcomes.map(({ request, established }) => [request.ticket, established]), [[1, true], [2, true], [
    3,
    true,
  ]]);
  assertEquals([of("Cookie_Request").length, of("Resource_Limit").length], [2, 0]);
  assertEquals(west.of("owner").map(({ protocols }) => protocols.join()), ["esp,ah", "ah"]);
});

Deno.test("A responder without a wish of its own follows the initiator; with one it has its way", () => {
  const follows = scene(1);
  follows.west.start(follows.east, { options: AH });
  follows.network.run(5_000);
  assertEquals(follows.east.of("owner")[0].protocols, ["ah"]);
  const own = scene(1, {}, {
    requestFor: (peer, local) => ({ peer, local, options: { encryption: true, authentication: true } }),
  });
  own.west.start(own.east, { options: AH });
  own.network.run(5_000);
  assertEquals(own.east.of("owner")[0].protocols, ["esp", "ah"]);
  assertEquals(own.west.of("owner")[0].protocols, ["ah"]);
});

Deno.test("Encryption asked for by name is not given up because the peer's own SPI goes without", () => {
  const { network, west, east } = scene(1, {}, { requestFor: (peer, local) => ({ peer, local, options: AH }) });
  west.start(east, { options: ESP });
  network.run(5_000);
  assertEquals(west.outcomes[0].established, false);
  assertEquals(
    west.outcomes[0].text,
    "Refused 10.0.0.2: what we send to it would go without encryption; it chose AH AT_MD5_IPMAC HMAC",
  );
  assertEquals(west.installed.length, 0);
});

Deno.test("SIGHUP forgets exchanges and tells those who wait; SPIs go on", () => {
  const { network, west, east } = established();
  west.start(east);
  west.perform(west.core.reconfigure(network.now, settingsOf({}, west.settings.secrets)));
  assertEquals(west.core.counts, { exchanges: 0, spis: 2, pending: 0 });
  assertEquals(west.outcomes[1].text, "Given up: the configuration is read anew");
  network.run(700_000);
  assert(west.of("user").length >= 2, "keys were renewed by a new exchange");
});

Deno.test("A request's lifetimes replace those of photuris.conf", () => {
  const { network, west, east } = scene();
  west.start(east, { spiLifetime: 1000, exchangeLifetime: 50 });
  network.run(2_000);
  const [{ lifeSeconds }] = west.of("owner");
  assert(lifeSeconds >= 1060 && lifeSeconds < 1092, String(lifeSeconds)); // with the grace of 60 seconds
  network.run(75_000);
  assertEquals(west.core.counts.exchanges, 0);
  assertEquals(east.core.counts.exchanges, 1);
});

Deno.test("Keys for a wish that was replaced are not renewed, at either end", () => {
  const { network, west, east } = scene(1, { isWanted: (request) => request.options?.encryption !== false });
  west.start(east, { options: AH });
  network.run(5_000);
  west.start(east, { options: { encryption: true, authentication: true } });
  network.run(10_000);
  // Other protocols than before: the responder does not wait with its own side.
  assertEquals(east.of("user").map(({ protocols }) => protocols.join()), ["ah", "esp,ah"]);
  network.run(2_000_000);
  const kinds = (host: Host) =>
    host.of("owner").map(({ protocols }) => protocols.join()).filter((kind) => kind === "ah");
  assertEquals([kinds(west).length, kinds(east).length], [1, 1]);
  assert(west.of("owner").length > 4);
});
