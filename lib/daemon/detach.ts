/** Going into the background: the program starts itself again and waits until that has said how its start went. @module */
import process from "node:process";

/** The environment variable by which the background process knows itself. */
const MARK = "IPSECBOX_DETACHED";
const READY = "ready\n";

/** Whether this process is the one in the background. */
export const isDetached = (): boolean => Deno.env.get(MARK) !== undefined;

/** The command that starts this program again, packed, compiled or from source. */
export function ownCommand(): { program: string; args: string[] } {
  const packed = Deno.env.get("IPSECBOX_SELF");
  if (packed) return { program: packed, args: [] };
  if (Deno.build.standalone) return { program: Deno.execPath(), args: [] };
  return { program: Deno.execPath(), args: ["run", "-A", "--quiet", Deno.mainModule] };
}

/**
 * Starts `command` (a subcommand with its arguments) in the background, in a session of its own.
 *
 * @returns its process id once it has called {@linkcode announceReady}
 * @throws {Error} with what it printed, when it ends before that
 */
export async function startDetached(command: readonly string[]): Promise<number> {
  const { program, args } = ownCommand();
  // Under a packed or compiled name of its own the subcommand is that name.
  const invoked = Deno.env.get("IPSECBOX_ARGV0") ?? process.argv0;
  const byLink = args.length === 0 && invoked.split("/").at(-1) === command[0];
  const child = new Deno.Command(program, {
    args: [...args, ...command.slice(byLink ? 1 : 0)],
    env: { [MARK]: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    detached: true,
  }).spawn();
  child.unref();
  let said = "";
  const decoder = new TextDecoder();
  const reader = child.stderr.getReader();
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    said += decoder.decode(chunk.value, { stream: true });
    if (said.endsWith(READY)) {
      await reader.cancel();
      return child.pid;
    }
  }
  throw new Error(said.trim() || "it ended without a word");
}

/** Tells who started this process that all went well. What is printed to standard error from now on goes nowhere. */
export function announceReady(): void {
  if (!isDetached()) return;
  Deno.stderr.writeSync(new TextEncoder().encode(READY));
  Deno.stderr.close();
}
