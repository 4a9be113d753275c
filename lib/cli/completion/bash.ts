/** Completion for bash. @module */
import { type ArgumentKind, type CommandShape, flatten, kindOf } from "../command_shape.ts";

/** A word list in single quotes; the words of the tables have neither blanks nor quotes. */
const list = (words: readonly string[]) => `'${words.join(" ")}'`;

/** The shell assignment for an argument. */
export function action(kind: ArgumentKind): string {
  if (typeof kind !== "string") return `kind=words choices=${list(kind)}`;
  return `kind=${kind}`;
}

/** `case` rows: what may stand at each place, and what each option takes. */
export function caseRows(shapes: readonly CommandShape[]): { places: string[]; options: string[] } {
  const all = shapes.flatMap(flatten);
  const row = (path: readonly string[], word: string, kind: ArgumentKind) =>
    `    ${list([`${path.join(" ")}:${word}`])}) ${action(kind)} ;;`;
  const places = all.map(({ path, subcommands, options, words }) =>
    `    ${list([path.join(" ")])}) below=${list(subcommands.map(({ path }) => path.at(-1)!))}` +
    ` options=${list(options.map(({ name }) => name))} words=${list(words)} ;;`
  );
  const options = all.flatMap(({ path, options }) =>
    options.filter(({ argument }) => argument !== undefined)
      .map(({ name, argument }) => row(path, name, kindOf(argument)))
  );
  const after = all.flatMap(({ path, after = {} }) =>
    Object.entries(after).map(([word, kind]) => row(path, word, kind))
  );
  return { places, options: [...options, ...after] };
}

/** The script for bash. `names` are the names under which the program may be called. */
export function bashScript(shapes: readonly CommandShape[], names: readonly string[]): string {
  const { places, options } = caseRows(shapes);
  return `# bash completion for ipsecbox; made by "ipsecbox completion bash".

_ipsecbox_place() {
  below='' options='' words=''
  case "$1" in
${places.join("\n")}
    *) return 1 ;;
  esac
}

_ipsecbox_argument() {
  case "$1" in
${options.join("\n")}
    *) return 1 ;;
  esac
}

_ipsecbox() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" place="\${COMP_WORDS[0]##*/}" at=1
  local below options words choices='' kind=file
  COMPREPLY=()
  if [ "$place" = ipsecbox ]; then
    if [ "$COMP_CWORD" -eq 1 ]; then
      COMPREPLY=($(compgen -W ${list([...shapes.map(({ path }) => path[0]), "help", "version"])} -- "$cur"))
      return
    fi
    if [ "\${COMP_WORDS[1]}" = help ]; then
      [ "$COMP_CWORD" -gt 2 ] || COMPREPLY=($(compgen -W ${list(shapes.map(({ path }) => path[0]))} -- "$cur"))
      return
    fi
    place="\${COMP_WORDS[1]}" at=2
  fi
  while _ipsecbox_place "$place" && [ "$at" -lt "$COMP_CWORD" ]; do
    case " $below " in
      *" \${COMP_WORDS[at]} "*) place="$place \${COMP_WORDS[at]}" at=$((at + 1)) ;;
      *) break ;;
    esac
  done
  if ! _ipsecbox_argument "$place:\${COMP_WORDS[COMP_CWORD - 1]}"; then
    case "$cur" in
      -*) choices="$options" kind=words ;;
      *) if [ -n "$below$words" ]; then choices="$below $words" kind=words; fi ;;
    esac
  fi
  case "$kind" in
    words) COMPREPLY=($(compgen -W "$choices" -- "$cur")) ;;
    spi | peer) COMPREPLY=($(compgen -W "$(ipsecbox completion --values "$kind" 2>/dev/null)" -- "$cur")) ;;
    interface) COMPREPLY=($(compgen -W "$(ls /sys/class/net 2>/dev/null)" -- "$cur")) ;;
    file | directory)
      local IFS=$'\\n' how=-f
      [ "$kind" = file ] || how=-d
      COMPREPLY=($(compgen $how -- "$cur"))
      compopt -o filenames 2>/dev/null
      ;;
  esac
  case "\${COMPREPLY[0]}" in
    *=) compopt -o nospace 2>/dev/null ;;
  esac
  return 0
}

complete -F _ipsecbox ${names.join(" ")}
`;
}
