/** isakmpd's KeyNote directory: for each ID a folder with `credentials` and `private_key`. @module */
import { join } from "node:path";
import { formatId, type Identification } from "../isakmp/identification.ts";
import type { Bytes } from "../octets/bytes.ts";
import { PrivateFileError } from "./private_file.ts";

/** Our credentials for an ID, and the key that they license. */
export interface KeynoteFolder {
  /** The file `credentials`: assertions, the last of which licenses our key. */
  readonly credentials: Bytes;
  readonly privateKeyPath: string;
}

/** An ID as the name of a folder; undefined when it would lead elsewhere. */
export function idFolderName(id: Identification): string | undefined {
  const name = formatId(id);
  return /^[A-Za-z0-9@._:+-]{1,255}$/.test(name) && !/^\.+$/.test(name) ? name : undefined;
}

/** The folder of our own ID; undefined when there is none. @throws {PrivateFileError} when it cannot be read */
export function readKeynoteFolder(directory: string, id: Identification): KeynoteFolder | undefined {
  const name = idFolderName(id);
  if (!name) return undefined;
  try {
    const credentials = Deno.readFileSync(join(directory, name, "credentials"));
    return { credentials, privateKeyPath: join(directory, name, "private_key") };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw new PrivateFileError(`credentials of ${name}`, (error as Error).message, "read");
  }
}
