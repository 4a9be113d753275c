/** The fixed memory in which packets live. @module */

/**
 * One `WebAssembly.Memory` that never grows, so that its address never moves: packets, message headers and I/O vectors
 * all lie in it, C functions get plain addresses (`base + offset`) and JavaScript reads the same octets through typed
 * arrays. Offsets are octets from the start of the arena.
 */
export interface Arena {
  readonly memory: WebAssembly.Memory;
  readonly u8: Uint8Array;
  readonly view: DataView;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  /** Address of offset 0; 0n where there is no FFI. */
  readonly base: bigint;
  /** The same as a number, for writing pointers into C structures. */
  readonly baseNumber: number;
  /** Reserves zeroed octets for good. @throws {RangeError} when the arena is full. */
  reserve(octets: number, align?: number): number;
}

const PAGE_OCTETS = 65536;

/**
 * An arena of `octets` octets, rounded up to whole pages. `addressOf` gives the address of memory (lib/ffi has one);
 * without it the arena works for everything but FFI calls.
 */
export function createArena(octets: number, addressOf?: (memory: Uint8Array<ArrayBuffer>) => bigint): Arena {
  const pages = Math.ceil(octets / PAGE_OCTETS);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const buffer = memory.buffer as ArrayBuffer;
  const u8 = new Uint8Array(buffer);
  const base = addressOf ? addressOf(u8) : 0n;
  let used = 64; // offset 0 stays unused, so that 0 can mean "none"
  return {
    memory,
    u8,
    view: new DataView(buffer),
    u32: new Uint32Array(buffer),
    i32: new Int32Array(buffer),
    base,
    baseNumber: Number(base),
    reserve(wanted: number, align = 64): number {
      const at = Math.ceil(used / align) * align;
      if (at + wanted > buffer.byteLength) {
        throw new RangeError(`Cannot reserve ${wanted} octets: ${buffer.byteLength - at} left in the arena`);
      }
      used = at + wanted;
      return at;
    },
  };
}
