import { assertEquals } from "@std/assert";
import { markNeedsNetAdmin } from "../../lib/linux/privileges.ts";

Deno.test("marking packets takes NET_ADMIN before Linux 5.17", () => {
  const answers = ["4.19.0-26-amd64", "5.4", "5.16.20", "5.17.0-rc1", "5.17", "6.1.0-28-amd64", "6.18.44"];
  assertEquals(answers.map(markNeedsNetAdmin), [true, true, true, false, false, false, false]);
});

/** A daemon's fate in a process of its own: nothing that is given up comes back. */
async function inProcess(script: string): Promise<string> {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      "--no-prompt",
      `import * as p from "${new URL("../../lib/linux/privileges.ts", import.meta.url)}";
      const status = () => Object.fromEntries(Deno.readTextFileSync("/proc/thread-self/status").split("\\n")
        .map((line) => line.split(":\\t")));
      ${script}`,
    ],
  }).output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

Deno.test("a restrained thread has the capabilities that it keeps, and its process writes no core", async () => {
  const text = await inProcess(`
    p.restrain({ keep: ["NET_RAW", "NET_ADMIN"], startsPrograms: true });
    const { CapEff, CapPrm, CapInh, NoNewPrivs } = status();
    const core = Deno.readTextFileSync("/proc/self/limits").match(/core file size *(\\d+) *(\\d+)/).slice(1);
    console.log(parseInt(CapEff, 16), parseInt(CapPrm, 16), parseInt(CapInh, 16), NoNewPrivs, core.join(), Deno.umask());
    p.keepCapabilities(["NET_BIND_SERVICE", "NET_RAW"]);
    console.log(parseInt(status().CapEff, 16));
    p.restrain({ keep: [], startsPrograms: false });
    try { new Deno.Command("true").outputSync(); console.log("ran"); } catch (error) { console.log(error.name); }`);
  assertEquals(text, `${1 << 12 | 1 << 13} ${1 << 12 | 1 << 13} 0 1 0,0 63\n${1 << 13}\nNotCapable\n`);
});
