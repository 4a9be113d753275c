import { assertEquals, assertThrows } from "@std/assert";
import { CommandError } from "../../lib/cli/command.ts";
import { LINK_NAMES, makeLinks } from "../../lib/cli/install.ts";
import { runHere } from "./run.ts";

function withDirectory(work: (directory: string, own: string) => void): void {
  const directory = Deno.makeTempDirSync();
  try {
    const own = `${directory}/ipsecbox`;
    Deno.writeTextFileSync(own, "");
    Deno.mkdirSync(`${directory}/bin`);
    work(`${directory}/bin`, own);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

Deno.test("install makes a link for every OpenBSD name, and a second time none", () =>
  withDirectory((directory, own) => {
    assertEquals(makeLinks(directory, own, false), LINK_NAMES.map((name) => `${directory}/${name}`));
    for (const name of LINK_NAMES) assertEquals(Deno.readLinkSync(`${directory}/${name}`), own);
    assertEquals(makeLinks(directory, own, false), []);
  }));

Deno.test("what is there already is left alone; --force replaces links and no files", () =>
  withDirectory((directory, own) => {
    Deno.symlinkSync("/nonexistent", `${directory}/isakmpd`);
    assertThrows(
      () => makeLinks(directory, own, false),
      CommandError,
      "isakmpd is there already and does not lead here",
    );
    assertEquals([...Deno.readDirSync(directory)].length, 1);
    assertEquals(makeLinks(directory, own, true).length, LINK_NAMES.length);
    assertEquals(Deno.readLinkSync(`${directory}/isakmpd`), own);
    Deno.removeSync(`${directory}/keynote`);
    Deno.writeTextFileSync(`${directory}/keynote`, "precious");
    assertThrows(() => makeLinks(directory, own, true), CommandError, "keynote is there already");
    assertEquals(Deno.readTextFileSync(`${directory}/keynote`), "precious");
  }));

Deno.test("install refuses to link to deno itself", async () => {
  const { status, err } = await runHere(["install", "--links", "/tmp"], { IPSECBOX_SELF: "" });
  assertEquals([status, err.includes('"deno task pack"')], [1, true]);
  assertEquals((await runHere(["install"])).status, 1);
  assertEquals((await runHere(["install", "--frob"])).status, 1);
});
