/**
 * Brings the manual pages up to date: in docs/man/*.N, the lines between `.\" from help: PART` and `.\" end` are written
 * anew from the command table and each command's HELP; a command without a page gets one. Then all pages, rendered by
 * mandoc(1), go into lib/cli/man_pages.ts, from where `ipsecbox man` prints them.
 *
 *     deno task man [--check]      --check writes nothing, and fails when something would be written
 */
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import type { CommandRow } from "../lib/cli/command.ts";
import { usageForms } from "../lib/cli/command_shape.ts";
import { COMMANDS } from "../lib/cli/commands.ts";
import { LINK_NAMES } from "../lib/cli/install.ts";
import { IPSECADM_COMMANDS } from "../lib/cli/ipsecadm/commands.ts";
import { helpText } from "../lib/cli/ipsecadm/help.ts";
import { description, prose, synopsis } from "./man_mdoc.ts";

const ROOT = dirname(import.meta.dirname!);
export const MAN_FOLDER = join(ROOT, "docs/man");
const MODULE = join(ROOT, "lib/cli/man_pages.ts");
const SOURCES = join(ROOT, "lib/cli/install/man_sources.ts");

/** The page of a command: OpenBSD's name and section where it has one. */
export function pageOf(command: string): string {
  if (command === "vpn" || command === "rc.vpn") return "rc.vpn.8";
  if (command === "keynote" || command === "startkey") return `${command}.1`;
  return (LINK_NAMES as readonly string[]).includes(command) ? `${command}.8` : `ipsecbox-${command}.8`;
}

/** What the regions of a command's page hold. */
async function regionsOf(row: CommandRow): Promise<Record<string, string>> {
  const { HELP } = await row.load();
  const details = row.name !== "ipsecadm"
    ? ""
    : IPSECADM_COMMANDS.map(({ name }) => `.Ss ${name}\n${description(helpText(name.split(" ")))}`).join("\n");
  return { synopsis: synopsis(usageForms(HELP)), description: description(HELP), details };
}

function commandList(): string {
  const rows = COMMANDS.filter(({ name }) => name !== "vpn").map(({ name, summary }) =>
    `.It Xr ${pageOf(name).replace(/\.(\d)$/, " $1")}\n${prose(`${summary[0].toUpperCase()}${summary.slice(1)}.`)}`
  );
  return `.Bl -tag -width Ds\n${rows.join("\n")}\n.El`;
}

/** A page for a command that has none. */
function template(row: CommandRow, page: string): string {
  const region = (name: string) => `.\\" from help: ${name}\n.\\" end\n`;
  return `.Dd November 24, 2026
.Dt ${page.slice(0, -2).toUpperCase()} ${page.at(-1)}
.Os
.Sh NAME
.Nm ${page.slice(0, -2)}
.Nd ${row.summary.replaceAll("\\", "\\e")}
.Sh SYNOPSIS
${region("synopsis")}.Sh DESCRIPTION
${region("description")}.Sh EXIT STATUS
0 on success, another on failure, which one line on standard error explains.
.Sh SEE ALSO
.Xr ipsecbox 8
`;
}

function filled(text: string, regions: Readonly<Record<string, string>>, page: string): string {
  return text.replace(/^(\.\\" from help: (\w+)\n)[^]*?(?=^\.\\" end$)/gm, (_, marker: string, name: string) => {
    if (!Object.hasOwn(regions, name)) throw new Error(`docs/man/${page}: nothing is called "${name}"`);
    return `${marker}${regions[name]}\n`;
  });
}

/** Every page as it must be, by file name. */
export async function pages(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const { name } of [...Deno.readDirSync(MAN_FOLDER)].sort((a, b) => a.name < b.name ? -1 : 1)) {
    if (/\.\d$/.test(name)) found.set(name, await Deno.readTextFile(join(MAN_FOLDER, name)));
  }
  for (const row of COMMANDS) {
    const page = pageOf(row.name);
    if (row.name === "vpn") continue;
    found.set(page, filled(found.get(page) ?? template(row, page), await regionsOf(row), page));
  }
  found.set("ipsecbox.8", filled(found.get("ipsecbox.8") ?? "", { commands: commandList() }, "ipsecbox.8"));
  return new Map([...found].sort(([a], [b]) => a < b ? -1 : 1));
}

/** Short, and changes with every octet of the page. */
export const digestOf = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 16);

/** A page as plain text, 78 columns wide. */
async function rendered(text: string): Promise<string> {
  const child = new Deno.Command("mandoc", {
    args: ["-T", "utf8", "-I", "os=ipsecbox", "-O", "width=78"],
    stdin: "piped",
    stdout: "piped",
  })
    .spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  const { success, stdout } = await child.output();
  if (!success) throw new Error("mandoc cannot read a page");
  // deno-lint-ignore no-control-regex
  return new TextDecoder().decode(stdout).replace(/.\x08/gu, "");
}

async function moduleText(all: ReadonlyMap<string, string>): Promise<string> {
  const rows: string[] = [];
  for (const [page, text] of all) {
    const literal = (await rendered(text)).replace(/[\\`]|\$\{/g, "\\$&");
    rows.push(`  "${page}": {\n    source: "${digestOf(text)}",\n    text: \`${literal}\`,\n  },`);
  }
  return `/** The manual pages as plain text; made by scripts/man.ts from docs/man. @module */

/** A page by file name; \`source\` is the digest of the page it was made from. */
export const MAN_PAGES: Readonly<Record<string, { readonly source: string; readonly text: string }>> = {
${rows.join("\n")}
};
`;
}

/** The module through which the program carries the pages' sources, for `install`. */
function sourcesText(names: readonly string[]): string {
  const word = (name: string) => name.replace(/[-.](\w)/g, (_, letter: string) => letter.toUpperCase());
  return `/** The sources of the manual pages, for \`install\`; made by scripts/man.ts. @module */
${names.map((name) => `import ${word(name)} from "../../../docs/man/${name}" with { type: "text" };`).join("\n")}

/** By file name with section. */
export const MAN_SOURCES: Readonly<Record<string, string>> = {
${names.map((name) => `  "${name}": ${word(name)},`).join("\n")}
};
`;
}

if (import.meta.main) {
  const check = Deno.args.includes("--check");
  const all = await pages();
  const stale: string[] = [];
  for (const [page, text] of all) {
    const path = join(MAN_FOLDER, page);
    const before = await Deno.readTextFile(path).catch(() => "");
    if (before === text) continue;
    stale.push(page);
    if (!check) await Deno.writeTextFile(path, text);
  }
  if (!check) {
    await Deno.writeTextFile(MODULE, await moduleText(all));
    await Deno.writeTextFile(SOURCES, sourcesText([...all.keys()]));
  }
  if (check && stale.length) {
    console.error(`Out of date, run "deno task man": ${stale.join(", ")}`);
    Deno.exit(1);
  }
}
