import { assert, assertEquals, assertMatch } from "@std/assert";
import { COMMANDS } from "../../lib/cli/commands.ts";
import { LINK_NAMES } from "../../lib/cli/install/plan.ts";
import { buildDeb } from "../../scripts/deb.ts";
import { pageOf } from "../../scripts/man.ts";
import { sbom } from "../../scripts/sbom.ts";

const EPOCH = 1_700_000_000;

async function output(command: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args }).output();
  assert(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

/** A package around a stand-in for the single file, which prints its name; both go at the end. */
async function withDeb(use: (deb: string, folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const binary = `${folder}/binary`;
    await Deno.writeTextFile(binary, '#!/bin/sh\necho "${0##*/} $*"\n');
    const options = { binary, architecture: "amd64", version: "1.2.3", epoch: EPOCH, output: `${folder}/one.deb` };
    await buildDeb(options);
    await use(options.output, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test({
  name: "the Debian package has the program, its links, pages, completions, units, documents and examples",
  fn: () =>
    withDeb(async (deb, folder) => {
      const rows = (await output("dpkg-deb", "-c", deb)).trim().split("\n").map((line) => {
        const [, mode, owner, path] = line.match(/^(\S+) (\S+) +\d+ \S+ \S+ \.(.*)$/)!;
        return { mode, owner, path };
      });
      const has = (path: string, mode: string) =>
        assert(rows.some((row) => row.path === path && row.mode === mode), `${mode} ${path} is missing`);
      has("/usr/sbin/ipsecbox", "-rwxr-xr-x");
      has("/etc/ipsecbox/", "drwx------");
      for (const name of LINK_NAMES) {
        has(`/usr/sbin/${name} -> ipsecbox`, "lrwxrwxrwx");
        has(`/usr/share/bash-completion/completions/${name} -> ipsecbox`, "lrwxrwxrwx");
        has(`/usr/share/fish/vendor_completions.d/${name}.fish -> ipsecbox.fish`, "lrwxrwxrwx");
      }
      const pages = [...COMMANDS.map(({ name }) => pageOf(name)), "ipsecbox.8", "isakmpd.conf.5", "isakmpd.policy.5"];
      for (const page of pages) has(`/usr/share/man/man${page.at(-1)}/${page}.gz`, "-rw-r--r--");
      has("/usr/share/man/man5/secrets.conf.5.gz -> photuris.conf.5.gz", "lrwxrwxrwx");
      has("/usr/share/zsh/vendor-completions/_ipsecbox", "-rw-r--r--");
      for (const unit of ["enc", "isakmpd", "photurisd"]) {
        has(`/usr/lib/systemd/system/ipsecbox-${unit}.service`, "-rw-r--r--");
      }
      has("/usr/share/doc/ipsecbox/copyright", "-rw-r--r--");
      has("/usr/share/doc/ipsecbox/changelog.gz", "-rw-r--r--");
      has("/usr/share/doc/ipsecbox/design.md", "-rw-r--r--");
      has("/usr/share/doc/ipsecbox/examples/photuris/run", "-rwxr-xr-x");
      assertEquals([...new Set(rows.map(({ owner }) => owner))], ["root/root"]);
      assertEquals(rows.filter(({ mode }) => mode[8] === "w" && mode[0] !== "l").map(({ path }) => path), []);

      await output("dpkg-deb", "-x", deb, `${folder}/root`);
      assertEquals(await output(`${folder}/root/usr/sbin/isakmpd`, "-d"), "isakmpd -d\n");
      const unit = await Deno.readTextFile(`${folder}/root/usr/lib/systemd/system/ipsecbox-enc.service`);
      assertMatch(unit, /^ExecStart=\/usr\/sbin\/ipsecbox enc/m);
      await output("dpkg-deb", "-e", deb, `${folder}/control`);
      const sums = `${folder}/control/md5sums`;
      assertMatch(
        await output("sh", "-c", `cd ${folder}/root && md5sum --quiet -c ${sums} && wc -l < ${sums}`),
        /^\d\d+\n$/,
      );
      for (const script of ["postinst", "prerm", "postrm"]) await output("sh", "-n", `${folder}/control/${script}`);
      const fields = await output("dpkg-deb", "-f", deb, "Package", "Version", "Architecture");
      assertEquals(fields, "Package: ipsecbox\nVersion: 1.2.3\nArchitecture: amd64\n");
    }),
});

Deno.test({
  name: "the same source, binary and time give the same Debian package, another time another",
  fn: () =>
    withDeb(async (deb, folder) => {
      const again = { binary: `${folder}/binary`, architecture: "amd64", version: "1.2.3" };
      await Deno.utime(again.binary, 1, 1);
      await Deno.chmod(again.binary, 0o600);
      await buildDeb({ ...again, epoch: EPOCH, output: `${folder}/two.deb` });
      await buildDeb({ ...again, epoch: EPOCH + 1, output: `${folder}/three.deb` });
      const [one, two, three] = await Promise.all(
        [deb, `${folder}/two.deb`, `${folder}/three.deb`].map((path) => Deno.readFile(path)),
      );
      assertEquals(one.length, two.length);
      assert(one.every((octet, i) => octet === two[i]), "the two packages differ");
      assert(one.length !== three.length || !one.every((octet, i) => octet === three[i]));
    }),
});

Deno.test("dpkg installs the package into a root, puts it over itself, and its purge leaves nothing", () =>
  withDeb(async (deb, folder) => {
    const root = `${folder}/root`;
    const dpkg = (...words: string[]) =>
      output("dpkg", `--root=${root}`, "--force-depends,script-chrootless", ...words);
    const tree = async () => await output("find", root, "!", "-path", "*/var/lib/dpkg*", "!", "-path", "*/var/log*");
    await Deno.mkdir(`${root}/var/lib/dpkg`, { recursive: true });
    for (const name of ["info", "updates", "triggers"]) await Deno.mkdir(`${root}/var/lib/dpkg/${name}`);
    for (const name of ["status", "available"]) await Deno.writeTextFile(`${root}/var/lib/dpkg/${name}`, "");
    for (const path of ["etc", "run", "usr", "var/log", "var/cache"]) {
      await Deno.mkdir(`${root}/${path}`, { recursive: true });
    }
    await Deno.writeTextFile(`${root}/usr/other`, "");
    for (const name of ["passwd", "group"]) await Deno.copyFile(`/etc/${name}`, `${root}/etc/${name}`);
    const before = await tree();
    await dpkg("-i", deb);
    assertMatch(await dpkg("-s", "ipsecbox"), /Status: install ok installed/);
    assertEquals((await Deno.lstat(`${root}/usr/sbin/isakmpd`)).isSymlink, true);
    // Keys of the administrator's, and two versions that were unpacked, of which one is still running.
    await Deno.writeTextFile(`${root}/etc/ipsecbox/rc.conf`, "");
    for (const name of ["old", "running"]) await Deno.mkdir(`${root}/var/cache/ipsecbox/${name}`, { recursive: true });
    await Deno.copyFile("/usr/bin/sleep", `${root}/var/cache/ipsecbox/running/sleep`);
    await Deno.chmod(`${root}/var/cache/ipsecbox/running/sleep`, 0o755);
    const running = new Deno.Command(`${root}/var/cache/ipsecbox/running/sleep`, { args: ["60"] }).spawn();
    await dpkg("-i", deb);
    assertEquals([...Deno.readDirSync(`${root}/var/cache/ipsecbox`)].map(({ name }) => name), ["running"]);
    running.kill("SIGKILL");
    await running.status;
    await dpkg("-r", "ipsecbox");
    assertEquals([...Deno.readDirSync(`${root}/etc/ipsecbox`)].length, 1, "removing keeps what is configured");
    await dpkg("-P", "ipsecbox");
    // The user stays: files of its may be anywhere.
    const made = /\/etc\/(passwd|group|shadow|gshadow|\.pwd\.lock)-?$/;
    assertEquals(
      (await tree()).split("\n").filter((path) => !made.test(path)).sort(),
      before.split("\n").filter((path) => !made.test(path)).sort(),
    );
  }));

Deno.test("packing twice gives the same single file", async () => {
  const names = ["one", "two"].map((name) => `dist/test-${Deno.pid}-${name}`);
  try {
    for (const name of names) await output(Deno.execPath(), "run", "-A", "scripts/pack.ts", name);
    await output("cmp", ...names);
  } finally {
    for (const name of names) await Deno.remove(name).catch(() => {});
  }
});

Deno.test("the bill of materials names every package of the lock with its hash, and Deno", () => {
  const lock = {
    npm: {
      "@scope/b@2.0.0": { integrity: "sha512-AQID", dependencies: ["c"] },
      "c@3.1.0": { integrity: "sha512-/w==" },
    },
  };
  const options = { version: "1.2.3", denoVersion: "2.9.6", epoch: EPOCH };
  const text = sbom(lock, options);
  const bill = JSON.parse(text);
  assertEquals([bill.bomFormat, bill.specVersion, bill.metadata.timestamp], [
    "CycloneDX",
    "1.5",
    "2023-11-14T22:13:20.000Z",
  ]);
  assertEquals(bill.components.map(({ purl, hashes }: { purl: string; hashes?: unknown }) => [purl, hashes]), [
    ["pkg:github/denoland/deno@v2.9.6", undefined],
    ["pkg:npm/%40scope/b@2.0.0", [{ alg: "SHA-512", content: "010203" }]],
    ["pkg:npm/c@3.1.0", [{ alg: "SHA-512", content: "ff" }]],
  ]);
  assertEquals(bill.dependencies, [
    { ref: "pkg:generic/ipsecbox@1.2.3", dependsOn: ["pkg:github/denoland/deno@v2.9.6", "pkg:npm/%40scope/b@2.0.0"] },
    { ref: "pkg:npm/%40scope/b@2.0.0", dependsOn: ["pkg:npm/c@3.1.0"] },
    { ref: "pkg:npm/c@3.1.0", dependsOn: [] },
  ]);
  assertEquals(sbom(lock, options), text);
  const real = JSON.parse(sbom(JSON.parse(Deno.readTextFileSync("deno.lock")), options));
  const names = real.components.map(({ name }: { name: string }) => name);
  for (const name of ["deno", "@peculiar/asn1-x509", "asn1js", "deno-std"]) assert(names.includes(name), name);
  const refs = new Set(real.dependencies.map(({ ref }: { ref: string }) => ref));
  for (const { dependsOn } of real.dependencies.slice(1)) for (const ref of dependsOn) assert(refs.has(ref), ref);
});
