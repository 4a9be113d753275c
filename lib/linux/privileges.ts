/**
 * Giving up what a daemon does not need once its sockets are open. Capabilities belong to threads: each of our threads
 * gives its own up; those of the runtime run none of our code, and what binds them too is the unit's
 * CapabilityBoundingSet.
 *
 * @module
 */
import { libc } from "../ffi/libc.ts";

/** linux/capability.h */
const CAPABILITIES = { NET_BIND_SERVICE: 10, NET_ADMIN: 12, NET_RAW: 13 } as const;
export type Capability = keyof typeof CAPABILITIES;

/** linux/prctl.h, linux/capability.h, asm-generic/resource.h */
const PR_SET_DUMPABLE = 4, PR_SET_NO_NEW_PRIVS = 38, CAPABILITY_VERSION_3 = 0x20080522, RLIMIT_CORE = 4;

/** Since this kernel NET_RAW is enough to mark packets (SO_MARK). */
const MARK_BY_NET_RAW = [5, 17];

/** Whether marking a new socket takes NET_ADMIN. */
export function markNeedsNetAdmin(release: string): boolean {
  const [major, minor] = release.split(".").map((part) => parseInt(part));
  return major < MARK_BY_NET_RAW[0] || (major === MARK_BY_NET_RAW[0] && minor < MARK_BY_NET_RAW[1]);
}

/** What a key management daemon that opens sockets as addresses come keeps. */
export function socketCapabilities(): Capability[] {
  const marks = markNeedsNetAdmin(Deno.osRelease()) ? ["NET_ADMIN"] as const : [];
  return ["NET_BIND_SERVICE", "NET_RAW", ...marks];
}

/**
 * Gives up this thread's capabilities but those of `keep` that it has.
 *
 * @returns whether the kernel took it
 */
export function keepCapabilities(keep: readonly Capability[]): boolean {
  const { capget, capset } = libc();
  const header = new Uint32Array([CAPABILITY_VERSION_3, 0]);
  // Two times effective, permitted, inheritable: of capabilities 0 to 31 and 32 to 63.
  const sets = new Uint32Array(6);
  if (capget(header, sets) < 0) return false;
  const mask = keep.reduce((bits, name) => bits | 1 << CAPABILITIES[name], 0) >>> 0;
  const kept = (sets[1] & mask) >>> 0;
  return capset(new Uint32Array([CAPABILITY_VERSION_3, 0]), new Uint32Array([kept, kept, 0, 0, 0, 0])) >= 0;
}

export interface Restraint {
  readonly keep: readonly Capability[];
  /** Whether it goes on starting programs (the engine: nft). */
  readonly startsPrograms: boolean;
}

/**
 * Restrains this process: no core files and no readers of its memory, files for nobody else, no programs with more rights,
 * and, for this thread, no capabilities but those to keep. What the kernel refuses stays as it was.
 */
export function restrain({ keep, startsPrograms }: Restraint): void {
  const { prctl, setrlimit } = libc();
  Deno.umask(0o077);
  setrlimit(RLIMIT_CORE, new BigUint64Array(2));
  prctl(PR_SET_DUMPABLE, 0n, 0n, 0n, 0n);
  prctl(PR_SET_NO_NEW_PRIVS, 1n, 0n, 0n, 0n);
  keepCapabilities(keep);
  if (!startsPrograms) Deno.permissions.revokeSync({ name: "run" });
}
