// isakmpd and photurisd as the user _ipsecbox, who exists in the hosts' own /etc/passwd alone.
import { assertEquals, assertMatch } from "@std/assert";
import { dirname, join } from "node:path";
import { Daemon, exampleConf, GATEWAYS, startEngine, writePrivate } from "./isakmpd_hosts.ts";
import { type Host, topology, waitFor } from "./topology.ts";

const USER = 61_234, GROUP = 61_235;
const CONFS = { west: exampleConf("west"), east: exampleConf("east") };
const [BIND, RAW] = [1 << 10, 1 << 13];

/** Gives a host the user, and lets it pass to the host's files. */
async function addUser(host: Host): Promise<void> {
  const passwd = join(host.folder, "passwd");
  const row = `_ipsecbox:x:${USER}:${GROUP}::/nonexistent:/usr/sbin/nologin\n`;
  Deno.writeTextFileSync(passwd, Deno.readTextFileSync("/etc/passwd").trimEnd() + "\n" + row);
  await host.exec(["mount", "--bind", passwd, "/etc/passwd"]);
  for (const folder of [host.folder, dirname(host.folder)]) Deno.chmodSync(folder, 0o711);
}

/** What every thread of a process has of a field of its status, once each. */
const ofThreads = (pid: number, field: string): string[] => [
  ...new Set(
    [...Deno.readDirSync(`/proc/${pid}/task`)].map(({ name }) =>
      new RegExp(`^${field}:[ \\t]*(.*)$`, "m").exec(Deno.readTextFileSync(`/proc/${pid}/task/${name}/status`))![1]
        .trim()
    ),
  ),
];

/** Demands of all threads that they are the user's, in no other group, with two capabilities at most. */
function assertConfined(pid: number): void {
  assertEquals(ofThreads(pid, "Uid"), [Array(4).fill(USER).join("\t")]);
  assertEquals(ofThreads(pid, "Gid"), [Array(4).fill(GROUP).join("\t")]);
  assertEquals(ofThreads(pid, "Groups"), [""]);
  assertEquals(ofThreads(pid, "NoNewPrivs"), ["1"]);
  for (const field of ["CapBnd", "CapPrm", "CapAmb", "CapInh"]) {
    const all = ofThreads(pid, field).reduce((sum, text) => sum | parseInt(text, 16), 0);
    assertEquals(all & ~(BIND | RAW), 0, `${field} ${all.toString(16)}`);
  }
}

Deno.test("who owns its configuration, isakmpd negotiates as _ipsecbox, and root talks to it as ever", async () => {
  await using net = await topology("user", GATEWAYS);
  const hosts = [net.host("west"), net.host("east")] as const;
  for (const host of hosts) await addUser(host);
  await Promise.all(hosts.map(startEngine));
  const start = (host: Host, name: "west" | "east") => {
    Deno.chownSync(writePrivate(host, "isakmpd.conf", ""), USER, GROUP);
    return Daemon.start(host, CONFS[name]);
  };
  const [west, east] = await Promise.all([start(hosts[0], "west"), start(hosts[1], "east")]);
  await Promise.all([west.up(), east.up()]);
  assertEquals((await net.host("westlan").ping("192.168.2.2", { count: 3 })).received, 3);
  for (const { process } of [west, east]) assertConfined(process.pid);
  // Only the daemons' group gets at the engine's sockets.
  const modes = await hosts[0].exec("stat -c '%a %u %g' $IPSECBOX_RUN $IPSECBOX_RUN/pfkey.sock $IPSECBOX_RUN/ike.sock");
  assertEquals(modes.stdout, `711 0 0\n660 0 ${GROUP}\n660 0 ${GROUP}\n`);

  assertEquals((await hosts[0].exec("cat /run/isakmpd.pid")).stdout, `${west.process.pid}\n`);
  west.process.signal("SIGUSR1");
  const report = async () => (await hosts[0].exec("cat /run/isakmpd.report")).stdout;
  await waitFor(async () => /Phase 2/.test(await report()), "the report");
  await west.command("S");
  await waitFor(async () => /Phase 1/.test((await hosts[0].exec("cat /run/isakmpd.result")).stdout), "the result");
  const status = await hosts[0].ipsecbox(["status"]);
  assertMatch(status.stdout, /isakmpd +.*phase 1/);
  assertEquals(await west.stop(), 0);
  assertEquals((await hosts[0].exec("cat /run/isakmpd.pid")).stdout, "");
  // What the one before left is handed over once more.
  const again = await start(hosts[0], "west");
  assertConfined(again.process.pid);
});

Deno.test("photurisd runs as _ipsecbox where only that group may read its files, and answers startkey", async () => {
  await using net = await topology("puser", GATEWAYS);
  const hosts = [net.host("west"), net.host("east")] as const;
  for (const host of hosts) {
    await addUser(host);
    Deno.writeTextFileSync(join(host.folder, "etc", "sysctl.conf"), "net.inet.ah.enable=1\n");
  }
  await Promise.all(hosts.map(startEngine));
  const examples = new URL("../../examples/photuris/etc/", import.meta.url).pathname;
  const daemons = await Promise.all(hosts.map(async (host) => {
    const folder = join(host.folder, "photuris");
    await host.exec(`cp -r ${examples} ${folder} && chown -R 0:${GROUP} ${folder} && chmod -R u=rwX,g=rX,o= ${folder}`);
    const [own, peer] = host.name === "west" ? ["alpha", "beta"] : ["beta", "alpha"];
    await Deno.writeTextFile(
      join(folder, "secrets.conf"),
      `identity local "Default" "${own}"\nidentity remote "Default" "${peer}"\n`,
    );
    const daemon = host.startIpsecbox(["photurisd", "-f", "-d", folder]);
    await waitFor(() => /Ready: /.test(daemon.output()) || daemon.ended(), "photurisd", 20_000);
    return daemon;
  }));
  for (const daemon of daemons) assertConfined(daemon.pid);
  const answer = await hosts[0].ipsecbox(["startkey", "-d", join(hosts[0].folder, "photuris"), "dst=10.1.0.2"], {
    check: false,
    timeoutMs: 60_000,
  });
  assertEquals([answer.code, answer.stderr], [0, ""], daemons[0].output());
});

Deno.test("without a word from the configuration's owner the daemons stay root's, with the same few rights", async () => {
  await using net = await topology("nouser", GATEWAYS);
  const host = net.host("west");
  await addUser(host);
  await startEngine(host);
  const daemon = await Daemon.start(host, CONFS.west);
  assertEquals(ofThreads(daemon.process.pid, "Uid"), ["0\t0\t0\t0"]);
  assertEquals(ofThreads(daemon.process.pid, "CapBnd"), [(BIND | RAW).toString(16).padStart(16, "0")]);
});
