// What a live connection with strongSwan's charon goes through: a charon that dies, and being renegotiated by hand.
import { assertEquals } from "@std/assert";
import { Daemon, shown } from "../netns/isakmpd_hosts.ts";
import { waitFor } from "../netns/topology.ts";
import { Charon } from "./charon.ts";
import { AES, Bench, isakmpdConf, type Scenario, swanctlConf } from "./charon_scenario.ts";

const installed = async (charon: Charon) => (await charon.sas()).match(/INSTALLED, TUNNEL/g)?.length ?? 0;

Deno.test("a charon that is killed and started again gets its connection back, and nothing of its former life stays", async () => {
  await using bench = await Bench.make();
  const scenario: Scenario = { ...AES, general: "DPD-check-interval=2\n" };
  const [gw, far] = [bench.net.host("gw"), bench.net.host("far")];
  let charon = await Charon.start(far, swanctlConf(scenario));
  const ours = await Daemon.start(gw, isakmpdConf(scenario).replace("Passive-connections", "Connections"));
  await ours.up();
  await bench.traffic(scenario);
  const spis = async () => [...(await shown(gw)).matchAll(/^esp (0x[0-9a-f]{8})/gm)].map(([, spi]) => spi);
  const old = await spis();
  assertEquals(old.length, 2);
  charon.process.signal("SIGKILL");
  await waitFor(() => charon.process.ended(), "charon to be gone");
  charon = await Charon.start(far, swanctlConf(scenario));
  await ours.says(/Ended phase 1 .*: dead/, 60_000);
  await waitFor(
    async () => (await bench.net.host("lan").ping("192.168.2.2", { count: 1, waitSeconds: 1 })).received === 1,
    "packets to pass again",
    60_000,
  );
  assertEquals((await spis()).filter((spi) => old.includes(spi)), []);
  assertEquals(await installed(charon), 1);
  await bench.traffic(scenario);
  await ours.stop();
  await charon.stop();
});

Deno.test("`c NAME` renegotiates a live connection: no packet is lost, and charon is left with one pair", async () => {
  await using bench = await Bench.make();
  await bench.run(AES, async (ours, charon) => {
    await ours.command("c tunnel");
    await ours.up();
    await bench.traffic(AES);
    const ping = bench.net.host("lan").spawn(["ping", "-n", "-D", "-O", "-i", "0.05", "-c", "200", "192.168.2.2"]);
    for (let time = 2; time <= 4; time++) {
      await new Promise((resolve) => setTimeout(resolve, 2000));
      await ours.command("c tunnel");
      await ours.up(time);
    }
    await waitFor(ping.ended, "ping to end", 30_000);
    const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(ping.output())!.map(Number);
    assertEquals([sent, received], [200, 200], ping.output());
    await waitFor(async () => await installed(charon) === 1, "charon to have one pair", 20_000);
    await bench.traffic(AES);
  });
});
