/** The files of `ipsecbox dump --keys`: ipsecadm's lines, and Wireshark's tables. @module */
import { join } from "node:path";
import type { KnownSas } from "../../dump/secured.ts";
import { parseEspRow, parseIkeSecret } from "../../dump/wireshark.ts";
import { keyFileComplaint } from "../../config/keys.ts";
import type { Bytes } from "../../octets/bytes.ts";
import { readSa } from "../../pfkey/sa_message.ts";
import { PfkeyError } from "../../pfkey/numbers.ts";
import { CommandError } from "../command.ts";
import { systemContext } from "../ipsecadm.ts";
import { parseBatch } from "../ipsecadm/batch.ts";

const TABLES = ["esp_sa", "ikev1_decryption_table"];
/** Keys from files. */
export class KeyFiles {
  readonly #paths: readonly string[];
  readonly #ike = new Map<string, Bytes>();
  /** Path -> size and time of change when it was read. */
  readonly #read = new Map<string, string>();

  /**
   * Reads the files, or both tables of a directory that `isakmpd -W` writes.
   *
   * @throws {CommandError} file:line and what is wrong there; never a digit of a key
   */
  constructor(path: string, readonly sas: KnownSas) {
    this.#paths = isDirectory(path) ? TABLES.map((name) => join(path, name)).filter(exists) : [path];
    if (!this.#paths.length) throw new CommandError(`${path}: neither ${TABLES.join(" nor ")} is there`);
    for (const file of this.#paths) this.#readFile(file);
  }

  /** The encryption key of a phase 1 SA; the files are read again when they do not have it yet. */
  ikeKey(initiatorCookie: string): Bytes | undefined {
    if (!this.#ike.has(initiatorCookie)) this.readAgain();
    return this.#ike.get(initiatorCookie);
  }

  /** Reads files that have changed: a daemon may have added keys. What cannot be read now is left for the next time. */
  readAgain(): void {
    for (const path of this.#paths) {
      try {
        if (this.#read.get(path) !== stampOf(path)) this.#readFile(path);
      } catch (error) {
        if (!(error instanceof CommandError)) throw error;
      }
    }
  }

  #readFile(path: string): void {
    const stamp = stampOf(path);
    const text = readPrivate(path);
    const commands: string[] = [];
    text.split("\n").forEach((row, i) => {
      const line = row.trim();
      try {
        if (line.startsWith('"')) this.sas.add(parseEspRow(line));
        else if (/^[0-9a-fA-F]{16}\s*,/.test(line)) {
          const { initiatorCookie, encryptionKey } = parseIkeSecret(line);
          this.#ike.set(initiatorCookie, encryptionKey);
        } else {
          commands[i] = row;
          return;
        }
      } catch (error) {
        if (!(error instanceof SyntaxError || error instanceof RangeError)) throw error;
        throw new CommandError(`${path}:${i + 1}: ${error.message}`);
      }
      commands[i] = "";
    });
    this.#addCommands(commands.join("\n"), path);
    this.#read.set(path, stamp);
  }

  /** Lines of ipsecadm: the SAs that they would make. Flows and the rest do not matter here. */
  #addCommands(text: string, path: string): void {
    const { orders, complaints } = parseBatch(text, path, systemContext());
    if (complaints.length) throw new CommandError(complaints.join("\ndump: "));
    for (const { order, place } of orders) {
      if (order.type !== "ADD" || order.satype === "IPIP") continue;
      try {
        this.sas.add(readSa(order.satype, order.extensions));
      } catch (error) {
        if (!(error instanceof PfkeyError || error instanceof RangeError)) throw error;
        throw new CommandError(`${place}: ${error.message}`);
      }
    }
  }
}

function stampOf(path: string): string {
  try {
    const { size, mtime } = Deno.statSync(path);
    return `${size} ${mtime?.getTime()}`;
  } catch (error) {
    throw new CommandError(`${path}: ${(error as Error).message}`);
  }
}

function isDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch (error) {
    throw new CommandError(`--keys ${path}: ${(error as Error).message}`);
  }
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function readPrivate(path: string): string {
  try {
    const { mode } = Deno.statSync(path);
    const complaint = mode === null ? undefined : keyFileComplaint(mode);
    if (complaint) throw new CommandError(`${path}: ${complaint}`);
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(`${path}: ${(error as Error).message}`);
  }
}
