/** `ipsecbox pki`: the procedure of README.PKI, a step for each action, with the openssl commands that do the same. @module */
import { generateKeyPairSync } from "node:crypto";
import { encodePublicKey, generateRsaKey, type KeyObject } from "../crypto/signature.ts";
import { formatBase64 } from "../octets/base64.ts";
import { type Bytes, decodeText } from "../octets/bytes.ts";
import { didYouMean } from "../octets/nearest.ts";
import { buildCertificate, buildRevocationList, checkKey, type RevokedEntry } from "../x509/build.ts";
import { parseRevocationList } from "../x509/crl.ts";
import { CertificateError } from "../x509/error.ts";
import { describeIdentity, type Identity } from "../x509/identity.ts";
import { nameFromText } from "../x509/name.ts";
import { decodeFile } from "../x509/pem.ts";
import { describeFile } from "./pki_show.ts";
import { fromFile, readCertificate, readPrivateKey, writePem, writePrivateKey } from "./certificate_files.ts";
import { CommandError } from "./command.ts";
import { print } from "./commands.ts";
import { getopt, type GivenOption, OptionError } from "./getopt.ts";
import { guessType, identityFromText, identityType } from "./identity_words.ts";

export const HELP = `usage: ipsecbox pki ca   -s SUBJECT -o ca.crt -k ca.key [-b BITS] [-d DAYS] [-p PATHLENGTH]
       ipsecbox pki cert -s SUBJECT -i ID ... -c ca.crt -k ca.key -o NAME.crt -n NAME.key
                         [-t TYPE] [-b BITS] [-d DAYS]
       ipsecbox pki crl  -c ca.crt -k ca.key -o ca.crl [-d DAYS] [-r REASON] [REVOKED.crt ...]
       ipsecbox pki show FILE ...
       ipsecbox pki dn FILE
       ipsecbox pki policy-base64 FILE

Each action is one step towards isakmpd with certificates, and tells on standard error which
openssl commands do the same.

ca     a new key, and a certificate of an authority with it, signed by itself
cert   a new key for a peer, and a certificate of the authority for it. -i is the identity that
       the peer's ID payload will have: an address, a domain name or user@domain; -t says which
       (ip, fqdn, ufqdn) when its looks do not. NAME.key goes to /etc/isakmpd/private/local.key,
       NAME.crt to /etc/isakmpd/certs/, ca.crt to /etc/isakmpd/ca/ of every peer
crl    a list of revoked certificates. What the file lists already stays listed. It goes to
       /etc/isakmpd/crls/. REASON is ${Object.keys(revocationReasons()).join(", ")}
show   certificates, CRLs and keys in words
dn     a certificate's name as a policy's Licensees has it: "DN:/C=SE/O=MySite/CN=gw"
policy-base64  a certificate as a policy's Licensees has it: "x509-base64:..."

SUBJECT is a name in one line, /C=SE/O=MySite/CN=gw.mysite.se; put the ID into the CN, so that names
stay unique. BITS: an RSA key (2048 if not given), or 256, 384 or 521 for ECDSA. DAYS: 365, for a CRL 30.

example:
  ipsecbox pki ca -s "/C=SE/O=MySite/CN=MySite CA" -o ca.crt -k ca.key
  ipsecbox pki cert -s /C=SE/O=MySite/CN=gw.mysite.se -i gw.mysite.se -c ca.crt -k ca.key \\
      -o gw.mysite.se.crt -n local.key
`;

/** Reasons of RFC 5280 section 5.3.1 that make sense for a list that stays. */
function revocationReasons(): Record<string, number> {
  return {
    keyCompromise: 1,
    CACompromise: 2,
    affiliationChanged: 3,
    superseded: 4,
    cessationOfOperation: 5,
    privilegeWithdrawn: 9,
  };
}

const DAY_MS = 86_400_000;
const HASH = "sha256";

class Options {
  constructor(readonly given: readonly GivenOption[], readonly files: readonly string[]) {}

