import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { topology, twoGateways, twoHosts, waitFor } from "./topology.ts";

function namespaces(): string {
  return new TextDecoder().decode(new Deno.Command("ip", { args: ["netns", "list"] }).outputSync().stdout);
}

Deno.test("two hosts reach each other through the router, and nothing is left afterwards", async () => {
  let name: string;
  let folder: string;
  {
    using net = await topology("hosts", twoHosts());
    name = net.host("west").namespace;
    folder = net.folder;
    const [west, east] = [net.host("west"), net.host("east")];
    assertEquals((await west.ping("192.168.25.9", { count: 2 })).received, 2);
    assertEquals((await east.ping("fd00:5::1")).received, 1);
    assertStringIncludes((await west.exec("echo $IPSECBOX_RUN; ls /run")).stdout, `${net.folder}/west/run`);
    await assertRejects(() => west.exec(["false"]), Error, `"false" ended with 1`);
    assertEquals((await west.exec("exit 3", { check: false })).code, 3);
    assertEquals((await west.exec(["cat"], { input: "abc" })).stdout, "abc");
    assertStringIncludes(namespaces(), name);
  }
  assertEquals(namespaces().includes(name), false);
  await assertRejects(() => Deno.stat(folder), Deno.errors.NotFound);
});

Deno.test("a network whose making fails is removed", async () => {
  const spec = { hosts: { only: { routes: ["default via 10.0.0.1"] } }, links: [] };
  await assertRejects(() => topology("broken", spec), Error, "Cannot run ip");
  assertEquals(namespaces().includes(`ib-broken-only-${Deno.pid}-`), false);
});

Deno.test("the gateways' networks reach each other only where the router in the middle knows them", async () => {
  using plain = await topology("gw", twoGateways({ rpFilter: 1 }));
  assertEquals((await plain.host("westlan").ping("208.1.2.10")).received, 0);
  assertEquals((await plain.host("west").ping("208.2.2.2")).received, 1);
  using clear = await topology("gwclear", twoGateways({ clearRoutes: true }));
  assertEquals((await clear.host("westlan").ping("208.1.5.10")).received, 1);
  assertEquals((await clear.host("east2").ping("fd99::10")).received, 1);
});

Deno.test("captures hold what was on the wire, and background commands end when told", async () => {
  using net = await topology("cap", twoHosts());
  const [west, router] = [net.host("west"), net.host("router")];
  const capture = await router.capture("eth1", "icmp");
  await west.ping("192.168.25.9", { count: 2, size: 100 });
  const packets = await capture.packets();
  assertEquals(packets.map(({ ip }) => [ip.length, ip[9]]), Array(4).fill([128, 1]));
  assertEquals((await capture.tshark("-T", "fields", "-e", "icmp.type")).trim().split("\n"), ["8", "0", "8", "0"]);

  const sleeper = west.spawn(["sleep", "100"]);
  assertEquals([sleeper.ended(), sleeper.status()], [false, undefined]);
  assertEquals(await sleeper.stop(), 143);
  const quick = west.spawn("echo said; exit 7");
  await waitFor(quick.ended, "the command to end");
  assertEquals([quick.status(), quick.output()], [7, "said\n"]);
});

Deno.test("an interrupted program takes its network and what runs in it away", async () => {
  const program = `import { topology } from "${new URL("./topology.ts", import.meta.url)}";
    const net = await topology("intr", { hosts: { only: {} }, links: [] });
    net.host("only").spawn(["sleep", "1000"]);
    console.log(net.host("only").namespace);
    await new Promise((resolve) => setTimeout(resolve, 60_000));`;
  const file = Deno.makeTempFileSync({ suffix: ".ts" });
  Deno.writeTextFileSync(file, program);
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--config", config, file],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const name = (await reader.read()).value!.trim();
  assertStringIncludes(namespaces(), name);
  child.kill("SIGINT");
  assertEquals((await child.status).code, 130);
  await reader.cancel();
  assertEquals(namespaces().includes(name), false);
  Deno.removeSync(file);
});
