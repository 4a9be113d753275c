/** `ipsecbox pki`: the procedure of README.PKI, a step for each action, with the openssl commands that do the same. @module */
import { formatBase64 } from "../octets/base64.ts";
import type { Bytes } from "../octets/bytes.ts";
import { didYouMean } from "../octets/nearest.ts";
import { buildRevocationList, type RevokedEntry } from "../x509/build.ts";
import { parseRevocationList } from "../x509/crl.ts";
import { CertificateError } from "../x509/error.ts";
import { decodeFile } from "../x509/pem.ts";
import { describeFile } from "./pki_show.ts";
import { fromFile, readCertificate, readPrivateKey, writePem } from "./certificate_files.ts";
import { CommandError, reason } from "./command.ts";
import { print } from "./commands.ts";
import { getopt, OptionError } from "./getopt.ts";
import { ca, cert, renew, sign } from "./pki_issue.ts";
import { DAY_MS, fail, HASH, onlyFile, Options, tell, word } from "./pki_options.ts";

export const HELP = `usage: ipsecbox pki ca   -s SUBJECT -o ca.crt -k ca.key [-b BITS] [-d DAYS] [-p PATHLENGTH]
                         [-c PARENT.crt -K PARENT.key]
       ipsecbox pki cert -s SUBJECT -i ID ... -c ca.crt -k ca.key -o NAME.crt -n NAME.key
                         [-t TYPE] [-b BITS] [-d DAYS]
       ipsecbox pki sign -c ca.crt -k ca.key -o NAME.crt [-i ID ...] [-t TYPE] [-d DAYS] NAME.csr
       ipsecbox pki renew -c ca.crt -k ca.key -o NEW.crt [-d DAYS] OLD.crt
       ipsecbox pki crl  -c ca.crt -k ca.key -o ca.crl [-d DAYS] [-r REASON] [REVOKED.crt ...]
       ipsecbox pki show FILE ...
       ipsecbox pki dn FILE
       ipsecbox pki policy-base64 FILE

Each action is one step towards isakmpd with certificates, and tells on standard error which
openssl commands do the same.

ca     a new key, and a certificate of an authority with it, signed by itself, or with -c and -K
       by an authority above it. Peers keep the highest one in /etc/isakmpd/ca/; an intermediate
       one goes to /etc/isakmpd/certs/ of the peers whose certificates it signs
cert   a new key for a peer, and a certificate of the authority for it. -i is the identity that
       the peer's ID payload will have: an address, a domain name or user@domain; -t says which
       (ip, fqdn, ufqdn) when its looks do not. NAME.key goes to /etc/isakmpd/private/local.key,
       NAME.crt to /etc/isakmpd/certs/, ca.crt to /etc/isakmpd/ca/ of every peer
sign   a certificate for a peer that made its key itself and sends a request (PKCS#10) for it.
       Name and key are those of the request, the identities those of -i; without -i those that
       it asks for: read what is printed. A request makes nobody an authority
renew  a certificate that says what one that nears its end says: name, key, identities and every
       other extension. Of an authority that signed itself: -c and OLD.crt are the same file
crl    a list of revoked certificates. What the file lists already stays listed. It goes to
       /etc/isakmpd/crls/. REASON is ${Object.keys(revocationReasons()).join(", ")}
show   certificates, requests, CRLs and keys in words
dn     a certificate's name as a policy's Licensees has it: "DN:/C=SE/O=MySite/CN=gw"
policy-base64  a certificate as a policy's Licensees has it: "x509-base64:..."

SUBJECT is a name in one line, /C=SE/O=MySite/CN=gw.mysite.se; put the ID into the CN, so that names
stay unique. BITS: an RSA key (2048 if not given), or 256, 384 or 521 for ECDSA. DAYS: 365, for a CRL 30;
no certificate outlives its authority's. PATHLENGTH: so many authorities may be below it.

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

/** What the list in a file has already; nothing when there is no file. */
function listed(path: string): { revoked: RevokedEntry[]; issuerKey?: string } {
  try {
    Deno.statSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { revoked: [] };
    throw new CommandError(`${path}: ${reason(error)}`);
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
  ca: { letters: "s:o:k:b:d:p:c:K:", run: ca },
  cert: { letters: "s:i:t:c:k:o:n:b:d:", run: cert },
  sign: { letters: "i:t:c:k:o:d:", run: sign },
  renew: { letters: "c:k:o:d:", run: renew },
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
  if (!Object.hasOwn(ACTIONS, action)) {
    const names = Object.keys(ACTIONS);
    fail(`no action "${action}"${didYouMean(action, names) || `, allowed ${names.join(", ")}`}`);
  }
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
