import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { formatHex } from "../../lib/octets/hex.ts";
import { describe } from "../../lib/photuris/messages.ts";
import { twoHosts } from "./shapes.ts";
import { type Background, type Host, topology, waitFor } from "./topology.ts";

const EXAMPLES = new URL("../../examples/photuris/etc/", import.meta.url);
const WEST = "192.168.5.1", EAST = "192.168.25.9";
const READY_MS = 60_000;

interface Setup {
  /** Lines after those of the shipped photuris.conf. */
  conf?: string;
  secrets?: string;
  startup?: string;
  args?: string[];
}

/** photurisd's directory on a host. */
const directoryOf = (host: Host) => join(host.folder, "photuris");

/** Secrets with local and remote swapped, as the FAQ has it. */
const secrets = (local: string, remote: string) =>
  `identity local "Default" "${local}"\nidentity remote "Default" "${remote}"\n`;

function write(host: Host, setup: Setup): void {
  const directory = directoryOf(host);
  Deno.mkdirSync(directory, { mode: 0o700, recursive: true });
  const shipped = (name: string) => Deno.readTextFileSync(new URL(name, EXAMPLES));
  Deno.writeTextFileSync(join(directory, "photuris.conf"), shipped("photuris.conf") + (setup.conf ?? ""));
  Deno.writeTextFileSync(join(directory, "attributes.conf"), shipped("attributes.conf"));
  const own = host.name === "west" ? secrets("alpha", "beta") : secrets("beta", "alpha");
  Deno.writeTextFileSync(join(directory, "secrets.conf"), setup.secrets ?? own, { mode: 0o600 });
  if (setup.startup !== undefined) Deno.writeTextFileSync(join(directory, "photuris.startup"), setup.startup);
}

async function startEngine(host: Host): Promise<Background> {
  Deno.writeTextFileSync(join(host.folder, "etc", "sysctl.conf"), "net.inet.ah.enable=1\n");
  const enc = host.startIpsecbox(["enc"]);
  await waitFor(() => /ready/.test(enc.output()) || enc.ended(), `the engine of ${host.name}`, READY_MS);
  assert(!enc.ended(), enc.output());
  return enc;
}

async function startDaemon(host: Host, setup: Setup = {}): Promise<Background> {
  write(host, setup);
  const daemon = host.startIpsecbox(["photurisd", "-f", ...setup.args ?? [], "-d", directoryOf(host)]);
  await waitFor(() => /Ready/.test(daemon.output()) || daemon.ended(), `photurisd of ${host.name}`, READY_MS);
  assert(!daemon.ended(), daemon.output());
  return daemon;
}

const startkey = (host: Host, ...items: string[]) =>
  host.ipsecbox(["startkey", "-d", directoryOf(host), ...items], { check: false, timeoutMs: 120_000 });

/** IP protocol numbers of what a capture saw between the hosts, Photuris' UDP left out. */
async function protocolsSeen(capture: Awaited<ReturnType<Host["capture"]>>): Promise<number[]> {
  const packets = await capture.packets();
  const protocols = packets.map(({ ip }) => ip[0] >> 4 === 4 ? ip[9] : ip[6]);
  return [...new Set(protocols)].filter((protocol) => protocol !== 17 && protocol !== 58).sort();
}

