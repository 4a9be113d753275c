/** Log lines by class and level, to standard error or syslog. @module */
import { check, libc } from "../ffi/libc.ts";
import { SOCKET } from "../ffi/structs.ts";
import { LOG_CLASSES, type LogClass } from "../ike/events.ts";
import { tellStandardError } from "./standard_error.ts";

/** Severity of syslog(3). */
export type Severity = "error" | "warning" | "notice" | "info" | "debug";
const SYSLOG_SEVERITY: Record<Severity, number> = { error: 3, warning: 4, notice: 5, info: 6, debug: 7 };
const LOG_DAEMON = 3 << 3;

/** Where lines go. */
export interface LogSink {
  write(severity: Severity, line: string): void;
}

/** The largest debug level. */
export const LEVEL_LIMIT = 99;

/** Control characters would let a peer's octets write lines of their own. */
// deno-lint-ignore no-control-regex
const printable = (text: string) => text.replaceAll(/[\x00-\x08\x0a-\x1f\x7f]/g, "?");

/** A log with a debug level per class: a line of level n prints when n is not above the level of its class. */
export class Log {
  readonly #levels = new Map<LogClass, number>(LOG_CLASSES.map((name) => [name, 0]));
  #silenced: Map<LogClass, number> | undefined;

  constructor(public sink: LogSink) {}

  /** Always printed. */
  error(message: string): void {
    this.sink.write("error", printable(message));
  }
  warn(message: string): void {
    this.sink.write("warning", printable(message));
  }
  notice(message: string): void {
    this.sink.write("notice", printable(message));
  }

  /** Printed when the class's level is at least `level`. Takes a function where words cost time. */
  debug(name: LogClass, level: number, message: string | (() => string)): void {
    if (!this.enabled(name, level)) return;
    const text = typeof message === "string" ? message : message();
    for (const line of text.split("\n")) {
      this.sink.write("debug", `${name.padEnd(11)} ${String(level).padStart(2)} ${printable(line)}`);
    }
  }

  enabled(name: LogClass, level: number): boolean {
    return level <= this.#levels.get(name)!;
  }

  /** Sets one class, or all. @throws {RangeError} on a level beyond 0 to 99. */
  setLevel(name: LogClass | "all", level: number): void {
    if (!Number.isInteger(level) || level < 0 || level > LEVEL_LIMIT) {
      throw new RangeError(`found level ${level}, allowed 0 to ${LEVEL_LIMIT}`);
    }
    this.#silenced = undefined;
    for (const one of name === "all" ? LOG_CLASSES : [name]) this.#levels.set(one, level);
  }

  /** Switches all debugging off, or back to what it was. */
  toggle(): void {
    const saved = this.#silenced;
    this.#silenced = saved ? undefined : new Map(this.#levels);
    for (const one of LOG_CLASSES) this.#levels.set(one, saved?.get(one) ?? 0);
  }
}

/**
 * The class that `word` names: a number 0 to 10, a class's name, or `A` for all.
 *
 * @throws {RangeError}
 */
export function logClassOf(word: string): LogClass | "all" {
  if (word === "A") return "all";
  const byNumber = /^\d+$/.test(word) ? LOG_CLASSES[Number(word)] : undefined;
  const found = byNumber ?? LOG_CLASSES.find((name) => name.toLowerCase() === word.toLowerCase());
  if (found) return found;
  const table = LOG_CLASSES.map((name, i) => `${i} ${name}`).join(", ");
  throw new RangeError(`found debug class "${word}", allowed A (all), ${table}`);
}

/** `CLASS=LEVEL`, as `-D` and Loglevel have it. @throws {RangeError} */
export function parseDebugOption(text: string): { name: LogClass | "all"; level: number } {
  const match = /^([^=]+)=(\d{1,3})$/.exec(text);
  if (!match) throw new RangeError(`found "${text}", allowed CLASS=LEVEL (such as A=99)`);
  const level = Number(match[2]);
  if (level > LEVEL_LIMIT) throw new RangeError(`found level ${level}, allowed 0 to ${LEVEL_LIMIT}`);
  return { name: logClassOf(match[1]), level };
}

const encoder = new TextEncoder();

/** Lines with the time of day before them, as `isakmpd -d` prints. */
export function stderrSink(): LogSink {
  return {
    write(_severity, line) {
      const time = new Date();
      const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map((n) => String(n).padStart(2, "0"));
      tellStandardError(`${clock.join("")}.${String(time.getMilliseconds()).padStart(3, "0")} ${line}\n`);
    },
  };
}

const SYSLOG_SOCKET = "/dev/log";

/**
 * Lines to the system's log (RFC 3164 over /dev/log), facility daemon. Where nobody listens lines are lost, as with
 * syslog(3); the socket is opened again with the next line.
 */
export function syslogSink(name: string): LogSink {
  let fd = -1;
  const open = () => {
    const socket = check(
      libc().socket(SOCKET.AF_UNIX, SOCKET.SOCK_DGRAM | SOCKET.SOCK_CLOEXEC | SOCKET.SOCK_NONBLOCK, 0),
      "open the syslog socket",
    );
    const path = encoder.encode(SYSLOG_SOCKET);
    const address = new Uint8Array(2 + path.length + 1);
    address[0] = SOCKET.AF_UNIX;
    address.set(path, 2);
    if (libc().connect(socket, address, address.length) >= 0) return socket;
    libc().close(socket);
    return -1;
  };
  const send = (octets: Uint8Array<ArrayBuffer>) =>
    fd >= 0 && libc().sendBuffer(fd, octets, BigInt(octets.length), SOCKET.MSG_NOSIGNAL) >= 0;
  return {
    write(severity, line) {
      const [, month, day, , time] = /^\w+ (\w+) (\d+) (\d+) ([\d:]+)/.exec(new Date().toString())!;
      const stamp = `${month} ${String(Number(day)).padStart(2)} ${time}`;
      const octets = encoder.encode(
        `<${LOG_DAEMON | SYSLOG_SEVERITY[severity]}>${stamp} ${name}[${Deno.pid}]: ${line}`,
      );
      if (send(octets)) return;
      if (fd >= 0) libc().close(fd);
      fd = open();
      send(octets);
    },
  };
}
