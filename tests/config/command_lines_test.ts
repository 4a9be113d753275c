import { assertEquals } from "@std/assert";
import { parseCommandLines } from "../../lib/config/command_lines.ts";

Deno.test("command lines are words as a shell sees them, with the line where they begin", () => {
  const { lines, faults } = parseCommandLines(
    `# a comment
flush   # another

flow -src 10.1.1.1 \\
    -addr 10.1.1.0/24\t10.2.2.0/24
'a b' "c \\"d\\" $e" f\\ g h#i ""
`,
    "x",
  );
  assertEquals(faults, []);
  assertEquals(lines.map(({ line, words }) => [line, words]), [
    [2, ["flush"]],
    [4, ["flow", "-src", "10.1.1.1", "-addr", "10.1.1.0/24", "10.2.2.0/24"]],
    [6, ["a b", 'c "d" $e', "f g", "h#i", ""]],
  ]);
});

Deno.test("a quote that is never closed is told with its line, and text may end anywhere", () => {
  const { faults } = parseCommandLines("flush\nnew 'esp\nmore", "x");
  assertEquals(faults.map(({ line, message }) => [line, message]), [[2, "a quote is never closed"]]);
  assertEquals(parseCommandLines("", "x"), { lines: [], faults: [] });
  assertEquals(parseCommandLines("flush\\", "x").lines.map(({ words }) => words), [["flush"]]);
});
