/** Files that nobody else may read: keys, configurations with pass-phrases, policies. @module */
import { openToOthers } from "./daemon_user.ts";

/** Why a file is not used. One line for people. */
export class PrivateFileError extends Error {
  override name = "PrivateFileError";
}

const SIZE_LIMIT = 16 << 20;

/**
 * The content of a regular file that group and others have no right to; the daemons' own group may read it.
 *
 * @param what words for the error: "configuration file"
 * @throws {PrivateFileError} when it is missing, something else, open to others, not ours, or too large
 */
export function readPrivateFile(path: string, what: string): Uint8Array<ArrayBuffer> {
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path, { read: true });
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound
      ? "it does not exist"
      : error instanceof Deno.errors.PermissionDenied
      ? "permission denied"
      : (error as Error).message;
    throw new PrivateFileError(`cannot read the ${what} ${path}: ${why}`);
  }
  using _ = { [Symbol.dispose]: () => file.close() };
  const info = file.statSync();
  const { isFile, mode, uid, size } = info;
  if (!isFile) throw new PrivateFileError(`cannot use the ${what} ${path}: it is no regular file`);
  if (openToOthers(info)) {
    throw new PrivateFileError(
      `cannot use the ${what} ${path}: mode ${(mode! & 0o777).toString(8).padStart(4, "0")} lets others at it, ` +
        `allowed 0600: chmod 600 ${path}`,
    );
  }
  const own = Deno.uid();
  if (uid !== null && own !== null && uid !== own && uid !== 0) {
    throw new PrivateFileError(`cannot use the ${what} ${path}: user ${uid} owns it, allowed ${own} or root`);
  }
  if (size > SIZE_LIMIT) {
    throw new PrivateFileError(`cannot use the ${what} ${path}: ${size} octets, at most ${SIZE_LIMIT}`);
  }
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
