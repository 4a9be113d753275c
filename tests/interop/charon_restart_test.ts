// What a live connection with strongSwan's charon goes through: a charon that dies, and being renegotiated by hand.
import { assertEquals } from "@std/assert";
import { waitFor } from "../netns/topology.ts";
import { Charon } from "./charon.ts";
import { AES, Bench, isakmpdConf, type Scenario, swanctlConf } from "./charon_scenario.ts";
import { Daemon } from "../netns/isakmpd_hosts.ts";

const installed = async (charon: Charon) => (await charon.sas()).match(/INSTALLED, TUNNEL/g)?.length ?? 0;

Deno.test("a charon that is killed and started again gets its connection back, and nothing of its former life stays", async () => {
  await using bench = await Bench.make();
  const scenario: Scenario = { ...AES, general: "DPD-check-interval=2\n" };
  const [gw, far] = [bench.net.host("gw"), bench.net.host("far")];
  let charon = await Charon.start(far, swanctlConf(scenario));
  const ours = await Daemon.start(gw, isakmpdConf(scenario));
  await ours.command("c tunnel");
  await ours.up();
  await bench.traffic(scenario);
  for (let life = 2; life <= 3; life++) {
    const before = await gw.ipsecbox(["ipsecadm", "show"]);
    charon.process.signal("SIGKILL");
    await waitFor(() => charon.process.ended(), "charon to be gone");
    charon = await Charon.start(far, swanctlConf(scenario));
    await waitFor(
      async () => (await bench.net.host("lan").ping("192.168.2.2", { count: 1, waitSeconds: 1 })).received === 1,
      `packets to pass in charon's life ${life}`,
      60_000,
    );
    await ours.says(/Ended phase 1 .*(dead|not answer|silent)/, 60_000);
    const spis = (text: string) => [...text.matchAll(/spi (0x[0-9a-f]{8})/g)].map(([, spi]) => spi);
    const old = new Set(spis(before.stdout));
    const left = async () => spis((await gw.ipsecbox(["ipsecadm", "show"])).stdout).filter((spi) => old.has(spi));
    await waitFor(async () => (await left()).length === 0, "the SAs of the former life to end", 30_000);
    assertEquals(await installed(charon), 1);
    await bench.traffic(scenario);
  }
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
