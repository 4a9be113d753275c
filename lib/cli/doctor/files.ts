/** Key management's files: who may read them, whether they are in order, whether certificates are valid now. @module */
import { join } from "node:path";
import { formatFault } from "../../config/ini.ts";
import type { IsakmpdConf } from "../../config/isakmpd_conf.ts";
import { readConf } from "../../daemon/isakmpd_files.ts";
import { PrivateFileError, readPrivateFile } from "../../daemon/private_file.ts";
import type { Bytes } from "../../octets/bytes.ts";
import { type Certificate, describeCertificate, parseCertificate } from "../../x509/certificate.ts";
import { parseRevocationList, type RevocationList } from "../../x509/crl.ts";
import { decodeFile } from "../../x509/pem.ts";
import type { Context } from "./context.ts";
import type { Finding } from "./finding.ts";

const day = (milliseconds: number) => new Date(milliseconds).toISOString().slice(0, 16).replace("T", " ");

const exists = (path: string) => {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
};

const permission = (path: string, error: PrivateFileError): Finding => ({
  id: "permissions",
  problem: error.message.replace(/^c/, "C").replace(/: chmod .*$/, ""),
  remedies: [`chmod 600 ${path}   # and chown it to root`],
});

/** What the objects in a directory's files are; a file that cannot be read is a finding. */
function readAll<T>(
  directory: string,
  label: string,
  decode: (der: Bytes) => T,
  findings: Finding[],
): { file: string; value: T }[] {
  let names: string[];
  try {
    names = Array.from(Deno.readDirSync(directory), ({ name }) => name).filter((name) => !name.startsWith(".")).sort();
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    const file = join(directory, name);
    try {
      if (!Deno.statSync(file).isFile) return [];
      return decodeFile(Deno.readFileSync(file), label).map((der) => ({ file, value: decode(der) }));
    } catch (error) {
      findings.push({
        id: "certificate",
        problem: `${file} cannot be used: ${(error as Error).message}`,
        remedies: [`openssl x509 -text -noout -in ${file}`],
      });
      return [];
    }
  });
}

const CLOCK = "date   # is the clock right? timedatectl set-ntp true keeps it so";

function certificateFinding(file: string, certificate: Certificate, nowMs: number): Finding[] {
  const name = describeCertificate(certificate);
  if (nowMs < certificate.notBefore.at) {
    return [{
      id: "clock",
      problem: `The certificate ${file} (${name}) begins only ${
        day(certificate.notBefore.at)
      } UTC; this host's clock says ${day(nowMs)}`,
      remedies: [CLOCK],
    }];
  }
  if (nowMs <= certificate.notAfter.at) return [];
  return [{
    id: "certificate",
    problem: `The certificate ${file} (${name}) ended ${day(certificate.notAfter.at)} UTC; this host's clock says ${
      day(nowMs)
    }`,
    remedies: ["ipsecbox help pki   # makes a new one", CLOCK],
  }];
}

function listFinding(file: string, { thisUpdate, nextUpdate }: RevocationList, nowMs: number): Finding[] {
  if (nowMs < thisUpdate.at) {
    return [{
      id: "clock",
      problem: `The revocation list ${file} is of ${day(thisUpdate.at)} UTC; this host's clock says ${day(nowMs)}`,
      remedies: [CLOCK],
    }];
  }
  if (nextUpdate === undefined || nowMs <= nextUpdate.at) return [];
  return [{
    id: "certificate",
    problem: `The revocation list ${file} should have been renewed ${
      day(nextUpdate.at)
    } UTC: its authority's certificates are refused`,
    remedies: ["fetch the authority's present list", CLOCK],
  }];
}

function checkCertificates({ settings }: IsakmpdConf, nowMs: number): Finding[] {
  const findings: Finding[] = [];
  for (const directory of [settings.caDirectory, settings.certDirectory]) {
    for (const { file, value } of readAll(directory, "CERTIFICATE", parseCertificate, findings)) {
      findings.push(...certificateFinding(file, value, nowMs));
    }
  }
  for (const { file, value } of readAll(settings.crlDirectory, "X509 CRL", parseRevocationList, findings)) {
    findings.push(...listFinding(file, value, nowMs));
  }
  return findings;
}

function checkPrivate(path: string, what: string): Finding[] {
  if (!exists(path)) return [];
  try {
    readPrivateFile(path, what).fill(0);
    return [];
  } catch (error) {
    if (error instanceof PrivateFileError) return [permission(path, error)];
    throw error;
  }
}

export function checkIsakmpdFiles({ configurationFile }: Context): Finding[] {
  if (!exists(configurationFile)) return [];
  let conf: IsakmpdConf;
  try {
    conf = readConf(configurationFile).conf;
  } catch (error) {
    if (error instanceof PrivateFileError) return [permission(configurationFile, error)];
    throw error;
  }
  const faults = conf.faults.filter(({ severity }) => severity === "error");
  const findings: Finding[] = faults.length
    ? [{
      id: "configuration",
      problem: `isakmpd does not start with ${configurationFile}: ${formatFault(faults[0])}` +
        (faults.length > 1 ? ` (and ${faults.length - 1} more)` : ""),
      remedies: [`ipsecbox check ${configurationFile}`],
    }]
    : [];
  const { privateKey, policyFile, useKeynote } = conf.settings;
  return [
    ...findings,
    ...(privateKey ? checkPrivate(privateKey, "private key") : []),
    ...(useKeynote ? checkPrivate(policyFile, "policy file") : []),
    ...checkCertificates(conf, Date.now()),
  ];
}

export const checkPhoturisFiles = ({ photurisDirectory }: Context): Finding[] =>
  checkPrivate(join(photurisDirectory, "secrets.conf"), "file of secrets");
