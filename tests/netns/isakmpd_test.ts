// isakmpd as a user runs it: two gateways with engines in namespaces (FAQ 13.8).
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Daemon, exampleConf, GATEWAYS, shown, startEngine, twoGateways, writePrivate } from "./isakmpd_hosts.ts";
import { topology, waitFor } from "./topology.ts";

const confs = { west: exampleConf("west"), east: exampleConf("east") };
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

Deno.test("VPN-east and VPN-west come up, carry traffic as ESP, report their SAs, and leave nothing behind", async () => {
  await using both = await twoGateways(confs);
  const { net, west, east } = both;
  await Promise.all([west.up(), east.up()]);
  const wire = await net.host("west").capture("wan", "ip and not udp port 500");
  const { received } = await net.host("westlan").ping("192.168.2.2", { count: 5 });
  assertEquals(received, 5);
  const protocols = new Set((await wire.packets()).map(({ ip }) => ip[9]));
  assertEquals([...protocols], [50], "only ESP is on the wire");

  const sas = await west.result("S");
  assertMatch(
    sas,
    /^SA name: ISAKMP-peer-east \(Phase 1\/(Initiator|Responder)\)\nsrc: 10\.1\.0\.1 dst: 10\.1\.0\.2\n/,
  );
  assertMatch(sas, /\nicookie [0-9a-f]{16} rcookie [0-9a-f]{16}\n\n/);
  assertMatch(
    sas,
    new RegExp(
      "SA name: IPsec-west-east \\(Phase 2\\)\nsrc: 10.1.0.1 dst: 10.1.0.2\nLifetime: 600 seconds\n" +
        "Soft timeout in \\d+ seconds\nHard timeout in \\d+ seconds\nFlags 0x0000000[19]\n" +
        "SPI 0: [0-9a-f]{8}\nSPI 1: [0-9a-f]{8}\nTransform: IPsec ESP\nEncryption key length: 24\n" +
        "Authentication key length: 20\nEncryption algorithm: 3DES\nAuthentication algorithm: HMAC-SHA1\n\n",
    ),
  );

  west.process.signal("SIGUSR1");
  await waitFor(
    async () => (await net.host("west").exec("cat /var/run/isakmpd.report", { check: false })).code === 0,
    "the report",
  );
  const report =
    (await net.host("west").exec("cat /var/run/isakmpd.report; stat -c %a /var/run/isakmpd.report")).stdout;
  assertMatch(report, /\* Connections\nIPsec-west-east: up, kept up\n/);
  assertMatch(report, /\n600\n$/);
  assert(!report.includes("mekmitasdigoat"), "the report holds the pre-shared key");
  assertMatch((await net.host("west").exec("cat /var/run/isakmpd.pid")).stdout, /^\d+\n$/);

  assertEquals(await west.stop(), 0);
  await east.says(/Ended phase 2 .*deleted by the peer/);
  assertEquals(await shown(net.host("west")), "");
  const left = await net.host("west").exec("ls /var/run", { check: false });
  assert(!/isakmpd\.(fifo|pid)/.test(left.stdout), left.stdout);
  const { received: clear } = await net.host("eastlan").ping("192.168.1.2", { count: 1 });
  assertEquals(clear, 0, "east still requires protection");
});

Deno.test("isakmpd is killed and restarted while traffic goes on, and the engine likewise", async () => {
  await using both = await twoGateways(confs);
  const { net, west, east } = both;
  await Promise.all([west.up(), east.up()]);
  const lan = net.host("westlan");
  const ping = lan.spawn(["ping", "-n", "-i", "0.02", "192.168.2.2"]);
  await sleep(300);
  west.process.signal("SIGKILL");
  await waitFor(west.process.ended, "the end of isakmpd");
  await sleep(500);
  const again = await Daemon.start(net.host("west"), confs.west);
  await again.up();
  await sleep(700);
  ping.signal("SIGINT");
  await waitFor(ping.ended, "ping to end");
  const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(ping.output())!.map(Number);
  assert(sent > 50 && sent - received <= 1, `${sent} sent, ${received} received`);

  // The engine dies with all SAs. isakmpd waits for the next one and negotiates anew with fresh keys.
  const engine = (await net.host("west").exec("cat $IPSECBOX_RUN/enc.pid")).stdout.trim();
  await net.host("west").exec(["kill", "-9", engine]);
  await again.says(/engine is gone/);
  await startEngine(net.host("west"));
  await again.says(/engine is back/);
  await waitFor(
    async () => (await lan.ping("192.168.2.2", { count: 1, waitSeconds: 1 })).received === 1,
    "traffic after the engine's restart",
    20_000,
  );
  assertMatch(east.output(), /deleted by the peer|Established phase 2/);
});

