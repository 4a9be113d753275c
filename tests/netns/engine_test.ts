import { assert, assertEquals, assertMatch } from "@std/assert";
import { ipsecadm, ipsecadmAll, key, protect, startEngine } from "./engine.ts";
import { twoGateways, twoHosts } from "./shapes.ts";
import { topology, waitFor } from "./topology.ts";

const WEST = "192.168.5.1";
const EAST = "192.168.25.9";
const GCM = `new esp -forcetunnel -enc aes-gcm -key ${key(20)}`;

async function hosts(name: string, options: Parameters<typeof twoHosts>[0] = {}) {
  const net = await topology(name, twoHosts(options));
  const [west, east, router] = ["west", "east", "router"].map((each) => net.host(each));
  const engines = await Promise.all([startEngine(west), startEngine(east)]);
  const ends = [{ host: west, address: WEST }, { host: east, address: EAST }] as const;
  return { net, west, east, router, engines, ends };
}

const HOSTS = [[`${WEST}/32`, `${EAST}/32`]] as const;

Deno.test("the FAQ's host-to-host lines protect both directions, with strict reverse-path filters everywhere", async () => {
  const { net, west, east, router } = await hosts("faq", { rpFilter: 1 });
  await using _ = net;
  const sa = `-forcetunnel -enc 3des -auth sha1 -key ${key(24)} -authkey ${key(20)}`;
  for (const host of [west, east]) {
    await ipsecadm(host, `new esp -src ${WEST} -dst ${EAST} -spi 1000 ${sa}`);
    await ipsecadm(host, `new esp -src ${EAST} -dst ${WEST} -spi 1001 ${sa}`);
  }
  const one = "255.255.255.255";
  for (const [host, me, him, out, into] of [[west, WEST, EAST, 1000, 1001], [east, EAST, WEST, 1001, 1000]] as const) {
    const flow = `flow -proto esp -src ${me} -dst ${him}`;
    await ipsecadm(host, `${flow} -spi ${out} -addr ${me} ${one} ${him} ${one} -out -require`);
    await ipsecadm(host, `${flow} -spi ${into} -addr ${him} ${one} ${me} ${one} -in -require`);
  }
  const wire = await router.capture("eth0", "ip");
  const clear = await west.capture("enc0");
  assertEquals((await west.ping(EAST, { count: 5 })).received, 5);
  assertEquals((await east.ping(WEST, { count: 5 })).received, 5);
  const packets = await wire.packets();
  assertEquals(packets.length, 20);
  for (const { ip } of packets) assertEquals(ip[9], 50);
  assertEquals(new Set(packets.map(({ ip }) => ip[22] << 8 | ip[23])), new Set([0x1000, 0x1001]));
  assertEquals((await clear.packets()).map(({ ip }) => ip[9]), Array(20).fill(1), "enc0 shows ICMP in clear");
  assertMatch((await west.ipsecbox(["netstat", "-rn", "-f", "encap"])).stdout, /192\.168\.25\.9\/50\/require\/out/);
});

