/** The FIFO photuris.pipe at which requests come, and the answers to those who wait. @module */
import { join } from "node:path";
import { check, cString, libc } from "../ffi/libc.ts";

export const PIPE_NAME = "photuris.pipe";
/** Where startkey waits: a socket in the daemon's own directory, so that a request cannot send us elsewhere. */
export const ANSWER_NAME = /^startkey\.\d{1,10}\.[0-9a-f]{8}$/;
/** What a FIFO takes in one piece (PIPE_BUF). */
export const REQUEST_OCTETS = 4096;
const PIPE_MODE = 0o660;

/** Something is in the way of the FIFO. */
export class PipeError extends Error {
  override name = "PipeError";
}

export interface Pipe {
  close(): void;
}

/**
 * Makes the FIFO if it is missing and hands each request to `request`. One read is one request, as startkey of OpenBSD
 * writes them; those of ours end with their `answer` item, so that two in one read are told apart.
 *
 * @throws {PipeError} when something else has the name, or the FIFO cannot be made
 */
export function openPipe(directory: string, request: (text: string) => void): Pipe {
  const path = join(directory, PIPE_NAME);
  try {
    if (!Deno.lstatSync(path).isFifo) throw new PipeError(`${path} exists and is no FIFO`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    const before = libc().umask(0o007);
    try {
      check(libc().mkfifo(cString(path), PIPE_MODE), `make the FIFO ${path}`);
    } catch (error) {
      throw new PipeError((error as Error).message);
    } finally {
      libc().umask(before);
    }
  }
  // Open for writing, too: else the first writer that closes would be the end of the file.
  const file = Deno.openSync(path, { read: true, write: true });
  let isOpen = true;
  const read = async () => {
    const buffer = new Uint8Array(REQUEST_OCTETS);
    const decoder = new TextDecoder();
    while (isOpen) {
      const count = await file.read(buffer);
      if (!isOpen || count === null) return;
      for (const text of splitRequests(decoder.decode(buffer.subarray(0, count)))) request(text);
    }
  };
  read();
  return {
    close() {
      if (!isOpen) return;
      isOpen = false;
      file.writeSync(new Uint8Array([0x0a])); // lets the reader go, which waits in the kernel
    },
  };
}

/** The requests of one read. */
export function splitRequests(text: string): string[] {
  return text.replaceAll(/(\banswer=\S+)\s+/g, "$1\n").split("\n").map((part) => part.trim()).filter((part) =>
    part !== ""
  );
}

/** Tells a waiting startkey how it went; one that has gone away is not missed. */
export async function answer(directory: string, name: string, established: boolean, text: string): Promise<void> {
  if (!ANSWER_NAME.test(name)) return;
  try {
    const connection = await Deno.connect({ transport: "unix", path: join(directory, name) });
    await connection.write(new TextEncoder().encode(`${established ? "established" : "failed"} ${text}\n`));
    connection.close();
  } catch (error) {
    const isGone = [
      Deno.errors.NotFound,
      Deno.errors.ConnectionRefused,
      Deno.errors.BrokenPipe,
      Deno.errors.ConnectionReset,
    ]
      .some((kind) => error instanceof kind);
    if (!isGone) throw error;
  }
}
