/** Files that nobody else may read: keys, configurations with pass-phrases, policies. @module */
import { openToOthers } from "./daemon_user.ts";

/** Why a file is not used. One line for people. */
export class PrivateFileError extends Error {
  override name = "PrivateFileError";
  /** @param why the words alone, for whoever names the file otherwise */
  constructor(file: string, readonly why: string, verb: "read" | "use" = "use") {
    super(`cannot ${verb} the ${file}: ${why}`);
  }
}

/** The file is not there. */
export class MissingFileError extends PrivateFileError {
  constructor(file: string) {
    super(file, "it does not exist", "read");
  }
}

const SIZE_LIMIT = 16 << 20;

export interface PrivateFileOptions {
  /** User id to whom it may belong besides root; absent: this process's own. */
  readonly owner?: number | null;
  /** Whether the path may be a symbolic link; absent: it may. */
  readonly isLinkAllowed?: boolean;
}

/**
 * The content of a regular file that group and others have no right to; the daemons' own group may read it.
 *
 * @param what words for the error: "configuration file"
 * @throws {MissingFileError} {PrivateFileError} when it is something else, open to others, not ours, or too large
 */
export function readPrivateFile(
  path: string,
  what: string,
  { owner = Deno.uid(), isLinkAllowed = true }: PrivateFileOptions = {},
): Uint8Array<ArrayBuffer> {
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path, { read: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new MissingFileError(`${what} ${path}`);
    const why = error instanceof Deno.errors.PermissionDenied ? "permission denied" : (error as Error).message;
    throw new PrivateFileError(`${what} ${path}`, why, "read");
  }
  using _ = { [Symbol.dispose]: () => file.close() };
  const refuse = (why: string): never => {
    throw new PrivateFileError(`${what} ${path}`, why);
  };
  const info = file.statSync();
  const { isFile, mode, uid, size, ino } = info;
  if (!isLinkAllowed) {
    const named = Deno.lstatSync(path);
    if (named.isSymlink) refuse("it is a symbolic link, allowed a regular file");
    if (named.ino !== ino) refuse("another file has taken its place");
  }
  if (!isFile) refuse("it is no regular file");
  if (openToOthers(info)) {
    const octal = (mode! & 0o777).toString(8).padStart(4, "0");
    refuse(`mode ${octal} lets others at it, allowed 0600: chmod 600 ${path}`);
  }
  if (uid !== null && owner !== null && uid !== owner && uid !== 0) {
    refuse(`user ${uid} owns it, allowed ${owner ? `${owner} or ` : ""}root`);
  }
  if (size > SIZE_LIMIT) refuse(`${size} octets, at most ${SIZE_LIMIT}`);
  const octets = new Uint8Array(size);
  let at = 0;
  while (at < size) {
    const count = file.readSync(octets.subarray(at));
    if (count === null) break;
    at += count;
  }
  return octets.subarray(0, at);
}

/**
 * Writes a file, mode 0600, in place of what was there: a link that somebody left is not followed. Where no file may be
 * made, one that was handed over to us is written anew.
 */
export function replacePrivateFile(path: string, text: string): void {
  const fresh = `${path}.${Deno.pid}`;
  try {
    Deno.writeTextFileSync(fresh, text, { mode: 0o600, createNew: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.PermissionDenied) || !isOwnFile(path)) throw error;
    return Deno.writeTextFileSync(path, text, { create: false });
  }
  Deno.renameSync(fresh, path);
}

function isOwnFile(path: string): boolean {
  try {
    const { isFile, uid } = Deno.lstatSync(path);
    return isFile && uid === Deno.uid();
  } catch {
    return false;
  }
}