Deno.test("net to net: every pair of networks and gateways of the FAQ, none of it in clear", async () => {
  await using net = await topology("n2n", twoGateways({ rpFilter: 1 }));
  const [west, east] = [net.host("west"), net.host("east")];
  await Promise.all([startEngine(west), startEngine(east)]);
  const pairs = [
    ["208.1.1.1/32", "208.2.2.2/32"],
    ["192.168.99.0/24", "208.1.2.0/24"],
    ["192.168.99.0/24", "208.1.5.0/24"],
    ["208.1.1.1/32", "208.1.2.0/24"],
    ["208.1.1.1/32", "208.1.5.0/24"],
    ["192.168.99.0/24", "208.2.2.2/32"],
  ] as const;
  await protect([{ host: west, address: "208.1.1.1" }, { host: east, address: "208.2.2.2" }], GCM, pairs);
  const wire = await net.host("internet").capture("eth0", "ip");
  const wanted = [
    ["westlan", "208.1.2.10"],
    ["westlan", "208.1.5.10"],
    ["westlan", "208.2.2.2"],
    ["east1", "192.168.99.10"],
    ["east2", "192.168.99.10"],
    ["east1", "208.1.1.1"],
    ["west", "208.2.2.2"],
    ["west", "208.1.2.10"],
    ["east", "192.168.99.10"],
    ["east", "208.1.1.1"],
  ];
  for (const [from, to] of wanted) {
    const { received, output } = await net.host(from).ping(to, { count: 2 });
    assertEquals(received, 2, `${from} to ${to}: ${output}`);
  }
  const packets = await wire.packets();
  assertEquals(packets.filter(({ ip }) => ip[9] !== 50).length, 0, "cleartext on the Internet");
  assert(packets.length >= 4 * wanted.length);
});

Deno.test("packets too big: DF gets an ICMP with the right MTU, others arrive, TCP flows, on a narrow path", async () => {
  const { net, west, router, ends, east } = await hosts("mtu", { mtu: 1400 });
  await using _ = net;
  await protect(ends, GCM, HOSTS);
  assertEquals((await west.ping(EAST, { count: 2, size: 5000, dontFragment: false })).received, 2);
  const refused = await west.ping(EAST, { size: 1372, dontFragment: true });
  assertEquals(refused.received, 0);
  assertMatch(refused.output, /too long|too big|[Ff]rag/);
  assertEquals(
    (await west.ping(EAST, { count: 2, size: 1346 - 28, dontFragment: true })).received,
    2,
    "1346 = GCM in 1400",
  );
  const server = east.spawn(["iperf3", "-s", "-1", "--forceflush"]);
  await waitFor(() => server.output().includes("listening"), "iperf3");
  const wire = await router.capture("eth0", "ip");
  const { stdout } = await west.exec(["iperf3", "-c", EAST, "-n", "20M", "-J"], { timeoutMs: 60_000 });
  assert(JSON.parse(stdout).end.sum_received.bytes > 15_000_000, stdout);
  for (const { ip } of (await wire.packets()).slice(0, 2000)) assertEquals(ip[9], 50);
});

Deno.test("-in -require drops cleartext, deny drops, bypass passes, and flush opens everything again", async () => {
  const { net, west, east, ends } = await hosts("policy");
  await using _ = net;
  await protect(ends, GCM, HOSTS);
  assertEquals((await west.ping(EAST)).received, 1);
  await ipsecadm(west, "flush");
  assertEquals((await west.ping(EAST, { count: 2 })).received, 0, "east demands protection");
  await ipsecadm(east, "flush");
  assertEquals((await west.ping(EAST, { count: 2 })).received, 2);
  await ipsecadm(west, `flow -deny -out -transport icmp -addr ${WEST}/32 ${EAST}/32`);
  assertEquals((await west.ping(EAST, { count: 2 })).received, 0);
  await ipsecadm(west, `flow -bypass -out -transport icmp -addr ${WEST}/32 ${EAST}/32`);
  assertEquals((await west.ping(EAST, { count: 2 })).received, 2, "the same selector: the flow is replaced");
  await ipsecadm(west, `flow -delete -out -transport icmp -addr ${WEST}/32 ${EAST}/32`);
  await ipsecadm(west, `flow -dontacq -out -dst ${EAST} -addr ${WEST}/32 ${EAST}/32`);
  assertEquals((await west.ping(EAST, { count: 2 })).received, 0, "blocked until there is an SA");
  await ipsecadm(west, `flow -use -out -dst ${EAST} -addr ${WEST}/32 ${EAST}/32`);
  assertEquals((await west.ping(EAST, { count: 2 })).received, 2, "use: in clear without an SA");
});

