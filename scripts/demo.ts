/**
 * The demo: two hosts, 192.168.5.1 and 192.168.25.9, joined by a router, each a network namespace. The FAQ's ipsecadm
 * lines (13.6) are typed on both; what crosses the router is shown encrypted, what leaves by enc0 is shown clear. Ends by
 * itself and leaves nothing behind.
 *
 *     deno task demo
 */
import { assert, assertEquals } from "@std/assert";
import { formatHex } from "../lib/octets/hex.ts";
import { twoHosts } from "../tests/netns/shapes.ts";
import { type Host, topology, waitFor } from "../tests/netns/topology.ts";
import { ensurePackages } from "./packages.ts";

const WEST = "192.168.5.1";
const EAST = "192.168.25.9";
const PAYLOAD = "attack at dawn";

function say(text: string): void {
  console.log(text);
}

/** Runs one line as an administrator types it. */
async function type(host: Host, line: string): Promise<string> {
  say(`${host.name}# ${line}`);
  const { stdout } = await host.ipsecbox(line.split(" "));
  return stdout;
}

await ensurePackages("demo");
const packed = await new Deno.Command(Deno.execPath(), { args: ["run", "-A", "scripts/pack.ts"] }).output();
assert(packed.success, new TextDecoder().decode(packed.stderr));

say(`
  west                      router                      east
  ${WEST} ---- 192.168.5.254  192.168.25.254 ---- ${EAST}
`);
{
  await using net = await topology("demo", twoHosts());
  const west = net.host("west");
  const east = net.host("east");
  const router = net.host("router");
  const engines = [west, east].map((host) => {
    say(`${host.name}# ipsecbox enc &`);
    return host.startIpsecbox(["enc"]);
  });
  await waitFor(() => engines.every((engine) => engine.output().includes("ready")), "both engines to start", 15_000);

  const key = (await type(west, "genkey 192")).trim();
  const authkey = (await type(west, "genkey 160")).trim();
  const esp = `-forcetunnel -enc 3des -auth sha1 -key ${key} -authkey ${authkey}`;
  say("\nThe SAs, the same two lines on both hosts:");
  for (const host of [west, east]) {
    await type(host, `ipsecadm new esp -src ${WEST} -dst ${EAST} -spi 1000 ${esp}`);
    await type(host, `ipsecadm new esp -src ${EAST} -dst ${WEST} -spi 1001 ${esp}`);
  }
  say("\nThe flows:");
  const one = "255.255.255.255";
  for (const [host, me, him, out, into] of [[west, WEST, EAST, 1000, 1001], [east, EAST, WEST, 1001, 1000]] as const) {
    const flow = `ipsecadm flow -proto esp -src ${me} -dst ${him}`;
    await type(host, `${flow} -spi ${out} -addr ${me} ${one} ${him} ${one} -out -require`);
    await type(host, `${flow} -spi ${into} -addr ${him} ${one} ${me} ${one} -in -require`);
  }

  const wire = await router.capture("eth0", "ip");
  const clear = await west.capture("enc0", "ip");
  const pattern = formatHex(new TextEncoder().encode(PAYLOAD));
  say(`\nwest pings east and east pings west, each packet filled with "${PAYLOAD}":`);
  for (const [host, to] of [[west, EAST], [east, WEST]] as const) {
    const { stdout } = await host.exec(`ping -c 3 -i 0.2 -p ${pattern} ${to}`);
    say(stdout.split("\n").filter((line) => /bytes from|transmitted/.test(line)).join("\n"));
  }
  const onWire = await wire.packets();
  await clear.stop();
  const show = async (file: string) => {
    const { stdout } = await west.exec(`tcpdump -n -r ${file} -c 4 2>/dev/null`);
    say(stdout.trimEnd());
  };
  say("\nOn the wire, at the router:");
  await show(wire.file);
  const holds = (packet: { ip: Uint8Array }) => new TextDecoder("latin1").decode(packet.ip).includes(PAYLOAD);
  const spis = new Set(onWire.map(({ ip }) => formatHex(ip.subarray(20, 24))));
  assertEquals(onWire.filter(({ ip }) => ip[9] !== 50).length, 0, "something else than ESP was on the wire");
  assertEquals(onWire.some(holds), false, "the payload was on the wire in clear");
  assertEquals([...spis].sort(), ["00001000", "00001001"]);
  say(`${onWire.length} packets, all ESP, SPIs 0x1000 and 0x1001, "${PAYLOAD}" in none of them.`);
  say("\nOn enc0 of west, the clear side:");
  await show(clear.file);
  assert((await clear.packets()).some(holds), "enc0 does not show the clear packets");

  say("");
  say(await type(west, "netstat -rn -f encap"));
  for (const host of [west, east]) await type(host, "ipsecadm flush");
  for (const engine of engines) await engine.stop();
  for (const host of [west, east]) {
    const { stdout } = await host.exec("ip link show; ip rule show; nft list tables 2>/dev/null; ls $IPSECBOX_RUN");
    assertEquals(/enc0|fwmark|ipsecbox|sock/.test(stdout), false, `left behind: ${stdout}`);
  }
  say("\nAfter flush and the engines' end: no interface, rule, filter or socket is left.");
}
say("The demo passed.");
