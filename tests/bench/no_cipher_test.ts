import { assertEquals, assertMatch } from "@std/assert";
import { importMap } from "../../bench/no_cipher/engine.ts";
import { decodeText, encodeText } from "../../lib/octets/bytes.ts";

const SOURCE = `
import { choosePacketCrypto, loadLibcrypto } from "${new URL("../../lib/crypto/libcrypto.ts", import.meta.url)}";
import { createArena } from "${new URL("../../lib/octets/arena.ts", import.meta.url)}";
const arena = createArena(65536);
const aead = choosePacketCrypto(arena, "node:crypto").aead("aes-gcm", new Uint8Array(16));
arena.u8.fill(7, 4096, 4160);
aead.seal(64, 128, 8, 4096, 64, 256);
console.log(arena.u8[4096], aead.open(64, 128, 8, 4096, 64, 256), typeof loadLibcrypto);
`;

/** What the program prints, with the engine's import map or without one. */
async function printed(map: string | undefined): Promise<string> {
  const file = Deno.makeTempFileSync({ suffix: ".json" });
  try {
    Deno.writeTextFileSync(file, map ?? "{}");
    const args = ["run", "-A", "--no-lock", "--quiet", ...(map ? [`--import-map=${file}`] : []), "-"];
    const cwd = new URL("../..", import.meta.url);
    const command = new Deno.Command(Deno.execPath(), { args, cwd, stdin: "piped", stdout: "piped", stderr: "piped" });
    const child = command.spawn();
    const writer = child.stdin.getWriter();
    await writer.write(encodeText(SOURCE));
    await writer.close();
    const { stdout, stderr } = await child.output();
    return decodeText(stdout).trim() || decodeText(stderr);
  } finally {
    Deno.removeSync(file);
  }
}

Deno.test("the engine without cipher leaves packets as they are; without its import map the cipher is there", async () => {
  assertEquals(await printed(importMap()), "7 true function");
  assertMatch(await printed(undefined), /^(?!7 )\d+ true function$/);
});