Deno.test("a flow for one port protects that port alone", async () => {
  const { net, west, east, router, ends } = await hosts("ports");
  await using _ = net;
  await protect(ends, GCM, []);
  await ipsecadmAll(west, [
    `flow -proto esp -src ${WEST} -dst ${EAST} -transport tcp -dport 7000 -addr ${WEST}/32 ${EAST}/32 -out -require`,
    `flow -proto esp -src ${WEST} -dst ${EAST} -transport tcp -sport 7000 -addr ${EAST}/32 ${WEST}/32 -in -require`,
  ]);
  await ipsecadmAll(east, [
    `flow -proto esp -src ${EAST} -dst ${WEST} -transport tcp -sport 7000 -addr ${EAST}/32 ${WEST}/32 -out -require`,
    `flow -proto esp -src ${EAST} -dst ${WEST} -transport tcp -dport 7000 -addr ${WEST}/32 ${EAST}/32 -in -require`,
  ]);
  const wire = await router.capture("eth0", "ip");
  assertEquals((await west.ping(EAST, { count: 2 })).received, 2);
  const listener =
    "import socket; s=socket.create_server(('',7000)); print('up',flush=True); c,_=s.accept(); c.sendall(c.recv(100)[::-1])";
  const server = east.spawn(["/usr/bin/python3", "-c", listener]);
  await waitFor(() => server.output().includes("up"), "the listener");
  const client = `import socket; s=socket.create_connection(('${EAST}',7000)); s.sendall(b'abc'); print(s.recv(100))`;
  assertMatch((await west.exec(["/usr/bin/python3", "-c", client])).stdout, /cba/);
  const protocols = (await wire.packets()).map(({ ip }) => ip[9]);
  assertEquals(protocols.filter((each) => each === 1).length, 4);
  assertEquals(protocols.includes(6), false, "TCP in clear");
  assert(protocols.includes(50));
});

Deno.test("every algorithm carries traffic, in tunnel and transport mode", async () => {
  const { net, west, east, router, ends } = await hosts("algorithms");
  await using _ = net;
  for (const host of [west, east]) await host.ipsecbox(["sysctl", "net.inet.ah.enable=1"]);
  const wire = await router.capture("eth0", "ip");
  const esp = [
    `-enc des -key 0123456789abcdef -auth md5 -authkey ${key(16)}`,
    `-enc 3des -key ${key(24)} -auth sha1 -authkey ${key(20)}`,
    `-enc blf -key ${key(20)} -auth rmd160 -authkey ${key(20)}`,
    `-enc cast -key ${key(16)} -auth sha1 -authkey ${key(20)}`,
    `-enc skipjack -key ${key(10)} -auth sha1 -authkey ${key(20)}`,
    `-enc aes -key ${key(16)} -auth sha2-256 -authkey ${key(32)}`,
    `-enc aes -key ${key(24)} -auth sha2-384 -authkey ${key(48)}`,
    `-enc aes -key ${key(32)} -auth sha2-512 -authkey ${key(64)}`,
    `-enc aesctr -key ${key(20)} -auth sha1 -authkey ${key(20)}`,
    `-enc aes-gcm -key ${key(20)}`,
    `-enc aes-gcm -key ${key(36)}`,
    `-enc chacha20-poly1305 -key ${key(36)}`,
    `-auth sha1 -authkey ${key(20)}`,
  ].map((rest) => [`new esp ${rest}`, "-proto esp"]);
  const ah = ["md5 16", "sha1 20", "rmd160 20", "sha2-256 32", "sha2-384 48", "sha2-512 64", "aes-gmac 20"].map(
    (row) => {
      const [name, octets] = row.split(" ");
      return [`new ah -auth ${name} -key ${key(Number(octets))}`, "-proto ah"];
    },
  );
  const old = [
    ["old esp -enc des -key 0123456789abcdef", "-proto esp"],
    ["old esp -enc des -halfiv -key 0123456789abcdef", "-proto esp"],
    [`old esp -enc 3des -key ${key(24)}`, "-proto esp"],
    [`old ah -auth md5 -key ${key(16)}`, "-proto ah"],
    [`old ah -auth sha1 -key ${key(20)}`, "-proto ah"],
  ];
  for (const [sa, flow] of [...esp, ...ah, ...old]) {
    for (const mode of ["", "-forcetunnel "]) {
      await Promise.all([west, east].map((host) => ipsecadm(host, "flush")));
      await protect(ends, sa.replace(/^(\w+ \w+) /, `$1 ${mode}`), HOSTS, flow);
      const { received, output } = await west.ping(EAST, { count: 2, size: 1000, waitSeconds: 3 });
      assertEquals(received, 2, `${sa} ${mode}: ${output}`);
    }
  }
  const seen = (await wire.tshark("-T", "fields", "-e", "frame.protocols")).split("\n").filter(Boolean);
  assert(seen.length >= 2 * 2 * 2 * (esp.length + ah.length + old.length), `${seen.length} packets`);
  assertEquals(seen.filter((protocols) => !/^eth:ethertype:ip:(esp|ah|data)/.test(protocols)), []);
  assertEquals(await wire.tshark("-Y", "_ws.malformed"), "", "tshark finds malformed packets");
});

