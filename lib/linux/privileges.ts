/**
 * Giving up what a daemon does not need once its sockets are open. Capabilities belong to threads: each of our threads
 * gives its own up; what binds the runtime's threads too is confine.ts.
 *
 * @module
 */
import { libc } from "../ffi/libc.ts";
import { CAP_DATA, CAP_HEADER, RLIMIT } from "../ffi/structs.ts";

/** linux/capability.h */
export const CAPABILITIES = { DAC_READ_SEARCH: 2, NET_BIND_SERVICE: 10, NET_ADMIN: 12, NET_RAW: 13 } as const;
export type Capability = keyof typeof CAPABILITIES;

/** linux/prctl.h, linux/capability.h, asm-generic/resource.h */
export const PRIVILEGES = {
  PR_SET_DUMPABLE: 4,
  PR_SET_KEEPCAPS: 8,
  PR_CAPBSET_READ: 23,
  PR_CAPBSET_DROP: 24,
  PR_SET_NO_NEW_PRIVS: 38,
  PR_CAP_AMBIENT: 47,
  PR_CAP_AMBIENT_RAISE: 2,
  CAPABILITY_VERSION_3: 0x20080522,
  RLIMIT_CORE: 4,
} as const;

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
 * @param inheritable whether programs that it executes may have them
 * @returns whether the kernel took it
 */
export function setCapabilities(keep: readonly Capability[], { inheritable }: { inheritable: boolean }): boolean {
  const { capget, capset } = libc();
  // A call may write the version it knows into the header: each has its own.
  const header = () => {
    const words = new Uint32Array(CAP_HEADER.octets / 4);
    words[CAP_HEADER.at.version / 4] = PRIVILEGES.CAPABILITY_VERSION_3;
    return words;
  };
  const sets = new Uint32Array(2 * CAP_DATA.octets / 4);
  if (capget(header(), sets) < 0) return false;
  const mask = keep.reduce((bits, name) => bits | 1 << CAPABILITIES[name], 0) >>> 0;
  const kept = (sets[CAP_DATA.at.permitted / 4] & mask) >>> 0;
  sets.fill(0);
  for (const field of ["effective", "permitted", ...inheritable ? ["inheritable"] as const : []] as const) {
    sets[CAP_DATA.at[field] / 4] = kept;
  }
  return capset(header(), sets) >= 0;
}

/** The same, and programs that it executes have none. */
export const keepCapabilities = (keep: readonly Capability[]): boolean => setCapabilities(keep, { inheritable: false });

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
  setrlimit(PRIVILEGES.RLIMIT_CORE, new Uint8Array(RLIMIT.octets));
  prctl(PRIVILEGES.PR_SET_DUMPABLE, 0n, 0n, 0n, 0n);
  prctl(PRIVILEGES.PR_SET_NO_NEW_PRIVS, 1n, 0n, 0n, 0n);
  keepCapabilities(keep);
  if (!startsPrograms) Deno.permissions.revokeSync({ name: "run" });
}
