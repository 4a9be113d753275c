// Calls the command table; the program's name, when a command's, chooses the command.
import process from "node:process";
import { runCommand } from "./lib/cli/commands.ts";

if (import.meta.main) {
  // The packed single file starts through a wrapper, which hands its own name on.
  Deno.exit(await runCommand(Deno.env.get("IPSECBOX_ARGV0") ?? process.argv0, Deno.args));
}