Deno.test("AH around ESP, ESP in UDP, and IPv6 around and inside", async () => {
  const { net, west, east, router, ends } = await hosts("shapes");
  await using _ = net;
  const reset = () => Promise.all([west, east].map((host) => ipsecadm(host, "flush")));
  for (const host of [west, east]) {
    await host.ipsecbox(["sysctl", "net.inet.ah.enable=1"]);
    await ipsecadmAll(host, [
      `new ah -src ${WEST} -dst ${EAST} -spi 2000 -auth sha1 -key ${key(20)}`,
      `new ah -src ${EAST} -dst ${WEST} -spi 2001 -auth sha1 -key ${key(20)}`,
    ]);
  }
  await protect(ends, `new esp -enc blf -key ${key(16)}`, HOSTS);
  for (const host of [west, east]) {
    await ipsecadmAll(host, [
      `group -dst ${EAST} -spi 1000 -proto esp -dst2 ${EAST} -spi2 2000 -proto2 ah`,
      `group -dst ${WEST} -spi 1001 -proto esp -dst2 ${WEST} -spi2 2001 -proto2 ah`,
    ]);
  }
  let wire = await router.capture("eth0", "ip");
  assertEquals((await west.ping(EAST, { count: 2 })).received, 2, "AH ESP");
  for (const { ip } of await wire.packets()) assertEquals([ip[9], ip[20]], [51, 50]);

  await reset();
  await protect(ends, `new esp -forcetunnel -udpencap 4500 -enc aes-gcm -key ${key(20)}`, HOSTS);
  wire = await router.capture("eth0", "ip");
  assertEquals((await west.ping(EAST, { count: 2 })).received, 2, "ESP in UDP");
  for (const { ip } of await wire.packets()) {
    assertEquals([ip[9], ip[20] << 8 | ip[21], ip[22] << 8 | ip[23]], [17, 4500, 4500]);
  }

  await reset();
  const six = [{ host: west, address: "fd00:5::1" }, { host: east, address: "fd00:25::9" }] as const;
  await protect(six, GCM, [["fd00:5::1/128", "fd00:25::9/128"], ...HOSTS]);
  assertEquals((await west.ping("fd00:25::9", { count: 2, size: 2000 })).received, 2, "IPv6 in IPv6");
  assertEquals((await west.ping(EAST, { count: 2 })).received, 2, "IPv4 in IPv6");
  await reset();
  await protect(ends, GCM, [["fd00:5::1/128", "fd00:25::9/128"]]);
  assertEquals((await west.ping("fd00:25::9", { count: 2, size: 2000 })).received, 2, "IPv6 in IPv4");
  await reset();
  await protect(six, `new esp -enc aes -key ${key(16)} -auth sha1 -authkey ${key(20)}`, [[
    "fd00:5::1/128",
    "fd00:25::9/128",
  ]]);
  assertEquals((await west.ping("fd00:25::9", { count: 2 })).received, 2, "IPv6 transport");
  await reset();
  await protect(six, `new ah -auth sha2-256 -key ${key(32)}`, [["fd00:5::1/128", "fd00:25::9/128"]], "-proto ah");
  assertEquals((await west.ping("fd00:25::9", { count: 2 })).received, 2, "IPv6 AH");
});

