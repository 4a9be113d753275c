/**
 * Confining a whole process. Capabilities belong to threads, and the runtime's threads are there before any line of ours
 * runs, so a daemon that has too much narrows what its main thread may have and then executes itself again: of the new
 * image every thread, also the runtime's, is born with what was left. The process id, standard streams, environment and
 * arguments stay.
 *
 * @module
 */
import { check, cString, libc } from "../ffi/libc.ts";
import { addressOf } from "../ffi/address.ts";
import { CAPABILITIES, type Capability, PRIVILEGES, setCapabilities } from "./privileges.ts";

const {
  PR_SET_KEEPCAPS,
  PR_CAPBSET_READ,
  PR_CAPBSET_DROP,
  PR_SET_NO_NEW_PRIVS,
  PR_CAP_AMBIENT,
  PR_CAP_AMBIENT_RAISE,
} = PRIVILEGES;
/** More than any kernel has; PR_CAPBSET_READ tells which exist. */
const MOST_CAPABILITIES = 64;
/** Set in the image executed again, so that a kernel that refuses cannot make it go round for ever. */
const MARK = "IPSECBOX_CONFINED";

/** A user of /etc/passwd. */
export interface User {
  readonly uid: number;
  readonly gid: number;
}

export interface Confinement {
  readonly keep: readonly Capability[];
  /** Who it becomes; absent: it stays who it is. */
  readonly user?: User;
  /** What the program that begins anew finds in its environment. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Groups it is in besides its own; absent: they stay. */
  readonly groups?: readonly number[];
}

/** The row of a user in the text of /etc/passwd. */
export function findUser(passwd: string, name: string): User | undefined {
  for (const line of passwd.split("\n")) {
    const [user, , uid, gid] = line.split(":");
    if (user === name && /^\d+$/.test(uid) && /^\d+$/.test(gid)) return { uid: Number(uid), gid: Number(gid) };
  }
  return undefined;
}

/** Capabilities of the bounding set that are not to be kept, by number. */
function excess(keep: readonly Capability[]): number[] {
  const { prctl } = libc();
  const kept = new Set<number>(keep.map((name) => CAPABILITIES[name]));
  return Array.from({ length: MOST_CAPABILITIES }, (_, number) => number).filter((number) =>
    !kept.has(number) && prctl(PR_CAPBSET_READ, BigInt(number), 0n, 0n, 0n) === 1
  );
}

/** A list of strings as execve takes it: addresses of NUL-terminated octets, then a null. */
function vector(octets: Uint8Array<ArrayBuffer>): BigUint64Array<ArrayBuffer> {
  const base = addressOf(octets);
  const starts: bigint[] = [];
  for (let at = 0; at < octets.length; at = octets.indexOf(0, at) + 1) starts.push(base + BigInt(at));
  return new BigUint64Array([...starts, 0n]);
}

const terminated = (octets: Uint8Array): Uint8Array<ArrayBuffer> =>
  octets.length && octets.at(-1) !== 0 ? new Uint8Array([...octets, 0]) : new Uint8Array(octets);

/**
 * Gets ready to execute this program again with the same arguments, and `more` and MARK in its environment; another user
 * could not even read those.
 *
 * @returns what executes it, and throws a SystemError where it cannot
 */
function againWith(more: Readonly<Record<string, string>>): () => never {
  const args = terminated(Deno.readFileSync("/proc/self/cmdline"));
  const added = Object.entries({ ...more, [MARK]: "1" }).flatMap(([name, value]) => [...cString(`${name}=${value}`)]);
  const environment = new Uint8Array([...terminated(Deno.readFileSync("/proc/self/environ")), ...added]);
  const octets = (list: BigUint64Array<ArrayBuffer>) => new Uint8Array(list.buffer);
  const path = Deno.execPath();
  return () => {
    // The lists hold addresses alone; this function holds what they lead to.
    check(libc().execve(cString(path), octets(vector(args)), octets(vector(environment))), `execute ${path} again`);
    throw new Error(`Cannot execute ${path} again`);
  };
}

/**
 * Leaves this process and all of its threads nothing but `keep`, and makes it `user`'s. Where something has to be given
 * up for that, the call does not come back: the program begins anew, and the same call then finds nothing left to do. To
 * be called before anything is opened or written. Who is not root has nothing to give up.
 *
 * @throws {SystemError} when it cannot become the user or leave its groups; what else the kernel refuses stays as it was
 */
export function confine({ keep, user, groups, environment = {} }: Confinement): void {
  const isAgain = Deno.env.get(MARK) !== undefined;
  if (isAgain) Deno.env.delete(MARK);
  if (isAgain || Deno.uid() !== 0) return;
  const { prctl, setgroups, setresgid, setresuid } = libc();
  const dropped = excess(keep).filter((number) => prctl(PR_CAPBSET_DROP, BigInt(number), 0n, 0n, 0n) === 0);
  if (dropped.length === 0 && !user) return;
  const executeAgain = againWith(environment);
  const inGroups = groups ? setgroups(BigInt(groups.length), new Uint8Array(new Uint32Array(groups).buffer)) : 0;
  if (user) {
    // Who stays root misses groups where they are needed; who is nobody must not have root's.
    check(inGroups, `leave root's groups to become user ${user.uid}`);
    prctl(PR_SET_KEEPCAPS, 1n, 0n, 0n, 0n);
    check(setresgid(user.gid, user.gid, user.gid), `become group ${user.gid}`);
    check(setresuid(user.uid, user.uid, user.uid), `become user ${user.uid}`);
    // Without these, who is not root has no capabilities after execve.
    setCapabilities(keep, { inheritable: true });
    for (const name of keep) prctl(PR_CAP_AMBIENT, BigInt(PR_CAP_AMBIENT_RAISE), BigInt(CAPABILITIES[name]), 0n, 0n);
  }
  prctl(PR_SET_NO_NEW_PRIVS, 1n, 0n, 0n, 0n);
  executeAgain();
}
