import { assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { key, startEngine } from "./engine.ts";
import { twoHosts } from "./shapes.ts";
import { type Host, topology, waitFor } from "./topology.ts";

const WEST = "192.168.5.1";
const EAST = "192.168.25.9";

function writeRcConf(host: Host, lines: readonly string[], mode = 0o600): string {
  const path = join(host.environment.IPSECBOX_ETC, "rc.conf");
  Deno.writeTextFileSync(path, lines.join("\n") + "\n");
  Deno.chmodSync(path, mode);
  return path;
}

const linesOf = (own: string, peer: string) => [
  "# keys and flows of this host",
  `ipsecadm new esp -src ${WEST} -dst ${EAST} -spi 1000 -forcetunnel -enc aes-gcm -key ${key(20)}`,
  `new esp -src ${EAST} -dst ${WEST} -spi 1001 -forcetunnel \\`,
  `    -enc aes-gcm -key ${key(20)}`,
  `flow -proto esp -src ${own} -dst ${peer} -addr ${own}/32 ${peer}/32 -out -require`,
  `flow -proto esp -src ${own} -dst ${peer} -addr ${peer}/32 ${own}/32 -in -require`,
];

Deno.test("rc.conf is in force when the engine says it is ready; what is wrong in it is told by line", async () => {
  await using net = await topology("rcconf", twoHosts());
  const [west, east] = [net.host("west"), net.host("east")];
  const path = writeRcConf(west, linesOf(WEST, EAST));
  writeRcConf(east, [
    ...linesOf(EAST, WEST),
    "flush",
    "new esp -spi ten",
    "flow -delete -out -addr 10.0.0.0/8 11.0.0.0/8",
  ], 0o644);
  const [w, e] = await Promise.all([startEngine(west), startEngine(east)]);
  assertMatch(w.output(), new RegExp(`4 lines of ${path} are in force[^]*ready`));
  assertMatch(e.output(), /rc\.conf:7: only new, ip4, flow, group and bind may stand here/);
  assertMatch(e.output(), /rc\.conf:8: .*ten/);
  assertMatch(e.output(), /rc\.conf:9: only new/);
  assertMatch(e.output(), /rc\.conf: it holds keys and others may read it: chmod 600/);
  assertEquals((await west.ping(EAST, { count: 2 })).received, 2);
  // A check says the same and fails.
  await e.stop();
  const check = await east.ipsecbox(["enc", "-n"], { check: false });
  assertEquals([check.code, /rc\.conf:8:/.test(check.stderr)], [1, true]);
});

Deno.test("a killed engine that is started again works by rc.conf alone", async () => {
  await using net = await topology("rckill", twoHosts());
  const [west, east] = [net.host("west"), net.host("east")];
  writeRcConf(west, linesOf(WEST, EAST));
  writeRcConf(east, linesOf(EAST, WEST));
  const [w] = await Promise.all([startEngine(west), startEngine(east)]);
  await w.stop("SIGKILL");
  const again = await startEngine(west);
  assertMatch(again.output(), /cleartext of 2 flows is held back[^]*4 lines of/);
  await waitFor(async () => (await west.ping(EAST)).received === 1, "the tunnel");
});

Deno.test("the service manager hears when the engine is ready, that it lives, and when it ends", async () => {
  await using net = await topology("notify", twoHosts());
  const west = net.host("west");
  const socket = join(west.folder, "notify");
  const listener = west.spawn([
    "/usr/bin/python3",
    "-uc",
    "import socket,sys\ns=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\ns.bind(sys.argv[1])\nprint('bound')\n" +
    "while True: print(s.recv(999).decode())",
    socket,
  ]);
  await waitFor(() => listener.output().includes("bound"), "the socket");
  const engine = west.startIpsecbox(["enc"], { NOTIFY_SOCKET: socket, WATCHDOG_USEC: "200000" });
  await waitFor(() => /READY=1\n(WATCHDOG=1\n){3}/.test(listener.output()), "three signs of life", 15_000);
  assertEquals(await engine.stop(), 0);
  assertMatch(listener.output(), /STOPPING=1\n/);
});

/** The most that any thread may ever have, by the bounding set and by what is permitted now, of all threads. */
function mostCapabilities(pid: number): { bounding: number; permitted: number; threads: number } {
  const texts = [...Deno.readDirSync(`/proc/${pid}/task`)].map(({ name }) =>
    Deno.readTextFileSync(`/proc/${pid}/task/${name}/status`)
  );
  const all = (field: string) =>
    texts.reduce((sum, text) => sum | parseInt(new RegExp(`^${field}:\t(.*)$`, "m").exec(text)![1], 16), 0);
  return { bounding: all("CapBnd"), permitted: all("CapPrm") | all("CapInh"), threads: texts.length };
}

/** Effective capabilities of the main thread. */
const capabilities = (pid: number): number =>
  parseInt(/^CapEff:\t(.*)$/m.exec(Deno.readTextFileSync(`/proc/${pid}/task/${pid}/status`))![1], 16);

const [BIND, ADMIN, RAW] = [1 << 10, 1 << 12, 1 << 13];

Deno.test("daemons keep the capabilities that they need, write no core, and keep keys out of argv and environ", async () => {
  await using net = await topology("caps", twoHosts());
  const west = net.host("west");
  writeRcConf(west, linesOf(WEST, EAST));
  const engine = await startEngine(west);
  assertEquals(capabilities(engine.pid), BIND | ADMIN | RAW);
  const conf = join(west.folder, "isakmpd.conf");
  Deno.writeTextFileSync(conf, "[General]\nListen-on= 192.168.5.1\n[Phase 1]\n[Phase 2]\n", { mode: 0o600 });
  const isakmpd = west.startIpsecbox(["isakmpd", "-d", "-K", "-c", conf]);
  await waitFor(() => /listening on/.test(isakmpd.output()) || isakmpd.ended(), "isakmpd", 15_000);
  const folder = join(west.folder, "photuris");
  await west.exec(["cp", "-r", new URL("../../examples/photuris/etc", import.meta.url).pathname, folder]);
  await west.exec(`chmod -R go= ${folder}`);
  const photurisd = west.startIpsecbox(["photurisd", "-f", "-d", folder]);
  await waitFor(() => /Ready: /.test(photurisd.output()) || photurisd.ended(), "photurisd", 15_000);
  await waitFor(() => capabilities(photurisd.pid) === (BIND | RAW), `photurisd to give up: ${photurisd.output()}`);
  await waitFor(() => capabilities(isakmpd.pid) === (BIND | RAW), `isakmpd to give up: ${isakmpd.output()}`);
  for (
    const [{ pid }, kept] of [[engine, BIND | ADMIN | RAW], [isakmpd, BIND | RAW], [photurisd, BIND | RAW]] as const
  ) {
    const { bounding, permitted, threads } = mostCapabilities(pid);
    assertEquals([bounding, permitted & ~kept], [kept, 0]);
    assertEquals(threads > 2, true, `${threads} threads`);
    assertMatch(Deno.readTextFileSync(`/proc/${pid}/limits`), /^Max core file size +0 +0 /m);
    const shown = Deno.readTextFileSync(`/proc/${pid}/environ`) + Deno.readTextFileSync(`/proc/${pid}/cmdline`);
    assertEquals(shown.includes(key(20)), false);
    assertMatch(Deno.readTextFileSync(`/proc/${pid}/status`), /^NoNewPrivs:\t1$/m);
  }
  // A socket that is opened later is bound and marked too.
  Deno.writeTextFileSync(conf, "[General]\nListen-on= 192.168.5.1,192.168.5.77\n[Phase 1]\n[Phase 2]\n");
  await west.exec("ip addr add 192.168.5.77/24 dev eth0");
  isakmpd.signal("SIGHUP");
  await waitFor(
    async () => (await west.exec("ss -uln")).stdout.includes("192.168.5.77:500"),
    `the new address: ${isakmpd.output()}`,
  );
  // The engine still moves flows, filters and reverse-path settings.
  await west.ipsecbox(["ipsecadm", "flush"]);
  assertEquals((await west.exec("nft list tables")).stdout, "");
});
