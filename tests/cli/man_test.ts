import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { flatten } from "../../lib/cli/command_shape.ts";
import { COMMANDS } from "../../lib/cli/commands.ts";
import { allShapes } from "../../lib/cli/completion.ts";
import { MAN_PAGES } from "../../lib/cli/man_pages.ts";
import { SECTION_TAGS } from "../../lib/config/isakmpd_tags.ts";
import { digestOf, MAN_FOLDER, pageOf, pages } from "../../scripts/man.ts";
import { description, prose, synopsis } from "../../scripts/man_mdoc.ts";
import { runHere } from "./run.ts";

const sources = new Map(
  [...Deno.readDirSync(MAN_FOLDER)].map(({ name }) => [name, Deno.readTextFileSync(`${MAN_FOLDER}/${name}`)]),
);

/** Manual pages that are not ours. */
const FOREIGN: readonly string[] = [];

Deno.test('the pages and what "ipsecbox man" prints are made from help as it is ("deno task man")', async () => {
  for (const [page, text] of await pages()) {
    assertEquals(sources.get(page), text, `docs/man/${page} is out of date`);
    assertEquals(MAN_PAGES[page]?.source, digestOf(text), `lib/cli/man_pages.ts is out of date: ${page}`);
  }
  assertEquals(Object.keys(MAN_PAGES).sort(), [...sources.keys()].sort());
});

Deno.test("mandoc finds nothing to complain about", async () => {
  const paths = [...sources.keys()].map((page) => `${MAN_FOLDER}/${page}`);
  const { stdout, stderr } = await new Deno.Command("mandoc", { args: ["-T", "lint", ...paths] }).output();
  const lines = (new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr)).split("\n").filter(Boolean);
  // Whether a page that is referred to exists is looked up among the system's: the next test does it among ours.
  assertEquals(lines.filter((line) => !line.includes("referenced manual not found")), []);
});

Deno.test("pages refer to pages that exist, and say which they are", () => {
  for (const [page, text] of sources) {
    const [, title, section] = text.match(/^\.Dt (\S+) (\d)$/m)!;
    assertEquals(`${title.toLowerCase()}.${section}`, page);
    for (const [, name, number] of text.matchAll(/^\.(?:It )?Xr (\S+) (\d)/gm)) {
      assert(sources.has(`${name}.${number}`) || FOREIGN.includes(`${name}.${number}`), `${page}: ${name}(${number})`);
    }
  }
});

Deno.test("a page of a command says how it ends and gives an example; of a daemon, also what its messages mean", () => {
  for (const [page, text] of sources) {
    const sections = [...text.matchAll(/^\.Sh (.*)$/gm)].map(([, name]) => name);
    const wanted = page.endsWith(".5") ? ["FILES", "EXAMPLES"] : ["EXIT STATUS", "EXAMPLES"];
    if (["ipsecbox-enc.8", "isakmpd.8", "photurisd.8", "ipsecadm.8"].includes(page)) {
      wanted.push("FILES", "DIAGNOSTICS");
    }
    for (const name of [...wanted, "SEE ALSO"]) assert(sections.includes(name), `${page} has no ${name}`);
  }
});

/** All TypeScript below a folder, as one text. */
function program(folder: string): string {
  return [...Deno.readDirSync(folder)].map(({ name, isDirectory }) => {
    if (isDirectory) return program(`${folder}/${name}`);
    return name.endsWith(".ts") && name !== "man_pages.ts" ? Deno.readTextFileSync(`${folder}/${name}`) : "";
  }).join("\n");
}

Deno.test("what DIAGNOSTICS explains is said by the program, word for word", () => {
  const said = program("lib") + Deno.readTextFileSync("scripts/pack.ts");
  let count = 0;
  for (const [page, text] of sources) {
    const section = /^\.Sh DIAGNOSTICS\n(?:(?!\.Sh )[^]*?)(?=^\.Sh )/m.exec(text)?.[0] ?? "";
    for (const [, message] of section.matchAll(/^\.It Li (.*)$/gm)) {
      // In capitals stands what differs from time to time.
      const plain = message.replaceAll("\\(dq", '"').replaceAll("\\&", "");
      for (const piece of plain.split(/\b(?:NUMBER|ADDRESS|PATH|DIRECTORY|NAME)\b/)) {
        const words = piece.trim().replace(/^[":]|[":]$/g, "").trim();
        assert(
          said.includes(words) || said.includes(words.replaceAll('"', '\\"')),
          `${page}: "${words}" is said by nobody`,
        );
        count++;
      }
    }
  }
  assert(count > 40, `${count} pieces`);
});

