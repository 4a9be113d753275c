// The crypto backends that this machine has; the one over libcrypto needs libcrypto.so.3 and permission for FFI.
import { createLibcrypto, loadLibcrypto } from "../../lib/crypto/libcrypto.ts";
import { createNodeCrypto } from "../../lib/crypto/node.ts";
import type { MakeCrypto } from "./support.ts";

export const BACKENDS: readonly { name: string; make: MakeCrypto }[] = [
  { name: "node:crypto", make: createNodeCrypto },
  ...loadLibcrypto() ? [{ name: "libcrypto", make: createLibcrypto }] : [],
];
