/** secrets.conf and users' .photuris_secrets: who we are, who others are, and the secrets that prove it. @module */
import { encodeText } from "../octets/bytes.ts";
import { didYouMean } from "../octets/nearest.ts";
import { Secret } from "../octets/secret.ts";
import type { Identity, SecretBook } from "../photuris/settings.ts";
import { type Fault, Faults, linesOf } from "./photuris_reader.ts";

/** A `pair local` entry. */
export interface PairEntry {
  readonly remoteName: string;
  readonly identity: Identity;
}

/** A `lookup` entry: the user's own file counts, too. */
export interface Lookup {
  readonly prefix: string;
  readonly user: string;
  readonly line: number;
}

export interface SecretsConf {
  readonly locals: readonly Identity[];
  readonly pairs: readonly PairEntry[];
  readonly remotes: readonly Identity[];
  readonly lookups: readonly Lookup[];
  readonly faults: readonly Fault[];
}

/** OpenBSD's shipped file holds this; the FAQ says to change it. */
const PLACEHOLDER = /^this should be changed\.?$/i;
const FORMS: Readonly<Record<string, string>> = {
  "local": 'identity local "NAME" "SECRET"',
  "pair": 'identity pair local "REMOTE NAME" "MY NAME" "SECRET"',
  "remote": 'identity remote "NAME" "SECRET"',
  "lookup": 'identity lookup "PREFIX" USER',
};

/** Words and strings in " or '; undefined when a string does not end. */
function tokens(text: string): string[] | undefined {
  const found: string[] = [];
  for (let at = 0; at < text.length;) {
    const quote = text[at];
    if (/\s/.test(quote)) at++;
    else if (quote === '"' || quote === "'") {
      const end = text.indexOf(quote, at + 1);
      if (end < 0) return undefined;
      found.push(text.slice(at + 1, end));
      at = end + 1;
    } else {
      const [word] = /^[^\s"']+/.exec(text.slice(at))!;
      found.push(word);
      at += word.length;
    }
  }
  return found;
}

/**
 * Reads secrets.conf. Nothing is thrown; with an error among the faults the result must not be used. Faults never repeat
 * a secret.
 *
 * @param user whose file it is; absent: the host's. Users' files hold no `lookup`, and what they say of ourselves is
 * sent with `prefix` before it.
 */
export function parseSecretsConf(text: string, file = "secrets.conf", user?: string, prefix = ""): SecretsConf {
  const faults = new Faults(file);
  const locals: Identity[] = [];
  const pairs: PairEntry[] = [];
  const remotes: Identity[] = [];
  const lookups: Lookup[] = [];
  const identity = (name: string, secret: string, line: number): Identity => {
    if (PLACEHOLDER.test(secret)) {
      faults.warning(line, `the secret of "${name}" is the one that everybody knows; change it`);
    }
    return { name, secret: new Secret(encodeText(secret)), entry: `${file}:${line}`, user };
  };
  for (const { number: line, text: content } of linesOf(text)) {
    if (content === "") continue;
    const words = tokens(content);
    if (!words) {
      faults.error(line, "a string does not end");
      continue;
    }
    const [keyword, kind, ...rest] = words;
    const form = Object.hasOwn(FORMS, kind ?? "") ? FORMS[kind] : undefined;
    if (keyword !== "identity" || !form || (kind === "lookup" && user !== undefined)) {
      // What stands there may be a secret whose quotes are wrong: only the word that was meant is repeated.
      const place = keyword === "identity" ? "after identity" : "the first word";
      const words = keyword === "identity" ? Object.keys(FORMS) : ["identity"];
      const usable = user === undefined ? words : words.filter((word) => word !== "lookup");
      const hint = didYouMean(keyword === "identity" ? kind ?? "" : keyword, usable);
      faults.error(line, `${place} is allowed: ${usable.join(", ")}${hint}`);
    } else if (kind === "pair" ? rest.length !== 4 || rest[0] !== "local" : rest.length !== 2) {
      faults.error(line, `allowed: ${form}`);
    } else if (kind !== "lookup" && rest.some((word) => word === "")) {
      faults.error(line, "a name or secret is empty");
    } else if (kind === "local") {
      locals.push(identity(prefix + rest[0], rest[1], line));
    } else if (kind === "pair") {
      pairs.push({ remoteName: rest[1], identity: identity(prefix + rest[2], rest[3], line) });
    } else if (kind === "remote") {
      const known = remotes.find(({ name }) => name === rest[0]);
      if (known) faults.warning(line, `"${rest[0]}" stands at ${known.entry} already; ignored`);
      else remotes.push(identity(rest[0], rest[1], line));
    } else lookups.push({ prefix: rest[0], user: rest[1], line });
  }
  return { locals, pairs, remotes, lookups, faults: faults.list };
}

/** Searches the host's file and the users' files that it looks up. */
export function secretBook(host: SecretsConf, users: ReadonlyMap<string, SecretsConf>): SecretBook {
  const files = [host, ...users.values()];
  return {
    local: (user) => (user !== undefined ? users.get(user)?.locals[0] : undefined) ?? host.locals[0],
    pairLocal(remoteName, user) {
      const searched = user === undefined ? host : users.get(user);
      return searched?.pairs.find((pair) => pair.remoteName === remoteName)?.identity;
    },
    remote(name) {
      for (const { remotes } of files) {
        const found = remotes.find((entry) => entry.name === name);
        if (found) return found;
      }
      return undefined;
    },
  };
}
