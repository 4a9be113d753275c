import { assert, assertEquals, assertMatch } from "@std/assert";
import { Daemon, exampleConf, GATEWAYS } from "./isakmpd_hosts.ts";
import { ipsecadm, key, protect, startEngine } from "./engine.ts";
import { twoHosts } from "./shapes.ts";
import { type Host, ipsecboxCommand, topology, waitFor } from "./topology.ts";

const WEST = "192.168.5.1";
const EAST = "192.168.25.9";
const SA = `new esp -forcetunnel -enc 3des -auth sha1 -key ${key(24)} -authkey ${key(20)}`;
const HOSTS = [[`${WEST}/32`, `${EAST}/32`]] as const;

/** Runs `ipsecbox top` in a pseudo-terminal; returns its screens and its end. */
async function top(host: Host, size: string, steps: string): Promise<{ shots: string[]; end: string }> {
  const script = new URL("top.py", import.meta.url).pathname;
  const command = ["/usr/bin/python3", script, ...size.split("x"), steps, ...ipsecboxCommand(), "top", "-d", "0.3"];
  const { stdout } = await host.exec(command);
  const [, ...parts] = stdout.split(/^=== (?:shot|end ?)/m);
  return { shots: parts.slice(0, -1).map((part) => part.trimStart()), end: parts.at(-1)! };
}

Deno.test("status, netstat and metrics tell of SAs, traffic, drops and cleartext", async () => {
  await using net = await topology("status", twoHosts());
  const [west, east] = [net.host("west"), net.host("east")];
  const [, engine] = await Promise.all([startEngine(west), startEngine(east, "--metrics", "9468")]);
  await protect([{ host: west, address: WEST }, { host: east, address: EAST }], SA, HOSTS);
  assertEquals((await west.ping(EAST, { count: 3 })).received, 3);
  // Cleartext that east's flow forbids, and a packet for which east has no SA.
  await ipsecadm(west, "flush");
  assertEquals((await west.ping(EAST, { count: 2, waitSeconds: 0.2 })).received, 0);

  const { stdout } = await east.ipsecbox(["status"]);
  assertMatch(stdout, /^engine {5}process \d+, up \d+ s, interface enc0, (libcrypto|node:crypto)\n/);
  assertMatch(stdout, /^cleartext {2}2 dropped by policy, 0 held back\n/m);
  assertMatch(stdout, /^isakmpd {4}not running\nphoturisd {2}not running\n/m);
  assertMatch(stdout, /^esp 0x00001000 {2}in {3}192\.168\.5\.1 {2}3des sha1 {3}mature .* no limit +3 {2}252 B +0\n/m);
  assertMatch(stdout, /^out {3}require {2}192\.168\.25\.9\/32 {2}192\.168\.5\.1\/32 +any +esp 192\.168\.5\.1\n/m);
  assertMatch(
    (await east.ipsecbox(["netstat", "-s", "-p", "policy"])).stdout,
    /\t2 cleartext packets dropped by policy\n/,
  );

  const json = JSON.parse((await east.ipsecbox(["status", "--json"])).stdout);
  assertEquals(json.sas.map((sa: { packets: number }) => sa.packets), [3, 3]);
  assertEquals(json.statistics.policy.cleartext, 2);

  const printed = (await east.ipsecbox(["status", "--prometheus"])).stdout;
  const sample = `ipsecbox_sa_packets_total{protocol="esp",spi="0x00001000",source="${WEST}",destination="${EAST}",` +
    `direction="in",peer="${WEST}"} 3\n`;
  assert(printed.includes(sample), printed);
  assert(printed.includes("ipsecbox_cleartext_dropped_total 2\n"));
  const fetched = await east.exec([
    "/usr/bin/python3",
    "-c",
    "import urllib.request as u; r=u.urlopen('http://127.0.0.1:9468/metrics'); print(r.headers['content-type']); print(r.read().decode())",
  ]);
  assertMatch(fetched.stdout, /^text\/plain; version=0\.0\.4/);
  assert(fetched.stdout.includes(sample), fetched.stdout);
  const outside = await west.exec([
    "/usr/bin/python3",
    "-c",
    `import socket; socket.create_connection(("${EAST}",9468),1)`,
  ], {
    check: false,
  });
  assertEquals(outside.code, 1, "metrics are for this host alone");
  // Whoever keeps a connection open does not keep the engine from ending.
  const keep = "import http.client as h,time; c=h.HTTPConnection('127.0.0.1',9468); c.request('GET','/metrics'); " +
    "print(len(c.getresponse().read()),flush=True); time.sleep(60)";
  const reader = east.spawn(["/usr/bin/python3", "-c", keep]);
  await waitFor(() => /\d/.test(reader.output()), "an answer");
  assertEquals(await engine.stop("SIGTERM", 4000), 0);
});

