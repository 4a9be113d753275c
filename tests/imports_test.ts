import { assertEquals } from "@std/assert";
import { checkTree, complaints } from "../scripts/check_imports.ts";

Deno.test("every import of lib/ is one that the layer table allows", () => {
  assertEquals(checkTree(import.meta.dirname + "/.."), []);
});

Deno.test("what the table forbids is found", () => {
  const forbidden = [
    ["lib/ike/a.ts", `import { x } from "../keynote/query.ts";`],
    ["lib/octets/a.ts", `import type { X } from "../ip/address.ts";`],
    ["lib/crypto/node.ts", `export { y } from "../ffi/libc.ts";`],
    ["lib/daemon/a.ts", `const m = await import("../cli/enc.ts");`],
    ["lib/linux/a.ts", `Deno.dlopen("libc.so.6", {});`],
    ["lib/ipsec/a.ts", `import { main } from "../../main.ts";`],
    ["lib/newlayer/a.ts", ``],
  ];
  for (const [path, text] of forbidden) assertEquals(complaints(path, text).length, 1, path);
  assertEquals(complaints("lib/crypto/libcrypto.ts", `import { a } from "../ffi/libcrypto.ts";`), []);
});
