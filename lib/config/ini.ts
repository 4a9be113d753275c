/**
 * The grammar of isakmpd.conf: sections, `tag=value` lines, comments and continued lines. Knows nothing of what the tags
 * mean. Values stay strings (a pass-phrase `0123` is not 123) and carry the file and line they stand at.
 *
 * @module
 */

/** Where something was read. `file` is `fifo` for what `C set` put in. */
export interface Place {
  readonly file: string;
  /** From 1; 0 where there are no lines. */
  readonly line: number;
}

/** One value. */
export interface Value extends Place {
  /** The section's name as written. */
  readonly section: string;
  /** The tag as written. */
  readonly tag: string;
  readonly text: string;
}

/** A section: all pieces of that name put together. */
export interface Section extends Place {
  readonly name: string;
  /** By lower-case tag. */
  readonly values: Map<string, Value>;
}

/** A file's sections by lower-case name, in the order of the file. */
export type Tree = Map<string, Section>;

/** Something wrong with a file: an `error` keeps the file from being used, a `warning` is about what is ignored. */
export interface Fault extends Place {
  readonly severity: "error" | "warning";
  /** Section and tag, where the fault has them. */
  readonly section?: string;
  readonly tag?: string;
  readonly message: string;
  /** Faults with the same message have one cause. */
  readonly once?: true;
}

/** `file:line: [Section] Tag: message`, with `warning: ` before the message of what is not fatal. */
export function formatFault(fault: Fault): string {
  const where = fault.line ? `${fault.file}:${fault.line}` : fault.file;
  const what = fault.section === undefined
    ? ""
    : ` [${fault.section}]${fault.tag === undefined ? "" : ` ${fault.tag}`}:`;
  return `${where}:${what} ${fault.severity === "warning" ? "warning: " : ""}${fault.message}`;
}

/** A section's name may be this long. */
export const SECTION_NAME_LIMIT = 256;
const BLANKS = /^[ \t\r\f\v]+|[ \t\r\f\v]+$/g;
const trim = (text: string) => text.replaceAll(BLANKS, "");

/** The lines of `text` with a backslash before the newline joining two (it and the newline become a blank). */
function* logicalLines(text: string): Generator<{ line: number; text: string }> {
  let begun: { line: number; parts: string[] } | undefined;
  let line = 0;
  for (const raw of text.split("\n")) {
    line++;
    const physical = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
    begun ??= { line, parts: [] };
    if (physical.endsWith("\\")) {
      begun.parts.push(physical.slice(0, -1));
      continue;
    }
    begun.parts.push(physical);
    yield { line: begun.line, text: begun.parts.join(" ") };
    begun = undefined;
  }
  if (begun) yield { line: begun.line, text: begun.parts.join(" ") };
}

/** The section of that name, made when it is not there. */
function openSection(tree: Tree, name: string, place: Place): Section {
  const key = name.toLowerCase();
  let section = tree.get(key);
  if (!section) tree.set(key, section = { name, file: place.file, line: place.line, values: new Map() });
  return section;
}

/**
 * Reads a file's text. What cannot be read is a fault and is skipped, the rest is used: duplicate tags (the first wins),
 * lines that are neither section nor `tag=value`, values outside any section.
 */
