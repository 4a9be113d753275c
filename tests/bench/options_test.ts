import { assertEquals, assertThrows } from "@std/assert";
import { readOptions } from "../../scripts/options.ts";

const NUMBERS = { seconds: { value: 60, least: 8 }, nice: { value: -20, least: -20 } };
const WORDS = { json: "FILE", only: "WORD" };
const read = (...args: string[]) => readOptions(args, NUMBERS, WORDS);

Deno.test("Options of a bench: defaults, numbers and words, with and without the task's --", () => {
  assertEquals(read(), { seconds: 60, nice: -20, json: undefined, only: undefined });
  assertEquals(read("--", "--seconds", "8", "--nice=-5", "--json", "a.json", "--only=1"), {
    seconds: 8,
    nice: -5,
    json: "a.json",
    only: "1",
  });
  assertEquals(read("--seconds", "8", "--seconds", "9").seconds, 9);
});

Deno.test("What is not an option of a bench, or no value of one, is refused by name", () => {
  const rows: [string[], string][] = [
    [["--secnods", "9"], "--secnods is not known; allowed are --seconds, --nice, --json, --only"],
    [["60"], "60 is not known"],
    [["--seconds", "7"], "--seconds 7: a number from 8 is needed"],
    [["--seconds", "x"], "--seconds x: a number from 8 is needed"],
    [["--seconds", "Infinity"], "--seconds Infinity"],
    [["--seconds"], "--seconds takes one value"],
    [["--json", "--only", "a"], "--json takes one value"],
  ];
  for (const [args, message] of rows) assertThrows(() => read(...args), RangeError, message);
});
