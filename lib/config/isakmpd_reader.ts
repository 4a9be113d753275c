/** Typed access to the values of isakmpd.conf; every fault is kept, none stops the reading. @module */
import type { Allowed, Origin, Range } from "../ike/configuration.ts";
import { type Address, isAddress, parseAddress } from "../ip/address.ts";
import type { Registry } from "../isakmp/numbers.ts";
import { encodeText } from "../octets/bytes.ts";
import { parseHex } from "../octets/hex.ts";
import { didYouMean, nearestWord } from "../octets/nearest.ts";
import { Secret } from "../octets/secret.ts";
import { type Fault, listOf, type Section, type Tree, type Value, valueAt } from "./ini.ts";
import { SECTION_TAGS, type SectionKind } from "./isakmpd_tags.ts";
import type { Words } from "./isakmpd_words.ts";
import { type PredefinedSection, predefinedSection } from "./predefined.ts";

/** A section as seen through a reference to it. */
export interface View {
  readonly name: string;
  readonly kind: SectionKind;
  /** In the file; absent: predefined only. */
  readonly section?: Section;
  readonly predefined?: PredefinedSection;
  /** The value that named it. */
  readonly namedBy?: Value;
}

const ANY = "ANY";

/** The place of a value as the IKE core names it. */
export const originOf = ({ file, line, section, tag }: Value): Origin => ({ file, line, section, tag });

/**
 * A rule of predefined sections, placed where the file names it: whoever wants to change it looks there. Lines of the
 * file's own stay.
 */
export function placed<Rule>(rule: Rule, at: Origin): Rule {
  if (Array.isArray(rule)) return rule.map((each) => placed(each, at)) as Rule;
  if (typeof rule !== "object" || rule === null) return rule;
  const entries = Object.entries(rule).map(([key, value]) => [
    key,
    key === "origin" ? (value as Origin).line > 0 ? value : at : placed(value, at),
  ]);
  return Object.fromEntries(entries) as Rule;
}

const quote = (words: readonly string[]) => words.join(", ");

/** Reads a tree. `faults` grows while it is read. */
export class ConfReader {
  readonly faults: Fault[] = [];
  /** Sections that were looked at, lower-case, with what they are. */
  readonly seen = new Map<string, SectionKind>();

  constructor(readonly tree: Tree, readonly file: string) {}

  /** A section by name; undefined when neither the file nor the predefined ones have it. */
  view(name: string, kind: SectionKind, namedBy?: Value): View | undefined {
    const section = this.tree.get(name.toLowerCase());
    const predefined = predefinedSection(name);
    if (!section && !predefined) return undefined;
    if (section) this.seen.set(name.toLowerCase(), kind);
    return { name: section?.name ?? name, kind, section, predefined, namedBy };
  }

  /** A root section: without it in the file its predefined values hold. */
  root(name: SectionKind): View {
    return this.view(name, name) ?? { name, kind: name };
  }

  /** A value: the file's, else the predefined one (line 0). */
  get(view: View, tag: string): Value | undefined {
    const written = valueAt(this.tree, view.name, tag) ?? this.#generalLife(view, tag);
    if (written) return written;
    const text = view.predefined?.get(tag);
    return text === undefined ? undefined : { file: this.file, line: 0, section: view.name, tag, text };
  }

