import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { flatten, kindOf, shapeOfHelp } from "../../lib/cli/command_shape.ts";
import { allShapes, completionScript, type Shell } from "../../lib/cli/completion.ts";
import { COMMANDS } from "../../lib/cli/commands.ts";
import { runHere } from "./run.ts";

/** Runs a shell in which `ipsecbox` is a stand-in that knows two SPIs and two addresses. */
async function shellOutput(command: string, args: string[]): Promise<string> {
  const folder = await Deno.makeTempDir();
  const answers = 'case "$*" in *spi) printf "1000\\n1001\\n";; *peer) printf "192.0.2.1\\n2001:db8::1\\n";; esac';
  await Deno.writeTextFile(`${folder}/ipsecbox`, `#!/bin/sh\n${answers}\n`, { mode: 0o755 });
  const { success, stdout, stderr } = await new Deno.Command(command, {
    args,
    cwd: Deno.cwd(),
    env: { PATH: `${folder}:${Deno.env.get("PATH")}`, HOME: folder },
  }).output().finally(() => Deno.remove(folder, { recursive: true }));
  const problems = new TextDecoder().decode(stderr);
  assert(success && problems === "", problems);
  return new TextDecoder().decode(stdout);
}

function onPath(command: string): boolean {
  return (Deno.env.get("PATH") ?? "").split(":").some((folder) => {
    try {
      return Deno.statSync(`${folder}/${command}`).isFile;
    } catch {
      return false;
    }
  });
}

/** Writes the script, runs `use` with its path. */
async function withScript<T>(shell: Shell, use: (path: string) => Promise<T>): Promise<T> {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, await completionScript(shell));
    return await use(path);
  } finally {
    await Deno.remove(path);
  }
}

/** Command lines, the last word of each as far as it is typed, and what it must be completed with. */
const CASES: readonly (readonly [line: string, expected: string])[] = [
  ["ipsecbox ipse", "ipsecadm"],
  ["ipsecbox help kern", "kern-ipsec"],
  ["ipsecadm new e", "esp"],
  ["ipsecbox ipsecadm new e", "esp"],
  ["/usr/sbin/ipsecadm new esp -forcet", "-forcetunnel"],
  ["ipsecadm flow -dontac", "-dontacq"],
  ["ipsecadm flush --j", ""],
  ["ipsecbox netstat -p p", "policy"],
  ["ipsecbox enc --hol", "--hold"],
  ["ipsecbox enc -i l", "lo"],
  ["certpatch -t uf", "ufqdn"],
  ["startkey tds", "tdst="],
  ["ipsecbox sysctl net.inet.ah", "net.inet.ah.enable"],
  ["ipsecbox pki policy", "policy-base64"],
  ["isakmpd -c deno.js", "deno.json"],
  ["ipsecbox check READ", "README.md"],
  ["isakmpd -W docs", "docs"],
  ["ipsecbox nonsense -", ""],
  ["ipsecbox dump isa", "isakmp"],
  ["ipsecbox dump esp and not ho", "host"],
  ["ipsecbox dump -i lo src por", "port"],
  ["ipsecbox dump udp port 45", "4500"],
  ["ipsecadm new esp -enc aes-g", "aes-gcm aes-gmac"],
  ["ipsecadm new ah -auth rmd", "rmd160"],
  ["ipsecbox dump spi 1", "1000 1001"],
  ["ipsecadm delspi -spi 1", "1000 1001"],
  ["ipsecbox dump host 192.", "192.0.2.1"],
];

Deno.test("bash completes commands, subcommands, options, their arguments and files", async () => {
  const source = `source "$1"; shift
    for line in "$@"; do
      COMP_WORDS=($line) COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)) COMPREPLY=()
      _ipsecbox && echo "\${COMPREPLY[*]}"
    done`;
  const lines = CASES.map(([line]) => line);
  const out = await withScript("bash", (path) => shellOutput("bash", ["-c", source, "bash", path, ...lines]));
  const found = out.split("\n");
  assertEquals(CASES.map(([line], i) => [line, found[i]]), CASES.map(([line, expected]) => [line, expected]));
});

/** What all expected words of a line are among. */
function assertOffered(line: string, expected: string, offered: readonly string[]): void {
  for (const word of expected.split(" ").filter(Boolean)) {
    assert(
      offered.some((one) => one === word || one === `${word}/`),
      `${line}: ${word} is not among ${offered.join(" ")}`,
    );
  }
}