Deno.test("ESP in UDP carries the TOS octet outside, and a congestion mark comes back inside", async () => {
  const { net, west, east, router, ends } = await hosts("tos");
  await using _ = net;
  await router.exec(["nft", "-f", "-"], {
    input: `table inet t { chain c { type filter hook forward priority 0
      iifname "eth0" udp dport 4500 ip ecn set ce
      iifname "eth0" udp dport 4500 ip6 ecn set ce
    }
    }`,
  });
  const sa = `new esp -forcetunnel -udpencap 4500 -enc aes-gcm -key ${key(20)}`;
  const six = [{ host: west, address: "fd00:5::1" }, { host: east, address: "fd00:25::9" }] as const;
  for (const [outer, version] of [[ends, 4], [six, 6]] as const) {
    await protect(outer, sa, HOSTS);
    const wire = await router.capture("eth0", "udp and src port 4500");
    const clear = await east.capture("enc0", "icmp[icmptype] == icmp-echo");
    for (const tos of ["0x2a", "0x20", "0"]) {
      await west.exec(["ping", "-n", "-c", "1", "-W", "0.3", "-Q", tos, EAST], { check: false });
    }
    const sent = (await wire.packets()).map(({ ip }) => ip).filter((ip) => version === 4 ? ip[15] === 1 : ip[11] === 5);
    assertEquals(sent.map((ip) => (ip[0] << 8 | ip[1]) >> (version === 4 ? 0 : 4) & 0xff), [0x2a, 0x20, 0]);
    // RFC 6040 4.2: what cannot carry the mark is dropped.
    assertEquals((await clear.packets()).map(({ ip }) => ip[1]), [0x2b]);
    const counters = (await east.ipsecbox(["netstat", "-s"])).stdout;
    assertMatch(counters, version === 4 ? /2 .*marked congested/ : /4 .*marked congested/);
    await Promise.all([west, east].map((host) => ipsecadm(host, "flush")));
  }
});

Deno.test("a wrong key, an unknown SPI and a protocol that is off are counted, with the reason", async () => {
  const { net, west, east, ends } = await hosts("counters");
  await using _ = net;
  await protect(ends, GCM, HOSTS);
  await ipsecadm(east, `delspi -dst ${EAST} -spi 1000 -proto esp`);
  assertEquals((await west.ping(EAST, { count: 2 })).received, 0);
  assertMatch(
    (await east.ipsecbox(["netstat", "-s", "-p", "esp"])).stdout,
    /2 packets? with an SPI for which there is no SA/,
  );
  await ipsecadm(east, `new esp -forcetunnel -src ${WEST} -dst ${EAST} -spi 1000 -enc aes-gcm -key ${key(20, 9)}`);
  assertEquals((await west.ping(EAST, { count: 3 })).received, 0);
  assertMatch((await east.ipsecbox(["netstat", "-s", "-p", "esp"])).stdout, /3 packets? that failed authentication/);
  const refused = await west.ipsecbox(
    ["ipsecadm", "new", "ah", "-src", WEST, "-dst", EAST, "-spi", "3000", "-auth", "md5", "-key", key(16)],
    { check: false },
  );
  assertEquals(refused.code, 1);
  assertMatch(refused.stderr, /net\.inet\.ah\.enable/);
});

