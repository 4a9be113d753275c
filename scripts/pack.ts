/**
 * Makes dist/ipsecbox: one executable file that carries the deno binary, the bundled program and its Worker modules. It
 * is what `deno compile` makes, for builders that cannot fetch Deno's runtime base. At its first start it unpacks into a
 * cache directory named by its content's hash and runs from there.
 *
 *     deno run -A scripts/pack.ts [OUTPUT]
 */
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";

const ROOT = dirname(import.meta.dirname!);

/** What the program may do; FFI already means everything a root process may, so this documents more than it protects. */
export const PERMISSIONS = [
  "--allow-ffi",
  "--allow-read",
  "--allow-write",
  "--allow-net",
  "--allow-env",
  "--allow-sys",
  "--allow-run",
  "--unstable-net",
];

/** Every module that is started by name: the program and the Workers (`*_worker.ts`). */
export function entryPoints(root = ROOT): string[] {
  const found = ["main.ts"];
  const walk = (folder: string) => {
    for (const entry of Deno.readDirSync(join(root, folder))) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory) walk(path);
      else if (path.endsWith("_worker.ts")) found.push(path);
    }
  };
  walk("lib");
  return found.sort((a, b) => a === "main.ts" ? -1 : b === "main.ts" ? 1 : a < b ? -1 : 1);
}

/**
 * Small nurseries: a burst of requests would blow up those of all threads to 32 MiB each, for good. Collected by the thread
 * that has one: helpers are woken sooner than they get a processor when all are busy, and packets wait for them meanwhile.
 */
export const V8_FLAGS = "--v8-flags=--max-semi-space-size=1,--no-parallel-scavenge";

async function run(command: string, args: string[], cwd = ROOT): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args, cwd, stdout: "null", stderr: "piped" }).output();
  if (!success) throw new Error(`${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

/** The shell that starts the packed program; `offset` octets of it come before the archive. */
function launcher(key: string, offset: number): string {
  return `#!/bin/sh
# ipsecbox: a shell start, then a tar archive with the runtime and the program.
umask 022
dir="\${IPSECBOX_CACHE:-/var/cache/ipsecbox}/${key}"
if [ ! -f "$dir/ok" ]; then
  mkdir -p "\${dir%/*}" 2>/dev/null
  # Daemons that are not root's read it too.
  [ -n "\$IPSECBOX_CACHE" ] || chmod 755 "\${dir%/*}" 2>/dev/null
  tmp="$dir.$$"
  mkdir "$tmp" 2>/dev/null && tail -c +${offset + 1} "$0" | tar -xzf - -C "$tmp" && : >"$tmp/ok" || {
    echo "ipsecbox: cannot unpack into \${dir%/*}: make it writable or set IPSECBOX_CACHE to a directory that is" >&2
    rm -rf "$tmp"
    exit 1
  }
  # -T: into a directory that another start has made meanwhile it would go.
  mv -T "$tmp" "$dir" 2>/dev/null || rm -rf "$tmp"
fi
umask 077
if [ ! -O "$dir" ] || [ -L "$dir" ]; then
  echo "ipsecbox: $dir does not belong to this user: remove it or set IPSECBOX_CACHE" >&2
  exit 1
fi
IPSECBOX_ARGV0="$0" IPSECBOX_SELF="$0" DENO_DIR="$dir/cache" DENO_NO_UPDATE_CHECK=1 DENO_NO_PROMPT=1 \\
  exec "$dir/deno" run ${PERMISSIONS.join(" ")} ${V8_FLAGS} --no-config --cached-only --quiet "$dir/main.js" "$@"
`;
}

/** The launcher with its own length written into it. */
function sizedLauncher(key: string): string {
  let text = launcher(key, 0);
  while (launcher(key, text.length).length !== text.length) text = launcher(key, text.length);
  return launcher(key, text.length);
}

if (import.meta.main) {
  const output = join(ROOT, Deno.args[0] ?? "dist/ipsecbox");
  const stage = await Deno.makeTempDir({ prefix: "ipsecbox-pack-" });
  try {
    await run(Deno.execPath(), [
      "bundle",
      "--quiet",
      "--platform=deno",
      "--code-splitting",
      `--outdir=${stage}`,
      ...entryPoints(),
    ]);
    await Deno.copyFile(Deno.execPath(), join(stage, "deno"));
    await Deno.chmod(join(stage, "deno"), 0o755);
    const archive = join(stage, "..", `${stage.slice(stage.lastIndexOf("/") + 1)}.tgz`);
    await run("tar", [
      "--sort=name",
      "--mtime=@0",
      "--owner=0",
      "--group=0",
      // Of the directory itself too: daemons that are not root's read it.
      "--mode=u=rwX,go=rX",
      "-I",
      "gzip -1 -n",
      "-cf",
      archive,
      "-C",
      stage,
      ".",
    ]);
    const payload = await Deno.readFile(archive);
    await Deno.remove(archive);
    const key = createHash("sha256").update(payload).digest("hex").slice(0, 32);
    await Deno.mkdir(dirname(output), { recursive: true });
    const temporary = `${output}.new`;
    const file = await Deno.open(temporary, { write: true, create: true, truncate: true, mode: 0o755 });
    for (let part of [new TextEncoder().encode(sizedLauncher(key)), payload]) {
      while (part.length) part = part.subarray(await file.write(part));
    }
    file.close();
    await Deno.chmod(temporary, 0o755);
    await Deno.rename(temporary, output);
    console.log(`${output}: ${(payload.length / 2 ** 20).toFixed(0)} MiB`);
  } finally {
    await Deno.remove(stage, { recursive: true });
  }
}
