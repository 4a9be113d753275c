/** Files of command lines: words as a shell would see them, without expansions. @module */
import type { Fault, Place } from "./ini.ts";

/** One command line and the line it begins at. */
export interface CommandLine extends Place {
  readonly words: readonly string[];
}

/**
 * The command lines of `text`: words between blanks, '...' and "..." (in which only \" and \\ mean something else), \ before
 * a character that is meant as such, \ before a newline to go on, # to the end of the line as a comment.
 */
export function parseCommandLines(text: string, file: string): { lines: CommandLine[]; faults: Fault[] } {
  const lines: CommandLine[] = [];
  const faults: Fault[] = [];
  let line = 1;
  let begun = 1;
  let words: string[] = [];
  let word: string | undefined;
  const endWord = () => {
    if (word !== undefined) words.push(word);
    word = undefined;
  };
  const endLine = () => {
    endWord();
    if (words.length) lines.push({ file, line: begun, words });
    words = [];
    begun = line;
  };
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === "\n") {
      line++;
      endLine();
    } else if (char === " " || char === "\t" || char === "\r") endWord();
    else if (char === "#" && word === undefined) {
      while (at + 1 < text.length && text[at + 1] !== "\n") at++;
    } else if (char === "\\") {
      const next = text[++at];
      if (next === "\n") line++;
      else if (next !== undefined) word = (word ?? "") + next;
    } else if (char === "'" || char === '"') {
      const opened = line;
      word ??= "";
      for (at++; at < text.length && text[at] !== char; at++) {
        if (text[at] === "\n") line++;
        if (char === '"' && text[at] === "\\" && (text[at + 1] === '"' || text[at + 1] === "\\")) at++;
        word += text[at];
      }
      if (at >= text.length) {
        faults.push({ file, line: opened, severity: "error", message: "a quote is never closed" });
        return { lines, faults };
      }
    } else word = (word ?? "") + char;
  }
  endLine();
  return { lines, faults };
}