export function parseIni(text: string, file: string): { tree: Tree; faults: Fault[] } {
  const tree: Tree = new Map();
  const faults: Fault[] = [];
  let section: Section | undefined;
  let skipping = "before any [section]";
  for (const { line, text: whole } of logicalLines(text)) {
    const written = trim(whole);
    if (written === "" || written.startsWith("#") || written.startsWith(";")) continue;
    const report = (severity: Fault["severity"], message: string, tag?: string) =>
      faults.push({ severity, file, line, section: section?.name, tag, message });

    if (written.startsWith("[")) {
      const end = written.indexOf("]");
      section = undefined;
      const name = trim(written.slice(1, end < 0 ? undefined : end));
      if (end < 0 || name === "" || name.length > SECTION_NAME_LIMIT) {
        skipping = "after a broken section line";
        const why = end < 0
          ? 'the closing "]" is missing'
          : name === ""
          ? "the name is empty"
          : `the name has ${name.length} characters, at most ${SECTION_NAME_LIMIT} are allowed`;
        report("warning", `cannot read the section line: ${why}; the lines up to the next section are ignored`);
        continue;
      }
      section = openSection(tree, name, { file, line });
      const rest = trim(written.slice(end + 1));
      if (rest && !/^[#;]/.test(rest)) report("warning", `ignored "${excerpt(rest)}" after the section's name`);
      continue;
    }

    const equals = written.indexOf("=");
    if (equals < 0) {
      report("warning", `cannot read "${excerpt(written)}": a [section], a tag=value or a comment (#) is expected`);
      continue;
    }
    const before = trim(written.slice(0, equals));
    const tag = before.split(/[ \t]/, 1)[0];
    if (!section) {
      report("warning", `ignored the tag "${excerpt(tag)}": it stands ${skipping}`);
      continue;
    }
    if (tag === "") {
      report("warning", 'ignored the line: a tag is missing before "="');
      continue;
    }
    if (tag !== before) {
      report("warning", `ignored "${excerpt(trim(before.slice(tag.length)))}" between tag and "="`, tag);
    }
    const first = section.values.get(tag.toLowerCase());
    if (first) {
      report("warning", `given twice; the value of line ${first.line} is used`, tag);
      continue;
    }
    section.values.set(tag.toLowerCase(), {
      section: section.name,
      tag,
      text: trim(written.slice(equals + 1)),
      file,
      line,
    });
  }
  return { tree, faults };
}

const excerpt = (text: string) => text.length > 60 ? `${text.slice(0, 57)}...` : text;

/** The elements of a list: separated by commas or blanks, empty ones ignored. */
export function listOf(text: string): string[] {
  return text.split(/[,\s]+/).filter((element) => element !== "");
}

/** A copy that can be edited without touching the original. */
export function copyTree(tree: Tree): Tree {
  return new Map(Array.from(tree, ([key, section]) => [key, { ...section, values: new Map(section.values) }]));
}

/** What stands at [section]:tag, if anything. */
export function valueAt(tree: Tree, section: string, tag: string): Value | undefined {
  return tree.get(section.toLowerCase())?.values.get(tag.toLowerCase());
}

/** Sets [section]:tag. Without `override` a value that is there stays. @returns whether it was set. */
export function setValue(
  tree: Tree,
  section: string,
  tag: string,
  text: string,
  override: boolean,
  place: Place,
): boolean {
  const { name, values } = openSection(tree, section, place);
  if (values.has(tag.toLowerCase()) && !override) return false;
  values.set(tag.toLowerCase(), { section: name, tag, text, file: place.file, line: place.line });
  return true;
}

/** Removes [section]:tag. @returns whether it was there. */
export function removeValue(tree: Tree, section: string, tag: string): boolean {
  return tree.get(section.toLowerCase())?.values.delete(tag.toLowerCase()) ?? false;
}

/** Removes the section. @returns whether it was there. */
export function removeSection(tree: Tree, section: string): boolean {
  return tree.delete(section.toLowerCase());
}

/** Appends to the list [section]:tag unless the element is there. @returns whether it was appended. */
export function addToList(tree: Tree, section: string, tag: string, element: string, place: Place): boolean {
  const old = listOf(valueAt(tree, section, tag)?.text ?? "");
  if (old.some((one) => one.toLowerCase() === element.toLowerCase())) return false;
  return setValue(tree, section, tag, [...old, element].join(","), true, place);
}

/** Removes from the list [section]:tag. @returns whether the element was there. */
export function removeFromList(tree: Tree, section: string, tag: string, element: string, place: Place): boolean {
  const old = listOf(valueAt(tree, section, tag)?.text ?? "");
  const left = old.filter((one) => one.toLowerCase() !== element.toLowerCase());
  return left.length < old.length && setValue(tree, section, tag, left.join(","), true, place);
}