Deno.test("zsh offers the same", async () => {
  // The script calls zsh's own functions to offer words; these say which.
  const source = `
    compdef() { : }
    compadd() { while (( $# )) && [[ "$1" != -- ]]; do shift; done; shift; print -rl -- "$@" }
    _describe() { local name; name="\${@[-1]}"; print -rl -- \${\${(P)name}%%:*} }
    _files() { [[ "$1" == -/ ]] && print -rl -- *(/) || print -rl -- *(.) }
    source "$1"; shift
    for line in "$@"; do
      words=(\${=line}) CURRENT=\${#words}
      _ipsecbox; print -r -- "=="
    done`;
  const lines = CASES.map(([line]) => line);
  const out = await withScript("zsh", (path) => shellOutput("zsh", ["-f", "-c", source, "zsh", path, ...lines]));
  const found = out.split("==\n");
  CASES.forEach(([line, expected], i) => assertOffered(line, expected, found[i].split("\n")));
});

Deno.test("fish offers the same", async () => {
  const lines = CASES.map(([line]) => line.replace(/^\/usr\/sbin\//, ""));
  const source = "source $argv[1]; for line in $argv[2..-1]; complete -C $line; echo ==; end";
  const out = await withScript("fish", (path) => shellOutput("fish", ["-c", source, path, ...lines]));
  const found = out.split("==\n");
  CASES.forEach(([line, expected], i) =>
    assertOffered(line, expected, found[i].split("\n").map((row) => row.split("\t")[0]))
  );
});

Deno.test("bash completes for ipsecbox and the OpenBSD names", async () => {
  const source = 'source "$1"; complete -p ipsecadm isakmpd rc.vpn ipsecbox';
  const out = await withScript("bash", (path) => shellOutput("bash", ["-c", source, "bash", path]));
  assertEquals(out.trim().split("\n").map((line) => line.split(" ").at(-1)), [
    "ipsecadm",
    "isakmpd",
    "rc.vpn",
    "ipsecbox",
  ]);
});

Deno.test("every command, option and summary is in the scripts for zsh and fish", async () => {
  const [zsh, fish] = [await completionScript("zsh"), await completionScript("fish")];
  assertMatch(zsh, /^#compdef ipsecbox ipsecadm isakmpd /);
  for (const { path, options } of (await allShapes()).flatMap(flatten)) {
    assertStringIncludes(zsh, `    '${path.join(" ")}')\n`);
    for (const { name } of options) {
      assertStringIncludes(zsh, `'${name}:`);
      const bare = name.replace(/^-+/, "");
      const given = name.startsWith("--") ? `-l ${bare}` : bare.length === 1 ? `-s ${bare}` : `-o ${bare}`;
      assert(
        fish.split("\n").some((line) => line.includes(` ${path.join(" ")}' ${given}`)),
        `${path.join(" ")} ${name} is missing for fish`,
      );
    }
  }
  for (const { name } of COMMANDS) {
    assertStringIncludes(fish, `complete -c ipsecbox -n '__ipsecbox_only' -f -a '${name}'`);
  }
  for (const [shell, text] of [["zsh", zsh], ["fish", fish]] as const) {
    if (onPath(shell)) await withScript(shell, (path) => shellOutput(shell, ["-n", path]));
    assertEquals(text.split("\n").filter((line) => /\bundefined\b|\[object/.test(line)), []);
  }
  if (onPath("fish")) {
    const answers = await withScript(
      "fish",
      (path) =>
        shellOutput("fish", [
          "-c",
          `source ${path}; complete -C"ipsecadm new esp -forcet"; complete -C"certpatch -t uf"`,
        ]),
    );
    assertMatch(answers, /^-forcetunnel\t.*\nufqdn\t/);
  }
});

Deno.test("help becomes options with arguments, texts, subcommands and words", () => {
  const help = `usage: ipsecbox thing [-nq] [-t ip|fqdn] -f FILE [--long DIR]
       ipsecbox thing add -k KEY [WORD]

Does -x nothing.

  -f FILE  a file
  -vv      more
  net.inet.x.y  a name
add    adds; the rest is detail
`;
  const shape = shapeOfHelp("thing", "a thing", help);
  assertEquals(
    shape.subcommands.map(({ path, summary, options }) => [path, summary, options.map(({ name }) => name)]),
    [
      [["thing", "add"], "adds", ["-k"]],
    ],
  );
  assertEquals(shape.options, [
    { name: "--long", text: "", argument: "DIR" },
    { name: "-f", text: "a file", argument: "FILE" },
    { name: "-n", text: "" },
    { name: "-q", text: "" },
    { name: "-t", text: "", argument: "ip|fqdn" },
  ]);
  assertEquals(shape.words, ["net.inet.x.y"]);
  assertEquals(["FILE", "DIR", "INTERFACE", "a|b", "COUNT", undefined].map(kindOf), [
    "file",
    "directory",
    "interface",
    ["a", "b"],
    "none",
    "none",
  ]);
});

Deno.test("completion refuses what it does not know", async () => {
  for (
    const [args, message] of [[[], /name of a shell/], [["tcsh"], /"tcsh", only for bash, zsh, fish/], [
      ["zsh", "x"],
      /"x"/,
    ]] as const
  ) {
    const { status, out, err } = await runHere(["completion", ...args]);
    assertEquals([status, out], [2, ""]);
    assertMatch(err, message);
  }
});
