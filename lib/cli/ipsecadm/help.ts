/** Help texts of ipsecadm, made from its tables. @module */
import { authenticatorByName, AUTHENTICATORS, ESP_CIPHERS, keyLengthsText } from "../../crypto/algorithms.ts";
import { didYouMean } from "../../octets/nearest.ts";
import { CommandError } from "../command.ts";
import { IPSECADM_COMMANDS, type IpsecadmCommand, UNSUPPORTED } from "./commands.ts";
import { listedModifiers } from "./parse.ts";

/** Two columns; the left one as wide as its widest row below `most`. */
function columns(rows: readonly (readonly [string, string])[], most = 30): string {
  const width = Math.max(...rows.map(([left]) => left.length).filter((length) => length <= most));
  return rows.map(([left, right]) =>
    left.length > width ? `  ${left}\n  ${" ".repeat(width)}  ${right}` : `  ${left.padEnd(width)}  ${right}`
  ).join("\n");
}

/** The overview. */
export const OVERVIEW = `usage: ipsecadm COMMAND [OPTION ...]
       ipsecadm -f FILE                 many command lines from a file (-: standard input)
       ipsecadm help COMMAND            one command with all its options and examples

Manages the security associations (SAs) and flows of the running engine ("ipsecbox enc").

${columns(IPSECADM_COMMANDS.map(({ name, summary }) => [name, summary]))}

Every option begins with a dash and their order is free. Success prints nothing; an error is
one line and exit status 1, and nothing is changed then. Not supported: ${Object.keys(UNSUPPORTED).join(", ")}.

A host-to-host tunnel takes two SAs and two flows on each host; see "ipsecadm help new esp"
and "ipsecadm help flow". "ipsecbox help vpn" does it for whole networks.
`;

function cipherTable(command: IpsecadmCommand): string {
  const old = command.name === "old esp";
  return columns(
    ESP_CIPHERS.filter(({ oldEsp }) => !old || oldEsp).map((row) => [
      row.name,
      (row.key.max === 0 ? "no key; with -auth only" : `key of ${keyLengthsText(row)} octets`) +
      (row.aead ? ", authenticates by itself" : "") + (row.weak ? "; weak" : "") +
      (row.manualKeys ? "" : "; a new key for each start"),
    ]),
  );
}

function hashTable(command: IpsecadmCommand): string {
  const use = command.name === "new esp" ? "esp" : "ah";
  const old = command.name === "old ah";
  const rows = old
    ? AUTHENTICATORS.filter(({ oldAh }) => oldAh)
    : AUTHENTICATORS.filter(({ uses }) => uses.includes(use) && !uses.includes("old ah"));
  return columns(
    rows.map((row) => {
      const meant = authenticatorByName(row.name, old)!;
      return [row.name, `key of ${keyLengthsText(meant)} octets${meant.weak ? "; weak" : ""}`];
    }),
  );
}

/** Help for one command. */
function helpOf(command: IpsecadmCommand): string {
  const options = listedModifiers(command);
  const parts = [
    `usage: ipsecadm ${command.name}${command.usual && ` ${command.usual}`}${options.length ? " [OPTION ...]" : ""}`,
    `${command.summary[0].toUpperCase()}${command.summary.slice(1)}.`,
    command.notes,
  ];
  if (options.length) {
    const rows = options.map(({ name, argument, text }) => [argument ? `${name} ${argument}` : name, text] as const);
    parts.push(`options:\n${columns(rows, 24)}`);
  }
  if (command.tables?.includes("enc")) parts.push(`ciphers (-enc):\n${cipherTable(command)}`);
  if (command.tables?.includes("auth")) parts.push(`hashes (-auth):\n${hashTable(command)}`);
  parts.push(`examples:\n${command.examples.map((example) => `  ${example.replaceAll("\n", "\n  ")}`).join("\n")}`);
  return `${parts.join("\n\n")}\n`;
}

/** The text of `ipsecadm help WORDS`. @throws {CommandError} when there is no such command */
export function helpText(words: readonly string[]): string {
  if (!words.length) return OVERVIEW;
  const name = words.join(" ");
  const found = IPSECADM_COMMANDS.filter((command) => command.name === name || command.name.split(" ")[0] === name);
  if (found.length) return found.map(helpOf).join("\n");
  if (Object.hasOwn(UNSUPPORTED, name)) return `${UNSUPPORTED[name]}.\n`;
  throw new CommandError(`no command "${name}"${didYouMean(name, IPSECADM_COMMANDS.map(({ name }) => name))}`);
}
