import { assertEquals, assertThrows } from "@std/assert";
import { PrivateFileError, readPrivateFile, replacePrivateFile } from "../../lib/daemon/private_file.ts";

Deno.test("a file that others can read, a directory and a missing file are refused with what to do", () => {
  const folder = Deno.makeTempDirSync();
  const path = `${folder}/key`;
  Deno.writeTextFileSync(path, "secret", { mode: 0o600 });
  Deno.chmodSync(path, 0o600);
  assertEquals(new TextDecoder().decode(readPrivateFile(path, "private key")), "secret");
  for (const mode of [0o640, 0o604, 0o620]) {
    Deno.chmodSync(path, mode);
    const words = `mode 0${mode.toString(8)} lets others at it, allowed 0600: chmod 600 ${path}`;
    assertThrows(() => readPrivateFile(path, "private key"), PrivateFileError, words);
  }
  assertThrows(() => readPrivateFile(folder, "policy file"), PrivateFileError, "it is no regular file");
  assertThrows(() => readPrivateFile(`${folder}/none`, "policy file"), PrivateFileError, "it does not exist");
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("a file of ours takes the place of a link, and not of what it points to", () => {
  const folder = Deno.makeTempDirSync();
  Deno.writeTextFileSync(`${folder}/precious`, "precious");
  Deno.symlinkSync(`${folder}/precious`, `${folder}/report`);
  replacePrivateFile(`${folder}/report`, "report");
  assertEquals(Deno.readTextFileSync(`${folder}/precious`), "precious");
  assertEquals(Deno.lstatSync(`${folder}/report`).isFile, true);
  assertEquals(Deno.statSync(`${folder}/report`).mode! & 0o777, 0o600);
  Deno.removeSync(folder, { recursive: true });
});
