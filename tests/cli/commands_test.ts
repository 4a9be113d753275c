import { assertEquals } from "@std/assert";
import { print, runCommand } from "../../lib/cli/commands.ts";
import { runHere } from "./run.ts";

Deno.test("a word that is no command is answered with the nearest, whatever it holds", async () => {
  assertEquals(await runHere(["ipsecadn"]), {
    status: 2,
    out: "",
    err: `ipsecbox: no command "ipsecadn"; did you mean "ipsecadm"? ("ipsecbox help" lists them)\n`,
  });
  assertEquals((await runHere(["help", "\x1b[2J"])).err, `ipsecbox: no command "?[2J"\n`);
  assertEquals((await runHere(["x".repeat(1000)])).err.length < 300, true);
  assertEquals((await runHere([""])).err, `ipsecbox: no command "" ("ipsecbox help" lists them)\n`);
});

Deno.test("output that nobody takes ends a command without a word, or with the reason", async () => {
  const [out, err] = [Deno.stdout.writeSync, Deno.stderr.writeSync];
  let told = "";
  const endWith = async (error: Error) => {
    Deno.stdout.writeSync = () => {
      throw error;
    };
    told = "";
    return await runCommand("ipsecbox", ["help", "ipsecadm"]);
  };
  try {
    Deno.stderr.writeSync = (octets) => {
      told += new TextDecoder().decode(octets);
      return octets.length;
    };
    assertEquals([await endWith(new Deno.errors.BrokenPipe("closed")), told], [1, ""]);
    assertEquals([await endWith(new Error("No space left on device (os error 28)")), told], [
      1,
      "ipsecbox: cannot write to standard output: No space left on device (os error 28)\n",
    ]);
    Deno.stderr.writeSync = () => {
      throw new Deno.errors.BrokenPipe("closed");
    };
    print("a log whose reader is gone ends no daemon", Deno.stderr);
  } finally {
    [Deno.stdout.writeSync, Deno.stderr.writeSync] = [out, err];
  }
});
