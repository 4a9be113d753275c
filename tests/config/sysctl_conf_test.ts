import { assertEquals } from "@std/assert";
import { changeSysctlConf, parseSysctlConf } from "../../lib/config/sysctl_conf.ts";

const TEXT = `# OpenBSD's file
#net.inet.esp.enable=1   # 1=Enable the ESP IPSec protocol
net.inet.ip.forwarding=1\t# 1=Permit forwarding
net.inet.ah.enable = 0
nonsense
`;

Deno.test("sysctl.conf is read with comments, and a line that is none is told", () => {
  const { settings, faults } = parseSysctlConf(TEXT, "f");
  assertEquals(settings, [
    { file: "f", line: 3, name: "net.inet.ip.forwarding", value: "1" },
    { file: "f", line: 4, name: "net.inet.ah.enable", value: "0" },
  ]);
  assertEquals(faults.map(({ line, severity }) => [line, severity]), [[5, "error"]]);
});

Deno.test("a change keeps the rest of the file: the setting's line, its commented-out line, or a new one", () => {
  const change = (name: string, value: string) => changeSysctlConf(TEXT, name, value).split("\n");
  assertEquals(change("net.inet.ah.enable", "1")[3], "net.inet.ah.enable=1");
  assertEquals(change("net.inet.ip.forwarding", "0")[2], "net.inet.ip.forwarding=0\t# 1=Permit forwarding");
  assertEquals(change("net.inet.esp.enable", "1")[1], "net.inet.esp.enable=1   # 1=Enable the ESP IPSec protocol");
  assertEquals(change("net.inet.ip.ipsec-pfs", "0").slice(4), ["nonsense", "net.inet.ip.ipsec-pfs=0", ""]);
  assertEquals(changeSysctlConf("", "net.inet.ah.enable", "1"), "net.inet.ah.enable=1\n");
});
