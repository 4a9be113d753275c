/**
 * Runs `deno compile`: the official single file, for x86-64 and aarch64. Needs Deno's runtime base once from Deno's
 * download host; DENORT_BIN=<a deno binary> runs the same command offline, far enough to check what would be embedded.
 *
 *     deno task compile [TARGET ...]      default: the two Linux targets; none with DENORT_BIN
 */
import { entryPoints, PERMISSIONS, V8_FLAGS } from "./pack.ts";

const offline = Deno.env.has("DENORT_BIN");
const targets = Deno.args.length
  ? Deno.args
  : offline
  ? [undefined]
  : ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"];
const [main, ...workers] = entryPoints();
await Deno.mkdir("dist", { recursive: true });
for (const target of targets) {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: [
      "compile",
      ...PERMISSIONS,
      V8_FLAGS,
      ...workers.flatMap((worker) => ["--include", worker]),
      ...(target ? ["--target", target] : []),
      "--output",
      `dist/ipsecbox${target ? `-${target}` : "-compiled"}`,
      main,
    ],
  }).output().then((output) => {
    Deno.stderr.writeSync(output.stderr);
    return output;
  });
  if (!success) Deno.exit(1);
}
