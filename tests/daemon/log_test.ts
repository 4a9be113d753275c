import { assertEquals, assertThrows } from "@std/assert";
import { Log, logClassOf, type LogSink, parseDebugOption } from "../../lib/daemon/log.ts";

function recorder(): { lines: string[]; sink: LogSink } {
  const lines: string[] = [];
  return { lines, sink: { write: (severity, line) => lines.push(`${severity}: ${line}`) } };
}

Deno.test("a debug line prints when its level is not above that of its class", () => {
  const { lines, sink } = recorder();
  const log = new Log(sink);
  log.setLevel("Negotiation", 30);
  log.debug("Negotiation", 30, "yes");
  log.debug("Negotiation", 31, "no");
  log.debug("Misc", 0, () => "two\nlines");
  log.debug("Misc", 1, "no");
  assertEquals(lines, ["debug: Negotiation 30 yes", "debug: Misc         0 two", "debug: Misc         0 lines"]);
});

Deno.test("a peer's control characters make no lines of their own", () => {
  const { lines, sink } = recorder();
  new Log(sink).warn("ID a\nb\x1b[31m");
  assertEquals(lines, ["warning: ID a?b?[31m"]);
});

Deno.test("toggling silences every class and brings the levels back", () => {
  const log = new Log(recorder().sink);
  log.setLevel("all", 5);
  log.toggle();
  assertEquals(log.enabled("SA", 1), false);
  log.toggle();
  assertEquals(log.enabled("SA", 5), true);
});

Deno.test("-D takes a class by number or name, or A", () => {
  assertEquals(parseDebugOption("A=99"), { name: "all", level: 99 });
  assertEquals(parseDebugOption("7=40"), { name: "Exchange", level: 40 });
  assertEquals(logClassOf("ui"), "UI");
  for (const bad of ["A", "A=100", "11=5", "x=1", "=1"]) {
    assertThrows(() => parseDebugOption(bad), RangeError, "allowed");
  }
});