Deno.test("top shows rates in a terminal, follows keys and size, and leaves the terminal as it was", async () => {
  await using net = await topology("top", twoHosts());
  const [west, east] = [net.host("west"), net.host("east")];
  await Promise.all([startEngine(west), startEngine(east)]);
  await protect([{ host: west, address: WEST }, { host: east, address: EAST }], SA, HOSTS);
  const flood = west.spawn(["ping", "-n", "-i", "0.01", "-s", "1000", EAST]);
  const { shots, end } = await top(
    west,
    "100x20",
    "wait:2 shot keys:s keys:j shot resize:50x10 shot keys:\\x20 keys:q",
  );
  await flood.stop();
  assertEquals(shots.length, 3, shots.join("\n---\n"));
  const [first, chosen, small] = shots;
  assertMatch(first, /^ipsecbox top {2}enc0 {2}up \d+ s {2}2 SAs {2}2 flows {2}.* sorted by rate\n/);
  assertMatch(first, /^in +\d+(\.\d)? kb\/s +\d+ packets\/s +[▁▂▃▄▅▆▇█]+\n/m);
  assertMatch(first, /^esp 0x0000100[01] {2}(in|out) +192\.168\.25\.9 +\d+(\.\d)? kb\/s +\d+ +[▁▂▃▄▅▆▇█]+/m);
  assertMatch(chosen, /sorted by bytes\n/);
  assert(chosen.includes("\n\x1b[1;7mesp 0x0000100"), chosen);
  assertMatch(chosen, /^esp 0x0000100[01] from .* mature, tunnel, 3des sha1\n/m);
  const lines = small.trimEnd().split("\n");
  // deno-lint-ignore no-control-regex
  assert(lines.length <= 10 && lines.every((line) => line.replaceAll(/\x1b\[[0-9;]*m/g, "").length <= 50), small);
  assertMatch(end, /^0 b'.*\\x1b\[\?25h\\x1b\[\?1049l'/);
  const without = await west.ipsecbox(["top"], { check: false });
  assertEquals([without.code, without.stderr], [1, `top: a terminal is needed; "ipsecbox status" needs none\n`]);
});

Deno.test("status finds a running photurisd, doctor its file of secrets that others can read", async () => {
  await using net = await topology("statusph", twoHosts());
  const west = net.host("west");
  await startEngine(west);
  const files = `${west.folder}/photuris`;
  await west.exec(
    `cp -r ${new URL("../../examples/photuris/etc", import.meta.url).pathname} ${files} && chmod 600 ${files}/*`,
  );
  const daemon = west.startIpsecbox(["photurisd", "-f", "-i", "-d", files]);
  await waitFor(
    () => {
      if (daemon.ended()) throw new Error(daemon.output());
      return daemon.output().includes("Ready");
    },
    "photurisd",
    15_000,
  );
  assertMatch((await west.ipsecbox(["status"])).stdout, /^photurisd {2}process \d+\n/m);
  Deno.chmodSync(`${files}/secrets.conf`, 0o644);
  const { stdout } = await west.ipsecbox(["doctor", "-w", "0.2"], { check: false });
  assertMatch(stdout, /^1\. Cannot use the file of secrets .*secrets\.conf: mode 0644 lets others at it/);
});

Deno.test("status asks isakmpd for its SAs and exchanges", async () => {
  await using net = await topology("statusike", GATEWAYS);
  const [west, east] = [net.host("west"), net.host("east")];
  await Promise.all([startEngine(west), startEngine(east)]);
  const initiator = await Daemon.start(west, exampleConf("west"));
  await Daemon.start(east, exampleConf("east"));
  await initiator.up();
  const { stdout } = await west.ipsecbox(["status"]);
  assertMatch(stdout, /^isakmpd {4}process \d+, [1-9] phase 1 SAs?, [1-9] phase 2 pairs?, \d+ exchanges?\n/m);
  assertMatch(stdout, /^ {11}connection \S+: \S+/m);
});
