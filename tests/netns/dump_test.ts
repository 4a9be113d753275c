import { assert, assertEquals, assertMatch } from "@std/assert";
import { ipsecadmAll, key, protect, startEngine } from "./engine.ts";
import { Daemon, exampleConf, GATEWAYS } from "./isakmpd_hosts.ts";
import { twoHosts } from "./shapes.ts";
import { type Background, type Host, topology, waitFor } from "./topology.ts";

const WEST = "192.168.5.1";
const EAST = "192.168.25.9";
const SA = `new esp -forcetunnel -enc 3des -auth sha1 -key ${key(24)} -authkey ${key(20)}`;
const HOSTS = [[`${WEST}/32`, `${EAST}/32`]] as const;

async function hosts(name: string) {
  const net = await topology(name, twoHosts());
  const [west, east, router] = ["west", "east", "router"].map((each) => net.host(each));
  await Promise.all([startEngine(west), startEngine(east)]);
  return { net, west, east, router, ends: [{ host: west, address: WEST }, { host: east, address: EAST }] as const };
}

/** Starts `ipsecbox dump` and waits until it sees packets. */
async function dump(host: Host, ...args: string[]): Promise<Background> {
  const running = host.startIpsecbox(["dump", ...args]);
  await waitFor(
    () => {
      if (running.ended()) throw new Error(`dump ended: ${running.output()}`);
      return running.output().includes("listening on");
    },
    "dump",
    15_000,
  );
  return running;
}

/** Its lines without times, once it has ended by itself (-c). */
async function linesOf(running: Background): Promise<string[]> {
  await waitFor(running.ended, "dump to end", 10_000);
  assertEquals(running.status(), 0, running.output());
  return running.output().split("\n").filter((line) => /^ *\d\d:\d\d:\d\d\.\d{6} /.test(line))
    .map((line) => line.replace(/^\S+ /, ""));
}

Deno.test("dump shows ESP in the FAQ's format, decrypted with the engine's keys, and names the SA on enc0", async () => {
  const { net, west, router, ends } = await hosts("dump");
  await using _ = net;
  await protect(ends, SA, HOSTS);
  const pcap = `${west.folder}/own.pcap`;
  const all = await Promise.all([
    dump(router, "-i", "eth0", "-c", "2", "esp", "and", "host", WEST, "and", "host", EAST),
    dump(west, "--sa", "-i", "eth0", "-c", "2", "esp"),
    dump(west, "-i", "enc0", "-c", "2"),
    dump(west, "-c", "4"),
    dump(west, "-i", "eth0", "-c", "2", "-w", pcap),
  ]);
  assertEquals((await west.ping(EAST)).received, 1);
  const [wire, decrypted, enc, any] = await Promise.all(all.map(linesOf));
  assertEquals(wire, [
    "esp 192.168.5.1 > 192.168.25.9 spi 0x00001000 seq 1 len 116",
    "esp 192.168.25.9 > 192.168.5.1 spi 0x00001001 seq 1 len 116",
  ]);
  assertEquals(decrypted, [
    `${wire[0]}: icv ok: 192.168.5.1 > 192.168.25.9: icmp: echo request`,
    `${wire[1]}: icv ok: 192.168.25.9 > 192.168.5.1: icmp: echo reply`,
  ]);
  assertEquals(enc, [
    "(authentic,confidential): SPI 0x00001000: 192.168.5.1 > 192.168.25.9: icmp: echo request",
    "(authentic,confidential): SPI 0x00001001: 192.168.25.9 > 192.168.5.1: icmp: echo reply",
  ]);
  assertEquals(
    [...any].sort(),
    [...wire.map((line) => `eth0: ${line}`), ...enc.map((line) => `enc0: ${line}`)].sort(),
  );

  // The file is one that tcpdump reads, and its packets open with keys from a file.
  assertMatch((await west.exec(`tcpdump -nr ${pcap}`)).stdout, /ESP\(spi=0x00001000,seq=0x1\)/);
  const keys = `${west.folder}/keys`;
  Deno.writeTextFileSync(
    keys,
    `${SA} -src ${WEST} -dst ${EAST} -spi 1000\n${SA} -src ${EAST} -dst ${WEST} -spi 1001\n`,
    { mode: 0o600 },
  );
  const again = await west.ipsecbox(["dump", "-t", "-r", pcap, "--keys", keys]);
  assertEquals(again.stdout.trim().split("\n"), decrypted);
  const dump2 = await west.ipsecbox(["dump", "-t", "-x", "-r", pcap, "spi", "0x1001"]);
  assertMatch(dump2.stdout, /^esp .* spi 0x00001001 seq 1 len 116\n\t0x0000: {2}45/);
  Deno.chmodSync(keys, 0o644);
  const exposed = await west.ipsecbox(["dump", "-r", pcap, "--keys", keys], { check: false });
  assertMatch(exposed.stderr, /others can read or change it \(mode 0644\)/);
});

