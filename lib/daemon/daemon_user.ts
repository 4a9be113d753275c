/**
 * The user as whom isakmpd and photurisd may run, and what root hands over to it. A system has it when sysusers.d made
 * it; without it nothing here does anything, and the daemons run as root with few capabilities.
 *
 * @module
 */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { check, cString, libc } from "../ffi/libc.ts";
import { findUser, type User } from "../linux/confine.ts";

export const DAEMON_USER = "_ipsecbox";

const GROUP_READS = 0o040, OTHERS_READ = 0o004, OTHERS_ENTER = 0o001, NOT_OWNER = 0o077;

/** The daemons' user, where the system has it. */
export function daemonUser(): User | undefined {
  try {
    return findUser(Deno.readTextFileSync("/etc/passwd"), DAEMON_USER);
  } catch {
    return undefined;
  }
}

/** The bits of a file's mode by which others than its owner get at it; the daemons' group may read. */
export function openToOthers({ mode, gid }: Pick<Deno.FileInfo, "mode" | "gid">): number {
  const others = (mode ?? 0) & NOT_OWNER;
  return others === GROUP_READS && gid === daemonUser()?.gid ? 0 : others;
}

/** What keeps others from reading a file: itself or a folder above it; undefined: nothing. */
function closedAt(path: string): string | undefined {
  if (!(Deno.statSync(path).mode! & OTHERS_READ)) return path;
  for (let folder = dirname(path); folder !== "/"; folder = dirname(folder)) {
    if (!(Deno.statSync(folder).mode! & OTHERS_ENTER)) return folder;
  }
  return undefined;
}

/** The files that the program consists of, of which the user must be able to begin anew. */
const ownFiles = () => Deno.build.standalone ? [Deno.execPath()] : [Deno.execPath(), fileURLToPath(Deno.mainModule)];

/**
 * Who a daemon that root has started becomes: the daemons' user, when the configuration says so by being that user's or
 * readable for its group.
 *
 * @returns nobody with a warning, when that user could not even read the program
 */
export function userFor(configuration: string): { user?: User; warning?: string } {
  const user = Deno.uid() === 0 ? daemonUser() : undefined;
  if (!user) return {};
  let info: Deno.FileInfo;
  try {
    info = Deno.statSync(configuration);
  } catch {
    return {}; // whoever reads it says why
  }
  const isTheirs = info.uid === user.uid || (info.gid === user.gid && (info.mode! & GROUP_READS) !== 0);
  if (!isTheirs) return {};
  const closed = ownFiles().map(closedAt).find((path) => path !== undefined);
  if (closed === undefined) return { user };
  return { warning: `runs as root, not as ${DAEMON_USER}, to whom ${closed} is closed` };
}

/**
 * Makes files and FIFOs, empty and mode 0600, that are `user`'s in directories that are not. What is there already is
 * replaced, but nothing other than files and FIFOs.
 */
export function handOver(
  { uid, gid }: User,
  { files, fifos }: { files: readonly string[]; fifos: readonly string[] },
): void {
  const clear = (path: string) => {
    try {
      const { isFile, isFifo } = Deno.lstatSync(path);
      if (isFile || isFifo) Deno.removeSync(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  };
  const isIn = (path: string) => existsDirectory(dirname(path));
  for (const path of files.filter(isIn)) {
    clear(path);
    Deno.writeTextFileSync(path, "", { mode: 0o600, createNew: true });
    Deno.chownSync(path, uid, gid);
  }
  for (const path of fifos.filter(isIn)) {
    clear(path);
    check(libc().mkfifo(cString(path), 0o600), `make the FIFO ${path}`);
    Deno.chownSync(path, uid, gid);
  }
}

function existsDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false; // whoever needs it says so
  }
}

/** Lets the daemons' user reach a socket of the engine, in a directory that it can enter. */
export function shareWithDaemons(socket: string, log: ((text: string) => void) | undefined): void {
  const user = daemonUser();
  if (!user) return;
  try {
    // The engine is in that group: who is not may not give a file to it without CHOWN.
    Deno.chownSync(socket, null, user.gid);
    Deno.chmodSync(socket, 0o660);
    Deno.chmodSync(dirname(socket), 0o711);
  } catch (error) {
    log?.(`${DAEMON_USER} cannot use ${socket}: ${(error as Error).message}`);
  }
}
