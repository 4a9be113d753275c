import { assert, assertEquals } from "@std/assert";
import { HASHES, type HashName } from "../../lib/crypto/hash.ts";
import { STATE_OCTETS } from "../../lib/crypto/libcrypto_hash.ts";
import { loadLibcrypto } from "../../lib/crypto/libcrypto.ts";
import { addressOf } from "../../lib/ffi/address.ts";

const ROOM = 512;

Deno.test("the state of each hash is as long as the table says, on this architecture", () => {
  const s = loadLibcrypto()!.symbols;
  type Init = (state: bigint) => number;
  type Update = (state: bigint, data: bigint, octets: bigint) => number;
  const functions = {
    md5: [s.MD5_Init, s.MD5_Update],
    sha1: [s.SHA1_Init, s.SHA1_Update],
    sha256: [s.SHA256_Init, s.SHA256_Update],
    sha384: [s.SHA384_Init, s.SHA512_Update],
    sha512: [s.SHA512_Init, s.SHA512_Update],
    ripemd160: [s.RIPEMD160_Init, s.RIPEMD160_Update],
  } as Record<HashName, [Init, Update]>;
  for (const [name, octets] of Object.entries(STATE_OCTETS) as [HashName, number][]) {
    const [init, update] = functions[name];
    const data = new Uint8Array(HASHES[name].blockOctets * 2 - 1).fill(7);
    /** What is left of a fill by a hash that has buffered all but one octet of a block. */
    const touched = (fill: number) => {
      const state = new Uint8Array(ROOM).fill(fill);
      init(addressOf(state));
      update(addressOf(state), addressOf(data), BigInt(data.length));
      return state;
    };
    const [a, b] = [touched(0xaa), touched(0x55)];
    assert(a.subarray(octets).every((octet) => octet === 0xaa), `${name} writes beyond ${octets} octets`);
    // The hash's length of output is its last word but for padding: what it writes reaches to the end of the state.
    const last = a.findLastIndex((octet, i) => octet !== 0xaa || b[i] !== 0x55);
    assertEquals(Math.ceil((last + 1) / 8) * 8, Math.ceil(octets / 8) * 8, name);
  }
});
