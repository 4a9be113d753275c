/** photurisd's files: found, checked for who may read them, and put together into the core's settings. @module */
import { join } from "node:path";
import { type AttributesConf, listFor, parseAttributesConf } from "../config/photuris_attributes.ts";
import { parsePhoturisConf, type PhoturisConf } from "../config/photuris_conf.ts";
import { type Fault, formatFault } from "../config/photuris_reader.ts";
import { parseSecretsConf, secretBook, type SecretsConf } from "../config/photuris_secrets.ts";
import { parseStartup, type StartupEntry } from "../config/photuris_startup.ts";
import { decodeText } from "../octets/bytes.ts";
import { MissingFileError, PrivateFileError, readPrivateFile } from "./private_file.ts";
import { offersOf } from "../photuris/choose.ts";
import type { SecretBook, Settings } from "../photuris/settings.ts";

/** Every fault of every file, one a line. */
export class ConfigurationError extends Error {
  override name = "ConfigurationError";
}

export interface Configuration {
  readonly conf: PhoturisConf;
  readonly attributes: AttributesConf;
  readonly secrets: SecretBook;
  readonly startup: readonly StartupEntry[];
  /** What was ignored, one line each. */
  readonly warnings: readonly string[];
}

const EXAMPLES = "examples/photuris/etc has one to start from";

/** The text of a file, or the fault that keeps it from being read. */
function readText(path: string, needed: boolean): string | Fault | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    const missing = error instanceof Deno.errors.NotFound;
    if (missing && !needed) return undefined;
    const message = missing ? `does not exist; ${EXAMPLES}` : `cannot be read: ${(error as Error).message}`;
    return { severity: "error", file: path, line: 0, message };
  }
}

/**
 * The text of a file of secrets: private, and no link.
 *
 * @param owner user id; absent: this process's own
 */
function readSecretText(path: string, owner?: number): string | Fault {
  try {
    const octets = readPrivateFile(path, "file of secrets", { owner, isLinkAllowed: false });
    const text = decodeText(octets);
    octets.fill(0);
    return text;
  } catch (error) {
    if (!(error instanceof PrivateFileError)) throw error;
    const message = error instanceof MissingFileError ? `does not exist; ${EXAMPLES}` : error.why;
    return { severity: "error", file: path, line: 0, message };
  }
}

/** A user's number and home from /etc/passwd. */
function userOf(name: string): { uid: number; home: string } | undefined {
  const row = Deno.readTextFileSync("/etc/passwd").split("\n").find((line) => line.startsWith(`${name}:`))?.split(":");
  return row && { uid: Number(row[2]), home: row[5] };
}

function readSecrets(path: string, faults: Fault[]): SecretBook {
  const text = readSecretText(path);
  if (typeof text !== "string") faults.push(text);
  const host = parseSecretsConf(typeof text === "string" ? text : "", path);
  faults.push(...host.faults);
  const users = new Map<string, SecretsConf>();
  for (const { prefix, user, line } of host.lookups) {
    const known = userOf(user);
    if (!known) {
      faults.push({ severity: "error", file: path, line, message: `there is no user "${user}"` });
      continue;
    }
    const file = join(known.home, ".photuris_secrets");
    const text = readSecretText(file, known.uid);
    // A user's fault must not keep the host from keying.
    if (typeof text !== "string") faults.push({ ...text, severity: "warning" });
    else {
      const parsed = parseSecretsConf(text, file, user, prefix);
      faults.push(...parsed.faults.map((fault): Fault => ({ ...fault, severity: "warning" })));
      users.set(user, parsed);
    }
  }
  return secretBook(host, users);
}

/** Whether secrets.conf names users in whose homes more secrets lie. */
export function looksUpUsers(directory: string): boolean {
  const path = join(directory, "secrets.conf");
  const text = readSecretText(path);
  return typeof text === "string" && parseSecretsConf(text, path).lookups.length > 0;
}

/**
 * Reads everything below `directory`.
 *
 * @throws {ConfigurationError} with all faults of all files, when one of them is an error
 */
export function readConfiguration(directory: string): Configuration {
  const faults: Fault[] = [];
  const parse = <T extends { faults: readonly Fault[] }>(name: string, needed: boolean, parser: Parser<T>): T => {
    const file = join(directory, name);
    const text = readText(file, needed);
    if (typeof text === "object") faults.push(text);
    const parsed = parser(typeof text === "string" ? text : "", file);
    // Of a file that cannot be read nothing more needs to be said.
    if (typeof text !== "object") faults.push(...parsed.faults);
    return parsed;
  };
  const conf = parse("photuris.conf", true, parsePhoturisConf);
  const attributes = parse("attributes.conf", true, parseAttributesConf);
  const secrets = readSecrets(join(directory, "secrets.conf"), faults);
  const startup = parse("photuris.startup", false, parseStartup).entries;
  if (faults.some(({ severity }) => severity === "error")) {
    throw new ConfigurationError(faults.map(formatFault).join("\n"));
  }
  return { conf, attributes, secrets, startup, warnings: faults.map(formatFault) };
}

type Parser<T> = (text: string, file: string) => T;

/** Exchanges that a host of the size that runs this holds; each is a few kilobytes. */
const LIMITS = { maximumExchanges: 10_000, maximumUnidentified: 1_000 };

/** The core's settings from files; `wishes` says what is wanted of whom. */
export function settingsFrom(
  { conf, attributes, secrets }: Configuration,
  wishes: Pick<Settings, "requestFor" | "isWanted">,
): Settings {
  return {
    schemes: conf.schemes,
    attributes: {
      definitions: attributes.definitions,
      offersFor: (peer) => offersOf(listFor(attributes, peer)),
    },
    secrets,
    ...wishes,
    times: conf.times,
    ...LIMITS,
  };
}
