/** Builds the Debian package with dpkg-deb. @module */
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { completionScript } from "../lib/cli/completion.ts";
import { type Item, LINK_NAMES, plan } from "../lib/cli/install/plan.ts";
import { pages } from "./man.ts";

const ROOT = dirname(import.meta.dirname!);
const DOC = "/usr/share/doc/ipsecbox";

const MAINTAINER = "ipsecbox maintainers <maintainers@ipsecbox.invalid>";

/** What lintian need not say, and why. */
const OVERRIDES = `# Behind its first lines the packed single file is an archive, which no shell reads.
ipsecbox: shell-script-fails-syntax-check [usr/sbin/ipsecbox]
# These files hold keys.
ipsecbox: non-standard-dir-perm 0700 != 0755 [etc/ipsecbox/]
ipsecbox: non-standard-file-perm 0600 != 0644 [usr/share/ipsecbox/examples/rc.conf]
`;

/** Pages that are found under several names. */
const PAGE_LINKS: Readonly<Record<string, readonly string[]>> = {
  "photuris.conf.5": ["attributes.conf.5", "secrets.conf.5", "photuris.startup.5"],
};

export interface DebOptions {
  /** The single file. */
  readonly binary: string;
  /** `amd64`, `arm64` */
  readonly architecture: string;
  readonly version: string;
  /** Seconds since 1970: the time of everything in the package. */
  readonly epoch: number;
  readonly output: string;
}

type Entry = Item | {
  readonly kind: "octets";
  readonly path: string;
  readonly mode: number;
  readonly octets: Uint8Array;
};

const compressed = (path: string, octets: Uint8Array): Entry => ({
  kind: "octets",
  path: `${path}.gz`,
  mode: 0o644,
  octets: gzipSync(octets, { level: 9 }),
});

/** Files below a folder of the source as entries below `to`. */
function tree(from: string, to: string): Entry[] {
  return [...Deno.readDirSync(join(ROOT, from))].flatMap(({ name, isDirectory, isFile }): Entry[] => {
    if (isDirectory) return tree(`${from}/${name}`, `${to}/${name}`);
    if (!isFile) return [];
    const path = join(ROOT, from, name);
    const mode = Deno.statSync(path).mode! & 0o100 ? 0o755 : 0o644;
    return [{ kind: "octets", path: `${to}/${name}`, mode, octets: Deno.readFileSync(path) }];
  });
}

/** Everything in the package: what `ipsecbox install` puts in place, documentation, examples. */
async function contents(version: string, epoch: number): Promise<Entry[]> {
  const encoder = new TextEncoder();
  const [bash, zsh, fish] = [
    await completionScript("bash"),
    await completionScript("zsh"),
    await completionScript("fish"),
  ];
  const planned = plan({ prefix: "/usr", services: "systemd" }, {
    pages: Object.fromEntries(await pages()),
    completions: { bash, zsh, fish },
  }).map((item): Entry =>
    item.kind === "file" && item.path.startsWith("/usr/share/man/")
      ? compressed(item.path, encoder.encode(item.text))
      : item
  );
  const date = new Date(epoch * 1000).toUTCString().replace("GMT", "+0000");
  const changes =
    `ipsecbox (${version}) stable; urgency=medium\n\n  * Release ${version}.\n\n -- ${MAINTAINER}  ${date}\n`;
  return [
    ...planned,
    ...Object.entries(PAGE_LINKS).flatMap(([page, names]) =>
      names.map((name): Entry => ({ kind: "link", path: `/usr/share/man/man5/${name}.gz`, target: `${page}.gz` }))
    ),
    ...LINK_NAMES.map((name): Entry => ({
      kind: "link",
      path: `/usr/share/fish/vendor_completions.d/${name}.fish`,
      target: "ipsecbox.fish",
    })),
    { kind: "octets", path: "/usr/share/lintian/overrides/ipsecbox", mode: 0o644, octets: encoder.encode(OVERRIDES) },
    { kind: "octets", path: `${DOC}/copyright`, mode: 0o644, octets: Deno.readFileSync(join(ROOT, "LICENSE")) },
    { kind: "octets", path: `${DOC}/README.md`, mode: 0o644, octets: Deno.readFileSync(join(ROOT, "README.md")) },
    compressed(`${DOC}/changelog`, encoder.encode(changes)),
    ...[...Deno.readDirSync(join(ROOT, "docs"))].filter(({ name }) => name.endsWith(".md")).map(({ name }): Entry => ({
      kind: "octets",
      path: `${DOC}/${name}`,
      mode: 0o644,
      octets: Deno.readFileSync(join(ROOT, "docs", name)),
    })),
    ...tree("examples", `${DOC}/examples`),
  ];
}

function put(stage: string, entry: Entry, binary: string): void {
  const path = join(stage, entry.path);
  Deno.mkdirSync(entry.kind === "directory" ? path : dirname(path), { recursive: true });
  if (entry.kind === "link") return Deno.symlinkSync(entry.target, path);
  if (entry.kind === "file") Deno.writeTextFileSync(path, entry.text);
  else if (entry.kind === "octets") Deno.writeFileSync(path, entry.octets);
  else if (entry.kind === "program") Deno.copyFileSync(binary, path);
}