  all(letter: string): string[] {
    return this.given.filter((option) => option.letter === letter).map(({ argument }) => argument);
  }
  maybe(letter: string): string | undefined {
    return this.all(letter).at(-1);
  }
  need(letter: string, what: string): string {
    return this.maybe(letter) ?? fail(`-${letter}: ${what} is missing`);
  }
  number(letter: string, otherwise: number, least: number, most: number): number {
    const text = this.maybe(letter);
    if (text === undefined) return otherwise;
    const value = Number(text);
    if (!/^\d{1,6}$/.test(text) || value < least || value > most) {
      fail(`-${letter}: a number from ${least} to ${most} is needed, not "${text}"`);
    }
    return value;
  }
}

function fail(message: string): never {
  throw new CommandError(`${message} ("ipsecbox help pki" shows the usage)`, 2);
}

/** A word of the shell. */
const word = (text: string): string => /^[A-Za-z0-9_./=:@,-]+$/.test(text) ? text : `'${text.replace(/'/g, `'\\''`)}'`;

function tell(...commands: string[]): void {
  for (const command of commands) print(`${command}\n`, Deno.stderr);
}

const CURVES: Record<number, string> = { 256: "P-256", 384: "P-384", 521: "P-521" };

function newKey(bits: number): { key: KeyObject; command: string } {
  if (CURVES[bits]) {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: CURVES[bits] });
    return {
      key: privateKey,
      command: `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:${CURVES[bits]} -out`,
    };
  }
  try {
    return {
      key: generateRsaKey(bits),
      command: `openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:${bits} -out`,
    };
  } catch (error) {
    if (error instanceof RangeError) return fail(`-b: ${error.message}`);
    throw error;
  }
}

/** Sixteen random octets, the first of which is not zero and not a sign. */
function newSerial(): Bytes {
  const serial = crypto.getRandomValues(new Uint8Array(16));
  serial[0] = serial[0] & 0x7f | 0x40;
  return serial;
}

/** Whole seconds, an hour ago, so that a peer whose clock is behind accepts a certificate at once. */
const start = (): number => Math.floor((Date.now() - DAY_MS / 24) / 1000) * 1000;

function ca(options: Options): number {
  const subject = nameFromText(options.need("s", "the name of the authority"));
  const [certificateFile, keyFile] = [options.need("o", "the certificate's file"), options.need("k", "the key's file")];
  const days = options.number("d", 365, 1, 36500);
  const pathLength = options.maybe("p") === undefined ? undefined : options.number("p", 0, 0, 16);
  const { key, command } = newKey(options.number("b", 2048, 256, 16384));
  const notBefore = start();
  const der = buildCertificate({
    subject,
    spki: encodePublicKey(key),
    identities: [],
    authority: { pathLength },
    serial: newSerial(),
    notBefore,
    notAfter: notBefore + days * DAY_MS,
    hash: HASH,
  }, { key });
  writePrivateKey(keyFile, key);
  writePem(certificateFile, "CERTIFICATE", der);
  const constraints = `critical,CA:TRUE${pathLength === undefined ? "" : `,pathlen:${pathLength}`}`;
  tell(
    `${command} ${word(keyFile)}`,
    `openssl req -new -x509 -utf8 -key ${word(keyFile)} -subj ${word(subject.text)} -days ${days} -sha256 ` +
      `-addext basicConstraints=${constraints} -addext keyUsage=critical,keyCertSign,cRLSign -out ${
        word(certificateFile)
      }`,
  );
  print(`${certificateFile}: ${subject.text}\n${keyFile}: its private key; keep it safe, and off the gateways\n`);
  return 0;
}

const SAN_WORDS: Record<Identity["type"], string> = {
  IPV4_ADDR: "IP",
  IPV6_ADDR: "IP",
  FQDN: "DNS",
  USER_FQDN: "email",
  DER_ASN1_DN: "dirName",
};

const sanWord = (identity: Identity): string => {
  const text = identity.type.startsWith("IPV") ? describeIdentity(identity) : decodeText(identity.octets);
  return `${SAN_WORDS[identity.type]}:${text}`;
};

function cert(options: Options): number {
  const subject = nameFromText(options.need("s", "the name of the peer"));
  const texts = options.all("i");
  if (texts.length === 0) fail("-i: the identity is missing");
  const type = options.maybe("t");
  const identities = texts.map((text) => identityFromText(type ? identityType(type) : guessType(text), text));
  const [caFile, caKeyFile] = [
    options.need("c", "the authority's certificate"),
    options.need("k", "the authority's key"),
  ];
  const [certificateFile, keyFile] = [
    options.need("o", "the certificate's file"),
    options.need("n", "the new key's file"),
  ];
  const days = options.number("d", 365, 1, 36500);
  const issuer = { certificate: readCertificate(caFile), key: readPrivateKey(caKeyFile) };
  checkKey(issuer.certificate, issuer.key);
  if (issuer.certificate.basicConstraints?.ca === false) fail(`${caFile}: it is not an authority's certificate`);
  const { key, command } = newKey(options.number("b", 2048, 256, 16384));
  const notBefore = start();
  const notAfter = Math.min(notBefore + days * DAY_MS, issuer.certificate.notAfter.at);
  const request = { subject, spki: encodePublicKey(key), identities, serial: newSerial(), notBefore, notAfter };
  const der = buildCertificate({ ...request, hash: HASH }, issuer);
  writePrivateKey(keyFile, key);
  writePem(certificateFile, "CERTIFICATE", der);
  const csr = `${certificateFile.replace(/\.crt$/, "")}.csr`;
  const extensions = [
    "basicConstraints=critical,CA:FALSE",
    "keyUsage=critical,digitalSignature,nonRepudiation",
    `subjectAltName=${identities.map(sanWord).join(",")}`,
  ];
  tell(
    `${command} ${word(keyFile)}`,
    `openssl req -new -utf8 -key ${word(keyFile)} -subj ${word(subject.text)} -out ${word(csr)}`,
    `printf '${extensions.join("\\n")}\\n' | openssl x509 -req -in ${word(csr)} -CA ${word(caFile)} -CAkey ${
      word(caKeyFile)
    } ` +
      `-CAcreateserial -days ${days} -sha256 -extfile /dev/stdin -out ${word(certificateFile)}`,
  );
  print(
    `${certificateFile}: ${subject.text}, for ${
      identities.map(describeIdentity).join(", ")
    }\n${keyFile}: its private key\n`,
  );
  return 0;
}

