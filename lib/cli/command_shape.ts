/** What may stand on a command's line: read from its option table or, where there is none, from its HELP. @module */
import { AUTHENTICATORS } from "../crypto/authenticators.ts";
import { ESP_CIPHERS } from "../crypto/esp_ciphers.ts";
import { FILTER_WORDS } from "../dump/filter.ts";
import type { CommandModule } from "./command.ts";
import { IPSECADM_COMMANDS } from "./ipsecadm/commands.ts";
import { listedModifiers } from "./ipsecadm/parse.ts";

/** One option. */
export interface OptionShape {
  /** With its dashes: `-n`, `-src`, `--hold`. */
  readonly name: string;
  /** What follows, as help shows it: `FILE`, `1|2`; absent when nothing does. */
  readonly argument?: string;
  /** Its explanation in one line; empty when only the usage names it. */
  readonly text: string;
}

/** One command or subcommand. */
export interface CommandShape {
  /** `["ipsecadm", "new", "esp"]` */
  readonly path: readonly string[];
  readonly summary: string;
  readonly options: readonly OptionShape[];
  /** Other words that may stand here: `dst=`, `net.inet.ah.enable`. */
  readonly words: readonly string[];
  /** What follows one of these words. */
  readonly after?: Readonly<Record<string, ArgumentKind>>;
  readonly subcommands: readonly CommandShape[];
}

/** What only the running engine knows: SPIs, and the other ends of its SAs. */
export const ENGINE_KINDS = ["spi", "peer"] as const;

/** What a word can be completed with. */
export type ArgumentKind =
  | "file"
  | "directory"
  | "interface"
  | "none"
  | typeof ENGINE_KINDS[number]
  | readonly string[];

/** The kind of an option's argument, by the name that help gives it. */
export function kindOf(argument: string | undefined): ArgumentKind {
  if (argument === undefined) return "none";
  if (/^[\w.-]+(\|[\w.-]+)+$/.test(argument)) return argument.split("|");
  if (argument === "encap") return [argument];
  if (/^(DIR|directory)$/i.test(argument)) return "directory";
  if (/file|fifo|\.(crt|key|crl)$|^(CA-)?CERTIFICATE$|^CREDENTIALS$|-cert$|^packet-log$|signing-key/i.test(argument)) {
    return "file";
  }
  if (argument === "SPI") return "spi";
  if (argument === "ADDRESS") return "peer";
  return argument === "INTERFACE" ? "interface" : "none";
}

const OPTION = String.raw`--?[A-Za-z0-9][A-Za-z0-9_-]*`;
const ARGUMENT = String.raw`[A-Za-z0-9\[][\w.:=/|\[\]-]*`;
/** `  -c FILE   text`, `-4, -6  text`; one blank may stand before a text that is too far right. */
const ROW = new RegExp(
  String.raw`^ *(${OPTION})(?:, (${OPTION}))?(?: (${ARGUMENT})(?: MASK [A-Z]+ MASK)?)?(?:  +(\S.*)|(?= *$))`,
);

