// Every flag, FIFO command and signal of isakmpd(8), each seen to do what it says. What other tests already see:
//   -c -d -K -L -v -W, c, t, C set, C add, C get, S, SIGUSR1, SIGTERM  isakmpd_test.ts
//   -n, -x, -f with what is no FIFO, -D with an unknown class          isakmpd_test.ts
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Daemon, exampleConf, GATEWAYS, shown, startEngine, twoGateways, writePrivate } from "./isakmpd_hosts.ts";
import { type Host, ipsecboxCommand, topology, waitFor } from "./topology.ts";

const confs = { west: exampleConf("west"), east: exampleConf("east") };
const passive = { west: confs.west, east: confs.east.replace("Connections=", "Passive-connections=") };
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const run = async (host: Host, command: string) => (await host.exec(command, { check: false })).stdout;

/** Packets of a packet log as `tshark -T fields` has them. */
const fields = async (host: Host, file: string, filter: string, ...names: string[]) =>
  (await host.exec([
    "tshark",
    "-r",
    file,
    "-Y",
    filter,
    "-T",
    "fields",
    ...names.flatMap((name) => ["-e", name]),
  ])).stdout.trim().split("\n");

Deno.test("-4 and -6 listen on the addresses of one family, without them on both", async () => {
  await using net = await topology("isakmpd", GATEWAYS);
  const host = net.host("west");
  const listening = async (...flags: string[]) => {
    const daemon = await Daemon.start(host, "[General]\n", ["-n", "-K", ...flags]);
    const sockets = await run(host, "ss -Hlun sport = :500");
    await daemon.stop();
    return [/10\.1\.0\.1:500/.test(sockets), /\[fd10::1\]:500/.test(sockets)];
  };
  assertEquals(await listening("-4"), [true, false]);
  assertEquals(await listening("-6"), [false, true]);
  assertEquals(await listening(), [true, true]);
});

Deno.test("-p, -N, -i, -R and -f put ports and files elsewhere; -P is taken and does nothing; SIGINT ends like SIGTERM", async () => {
  await using net = await topology("isakmpd", GATEWAYS);
  const flags = ["-n", "-K", "-p", "5500", "-N", "5600", "-P", "600"];
  const ported = (text: string) => text.replace("Phase=\t\t\t1", "Phase=\t\t\t1\nPort=\t\t\t5500");
  assert(ported(confs.west) !== confs.west);
  const place = ["-i", "/var/run/my.pid", "-R", "/var/run/my/report", "-f", "/var/run/my.fifo"];
  await net.host("west").exec("mkdir /var/run/my");
  const west = await Daemon.start(net.host("west"), ported(passive.west), [...flags, ...place]);
  const east = await Daemon.start(net.host("east"), ported(passive.east), flags);
  await Promise.all([west.up(), east.up()]);
  const host = net.host("west");
  assertMatch(await run(host, "ss -Hlun"), /:5500\b[^]*:5600\b/);
  assertMatch(await run(host, "cat /var/run/my.pid"), /^\d+\n$/);
  assertMatch(await run(host, "stat -c '%a %F' /var/run/my.fifo"), /^600 fifo\n$/);
  west.process.signal("SIGUSR1");
  await host.exec("echo S >/var/run/my.fifo");
  await waitFor(
    async () => (await run(host, "ls /var/run/my")) === "isakmpd.result\nreport\n",
    "the report and the result",
  );
  assertMatch(await run(host, "cat /var/run/my/report"), /NAT port 5600: open/);
  west.process.signal("SIGINT");
  await east.says(/Ended phase 2 .*deleted by the peer/);
  await east.says(/Ended phase 1 .*deleted by the peer/);
  await waitFor(west.process.ended, "the end");
  assertEquals(west.process.status(), 0);
  assertEquals(await run(host, "ls /var/run"), "my\n");
});

Deno.test("-f - takes commands from standard input and makes no FIFO; Q ends the daemon", async () => {
  await using net = await topology("isakmpd", GATEWAYS);
  const host = net.host("west");
  const conf = writePrivate(host, "isakmpd.conf", confs.west);
  await host.exec("mkfifo /var/run/commands");
  const daemon = new Daemon(
    host,
    host.spawn([
      "sh",
      "-c",
      `exec 3<>/var/run/commands; exec ${
        ipsecboxCommand().join(" ")
      } isakmpd -d -n -K -f - -c ${conf} </var/run/commands`,
    ]),
  );
  await daemon.says(/listening on/, 15_000);
  assertEquals(await run(host, "ls /var/run"), "commands\nisakmpd.pid\n");
  await host.exec("echo 'c nobody' >/var/run/commands");
  await daemon.says(/there is no such connection/);
  await host.exec("echo Q >/var/run/commands");
  await waitFor(daemon.process.ended, "the end");
  assertEquals(daemon.process.status(), 0);
});

