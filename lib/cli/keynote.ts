/** `ipsecbox keynote`: OpenBSD's keynote(1), and `explain`. @module */
import { generateKeyPairSync } from "node:crypto";
import { generateRsaKey, type KeyObject } from "../crypto/signature.ts";
import { describeExplanation, explain } from "../keynote/explain.ts";
import { describeProblem, parseAssertion, parseAssertions, problemOf } from "../keynote/parse.ts";
import { formatPrincipal, PrincipalError } from "../keynote/principal.ts";
import { formatPrivateKey, parsePrivateKey, publicKeyOf } from "../keynote/private_key.ts";
import { addLocal, AssertionSet, type Query, query } from "../keynote/query.ts";
import {
  addCredentials,
  signAssertion,
  SIGNATURE_ALGORITHMS,
  SignatureError,
  verifySignature,
} from "../keynote/signature.ts";
import { octetsOf, octetsOfText } from "../keynote/text.ts";
import { splitAssertions } from "../keynote/token.ts";
import { decodeText } from "../octets/bytes.ts";
import { didYouMean } from "../octets/nearest.ts";
import { keepApart } from "./certificate_files.ts";
import { CommandError, reason } from "./command.ts";
import { print } from "./commands.ts";
import { getopt, OptionError } from "./getopt.ts";
import {
  formatLiteral,
  printForm,
  readEnvironment,
  readStandardInput,
  readText,
  readValueFile,
} from "./keynote_files.ts";

const KEY_ALGORITHMS = ["rsa-hex:", "rsa-base64:", "dsa-hex:", "dsa-base64:"];

export const HELP = `usage: keynote keygen ALGORITHM BITS PUBLIC-FILE PRIVATE-FILE [print-offset [print-length]]
       keynote sign [-v] ALGORITHM ASSERTION-FILE PRIVATE-FILE [print-offset [print-length]]
       keynote sigver [ASSERTION-FILE]
       keynote verify  [-h] -r VALUES -e FILE -l FILE -k FILE [CREDENTIAL-FILE ...]
       keynote explain [-h] -r VALUES -e FILE -l FILE -k FILE [CREDENTIAL-FILE ...]

keygen   makes a key pair. ALGORITHM is one of ${KEY_ALGORITHMS.join(" ")}
         "-" as a file is standard output. A private key's file is readable by its owner alone.
sign     prints the value for the Signature field of an assertion, which must have that field,
         if only an empty one, and the key's public half as its Authorizer. ALGORITHM is one of
${wrapped(SIGNATURE_ALGORITHMS, 9)}
         The private key is keygen's, or PEM. -v verifies what was signed.
sigver   verifies the signatures of all assertions in the file (or on standard input); the exit
         status is 1 when one does not hold.
verify   asks for the compliance value. The options can be repeated, all but -r:
         -r VALUES  compliance values in ascending order, separated by commas
         -e FILE    action attributes, lines of the form name = "value"
         -l FILE    assertions that are trusted as they are; one at least has Authorizer "POLICY"
         -k FILE    a principal that asks for the action: a key as keygen writes it, or any name
         The other files hold credentials; those whose signatures do not hold are left out.
explain  asks the same, and says which assertions and clauses decided, and which attributes would
         have had to differ for a higher value.

A print-offset is the number of blanks before each printed line (12), a print-length the length of
a line without them (50).
`;

function wrapped(words: readonly string[], indent: number): string {
  const lines = [""];
  for (const word of words) {
    if (lines[lines.length - 1].length + word.length > 84) lines.push("");
    lines[lines.length - 1] += `${word} `;
  }
  return lines.map((line) => " ".repeat(indent) + line.trimEnd()).join("\n");
}

const usage = (message: string): never => {
  throw new CommandError(`${message} ("ipsecbox help keynote" shows the usage)`);
};

/** Turns the errors of lib/keynote into the command's. */
function telling<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const known = error instanceof PrincipalError || error instanceof SignatureError || error instanceof RangeError;
    if (known) throw new CommandError(`${file}: ${(error as Error).message}`);
    throw error;
  }
}

