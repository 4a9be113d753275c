/** The part of @std/cli/parse-args that is used; its npm form carries no types. */
export interface ParseOptions {
  boolean?: string | string[];
  string?: string | string[];
  collect?: string | string[];
  negatable?: string | string[];
  alias?: Record<string, string | string[]>;
  default?: Record<string, unknown>;
  stopEarly?: boolean;
  "--"?: boolean;
  /** Called for a word that no option declares; false leaves it out of the result. */
  unknown?: (word: string, key?: string, value?: unknown) => unknown;
}
export type Args = Record<string, unknown> & { _: (string | number)[]; "--"?: string[] };
export function parseArgs(args: string[], options?: ParseOptions): Args;
