/** Addresses of JavaScript memory, for C functions. @module */

/**
 * The address of the first octet of `memory`. It stays valid as long as the buffer lives and is not moved: of a
 * WebAssembly.Memory that cannot grow, or of a buffer that the caller keeps alive during the call.
 */
export function addressOf(memory: Uint8Array<ArrayBuffer>): bigint {
  return BigInt(Deno.UnsafePointer.value(Deno.UnsafePointer.of(memory)));
}