/** What the list in a file has already; nothing when there is no file. */
function listed(path: string): { revoked: RevokedEntry[]; issuerKey?: string } {
  try {
    Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { revoked: [] };
    throw new CommandError(`${path}: ${(error as Error).message}`);
  }
  const list = fromFile(path, (octets) => parseRevocationList(decodeFile(octets, "X509 CRL")[0]));
  const reasons = revocationReasons();
  const revoked = [...list.revoked].map(([serial, { at, reason }]) => {
    const name = Object.keys(reasons).find((each) => each.toLowerCase() === reason?.toLowerCase());
    return { serial, at: at.at, reason: name ? reasons[name] : undefined };
  });
  return { revoked, issuerKey: list.issuer.key };
}

function crl(options: Options): number {
  const [caFile, caKeyFile] = [
    options.need("c", "the authority's certificate"),
    options.need("k", "the authority's key"),
  ];
  const output = options.need("o", "the list's file");
  const days = options.number("d", 30, 1, 3650);
  const reasonWord = options.maybe("r");
  const reasons = revocationReasons();
  const reasonName = reasonWord && Object.keys(reasons).find((name) => name.toLowerCase() === reasonWord.toLowerCase());
  if (reasonWord && !reasonName) fail(`-r: no reason "${reasonWord}", allowed ${Object.keys(reasons).join(", ")}`);
  const authority = { certificate: readCertificate(caFile), key: readPrivateKey(caKeyFile) };
  const before = listed(output);
  if (before.issuerKey !== undefined && before.issuerKey !== authority.certificate.subject.key) {
    throw new CommandError(`${output}: it is the list of another authority`);
  }
  const now = Math.floor(Date.now() / 1000) * 1000;
  const revoked = [...before.revoked];
  for (const path of options.files) {
    const { serial, issuer, subject } = readCertificate(path);
    if (issuer.key !== authority.certificate.subject.key) {
      throw new CommandError(`${path}: ${authority.certificate.subject.text} did not issue it, ${issuer.text} did`);
    }
    if (revoked.some((entry) => entry.serial === serial)) print(`${path}: ${subject.text} is revoked already\n`);
    else {
      revoked.push({ serial, at: now, reason: reasonName ? reasons[reasonName] : undefined });
      print(`${path}: ${subject.text} is revoked\n`);
    }
  }
  const der = buildRevocationList({
    revoked,
    number: encodeSeconds(now),
    thisUpdate: now,
    nextUpdate: now + days * DAY_MS,
    hash: HASH,
  }, authority);
  writePem(output, "X509 CRL", der);
  const database = "-config openssl.cnf"; // openssl keeps its list in the database that its configuration names
  tell(
    ...options.files.map((path) =>
      `openssl ca ${database} -cert ${word(caFile)} -keyfile ${word(caKeyFile)} -revoke ${word(path)}` +
      (reasonName ? ` -crl_reason ${reasonName}` : "")
    ),
    `openssl ca ${database} -cert ${word(caFile)} -keyfile ${
      word(caKeyFile)
    } -gencrl -crldays ${days} -md sha256 -out ${word(output)}`,
  );
  print(`${output}: ${revoked.length} revoked, the next list is due in ${days} days\n`);
  return 0;
}

