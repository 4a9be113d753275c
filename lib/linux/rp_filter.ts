/** Reverse-path filters that would drop packets of flows, loosened for as long as the flows are there. @module */
import { join } from "node:path";
import { interfaceSetting, readSysctl, tryWriteSysctl } from "./sysctl.ts";

const SETTING = "rp_filter";
const STRICT = "1";
const LOOSE = "2";

const setting = (interfaceName: string) => interfaceSetting(4, interfaceName, SETTING);

/** The file in the run directory that remembers, over a crash too, what the filters were. */
const FILE_NAME = "rp_filter.json";

/**
 * Loosens filters and remembers what they were. A host-to-host flow routes its peer into the engine's interface, so the
 * kernel, which asks its routes where the peer's (ESP and IKE) packets should come from, finds them on a link that it
 * would not use itself; strict filtering drops them, loose filtering does not.
 */
export class ReversePathFilters {
  readonly #file: string;
  /** Interface -> its value before. */
  readonly #before = new Map<string, string>();

  constructor(runFolder: string) {
    this.#file = join(runFolder, FILE_NAME);
  }

  /**
   * Loosens the filters of these interfaces where they are strict, and restores those of others.
   *
   * @returns interfaces whose filter is strict and cannot be changed (/proc/sys is read-only)
   */
  set(interfaces: ReadonlySet<string>): string[] {
    for (const name of [...this.#before.keys()]) if (!interfaces.has(name)) this.#restore(name);
    const refused: string[] = [];
    const strictEverywhere = readSysctl(setting("all")) === STRICT;
    for (const name of interfaces) {
      if (this.#before.has(name)) continue;
      const value = readSysctl(setting(name));
      // The stricter of "all" and the interface's own counts, as numbers: loose (2) on one interface wins.
      if (value === undefined || value === LOOSE || (value !== STRICT && !strictEverywhere)) continue;
      this.#before.set(name, value);
      this.#write();
      if (tryWriteSysctl(setting(name), LOOSE)) continue;
      this.#before.delete(name);
      this.#write();
      refused.push(name);
    }
    return refused;
  }

  /** Restores what an engine that crashed has left loosened. */
  restoreLeftovers(): void {
    let left: unknown;
    try {
      left = JSON.parse(Deno.readTextFileSync(this.#file));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      if (!(error instanceof SyntaxError)) throw error;
    }
    for (const [name, value] of Object.entries(left ?? {})) {
      if (value === "0" || value === STRICT) this.#before.set(name, value);
    }
    this.close();
  }

  #restore(name: string): void {
    // Someone who has changed it meanwhile knows why.
    if (readSysctl(setting(name)) === LOOSE) tryWriteSysctl(setting(name), this.#before.get(name)!);
    this.#before.delete(name);
    this.#write();
  }

  #write(): void {
    if (this.#before.size) Deno.writeTextFileSync(this.#file, JSON.stringify(Object.fromEntries(this.#before)) + "\n");
    else removeFile(this.#file);
  }

  /** Restores all. */
  close(): void {
    for (const name of [...this.#before.keys()]) this.#restore(name);
    removeFile(this.#file);
  }
}

function removeFile(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
