/**
 * Boots a systemd in namespaces over a throw-away copy of this machine's root, installs the Debian package there, and puts
 * the units through start, kill, reload, stop and purge. Needs root, an overlay file system and control groups 2.
 *
 *     deno task boot
 */
import { assertEquals } from "@std/assert";
import { dirname, join } from "node:path";
import { buildDeb } from "./deb.ts";
import { ensurePackages } from "./packages.ts";
import { ARCHITECTURES } from "./release.ts";

const ROOT = dirname(import.meta.dirname!);
const LIMIT_SECONDS = 120;
const UNITS = ["enc", "isakmpd", "photurisd"] as const;

/** All three units, each with the same word. */
const each = (step: string, word: string) => UNITS.map((unit) => `${step} ${unit} ${word}`);

/** What the machine says when all is well (CapBnd: NET_BIND_SERVICE, NET_RAW; the engine's also NET_ADMIN). */
const EXPECTED = [
  "dpkg 0",
  "start 0",
  ...each("started", "active"),
  ...["root 0000000000003400", "_ipsecbox 0000000000002400", "_ipsecbox 0000000000002400"].flatMap((words, i) => {
    const [user, bounding] = words.split(" ");
    return [`user ${UNITS[i]} ${user}`, `bounding ${UNITS[i]} ${bounding}`, `privileges ${UNITS[i]} 1`];
  }),
  "rc.conf 1",
  "status 0",
  ...each("killed", "active"),
  ...each("restarts", "1"),
  "rc.conf 1",
  "reload 0",
  ...each("reloaded", "active"),
  "stop 0",
  ...each("stopped", "inactive"),
  "processes 0",
  "interface 0",
  "held 1",
  "open 0",
  "rules 0",
  "purge 0",
  "left",
  "Powering off.",
];

await ensurePackages("test");
const folder = await Deno.makeTempDir({ prefix: "ipsecbox-boot-" });
try {
  const deb = join(folder, "ipsecbox.deb");
  const binary = join(ROOT, "dist/ipsecbox");
  const { debian: architecture } = ARCHITECTURES.find(({ machine }) => machine === Deno.build.arch)!;
  await buildDeb({ binary, architecture, version: "0.0.0", epoch: 1, output: deb });
  const [machine, said] = [join(folder, "machine"), join(folder, "said")];
  await Deno.mkdir(machine);
  await Deno.writeTextFile(said, "");
  const spaces = ["--pid", "--mount", "--net", "--uts", "--ipc", "--cgroup", "--fork", "--kill-child"];
  const script = ["sh", join(ROOT, "tests/boot/machine.sh"), machine, deb, join(ROOT, "tests/boot/inside.sh"), said];
  const { stdout, stderr } = await new Deno.Command("timeout", {
    args: ["-s", "KILL", String(LIMIT_SECONDS), "unshare", ...spaces, ...script],
    stdin: "null",
  }).output();
  const lines = (await Deno.readTextFile(said)).split("\n").map((line) => line.trimEnd()).filter((line) => line !== "");
  if (lines.length === 0) {
    const decoder = new TextDecoder();
    throw new Error(`the machine did not come up:\n${decoder.decode(stdout)}${decoder.decode(stderr)}`);
  }
  assertEquals(lines, EXPECTED);
  console.log(`${lines.length} answers of the booted machine are as they must be`);
} finally {
  await Deno.remove(folder, { recursive: true });
}