Deno.test("a connection that is only in Passive-connections comes up on demand by FIFO and goes down", async () => {
  const passive = (text: string) => text.replace("Connections=", "Passive-connections=");
  await using both = await twoGateways({ west: passive(confs.west), east: passive(confs.east) });
  const { net, west, east } = both;
  await sleep(500);
  assert(!/Established/.test(west.output() + east.output()), "something began by itself");
  await west.command("c IPsec-west-east");
  await Promise.all([west.up(), east.up()]);
  assertEquals((await net.host("eastlan").ping("192.168.1.2", { count: 2 })).received, 2);
  await west.command("t IPsec-west-east");
  await east.says(/Ended phase 2 .*deleted by the peer/);
  await west.command("c IPsec-wst-east");
  await west.says(/there is no such connection; did you mean "IPsec-west-east"\?/);
  await west.command("nonsense");
  await west.says(/command not understood: found command "n", allowed c, t/);
});

Deno.test("a whole connection is configured through the FIFO", async () => {
  const bare = (own: string) => `[General]\nListen-on=${own}\n`;
  await using both = await twoGateways({ west: bare("10.1.0.1"), east: bare("10.1.0.2") });
  const { net, west, east } = both;
  const ends = [[west, "10.1.0.1", "10.1.0.2", "1", "2"], [east, "10.1.0.2", "10.1.0.1", "2", "1"]] as const;
  for (const [daemon, own, other, ownNet, otherNet] of ends) {
    const lines = `[Phase 1]:${other}=peer
[peer]:Phase=1
[peer]:Address=${other}
[peer]:Configuration=main
[peer]:Authentication=a pass phrase
[main]:EXCHANGE_TYPE=ID_PROT
[main]:Transforms=AES-256-SHA2-256-GRP14
[conn]:Phase=2
[conn]:ISAKMP-peer=peer
[conn]:Configuration=quick
[conn]:Local-ID=own
[conn]:Remote-ID=other
[own]:ID-type=IPV4_ADDR_SUBNET
[own]:Network=192.168.${ownNet}.0
[own]:Netmask=255.255.255.0
[other]:ID-type=IPV4_ADDR_SUBNET
[other]:Network=192.168.${otherNet}.0
[other]:Netmask=255.255.255.0
[quick]:EXCHANGE_TYPE=QUICK_MODE
[quick]:Suites=QM-ESP-AESGCM-256-PFS-GRP19-SUITE`;
    for (const line of lines.split("\n")) await daemon.command(`C set ${line} 1`);
    await daemon.command("C add [Phase 2]:Passive-connections=conn");
    assertEquals(await daemon.result("C get [peer]:Address"), `${other}\n`, own);
    assertEquals(await daemon.result("C get [General]:Retransmits"), "3\n", "a predefined value");
    assertEquals(await daemon.result("C get [peer]:Nothing"), "");
    await daemon.command("D A 0");
  }
  await west.command("c conn");
  await Promise.all([west.up(), east.up()]);
  assertMatch(west.output(), /ESP AES_GCM_16/);
  assertEquals((await net.host("westlan").ping("192.168.2.2", { count: 2 })).received, 2);
  // SIGHUP brings the file back.
  west.process.signal("SIGHUP");
  await west.says(/reading the configuration again/);
  assertEquals(await west.result("C get [peer]:Address"), "");
});

