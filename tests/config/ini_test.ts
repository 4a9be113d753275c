import { assertEquals } from "@std/assert";
import {
  addToList,
  formatFault,
  listOf,
  parseIni,
  removeFromList,
  removeValue,
  setValue,
  type Tree,
  valueAt,
} from "../../lib/config/ini.ts";

function flat(tree: Tree): string[] {
  return Array.from(tree.values()).flatMap((section) =>
    Array.from(section.values.values(), ({ tag, text, line }) => `${line} ${section.name}:${tag}=${text}`)
  );
}
const read = (text: string) => {
  const { tree, faults } = parseIni(text, "x.conf");
  return { values: flat(tree), faults: faults.map(formatFault) };
};

Deno.test("comments, blanks around values, continued lines and a last line without newline", () => {
  assertEquals(
    read("# one\n; two\n  # three\n[A]\nTag=\t value with # and ; inside \nList= a,\\\n  b,\\\r\n\tc\n\n[B]\nLast=x")
      .values,
    ["5 A:Tag=value with # and ; inside", "6 A:List=a,   b, \tc", "11 B:Last=x"],
  );
});

Deno.test("values stay strings", () => {
  assertEquals(read("[p]\nAuthentication=0123\nx=a=b\nempty=\n").values, [
    "2 p:Authentication=0123",
    "3 p:x=a=b",
    "4 p:empty=",
  ]);
});

Deno.test("names are the same in either case, pieces of a section are merged, of two equal tags the first wins", () => {
  const text = "[General]\nRetransmits=5\n[Phase 1]\nDefault=p\n[GENERAL]\nretransmits=7\nListen-on=10.0.0.1\n";
  const { tree, faults } = parseIni(text, "x.conf");
  assertEquals(flat(tree), ["2 General:Retransmits=5", "7 General:Listen-on=10.0.0.1", "4 Phase 1:Default=p"]);
  assertEquals(faults.map(formatFault), [
    "x.conf:6: [General] retransmits: warning: given twice; the value of line 2 is used",
  ]);
  assertEquals(valueAt(tree, "phase 1", "DEFAULT")?.text, "p");
});

Deno.test("what cannot be read is named by its line and skipped", () => {
  assertEquals(read(`early=1\n[broken\na=1\n[ok] junk\nno equals\nb c = 2\n=3\n[]\n[${"x".repeat(257)}]\n`).faults, [
    'x.conf:1: warning: ignored the tag "early": it stands before any [section]',
    'x.conf:2: warning: cannot read the section line: the closing "]" is missing; the lines up to the next section are ignored',
    'x.conf:3: warning: ignored the tag "a": it stands after a broken section line',
    'x.conf:4: [ok]: warning: ignored "junk" after the section\'s name',
    'x.conf:5: [ok]: warning: cannot read "no equals": a [section], a tag=value or a comment (#) is expected',
    'x.conf:6: [ok] b: warning: ignored "c" between tag and "="',
    'x.conf:7: [ok]: warning: ignored the line: a tag is missing before "="',
    "x.conf:8: warning: cannot read the section line: the name is empty; the lines up to the next section are ignored",
    "x.conf:9: warning: cannot read the section line: the name has 257 characters, at most 256 are allowed; the lines up to the next section are ignored",
  ]);
});

Deno.test("lists are split by commas and blanks", () => {
  assertEquals(listOf(" a, b,,c\td ,"), ["a", "b", "c", "d"]);
});

Deno.test("editing: set keeps what is there unless told to override, lists grow and shrink", () => {
  const { tree } = parseIni("[Phase 2]\nConnections=a\n", "x.conf");
  const fifo = { file: "fifo", line: 0 };
  assertEquals(setValue(tree, "phase 2", "connections", "z", false, fifo), false);
  assertEquals(addToList(tree, "Phase 2", "Connections", "b", fifo), true);
  assertEquals(addToList(tree, "Phase 2", "Connections", "A", fifo), false);
  assertEquals(valueAt(tree, "Phase 2", "Connections")?.text, "a,b");
  assertEquals(removeFromList(tree, "Phase 2", "Connections", "a", fifo), true);
  assertEquals(removeFromList(tree, "Phase 2", "Connections", "a", fifo), false);
  assertEquals(valueAt(tree, "Phase 2", "Connections")?.text, "b");
  assertEquals(removeValue(tree, "Phase 2", "CONNECTIONS"), true);
  assertEquals(removeValue(tree, "none", "x"), false);
});
