/** `ipsecbox completion`: what a shell needs to complete command lines. @module */
import { CommandError } from "./command.ts";
import { fetchSas } from "../daemon/engine_views.ts";
import { type CommandShape, ENGINE_KINDS, shapeOf } from "./command_shape.ts";
import { COMMANDS, print } from "./commands.ts";
import { bashScript } from "./completion/bash.ts";
import { fishScript } from "./completion/fish.ts";
import { zshScript } from "./completion/zsh.ts";
import { withEngine } from "./engine.ts";
import { LINK_NAMES } from "./install.ts";

export const HELP = `usage: ipsecbox completion bash|zsh|fish

Prints a script with which the shell completes commands, subcommands, options and their
arguments, for ipsecbox and for the OpenBSD names.

bash  ipsecbox completion bash > /usr/share/bash-completion/completions/ipsecbox; links to that
      file under the OpenBSD names complete these
zsh   ipsecbox completion zsh > /usr/share/zsh/vendor-completions/_ipsecbox
fish  ipsecbox completion fish > /usr/share/fish/vendor_completions.d/ipsecbox.fish

For one session of bash: source <(ipsecbox completion bash)
`;

/** What a running engine has of a kind, for the scripts above; nothing when there is none. */
async function engineValues(kind: string): Promise<string[]> {
  if (!ENGINE_KINDS.some((known) => known === kind)) return [];
  const sas = await withEngine((client) => fetchSas(client));
  const values = sas.map(({ spi, source, destination }) =>
    kind === "spi" ? [spi.toString(16)] : [source, destination].filter((address) => !/^(0\.0\.0\.0|::)$/.test(address))
  );
  return [...new Set(values.flat())].sort();
}

const SHELLS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;
export type Shell = keyof typeof SHELLS;

/** Loads every command and answers its shape, in the table's order. */
export async function allShapes(): Promise<CommandShape[]> {
  return await Promise.all(COMMANDS.map(async (row) => shapeOf(row.name, row.summary, await row.load())));
}

/** The script for a shell. */
export async function completionScript(shell: Shell): Promise<string> {
  return SHELLS[shell](await allShapes(), ["ipsecbox", ...LINK_NAMES]);
}

export async function run(args: string[]): Promise<number> {
  const [shell, ...more] = args;
  if (shell === "help" || shell === "--help") {
    print(HELP);
    return 0;
  }
  if (shell === "--values" && more.length === 1) {
    for (const value of await engineValues(more[0])) print(`${value}\n`);
    return 0;
  }
  const known = Object.keys(SHELLS).join(", ");
  if (shell === undefined) throw new CommandError(`the name of a shell is needed: ${known}`, 2);
  if (!Object.hasOwn(SHELLS, shell)) throw new CommandError(`no completion for "${shell}", only for ${known}`, 2);
  if (more.length) throw new CommandError(`"${more[0]}" is one word too many ("ipsecbox help completion")`, 2);
  print(await completionScript(shell as Shell));
  return 0;
}