/** The options that a page marks up, in the form of the command line. */
function optionsIn(page: string): Set<string> {
  const found = new Set<string>();
  for (const line of page.split("\n").filter((line) => line.startsWith("."))) {
    for (const [, word] of line.matchAll(/\bFl (\S+)/g)) {
      // A cluster in the usage stands for its letters; ipsecadm's words are rows.
      if (/^\.Op Fl \w{2,}$/.test(line) || /^\.Fl \w{2}$/.test(line)) {
        for (const letter of word) found.add(`-${letter}`);
      } else found.add(`-${word}`.replace(/^-(\w)\1+$/, "-$1"));
    }
  }
  return found;
}

Deno.test("a command's page has every option that its help has, and no other", async () => {
  for (const shape of await allShapes()) {
    if (shape.path[0] === "vpn") continue;
    const wanted = new Set(flatten(shape).flatMap(({ options }) => options.map(({ name }) => name)));
    const found = optionsIn(sources.get(pageOf(shape.path[0]))!);
    assertEquals([...found].sort(), [...wanted].sort(), pageOf(shape.path[0]));
  }
});

Deno.test("isakmpd.conf(5) names every section and every tag", () => {
  const text = sources.get("isakmpd.conf.5")!;
  for (const [kind, tags] of Object.entries(SECTION_TAGS)) {
    assertMatch(text, new RegExp(`^\\.Ss ${kind}( sections)?$`, "m"));
    for (const tag of tags) assertMatch(text, new RegExp(`Cm ${tag}( |$)`, "m"), `${kind}: ${tag}`);
  }
});

Deno.test("ipsecbox man prints the page of every command and every file", async () => {
  const files = ["isakmpd.conf", "isakmpd.policy", "photuris.conf", "secrets.conf", "sysctl.conf", "isakmpd.conf.5"];
  for (const name of [...COMMANDS.map(({ name }) => name), "ipsecbox", ...files]) {
    const { status, out } = await runHere(["man", name]);
    assertEquals(status, 0, name);
    assertMatch(out, /^[A-Z0-9.-]+\(\d\) .*\n\nNAME\n {5}\S/, name);
    // deno-lint-ignore no-control-regex
    assertEquals(/[\x00-\x09\x0b-\x1f]/.test(out), false, name);
  }
  assertStringIncludes((await runHere(["man"])).out, "isakmpd.conf\n");
  const unknown = await runHere(["man", "isakmd"]);
  assertEquals([unknown.status, unknown.err.includes('did you mean "isakmpd"')], [1, true]);
  assertEquals((await runHere(["man", "enc", "x"])).status, 2);
});

Deno.test("help becomes mdoc: usage, sentences, rows, literal lines; nothing in it is a macro", () => {
  assertEquals(
    synopsis(["ipsecbox enc [-nv] [-i INTERFACE] [--metrics [ADDRESS:]PORT]", "pki crl -c ca.crt [FILE ...]"]),
    ".Nm ipsecbox enc\n.Op Fl nv\n.Op Fl i Ar INTERFACE\n.Op Fl -metrics Oo Ar ADDRESS:\\& Oc Ns Ar PORT\n" +
      ".Nm pki\n.Cm crl\n.Fl c\n.Ar ca.crt\n.Op Ar FILE ...",
  );
  assertEquals(prose(".Sh a\\bc. As OpenBSD's, and 'so'."), "\\&.Sh a\\ebc.\nAs\n.Ox Ns 's ,\nand 'so'.");
  assertEquals(
    description(
      "usage: x\n\nSays it.\n\n  -c FILE  a file\n           of ours\n  -n       nothing\n\nexample:\n  .x \\\n    y\n",
    ),
    "Says it.\n.Bl -tag -width Ds\n.It Fl c Ar FILE\na file of ours\n.It Fl n\nnothing\n.El\n.Pp\nexample:\n" +
      ".Bd -literal -offset indent\n\\&.x \\e\n  y\n.Ed",
  );
});
