import { assertEquals, assertThrows } from "@std/assert";
import { FifoError, openFifo } from "../../lib/daemon/fifo.ts";

Deno.test("the FIFO is made with mode 0600, gives lines of several writers, and is removed when closed", async () => {
  const folder = Deno.makeTempDirSync();
  const path = `${folder}/isakmpd.fifo`;
  openFifo(path); // what an earlier daemon left
  const fifo = openFifo(path);
  assertEquals(Deno.statSync(path).mode! & 0o7777, 0o600);
  const lines: string[] = [];
  const seen = Promise.withResolvers<void>();
  const running = fifo.run((line) => {
    lines.push(line);
    if (lines.length === 3) seen.resolve();
  });
  await Deno.writeTextFile(path, "c one\nc t");
  await Deno.writeTextFile(path, `wo\n${"x".repeat(20000)}\nc three\n`);
  await seen.promise;
  assertEquals(lines, ["c one", "c two", "c three"]);
  fifo.close();
  await running;
  assertThrows(() => Deno.statSync(path), Deno.errors.NotFound);
  Deno.removeSync(folder, { recursive: true });
});

Deno.test("a regular file, a directory or a missing directory at the FIFO's path is refused", () => {
  const folder = Deno.makeTempDirSync();
  Deno.writeTextFileSync(`${folder}/file`, "precious");
  assertThrows(() => openFifo(`${folder}/file`), FifoError, "found a regular file, allowed a FIFO or nothing");
  assertThrows(() => openFifo(folder), FifoError, "found a directory");
  assertThrows(() => openFifo(`${folder}/none/fifo`), FifoError, "its directory does not exist");
  assertEquals(Deno.readTextFileSync(`${folder}/file`), "precious");
  Deno.removeSync(folder, { recursive: true });
});
