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
