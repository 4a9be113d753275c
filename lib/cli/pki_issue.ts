/** The actions of `ipsecbox pki` that issue certificates: ca, cert, sign, renew. @module */
import { generateKeyPairSync } from "node:crypto";
import { encodePublicKey, generateRsaKey, type KeyObject } from "../crypto/signature.ts";
import { type Bytes, decodeText, equal } from "../octets/bytes.ts";
import { buildCertificate, type CertificateRequest, checkKey, type Issuer } from "../x509/build.ts";
import { type Certificate, parseCertificate } from "../x509/certificate.ts";
import { forbiddenName } from "../x509/constraints.ts";
import { describeIdentity, type Identity } from "../x509/identity.ts";
import { nameFromText } from "../x509/name.ts";
import { signedBy } from "../x509/path.ts";
import { decodeFile } from "../x509/pem.ts";
import { demandingPolicy } from "../x509/policies.ts";
import { parseRequest } from "../x509/request.ts";
import { renewCertificate } from "../x509/rewrite.ts";
import {
  about,
  fromFile,
  keepApart,
  readCertificate,
  readPrivateKey,
  writePem,
  writePrivateKey,
} from "./certificate_files.ts";
import { CommandError } from "./command.ts";
import { print } from "./commands.ts";
import { identityFromText, identityOfLooks, identityType, isWellFormed } from "./identity_words.ts";
import { DAY_MS, fail, HASH, noFiles, onlyFile, type Options, tell, word } from "./pki_options.ts";

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

/** The identities of `-i`, of the type of `-t` or of their looks. */
function identitiesOf(options: Options): Identity[] {
  const type = options.maybe("t");
  return options.all("i").map((text) => type ? identityFromText(identityType(type), text) : identityOfLooks(text));
}

/** Who signs, of the options `certificate` and `key`. @throws {CommandError} when it is none that may */
function issuerOf(options: Options, certificate: string, key: string): Required<Issuer> & { files: [string, string] } {
  const caFile = options.need(certificate, "the authority's certificate");
  const keyFile = options.need(key, "the authority's key");
  const issuer = { certificate: readCertificate(caFile), key: readPrivateKey(keyFile) };
  about(keyFile, () => checkKey(issuer.certificate, issuer.key));
  if (issuer.certificate.basicConstraints?.ca === false) fail(`${caFile}: it is not an authority's certificate`);
  const { notAfter } = issuer.certificate;
  if (notAfter.at < Date.now()) {
    throw new CommandError(
      `${caFile}: it expired on ${new Date(notAfter.at).toISOString().slice(0, 10)}; renew it first`,
    );
  }
  return { ...issuer, files: [caFile, keyFile] };
}

/** Validity of `-d`, within that of the issuer. */
function validity(options: Options, issuer?: Certificate): { notBefore: number; notAfter: number; days: number } {
  const days = options.number("d", 365, 1, 36500);
  const notBefore = start();
  return { notBefore, notAfter: Math.min(notBefore + days * DAY_MS, issuer?.notAfter.at ?? Infinity), days };
}

/** A certificate, unless the issuer's own certificate forbids its names or demands a policy. */
function allowed(der: Bytes, { certificate }: Issuer): Bytes {
  if (!certificate) return der;
  const made = parseCertificate(der);
  const why = certificate.nameConstraints && forbiddenName(certificate.nameConstraints, made);
  if (why) throw new CommandError(`${why} by the name constraints of ${certificate.subject.text}`);
  if (demandingPolicy([made, certificate])) {
    throw new CommandError(
      `${certificate.subject.text} demands a certificate policy, which it would not have; use openssl`,
    );
  }
  return der;
}

/** A new certificate, if it is {@linkcode allowed}. */
const issue = (request: Omit<CertificateRequest, "serial" | "hash">, issuer: Issuer): Bytes =>
  allowed(buildCertificate({ ...request, serial: newSerial(), hash: HASH }, issuer), issuer);