function generate(kind: string, bits: number): KeyObject {
  if (kind === "rsa") return generateRsaKey(bits);
  if (bits < 512 || bits > 3072 || bits % 64) {
    throw new RangeError(`a DSA key has 512 to 3072 bits, in steps of 64, not ${bits}`);
  }
  return generateKeyPairSync("dsa", { modulusLength: bits, divisorLength: bits < 2048 ? 160 : 256 }).privateKey;
}

function keygen(args: string[]): number {
  if (args.length < 4 || args.length > 6) usage("keygen takes four to six arguments");
  const [given, size, publicFile, privateFile, offset, length] = args;
  let algorithm = given.toLowerCase();
  if (!algorithm.endsWith(":")) {
    print(`keynote: "${given}" should end with a colon, taken as "${given}:"\n`, Deno.stderr);
    algorithm += ":";
  }
  if (!KEY_ALGORITHMS.includes(algorithm)) {
    throw new CommandError(`no key algorithm "${given}", allowed ${KEY_ALGORITHMS.join(" ")}`);
  }
  const form = printForm(`private-${algorithm}`, offset, length);
  const [kind, encoding] = algorithm.slice(0, -1).split("-") as ["rsa" | "dsa", "hex" | "base64"];
  if (!/^\d{3,5}$/.test(size)) throw new CommandError(`a key size is a number of bits, not "${size}"`);
  keepApart([publicFile, privateFile].filter((path) => path !== "-"), []);
  const key = telling("key size", () => generate(kind, Number(size)));
  const publicText = formatLiteral(formatPrincipal(publicKeyOf(key), encoding), form);
  const privateText = formatLiteral(formatPrivateKey(key, encoding), form);
  const write = (path: string, text: string, mode: number) => {
    if (path === "-") return print(text);
    try {
      Deno.writeTextFileSync(path, text, { mode });
      Deno.chmodSync(path, mode); // the file may have been there
    } catch (error) {
      throw new CommandError(`${path}: ${reason(error)}`);
    }
  };
  write(publicFile, publicText, 0o644);
  if (publicFile === "-" && privateFile === "-") print(`${"=".repeat(27)}\n`);
  write(privateFile, privateText, 0o600);
  return 0;
}

function sign(args: string[]): number {
  const { options, rest } = readOptions(args, "v");
  if (rest.length < 3 || rest.length > 5) usage("sign takes three to five arguments");
  const [algorithm, assertionFile, keyFile, offset, length] = rest;
  if (!SIGNATURE_ALGORITHMS.includes(algorithm.toLowerCase())) {
    const hint = didYouMean(algorithm, SIGNATURE_ALGORITHMS) || `, allowed ${SIGNATURE_ALGORITHMS.join(" ")}`;
    throw new CommandError(`no signature algorithm "${algorithm}"${hint}`);
  }
  const form = printForm(algorithm, offset, length);
  const parts = splitAssertions(readText(assertionFile), assertionFile);
  if (parts.length !== 1) throw new CommandError(`${assertionFile}: one assertion is needed, it has ${parts.length}`);
  const [{ text, source }] = parts;
  const parsed = (of: string) => {
    try {
      return parseAssertion(of, source);
    } catch (error) {
      throw new CommandError(describeProblem(problemOf(error, { text: of, source })));
    }
  };
  const key = telling(keyFile, () => parsePrivateKey(readValueFile(keyFile)));
  const unsigned = parsed(text);
  const signature = telling(assertionFile, () => signAssertion(unsigned, algorithm, key));
  if (options.length > 0) {
    const signed = parsed(`${text.slice(0, unsigned.signature!.signedEnd)}Signature: "${signature}"\n`);
    telling(assertionFile, () => verifySignature(signed));
  }
  print(formatLiteral(signature, form));
  return 0;
}