Deno.test("dump learns of SAs made while it runs, and says when a key is wrong", async () => {
  const { net, west, east, ends } = await hosts("dumpnew");
  await using _ = net;
  const running = await dump(east, "--sa", "-i", "eth0", "-c", "2", "esp");
  await protect(ends, SA, HOSTS);
  await ipsecadmAll(west, [
    `delspi -dst ${EAST} -spi 1000 -proto esp`,
    `${SA.replace(`-authkey ${key(20)}`, `-authkey ${key(20, 9)}`)} -src ${WEST} -dst ${EAST} -spi 1000`,
  ]);
  await west.ping(EAST, { count: 2 });
  const lines = await linesOf(running);
  assertEquals(lines.length, 2);
  for (const [i, line] of lines.entries()) {
    assertEquals(
      line,
      `esp ${WEST} > ${EAST} spi 0x00001000 seq ${i + 1} len 116: icv bad: another key, or changed on the way`,
    );
  }
});

Deno.test("dump reads IKE and ESP that isakmpd -W gave away the keys of, live and from a file", async () => {
  await using net = await topology("dumpike", GATEWAYS);
  const [west, east] = [net.host("west"), net.host("east")];
  await Promise.all([startEngine(west), startEngine(east)]);
  const secrets = `${west.folder}/wireshark`;
  const pcap = `${west.folder}/ike.pcap`;
  const initiator = await Daemon.start(west, exampleConf("west"), ["-K", "-W", secrets]);
  const live = await dump(west, "-i", "wan", "-v", "--keys", secrets, "isakmp", "or", "esp");
  const written = await dump(west, "-i", "wan", "-w", pcap, "isakmp", "or", "esp");
  await Daemon.start(east, exampleConf("east"));
  await initiator.up();
  assertEquals((await net.host("westlan").ping("192.168.2.2", { count: 2 })).received, 2);
  await written.stop("SIGINT");
  await live.stop("SIGINT");
  const read = (await west.ipsecbox(["dump", "-v", "-r", pcap, "--keys", secrets])).stdout;
  for (const text of [live.output(), read]) {
    assertMatch(text, /isakmp ID_PROT .* flags ENCRYPTION: ID, HASH.*\(decrypted\)/);
    assertMatch(text, /isakmp QUICK_MODE .* flags ENCRYPTION: HASH, SA, NONCE.*ID x2.*\(decrypted\)/);
    assertMatch(text, /\n +ID: IPV4_ADDR_SUBNET 192\.168\.1\.0\/24\n/);
    assertMatch(text, /\n +TRANSFORM 1: .*\n +LIFE_TYPE = SECONDS\n/);
    assertMatch(text, /icv ok: 192\.168\.2\.2 > 192\.168\.1\.2: icmp: echo reply/);
  }
  // Live, a message can be seen a moment before isakmpd has written down its key.
  assertEquals(read.includes("encrypted,"), false, read);
});

Deno.test("dump refuses what it cannot do in one line", async () => {
  await using net = await topology("dumpbad", twoHosts());
  const west = net.host("west");
  const rows: [string, RegExp, number][] = [
    ["-i eth9", /^dump: -i eth9: no such interface; did you mean "eth0"\?; there are lo, eth0\n$/, 1],
    ["-i eth0 esq", /^dump: no filter word "esq"; did you mean "esp"\?/, 2],
    ["-z", /^dump: unknown option -z/, 2],
    ["--key x", /^dump: unknown option "--key"; did you mean "--keys"\?/, 2],
    ["--sa -i eth0", /^dump: cannot reach the IPsec engine at .*: start it with "ipsecbox enc"\n$/, 1],
    ["-r /etc/hostname", /^dump: \/etc\/hostname: this is no pcap file/, 1],
    ["-r /none", /^dump: -r \/none: it does not exist\n$/, 1],
  ];
  for (const [args, message, status] of rows) {
    const { code, stderr } = await west.ipsecbox(["dump", ...args.split(" ")], { check: false });
    assertEquals(code, status, stderr);
    assertMatch(stderr, message);
  }
  assert((await west.ipsecbox(["help", "dump"])).stdout.startsWith("usage: ipsecbox dump"));
});
