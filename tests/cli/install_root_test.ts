import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { MAN_SOURCES } from "../../lib/cli/install/man_sources.ts";
import { LINK_NAMES } from "../../lib/cli/install/plan.ts";
import { removeUnpacked } from "../../lib/cli/uninstall.ts";
import { runHere } from "./run.ts";

/** Every path below a directory with what is there. */
function tree(root: string, folder = ""): Map<string, string> {
  const found = new Map<string, string>();
  for (const { name } of Deno.readDirSync(join(root, folder))) {
    const path = `${folder}/${name}`;
    const info = Deno.lstatSync(join(root, path));
    if (info.isSymlink) found.set(path, `-> ${Deno.readLinkSync(join(root, path))}`);
    else if (info.isDirectory) {
      found.set(path, "directory");
      for (const [below, what] of tree(root, path)) found.set(below, what);
    } else found.set(path, `${(info.mode! & 0o777).toString(8)} ${Deno.readTextFileSync(join(root, path))}`);
  }
  return found;
}

async function withRoot(
  work: (root: string, install: (...args: string[]) => ReturnType<typeof runHere>) => Promise<void>,
) {
  const folder = Deno.makeTempDirSync();
  try {
    const own = join(folder, "single-file");
    Deno.writeTextFileSync(own, "version 1");
    const root = join(folder, "root");
    Deno.mkdirSync(root);
    await work(root, (...args) => runHere([...args, "--root", root], { IPSECBOX_SELF: own }));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("install puts everything below the root, and uninstall takes exactly that away", () =>
  withRoot(async (root, install) => {
    Deno.mkdirSync(join(root, "usr/local/sbin"), { recursive: true });
    Deno.writeTextFileSync(join(root, "usr/local/sbin/other"), "not ours");
    const before = tree(root);
    const { status, out, err } = await install("install");
    assertEquals([status, err], [0, ""]);
    const after = tree(root);
    for (const path of out.trim().split("\n")) assert(after.has(path.slice(root.length)), path);
    assertEquals(after.get("/usr/local/sbin/ipsecbox"), "755 version 1");
    for (const name of LINK_NAMES) assertEquals(after.get(`/usr/local/sbin/${name}`), "-> ipsecbox");
    assertStringIncludes(
      after.get("/usr/local/lib/systemd/system/ipsecbox-enc.service")!,
      "ExecStart=/usr/local/sbin/ipsecbox enc --hold",
    );
    assertMatch(after.get("/usr/local/share/man/man8/ipsecadm.8")!, /^644 \.Dd /);
    assertMatch(after.get("/usr/local/share/man/man5/ipsecbox-rc.conf.5")!, /^644 \.Dd /);
    for (
      const path of [
        "/usr/local/share/bash-completion/completions/isakmpd",
        "/usr/local/share/zsh/site-functions/_ipsecbox",
        "/usr/local/share/fish/vendor_completions.d/ipsecbox.fish",
        "/usr/local/share/ipsecbox/examples/rc.conf",
        "/usr/local/lib/tmpfiles.d/ipsecbox.conf",
        "/etc/ipsecbox",
      ]
    ) assert(after.has(path), path);
    assertEquals([...after.values()].some((text) => text.includes("@PROGRAM@")), false);
    assertEquals((await install("install")).status, 0, "a second time");
    assertEquals(tree(root), after);
    assertEquals((await install("uninstall")).status, 0);
    assertEquals(tree(root), before);
    assertMatch((await install("uninstall")).err, /nothing is installed/);
  }));

Deno.test("what somebody changed stays; a newer program replaces an older; what is not ours stops everything", () =>
  withRoot(async (root, install) => {
    Deno.mkdirSync(join(root, "usr/sbin"), { recursive: true });
    Deno.writeTextFileSync(join(root, "usr/sbin/isakmpd"), "another");
    const refused = await install("install", "--prefix", "/usr");
    assertEquals(refused.status, 1);
    assertMatch(refused.err, /\/usr\/sbin\/isakmpd is there already and not ours/);
    assertEquals(tree(root).size, 3, "nothing was changed");
    assertEquals((await install("install", "--prefix", "/usr", "--force")).status, 0);

    Deno.writeTextFileSync(join(root, "../single-file"), "version 2");
    assertEquals((await install("install", "--prefix", "/usr")).status, 0);
    assertEquals(tree(root).get("/usr/sbin/ipsecbox"), "755 version 2");

    const unit = join(root, "usr/lib/systemd/system/ipsecbox-enc.service");
    Deno.writeTextFileSync(unit, "mine now");
    Deno.writeTextFileSync(join(root, "etc/ipsecbox/rc.conf"), "# keys");
    assertMatch((await install("install", "--prefix", "/usr")).err, /ipsecbox-enc\.service is there already/);
    const { status, err } = await install("uninstall", "--prefix", "/usr");
    assertEquals([status, err], [0, `${unit} stays: somebody has changed it\n`]);
    assertEquals([...tree(root).keys()].sort(), [
      "/etc",
      "/etc/ipsecbox",
      "/etc/ipsecbox/rc.conf",
      "/usr",
      "/usr/lib",
      "/usr/lib/systemd",
      "/usr/lib/systemd/system",
      "/usr/lib/systemd/system/ipsecbox-enc.service",
      "/usr/sbin",
    ]);
  }));

Deno.test("links go where they are wanted; OpenWrt gets a script for procd in place of units", () =>
  withRoot(async (root, install) => {
    Deno.mkdirSync(join(root, "etc"));
    Deno.writeTextFileSync(join(root, "etc/openwrt_release"), "");
    assertEquals((await install("install", "--links", "/sbin")).status, 0);
    const after = tree(root);
    assertEquals(after.get("/sbin/ipsecadm"), "-> /usr/local/sbin/ipsecbox");
    assertMatch(after.get("/etc/init.d/ipsecbox")!, /^755 [^]*PROGRAM="\/usr\/local\/sbin\/ipsecbox"/);
    assertEquals([...after.keys()].some((path) => path.includes("systemd")), false);
    const { success, stderr } = await new Deno.Command("sh", { args: ["-n", join(root, "etc/init.d/ipsecbox")] })
      .output();
    assert(success, new TextDecoder().decode(stderr));
    assertEquals((await install("uninstall")).status, 0);
    assertEquals([...tree(root).keys()], ["/etc", "/etc/openwrt_release"]);
  }));

Deno.test("every manual page is carried along", () => {
  const pages = [...Deno.readDirSync("docs/man")].map(({ name }) => name).sort();
  assertEquals(Object.keys(MAN_SOURCES), pages);
});

Deno.test("systemd finds nothing to complain about in the units, and little exposed", () =>
  withRoot(async (root, install) => {
    await install("install", "--prefix", "/usr");
    const units = join(root, "usr/lib/systemd/system");
    for (const { name } of [...Deno.readDirSync(units)]) {
      const path = join(units, name);
      // The program and its manual page are not on this machine.
      Deno.writeTextFileSync(
        path,
        Deno.readTextFileSync(path).replace(/^Documentation=.*$/m, "").replace("/usr/sbin/ipsecbox", "/bin/true"),
      );
    }
    const paths = [...Deno.readDirSync(units)].map(({ name }) => join(units, name));
    const run = async (...args: string[]) => {
      const { code, stdout, stderr } = await new Deno.Command("systemd-analyze", {
        args,
        env: { SYSTEMD_UNIT_PATH: `${units}:/usr/lib/systemd/system:/lib/systemd/system` },
      }).output();
      return { code, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
    };
    const { code, text } = await run("verify", ...paths);
    assertEquals([code, text.split("\n").filter((line) => line.includes("ipsecbox"))], [0, []]);
    for (const path of paths) {
      const { code, text } = await run("security", "--offline=true", "--threshold=40", path);
      assertEquals(code, 0, text.slice(-300));
    }
  }));

Deno.test("what versions of the program have unpacked goes, but not from under a process", async () => {
  const cache = await Deno.makeTempDir();
  for (const name of ["old", "running"]) await Deno.mkdir(`${cache}/${name}`);
  const program = `${cache}/running/sleep`;
  await Deno.copyFile("/usr/bin/sleep", program);
  await Deno.chmod(program, 0o755);
  const child = new Deno.Command(program, { args: ["60"] }).spawn();
  try {
    removeUnpacked(cache);
    assertEquals([...Deno.readDirSync(cache)].map(({ name }) => name), ["running"]);
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
  removeUnpacked(cache);
  await assertRejects(() => Deno.stat(cache), Deno.errors.NotFound);
  removeUnpacked(cache);
});
