/** Runs a subcommand in this process, catching what it prints. */
import { runCommand } from "../../lib/cli/commands.ts";

export interface Outcome {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** What `ipsecbox ARGS` does, with `environment` set meanwhile. */
export async function runHere(args: readonly string[], environment: Record<string, string> = {}): Promise<Outcome> {
  const texts = { out: "", err: "" };
  const real = { out: Deno.stdout.writeSync, err: Deno.stderr.writeSync };
  const catcher = (which: "out" | "err") => (octets: Uint8Array) => {
    texts[which] += new TextDecoder().decode(octets);
    return octets.length;
  };
  const before = Object.keys(environment).map((name) => [name, Deno.env.get(name)] as const);
  for (const [name, value] of Object.entries(environment)) Deno.env.set(name, value);
  Deno.stdout.writeSync = catcher("out");
  Deno.stderr.writeSync = catcher("err");
  try {
    const status = await runCommand("ipsecbox", [...args]);
    return { status, ...texts };
  } finally {
    Deno.stdout.writeSync = real.out;
    Deno.stderr.writeSync = real.err;
    for (const [name, value] of before) value === undefined ? Deno.env.delete(name) : Deno.env.set(name, value);
  }
}
