/** `ipsecbox certpatch`: OpenBSD's certpatch(8), which puts a subjectAltName into a certificate. @module */
import { parseCertificate } from "../x509/certificate.ts";
import { CertificateError } from "../x509/error.ts";
import { describeIdentity } from "../x509/identity.ts";
import { decodeFile } from "../x509/pem.ts";
import { patchIdentities } from "../x509/rewrite.ts";
import { verifyOctets } from "../x509/signature.ts";
import { publicKeyOf } from "../crypto/signature.ts";
import { CommandError } from "./command.ts";
import { print } from "./commands.ts";
import { fromFile, keepApart, readPrivateKey, writePem } from "./certificate_files.ts";
import { getopt, type GivenOption, OptionError } from "./getopt.ts";
import { identityFromText, type IdentityType, identityType } from "./identity_words.ts";

export const HELP = `usage: certpatch [-t ip|fqdn|ufqdn] -i identity -k signing-key input-cert output-cert

Puts an identity into a certificate as its subjectAltName, critical, in place of one that is there,
and signs it anew with the hash of its former signature. isakmpd accepts a certificate for the
identity that it carries and for no other.

-t TYPE  what the identity is: an address (ip, the default), a domain name (fqdn) or a user in one
         (ufqdn); upper and lower case do not matter
-i ID    the identity. Several may be given, each with a -t of its own or one -t for all
-k KEY   the private key of the authority that issued the certificate, PEM. It is not checked that
         it is: sign with another key and the certificate is worth nothing

Both certificates are PEM; they may be the same file.

example:
  certpatch -t fqdn -i home.mysite.se -k ca.key originalcert.crt newcert.crt
`;

/** The identities of the options: one type for all, or one for each. @throws {CommandError} */
function identities(options: readonly GivenOption[]) {
  const given = (letter: string) =>
    options.filter((option) => option.letter === letter).map(({ argument }) => argument);
  const types: IdentityType[] = given("t").map(identityType);
  const texts = given("i");
  if (texts.length === 0) throw new CommandError("-i: the identity is missing");
  if (types.length > 1 && types.length !== texts.length) {
    throw new CommandError(
      `-t: ${types.length} types for ${texts.length} identities; one for all or one for each is needed`,
    );
  }
  return texts.map((text, i) => identityFromText(types[types.length > 1 ? i : 0] ?? "ip", text));
}

export function run(args: string[]): number {
  if (["help", "--help"].includes(args[0])) {
    print(HELP);
    return 0;
  }
  let options: GivenOption[], files: string[];
  try {
    ({ options, rest: files } = getopt(args, "t:i:k:"));
    if (files.length !== 2) throw new OptionError(`two files are needed, an input and an output, not ${files.length}`);
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    print(`certpatch: ${error.message}\n${HELP.slice(0, HELP.indexOf("\n") + 1)}`, Deno.stderr);
    return 1;
  }
  const [input, output] = files;
  try {
    const names = identities(options);
    const keyFile = options.findLast(({ letter }) => letter === "k")?.argument;
    if (keyFile === undefined) throw new CommandError("-k: the key of the authority is missing");
    keepApart([output], [keyFile]);
    print(`reading certificate ${input}\n`);
    const der = fromFile(input, (octets) => {
      const [found] = decodeFile(octets, "CERTIFICATE");
      parseCertificate(found);
      return found;
    });
    const key = readPrivateKey(keyFile);
    const { der: patched, algorithm } = patchIdentities(der, names, key);
    const { tbs, signature } = parseCertificate(patched);
    const good = verifyOctets(publicKeyOf(key), algorithm, tbs, signature);
    print(`signing with the ${algorithm.key.toUpperCase()} key, ${algorithm.name}: ${good ? "OKAY" : "FAILED"}\n`);
    if (!good) return 1;
    writePem(output, "CERTIFICATE", patched);
    print(`writing certificate ${output} with ${names.map(describeIdentity).join(", ")}\n`);
    return 0;
  } catch (error) {
    // The original tells these on standard output.
    const known = error instanceof CommandError || error instanceof CertificateError || error instanceof RangeError;
    if (!known) throw error;
    print(`certpatch: ${error.message}\n`);
    return 1;
  }
}
