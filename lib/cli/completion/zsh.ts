/** Completion for zsh. @module */
import { type CommandShape, flatten } from "../command_shape.ts";
import { caseRows } from "./bash.ts";

/** Text in single quotes. */
export const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/** `name:explanation`, as _describe reads it. */
const described = (name: string, text: string) =>
  quoted(`${name.replaceAll(":", "\\:")}:${text.replaceAll("\\", "\\\\")}`);

/** The script for zsh, an autoload function named `_ipsecbox`. */
export function zshScript(shapes: readonly CommandShape[], names: readonly string[]): string {
  const rows = shapes.flatMap(flatten).map(({ path, options, subcommands, words }) =>
    `    ${quoted(path.join(" "))})
      below=(${subcommands.map(({ path, summary }) => described(path.at(-1)!, summary)).join(" ")})
      options=(${options.map(({ name, text }) => described(name, text)).join(" ")})
      others=(${words.map(quoted).join(" ")}) ;;`
  );
  return `#compdef ${names.join(" ")}
# zsh completion for ipsecbox; made by "ipsecbox completion zsh".

_ipsecbox_place() {
  below=() options=() others=()
  case "$1" in
${rows.join("\n")}
    *) return 1 ;;
  esac
}

_ipsecbox_argument() {
  case "$1" in
${caseRows(shapes).options.join("\n")}
    *) return 1 ;;
  esac
}

_ipsecbox() {
  local place="\${words[1]:t}" kind=file cur="\${words[CURRENT]}" before="\${words[CURRENT-1]}"
  local -a given names below options others commands
  integer at=2
  given=("\${words[@]}")
  commands=(${shapes.map(({ path, summary }) => described(path[0], summary)).join(" ")})
  if [[ "$place" == ipsecbox ]]; then
    if (( CURRENT == 2 )); then
      commands+=('help:explain a command' 'version:print the version')
      _describe command commands
      return
    fi
    if [[ "$given[2]" == help ]]; then
      (( CURRENT > 3 )) || _describe command commands
      return
    fi
    place="$given[2]" at=3
  fi
  while _ipsecbox_place "$place" && (( at < CURRENT )); do
    names=("\${(@)below%%:*}")
    (( \${names[(Ie)$given[at]]} )) || break
    place="$place $given[at]"
    (( at++ ))
  done
  local choices=''
  if ! _ipsecbox_argument "$place:$before"; then
    case "$cur" in
      -*) _describe -o option options; return ;;
      *)
        if (( $#below + $#others )); then
          (( $#below )) && _describe subcommand below
          (( $#others )) && compadd -S '' -- $others
          return
        fi ;;
    esac
  fi
  case "$kind" in
    words) compadd -- \${=choices} ;;
    spi|peer) compadd -- \${(f)"$(ipsecbox completion --values $kind 2>/dev/null)"} ;;
    interface) compadd -- /sys/class/net/*(N:t) ;;
    file) _files ;;
    directory) _files -/ ;;
  esac
}

if [[ "$funcstack[1]" == _ipsecbox ]]; then
  _ipsecbox "$@"
else
  compdef _ipsecbox ${names.join(" ")}
fi
`;
}