/** The openssl command that signs what `input` names. */
function signing(
  input: string,
  files: readonly string[],
  days: number,
  extensions: readonly string[],
  out: string,
): string {
  const [caFile, caKeyFile] = files.map(word);
  return `printf '%s\\n' ${extensions.map(word).join(" ")} | openssl x509 ${input} -CA ${caFile} -CAkey ${caKeyFile} ` +
    `-CAcreateserial -days ${days} -sha256 -extfile /dev/stdin -out ${word(out)}`;
}

const ofRequest = (csr: string): string => `-req -in ${word(csr)}`;

const csrOf = (certificateFile: string): string => `${certificateFile.replace(/\.crt$/, "")}.csr`;

const peerExtensions = (identities: readonly Identity[]): string[] => [
  "basicConstraints=critical,CA:FALSE",
  "keyUsage=critical,digitalSignature,nonRepudiation",
  ...(identities.length > 0 ? [`subjectAltName=${identities.map(sanWord).join(",")}`] : []),
];

const authorityExtensions = ({ pathLength }: { readonly pathLength?: number }): string[] => [
  `basicConstraints=critical,CA:TRUE${pathLength === undefined ? "" : `,pathlen:${pathLength}`}`,
  "keyUsage=critical,keyCertSign,cRLSign",
];

export function ca(options: Options): number {
  noFiles(options);
  const subject = nameFromText(options.need("s", "the name of the authority"));
  const [certificateFile, keyFile] = [options.need("o", "the certificate's file"), options.need("k", "the key's file")];
  const hasParent = options.maybe("c") !== undefined || options.maybe("K") !== undefined;
  const parent = hasParent ? issuerOf(options, "c", "K") : undefined;
  const times = validity(options, parent?.certificate);
  const pathLength = options.maybe("p") === undefined ? undefined : options.number("p", 0, 0, 16);
  if (parent?.certificate.basicConstraints?.pathLength === 0) {
    fail(`${parent.files[0]}: it allows no authorities below it (path length 0)`);
  }
  keepApart([certificateFile, keyFile], parent?.files ?? []);
  const { key, command } = newKey(options.number("b", 2048, 256, 16384));
  const request = { subject, spki: encodePublicKey(key), identities: [], authority: { pathLength }, ...times };
  const der = issue(request, parent ?? { key });
  writePrivateKey(keyFile, key);
  writePem(certificateFile, "CERTIFICATE", der);
  const extensions = authorityExtensions({ pathLength });
  const asking = `openssl req -new -utf8 -key ${word(keyFile)} -subj ${word(subject.text)}`;
  tell(
    `${command} ${word(keyFile)}`,
    ...(parent
      ? [
        `${asking} -out ${word(csrOf(certificateFile))}`,
        signing(
          ofRequest(csrOf(certificateFile)),
          parent.files,
          times.days,
          extensions,
          certificateFile,
        ),
      ]
      : [
        `${asking} -x509 -days ${times.days} -sha256 ` +
        `${extensions.map((each) => `-addext ${each}`).join(" ")} -out ${word(certificateFile)}`,
      ]),
  );
  const above = parent ? `, signed by ${parent.certificate.subject.text}` : "";
  print(
    `${certificateFile}: ${subject.text}${above}\n${keyFile}: its private key; keep it safe, and off the gateways\n`,
  );
  return 0;
}

export function cert(options: Options): number {
  noFiles(options);
  const subject = nameFromText(options.need("s", "the name of the peer"));
  const identities = identitiesOf(options);
  if (identities.length === 0) fail("-i: the identity is missing");
  const issuer = issuerOf(options, "c", "k");
  const [certificateFile, keyFile] = [
    options.need("o", "the certificate's file"),
    options.need("n", "the new key's file"),
  ];
  const times = validity(options, issuer.certificate);
  keepApart([certificateFile, keyFile], issuer.files);
  const { key, command } = newKey(options.number("b", 2048, 256, 16384));
  const der = issue({ subject, spki: encodePublicKey(key), identities, ...times }, issuer);
  writePrivateKey(keyFile, key);
  writePem(certificateFile, "CERTIFICATE", der);
  const csr = csrOf(certificateFile);
  tell(
    `${command} ${word(keyFile)}`,
    `openssl req -new -utf8 -key ${word(keyFile)} -subj ${word(subject.text)} -out ${word(csr)}`,
    signing(ofRequest(csr), issuer.files, times.days, peerExtensions(identities), certificateFile),
  );
  print(
    `${certificateFile}: ${subject.text}, for ${
      identities.map(describeIdentity).join(", ")
    }\n${keyFile}: its private key\n`,
  );
  return 0;
}

