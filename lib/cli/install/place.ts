/** Puts files in place, remembers which, and takes exactly those away. @module */
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { CommandError } from "../command.ts";
import type { Item } from "./plan.ts";

/** A row of the manifest: what is at `path`, and how to tell that nobody has changed it. */
interface Row {
  readonly kind: "file" | "link" | "directory";
  /** SHA-256 of a file, target of a link, "-" of a directory. */
  readonly mark: string;
  readonly path: string;
}

const digest = (octets: Uint8Array) => createHash("sha256").update(octets).digest("hex");

function readOr<T>(read: () => T, missing: T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return missing;
    throw error;
  }
}

/** What is at a path now, as a manifest's row would have it; undefined: nothing. */
function present(root: string, path: string): Row | undefined {
  const at = join(root, path);
  const info = readOr(() => Deno.lstatSync(at), undefined);
  if (!info) return undefined;
  if (info.isSymlink) return { kind: "link", mark: Deno.readLinkSync(at), path };
  if (info.isDirectory) return { kind: "directory", mark: "-", path };
  return { kind: "file", mark: digest(Deno.readFileSync(at)), path };
}

const same = (a: Row | undefined, b: Row) => a?.kind === b.kind && a.mark === b.mark;

function parseManifest(text: string): Row[] {
  return text.split("\n").flatMap((line) => {
    const match = /^(file|link|directory) (\S+) (\/.*)$/.exec(line);
    return match ? [{ kind: match[1] as Row["kind"], mark: match[2], path: match[3] }] : [];
  });
}

/** Makes missing directories, and answers them, the outermost first. */
function makeDirectories(root: string, path: string): Row[] {
  const missing: Row[] = [];
  for (let each = dirname(path); each !== "/" && !readOr(() => Deno.statSync(join(root, each)), undefined);) {
    missing.unshift({ kind: "directory", mark: "-", path: each });
    each = dirname(each);
  }
  for (const { path } of missing) {
    Deno.mkdirSync(join(root, path), { recursive: true });
    Deno.chmodSync(join(root, path), 0o755);
  }
  return missing;
}

/** Writes beside and renames, so that a program that runs is replaced and never half there. */
function write(at: string, octets: Uint8Array, mode: number): void {
  const fresh = `${at}.${Deno.pid}`;
  try {
    Deno.writeFileSync(fresh, octets, { mode: 0o600, createNew: true });
    Deno.chmodSync(fresh, mode);
    Deno.renameSync(fresh, at);
  } catch (error) {
    readOr(() => Deno.removeSync(fresh), undefined);
    throw error;
  }
}

export interface PlaceOptions {
  /** Comes before every path; "/" for this system. */
  readonly root: string;
  /** The single file that becomes the program. */
  readonly program: string;
  readonly manifest: string;
  /** Replace what is there and not ours. */
  readonly force: boolean;
}

/**
 * Puts all items in place; what an earlier installation had and this one has not is taken away.
 *
 * @returns the paths written
 * @throws {CommandError} before anything is changed, when something that is not ours is in the way
 */
export function putInPlace(items: readonly Item[], { root, program, manifest, force }: PlaceOptions): string[] {
  const octets = Deno.readFileSync(program);
  const contents = new Map<Item, Uint8Array>(
    items.map((item) => [item, item.kind === "file" ? new TextEncoder().encode(item.text) : octets]),
  );
  const rowOf = (item: Item): Row => {
    if (item.kind === "directory") return { kind: "directory", mark: "-", path: item.path };
    if (item.kind === "link") return { kind: "link", mark: item.target, path: item.path };
    return { kind: "file", mark: digest(contents.get(item)!), path: item.path };
  };
  const before = parseManifest(readOr(() => Deno.readTextFileSync(join(root, manifest)), ""));
  const rows = new Map(before.map((row) => [row.path, row]));
  const wanted = items.map((item) => ({ item, row: rowOf(item) }));
  for (const { row } of wanted) {
    const there = present(root, row.path);
    if (!there || same(there, row)) continue;
    if (there.kind === "directory") throw new CommandError(`${row.path} is a directory`);
    const own = rows.get(row.path);
    if (force || (own && same(there, own))) continue;
    throw new CommandError(`${row.path} is there already and not ours (--force replaces it)`);
  }
  const made: Row[] = [];
  const written: string[] = [];
  for (const { item, row } of wanted) {
    made.push(...makeDirectories(root, row.path));
    const at = join(root, row.path);
    const there = present(root, row.path);
    if (item.kind === "directory") {
      if (there) {
        if (rows.has(row.path)) made.push(row);
        continue;
      }
      Deno.mkdirSync(at);
      Deno.chmodSync(at, item.mode);
    } else if (item.kind === "link") {
      if (!same(there, row)) {
        if (there) Deno.removeSync(at);
        Deno.symlinkSync(item.target, at);
      }
    } else if (same(there, row)) Deno.chmodSync(at, item.mode);
    else write(at, contents.get(item)!, item.mode);
    made.push(row);
    written.push(row.path);
  }
  const kept = new Set(made.map(({ path }) => path));
  const stale = before.filter(({ path }) => !kept.has(path));
  const remaining = takeAway(root, stale.filter(({ kind }) => kind !== "directory"));
  // Directories that an earlier installation made are still ours to remove.
  const directories = stale.filter(({ kind }) => kind === "directory");
  made.push(...makeDirectories(root, manifest));
  // Directories first and the outer before the inner: what is taken away goes from the end.
  const all = [...directories, ...remaining, ...made].sort((a, b) =>
    Number(a.kind !== "directory") - Number(b.kind !== "directory") || (a.path < b.path ? -1 : 1)
  );
  const lines = all.map(({ kind, mark, path }) => `${kind} ${mark} ${path}\n`);
  write(join(root, manifest), new TextEncoder().encode(lines.join("")), 0o644);
  return written;
}

/** Removes what is as it was installed, the last first. @returns the rows that somebody has changed */
function takeAway(root: string, rows: readonly Row[]): Row[] {
  const changed: Row[] = [];
  for (const row of rows.toReversed()) {
    const there = present(root, row.path);
    if (!there) continue;
    if (!same(there, row)) changed.push(row);
    else if (row.kind !== "directory") Deno.removeSync(join(root, row.path));
    else if ([...Deno.readDirSync(join(root, row.path))].length === 0) Deno.removeSync(join(root, row.path));
  }
  return changed;
}

/**
 * Takes away what the manifest lists, and the manifest; directories only when nothing else is in them.
 *
 * @returns paths that stay because somebody has changed them
 * @throws {CommandError} when there is no manifest
 */
export function takeAllAway(root: string, manifest: string): string[] {
  const text = readOr(() => Deno.readTextFileSync(join(root, manifest)), undefined);
  if (text === undefined) throw new CommandError(`nothing is installed: there is no ${join(root, manifest)}`);
  Deno.removeSync(join(root, manifest));
  return takeAway(root, parseManifest(text)).map(({ path }) => path);
}