  /** [General] gives the predefined lifetimes; the sections LIFE_... themselves come first. */
  #generalLife(view: View, tag: string): Value | undefined {
    const general = { life_main_mode: "Default-phase-1-lifetime", life_quick_mode: "Default-phase-2-lifetime" };
    const key = view.name.toLowerCase() as keyof typeof general;
    if (tag !== "LIFE_DURATION" || !Object.hasOwn(general, key)) return undefined;
    return valueAt(this.tree, "General", general[key]);
  }

  // ---- faults ----------------------------------------------------------------------------------------------------

  #report(severity: Fault["severity"], at: Value, message: string): undefined {
    const { file, line, section, tag } = at;
    this.faults.push({ severity, file, line, section, tag, message });
  }
  error(at: Value, message: string): undefined {
    return this.#report("error", at, message);
  }
  warn(at: Value, message: string): undefined {
    return this.#report("warning", at, message);
  }

  /** `found "x", allowed a, b, c; did you mean ...?` */
  refuse(at: Value, found: string, allowed: readonly string[] | string, candidates?: readonly string[]): undefined {
    const words = typeof allowed === "string" ? allowed : quote(allowed);
    const hint = didYouMean(found, candidates ?? (typeof allowed === "string" ? [] : allowed));
    const comment = /\s[#;]/.test(at.text) ? "; a comment stands on a line of its own" : "";
    return this.error(at, `found "${found}", allowed ${words}${hint}${comment}`);
  }

  /** A place in the section for what is missing: its first line, with the tag that should be there. */
  placeOf(view: View, tag: string): Value {
    const place = view.section ?? view.namedBy ?? { file: this.file, line: 0 };
    return { file: place.file, line: place.line, section: view.name, tag, text: "" };
  }

  missing(view: View, tag: string, allowed: string, severity: "error" | "warning" = "error"): undefined {
    const { namedBy } = view;
    const why = namedBy
      ? ` (the section is named by ${namedBy.file}:${namedBy.line} [${namedBy.section}] ${namedBy.tag})`
      : "";
    return this.#report(severity, this.placeOf(view, tag), `missing, allowed ${allowed}${why}`);
  }

  /** Warns of tags that no section of this kind has. */
  checkTags(section: Section, kind: SectionKind): void {
    const known = SECTION_TAGS[kind];
    if (known.length === 0) return;
    const lower = new Set(known.map((tag) => tag.toLowerCase()));
    for (const [tag, value] of section.values) {
      if (lower.has(tag)) continue;
      const near = nearestWord(value.tag, known);
      const hint = near ? `; did you mean "${near}"?` : "";
      this.warn(value, `unknown tag in this kind of section (${kind})${hint || `, known: ${quote(known)}`}`);
    }
  }

  // ---- typed values ----------------------------------------------------------------------------------------------

  /** A whole number in a range. */
  integer(view: View, tag: string, least: number, most: number): number | undefined {
    const value = this.get(view, tag);
    if (!value) return undefined;
    const number = /^\d{1,10}$/.test(value.text) ? Number(value.text) : NaN;
    if (number >= least && number <= most) return number;
    return this.refuse(value, value.text, `${least} to ${most}`);
  }

  /** `yes` or `no`, also 1, 0, true, false. */
  flag(view: View, tag: string): boolean | undefined {
    const value = this.get(view, tag);
    if (!value) return undefined;
    const word = value.text.toLowerCase();
    if (["yes", "1", "true", "on"].includes(word)) return true;
    if (["no", "0", "false", "off"].includes(word)) return false;
    return this.refuse(value, value.text, ["yes", "no"]);
  }

  /** `X,Y:Z`, `X`, `Y:Z` (offers Y), or ANY. */
  range(value: Value, least: number, most: number): Allowed | undefined {
    const text = value.text.replaceAll(/\s/g, "");
    if (text.toUpperCase() === ANY) return ANY;
    const match = /^(?:(\d{1,15}),)?(\d{1,15}):(\d{1,15})$|^(\d{1,15})$/.exec(text);
    const allowed = `X,Y:Z or X with numbers from ${least} to ${most}, or ANY`;
    if (!match) return this.refuse(value, value.text, allowed);
    const [, offer, low, high, exact] = match;
    const range: Range = exact !== undefined
      ? { offer: Number(exact), least: Number(exact), most: Number(exact) }
      : { offer: Number(offer ?? low), least: Number(low), most: Number(high) };
    if (range.least > range.most) {
      return this.error(
        value,
        `found "${value.text}", where ${low} is above ${high}; allowed X,Y:Z with X from Y to Z`,
      );
    }
    if (range.least < least || range.most > most || range.offer < least || range.offer > most) {
      return this.refuse(value, value.text, allowed);
    }
    if (range.offer < range.least || range.offer > range.most) {
      return this.error(
        value,
        `found "${value.text}", which offers ${range.offer} and does not accept it; allowed X,Y:Z with X from Y to Z`,
      );
    }
    return range;
  }

  /** A word of a table, as its number; `ANY` where the tag may have it. */
  word(value: Value, words: Words): number | undefined {
    const written = value.text.toUpperCase();
    const name = Object.entries(words.aliases ?? {}).find(([alias]) => alias.toUpperCase() === written)?.[1] ?? written;
    const number = (words.known as Registry)[name];
    if (number !== undefined && words.usable.includes(name)) return number;
    if (number === undefined) return this.refuse(value, value.text, words.usable);
    return this.error(value, `found "${value.text}", which ipsecbox cannot do; allowed ${quote(words.usable)}`);
  }

  /** One of a few words, letter case ignored, as it is spelled in `allowed`. */
  choice<Word extends string>(value: Value, allowed: readonly Word[]): Word | undefined {
    const found = allowed.find((word) => word.toLowerCase() === value.text.toLowerCase());
    return found ?? this.refuse(value, value.text, allowed);
  }

  address(value: Value, text = value.text): Address | undefined {
    if (isAddress(text)) return parseAddress(text);
    return this.refuse(value, text, "an IPv4 or IPv6 address (names are not looked up)");
  }

  /** A number, or a name of a table. */
  numberOrName(value: Value, names: Registry, most: number): number | undefined {
    const named = Object.hasOwn(names, value.text.toLowerCase()) ? names[value.text.toLowerCase()] : undefined;
    if (named !== undefined) return named;
    if (/^\d{1,6}$/.test(value.text) && Number(value.text) <= most) return Number(value.text);
    return this.refuse(
      value,
      value.text,
      `a number from 0 to ${most} or a name such as ${quote(Object.keys(names).slice(0, 6))}`,
      Object.keys(names),
    );
  }

  /** A key or pass-phrase: text, or octets in hexadecimal after `0x`. Never repeated in a fault. */
  secret(value: Value): Secret | undefined {
    if (value.text === "") {
      return this.error(value, "found nothing, allowed a pass-phrase, or 0x and hexadecimal digits");
    }
    if (/\s[#;]/.test(value.text)) {
      this.warn(value, "the text from # on is part of it: a comment stands on a line of its own");
    }
    if (!/^0x/i.test(value.text)) return new Secret(encodeText(value.text));
    try {
      const octets = parseHex(value.text.slice(2));
      if (octets.length) return new Secret(octets);
      return this.error(value, "found 0x without digits, allowed a pass-phrase, or 0x and hexadecimal digits");
    } catch (error) {
      return this.error(
        value,
        `found 0x with text that is no key (${
          (error as Error).message.replace(/^Cannot parse hex: /, "")
        }), allowed a pass-phrase, or 0x and hexadecimal digits`,
      );
    }
  }

  list(view: View, tag: string): { value: Value; elements: string[] } | undefined {
    const value = this.get(view, tag);
    return value && { value, elements: listOf(value.text) };
  }

  // ---- references ------------------------------------------------------------------------------------------------

  /** Whether a section has a tag of its kind. */
  #isOf({ section, predefined }: View, kind: SectionKind): boolean {
    return predefined !== undefined || SECTION_TAGS[kind].some((tag) => section!.values.has(tag.toLowerCase()));
  }

  #otherKind(value: Value, { name, kind, section }: View): undefined {
    const tags = quote(SECTION_TAGS[kind].slice(0, 4));
    return this.error(
      value,
      `found "${name}", allowed a section of another kind (${kind}): [${name}] (line ${
        section!.line
      }) has none of ${tags}`,
    );
  }

  /** The section that `name`, an element of `value`, refers to. */
  follow(value: Value, name: string, kind: SectionKind, predefined: readonly string[] = []): View | undefined {
    const view = this.view(name, kind, value);
    if (view) return this.#isOf(view, kind) ? view : this.#otherKind(value, view);
    const sections = Array.from(this.tree.values());
    const near = nearestWord(name, [...sections.map((section) => section.name), ...predefined]);
    const nearLine = near === undefined ? undefined : this.tree.get(near.toLowerCase())?.line;
    const hint = near === undefined
      ? ""
      : `; did you mean "${near}" (${nearLine === undefined ? "predefined" : `line ${nearLine}`})?`;
    const { file, line, section, tag } = value;
    const message = `found "${name}", but there is no section [${name}] (${kind})${hint}`;
    this.faults.push({ severity: "error", file, line, section, tag, message, once: true });
    return undefined;
  }
}
