/** Starts an engine whose AEAD does nothing, from source. @module */
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { V8_FLAGS } from "../../scripts/pack.ts";
import { type Background, type Host, waitFor } from "../../tests/netns/topology.ts";

const ROOT = dirname(dirname(import.meta.dirname!));
const url = (path: string) => pathToFileURL(join(ROOT, path)).href;

/** deno.json's names, and this folder's crypto for all modules but those of this folder. */
export function importMap(): string {
  const text = Deno.readTextFileSync(join(ROOT, "deno.json"));
  const { imports } = JSON.parse(text.replaceAll(/^\s*\/\/.*$/gm, ""));
  const real = url("lib/crypto/libcrypto.ts");
  return JSON.stringify({
    imports: { ...imports, [real]: url("bench/no_cipher/libcrypto.ts") },
    scopes: { [url("bench/no_cipher/")]: { [real]: real } },
  });
}

/** Starts it and waits until it moves packets. */
export async function startEngineWithoutCipher(host: Host): Promise<Background> {
  const map = join(host.folder, "no_cipher.json");
  Deno.writeTextFileSync(map, importMap());
  const words = ["run", "-A", "--no-lock", "--quiet", V8_FLAGS, `--import-map=${map}`, join(ROOT, "main.ts"), "enc"];
  const engine = host.spawn([Deno.execPath(), ...words]);
  await waitFor(
    () => {
      if (engine.ended()) throw new Error(`the engine without cipher ended: ${engine.output()}`);
      return engine.output().includes("ready");
    },
    "the engine without cipher",
    30_000,
  );
  return engine;
}
