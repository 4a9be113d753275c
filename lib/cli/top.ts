/** `ipsecbox top`: SAs live, with rates. @module */
import { EngineUnreachableError, PfkeyClient } from "../daemon/pfkey_client.ts";
import { fetchSnapshot } from "../daemon/snapshot.ts";
import { CommandError } from "./command.ts";
import { print } from "./commands.ts";
import { interfaceNameOf } from "./status.ts";
import { type Key, type ScreenLine, TopScreen } from "./top/screen.ts";

export const HELP = `usage: ipsecbox top [-d SECONDS]

Shows SAs live in a terminal: how much each carries, drops, what is left of its lifetime.

  -d SECONDS   time between two looks (1); fractions such as 0.5 are allowed

Keys: q quits; up and down choose an SA and show more of it; s (or right and left) sorts by rate,
bytes, drops, age, lifetime left or peer; r reverses the order; space stops and goes on.
`;

const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";
const STYLES = { title: "\x1b[7m", chosen: "\x1b[1;7m", faint: "\x1b[2m" } as const;
const PLAIN = "\x1b[0m";
/** Used where the terminal does not tell its size. */
const DEFAULT_SIZE = { columns: 80, rows: 24 };

/** What the terminal sends -> what it means; the longest is tried first. */
const KEYS: readonly (readonly [octets: string, key: Key])[] = [
  ["\x1b[A", "up"],
  ["\x1b[B", "down"],
  ["\x1b[C", "sort"],
  ["\x1b[D", "sortBack"],
  ["\x1bOA", "up"],
  ["\x1bOB", "down"],
  ["\x1bOC", "sort"],
  ["\x1bOD", "sortBack"],
  ["\x1b[H", "first"],
  ["\x1b[F", "last"],
  ["\x1b[1~", "first"],
  ["\x1b[4~", "last"],
  ["q", "quit"],
  ["Q", "quit"],
  ["\x03", "quit"],
  ["\x04", "quit"],
  ["k", "up"],
  ["j", "down"],
  ["s", "sort"],
  ["S", "sortBack"],
  ["r", "reverse"],
  [" ", "pause"],
];

/** The keys in what the terminal has sent. */
export function readKeys(text: string): Key[] {
  const keys: Key[] = [];
  for (let rest = text; rest;) {
    const found = KEYS.find(([octets]) => rest.startsWith(octets));
    keys.push(found?.[1] ?? "other");
    rest = rest.slice(found?.[0].length ?? 1);
  }
  return keys;
}

/** The octets that show lines on a terminal. */
export function paint(lines: readonly ScreenLine[]): string {
  const painted = lines.map(({ text, style }) => style ? `${STYLES[style]}${text}${PLAIN}\x1b[K` : `${text}\x1b[K`);
  return `\x1b[H${painted.join("\r\n")}\x1b[J`;
}

function intervalOf(args: readonly string[]): number {
  const [option, value, ...rest] = args;
  if (option === undefined) return 1000;
  if (option !== "-d" || rest.length) {
    throw new CommandError(`"${args.join(" ")}" is not known here ("ipsecbox help top")`, 2);
  }
  if (value === undefined) throw new CommandError("-d needs SECONDS", 2);
  const seconds = Number(value);
  if (!(seconds >= 0.1 && seconds <= 3600)) throw new CommandError(`-d "${value}": 0.1 to 3600 seconds are allowed`, 2);
  return 1000 * seconds;
}

/** A terminal in raw mode, put back as it was at the end. */
class Terminal implements Disposable {
  constructor() {
    Deno.stdin.setRaw(true);
    print(ENTER);
  }

  size(): { columns: number; rows: number } {
    try {
      const { columns, rows } = Deno.consoleSize();
      return columns && rows ? { columns, rows } : DEFAULT_SIZE;
    } catch {
      return DEFAULT_SIZE;
    }
  }

  [Symbol.dispose](): void {
    print(LEAVE);
    Deno.stdin.setRaw(false);
  }
}

/** Looks at the engine again and again; reaches it anew when it was restarted. */
class Watcher implements Disposable {
  #client: PfkeyClient | undefined;

  constructor(readonly screen: TopScreen) {}

  async look(): Promise<void> {
    try {
      if (!this.#client) {
        this.#client = await PfkeyClient.connect();
        const client = this.#client;
        client.closed.then(() => this.#client === client && (this.#client = undefined));
      }
      const snapshot = await fetchSnapshot(this.#client, Date.now() / 1000);
      this.screen.interfaceName ||= interfaceNameOf(snapshot.engine.interfaceIndex);
      this.screen.update(snapshot);
    } catch (error) {
      if (!(error instanceof EngineUnreachableError)) throw error;
      this.#client = undefined;
      this.screen.fail(error.message);
    }
  }

  [Symbol.dispose](): void {
    this.#client?.close();
  }
}

async function show(intervalMs: number): Promise<void> {
  const screen = new TopScreen();
  using watcher = new Watcher(screen);
  using terminal = new Terminal();
  const ended = Promise.withResolvers<void>();
  const draw = () => {
    const { columns, rows } = terminal.size();
    print(paint(screen.render(columns, rows)));
  };
  const look = async () => {
    if (!screen.isPaused) await watcher.look();
    draw();
  };
  const end = () => ended.resolve();
  const listeners = [["SIGWINCH", draw], ["SIGTERM", end], ["SIGINT", end], ["SIGHUP", end]] as const;
  for (const [signal, listener] of listeners) Deno.addSignalListener(signal, listener);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const again = () => {
    timer = setTimeout(() => look().then(again, ended.reject), intervalMs);
  };
  const reader = Deno.stdin.readable.getReader();
  const readAll = async () => {
    const decoder = new TextDecoder();
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      if (!readKeys(decoder.decode(chunk.value, { stream: true })).every((key) => screen.press(key))) break;
      draw();
    }
    ended.resolve();
  };
  try {
    await look();
    again();
    readAll().catch(ended.reject);
    await ended.promise;
  } finally {
    clearTimeout(timer);
    for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
  }
}

export async function run(args: string[]): Promise<number> {
  if (args[0] === "help" || args[0] === "--help") {
    print(HELP);
    return 0;
  }
  const intervalMs = intervalOf(args);
  if (!Deno.stdin.isTerminal() || !Deno.stdout.isTerminal()) {
    throw new CommandError(`a terminal is needed; "ipsecbox status" needs none`);
  }
  await show(intervalMs);
  return 0;
}
