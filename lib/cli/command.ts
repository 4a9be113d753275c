/** The shape of a subcommand. @module */

/** A subcommand's module: `lib/cli/NAME.ts` exports `run` and `HELP`. */
export interface CommandModule {
  /** Usage and explanation, printed by `ipsecbox help NAME`. */
  readonly HELP: string;
  /** Runs with the words after the subcommand's name; answers the exit status. */
  run(args: string[]): number | Promise<number>;
}

/** A row of the command table. */
export interface CommandRow {
  readonly name: string;
  /** One line for `ipsecbox help`. */
  readonly summary: string;
  /** Loads the module only when the command is run, so that `--help` opens no library. */
  load(): Promise<CommandModule>;
}

/** A wrong argument, file or state that ends a command: one line for the user, and the exit status. */
export class CommandError extends Error {
  override name = "CommandError";
  constructor(message: string, readonly status: 1 | 2 = 1) {
    super(message);
  }
}

/** Errors of files that have a plain word. */
const REASONS: readonly (readonly [new () => Error, string])[] = [
  [Deno.errors.NotFound, "it does not exist"],
  [Deno.errors.PermissionDenied, "permission denied"],
  [Deno.errors.AlreadyExists, "it exists already"],
  [Deno.errors.IsADirectory, "it is a directory"],
  [Deno.errors.NotADirectory, "a part of the path is no directory"],
];

/** Why a file could not be used, in words for a user; who is not root hears that root may be needed. */
export function reason(error: unknown): string {
  const words = REASONS.find(([kind]) => error instanceof kind)?.[1];
  if (words === undefined) return error instanceof Error ? error.message : String(error);
  return words === "permission denied" && Deno.uid() !== 0 ? `${words}: be root` : words;
}

/** {@linkcode reason} after the path that stands at the end of Deno's message, if one does. */
export function reasonWithPath(error: unknown): string {
  const path = /: \w+ '([^']*)'$/.exec(error instanceof Error ? error.message : "")?.[1];
  return path === undefined ? reason(error) : `${path}: ${reason(error)}`;
}
