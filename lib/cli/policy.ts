/** `ipsecbox policy test`: asks isakmpd.policy without a negotiation. @module */
import { readPolicy, secretPrincipals } from "../daemon/isakmpd_policy.ts";
import { namePrincipals, principalsOf, pseudoCredentials } from "../daemon/pseudo_credentials.ts";
import { PrivateFileError, readPrivateFile } from "../daemon/private_file.ts";
import { POLICY_ATTRIBUTES } from "../ike/policy_attributes.ts";
import { describeExplanation, explain } from "../keynote/explain.ts";
import { describeProblem, parseAssertions } from "../keynote/parse.ts";
import { PrincipalError } from "../keynote/principal.ts";
import { addLocal, AssertionSet, query } from "../keynote/query.ts";
import { addCredentials } from "../keynote/signature.ts";
import { octetsOf, octetsOfText } from "../keynote/text.ts";
import { decodeText } from "../octets/bytes.ts";
import { didYouMean } from "../octets/nearest.ts";
import { Secret } from "../octets/secret.ts";
import { type Certificate, parseCertificate } from "../x509/certificate.ts";
import { validatePath } from "../x509/path.ts";
import { decodeFile } from "../x509/pem.ts";
import { CommandError, reason } from "./command.ts";
import { print } from "./commands.ts";
import { getopt, OptionError } from "./getopt.ts";
import { readText } from "./keynote_files.ts";

export const HELP = `usage: ipsecbox policy test [-k PRINCIPAL] [-s FILE] [-x CERTIFICATE [-a CA-CERTIFICATE ...]]
                            [-c CREDENTIALS] POLICY-FILE [NAME=VALUE ...]

Asks the policy of isakmpd(8) as it is asked in phase 2, without a negotiation, prints true or
false and why. The exit status is 0 for true, 1 for false.

-k PRINCIPAL    who asks: a key, a name, DN:/C=SE/... (no pass-phrase: others see it)
-s FILE         who asks: whoever knows the pre-shared key in the file (its last newline is none)
-x CERTIFICATE  who asks: the holder of this certificate; with -a it must hold, and what its
                authorities say of it counts
-c CREDENTIALS  KeyNote credentials that come with the question
NAME=VALUE      action attributes. app_domain, doi and the times of day are set already; addresses
                are padded (192.168.001.002).

The attributes are
${
  (() => {
    const lines = [" "];
    for (const name of POLICY_ATTRIBUTES) {
      if (lines[lines.length - 1].length + name.length > 92) lines.push(" ");
      lines[lines.length - 1] += ` ${name}`;
    }
    return lines.join("\n");
  })()
}

example:
  ipsecbox policy test -k DN:/C=SE/O=MySite/CN=gw /etc/isakmpd/isakmpd.policy \\
      esp_present=yes esp_enc_alg=3des remote_id_type=FQDN remote_id=gw.worksite.se
`;

function attribute(word: string): [string, string] {
  const equals = word.indexOf("=");
  if (equals < 1) throw new CommandError(`"${word}": an attribute is NAME=VALUE`, 2);
  const name = word.slice(0, equals);
  if (!POLICY_ATTRIBUTES.includes(name)) {
    const hint = didYouMean(name, POLICY_ATTRIBUTES) || ' ("ipsecbox help policy" lists them)';
    throw new CommandError(`no attribute "${name}"${hint}`, 2);
  }
  return [name, octetsOfText(word.slice(equals + 1))];
}

function readCertificate(path: string): Certificate {
  try {
    return parseCertificate(decodeFile(Deno.readFileSync(path), "CERTIFICATE")[0]);
  } catch (error) {
    throw new CommandError(`${path}: ${reason(error)}`, 2);
  }
}

