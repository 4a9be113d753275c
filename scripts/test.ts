/**
 * The whole test run: installs what the tests need, makes the single file that the end-to-end tests use, checks format,
 * lint, types and layers, runs every test and every example, and ends with "N passed, N failed".
 *
 *     deno task test [FILTER ...]      only the test files whose path contains a filter, nothing else
 */
import { ensurePackages } from "./packages.ts";

const filters = Deno.args;
let passed = 0;
let failed = 0;

async function step(name: string, args: string[], command = Deno.execPath()): Promise<string> {
  console.log(`\n== ${name}`);
  const started = performance.now();
  const env = { NO_COLOR: "1" };
  const child = new Deno.Command(command, { args, env, stdin: "null", stdout: "piped", stderr: "inherit" }).spawn();
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    await Deno.stdout.write(chunk);
    text += decoder.decode(chunk, { stream: true });
  }
  const { success, code, signal } = await child.status;
  const counts = [...text.matchAll(/(\d+) passed(?: \(\d+ steps?\))? \| (\d+) failed/g)].at(-1);
  if (counts) {
    passed += Number(counts[1]);
    failed += Number(counts[2]);
  }
  // A run that fails without a failed test (a module that does not load, a leak) is a failure all the same.
  if (!success && !(counts && Number(counts[2]) > 0)) failed++;
  else if (!counts) passed++;
  console.log(
    `== ${name}: ${success ? "ok" : `FAILED, ${signal ?? `exit status ${code}`}`} (${
      ((performance.now() - started) / 1000).toFixed(0)
    } s)`,
  );
  return text;
}

function files(folder: string, matches: (path: string) => boolean): string[] {
  const found: string[] = [];
  for (const entry of Deno.readDirSync(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) found.push(...files(path, matches));
    else if (matches(path)) found.push(path);
  }
  return found.sort();
}

await ensurePackages("test");
await step("Pack the single file", ["run", "-A", "scripts/pack.ts"]);
const tests = files("tests", (path) => path.endsWith("_test.ts"));
const chosen = filters.length ? tests.filter((path) => filters.some((filter) => path.includes(filter))) : tests;
if (filters.length === 0) await step("Format, lint, types, layers", ["task", "check"]);
// Namespaces, ports and timing belong to one test at a time; everything else may share the machine.
const alone = (path: string) => /^tests\/(netns|interop)\//.test(path);
// Test files run in parallel share one process, and with it environment and umask, which these change.
const processWide = (path: string) => /^tests\/(cli|daemon|linux|release)\//.test(path);
const together = chosen.filter((path) => !alone(path) && !processWide(path));
if (together.length) {
  await step("Units, vectors, simulation, fuzz", ["test", "-A", "--quiet", "--parallel", ...together]);
}
const inTurn = chosen.filter(processWide);
if (inTurn.length) await step("Commands and daemons", ["test", "-A", "--quiet", ...inTurn]);
const apart = chosen.filter(alone);
if (apart.length) await step("Namespaces and interoperation", ["test", "-A", ...apart]);
if (filters.length === 0) {
  for (const example of files("examples", (path) => path.endsWith("/run"))) await step(example, [], example);
}
console.log(`\n${passed} passed, ${failed} failed`);
Deno.exit(failed ? 1 : 0);