/** CRL numbers must grow; the seconds do. */
const encodeSeconds = (at: number): Bytes =>
  Uint8Array.from({ length: 5 }, (_, i) => Math.floor(at / 1000 / 256 ** (4 - i)) % 256);

function onlyFile({ files }: Options): string {
  return files.length === 1 ? files[0] : fail(`one file is needed, not ${files.length}`);
}

function show({ files }: Options): number {
  if (files.length === 0) fail("a file is needed");
  for (const path of files) {
    for (const { text, command } of fromFile(path, (octets) => describeFile(octets, path))) {
      tell(command);
      print(text);
    }
  }
  return 0;
}

function dn(options: Options): number {
  const path = onlyFile(options);
  const { subject } = readCertificate(path);
  tell(`openssl x509 -in ${word(path)} -noout -subject -nameopt compat`);
  print(`"DN:${subject.text.replace(/[\\"]/g, "\\$&")}"\n`);
  return 0;
}

function policyBase64(options: Options): number {
  const path = onlyFile(options);
  const { der } = readCertificate(path);
  tell(`openssl x509 -in ${word(path)} -outform DER | openssl base64 -A`);
  print(`"x509-base64:${formatBase64(der).replace(/(.{64})(?=.)/g, "$1\\\n        ")}"\n`);
  return 0;
}

const ACTIONS: Record<string, { letters: string; run(options: Options): number }> = {
  ca: { letters: "s:o:k:b:d:p:", run: ca },
  cert: { letters: "s:i:t:c:k:o:n:b:d:", run: cert },
  crl: { letters: "c:k:o:d:r:", run: crl },
  show: { letters: "", run: show },
  dn: { letters: "", run: dn },
  "policy-base64": { letters: "", run: policyBase64 },
};

export function run(args: string[]): number {
  const [action, ...rest] = args;
  if (action === undefined || ["help", "--help", "-h"].includes(action)) {
    print(HELP, action === undefined ? Deno.stderr : Deno.stdout);
    return action === undefined ? 2 : 0;
  }
  if (!Object.hasOwn(ACTIONS, action)) fail(`no action "${action}"${didYouMean(action, Object.keys(ACTIONS))}`);
  const { letters, run } = ACTIONS[action];
  try {
    const { options, rest: files } = getopt(rest, letters);
    return run(new Options(options, files));
  } catch (error) {
    if (error instanceof OptionError) fail(`${action}: ${error.message}`);
    if (error instanceof CertificateError) throw new CommandError(error.message);
    throw error;
  }
}
