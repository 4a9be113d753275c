/**
 * Golden files: blocks of an input line that begins with `$ ` and the output that belongs to it. GOLDEN=write in the
 * environment writes them anew; what changed then shows in the diff.
 */
import { assertEquals } from "@std/assert";

/** Checks (or writes) the output of `produce` for every `$ ` line of the file. Comments (`#`) and blank lines stay. */
export function checkGolden(path: URL, produce: (input: string) => string): void {
  const text = Deno.readTextFileSync(path);
  const out: string[] = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("$ ")) {
      out.push(
        line,
        ...produce(line.slice(2)).replace(/\n$/, "").split("\n").map((row) => `  ${row}`.trimEnd()),
      );
    } else if (line === "" || line.startsWith("#")) out.push(line);
  }
  if (Deno.env.get("GOLDEN") === "write") Deno.writeTextFileSync(path, out.join("\n"));
  else assertEquals(text, out.join("\n"));
}