/** The principals of a certificate's holder, and what the path to an authority says, added to `set`. */
function holder(path: string, authorities: Certificate[], set: AssertionSet, nowMs: number): string[] {
  const certificate = readCertificate(path);
  if (authorities.length === 0) return principalsOf(certificate);
  const result = validatePath(certificate, { authorities, intermediates: authorities, revocationLists: [], nowMs });
  if (!result.ok) throw new CommandError(`${path}: ${result.message}`, 2);
  for (const warning of result.warnings) print(`policy: ${path}: ${warning}\n`, Deno.stderr);
  result.path.slice(0, -1).forEach((each, i) => {
    const text = pseudoCredentials(each, result.path[i + 1]);
    addLocal(set, parseAssertions(text, namePrincipals(each)[0] ?? path).assertions);
  });
  return principalsOf(certificate);
}

function test(args: string[]): number {
  let given;
  try {
    given = getopt(args, "k:s:x:a:c:");
  } catch (error) {
    if (error instanceof OptionError) {
      throw new CommandError(`${error.message} ("ipsecbox help policy" shows the usage)`, 2);
    }
    throw error;
  }
  const { options, rest: [policyFile, ...words] } = given;
  if (policyFile === undefined) {
    throw new CommandError('the policy file is missing ("ipsecbox help policy" shows the usage)', 2);
  }
  const empty = options.find(({ argument }) => argument === "");
  if (empty) throw new CommandError(`-${empty.letter}: its argument is empty`, 2);
  const of = (letter: string) => options.filter((option) => option.letter === letter).map(({ argument }) => argument);
  const now = new Date();
  const accompanying = new AssertionSet();
  let policy;
  const requesters: string[] = of("k").map((text) => octetsOfText(text));
  try {
    policy = readPolicy(policyFile);
    for (const path of of("s")) {
      const octets = readPrivateFile(path, "pre-shared key");
      const length = octets.at(-1) === 0x0a ? octets.length - 1 : octets.length;
      requesters.push(...secretPrincipals(new Secret(octets.subarray(0, length))));
    }
  } catch (error) {
    if (error instanceof PrivateFileError) throw new CommandError(error.message, 2);
    throw error;
  }
  const authorities = of("a").map(readCertificate);
  for (const path of of("x")) requesters.push(...holder(path, authorities, accompanying, now.getTime()));
  const problems = [
    ...policy.problems,
    ...of("c").flatMap((path) => addCredentials(accompanying, readText(path), path)),
  ];
  const two = (number: number) => String(number).padStart(2, "0");
  const local = [now.getMonth() + 1, now.getDate(), now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join(
    "",
  );
  const question = {
    requesters,
    attributes: new Map([
      ["app_domain", "IPsec policy"],
      ["doi", "ipsec"],
      ["GMTTimeOfDay", now.toISOString().replace(/[-:T]/g, "").slice(0, 14)],
      ["LocalTimeOfDay", `${now.getFullYear()}${local}`],
      ...words.map(attribute),
    ]),
    values: ["false", "true"],
  };
  const sets = [policy.assertions, accompanying];
  let decision;
  try {
    decision = query(sets, question);
  } catch (error) {
    if (error instanceof PrincipalError) throw new CommandError(`-k: ${error.message}`, 2);
    throw error;
  }
  print(`${decision.value}\n`);
  for (const line of describeExplanation(explain(sets, question, decision))) print(`${decodeText(octetsOf(line))}\n`);
  for (const problem of problems) print(`policy: ${describeProblem(problem)}\n`, Deno.stderr);
  if (policy.assertions.size === 0) print(`policy: ${policyFile}: no assertion in it counts\n`, Deno.stderr);
  return decision.value === "true" ? 0 : 1;
}

export function run(args: string[]): number {
  const [action, ...rest] = args;
  if (action === "help" || action === "--help" || action === "-h") {
    print(HELP);
    return 0;
  }
  if (action !== "test") {
    throw new CommandError(
      `${
        action === undefined ? "test" : `"test", not "${action}",`
      } is needed ("ipsecbox help policy" shows the usage)`,
      2,
    );
  }
  return test(rest);
}
