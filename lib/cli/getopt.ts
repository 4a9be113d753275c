/** Options as getopt(3) reads them: `-d`, `-dn`, `-c FILE`, `-cFILE`, `--` ends them. @module */

/** One option as it was given. */
export interface GivenOption {
  readonly letter: string;
  /** For letters that take one. */
  readonly argument: string;
}

/** A letter that does not exist, or one without its argument. The message has no program name. */
export class OptionError extends Error {
  override name = "OptionError";
}

/**
 * Splits arguments.
 *
 * @param letters the letters, each that takes an argument followed by `:`
 * @throws {OptionError}
 */
export function getopt(args: readonly string[], letters: string): { options: GivenOption[]; rest: string[] } {
  const options: GivenOption[] = [];
  let at = 0;
  for (; at < args.length; at++) {
    const word = args[at];
    if (word === "--") {
      at++;
      break;
    }
    if (!word.startsWith("-") || word === "-") break;
    for (let i = 1; i < word.length; i++) {
      const letter = word[i];
      const known = letter === ":" ? -1 : letters.indexOf(letter);
      if (known < 0) throw new OptionError(`unknown option -${letter}`);
      if (letters[known + 1] !== ":") {
        options.push({ letter, argument: "" });
        continue;
      }
      const argument = i + 1 < word.length ? word.slice(i + 1) : args[++at];
      if (argument === undefined) throw new OptionError(`option -${letter} needs an argument`);
      options.push({ letter, argument });
      break;
    }
  }
  return { options, rest: args.slice(at) };
}
