import { assert, assertEquals, assertMatch } from "@std/assert";
import { ipsecadm, ipsecadmAll, key, protect, startEngine } from "./engine.ts";
import { Daemon, exampleConf, GATEWAYS } from "./isakmpd_hosts.ts";
import { twoGateways, twoHosts } from "./shapes.ts";
import { type Host, ipsecboxCommand, topology, waitFor } from "./topology.ts";

const WEST = "192.168.5.1";
const EAST = "192.168.25.9";
const GCM = `new esp -forcetunnel -enc aes-gcm -key ${key(20)}`;
const HOSTS = [[`${WEST}/32`, `${EAST}/32`]] as const;

interface Finding {
  readonly id: string;
  readonly problem: string;
  readonly remedies: readonly string[];
}

/** What the doctor finds on a host. */
async function findings(host: Host, ...args: string[]): Promise<Finding[]> {
  const { code, stdout, stderr } = await host.ipsecbox(["doctor", "--json", "-w", "0.4", ...args], { check: false });
  if (!stdout) throw new Error(stderr);
  const { ok, findings } = JSON.parse(stdout);
  assertEquals([code, ok], findings.length ? [1, false] : [0, true]);
  return findings;
}

/** Demands exactly one finding, and what it says. */
async function finds(host: Host, id: string, problem: RegExp, remedy: RegExp, ...args: string[]): Promise<void> {
  const found = await findings(host, ...args);
  assertEquals(found.map((finding) => finding.id), [id], JSON.stringify(found, null, 1));
  assertMatch(found[0].problem, problem);
  assertMatch(found[0].remedies.join("\n"), remedy);
}

async function tunnel(name: string, options: Parameters<typeof twoHosts>[0] = {}) {
  const net = await topology(name, twoHosts(options));
  const [west, east, router] = ["west", "east", "router"].map((each) => net.host(each));
  await Promise.all([startEngine(west), startEngine(east)]);
  const ends = [{ host: west, address: WEST }, { host: east, address: EAST }] as const;
  await protect(ends, GCM, HOSTS);
  return { net, west, east, router };
}

/** A shell command that gives a script to nft. */
const nftScript = (script: string) => `printf '%s\\n' '${script}' | nft -f -`;

/** Restores what a fault has changed, and demands silence again. */
async function fault(host: Host, make: string, undo: string, look: () => Promise<void>): Promise<void> {
  await host.exec(make);
  await look();
  await host.exec(undo);
}

Deno.test("a healthy tunnel is met with silence: one line, status 0, idle and in use, asked about a peer or not", async () => {
  const { net, west, east } = await tunnel("docok", { rpFilter: 1 });
  await using _ = net;
  assertEquals(await findings(west), [], "idle");
  assertEquals((await west.ping(EAST, { count: 3 })).received, 3);
  for (const host of [west, east]) assertEquals(await findings(host), []);
  assertEquals(await findings(west, EAST), []);
  const { stdout } = await west.ipsecbox(["doctor", EAST]);
  assertEquals(stdout, "ok\n");
});

Deno.test("AH, ESP in UDP, IPv6, bundles and what isakmpd has negotiated are as healthy", async () => {
  const { net, west, east } = await tunnel("docforms");
  await using _ = net;
  const four = [{ host: west, address: WEST }, { host: east, address: EAST }] as const;
  const six = [{ host: west, address: "fd00:5::1" }, { host: east, address: "fd00:25::9" }] as const;
  const healthy = async (address: string, what: string) => {
    assertEquals((await west.ping(address, { count: 3 })).received, 3, what);
    assertEquals(await findings(west, address), [], what);
    for (const host of [west, east]) await ipsecadm(host, "flush");
  };
  for (const host of [west, east]) {
    await host.ipsecbox(["sysctl", "net.inet.ah.enable=1"]);
    await ipsecadm(host, "flush");
  }
  await protect(four, `new ah -auth sha1 -key ${key(20)}`, HOSTS, "-proto ah");
  await healthy(EAST, "AH");
  await protect(four, GCM.replace("-enc", "-udpencap 4500 -enc"), HOSTS);
  await healthy(EAST, "ESP in UDP");
  await protect(six, GCM, [["fd00:5::1/128", "fd00:25::9/128"]]);
  await healthy("fd00:25::9", "IPv6");
  await protect(four, `new esp -enc blf -key ${key(16)}`, HOSTS);
  for (const host of [west, east]) {
    await ipsecadmAll(host, [
      `new ah -src ${WEST} -dst ${EAST} -spi 2000 -auth sha1 -key ${key(20)}`,
      `new ah -src ${EAST} -dst ${WEST} -spi 2001 -auth sha1 -key ${key(20)}`,
      `group -dst ${EAST} -spi 1000 -proto esp -dst2 ${EAST} -spi2 2000 -proto2 ah`,
      `group -dst ${WEST} -spi 1001 -proto esp -dst2 ${WEST} -spi2 2001 -proto2 ah`,
    ]);
  }
  await healthy(EAST, "AH around ESP");

  await using gateways = await topology("docike", GATEWAYS);
  const [left, right] = [gateways.host("west"), gateways.host("east")];
  await Promise.all([startEngine(left), startEngine(right)]);
  const initiator = await Daemon.start(left, exampleConf("west"));
  await Daemon.start(right, exampleConf("east"));
  await initiator.up();
  assertEquals((await gateways.host("westlan").ping("192.168.2.2", { count: 2 })).received, 2);
  for (const args of [[], ["10.1.0.2"], ["192.168.2.2"]]) assertEquals(await findings(left, ...args), [], args.join());
});