Deno.test("the packet log opens in tshark, and with the secrets of -W tshark decrypts IKE and ESP", async () => {
  await using both = await twoGateways(confs, ["-K", "-L", "-W", "/var/run/wireshark"]);
  const { net, west, east } = both;
  await Promise.all([west.up(), east.up()]);
  const host = net.host("west");
  const wire = await host.capture("wan", "udp port 500 or esp");
  await net.host("westlan").ping("192.168.2.2", { count: 3 });
  await west.command("t IPsec-west-east");
  await sleep(500);
  await wire.stop();
  const log = (await host.exec("tshark -r /var/run/isakmpd.pcap -V")).stdout;
  assert(!/Malformed|\[Expert Info \(Error/.test(log), log);
  assertMatch(log, /Exchange type: Identity Protection \(Main Mode\) \(2\)/);
  assertMatch(log, /ID type: IPV4_ADDR \(1\)/, "message 5 is in clear");
  assertMatch(log, /Exchange type: Quick Mode \(32\)/);
  assertMatch(log, /Payload: Delete \(12\)/);
  const env = { WIRESHARK_CONFIG_DIR: "/var/run/wireshark" };
  const decrypted = (await host.exec(
    ["tshark", "-r", wire.file, "-o", "esp.enable_encryption_decode:TRUE", "-Y", "icmp"],
    { env },
  )).stdout;
  assertMatch(decrypted, /192\.168\.1\.2 . 192\.168\.2\.2 .*Echo \(ping\) request/);
  const modes = (await host.exec("stat -c %a /var/run/isakmpd.pcap /var/run/wireshark/*")).stdout;
  assertEquals(modes, "600\n600\n600\n");
});

Deno.test("without -d isakmpd goes into the background once it is ready, and says beforehand why it cannot", async () => {
  await using net = await topology("isakmpd", GATEWAYS);
  const host = net.host("west");
  const conf = writePrivate(host, "isakmpd.conf", confs.west);
  const run = (...args: string[]) => host.ipsecbox(["isakmpd", ...args], { check: false });

  const unreachable = await run("-K", "-c", conf);
  assertEquals(unreachable.code, 1);
  assertMatch(unreachable.stderr, /^isakmpd: cannot reach the IPsec engine at .*: start it with "ipsecbox enc"\n$/);

  const started = await run("-n", "-K", "-c", conf);
  assertEquals([started.code, started.stdout, started.stderr], [0, "", ""]);
  const pid = (await host.exec("cat /var/run/isakmpd.pid")).stdout.trim();
  await host.exec(["kill", "-0", pid]);

  const busy = await run("-n", "-K", "-f", "-", "-c", conf);
  assertEquals(busy.code, 1);
  assertMatch(busy.stderr, /^isakmpd: Cannot bind UDP port 500 of 10\.1\.0\.1: .*process \d+ \(\S+\) has it\n/);

  await host.exec(["kill", pid]);
  await waitFor(async () => (await host.exec(["kill", "-0", pid], { check: false })).code !== 0, "the daemon's end");
  const left = (await host.exec("ls /var/run")).stdout;
  assert(!/isakmpd/.test(left), left);
});

Deno.test("fatal errors at the start are one clear line each and exit status 1", async () => {
  await using net = await topology("isakmpd", GATEWAYS);
  const host = net.host("west");
  const run = (...args: string[]) => host.ipsecbox(["isakmpd", "-d", "-n", ...args], { check: false });
  const conf = writePrivate(host, "isakmpd.conf", confs.west);
  const fails = async (pattern: RegExp, ...args: string[]) => {
    const { code, stderr } = await run(...args);
    assertMatch(stderr, pattern);
    assertEquals(code, 1);
  };
  await fails(/^isakmpd: unknown option -x\nusage: isakmpd /, "-x");
  await fails(/^isakmpd: -D: found debug class "Z", allowed A \(all\), 0 Misc/, "-DZ=5");
  await fails(/^isakmpd: cannot read the configuration file .*none: it does not exist\n$/, "-c", `${host.folder}/none`);
  await fails(/policy file \/etc\/isakmpd\/isakmpd\.policy: it does not exist\n$/, "-c", conf);
  await host.exec(["touch", "/var/run/isakmpd.fifo"]);
  await fails(/isakmpd\.fifo: found a regular file, allowed a FIFO or nothing\n$/, "-K", "-c", conf);
  await host.exec(["rm", "/var/run/isakmpd.fifo"]);
  Deno.chmodSync(conf, 0o640);
  await fails(/mode 0640 lets others at it, allowed 0600: chmod 600 /, "-K", "-c", conf);
  const broken = writePrivate(
    host,
    "broken.conf",
    confs.west.replace("=\t\tNet-west\n", "=\t\tNet-wets\n").replace("ID_PROT", "ID_PORT"),
  );
  await fails(
    /^isakmpd: .*:\d+: \[IPsec-west-east\] Local-ID: found "Net-wets", but there is no section .*; did you mean "Net-west" \(line \d+\)\?\nisakmpd: .*EXCHANGE_TYPE: found "ID_PORT", allowed ID_PROT, AGGRESSIVE; did you mean "ID_PROT"\?\n/m,
    "-K",
    "-c",
    broken,
  );
});

/** A pair of configurations that mirror each other. */
function mirrored(make: (own: string, peer: string, ownNet: string, peerNet: string) => string) {
  return {
    west: make("10.1.0.1", "10.1.0.2", "192.168.1.0", "192.168.2.0"),
    east: make("10.1.0.2", "10.1.0.1", "192.168.2.0", "192.168.1.0"),
  };
}

/** Two networks, keys as one likes. */
const nets = (
  suites: string,
  { general = "", connections = "Connections=tunnel", key = "a long pass phrase", rest = "" } = {},
) =>
  mirrored((own, peer, ownNet, peerNet) =>
    `[General]
Listen-on=${own}
${general}
[Phase 1]
${peer}=peer
[Phase 2]
${connections}
[peer]
Phase=1
Local-address=${own}
Address=${peer}
Configuration=main
Authentication=${own === "10.1.0.1" ? "a long pass phrase" : key}
[main]
EXCHANGE_TYPE=ID_PROT
Transforms=AES-128-SHA2-256-GRP19
[tunnel]
Phase=2
ISAKMP-peer=peer
Configuration=quick
Local-ID=own
Remote-ID=other
[own]
ID-type=IPV4_ADDR_SUBNET
Network=${ownNet}
Netmask=255.255.255.0
[other]
ID-type=IPV4_ADDR_SUBNET
Network=${peerNet}
Netmask=255.255.255.0
[quick]
EXCHANGE_TYPE=QUICK_MODE
Suites=${suites}
${rest}`
  );

Deno.test("AH and ESP together become a bundle", async () => {
  const bundle = nets("both", {
    connections: "Passive-connections=tunnel",
    // AH in transport mode around the tunnel that ESP makes.
    rest: "[both]\nProtocols=QM-ESP-AES-256-SHA,QM-AH-TRP-SHA2-256\n",
  });
  await using both = await twoGateways(bundle);
  const { net, west, east } = both;
  for (const side of ["west", "east"]) await net.host(side).ipsecbox(["sysctl", "net.inet.ah.enable=1"]);
  await west.command("c tunnel");
  await Promise.all([west.up(), east.up()]);
  const wire = await net.host("west").capture("wan", "ip");
  const { received, output } = await net.host("westlan").ping("192.168.2.2", { count: 3 });
  assertEquals(received, 3, output);
  const packets = await wire.packets();
  assertEquals(new Set(packets.map(({ ip }) => `IP ${ip[9]} ${ip[20]}`)), new Set(["IP 51 50"]), "IP AH ESP");
  assert(packets.length >= 6);
  const sas = await west.result("S");
  assertMatch(
    sas,
    /Transform: IPsec AH\nEncryption not used\.\nAuthentication key length: 32\nAuthentication algorithm: HMAC-SHA2-256\n/,
  );
  assertMatch(
    sas,
    /Transform: IPsec ESP\nEncryption key length: 32\nAuthentication key length: 20\nEncryption algorithm: AES \(CBC\)\n/,
  );
});

Deno.test("with Acquire-Only a packet brings the connection up, and is not lost", async () => {
  await using both = await twoGateways(nets("QM-ESP-AES-128-SHA2-256-SUITE", { general: "Acquire-Only=yes" }));
  const { net, west, east } = both;
  await sleep(1000);
  assert(!/Established/.test(west.output() + east.output()), "something began by itself");
  const { received, output } = await net.host("westlan").ping("192.168.2.2", { count: 3, waitSeconds: 3 });
  assertEquals(received, 3, `${output}${west.output()}`);
  await Promise.all([west.up(), east.up()]);
});

Deno.test("transport mode between the gateways, over IPv6", async () => {
  const hosts = (own: string, peer: string) =>
    `[General]
Listen-on=${own}
[Phase 1]
${peer}=peer
[Phase 2]
Connections=hosts
[peer]
Phase=1
Address=${peer}
Authentication=a long pass phrase
[hosts]
Phase=2
ISAKMP-peer=peer
Configuration=quick
[quick]
EXCHANGE_TYPE=QUICK_MODE
Suites=QM-ESP-TRP-AES-128-SHA2-256-PFS-GRP14-SUITE
`;
  await using both = await twoGateways({ west: hosts("fd10::1", "fd10::2"), east: hosts("fd10::2", "fd10::1") });
  const { net, west, east } = both;
  await Promise.all([west.up(), east.up()]);
  const wire = await net.host("west").capture("wan", "ip6 and not udp and not ip6[6] == 0");
  const { received, output } = await net.host("west").ping("fd10::2", { count: 3 });
  assertEquals(received, 3, output);
  const packets = await wire.packets();
  const isDiscovery = (ip: Uint8Array) => ip[6] === 58 && ip[40] >= 133 && ip[40] <= 136;
  const seen = new Set(packets.filter(({ ip }) => !isDiscovery(ip)).map(({ ip }) => ip[6]));
  assertEquals(seen, new Set([50]), "ESP over IPv6");
  assert(packets.length >= 6);
  assertMatch(west.output(), /TRANSPORT/);
});

Deno.test("a wrong pre-shared key and a wrong proposal are told as that, with the line that decided", async () => {
  const wrong = nets("QM-ESP-AES-SHA-SUITE", { key: "another pass phrase" });
  const { net, west, east, [Symbol.asyncDispose]: dispose } = await twoGateways(wrong);
  try {
    const told =
      /Cannot agree on phase 1 with 10\.1\.0\.\d.*probably different pre-shared keys.*isakmpd\.conf:\d+ \[peer\] Authentication/;
    await Promise.any([west.says(told), east.says(told)]);
    assert(!/pass phrase/.test(west.output() + east.output()), "a key is in the log");
    await Promise.all([west.stop(), east.stop()]);
    const other = nets("QM-ESP-AES-SHA-SUITE");
    const again = [
      await Daemon.start(net.host("west"), other.west),
      await Daemon.start(net.host("east"), other.east.replace("AES-SHA-SUITE", "3DES-SHA-SUITE")),
    ];
    const refused =
      /Cannot agree on phase 2 with .*TRANSFORM_ID: offered (AES|3DES), allowed (3DES|AES).*isakmpd\.conf:\d+/;
    await Promise.any(again.map((daemon) => daemon.says(refused)));
  } finally {
    await dispose();
  }
});

Deno.test("equal lifetimes on both sides: a ping every 10 ms through 20 rekeyings loses nothing, and SAs do not multiply", async () => {
  const life = (name: string, seconds: number) => `[${name}]\nLIFE_TYPE=SECONDS\nLIFE_DURATION=${seconds},1:86400\n`;
  const short = nets("QM-ESP-AES-128-SHA2-256-SUITE", {
    rest: life("LIFE_QUICK_MODE", 3) + life("LIFE_MAIN_MODE", 12),
  });
  await using both = await twoGateways(short);
  const { net, west, east } = both;
  await Promise.all([west.up(), east.up()]);
  const ping = net.host("westlan").spawn(["ping", "-n", "-D", "-O", "-i", "0.01", "-c", "4000", "192.168.2.2"]);
  await waitFor(ping.ended, "ping to end", 120_000);
  const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(ping.output())!.map(Number);
  const lost = ping.output().split("\n").filter((line) => line.includes("no answer"));
  assertEquals([sent, received], [4000, 4000], lost.join("\n"));
  const rekeyings = west.output().match(/Established phase 2/g)!.length;
  assert(rekeyings >= 20, `${rekeyings} phase 2`);
  const sas = (await shown(net.host("west"))).match(/^esp 0x/gm)!.length;
  assert(sas <= 8, `${sas} SAs at the end`);
});

Deno.test("10,000 bogus first messages a second from random addresses do not keep a peer from connecting", async () => {
  const confs = nets("QM-ESP-AES-128-SHA2-256-SUITE", { connections: "Passive-connections=tunnel" });
  // Anybody may call: the flood is not turned away at the door.
  const open = confs.west.replace("[Phase 2]", "Default=anybody\n[Phase 2]") +
    "[anybody]\nPhase=1\nConfiguration=main\nAuthentication=another key\n";
  await using both = await twoGateways({ west: open, east: confs.east });
  const { net, west, east } = both;
  await net.host("east").exec("ip route add local 10.50.0.0/16 dev lo");
  await net.host("west").exec("ip route add 10.50.0.0/16 via 10.1.0.2");
  const script = new URL("./ike_flood.ts", import.meta.url).pathname;
  const flood = net.host("east").spawn([Deno.execPath(), "run", "-A", "--quiet", script, "10.1.0.1", "10000", "8"]);
  await sleep(2500);
  assert(!flood.ended(), flood.output());
  await east.command("c tunnel");
  await Promise.all([west.up(), east.up()]);
  assert(!flood.ended(), "the flood ended before the peer was connected");
  await waitFor(flood.ended, "the flood to end", 20_000);
  const sent = Number(flood.output().trim());
  assert(sent > 30_000, `${flood.output()} messages sent`);
  const report = await west.result("S");
  assertMatch(report, /SA name: tunnel \(Phase 2\)/);
  const status = await net.host("west").exec(`grep VmRSS /proc/$(cat /var/run/isakmpd.pid)/status`);
  const rssMiB = Number(/(\d+) kB/.exec(status.stdout)![1]) / 1024;
  assert(rssMiB < 400, `${rssMiB} MiB`);
});
