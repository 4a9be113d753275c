import { assert, assertEquals } from "@std/assert";
import { Rates, sparkline } from "../../lib/cli/top/history.ts";
import { TopScreen } from "../../lib/cli/top/screen.ts";
import { paint, readKeys } from "../../lib/cli/top.ts";
import { snapshot } from "./snapshots.ts";

Deno.test("rates are differences by time; a counter that starts again or goes away makes no nonsense", () => {
  const rates = new Rates();
  const read = (time: number, rows: Record<string, number>) => rates.read(time, new Map(Object.entries(rows)));
  read(10, { a: 100, b: 5 });
  assertEquals(rates.of("a"), { perSecond: 0, history: [] });
  read(12, { a: 300, b: 5 });
  read(13, { a: 20 });
  assertEquals(rates.of("a"), { perSecond: 20, history: [100, 20] });
  assertEquals(rates.of("b").history, []);
  read(13, { a: 40 });
  assertEquals(rates.of("a").history, [100, 20], "no time has passed");
});

Deno.test("sparklines scale to the largest, show the newest at the right, and tell nothing from little", () => {
  assertEquals(sparkline([0, 1, 4, 8], 6), "   ▂▅█");
  assertEquals(sparkline([1, 1000], 2), "▁█");
  assertEquals(sparkline([1, 2, 3, 4], 2), "▇█");
  assertEquals(sparkline([], 3), "   ");
});

const text = (screen: TopScreen, width: number, height: number) =>
  screen.render(width, height).map((line) => line.text.trimEnd());

Deno.test("top sorts, chooses, scrolls and fits every size", () => {
  const screen = new TopScreen("enc0");
  assertEquals(text(screen, 60, 5), ["ipsecbox top: waiting for the engine", "", "q quit"]);
  screen.update(snapshot({ sas: 20, time: 100, packets: (i) => i * 10 }));
  screen.update(snapshot({ sas: 20, time: 102, packets: (i) => i * 10 + i * i }));
  const spis = () =>
    text(screen, 100, 24).filter((line) => line.startsWith("esp")).map((line) =>
      parseInt(line.slice(6, 14), 16) - 0x1000
    );
  assertEquals(spis().slice(0, 3), [19, 18, 17], "the fastest first");
  screen.press("reverse");
  assertEquals(spis().slice(0, 3), [0, 1, 2]);
  screen.press("reverse");
  screen.press("last");
  const chosen = screen.render(100, 24).find(({ style }) => style === "chosen")!;
  assertEquals(chosen.text.slice(0, 14), "esp 0x00001000");
  assert(
    text(screen, 100, 24).some((line) =>
      line.startsWith("esp 0x00001000 from 192.168.5.1 to 192.168.25.9, mature, tunnel")
    ),
  );
  screen.press("up");
  assertEquals(screen.render(100, 24).find(({ style }) => style === "chosen")!.text.slice(0, 14), "esp 0x00001001");
  for (const key of ["sort", "sort", "sort", "sort", "sort"] as const) screen.press(key);
  assert(text(screen, 100, 24)[0].endsWith("sorted by peer"));
  screen.press("sortBack");
  assert(text(screen, 100, 24)[0].endsWith("sorted by left"));
  for (const [width, height] of [[1, 1], [0, 0], [20, 6], [200, 60], [79, 9]]) {
    const lines = screen.render(width, height);
    assert(lines.length <= height && lines.every((line) => line.text.length <= width), `${width}x${height}`);
  }
  screen.fail("cannot reach the IPsec engine");
  assert(text(screen, 100, 24)[0].includes("cannot reach the IPsec engine"));
  assertEquals(screen.press("quit"), false);
});

Deno.test("keys are read from what terminals send", () => {
  assertEquals(readKeys("\x1b[A\x1b[Bq"), ["up", "down", "quit"]);
  assertEquals(readKeys("s\x1bOCx \x03"), ["sort", "sort", "other", "pause", "quit"]);
});

Deno.test("painting clears what was there before", () => {
  assertEquals(paint([{ text: "a" }, { text: "b", style: "title" }]), "\x1b[Ha\x1b[K\r\n\x1b[7mb\x1b[0m\x1b[K\x1b[J");
});