Deno.test("-r SEED makes the same cookies, nonces and Diffie-Hellman values again; -l logs packets, p turns that on and off", async () => {
  await using net = await topology("isakmpd", GATEWAYS);
  const [host, other] = [net.host("west"), net.host("east")];
  const begin = (seed: string) => Daemon.start(host, passive.west, ["-n", "-K", "-r", seed, "-l", "/var/run/log.pcap"]);
  const phase1 = () =>
    fields(
      host,
      "/var/run/log.pcap",
      "isakmp.exchangetype == 2",
      "isakmp.ispi",
      "isakmp.key_exchange.data",
      "isakmp.nonce",
    );
  const negotiate = async () => {
    const west = await begin("one");
    const east = await Daemon.start(other, passive.east, ["-n", "-K", "-r", "east"]);
    await Promise.all([west.up(), east.up()]);
    // With `p off` the log has ended; another one begins with `p on=`.
    await west.command("p off");
    await west.command("p on=/var/run/other.pcap");
    await west.command("t main ISAKMP-peer-east");
    await east.says(/Ended phase 1 .*deleted by the peer/);
    await west.command("p off");
    await Promise.all([west.stop(), east.stop()]);
    assertMatch(west.output(), /-r: every key of this daemon can be predicted/);
    return await phase1();
  };
  const first = await negotiate();
  assertEquals(first.length, 6);
  assertEquals(await negotiate(), first);

  assertMatch(await run(host, "stat -c %a /var/run/other.pcap"), /^600\n$/);
  const deletes = (file: string) => fields(host, file, "isakmp.exchangetype == 5", "isakmp.typepayload");
  assertEquals(await deletes("/var/run/log.pcap"), [""]);
  assertMatch((await deletes("/var/run/other.pcap"))[0], /12/, "the DELETE");

  const alone = await begin("two");
  await sleep(300);
  await alone.stop();
  assert((await phase1())[0].split("\t")[0] !== first[0].split("\t")[0], "another seed, another cookie");
});

Deno.test("-T does without NAT traversal; -D, D and D T set what is logged", async () => {
  await using net = await topology("isakmpd", GATEWAYS);
  const west = await Daemon.start(net.host("west"), passive.west, ["-n", "-K", "-T", "-D", "7=60", "-D2=70"]);
  const east = await Daemon.start(net.host("east"), passive.east, ["-n", "-K"]);
  await Promise.all([west.up(), east.up()]);
  assertEquals(/NAT/.test(west.output().split("Sending to")[1]), false, "no NAT traversal is announced");
  assertEquals(await run(net.host("west"), "ss -Hlun sport = :4500"), "");
  assertMatch(west.output(), /Exchange +60 ID_PROT as initiator: START to SENT_SA/);
  await west.command("D A 0");
  await west.command("t IPsec-west-east");
  await west.says(/Ended phase 2/);
  const quiet = west.output().length;
  await west.command("c IPsec-west-east");
  await west.up(2);
  assert(!/Exchange +60|Sending to/.test(west.output().slice(quiet)), "all classes are at 0");
  await west.command("D 7 60");
  await west.command("t IPsec-west-east");
  await west.says(/Exchange +60 INFO as initiator[^]*$/);
  await west.command("D T");
  const off = west.output().length;
  await west.command("c IPsec-west-east");
  await west.up(3);
  assert(!/Exchange +60/.test(west.output().slice(off)));
  await west.command("D T");
  await west.command("r");
  await west.says(/\* Connections/);
  await west.command("t IPsec-west-east");
  await west.says(/\* Connections[^]*Exchange +60/);
});

Deno.test("-a installs SAs and no flows", async () => {
  await using both = await twoGateways(confs, ["-K", "-a"]);
  const { net, west, east } = both;
  await Promise.all([west.up(), east.up()]);
  const state = await shown(net.host("west"));
  assertMatch(state, /^esp 0x/m);
  assert(!/^flow/m.test(state), state);
  assertEquals(
    (await net.host("west").ipsecbox(["netstat", "-rn", "-f", "encap"])).stdout.includes("192.168.2"),
    false,
  );
});