Deno.test("FAQ 13.7: startkey, then AH on the wire; then both; and nothing is left when the daemons end", async () => {
  await using net = await topology("ph137", twoHosts());
  const [west, east] = [net.host("west"), net.host("east")];
  await Promise.all([west, east].map(startEngine));
  const daemons = await Promise.all([startDaemon(west), startDaemon(east)]);

  const wire = await west.capture("eth0", "ip");
  const asked = await startkey(west, `dst=${EAST}`, "options=auth");
  assertEquals([asked.code, asked.stderr], [0, ""]);
  assertMatch(asked.stdout, /^Established keys with 192\.168\.25\.9 \(Default\): AH AT_MD5_IPMAC HMAC in with SPI 0x/);
  // The engine answers a moment before its packet Workers have the SAs.
  await waitFor(async () => (await west.ping(EAST)).received === 1, "AH", 20_000);
  assertEquals((await west.ping(EAST, { count: 3 })).received, 3);
  assertEquals((await east.ping(WEST, { count: 3 })).received, 3);
  assertEquals(await protocolsSeen(wire), [51]);

  const second = await east.capture("eth0", "ip");
  assertEquals((await startkey(west, `dst=${EAST}`, "options=enc,auth")).code, 0);
  await waitFor(async () => (await west.ping(EAST)).received === 1, "both protocols", 20_000);
  assertEquals((await west.ping(EAST, { count: 3 })).received, 3);
  assertEquals((await east.ping(WEST, { count: 3, size: 3000 })).received, 3);
  const words = await second.tshark("-Y", "icmp or esp or ah");
  assertMatch(words, /ESP \(SPI=0x/);
  assertEquals(await protocolsSeen(second), [51]);

  // Every Photuris datagram is one that our own description knows; tshark marks none as malformed.
  const photuris = (await wire.packets()).filter(({ ip }) => ip[9] === 17).map(({ ip }) => ip.subarray(28));
  assertEquals(photuris.map((octets) => describe(octets)[0].split(" ")[1]), [
    "Cookie_Request",
    "Cookie_Response",
    "Value_Request",
    "Value_Response",
    "Identity_Request",
    "Identity_Response",
  ], photuris.map(formatHex).join("\n"));
  assertEquals(await wire.tshark("-Y", "_ws.malformed"), "");

  for (const daemon of daemons) assertEquals(await daemon.stop(), 0, daemon.output());
  for (const host of [west, east]) {
    const { stdout } = await host.ipsecbox(["ipsecadm", "show"], { check: false });
    assert(!/^(esp|ah|flow) /m.test(stdout), stdout);
  }
  assertEquals((await west.ping(EAST)).received, 1);
});

Deno.test("A ping through ten renewals and several exchanges loses nothing", async () => {
  await using net = await topology("phrenew", twoHosts());
  const [west, east] = [net.host("west"), net.host("east")];
  await Promise.all([west, east].map(startEngine));
  const conf = `
config exchange_max_retransmits 3
config exchange_retransmit_timeout 1
config exchange_timeout 3
config exchange_lifetime 15
config spi_lifetime 9
config spi_bytes 80000
`;
  const [daemon, peer] = await Promise.all([
    startDaemon(west, { conf, args: ["-v"] }),
    startDaemon(east, { conf, args: ["-v"] }),
  ]);
  assertEquals((await startkey(west, `dst=${EAST}`)).code, 0);
  const ping = west.spawn(["ping", "-n", "-i", "0.05", "-s", "400", EAST]);
  const count = (text: string, what: RegExp) => [...text.matchAll(what)].length;
  const renewals = () =>
    [daemon, peer].map((one) => count(one.output(), /New SPI 0x/g)).reduce((sum, one) => sum + one, 0);
  const exchanges = () => count(daemon.output(), /Established keys/g);
  await waitFor(() => renewals() >= 10 && exchanges() >= 3, "ten renewals and three exchanges", 240_000);
  await ping.stop("SIGINT");
  const answered = [...ping.output().matchAll(/icmp_seq=(\d+)/g)].map(([, number]) => Number(number));
  const sent = Number(/(\d+) packets transmitted/.exec(ping.output())![1]);
  const lost = Array.from({ length: sent }, (_, i) => i + 1).filter((number) => !answered.includes(number));
  // The last one may have been under way when ping was told to stop.
  if (lost.at(-1) === sent) lost.pop();
  assertEquals(lost, [], `${daemon.output()}\n${peer.output()}`);
  assert(sent > 300, `${sent} pings`);
});

Deno.test("A flow of the administrator's has keys made on demand, over IPv6, too", async () => {
  await using net = await topology("phacq", twoHosts());
  const [west, east] = [net.host("west"), net.host("east")];
  await Promise.all([west, east].map(startEngine));
  const [daemon] = await Promise.all([startDaemon(west, { args: ["-v"] }), startDaemon(east)]);
  for (const [local, remote] of [[WEST, EAST], ["fd00:5::1", "fd00:25::9"]]) {
    const bits = local.includes(":") ? 128 : 32;
    const flow = ["ipsecadm", "flow", "-proto", "esp", "-src", local, "-dst", remote];
    await west.ipsecbox([...flow, "-addr", `${local}/${bits}`, `${remote}/${bits}`, "-out", "-require"]);
    const wire = await west.capture("eth0", local.includes(":") ? "ip6 proto 50" : "ip proto 50");
    await waitFor(async () => (await west.ping(remote)).received === 1, `keys for ${remote}`, 30_000);
    assert((await wire.packets()).length >= 2);
  }
  assertMatch(daemon.output(), /Keys for 192\.168\.25\.9 are needed/);
  assertMatch(daemon.output(), /Established keys with fd00:25::9 \(Default\): ESP/);
});

Deno.test("photuris.startup sets up a tunnel between networks", async () => {
  await using net = await topology("phtun", twoHosts());
  const [west, east] = [net.host("west"), net.host("east")];
  await west.exec("ip addr add 10.1.0.1/24 dev lo");
  await east.exec("ip addr add 10.2.0.1/24 dev lo");
  await Promise.all([west, east].map(startEngine));
  await startDaemon(east, {
    startup: `dst=${WEST} options=enc tsrc=10.2.0.0/255.255.255.0 tdst=10.1.0.0/255.255.255.0\n`,
    args: ["-i"],
  });
  const wire = await west.capture("eth0", "ip proto 50");
  const daemon = await startDaemon(west, {
    startup: `dst=${EAST} options=enc\ntsrc=10.1.0.0/24\ntdst=10.2.0.0/24\n`,
  });
  await waitFor(() => /Established keys/.test(daemon.output()), "the startup exchange", 30_000);
  await waitFor(async () => (await west.ping("10.2.0.1", { source: "10.1.0.1" })).received === 1, "the tunnel", 15_000);
  assertEquals((await east.ping("10.1.0.1", { source: "10.2.0.1", count: 3, size: 2000 })).received, 3);
  const packets = await wire.packets();
  assert(packets.length >= 2 && packets.every(({ ip }) => ip.subarray(12, 20).join(".").includes("192.168.")));
  // Outside the tunnel the hosts talk in the clear.
  assertEquals((await west.ping(EAST)).received, 1);
});

Deno.test("startkey says why there are no keys: no host, no answer, another secret, nobody to ask", async () => {
  await using net = await topology("phwhy", twoHosts());
  const [west, east] = [net.host("west"), net.host("east")];
  await Promise.all([west, east].map(startEngine));
  write(west, {});
  const nobody = await startkey(west, `dst=${EAST}`);
  assertEquals([nobody.code, nobody.stderr], [
    1,
    `startkey: cannot write to ${directoryOf(west)}/photuris.pipe: is photurisd running?\n`,
  ]);
  const conf = "\nconfig exchange_max_retransmits 1\nconfig exchange_retransmit_timeout 1\n";
  const daemon = await startDaemon(west, { conf });
  for (
    const [items, words] of [
      [["dst=192.0.2.77"], "No answer from 192.0.2.77 port 468 to Cookie_Request"],
      [[`dst=${WEST}`], "192.168.5.1 is an address of this host"],
      [["options=auth"], "dst is missing: dst=ADDRESS is needed"],
      [[`dst=${EAST}`, "options=all"], 'options: found "all", allowed: enc, auth or enc,auth'],
    ] as const
  ) {
    const { code, stderr } = await startkey(west, ...items);
    assertEquals([code, stderr], [1, `startkey: ${words}\n`]);
  }
  const peer = await startDaemon(east, { secrets: secrets("beta", "not alpha"), conf });
  const { code, stderr } = await startkey(west, `dst=${EAST}`);
  assertEquals(code, 1);
  assertStringIncludes(stderr, '192.168.25.9 could not verify us as "Default": most likely');
  assertMatch(
    peer.output(),
    /Cannot verify that 192\.168\.5\.1 is "Default": most likely its secret is not that of .*secrets\.conf:2/,
  );
  assert(!/alpha|beta/.test(daemon.output() + peer.output()));

  // The secret is corrected, SIGHUP reads it, and the same question has another answer.
  Deno.writeTextFileSync(join(directoryOf(east), "secrets.conf"), secrets("beta", "alpha"));
  peer.signal("SIGHUP");
  await waitFor(() => /read anew/.test(peer.output()), "SIGHUP");
  const again = await startkey(west, `dst=${EAST}`);
  assertEquals([again.code, again.stderr], [0, ""]);
  // Without waiting, as OpenBSD's startkey.
  assertEquals((await startkey(west, "-n", `dst=${EAST}`)).stdout, "");
});

Deno.test("An engine that hangs or is killed costs its keys, and gets new ones without help", async () => {
  await using net = await topology("phgone", twoHosts());
  const [west, east] = [net.host("west"), net.host("east")];
  const [engine, other] = await Promise.all([west, east].map(startEngine));
  const setup = { args: ["-v"], conf: "\nconfig exchange_retransmit_timeout 1\n" };
  const [daemon, peer] = await Promise.all([startDaemon(west, setup), startDaemon(east, setup)]);
  assertEquals((await startkey(west, `dst=${EAST}`, "options=auth")).code, 0);
  const flows = async (host: Host) => (await host.ipsecbox(["ipsecadm", "show"], { check: false })).stdout;
  const keyed = () =>
    waitFor(async () => /^ah /m.test(await flows(west)) && (await west.ping(EAST)).received === 1, "new keys", 30_000);
  await keyed();

  engine.signal("SIGSTOP");
  const asked = await startkey(west, `dst=${EAST}`, "options=auth");
  assertEquals(asked.code, 1);
  assertMatch(asked.stderr, /has not answered GETSPI for 10 seconds|the IPsec engine has gone/);
  assertMatch(daemon.output(), /the IPsec engine has not answered GETSPI for 10 seconds; waiting for it/);
  engine.signal("SIGCONT");
  await waitFor(() => /The IPsec engine is back/.test(daemon.output()), "the engine", 30_000);
  await keyed();
  // Nothing of the time before is left but the SPI that was asked for: one SA for each direction.
  const sas = (await flows(west)).split(/^(?=\S)/m).filter((part) =>
    part.startsWith("ah ") && !part.includes("larval")
  );
  assertEquals(sas.length, 2, sas.join(""));

  // Killed while an exchange is under way; the peer of whom nothing was asked loses its engine, too.
  const asking = startkey(west, `dst=${EAST}`, "options=auth");
  for (const one of [engine, other]) await one.stop("SIGKILL");
  await asking; // an outcome, whichever
  await Promise.all([west, east].map(startEngine));
  await waitFor(() => (daemon.output() + peer.output()).match(/engine is back/g)?.length === 3, "both engines", 30_000);
  assertMatch(await flows(west), /require/);
  await keyed();
});

Deno.test("photurisd goes into the background, says on the way what is wrong, and keeps its secrets to itself", async () => {
  await using net = await topology("phbg", twoHosts());
  const west = net.host("west");
  write(west, {});
  const command = ["photurisd", "-d", directoryOf(west)];
  const noEngine = await west.ipsecbox(command, { check: false });
  assertEquals(noEngine.code, 1);
  assertMatch(noEngine.stderr, /^photurisd: cannot reach the IPsec engine at .*: start it with "ipsecbox enc"\n$/);
  await startEngine(west);
  Deno.chmodSync(join(directoryOf(west), "secrets.conf"), 0o644);
  const open = await west.ipsecbox(command, { check: false });
  assertEquals(open.code, 1);
  assertStringIncludes(open.stderr, "secrets.conf: mode 0644 lets others at it, allowed 0600");
  Deno.chmodSync(join(directoryOf(west), "secrets.conf"), 0o600);
  Deno.renameSync(join(directoryOf(west), "secrets.conf"), join(directoryOf(west), "elsewhere"));
  Deno.symlinkSync("elsewhere", join(directoryOf(west), "secrets.conf"));
  assertStringIncludes((await west.ipsecbox(command, { check: false })).stderr, "secrets.conf: it is a symbolic link");
  Deno.removeSync(join(directoryOf(west), "secrets.conf"));
  Deno.renameSync(join(directoryOf(west), "elsewhere"), join(directoryOf(west), "secrets.conf"));

  const started = await west.ipsecbox([...command, "-c", "-p", "4680"], { check: false });
  assertEquals([started.code, started.stderr], [0, ""]);
  const pid = Number(Deno.readTextFileSync(join(west.folder, "run", "photurisd.pid")));
  assertMatch((await west.exec("ss -Hlun")).stdout, /192\.168\.5\.1:4680 /);
  const { mode, isFifo } = Deno.lstatSync(join(directoryOf(west), "photuris.pipe"));
  assertEquals([isFifo, (mode ?? 0) & 0o777], [true, 0o660]);
  const twice = await west.ipsecbox([...command, "-p", "4680"], { check: false });
  assertMatch(twice.stderr, /bind UDP port 4680 of .*address already in use .*process/);
  Deno.kill(pid, "SIGTERM");
  await waitFor(async () => !(await west.exec("ss -Hlun")).stdout.includes(":4680 "), "its end", 20_000);
});

/** Sends Cookie_Requests from random sources through a raw socket: `RATE SECONDS`; prints how many it sent. */
const FLOOD = `
import os, random, socket, struct, sys, time
rate, seconds = int(sys.argv[1]), float(sys.argv[2])
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
target = socket.inet_aton("${EAST}")
start, sent = time.monotonic(), 0
while time.monotonic() < start + seconds:
    for _ in range(min(64, max(0, int((time.monotonic() - start) * rate) - sent))):
        source = bytes([10]) + os.urandom(3)
        message = os.urandom(16) + bytes(16) + b"\\0\\0"
        udp = struct.pack(">HHHH", random.randrange(1024, 65536), 468, 8 + len(message), 0) + message
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + source + target
        raw.sendto(ip + udp, ("${EAST}", 0))
        sent += 1
print(sent)
`;

/** Resident memory of photurisd, in KiB. */
async function memoryOf(host: Host): Promise<number> {
  const pid = Deno.readTextFileSync(join(host.folder, "run", "photurisd.pid")).trim();
  const { stdout } = await host.exec(["cat", `/proc/${pid}/status`]);
  return Number(/VmRSS:\s+(\d+)/.exec(stdout)![1]);
}

Deno.test("10,000 Cookie_Requests a second from random sources do not keep a peer from its keys", async () => {
  await using net = await topology("phflood", twoHosts());
  const [west, east] = [net.host("west"), net.host("east")];
  await Promise.all([west, east].map(startEngine));
  await Promise.all([startDaemon(west), startDaemon(east)]);
  const flood = west.spawn(["/usr/bin/python3", "-c", FLOOD, "10000", "8"]);
  const asked = await startkey(west, `dst=${EAST}`);
  assertEquals([asked.code, asked.stderr], [0, ""]);
  await waitFor(() => flood.ended(), "the flood", 30_000);
  assert(Number(flood.output()) > 30_000, `only ${flood.output()} were sent`);
  // What the sources leave in the heap is measured in tests/photuris/flood_test.ts; here garbage counts, too.
  const residentKiB = await memoryOf(east);
  assert(residentKiB < 400 * 1024, `${residentKiB} KiB`);
  assertEquals((await west.ping(EAST, { count: 3 })).received, 3);
});
