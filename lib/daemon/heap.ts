/** Cleaning up behind a burst of requests: V8 does so by itself only when more is to come. @module */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { libc } from "../ffi/libc.ts";

let collect: (() => void) | undefined;

/** Collects all garbage of this thread's isolate, now; some milliseconds for each 10 MB that live. */
export function collectGarbage(): void {
  if (!collect) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as () => void;
  }
  collect();
}

/** Gives memory that C's allocator holds free back to the system, where the C library can do that. */
export function returnFreeMemory(): void {
  libc().malloc_trim?.(0n);
}