function sigver(args: string[]): number {
  if (args.length > 1) usage("sigver takes one file");
  const [file] = args;
  const name = file ?? "standard input";
  const { assertions, problems } = parseAssertions(file === undefined ? readStandardInput() : readText(file), name);
  if (assertions.length + problems.length === 0) throw new CommandError(`${name}: no assertion in it`);
  let bad = problems.length;
  const several = assertions.length + problems.length > 1;
  for (const problem of problems) print(`${describeProblem(problem)}\n`);
  for (const assertion of assertions) {
    const place = several ? `${name}:${assertion.source.line}: ` : "";
    try {
      verifySignature(assertion);
      print(`${place}Signature verified.\n`);
    } catch (error) {
      if (!(error instanceof SignatureError)) throw error;
      print(`${place}Signature did not verify: ${error.message}.\n`);
      bad++;
    }
  }
  return bad > 0 ? 1 : 0;
}

function readOptions(args: string[], letters: string) {
  try {
    return getopt(args, letters);
  } catch (error) {
    if (error instanceof OptionError) return usage(error.message);
    throw error;
  }
}

/** Reads the files of verify and explain, asks, and prints. */
function ask(args: string[], explaining: boolean): number {
  const { options, rest } = readOptions(args, "hr:e:l:k:");
  if (args.length === 0 || options.some(({ letter }) => letter === "h")) {
    print(HELP, args.length === 0 ? Deno.stderr : Deno.stdout);
    return args.length === 0 ? 1 : 0;
  }
  const given = (letter: string) =>
    options.filter((option) => option.letter === letter).map(({ argument }) => argument);
  const [valueList, ...moreLists] = given("r");
  if (valueList === undefined) usage("-r: the compliance values are missing");
  if (moreLists.length > 0) usage("-r: one list of compliance values is needed");
  const values = octetsOfText(valueList).split(",");
  if (values.includes("")) usage(`-r: a value of "${valueList}" is empty`);
  const twice = values.find((value, i) => values.indexOf(value) < i);
  if (twice !== undefined) usage(`-r: "${decodeText(octetsOf(twice))}" stands twice in "${valueList}"`);
  for (const [letter, what] of [["e", "an environment"], ["l", "a trusted assertion"], ["k", "a requester"]]) {
    if (given(letter).length === 0) usage(`-${letter}: ${what} is needed`);
  }
  const local = new AssertionSet(), credentials = new AssertionSet();
  const problems = given("l").flatMap((path) => {
    const { assertions, problems } = parseAssertions(readText(path), path);
    if (assertions.length + problems.length === 0) throw new CommandError(`${path}: no assertion in it`);
    return [...problems, ...addLocal(local, assertions)];
  });
  for (const path of rest) problems.push(...addCredentials(credentials, readText(path), path));
  const question: Query = {
    requesters: given("k").map(readValueFile),
    attributes: new Map(given("e").flatMap((path) => [...readEnvironment(path)])),
    values,
  };
  const sets = [local, credentials];
  const decision = telling("query", () => query(sets, question));
  const readable = (text: string) => decodeText(octetsOf(text));
  print(`Query result = ${readable(decision.value)}\n`);
  if (explaining) {
    for (const line of describeExplanation(explain(sets, question, decision))) print(`${readable(line)}\n`);
  } else problems.push(...decision.problems);
  for (const problem of problems) print(`${readable(describeProblem(problem))}\n`);
  return 0;
}

const ACTIONS: Record<string, (args: string[]) => number> = {
  keygen,
  sign,
  sigver,
  verify: (args) => ask(args, false),
  explain: (args) => ask(args, true),
};

export function run(args: string[]): number {
  const [action, ...rest] = args;
  if (action === undefined || ["help", "-h", "--help"].includes(action)) {
    print(HELP, action === undefined ? Deno.stderr : Deno.stdout);
    return action === undefined ? 1 : 0;
  }
  if (!Object.hasOwn(ACTIONS, action)) {
    usage(`no action "${action}"${didYouMean(action, Object.keys(ACTIONS))}`);
  }
  return ACTIONS[action](rest);
}