Deno.test("faults of this host: filters, switches, routes, interfaces, ports, libraries, privileges", async () => {
  const { net, west } = await tunnel("dochost");
  await using _ = net;
  const nft = (rules: string) =>
    nftScript(`table inet filter {\nchain input {\ntype filter hook input priority 0\n${rules}\n}\n}`);
  const open = "nft delete table inet filter";
  await fault(west, nft("meta l4proto esp drop"), open, () =>
    finds(
      west,
      "firewall",
      /^ESP \(protocol 50\) from 192\.168\.25\.9 is dropped on this host: nft, chain inet filter input, rule "meta l4proto esp drop"$/,
      /^nft insert rule inet filter input meta l4proto esp accept$/,
    ));
  await fault(
    west,
    nft("policy drop\nct state established,related accept\nip protocol icmp accept"),
    open,
    () =>
      finds(
        west,
        "firewall",
        /policy of chain inet filter input$/,
        /^nft add rule inet filter input meta l4proto esp accept$/,
      ),
  );
  await west.ipsecbox(["sysctl", "net.inet.esp.enable=0"]);
  await finds(west, "sysctl", /^net\.inet\.esp\.enable is 0/, /^ipsecbox sysctl net\.inet\.esp\.enable=1$/);
  await west.ipsecbox(["sysctl", "net.inet.esp.enable=1"]);
  await fault(west, `ip rule add priority 100 to ${EAST} lookup main`, "ip rule del priority 100", () =>
    finds(
      west,
      "route",
      /^Packets from 192\.168\.5\.1 to 192\.168\.25\.9 .* leave by eth0 and not through enc0, because of the rule "100: /,
      /^ip rule del priority 100/,
    ));
  await fault(
    west,
    "echo 1 >/proc/sys/net/ipv4/conf/eth0/rp_filter",
    "echo 0 >/proc/sys/net/ipv4/conf/eth0/rp_filter",
    () => finds(west, "rp-filter", /filter of eth0 is strict/, /^sysctl -w net\.ipv4\.conf\.eth0\.rp_filter=2$/),
  );
  const broken = `${west.folder}/nft`;
  Deno.writeTextFileSync(broken, "#!/bin/sh\nexit 1\n", { mode: 0o755 });
  await fault(
    west,
    `mount --bind ${broken} $(readlink -f $(command -v nft))`,
    "umount $(readlink -f $(command -v nft))",
    () => finds(west, "nft", /^nft is missing or does not work/, /^apt-get install nftables$/),
  );
  const charon = west.spawn([
    "/usr/bin/python3",
    "-c",
    "import socket,time; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.bind(('',500)); time.sleep(60)",
  ]);
  await finds(
    west,
    "port",
    /^UDP port 500 \(IKE\) belongs to another program: process \d+ \(python3\)$/,
    /^kill \d+$/m,
  );
  await charon.stop("SIGKILL");
  const { stdout } = await west.exec(
    ["setpriv", "--bounding-set=-net_admin", ...ipsecboxCommand(), "doctor", "--json"],
    { check: false },
  );
  assertEquals(JSON.parse(stdout).findings.map(({ id }: Finding) => id), ["privilege"]);
  await fault(west, "ip link set enc0 down", "ip link set enc0 up", async () => {
    const found = await findings(west);
    assertEquals(found[0].id, "interface");
    assertEquals(found[0].remedies, ["ip link set enc0 up"]);
  });
});

Deno.test("what a killed engine holds back is told, with the way to let it go", async () => {
  const { net, west } = await tunnel("dockilled");
  await using _ = net;
  const lock = Deno.readTextFileSync(`${west.folder}/run/enc.pid`).trim();
  await west.exec(["kill", "-9", lock]);
  await waitFor(async () => (await findings(west)).some(({ id }) => id === "engine"), "the engine to be gone");
  const found = await findings(west);
  assertEquals(found.map(({ id }) => id), ["engine", "held-back"]);
  assertMatch(found[1].remedies.join("\n"), /^ipsecbox enc --open/m);
  await west.ipsecbox(["enc", "--open"]);
  assertEquals((await findings(west)).map(({ id }) => id), ["engine"]);
});

