// What a process is after it has confined itself; each in a process of its own that has no terminal to lose.
import { assertEquals, assertMatch } from "@std/assert";
import { findUser } from "../../lib/linux/confine.ts";

/** Runs a script that confines itself, under a command if one is given; all that it prints. */
async function confined(options: string, ...under: string[]): Promise<string> {
  const script = `import { confine } from "${new URL("../../lib/linux/confine.ts", import.meta.url)}";
    try {
      confine(${options});
      const status = Deno.readTextFileSync("/proc/thread-self/status");
      const rows = new Map(status.split("\\n").map((line) => line.split(/:\\s*/)));
      console.log(...["Uid", "Groups", "CapPrm", "CapBnd", "NoNewPrivs"].map((name) => rows.get(name).split(/\\s/)[0]));
    } catch (error) {
      console.log(error.name, error.message);
    }`;
  const [program, ...args] = [...under, Deno.execPath(), "eval", "--no-prompt", script];
  const { stdout, stderr } = await new Deno.Command(program, { args }).output();
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

Deno.test("a user's number and group are those of its row", () => {
  const passwd =
    "root:x:0:0::/root:/bin/sh\n_ipsecbox2:x:8:9:::\n_ipsecbox:x:997:996:words:/:/usr/sbin/nologin\nbad:x::\n";
  assertEquals(findUser(passwd, "_ipsecbox"), { uid: 997, gid: 996 });
  for (const name of ["bad", "nobody", ""]) assertEquals(findUser(passwd, name), undefined);
});

Deno.test("a confined process begins anew with the capabilities and groups that it keeps", async () => {
  const kept = (1 << 13).toString(16).padStart(16, "0");
  const text = await confined(
    `{ keep: ["NET_RAW"], groups: [] }`,
    ...["setpriv", "--groups", "1,2"],
  );
  assertEquals(text, `0  ${kept} ${kept} 1\n`);
  assertEquals(
    await confined(`{ keep: ["NET_RAW"], groups: [7] }`, ...["setpriv", "--groups", "1,2"]),
    `0 7 ${kept} ${kept} 1\n`,
  );
});

Deno.test("who cannot leave root's groups becomes nobody else", async () => {
  const text = await confined(
    `{ keep: ["NET_RAW"], user: { uid: 0, gid: 0 }, groups: [] }`,
    ...["setpriv", "--groups", "1,2", "--bounding-set", "-setgid"],
  );
  assertMatch(text, /^SystemError .*leave root's groups to become user 0: operation not permitted/);
});