Deno.test("a second engine refuses and names the first; a crashed one's leftovers are cleared; SIGTERM leaves nothing", async () => {
  const { net, west, east, ends, engines } = await hosts("life");
  await using _ = net;
  const second = await west.ipsecbox(["enc"], { check: false });
  assertEquals(second.code, 1);
  assertMatch(second.stderr, /runs already as process \d+/);
  await protect(ends, GCM, HOSTS);
  await engines[0].stop("SIGKILL");
  assertMatch((await west.exec("ip rule show")).stdout, /fwmark/);
  const again = await startEngine(west);
  assertEquals((await west.exec("ip rule show")).stdout.includes("fwmark"), false, "leftover rules");
  assertMatch((await west.exec("nft list tables")).stdout, /ipsecbox/, "cleartext stays held back");
  await protect(ends, GCM, HOSTS).catch(() => {}); // east has them already
  await ipsecadm(east, "flush");
  await ipsecadm(west, "flush");
  await protect(ends, GCM, HOSTS);
  assertEquals((await west.ping(EAST, { count: 2 })).received, 2);
  assertEquals(await again.stop(), 0);
  const { stdout } = await west.exec("ip -o link; ip rule; ip route show table all; nft list tables; ls $IPSECBOX_RUN");
  assertEquals(/enc0|fwmark|proto 50|ipsecbox|sock/.test(stdout), false, stdout);
});

Deno.test("an address that goes and comes back takes its flows with it", async () => {
  const { net, west, ends } = await hosts("address");
  await using _ = net;
  await protect(ends, GCM, HOSTS);
  assertEquals((await west.ping(EAST)).received, 1);
  await west.exec(`ip addr del ${WEST}/24 dev eth0`);
  assertEquals((await west.ping(EAST)).received, 0);
  await west.exec(`ip addr add ${WEST}/24 dev eth0 && ip route add default via 192.168.5.254`);
  await waitFor(async () => (await west.ping(EAST)).received === 1, "the flow to work again");
});

Deno.test("the engine works without libcrypto", async () => {
  await using net = await topology("nolib", twoHosts());
  const [west, east] = [net.host("west"), net.host("east")];
  const engines = [west, east].map((host) => host.startIpsecbox(["enc", "-v"], { IPSECBOX_LIBCRYPTO: "off" }));
  await waitFor(() => engines.every((engine) => engine.output().includes("ready")), "the engines", 20_000);
  assertMatch(engines[0].output(), /node:crypto/);
  const sa = `new esp -forcetunnel -enc aes -key ${key(24)} -auth rmd160 -authkey ${key(20)}`;
  await protect([{ host: west, address: WEST }, { host: east, address: EAST }], sa, HOSTS);
  assertEquals((await west.ping(EAST, { count: 3, size: 3000 })).received, 3);
});

Deno.test("a path that is narrow further on is learnt, over IPv4 and IPv6", async () => {
  const { net, west, east, router, ends } = await hosts("path");
  await using _ = net;
  const six = [{ host: west, address: "fd00:5::1" }, { host: east, address: "fd00:25::9" }] as const;
  await Promise.all([router.exec("ip link set eth1 mtu 1300"), east.exec("ip link set eth0 mtu 1300")]);
  for (const [end, from, to] of [[ends, WEST, EAST], [six, "fd00:5::1", "fd00:25::9"]] as const) {
    const bits = from === WEST ? 32 : 128;
    await protect(end, GCM, [[`${from}/${bits}`, `${to}/${bits}`]]);
    // The first packets are too big, and that is how the path is learnt.
    await waitFor(async () => (await west.ping(to, { size: 1200 })).received === 1, `big packets to ${to}`, 15_000);
    assertEquals((await west.ping(to, { count: 3, size: 1200 })).received, 3, to);
    await Promise.all([west, east].map((host) => ipsecadm(host, "flush")));
  }
});