Deno.test("without engine, TUN device or libcrypto the doctor says so", async () => {
  await using net = await topology("docnone", twoHosts());
  const [west, east] = [net.host("west"), net.host("east")];
  await finds(west, "engine", /^No engine answers: cannot reach the IPsec engine/, /^ipsecbox enc &$/);
  await west.exec("mount -t tmpfs tmpfs /dev/net");
  assertEquals((await findings(west)).map(({ id }) => id), ["tun", "engine"]);
  const slow = east.startIpsecbox(["enc"], { IPSECBOX_LIBCRYPTO: "off" });
  await waitFor(() => slow.output().includes("ready"), "the engine", 20_000);
  await finds(east, "libcrypto", /go the slow way/, /apt-get install libssl3/);
});

Deno.test("faults between two ends: wrong key, wrong SPI, one way, flow without SA, SA without flow, no peer", async () => {
  const { net, west, east, router } = await tunnel("docends");
  await using _ = net;
  // Another key for what east receives.
  await ipsecadm(east, `delspi -dst ${EAST} -spi 1000 -proto esp`);
  await ipsecadm(east, `${GCM.replace(key(20), key(20, 9))} -src ${WEST} -dst ${EAST} -spi 1000`);
  await west.ping(EAST, { count: 4, waitSeconds: 0.2 });
  await finds(
    east,
    "key-mismatch",
    /^4 packets of 192\.168\.5\.1 for SA esp 0x00001000 failed authentication, 0 were good: .* different keys/,
    /^ipsecadm delspi -dst 192\.168\.25\.9 -spi 1000 -proto esp/m,
  );
  // From here, all that west sees is that nothing comes back.
  await finds(
    west,
    "one-way",
    /^ESP with 192\.168\.25\.9 goes one way: 4 packets went to it, none has come/,
    /ipsecbox doctor {3}# on 192/,
  );
  // Another SPI.
  await ipsecadmAll(east, [`delspi -dst ${EAST} -spi 1000 -proto esp`, `${GCM} -src ${WEST} -dst ${EAST} -spi 1003`]);
  const pings = west.spawn(["ping", "-n", "-i", "0.1", EAST]);
  await finds(
    east,
    "spi-mismatch",
    /^192\.168\.5\.1 sends ESP with SPI 0x00001000 \(\d+ packets while I listened\), .*; from it we have 0x00001003$/,
    /^ipsecadm new esp -src 192\.168\.5\.1 -dst 192\.168\.25\.9 -spi 1000/,
  );
  await pings.stop("SIGINT");
  // No SA at all for a flow.
  await ipsecadmAll(west, [`delspi -dst ${EAST} -spi 1000 -proto esp`]);
  await finds(
    west,
    "flow-without-sa",
    /^There is no ESP SA to 192\.168\.25\.9 for flow out require .*: its packets are dropped$/,
    /ipsecadm new esp -dst 192/,
  );
  // An SA for no flow.
  await ipsecadmAll(west, ["flush", `${GCM} -src ${WEST} -dst ${EAST} -spi 1000`]);
  await finds(
    west,
    "sa-without-flow",
    /^No flow uses the SA esp 0x00001000 to 192\.168\.25\.9/,
    /^ipsecadm flow -proto esp/,
  );
  // The peer is gone.
  await router.exec(`ip route add unreachable ${EAST}`);
  const lost = (await findings(west, EAST)).find(({ id }) => id === "unreachable");
  assertMatch(lost?.problem ?? "", /^192\.168\.25\.9 cannot be reached: 192\.168\.5\.254 says host unreachable$/);
  await west.exec("ip route del default");
  const found = await findings(west, EAST);
  assert(found.some(({ id }) => id === "no-route"), JSON.stringify(found));
});

Deno.test("a path that silently loses large packets is measured, through the tunnel", async () => {
  const { net, west, router } = await tunnel("docmtu");
  await using _ = net;
  await router.exec("ip link set eth1 mtu 1400");
  await router.exec(
    nftScript(
      "table ip mute {\nchain out {\ntype filter hook output priority 0\nicmp type destination-unreachable drop\n}\n}",
    ),
  );
  const found = await findings(west, EAST);
  const mtu = found.filter(({ id }) => id === "mtu");
  assertEquals(mtu.length, 1, JSON.stringify(found));
  const octets = Number(/more than about (\d+) octets/.exec(mtu[0].problem)?.[1]);
  assert(octets > 1330 && octets <= 1346, mtu[0].problem);
  assertMatch(mtu[0].remedies[0], /^ipsecbox enc --mtu \d+/);
});

