// Nanoseconds a packet and Mbit/s of every algorithm in both backends:
//   deno run -A bench/crypto.ts [filter]
// `filter` is a part of an algorithm's name. Run it on an idle machine. "ipsecbox bench" shows the backend in use.
import { formatCrypto } from "../lib/cli/bench.ts";
import { subjects } from "../lib/cli/bench/crypto.ts";
import { createLibcrypto, libcryptoReason, loadLibcrypto } from "../lib/crypto/libcrypto.ts";
import { createNodeCrypto } from "../lib/crypto/node.ts";
import { addressOf } from "../lib/ffi/address.ts";
import { createArena } from "../lib/octets/arena.ts";

const RUN_MS = 40;

const filter = Deno.args[0] ?? "";
const arena = createArena(1 << 18, addressOf);
const libcrypto = loadLibcrypto();
if (!libcrypto) console.log(`No libcrypto: ${libcryptoReason()}`);
for (const backend of [...(libcrypto ? [createLibcrypto(arena)] : []), createNodeCrypto(arena)]) {
  console.log(backend.name === "libcrypto" ? libcrypto!.version : backend.name);
  const chosen = [...subjects(backend, arena, RUN_MS)].filter(({ name }) => name.includes(filter));
  const results = chosen.map(({ name, kind, run }) => ({ name, kind, ...run() }));
  if (results.length) console.log(`${formatCrypto(results, { style: "none", width: 80 }).join("\n")}\n`);
}
