/** Completion for fish. @module */
import { type ArgumentKind, type CommandShape, flatten, kindOf, type OptionShape } from "../command_shape.ts";

/** Text in fish's single quotes. */
const quoted = (text: string) => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;

/** What an option's argument is completed with. */
function argument(kind: ArgumentKind): string {
  if (typeof kind !== "string") return ` -x -a ${quoted(kind.join(" "))}`;
  const words = {
    file: " -r -F",
    directory: " -x -a '(__fish_complete_directories)'",
    interface: " -x -a '(command ls /sys/class/net 2>/dev/null)'",
    spi: " -x -a '(ipsecbox completion --values spi 2>/dev/null)'",
    peer: " -x -a '(ipsecbox completion --values peer 2>/dev/null)'",
    none: " -x",
  };
  return words[kind];
}

function option({ name, argument: taken, text }: OptionShape): string {
  const bare = name.replace(/^-+/, "");
  const letter = name.startsWith("--") ? "-l" : bare.length === 1 ? "-s" : "-o";
  const explained = text ? ` -d ${quoted(text)}` : "";
  return `${letter} ${bare}${taken === undefined ? "" : argument(kindOf(taken))}${explained}`;
}

/** The script for fish. */
export function fishScript(shapes: readonly CommandShape[], names: readonly string[]): string {
  const lines = [
    `# fish completion for ipsecbox; made by "ipsecbox completion fish".`,
    "",
    "# Whether the words before the cursor begin with these, whatever the program is called by.",
    "function __ipsecbox_at",
    "    set -l given (commandline -opc)",
    "    set given[1] (string replace -r '.*/' '' -- $given[1])",
    `    test "$given[1]" = ipsecbox; and set -e given[1]`,
    "    set -l many (count $argv)",
    `    test (count $given) -ge $many; and test "$given[1..$many]" = "$argv"`,
    "end",
    "",
    "# Whether the last of them is this.",
    "function __ipsecbox_after",
    "    set -l given (commandline -opc)",
    `    test "$given[-1]" = "$argv[1]"`,
    "end",
    "",
    "# Whether they are exactly these.",
    "function __ipsecbox_only",
    "    set -l given (commandline -opc)",
    "    set given[1] (string replace -r '.*/' '' -- $given[1])",
    `    test "$given[1]" = ipsecbox; and set -e given[1]`,
    `    test "$given" = "$argv"`,
    "end",
    "",
  ];
  for (const { path, summary } of [...shapes, { path: ["help"], summary: "explain a command" }]) {
    lines.push(`complete -c ipsecbox -n '__ipsecbox_only' -f -a ${quoted(path[0])} -d ${quoted(summary)}`);
  }
  for (const { path } of shapes) {
    lines.push(`complete -c ipsecbox -n '__ipsecbox_only help' -f -a ${quoted(path[0])}`);
  }
  for (const { path, options, subcommands, words, after = {} } of shapes.flatMap(flatten)) {
    const place = path.join(" ");
    for (const name of ["ipsecbox", ...names.filter((name) => name === path[0])]) {
      const at = `complete -c ${name} -n '__ipsecbox_${subcommands.length ? "only" : "at"} ${place}'`;
      for (const { path, summary } of subcommands) {
        const word = quoted(path.at(-1)!);
        lines.push(`complete -c ${name} -n '__ipsecbox_only ${place}' -f -a ${word} -d ${quoted(summary)}`);
      }
      for (const [word, kind] of Object.entries(after)) {
        const last = `complete -c ${name} -n '__ipsecbox_at ${place}; and __ipsecbox_after ${word}'`;
        lines.push(`${last} -f${argument(kind).replace(/^ -x/, "")}`);
      }
      if (words.length) lines.push(`${at} -f -a ${quoted(words.join(" "))}`);
      lines.push(...options.map((one) => `${at} ${option(one)}`));
    }
  }
  return `${lines.join("\n")}\n`;
}
