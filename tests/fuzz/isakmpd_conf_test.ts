// isakmpd.conf with one line changed: it loads, or says in one line where the fault is, what was found and what is allowed.
import { assert, assertEquals } from "@std/assert";
import { type Fault, formatFault, listOf, parseIni } from "../../lib/config/ini.ts";
import { resolveIsakmpdConf } from "../../lib/config/isakmpd_conf.ts";
import { describeIsakmpdConf } from "../../lib/config/isakmpd_describe.ts";
import { generator, mutateText, type Random } from "./mutate.ts";

const FILES = [
  "examples/isakmpd-east-west/VPN-east.conf",
  "examples/isakmpd-east-west/VPN-west.conf",
  "examples/isakmpd-roadwarrior/alice.conf",
  "examples/isakmpd-roadwarrior/gateway.conf",
  "tests/golden/isakmpd/two_gateways.conf",
  "tests/golden/isakmpd/certificates.conf",
  "tests/golden/isakmpd/later.conf",
  "tests/golden/isakmpd/overrides.conf",
];
const texts = FILES.map((name) => Deno.readTextFileSync(new URL(`../../${name}`, import.meta.url)));

/** All faults; what the file means is put into words, too. */
function faultsOf(text: string): readonly Fault[] {
  const { tree, faults } = parseIni(text, "x.conf");
  const conf = resolveIsakmpdConf(tree, "x.conf", {}, faults);
  assert(describeIsakmpdConf(conf).length > 0);
  return conf.faults;
}

/** What an error looks like. */
const FORM =
  /^x\.conf:[1-9]\d*: \[[^\]\n]+\] [^ \n]+: (found .*(, allowed |; allowed )|missing, allowed |found "[^"]*", but there is no section \[)[^\n]*$/;

const NUMBERS = ["-1", "0", "1", "65536", "4294967296", "99999999999999999999", "1.5", "0x10", "10,20:5", "ANY"];
const WORDS = ["bogus", "MD5", "AES_CBC", "yes", "10.0.0.1", "fd00::1", "[x]", "=", "a b", "1.2.3", "Net-east"];

/** A line with one token changed or gone. */
function mutateLine(random: Random, line: string): string {
  const pick = (words: readonly string[]) => words[random(words.length)];
  const [, tag, blanks, value] = /^([^=]*)=(\s*)(.*)$/.exec(line) ?? [];
  const twist = (word: string) => {
    const at = random(word.length), next = word[at] ?? "";
    return pick([word.slice(0, at) + word.slice(at + 1), word.slice(0, at) + next + word.slice(at), word.slice(0, at)]);
  };
  if (tag === undefined) return pick(["", line.replace("]", ""), twist(line), `${line} x`]);
  return pick([
    "",
    `${tag}=`,
    `${tag}=${blanks}${pick(NUMBERS)}`,
    `${tag}=${blanks}${pick(WORDS)}`,
    `${tag}=${blanks}${twist(value)}`,
    `${tag}=${blanks}${value},${value}`,
    `${twist(tag)}=${blanks}${value}`,
    `${tag}${blanks} ${value}`,
    line.toLowerCase(),
  ]);
}

Deno.test("one token changed: the file loads, or one line says which section, tag and word, and what is allowed", () => {
  const random = generator(3);
  let refused = 0;
  for (let round = 0; round < 3000; round++) {
    const lines = texts[round % texts.length].split("\n");
    const at = random(lines.length);
    if (/^\s*([#;]|$)/.test(lines[at])) continue;
    const before = lines[at];
    lines[at] = mutateLine(random, before);
    const errors = faultsOf(lines.join("\n")).filter(({ severity }) => severity === "error");
    const told = `line ${at + 1} ${JSON.stringify(before)} became ${JSON.stringify(lines[at])}:\n${
      errors.map(formatFault).join("\n")
    }`;
    for (const error of errors) assert(FORM.test(formatFault(error)), told);
    // Without its first line a section's tags belong to the one before, and every word of a list may be wrong.
    const words = listOf(lines[at].slice(lines[at].indexOf("=") + 1)).length;
    if (!before.startsWith("[")) assert(errors.length <= Math.max(1, words), told);
    refused += errors.length;
  }
  assert(refused > 300, `${refused} faults`);
});

Deno.test("whatever else is in the file, nothing but faults comes of it", () => {
  const random = generator(4);
  for (let round = 0; round < 400; round++) {
    const text = mutateText(random, texts[random(texts.length)], texts);
    for (const fault of faultsOf(text)) {
      assert(!formatFault(fault).includes("\n"), formatFault(fault));
      assertEquals(typeof fault.line, "number");
    }
  }
});
