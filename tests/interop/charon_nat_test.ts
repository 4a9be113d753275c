// isakmpd and the engine against strongSwan's charon, with a NAT between them, on either side.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Daemon, shown } from "../netns/isakmpd_hosts.ts";
import { type TopologySpec, waitFor } from "../netns/topology.ts";
import { Charon } from "./charon.ts";
import {
  AES,
  Bench,
  isakmpdConf,
  masquerade,
  NAT,
  roadWarrior,
  type Scenario,
  swanctlConf,
} from "./charon_scenario.ts";

Deno.test("charon behind a NAT calls a road warrior's gateway, and its port may change", async () => {
  await using bench = await Bench.make(NAT);
  await masquerade(bench.net.host("nat"));
  const scenario: Scenario = {
    ...AES,
    aggressive: true,
    peer: "",
    rest: "[warrior@example.org]\nAuthentication=mekmitasdigoat\n",
    auth: `local { auth = psk
      id = warrior@example.org }
    remote { auth = psk }`,
  };
  const { ours: file, theirs } = roadWarrior(scenario);
  const charon = await Charon.start(bench.net.host("far"), theirs);
  const ours = await Daemon.start(bench.net.host("gw"), file);
  const initiated = await charon.initiate("tunnel");
  assertEquals(initiated.code, 0, `${initiated.stdout}${ours.output()}`);
  await ours.up();
  assertMatch(ours.output(), /at 10\.1\.0\.2:2\d{4}/, "a translated port");
  const { received, output } = await bench.net.host("farlan").ping("192.168.1.2", { count: 3 });
  assertEquals(received, 3, output);
  const ports = async () =>
    Array.from((await shown(bench.net.host("gw"))).matchAll(/in UDP to port (\d)/g), ([, d]) => d);
  assertEquals(await ports(), ["2", "2"]);
  // With its address the NAT forgets what it has translated to it; charon's next packets come from another port.
  await bench.net.host("nat").exec(
    "nft flush ruleset && ip addr del 10.1.0.2/24 dev out && ip addr add 10.1.0.2/24 dev out",
  );
  await masquerade(bench.net.host("nat"), "40000-49999");
  const there = await bench.net.host("lan").ping("192.168.2.2", { count: 2 });
  assertEquals(there.received, 0, "the old port leads nowhere");
  await waitFor(
    async () => (await bench.net.host("farlan").ping("192.168.1.2", { count: 1 })).received === 1,
    "answers to the NAT's new port",
    10_000,
  );
  const back = await bench.net.host("lan").ping("192.168.2.2", { count: 3 });
  assertEquals(back.received, 3, back.output);
  assertEquals(await ports(), ["4", "4"]);
});

Deno.test("we behind a NAT call charon", async () => {
  const spec: TopologySpec = {
    ...NAT,
    hosts: { ...NAT.hosts, gw: { forwarding: true, routes: ["default via 10.3.0.254"] }, far: { forwarding: true } },
    links: [
      NAT.links[0],
      NAT.links[3],
      { ends: [["gw", "wan", "10.3.0.1/24"], ["nat", "in", "10.3.0.254/24"]] },
      { ends: [["nat", "out", "10.1.0.1/24"], ["far", "wan", "10.1.0.2/24"]] },
    ],
  };
  await using bench = await Bench.make(spec);
  await masquerade(bench.net.host("nat"));
  const charon = await Charon.start(
    bench.net.host("far"),
    swanctlConf({ ...AES, auth: "local { auth = psk }\n remote { auth = psk\n id = 10.3.0.1 }" }),
  );
  const ours = await Daemon.start(
    bench.net.host("gw"),
    isakmpdConf({ ...AES, general: "NAT-T-Keepalive=1\n" }).replaceAll("10.1.0.1", "10.3.0.1"),
  );
  const wire = await bench.net.host("far").capture("wan", "udp port 4500");
  await ours.command("c tunnel");
  await ours.up();
  await bench.traffic(AES);
  assertMatch(await charon.sas(), /remote '10\.3\.0\.1' @ 10\.1\.0\.1\[2\d{4}\]/);
  await new Promise((resolve) => setTimeout(resolve, 2500));
  const keepalives = (await wire.packets()).filter(({ ip }) => ip.length === 29 && ip[28] === 0xff);
  assert(keepalives.length >= 1, "no keepalive within 2.5 s");
});
