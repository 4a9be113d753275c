/** Command lines of the tasks and benches. @module */
import { parseArgs } from "../lib/std/parse_args.ts";

/** A number with its default and the least that is allowed. */
export interface NumberOption {
  readonly value: number;
  readonly least: number;
}

/**
 * The options of `program`: numbers, and words (undefined when not given) by what they are called in the usage.
 * @throws {RangeError} with one line on an option, an argument or a number that is not allowed
 */
export function readOptions<N extends string, W extends string>(
  args: readonly string[],
  numbers: Readonly<Record<N, NumberOption>>,
  words: Readonly<Record<W, string>>,
): Record<N, number> & Record<W, string | undefined> {
  const names = [...Object.keys(numbers), ...Object.keys(words)];
  const allowed = names.map((name) => `--${name}`).join(", ");
  const given = parseArgs(args.filter((word) => word !== "--"), {
    string: names,
    unknown: (word: string) => {
      throw new RangeError(`${word} is not known; allowed are ${allowed} and a value for each`);
    },
  });
  const found: Record<string, number | string | undefined> = {};
  for (const name of names) {
    const word = given[name];
    if (Array.isArray(word) || word === "") throw new RangeError(`--${name} takes one value`);
    if (!(name in numbers)) {
      found[name] = word as string | undefined;
      continue;
    }
    const { value, least } = numbers[name as N];
    const number = word === undefined ? value : Number(word);
    if (!(number >= least && number < Infinity)) {
      throw new RangeError(`--${name} ${word}: a number from ${least} is needed`);
    }
    found[name] = number;
  }
  return found as Record<N, number> & Record<W, string | undefined>;
}

/** {@linkcode readOptions} of this process. Ends it with the usage, for `--help` with status 0, else with the fault and 2. */
export function optionsOf<N extends string, W extends string = never>(
  program: string,
  numbers: Readonly<Record<N, NumberOption>>,
  words: Readonly<Record<W, string>> = {} as Record<W, string>,
): Record<N, number> & Record<W, string | undefined> {
  const usage = [
    `usage: ${program}`,
    ...Object.entries<NumberOption>(numbers).map(([name, { value }]) => `[--${name}=${value}]`),
    ...Object.entries<string>(words).map(([name, word]) => `[--${name}=${word}]`),
  ].join(" ");
  if (Deno.args.some((word) => word === "--help" || word === "-h")) {
    console.log(usage);
    Deno.exit(0);
  }
  try {
    return readOptions(Deno.args, numbers, words);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    console.error(`${program}: ${error.message}\n${usage}`);
    Deno.exit(2);
  }
}