Deno.test("-S begins nothing and deletes nothing at its end; M active and M passive change that", async () => {
  await using net = await topology("isakmpd", GATEWAYS);
  await Promise.all([startEngine(net.host("west")), startEngine(net.host("east"))]);
  const west = await Daemon.start(net.host("west"), passive.west, ["-K", "-S"]);
  const east = await Daemon.start(net.host("east"), passive.east);
  await sleep(700);
  assert(!/Established/.test(west.output() + east.output()), "something began by itself");
  await west.command("M active");
  await Promise.all([west.up(), east.up()]);
  await west.command("M passive");
  await west.stop();
  await sleep(300);
  assert(!/deleted by the peer/.test(east.output()), "a DELETE was sent");
  assertMatch(await shown(net.host("west")), /^esp 0x/m);
});

Deno.test("t by address, t main, T and d take down what they name; R and SIGHUP read the file again", async () => {
  await using both = await twoGateways({
    ...passive,
    west: confs.west.replace("[General]", "[General]\nCheck-interval=1"),
  });
  const { west, east } = both;
  await Promise.all([west.up(), east.up()]);

  await west.command("t quick 10.1.0.2");
  await east.says(/Ended phase 2 .*deleted by the peer/);
  await west.says(/Ended phase 2 .*torn down/);
  await west.command("c IPsec-west-east");
  await Promise.all([west.up(2), east.up(2)]);

  await east.command("T");
  await west.says(/Ended phase 2 .*deleted by the peer/);
  await Promise.all([west.up(3), east.up(3)]);
  await west.command("t main 10.1.0.2");
  await east.says(/Ended phase 1 .*deleted by the peer/);
  await west.command("t quick IPsec-west-east");
  await west.command("c IPsec-west-east");
  await Promise.all([west.up(4), east.up(4)]);

  const [, icookie, rcookie] = /icookie (\w{16}) rcookie (\w{16})/.exec(await west.result("S"))!;
  await west.command(`d ${icookie}${rcookie} -`);
  await east.says(/(Ended phase 1[^]*){2}/);
  await west.command(`d ${icookie}${rcookie} -`);
  await west.says(/cannot delete SA .*: there is none/);

  // Edits of lists, tags and sections; SIGHUP (and R) bring the file back.
  await west.command("C add [Phase 2]:Connections=second");
  await west.command("C rmv [Phase 2]:Connections=second");
  assertEquals(await west.result("C get [Phase 2]:Connections"), "IPsec-west-east\n");
  await west.command("C rm [ISAKMP-peer-east]:Address");
  assertEquals(await west.result("C get [ISAKMP-peer-east]:Address"), "");
  await west.command("R");
  await west.says(/reading the configuration again/);
  assertEquals(await west.result("C get [ISAKMP-peer-east]:Address"), "10.1.0.2\n");
  await west.command("C rms [ISAKMP-peer-east]");
  assertEquals(await west.result("C get [ISAKMP-peer-east]:Address"), "");
  west.process.signal("SIGHUP");
  await west.says(/(reading the configuration again[^]*){2}/);
  assertEquals(await west.result("C get [ISAKMP-peer-east]:Address"), "10.1.0.2\n");
});

Deno.test("SIGHUP with Renegotiate-on-HUP negotiates anew with other suites while pings go on; without a connection it ends it", async () => {
  const renegotiates = (text: string) => text.replace("[General]", "[General]\nRenegotiate-on-HUP=yes");
  await using both = await twoGateways({ west: renegotiates(passive.west), east: passive.east });
  const { net, west, east } = both;
  await Promise.all([west.up(), east.up()]);
  assertMatch(await shown(net.host("west")), /3des/i);
  const suite = (text: string) => text.replace(/(?<=Suites=\s*)\S+/, "QM-ESP-AES-256-SHA2-256-PFS-SUITE");
  const reread = (daemon: Daemon, text: string) => {
    writePrivate(daemon.host, "isakmpd.conf", text);
    daemon.process.signal("SIGHUP");
    return daemon.says(/reading the configuration again/);
  };
  const ping = net.host("westlan").spawn(["ping", "-n", "-i", "0.02", "-c", "100", "192.168.2.2"]);
  await reread(east, suite(passive.east));
  await reread(west, suite(renegotiates(passive.west)));
  await Promise.all([west.up(2), east.up(2)]);
  await waitFor(ping.ended, "ping to end", 20_000);
  assertMatch(ping.output(), /100 packets transmitted, 100 received/);
  assertMatch(await west.result("S"), /Encryption algorithm: AES \(CBC\)/);

  const without = suite(renegotiates(passive.west)).replace(/Connections=.*\n/, "").replace(
    /\[IPsec-west-east\][^[]*/,
    "",
  );
  writePrivate(west.host, "isakmpd.conf", without);
  west.process.signal("SIGHUP");
  await east.says(/Ended phase 2 .*deleted by the peer/);
  await waitFor(async () => (await shown(net.host("west"))).match(/^(esp|flow)/m) === null, "SAs and flows to go");
});
