/** A command line of ipsecadm: words in, requests and warnings out. @module */
import { didYouMean } from "../../octets/nearest.ts";
import { CommandError } from "../command.ts";
import type { NameTables } from "../names.ts";
import { complaintAbout, warningsAbout } from "./checks.ts";
import { IPSECADM_COMMANDS, type IpsecadmCommand, UNSUPPORTED } from "./commands.ts";
import { type Modifier, modifierByName, MODIFIERS, type Reading, type Values } from "./modifiers.ts";
import type { Order } from "./orders.ts";

/** A command line that can be carried out. */
export interface ParsedLine {
  readonly command: IpsecadmCommand;
  readonly values: Values;
  readonly orders: readonly Order[];
  readonly warnings: string[];
}

/** What parsing needs of its surroundings. */
export interface ParseContext {
  readonly names: NameTables;
  /** The key in a file. @throws {CommandError} */
  readKeyFile(path: string): Uint8Array;
}

const FIRST_WORDS = [...new Set(IPSECADM_COMMANDS.map(({ name }) => name.split(" ")[0])), ...Object.keys(UNSUPPORTED)];

/** The command that the first words name, and how many they are. A first word with a dash means `new esp`. */
export function findCommand(words: readonly string[]): { command: IpsecadmCommand; used: number } {
  const [first, second] = words;
  const row = (name: string) => IPSECADM_COMMANDS.find((command) => command.name === name);
  if (first.startsWith("-")) return { command: row("new esp")!, used: 0 };
  if (first === "new" || first === "old") {
    const command = second === undefined ? undefined : row(`${first} ${second}`);
    if (!command) {
      throw new CommandError(
        `"${first}" is followed by esp or ah${second === undefined ? "" : `, not by "${second}"`}`,
      );
    }
    return { command, used: 2 };
  }
  if (Object.hasOwn(UNSUPPORTED, first)) throw new CommandError(`${first}: ${UNSUPPORTED[first]}`);
  const command = row(first);
  if (!command) {
    throw new CommandError(`no command "${first}"${didYouMean(first, FIRST_WORDS)} ("ipsecadm help" lists them)`);
  }
  return { command, used: 1 };
}

function notForCommand(name: string, command: IpsecadmCommand): CommandError {
  const known = modifierByName(name);
  const where = `("ipsecadm help ${command.name}" lists the options)`;
  if (!known) return new CommandError(`no option "${name}"${didYouMean(name, command.modifiers)} ${where}`);
  const others = IPSECADM_COMMANDS.filter(({ modifiers }) => modifiers.includes(name)).map(({ name }) => name);
  return new CommandError(`${name} does not go with ${command.name}, but with ${others.join(", ")} ${where}`);
}

/** Hides what may be a key from messages about words in the wrong place. */
const shown = (word: string) => /^[0-9a-fA-F]{16,}$/.test(word) ? "a row of hexadecimal digits" : `"${word}"`;

/** Reads the options of a command. @throws {CommandError} at the first that is wrong */
function readOptions(command: IpsecadmCommand, words: readonly string[], context: ParseContext): Reading {
  const reading: Reading = { command: command.name, values: {}, warnings: [], ...context };
  const seen = new Map<string, Modifier>();
  for (let at = 0; at < words.length;) {
    const name = words[at++];
    if (!name.startsWith("-")) throw new CommandError(`an option is needed where ${shown(name)} stands`);
    const modifier = modifierByName(name);
    if (!modifier || !command.modifiers.includes(name)) throw notForCommand(name, command);
    const group = modifier.group;
    const before = group === undefined ? undefined : seen.get(group);
    if (before === modifier) throw new CommandError(`${name} is there twice`);
    if (before) throw new CommandError(`${name} and ${before.name} exclude each other`);
    if (group !== undefined) seen.set(group, modifier);
    const count = modifier.count?.(words.slice(at)) ?? modifier.argument?.split(" ").length ?? 0;
    if (words.length - at < count) throw new CommandError(`${name} needs ${modifier.argument}`);
    modifier.read(reading, words.slice(at, at + count));
    at += count;
  }
  return reading;
}

/**
 * Parses the words after `ipsecadm`. Nothing is sent anywhere.
 *
 * @throws {CommandError} one line on the first thing that is wrong; it never holds a key
 */
export function parseLine(words: readonly string[], context: ParseContext): ParsedLine {
  const { command, used } = findCommand(words);
  const { values, warnings } = readOptions(command, words.slice(used), context);
  const complaint = complaintAbout(command.name, values);
  if (complaint !== undefined) throw new CommandError(`${complaint} ("ipsecadm help ${command.name}")`);
  return {
    command,
    values,
    orders: command.orders?.(values) ?? [],
    warnings: [...warnings, ...warningsAbout(values)],
  };
}

/** Names of modifiers that help lists for a command. */
export function listedModifiers(command: IpsecadmCommand): Modifier[] {
  return command.modifiers.map((name) => MODIFIERS.find((modifier) => modifier.name === name)!)
    .filter(({ deprecated }) => !deprecated);
}
