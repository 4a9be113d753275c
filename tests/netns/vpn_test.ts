// rc.vpn where forwarding can be switched on and off: in a network namespace of its own (needs root).
import { assertEquals } from "@std/assert";
import { EngineProcess } from "../daemon/pfkey_engine.ts";

const VARIABLES = {
  GW_LOCAL: "208.1.1.1",
  GW_PEER: "208.2.2.2",
  LOCAL_NET_0: "192.168.99.0/255.255.255.0",
  REMOTE_NET_0: "208.1.2.0/255.255.255.0",
  REMOTE_NET_1: "208.1.5.0/255.255.255.0",
};

/** Runs `ipsecbox vpn` in a new namespace with `forwarding`; the engine's socket is reached from there, too. */
async function vpn(process: EngineProcess, forwarding: 0 | 1): Promise<{ status: number; out: string; err: string }> {
  const main = new URL("../../main.ts", import.meta.url).pathname;
  const script = `echo ${forwarding} > /proc/sys/net/ipv4/ip_forward && exec "$@"`;
  const { code, stdout, stderr } = await new Deno.Command("unshare", {
    args: ["--net", "sh", "-c", script, "sh", Deno.execPath(), "run", "-A", "--quiet", "--no-check", main, "vpn"],
    env: {
      ...VARIABLES,
      IPSECBOX_RUN: process.directory,
      KEYFILE: `${process.directory}/k`,
      AUTHKEYFILE: `${process.directory}/a`,
    },
  }).output();
  const text = new TextDecoder();
  return { status: code, out: text.decode(stdout), err: text.decode(stderr) };
}

Deno.test("vpn wants forwarding and both keys, then makes 2 SAs and 12 flows", async () => {
  await using process = await EngineProcess.start();
  const counts = () => [process.engine.saCount, process.engine.flowCount];
  assertEquals(await vpn(process, 0), {
    status: 0,
    out: 'vpn: net.inet.ip.forwarding is 0: "ipsecbox sysctl -w net.inet.ip.forwarding=1" sets it and keeps it; ' +
      "no VPN was set up\n",
    err: "",
  });
  Deno.writeTextFileSync(`${process.directory}/k`, "0123456789abcdef23456789abcdef01456789abcdef0123\n", {
    mode: 0o600,
  });
  const missing = await vpn(process, 1);
  assertEquals([missing.status, missing.err, counts()], [1, `vpn: ${process.directory}/a: no such file\n`, [0, 0]]);
  Deno.writeTextFileSync(`${process.directory}/a`, "000102030405060708090a0b0c0d0e0f10111213\n", { mode: 0o600 });
  assertEquals(await vpn(process, 1), { status: 0, out: " VPN \n", err: "" });
  assertEquals(counts(), [2, 12]);
  process.perform(process.engine.setSysctl("net.inet.esp.enable", "0"));
  assertEquals((await vpn(process, 1)).out.includes("net.inet.esp.enable is 0"), true);
});