export function sign(options: Options): number {
  const path = onlyFile(options);
  const certificateFile = options.need("o", "the certificate's file");
  const issuer = issuerOf(options, "c", "k");
  keepApart([certificateFile], [path, ...issuer.files]);
  const request = fromFile(path, (octets) => parseRequest(decodeFile(octets, "CERTIFICATE REQUEST")[0]));
  const given = identitiesOf(options);
  const identities = given.length > 0 ? given : request.identities;
  if (identities.length === 0) fail(`${path}: it asks for no identity; -i says which it gets`);
  if (identities.some(({ type }) => type === "DER_ASN1_DN")) {
    fail(`${path}: it asks for a name as an identity; -i says which other it gets`);
  }
  // A stranger wrote them, and they stand in what is printed and in the command that is shown.
  if (!identities.every(isWellFormed)) {
    fail(`${path}: it asks for an identity that is no domain name or user@domain; -i says which other it gets`);
  }
  const { subject, spki } = request;
  const times = validity(options, issuer.certificate);
  writePem(certificateFile, "CERTIFICATE", issue({ subject, spki, identities, ...times }, issuer));
  tell(
    `openssl req -in ${word(path)} -noout -verify -text`,
    signing(ofRequest(path), issuer.files, times.days, peerExtensions(identities), certificateFile),
  );
  const list = (names: readonly Identity[]) => names.map(describeIdentity).join(", ");
  if (given.length > 0 && request.identities.length > 0 && list(given) !== list(request.identities)) {
    print(`${path}: it asked for ${list(request.identities)}\n`);
  }
  print(`${certificateFile}: ${subject.text || "(no name)"}, for ${list(identities)}\n`);
  return 0;
}

export function renew(options: Options): number {
  const path = onlyFile(options);
  const certificateFile = options.need("o", "the new certificate's file");
  const old = readCertificate(path);
  const keyFile = options.need("k", "the authority's key");
  const caFile = options.need("c", "the authority's certificate");
  const isOwn = equal(readCertificate(caFile).der, old.der);
  const issuer = isOwn ? { key: readPrivateKey(keyFile) } : issuerOf(options, "c", "k");
  const above = isOwn ? old : (issuer as Required<Issuer>).certificate;
  keepApart([certificateFile], isOwn ? [keyFile] : [caFile, keyFile]);
  if (isOwn) about(keyFile, () => checkKey(old, issuer.key));
  if (above.subject.key !== old.issuer.key) {
    throw new CommandError(`${path}: ${above.subject.text} did not issue it, ${old.issuer.text} did`);
  }
  // Whoever wrote it could otherwise have it say whatever they like.
  if (!signedBy(old, above)) throw new CommandError(`${path}: its signature is not that of ${above.subject.text}`);
  const times = validity(options, isOwn ? undefined : above);
  const renewal = { ...times, serial: newSerial(), hash: HASH } as const;
  const { der, extensions } = about(path, () => renewCertificate(old, renewal, issuer));
  writePem(certificateFile, "CERTIFICATE", allowed(der, issuer));
  const { subject } = old;
  const publicKey = `${certificateFile.replace(/\.crt$/, "")}.pub`;
  tell(
    ...(isOwn
      ? [
        `openssl x509 -in ${word(path)} -signkey ${word(keyFile)} -days ${times.days} -sha256 ` +
        `-out ${word(certificateFile)}`,
      ]
      : [
        `openssl x509 -in ${word(path)} -noout -pubkey >${word(publicKey)}`,
        signing(
          `-new -force_pubkey ${word(publicKey)} -subj ${word(subject.text)}`,
          [caFile, keyFile],
          times.days,
          extensions,
          certificateFile,
        ),
      ]),
  );
  print(
    `${certificateFile}: ${subject.text || "(no name)"}, until ${
      new Date(times.notAfter).toISOString().slice(0, 10)
    }\n`,
  );
  return 0;
}
