/** GHASH (NIST SP 800-38D 6.4), for the one key length whose GCM node:crypto in Deno lacks. @module */

/** Reduction of the four bits that a right shift pushes out, at the top 16 bits of the number. */
const REDUCTION = Uint16Array.from({ length: 16 }, (_, bits) => {
  let value = 0;
  for (let i = 0; i < 4; i++) if (bits >> i & 1) value ^= 0x1c20 << i;
  return value;
});

/** GHASH under one hash key H. Numbers of GF(2^128) are four int32, most significant (lowest power of x) first. */
export class Ghash {
  /** H times each four-bit number. */
  readonly #table = new Int32Array(64);
  readonly #state = new Int32Array(4);
  readonly #block = new Uint8Array(16);
  readonly #view = new DataView(this.#block.buffer);

  constructor(hashKey: Uint8Array) {
    const table = this.#table, view = new DataView(hashKey.buffer, hashKey.byteOffset);
    for (let i = 0; i < 4; i++) table[4 * 8 + i] = view.getInt32(4 * i); // index 8 is the number 1
    for (let index = 8; index > 1; index >>= 1) { // times x
      const from = 4 * index, to = 2 * index, out = table[from + 3] & 1;
      for (let i = 3; i > 0; i--) table[to + i] = table[from + i] >>> 1 | table[from + i - 1] << 31;
      table[to] = table[from] >>> 1 ^ (out ? 0xe1000000 : 0);
    }
    for (let index = 2; index < 16; index <<= 1) {
      for (let low = 1; low < index; low++) {
        for (let i = 0; i < 4; i++) table[4 * (index + low) + i] = table[4 * index + i] ^ table[4 * low + i];
      }
    }
  }

  begin(): void {
    this.#state.fill(0);
  }

  /** Adds octets, filled up with zeros to whole blocks. */
  update(octets: Uint8Array): void {
    for (let at = 0; at < octets.length; at += 16) {
      this.#block.fill(0);
      this.#block.set(octets.subarray(at, at + 16));
      this.#absorb();
    }
  }

  /** Adds the lengths and gives the value; it is overwritten by the next call. */
  finish(aadOctets: number, dataOctets: number): Uint8Array {
    this.#view.setBigUint64(0, BigInt(8 * aadOctets));
    this.#view.setBigUint64(8, BigInt(8 * dataOctets));
    this.#absorb();
    for (let i = 0; i < 4; i++) this.#view.setInt32(4 * i, this.#state[i]);
    return this.#block;
  }

  /** state = (state + block) times H, from the highest power of x down, four bits at a time. */
  #absorb(): void {
    const table = this.#table, state = this.#state, block = this.#block, view = this.#view;
    for (let i = 0; i < 4; i++) view.setInt32(4 * i, view.getInt32(4 * i) ^ state[i]);
    let a = 0, b = 0, c = 0, d = 0;
    for (let nibble = 31; nibble >= 0; nibble--) {
      if (nibble < 31) {
        const out = d & 15;
        d = d >>> 4 | c << 28;
        c = c >>> 4 | b << 28;
        b = b >>> 4 | a << 28;
        a = a >>> 4 ^ REDUCTION[out] << 16;
      }
      const at = 4 * (nibble & 1 ? block[nibble >> 1] & 15 : block[nibble >> 1] >> 4);
      a ^= table[at];
      b ^= table[at + 1];
      c ^= table[at + 2];
      d ^= table[at + 3];
    }
    state[0] = a;
    state[1] = b;
    state[2] = c;
    state[3] = d;
  }

  erase(): void {
    this.#table.fill(0);
    this.#state.fill(0);
  }
}
