/** The control FIFO: a named pipe that only its owner can write, read line by line. @module */
import { ERRNO } from "../ffi/errno.ts";
import { check, cString, errno, libc } from "../ffi/libc.ts";

/** Why the FIFO cannot be made; the daemon does not start. */
export class FifoError extends Error {
  override name = "FifoError";
}

/** A line longer than this is no command. */
const LINE_LIMIT = 8192;

/** A source of command lines. */
export interface CommandSource {
  /** Calls `line` for each line until closed. */
  run(line: (text: string) => void): Promise<void>;
  /** Ends `run` and removes the FIFO. */
  close(): void;
}

/** Ends the reading of a FIFO that was closed. */
const CLOSED = new Error("closed");

async function readLines(readable: ReadableStream<Uint8Array>, line: (text: string) => void): Promise<void> {
  let pending = "";
  let skipping = false;
  for await (const text of readable.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)) {
    const pieces = (pending + text).split("\n");
    pending = pieces.pop()!;
    for (const piece of pieces) {
      if (!skipping && piece.length <= LINE_LIMIT) line(piece.replace(/\r$/, ""));
      skipping = false;
    }
    if (pending.length > LINE_LIMIT) [pending, skipping] = ["", true];
  }
}

/** Commands from standard input (`-f -`). */
export function stdinSource(): CommandSource {
  return { run: (line) => readLines(Deno.stdin.readable, line), close: () => {} };
}

/** Removes an old FIFO; false: it was handed over to us in a directory that is not ours, and stays. */
function removed(path: string, { uid, mode }: Deno.FileInfo): boolean {
  try {
    Deno.removeSync(path);
    return true;
  } catch (error) {
    const isOurs = uid === Deno.uid() && (mode! & 0o777) === 0o600;
    if (error instanceof Deno.errors.PermissionDenied && isOurs) return false;
    throw error;
  }
}

/**
 * Makes the FIFO, mode 0600. One that an earlier daemon left is replaced.
 *
 * @throws {FifoError} when the path is something else than a FIFO, or cannot be made
 */
export function openFifo(path: string): CommandSource {
  try {
    const old = Deno.lstatSync(path);
    if (!old.isFifo) {
      const kind = old.isFile
        ? "a regular file"
        : old.isDirectory
        ? "a directory"
        : old.isSymlink
        ? "a link"
        : "no FIFO";
      throw new FifoError(`${path}: found ${kind}, allowed a FIFO or nothing`);
    }
    if (!removed(path, old)) return reader(path);
  } catch (error) {
    if (error instanceof FifoError) throw error;
    if (!(error instanceof Deno.errors.NotFound)) throw new FifoError(`${path}: ${(error as Error).message}`);
  }
  const before = libc().umask(0o077);
  const made = libc().mkfifo(cString(path), 0o600);
  const failure = made < 0 ? errno() : 0;
  libc().umask(before);
  if (failure === ERRNO.ENOENT) throw new FifoError(`${path}: its directory does not exist`);
  if (failure) {
    try {
      check(made, `make the FIFO ${path}`);
    } catch (error) {
      throw new FifoError((error as Error).message);
    }
  }
  return reader(path);
}

function reader(path: string): CommandSource {
  // Open for writing too: else the first writer that closes would be the end of the file.
  const file = Deno.openSync(path, { read: true, write: true });
  let open = true;
  return {
    async run(line) {
      try {
        await readLines(file.readable, (text) => {
          if (!open) throw CLOSED;
          line(text);
        });
      } catch (error) {
        if (error !== CLOSED) throw error;
      }
    },
    close() {
      if (!open) return;
      open = false;
      // The reader waits in the kernel; an octet lets it go.
      try {
        Deno.writeFileSync(path, new Uint8Array([0x0a]), { create: false });
        Deno.removeSync(path);
      } catch {
        // Somebody else removed it: then the process's end is the reader's.
      }
    },
  };
}
