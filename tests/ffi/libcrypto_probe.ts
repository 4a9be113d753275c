// Runs every algorithm of the best backend there is over fixed octets, in a process or Worker of its own.
import { AUTHENTICATORS, ESP_CIPHERS } from "../../lib/crypto/algorithms.ts";
import { choosePacketCrypto, libcryptoReason, loadLibcrypto } from "../../lib/crypto/libcrypto.ts";
import { addressOf } from "../../lib/ffi/address.ts";
import { createArena } from "../../lib/octets/arena.ts";
import { formatHex } from "../../lib/octets/hex.ts";

const library = loadLibcrypto();
const arena = createArena(65536, library && addressOf);
const backend = choosePacketCrypto(arena);
const at = arena.reserve(4096), DATA = at + 256, OUT = at + 1024;
const results: string[] = [];
const octets = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 73 + length) & 255);

for (const row of ESP_CIPHERS) {
  arena.u8.set(octets(512), at);
  const key = octets(row.key.recommended);
  if (row.aead) {
    using aead = backend.aead(row.aead, key);
    aead.seal(at, at + 16, 8, DATA, 99, OUT);
    results.push(formatHex(arena.u8.subarray(DATA, DATA + 99)), formatHex(arena.u8.subarray(OUT, OUT + 16)));
    results.push(String(aead.open(at, at + 16, 8, DATA, 99, OUT)));
  } else if (row.cipher) {
    using cipher = backend.cipher(row.cipher, key);
    cipher.encrypt(at, DATA, 96);
    results.push(formatHex(arena.u8.subarray(DATA, DATA + 96)));
    cipher.decrypt(at, DATA, 96);
    results.push(formatHex(arena.u8.subarray(DATA, DATA + 96)));
  }
}
for (const row of AUTHENTICATORS) {
  if (!row.mac) continue;
  using mac = backend.mac(row.mac, octets(row.key.recommended));
  mac.compute(DATA, 77, OUT);
  results.push(formatHex(arena.u8.subarray(OUT, OUT + mac.octets)));
}

const report = {
  backend: backend.name,
  legacy: String(library?.legacy),
  reason: libcryptoReason() ?? "",
  results: results.join(" "),
};
if ("postMessage" in self) (self as unknown as { postMessage(data: unknown): void }).postMessage(report);
else console.log(JSON.stringify(report));