Deno.test("a gateway that does not forward, one that masquerades the tunnel and one whose filter forwards nothing are found", async () => {
  await using net = await topology("docgate", twoGateways());
  const [west, east] = [net.host("west"), net.host("east")];
  await Promise.all([startEngine(west), startEngine(east)]);
  const ends = [{ host: west, address: "208.1.1.1" }, { host: east, address: "208.2.2.2" }] as const;
  await protect(ends, GCM, [["192.168.99.0/24", "208.1.2.0/24"]]);
  assertEquals((await net.host("westlan").ping("208.1.2.10", { count: 2 })).received, 2);
  assertEquals(await findings(west), []);
  await fault(
    west,
    "echo 0 >/proc/sys/net/ipv4/ip_forward",
    "echo 1 >/proc/sys/net/ipv4/ip_forward",
    () => finds(west, "forwarding", /^net\.ipv4\.ip_forward is 0/, /^ipsecbox sysctl net\.inet\.ip\.forwarding=1/),
  );
  await fault(
    west,
    nftScript("table ip n {\nchain p {\ntype nat hook postrouting priority 100\noifname != eth1 masquerade\n}\n}"),
    "nft delete table ip n",
    () =>
      finds(west, "nat", /into the tunnel.*rule "oifname != "eth1" masquerade"$/, /^nft insert rule ip n p ip saddr/),
  );
  await west.exec(nftScript("table ip f {\nchain forward {\ntype filter hook forward priority 0\npolicy drop\n}\n}"));
  const found = await findings(west);
  assertEquals(found.map(({ id }) => id), ["firewall-forward", "firewall-forward"]);
  assertEquals(found.map(({ remedies }) => remedies[0]), [
    "nft add rule ip f forward oifname enc0 accept",
    "nft add rule ip f forward iifname enc0 accept",
  ]);
});

Deno.test("isakmpd's files: others may read them, they are wrong, certificates have ended or not begun", async () => {
  const { net, west } = await tunnel("docfiles");
  await using _ = net;
  const vectors = new URL("../vectors/x509/", import.meta.url).pathname;
  for (const folder of ["ca", "certs", "crls"]) Deno.mkdirSync(`${west.folder}/${folder}`);
  const conf = `${west.folder}/isakmpd.conf`;
  Deno.writeTextFileSync(
    conf,
    `[General]\nUse-Keynote= no\n[X509-certificates]\nCA-directory= ${west.folder}/ca/\nCert-directory= ${west.folder}/certs/\n` +
      `CRL-directory= ${west.folder}/crls/\nPrivate-key= ${west.folder}/local.key\n`,
    { mode: 0o600 },
  );
  Deno.copyFileSync(`${vectors}ca.crt`, `${west.folder}/ca/ca.crt`);
  Deno.copyFileSync(`${vectors}gw.crt`, `${west.folder}/certs/gw.crt`);
  assertEquals(await findings(west, "-c", conf), []);
  Deno.chmodSync(conf, 0o644);
  await finds(
    west,
    "permissions",
    /^Cannot use the configuration file .*: mode 0644 lets others at it/,
    /^chmod 600 /,
    "-c",
    conf,
  );
  Deno.chmodSync(conf, 0o600);
  Deno.copyFileSync(`${vectors}gw.key`, `${west.folder}/local.key`);
  Deno.chmodSync(`${west.folder}/local.key`, 0o644);
  await finds(west, "permissions", /^Cannot use the private key /, /^chmod 600 /, "-c", conf);
  Deno.chmodSync(`${west.folder}/local.key`, 0o600);
  Deno.copyFileSync(`${vectors}expired.crt`, `${west.folder}/certs/old.crt`);
  await finds(west, "certificate", /old\.crt .* ended \d{4}-/, /pki/, "-c", conf);
  Deno.removeSync(`${west.folder}/certs/old.crt`);
  Deno.copyFileSync(`${vectors}future.crt`, `${west.folder}/certs/new.crt`);
  await finds(west, "clock", /new\.crt .* begins only \d{4}-.*; this host's clock says/, /timedatectl/, "-c", conf);
  Deno.removeSync(`${west.folder}/certs/new.crt`);
  Deno.writeTextFileSync(conf, "[Phase 1]\n192.0.2.1= nowhere\n", { append: true });
  await finds(
    west,
    "configuration",
    /^isakmpd does not start with .*isakmpd\.conf:\d+: /,
    /^ipsecbox check /,
    "-c",
    conf,
  );
});
