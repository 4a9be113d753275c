/** HELP texts as mdoc. @module */

/** A line of text that no macro and no escape sequence hides in. */
export function escaped(text: string): string {
  return text.replaceAll("\\", "\\e").replace(/^([.'])/, "\\&$1");
}

/** Text, filled: a sentence a line, no line longer than 78 columns. */
export function prose(text: string): string {
  const sentences = text.trim().split(/\s+/).join(" ").split(/(?<=[\w)"']{2}[.?!]["')]*) /);
  return sentences.flatMap((sentence) => {
    const lines = [""];
    for (const word of sentence.split(" ")) {
      const line = lines[lines.length - 1];
      const system = word.match(/^OpenBSD('s)?([,.;:)]*)$/);
      if (system) {
        const macro = `.Ox${system[1] ? ` Ns ${system[1]}` : ""}${system[2] && ` ${[...system[2]].join(" ")}`}`;
        if (line === "") lines.pop();
        lines.push(macro, "");
      } else if (line === "") lines[lines.length - 1] = word;
      else if (line.length + word.length < 76) lines[lines.length - 1] += ` ${word}`;
      else lines.push(word);
    }
    return lines.filter((line) => line !== "").map((line) => line.startsWith(".Ox") ? line : escaped(line));
  }).join("\n");
}

/** An argument of a macro: quoted where mdoc would read it as something else. */
function argument(word: string): string {
  const text = word.replaceAll("\\", "\\e").replace(/[.,:;?!]$/, "$&\\&");
  return /^[A-Z][a-z]$|^[[\](){}.,:;?!|]/.test(text)
    ? `\\&${text}`
    : text.includes('"')
    ? `"${text.replaceAll('"', '""')}"`
    : text;
}

/** The words of a usage or of a row's first column, marked up for a macro line. */
export function marked(words: readonly string[], plain: "Ar" | "Cm" = "Ar"): string {
  return words.map((word) => {
    if (word === "|" || word === "...") return word;
    const flag = word.startsWith("-") && word !== "-";
    const macro = flag ? "Fl" : /^[a-z0-9-]+(\|[a-z0-9-]+)*$/.test(word) && plain === "Cm" ? "Cm" : "Ar";
    return `${macro} ${argument(flag ? word.slice(1) : word)}`;
  }).join(" ");
}

/** One form of a usage after the program's name. */
function synopsisLines(form: string): string[] {
  const lines: string[] = [];
  for (const [unit] of form.matchAll(/\[[^\[\]]*(?:\[[^\]]*\][^\[\]]*)*\]|(?:\.\.\.)|\S+/g)) {
    if (!unit.startsWith("[")) {
      lines.push(unit === "..." ? ".No ..." : `.${marked([unit], "Cm")}`);
      continue;
    }
    const inner = unit.slice(1, -1).replace(/\[([^\]]*)\](?=\S)/g, " Oo $1 Oc Ns ")
      .replace(/(\S)\[/g, "$1 Ns [").replace(/\[([^\]]*)\]/g, " Oo $1 Oc ").split(/\s+/).filter(Boolean);
    const parts: string[] = [];
    for (let at = 0; at < inner.length; at++) {
      parts.push(/^(Oo|Oc|Ns)$/.test(inner[at]) ? inner[at] : marked([inner[at]]));
    }
    lines.push(`.Op ${parts.join(" ")}`);
  }
  return lines;
}

/** A SYNOPSIS. `forms` begin with the program's name. */
export function synopsis(forms: readonly string[]): string {
  return forms.flatMap((form) => {
    const [, name, rest] = form.match(/^((?:ipsecbox )?\S+)(.*)$/)!;
    return [`.Nm ${name}`, ...synopsisLines(rest.replace(/ {5,}.*$/, ""))];
  }).join("\n");
}

type Part = { kind: "prose" | "literal"; lines: string[] } | { kind: "tag"; term: string; lines: string[] };

const OPTION_ROW =
  /^ *(--?[A-Za-z0-9][\w-]*(?:, --?[\w-]+)?(?: [\w|=:[\]-]+(?: [A-Z]+ [A-Z]+ [A-Z]+)?)?)(?: {2,}(\S.*))?$/;
const TERM_ROW = /^ {0,2}([a-zA-Z]\S*(?:,? \S+)*?) {2,}((?!.* {2})\S.*)$/;

/** Splits a help text, its usage left out, into paragraphs, tagged rows and literal lines. */
function partsOf(block: string): Part[] {
  const parts: Part[] = [];
  for (const line of block.split("\n")) {
    const last = parts.at(-1);
    const option = line.match(OPTION_ROW);
    const term = option ?? line.match(TERM_ROW);
    if (term && !(option && option[2] === undefined && !/^ {2}-\w+( [A-Z]+)+$/.test(line))) {
      parts.push({ kind: "tag", term: term[1], lines: term[2] ? [term[2]] : [] });
    } else if (/^ {3,}/.test(line) && last?.kind === "tag") last.lines.push(line.trim());
    else {
      const kind = /^ {2}/.test(line) ? "literal" : "prose";
      if (last?.kind === kind) last.lines.push(line);
      else parts.push({ kind, lines: [line] });
    }
  }
  return parts;
}

function termLine(term: string): string {
  const plain = term.startsWith("-") ? "Ar" : "Cm";
  const optional = /^(.*) \[([^\]]*)\](\S+)$/.exec(term);
  if (optional) {
    const [, before, inner, after] = optional;
    return `.It ${marked(before.split(" "), plain)} Oo ${marked([inner])} Oc Ns ${marked([after])}`;
  }
  return `.It ${term.split(", ").map((one) => marked(one.split(" "), plain)).join(" , ")}`;
}

/** The text of a HELP after its usage. */
export function description(help: string): string {
  const blocks = help.trimEnd().split(/\n{2,}/).slice(1);
  const out: string[] = [];
  let first = true;
  for (const block of blocks) {
    let list = false;
    for (const part of partsOf(block)) {
      if (part.kind === "tag") {
        if (!list) out.push(".Bl -tag -width Ds");
        list = true;
        out.push(termLine(part.term));
        if (part.lines.length) out.push(prose(part.lines.join(" ")));
        continue;
      }
      if (list) out.push(".El");
      list = false;
      if (part.kind === "literal") {
        const indent = Math.min(...part.lines.map((line) => line.search(/\S/)));
        out.push(".Bd -literal -offset indent", ...part.lines.map((line) => escaped(line.slice(indent))), ".Ed");
      } else {
        if (!first) out.push(".Pp");
        out.push(prose(part.lines.join(" ")));
      }
      first = false;
    }
    if (list) out.push(".El");
    first = false;
  }
  return out.join("\n");
}
