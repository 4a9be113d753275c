/** Options and output that the actions of `ipsecbox pki` share. @module */
import { CommandError } from "./command.ts";
import { print } from "./commands.ts";
import type { GivenOption } from "./getopt.ts";

export const DAY_MS = 86_400_000;
export const HASH = "sha256";

/** The options of one action. */
export class Options {
  constructor(readonly given: readonly GivenOption[], readonly files: readonly string[]) {}

  all(letter: string): string[] {
    return this.given.filter((option) => option.letter === letter).map(({ argument }) => argument);
  }
  maybe(letter: string): string | undefined {
    return this.all(letter).at(-1);
  }
  need(letter: string, what: string): string {
    return this.maybe(letter) ?? fail(`-${letter}: ${what} is missing`);
  }
  number(letter: string, otherwise: number, least: number, most: number): number {
    const text = this.maybe(letter);
    if (text === undefined) return otherwise;
    const value = Number(text);
    if (!/^\d{1,6}$/.test(text) || value < least || value > most) {
      fail(`-${letter}: a number from ${least} to ${most} is needed, not "${text}"`);
    }
    return value;
  }
}

/** A wrong command line. @throws {CommandError} */
export function fail(message: string): never {
  throw new CommandError(`${message} ("ipsecbox help pki" shows the usage)`, 2);
}

/** A word of the shell. */
export const word = (text: string): string =>
  /^[A-Za-z0-9_./=:@,-]+$/.test(text) ? text : `'${text.replace(/'/g, `'\\''`)}'`;

/** Tells the openssl commands that do the same. */
export function tell(...commands: string[]): void {
  for (const command of commands) print(`${command}\n`, Deno.stderr);
}

/** That an action about no files is given none. */
export function noFiles({ files }: Options): void {
  if (files.length > 0) fail(`"${files[0]}": only options are taken`);
}

/** The one file that an action is about. */
export function onlyFile({ files }: Options): string {
  return files.length === 1 ? files[0] : fail(`one file is needed, not ${files.length}`);
}
