import { assertEquals } from "@std/assert";

// OPENSSL_atexit's functions run in the clean-up at exit. This one aborts.
const PROGRAM = (prepare: string) =>
  `import { loadLibcrypto } from "${new URL("../../lib/ffi/libcrypto.ts", import.meta.url)}";
${prepare}
const { dlsym } = Deno.dlopen("libc.so.6", { dlsym: { parameters: ["pointer", "buffer"], result: "pointer" } }).symbols;
const abort = dlsym(null, new TextEncoder().encode("abort\\0"));
const { OPENSSL_atexit } = Deno.dlopen("libcrypto.so.3", {
  OPENSSL_atexit: { parameters: ["pointer"], result: "i32" },
}).symbols;
console.log(OPENSSL_atexit(abort));
Deno.exit(0);`;

async function run(prepare: string): Promise<{ output: string; signal: string | null }> {
  const file = Deno.makeTempFileSync({ suffix: ".ts" });
  Deno.writeTextFileSync(file, PROGRAM(prepare));
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const { stdout, signal } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "--quiet", "--config", config, file],
    stderr: "null",
  }).output();
  Deno.removeSync(file);
  return { output: new TextDecoder().decode(stdout).trim(), signal };
}

Deno.test("libcrypto does not clean up at exit, when threads of Workers may be ending", async () => {
  assertEquals(await run("loadLibcrypto();"), { output: "1", signal: null });
  const another = `void loadLibcrypto;
    const { OSSL_PROVIDER_load } = Deno.dlopen("libcrypto.so.3", {
      OSSL_PROVIDER_load: { parameters: ["pointer", "buffer"], result: "pointer" },
    }).symbols;
    OSSL_PROVIDER_load(null, new TextEncoder().encode("default\\0"));`;
  assertEquals(await run(another), { output: "1", signal: "SIGABRT" }, "the test would see it");
});