/** The lines of the usage, joined to one a form. */
export function usageForms(help: string): string[] {
  const forms: string[] = [];
  for (const line of help.split("\n")) {
    if (line.trim() === "") break;
    const form = line.match(/^(?:usage: | {7}(?! ))(.*)$/)?.[1];
    if (form !== undefined && !/^\[/.test(form)) forms.push(form);
    else if (forms.length) forms[forms.length - 1] += ` ${line.trim()}`;
  }
  return forms;
}

/** Options of a usage form: `[-nv] [-i INTERFACE] --keys FILE`. */
function usageOptions(form: string): OptionShape[] {
  const found: OptionShape[] = [];
  for (
    const [, dashes, word, argument] of form.matchAll(/(?<=^|[\s[|(,])(--?)([A-Za-z0-9][\w-]*)(?: (\w[\w.|-]*))?/g)
  ) {
    const letters = dashes === "-" ? [...word] : [word];
    letters.forEach((letter, i) =>
      found.push({
        name: dashes + letter,
        text: "",
        ...(i === letters.length - 1 && argument && { argument }),
      })
    );
  }
  return found;
}

/** Options of help's rows, each with its explanation's first line. */
function rowOptions(help: string): OptionShape[] {
  return help.split("\n").flatMap((line) => {
    const [, name, other, argument, text] = line.match(ROW) ?? [];
    // The same letter twice (-vv) is the letter; more letters in a row (-rn) are a sentence.
    if (!name || (/^-\w{2,}$/.test(name) && !/^-(\w)\1+$/.test(name))) return [];
    const shape = { text: text ?? "", ...(argument && { argument }) };
    return [name, other].filter((one) => one !== undefined)
      .map((one) => ({ name: one.replace(/^-(\w)\1+$/, "-$1"), ...shape }));
  });
}

/** One shape a name: the first text, and the first argument that can be completed or else the first. */
function merged(options: readonly OptionShape[]): OptionShape[] {
  const byName = new Map<string, OptionShape>();
  for (const option of options) {
    const before = byName.get(option.name);
    const given = [before?.argument, option.argument].filter((one) => one !== undefined);
    const argument = given.find((one) => kindOf(one) !== "none") ?? given[0];
    byName.set(option.name, {
      name: option.name,
      text: before?.text || option.text,
      ...(argument !== undefined && { argument }),
    });
  }
  return [...byName.values()].sort((a, b) => a.name < b.name ? -1 : 1);
}

/** Words of help's first column that are meant literally: `dst=ADDRESS` as `dst=`, `net.inet.ah.enable`. */
function literalWords(help: string): string[] {
  return help.split("\n").flatMap((line) => {
    const [, word] = line.match(/^ {2}([a-z_]+=|net6?\.[\w.-]+)/) ?? [];
    return word ? [word] : [];
  });
}

/** The shape that HELP describes. */
export function shapeOfHelp(name: string, summary: string, help: string): CommandShape {
  const forms = usageForms(help).map((form) => form.replace(/^ipsecbox /, ""));
  const rows = rowOptions(help);
  const subcommands = new Map<string, OptionShape[]>();
  const own: OptionShape[] = [];
  for (const form of forms) {
    const [, word, rest] = form.match(/^\S+ ([a-z0-9][a-z0-9-]*(?:\|[a-z0-9-]+)*)(?= |$)(.*)$/) ?? [];
    const options = usageOptions(rest ?? form);
    if (!word) own.push(...options);
    else for (const one of word.split("|")) subcommands.set(one, [...(subcommands.get(one) ?? []), ...options]);
  }
  const described = (options: OptionShape[]) =>
    merged([...options.map(({ name }) => rows.find((row) => row.name === name)).filter((row) => !!row), ...options]);
  const summaryOf = (word: string) =>
    help.match(new RegExp(String.raw`^${word} +(\S.*)$`, "m"))?.[1].replace(/(\.|: |;|,? (which|and says) ).*$/, "") ??
      "";
  return {
    path: [name],
    summary,
    options: subcommands.size ? described(own) : merged([...rows, ...described(own)]),
    words: literalWords(help),
    subcommands: [...subcommands].map(([word, options]) => ({
      path: [name, word],
      summary: summaryOf(word),
      options: described(options),
      words: [],
      subcommands: [],
    })),
  };
}

/** What modifiers of ipsecadm take, where help's name for it says too little. */
const MODIFIER_ARGUMENTS: Readonly<Record<string, string>> = {
  "-spi": "SPI",
  "-spi2": "SPI",
  "-enc": ESP_CIPHERS.map(({ name }) => name).join("|"),
  "-auth": AUTHENTICATORS.map(({ name }) => name).join("|"),
};

/** ipsecadm, from its tables. */
function shapeOfIpsecadm(name: string, summary: string): CommandShape {
  const leaves = IPSECADM_COMMANDS.map((command) => ({
    path: [name, ...command.name.split(" ")],
    summary: command.summary,
    options: listedModifiers(command).map((modifier) => ({
      name: modifier.name,
      text: modifier.text,
      ...(modifier.argument && { argument: MODIFIER_ARGUMENTS[modifier.name] ?? modifier.argument }),
    })),
    words: [],
    subcommands: [],
  }));
  const words = [...new Set(leaves.map(({ path }) => path[1]))];
  return {
    path: [name],
    summary,
    options: [{ name: "-f", argument: "FILE", text: "many command lines from a file (-: standard input)" }],
    words: [],
    subcommands: words.map((word) => {
      const under = leaves.filter(({ path }) => path[1] === word);
      return under[0].path.length === 2
        ? under[0]
        : { path: [name, word], summary: "", options: [], words: [], subcommands: under };
    }),
  };
}

/** What follows the words of a filter of dump. */
const AFTER_FILTER_WORDS: Readonly<Record<string, ArgumentKind>> = {
  ...{ spi: "spi", host: "peer", net: "none", port: ["500", "4500", "468"], proto: ["50", "51", "4", "17"] },
  ...{ src: ["host", "net", "port"], dst: ["host", "net", "port"] },
};

/** The shape of a row of the command table. */
export function shapeOf(name: string, summary: string, module: CommandModule): CommandShape {
  if (name === "ipsecadm") return shapeOfIpsecadm(name, summary);
  const shape = shapeOfHelp(name, summary, module.HELP);
  return name === "dump" ? { ...shape, words: FILTER_WORDS, after: AFTER_FILTER_WORDS } : shape;
}

/** A shape and all below it, outer ones first. */
export function flatten(shape: CommandShape): CommandShape[] {
  return [shape, ...shape.subcommands.flatMap(flatten)];
}
