import { assertEquals, assertThrows } from "@std/assert";
import { getopt, OptionError } from "../../lib/cli/getopt.ts";

const short = (args: string[]) => {
  const { options, rest } = getopt(args, "c:dD:n");
  return [...options.map(({ letter, argument }) => letter + argument), ...rest.map((word) => `rest ${word}`)];
};

Deno.test("options may be joined, with their argument in the same word or the next", () => {
  assertEquals(short(["-dn", "-cfile", "-c", "other", "-DA=99", "-D", "7=40", "-ndcx"]), [
    "d",
    "n",
    "cfile",
    "cother",
    "DA=99",
    "D7=40",
    "n",
    "d",
    "cx",
  ]);
  assertEquals(short(["-d", "word", "-n"]), ["d", "rest word", "rest -n"]);
  assertEquals(short(["-c", "-", "--", "-n"]), ["c-", "rest -n"]);
});

Deno.test("an unknown option and a missing argument are named", () => {
  assertThrows(() => short(["-x"]), OptionError, "unknown option -x");
  assertThrows(() => short(["-:"]), OptionError, "unknown option -:");
  assertThrows(() => short(["-dc"]), OptionError, "option -c needs an argument");
});
