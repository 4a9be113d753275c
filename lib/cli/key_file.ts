/** Reading key files. @module */
import { keyFileComplaint, MAX_KEY_FILE_OCTETS, parseKeyText } from "../config/keys.ts";
import type { Bytes } from "../octets/bytes.ts";
import { CommandError } from "./command.ts";

/** The key in a file that nobody but its owner may read. @throws {CommandError} which never holds a digit of the key */
export function readKeyFile(path: string): Bytes {
  let text: string;
  try {
    using file = Deno.openSync(path);
    const { isFile, mode, size } = file.statSync();
    if (!isFile) throw new CommandError(`${path}: not a file`);
    const complaint = mode === null ? undefined : keyFileComplaint(mode);
    if (complaint) throw new CommandError(`${path}: ${complaint}`);
    if (size > MAX_KEY_FILE_OCTETS) {
      throw new CommandError(`${path}: ${size} octets: a key file has at most ${MAX_KEY_FILE_OCTETS}`);
    }
    const octets = new Uint8Array(MAX_KEY_FILE_OCTETS + 1);
    let length = 0;
    for (let count = file.readSync(octets); count; count = file.readSync(octets.subarray(length))) length += count;
    text = new TextDecoder().decode(octets.subarray(0, length));
    octets.fill(0);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    const reason = error instanceof Deno.errors.NotFound
      ? "no such file"
      : error instanceof Deno.errors.PermissionDenied
      ? "no permission to read it"
      : (error as Error).message;
    throw new CommandError(`${path || `""`}: ${reason}`);
  }
  try {
    return parseKeyText(text);
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new CommandError(`${path}: ${error.message.replace(/^Cannot parse hex: /, "")}`);
    }
    throw error;
  }
}
