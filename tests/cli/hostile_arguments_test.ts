// Mistyped and hostile arguments of every command: a clear line and an exit status, never an accident of the program.
// What a command would do to the system is forbidden here, so that only its reading of arguments and files is tried.
import { assertEquals } from "@std/assert";
import { flatten, shapeOf } from "../../lib/cli/command_shape.ts";
import { COMMANDS } from "../../lib/cli/commands.ts";
import { runHere } from "./run.ts";
import { generator, type Random } from "../fuzz/mutate.ts";

const ROUNDS = 4000;
const scratch = Deno.makeTempDirSync({ prefix: "ipsecbox-words-" });
const made = (name: string, octets: Uint8Array | string, mode = 0o600): string => {
  const path = `${scratch}/${name}`;
  Deno.writeFileSync(path, typeof octets === "string" ? new TextEncoder().encode(octets) : octets, { mode });
  Deno.chmodSync(path, mode);
  return path;
};

const FILES = [
  made("key", "0123456789abcdef23456789abcdef01456789abcdef0123\n"),
  made("odd", "0123456789abcde\n"),
  made("open", "0123456789abcdef\n", 0o644),
  made("empty", ""),
  made("zeros", new Uint8Array(2000)),
  made("noise", Uint8Array.from({ length: 999 }, (_, i) => i * i * 7 % 256)),
  made("words", "[General]\nconstructor= __proto__\n[constructor]\nPhase= 1\nRenegotiate-on-HUP\nnew esp -spi\n"),
  made("pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"),
  `${scratch}/none`,
  scratch,
  "/dev/null",
  "/",
  "",
];
const WORDS = [
  ...["1.2.3.4", "10.0.0.0/8", "10.0.0.0/33", "1.2.3", "::1", "fe80::1%lo", "2001:db8::/129", "255.255.255.0"],
  ...["0", "1", "-1", "1000", "ffffffff", "100000000", "65536", "4500", "1e9", "0x1f", "NaN", "Infinity", "٣", "3.5"],
  ...["99999999999999999999999999999999", "-0", "+5", "1 2", " ", "\t", "a\nb", "a=b", "=", "x=", "-", "--", "---"],
  ...["constructor", "__proto__", "toString", "hasOwnProperty", "undefined", "null", "true", "%s%n", "$(id)", "`id`"],
  ...[
    "tcp",
    "icmp",
    "telnet",
    "esp",
    "ah",
    "ip4",
    "des",
    "3des",
    "aes",
    "sha1",
    "md5",
    "encap",
    "all",
    "fqdn",
    "rsa-hex:",
  ],
  ...["é", "日本語", "🔑", "\u202e", "\ud800", "\x1b[2J", "a".repeat(5000), "0".repeat(40_000), "ab".repeat(20)],
];

const SHAPES =
  (await Promise.all(COMMANDS.map(async ({ name, summary, load }) => flatten(shapeOf(name, summary, await load())))))
    .flat();

function line(random: Random): string[] {
  const shape = SHAPES[random(SHAPES.length)];
  const any = () => random(3) ? WORDS[random(WORDS.length)] : FILES[random(FILES.length)];
  const words = [...shape.path];
  for (let count = random(7); count > 0; count--) {
    const option = shape.options[random(shape.options.length)];
    const literal = shape.words[random(shape.words.length)];
    switch (random(6)) {
      case 0:
        words.push(any());
        break;
      case 1:
        if (literal) words.push(literal + (random(2) ? any() : ""));
        break;
      case 2:
        if (option) words.push(random(2) ? option.name : `${option.name}${random(2) ? "=" : ""}${any()}`);
        break;
      default:
        if (option) words.push(option.name, ...(option.argument ?? "").split(" ").filter(Boolean).map(any));
    }
  }
  if (!random(10)) words.splice(random(words.length), 1);
  if (!random(10)) words.reverse();
  return words;
}

const ACCIDENT = /\b(Type|Reference|Range|Syntax)Error\b|undefined|\[object |NaN|^\s+at .*:\d+/m;

/** What is wrong with how a command line ended; undefined when nothing is. */
async function complaint(words: string[], environment: Record<string, string>): Promise<string | undefined> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), 10_000);
  try {
    const outcome = await Promise.race([runHere(words, environment), late.promise]);
    if (!outcome) return "still running";
    const { status, out, err } = outcome;
    if (![0, 1, 2].includes(status)) return `status ${status}`;
    if (status !== 0 && err + out === "") return `status ${status} without a word`;
    // Words that were given may come back.
    if (!ACCIDENT.test(words.join(" ")) && ACCIDENT.test(out + err)) return (out + err).slice(0, 300);
    if (err.length > 3000) return `${err.length} characters of error`;
    // deno-lint-ignore no-control-regex
    return /[\x00-\x08\x0b-\x1f\x7f]/.test(err) ? `control characters: ${JSON.stringify(err)}` : undefined;
  } catch (error) {
    return error instanceof Deno.errors.NotCapable ? undefined : (error as Error).stack;
  } finally {
    clearTimeout(timer);
  }
}

Deno.test({
  name: "mistyped and hostile arguments of every command end in a clear line and status 1 or 2",
  permissions: { read: true, env: true, write: [scratch], net: false, ffi: false, run: false, sys: true, import: true },
  async fn() {
    const random = generator(2026);
    const environment = { IPSECBOX_RUN: `${scratch}/run`, IPSECBOX_ETC: `${scratch}/etc` };
    const stdin = Deno.stdin.readSync;
    Deno.stdin.readSync = () => null;
    const bad: string[] = [];
    try {
      for (let round = 0; round < ROUNDS; round++) {
        const words = line(random);
        const wrong = await complaint(words, environment);
        if (wrong) bad.push(`${JSON.stringify(words.map((word) => word.slice(0, 60)))}: ${wrong}`);
      }
    } finally {
      Deno.stdin.readSync = stdin;
      Deno.removeSync(scratch, { recursive: true });
    }
    assertEquals(bad, []);
  },
});
