/**
 * Makes dist/release: single files for x86-64 and aarch64, a Debian package of each, the bill of materials, SHA256SUMS.
 * Where Deno's runtime base cannot be fetched, the single file is packed instead, for this machine's architecture alone.
 *
 *     deno task release [--pack]       --pack does not try to compile
 *
 * SOURCE_DATE_EPOCH is the time of everything in the packages; without it, the time of the last commit.
 */
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { buildDeb } from "./deb.ts";
import { sbom } from "./sbom.ts";

const ROOT = dirname(import.meta.dirname!);
const OUTPUT = join(ROOT, "dist/release");

/** Architectures by the names that compilers, Deno and Debian have for them. */
export const ARCHITECTURES = [
  { machine: "x86_64", target: "x86_64-unknown-linux-gnu", debian: "amd64" },
  { machine: "aarch64", target: "aarch64-unknown-linux-gnu", debian: "arm64" },
] as const;

async function succeeds(command: string, args: string[]): Promise<boolean> {
  const { success, stderr } = await new Deno.Command(command, { args, cwd: ROOT, stdout: "null" }).output();
  if (!success) console.error(new TextDecoder().decode(stderr).trim().split("\n").slice(0, 3).join("\n"));
  return success;
}

/** The time that SOURCE_DATE_EPOCH or the last commit says. */
export async function sourceEpoch(): Promise<number> {
  const given = Deno.env.get("SOURCE_DATE_EPOCH");
  if (given !== undefined) {
    if (!/^\d+$/.test(given)) throw new Error(`SOURCE_DATE_EPOCH: "${given}" is no number of seconds`);
    return Number(given);
  }
  const { success, stdout } = await new Deno.Command("git", { args: ["log", "-1", "--format=%ct"], cwd: ROOT })
    .output();
  if (!success) throw new Error("outside of a git repository SOURCE_DATE_EPOCH must be set");
  return Number(new TextDecoder().decode(stdout));
}

/** The single files: of both architectures, or packed for this one. @returns the paths by architecture */
async function singleFiles(version: string, packOnly: boolean): Promise<Map<typeof ARCHITECTURES[number], string>> {
  const made = new Map<typeof ARCHITECTURES[number], string>();
  const nameOf = (machine: string) => join(OUTPUT, `ipsecbox-${version}-linux-${machine}`);
  for (const architecture of packOnly ? [] : ARCHITECTURES) {
    const { machine, target } = architecture;
    if (!await succeeds(Deno.execPath(), ["run", "-A", "scripts/compile.ts", target])) break;
    await Deno.rename(join(ROOT, `dist/ipsecbox-${target}`), nameOf(machine));
    made.set(architecture, nameOf(machine));
  }
  if (made.size) return made;
  const own = ARCHITECTURES.find(({ machine }) => machine === Deno.build.arch);
  if (!own) throw new Error(`there is no package for ${Deno.build.arch}`);
  const others = ARCHITECTURES.filter((architecture) => architecture !== own).map(({ machine }) => machine).join(", ");
  console.log(
    `Packing for ${own.machine}, the architecture of this machine: ` +
      (packOnly ? "--pack was given" : "Deno's runtime base (denort), which compiling fetches, could not be had") +
      `. Nothing is made for ${others}: compile where the runtime base can be fetched, or run this on such a machine`,
  );
  const path = nameOf(own.machine);
  if (!await succeeds(Deno.execPath(), ["run", "-A", "scripts/pack.ts", path.slice(ROOT.length + 1)])) {
    throw new Error("cannot pack");
  }
  return made.set(own, path);
}

if (import.meta.main) {
  const [, version] = (await Deno.readTextFile(join(ROOT, "deno.json"))).match(/^ {2}"version": "([^"]+)"/m)!;
  const epoch = await sourceEpoch();
  await Deno.remove(OUTPUT, { recursive: true }).catch(() => {});
  await Deno.mkdir(OUTPUT, { recursive: true });
  for (const [{ debian }, binary] of await singleFiles(version, Deno.args.includes("--pack"))) {
    const output = join(OUTPUT, `ipsecbox_${version}_${debian}.deb`);
    await buildDeb({ binary, architecture: debian, version, epoch, output });
  }
  const lock = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.lock")));
  const bill = sbom(lock, { version, denoVersion: Deno.version.deno, epoch });
  await Deno.writeTextFile(join(OUTPUT, `ipsecbox-${version}.cdx.json`), bill);
  const sums: string[] = [];
  for (const { name } of [...Deno.readDirSync(OUTPUT)].sort((a, b) => a.name < b.name ? -1 : 1)) {
    const digest = createHash("sha256").update(await Deno.readFile(join(OUTPUT, name))).digest("hex");
    sums.push(`${digest}  ${name}\n`);
  }
  await Deno.writeTextFile(join(OUTPUT, "SHA256SUMS"), sums.join(""));
  console.log(sums.join("").trimEnd());
}
