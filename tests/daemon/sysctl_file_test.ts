import { assertEquals } from "@std/assert";
import { loadSysctlConf } from "../../lib/daemon/sysctl_file.ts";

Deno.test("the engine's settings are read from sysctl.conf, and each wrong line is told", () => {
  const path = Deno.makeTempFileSync();
  try {
    Deno.writeTextFileSync(
      path,
      `# knobs
net.inet.ah.enable=1
net.inet.esp.enable=yes
kern.maxproc=1000
net.inet.ip.ipsec-expire-acquire = 10
nonsense
`,
    );
    const warnings: string[] = [];
    assertEquals(loadSysctlConf((line) => warnings.push(line), path), [
      ["net.inet.ah.enable", "1"],
      ["net.inet.ip.ipsec-expire-acquire", "10"],
    ]);
    assertEquals(warnings, [
      `${path}:6: a line NAME=VALUE is needed`,
      `${path}:3: net.inet.esp.enable is 0 or 1, not "yes"`,
      `${path}:4: ipsecbox has no kern.maxproc; ignored`,
    ]);
  } finally {
    Deno.removeSync(path);
  }
});

Deno.test("no sysctl.conf means no settings", () => {
  assertEquals(loadSysctlConf(() => {}, "/nonexistent/sysctl.conf"), []);
});