/** Every path below a folder, sorted, relative to it. */
function walk(folder: string, below = ""): { path: string; directory: boolean; file: boolean }[] {
  return [...Deno.readDirSync(join(folder, below))].sort((a, b) => a.name < b.name ? -1 : 1).flatMap((entry) => {
    const path = below ? `${below}/${entry.name}` : entry.name;
    const row = { path, directory: entry.isDirectory, file: entry.isFile };
    return entry.isDirectory ? [row, ...walk(folder, path)] : [row];
  });
}

function control({ architecture, version }: DebOptions, octets: number): string {
  return `Package: ipsecbox
Version: ${version}
Architecture: ${architecture}
Maintainer: ${MAINTAINER}
Installed-Size: ${Math.ceil(octets / 1024)}
Depends: libc6, libgcc-s1
Recommends: libssl3 | libssl3t64, nftables
Conflicts: isakmpd
Section: net
Priority: optional
Description: IPsec in one file
 SAs and flows by hand, Photuris, IKE with KeyNote policies and X.509, as
 OpenBSD had them, and the ESP and AH datapath itself in userspace over TUN.
`;
}

/** The user, directories and units are known as soon as the package is there; nothing is started. */
const POSTINST = `#!/bin/sh
set -e
if [ "$1" = configure ]; then
  for tool in systemd-sysusers "systemd-tmpfiles --create"; do
    if command -v "\${tool%% *}" >/dev/null; then $tool \${DPKG_ROOT:+--root="$DPKG_ROOT"} ipsecbox.conf || true; fi
  done
  # What earlier versions have unpacked and nothing runs from.
  for dir in "$DPKG_ROOT"/var/cache/ipsecbox/*/; do
    [ -d "$dir" ] || continue
    [ -n "$(find /proc/[0-9]*/exe -lname "$dir*" 2>/dev/null)" ] || rm -rf "$dir"
  done
fi
if [ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi
`;
/** What the program has made goes with it; /etc/isakmpd and /etc/photuris are the administrator's. */
const POSTRM = `#!/bin/sh
set -e
if [ "$1" = remove ] || [ "$1" = purge ]; then rm -rf "$DPKG_ROOT/var/cache/ipsecbox" "$DPKG_ROOT/run/ipsecbox"; fi
if [ "$1" = purge ]; then rm -rf "$DPKG_ROOT/etc/ipsecbox"; fi
if [ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi
`;
const STOP = `#!/bin/sh
set -e
if [ "$1" = remove ] && [ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ]; then
  deb-systemd-invoke stop ipsecbox-photurisd.service ipsecbox-isakmpd.service ipsecbox-enc.service || true
fi
`;

/** Builds a package. The same binary, source, version and epoch give the same octets. */
export async function buildDeb(options: DebOptions): Promise<void> {
  const stage = await Deno.makeTempDir({ prefix: "ipsecbox-deb-" });
  try {
    await Deno.chmod(stage, 0o755);
    const entries = await contents(options.version, options.epoch);
    for (const entry of entries) put(stage, entry, options.binary);
    const modes = new Map(entries.flatMap((entry) => "mode" in entry ? [[entry.path, entry.mode]] : []));
    let octets = 0;
    const sums: string[] = [];
    for (const { path, directory, file } of walk(stage)) {
      if (directory || file) await Deno.chmod(join(stage, path), modes.get(`/${path}`) ?? (directory ? 0o755 : 0o644));
      if (!file) continue;
      const content = await Deno.readFile(join(stage, path));
      octets += content.length;
      sums.push(`${createHash("md5").update(content).digest("hex")}  ${path}\n`);
    }
    await Deno.mkdir(join(stage, "DEBIAN"), { mode: 0o755 });
    await Deno.chmod(join(stage, "DEBIAN"), 0o755);
    const scripts = {
      control: control(options, octets),
      md5sums: sums.join(""),
      postinst: POSTINST,
      prerm: STOP,
      postrm: POSTRM,
    };
    for (const [name, text] of Object.entries(scripts)) {
      await Deno.writeTextFile(join(stage, "DEBIAN", name), text);
      await Deno.chmod(join(stage, "DEBIAN", name), text.startsWith("#!") ? 0o755 : 0o644);
    }
    // The binary is compressed or does not compress well: the fastest method is enough.
    const args = ["--root-owner-group", "-Zgzip", "-z1", "--build", stage, options.output];
    const { success, stderr } = await new Deno.Command("dpkg-deb", {
      args,
      env: { SOURCE_DATE_EPOCH: String(options.epoch) },
      stdout: "null",
    }).output();
    if (!success) throw new Error(`dpkg-deb: ${new TextDecoder().decode(stderr)}`);
  } finally {
    await Deno.remove(stage, { recursive: true });
  }
}
