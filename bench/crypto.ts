// Nanoseconds a packet and Gbit/s of every algorithm in both backends:
//   deno run -A bench/crypto.ts [filter]
// `filter` is a part of an algorithm's name. Run it on an idle machine.
import { createLibcrypto, libcryptoReason, loadLibcrypto } from "../lib/crypto/libcrypto.ts";
import { AUTHENTICATORS, ESP_CIPHERS } from "../lib/crypto/algorithms.ts";
import { createNodeCrypto } from "../lib/crypto/node.ts";
import type { PacketCrypto } from "../lib/crypto/packet.ts";
import { addressOf } from "../lib/ffi/address.ts";
import { createArena } from "../lib/octets/arena.ts";

const SIZES = [64, 1408]; // whole blocks of every cipher
const RUNS = 5;
const RUN_MS = 40;

const arena = createArena(1 << 18, addressOf);
const at = arena.reserve(1 << 16);
const NONCE = at, AAD = at + 64, TAG = at + 128, DATA = at + 4096;

/** Median nanoseconds of one call. */
function measure(work: (count: number) => void): number {
  let count = 16;
  const time = () => {
    const start = performance.now();
    work(count);
    return performance.now() - start;
  };
  for (let ms = time(); ms < RUN_MS; ms = time()) {
    count = Math.ceil(count * Math.min(4, 1.2 * RUN_MS / Math.max(ms, 1)));
  }
  const runs = Array.from({ length: RUNS }, () => time() * 1e6 / count);
  return runs.sort((a, b) => a - b)[RUNS >> 1];
}

function report(backend: PacketCrypto, name: string, work: (octets: number) => (count: number) => void): void {
  const cells = SIZES.map((octets) => {
    const ns = measure(work(octets));
    return `${ns.toFixed(0).padStart(8)} ${(8 * octets / ns).toFixed(2).padStart(7)}`;
  });
  console.log(`${backend.name.padEnd(12)} ${name.padEnd(28)} ${cells.join("  ")}`);
}

const filter = Deno.args[0] ?? "";
console.log(loadLibcrypto()?.version ?? `No libcrypto: ${libcryptoReason()}`);
console.log(`${" ".repeat(42)}${SIZES.map((octets) => `ns/${octets} octets  Gbit/s`.padStart(17)).join(" ")}`);
for (const backend of [...(loadLibcrypto() ? [createLibcrypto(arena)] : []), createNodeCrypto(arena)]) {
  for (const row of ESP_CIPHERS) {
    for (let keyOctets = row.key.recommended; keyOctets <= row.key.max; keyOctets += row.key.step) {
      const name = `${row.name}${row.key.step === 8 ? `-${8 * keyOctets}` : ""}`;
      if (row.key.step === 1 && keyOctets > row.key.recommended) break;
      if (!name.includes(filter)) continue;
      const key = crypto.getRandomValues(new Uint8Array(keyOctets));
      if (row.aead) {
        using aead = backend.aead(row.aead, key);
        const [aadAt, aadOctets] = row.authenticatesOnly ? [DATA, 0] : [AAD, 8];
        const split = (octets: number) => row.authenticatesOnly ? [octets, 0] : [aadOctets, octets];
        report(backend, `${name} seal`, (octets) => (count) => {
          const [aad, data] = split(octets);
          for (let i = 0; i < count; i++) aead.seal(NONCE, aadAt, aad, DATA, data, TAG);
        });
        report(backend, `${name} seal and open`, (octets) => (count) => {
          const [aad, data] = split(octets);
          for (let i = 0; i < count; i++) {
            aead.seal(NONCE, aadAt, aad, DATA, data, TAG);
            if (!aead.open(NONCE, aadAt, aad, DATA, data, TAG)) throw new Error(`${name} does not open`);
          }
        });
      } else if (row.cipher) {
        using cipher = backend.cipher(row.cipher, key);
        report(backend, `${name} encrypt`, (octets) => (count) => {
          for (let i = 0; i < count; i++) cipher.encrypt(NONCE, DATA, octets);
        });
        report(backend, `${name} decrypt`, (octets) => (count) => {
          for (let i = 0; i < count; i++) cipher.decrypt(NONCE, DATA, octets);
        });
      }
    }
  }
  for (const row of AUTHENTICATORS) {
    if (!row.mac || !row.name.includes(filter)) continue;
    using mac = backend.mac(row.mac, crypto.getRandomValues(new Uint8Array(row.key.recommended)));
    report(backend, row.name, (octets) => (count) => {
      for (let i = 0; i < count; i++) mac.compute(DATA, octets, TAG);
    });
  }
}
