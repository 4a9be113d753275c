/**
 * The sections of isakmpd.conf that exist without being written: main mode transforms and quick mode suites by the
 * pattern of their names, lifetimes, and the defaults of the root sections. A file overrides them tag by tag.
 *
 * Names that OpenBSD 2.7 to 2.9 had mean what they meant then: without a group in the name, MD5 goes with MODP_768 and
 * SHA with MODP_1024. Names with a part of later releases (AES, SHA2, NULL ...) have MODP_1024, and `-GRPn` says which.
 *
 * @module
 */
import { AUTHENTICATORS, ESP_CIPHERS } from "../crypto/algorithms.ts";
import { GROUPS } from "../crypto/group.ts";

/** The tags of a predefined section, in the order in which they would be written. */
export type PredefinedSection = ReadonlyMap<string, string>;

interface CipherName {
  readonly name: string;
  /** ENCRYPTION_ALGORITHM in phase 1; absent: not for phase 1. */
  readonly phase1?: string;
  /** TRANSFORM_ID of ESP. */
  readonly esp: string;
  readonly keyLength?: string;
}

/** Parts of names that OpenBSD 2.7 to 2.9 had. */
const OLD_CIPHERS = ["DES", "3DES", "BLF", "CAST"];
const BLOWFISH_KEYS = "128,96:192";

/** AES in all modes: `NAME` for any key length, `NAME-128`, `NAME-192`, `NAME-256` for one. */
const CIPHER_NAMES: readonly CipherName[] = ESP_CIPHERS.flatMap(
  ({ suiteName, ikeCipherName, espTransformName, key }): CipherName[] => {
    if (!suiteName || !espTransformName) return [];
    const row = { name: suiteName, phase1: ikeCipherName, esp: espTransformName };
    if (suiteName === "BLF") return [{ ...row, keyLength: BLOWFISH_KEYS }];
    if (key.step === 1) return [row];
    const fixed = [16, 24, 32].map((octets) => 8 * octets).map((bits) => ({
      ...row,
      name: `${suiteName}-${bits}`,
      keyLength: `${bits},${bits}:${bits}`,
    }));
    return [{ ...row, keyLength: "128,128:256" }, ...fixed];
  },
);

interface HashName {
  readonly name: string;
  /** HASH_ALGORITHM in phase 1; absent: not for phase 1. */
  readonly phase1?: string;
  readonly hmac: string;
  /** TRANSFORM_ID of AH. */
  readonly ah: string;
}

const HASH_NAMES: readonly HashName[] = AUTHENTICATORS.flatMap(
  ({ suiteName, mac, ikeHashName, authenticationName, ahTransformName }) =>
    suiteName && mac && authenticationName && ahTransformName
      ? [{ name: suiteName, phase1: ikeHashName, hmac: authenticationName, ah: ahTransformName }]
      : [],
);

const alternatives = (rows: readonly { name: string }[]) =>
  rows.map((row) => row.name).toSorted((a, b) => b.length - a.length).join("|");
const CIPHER = `(?<cipher>${alternatives(CIPHER_NAMES)})`;
const HASH = `(?<hash>${alternatives(HASH_NAMES)})`;
const GROUP = "(?:-GRP(?<group>\\d{1,2}))?";
const MAIN_MODE = new RegExp(`^${CIPHER}-${HASH}${GROUP}(?:-(?<signature>DSS|RSA_SIG))?$`, "i");
const QUICK_MODE = new RegExp(
  `^(?<suite>QM-(?:ESP(?<espTransport>-TRP)?-${CIPHER}(?:-${HASH})?|AH(?<ahTransport>-TRP)?-${
    HASH.replace("hash", "ahHash")
  })(?<pfs>-PFS${GROUP})?)(?<part>-SUITE|-XF)?$`,
  "i",
);

const find = <Row extends { name: string }>(rows: readonly Row[], name: string | undefined): Row | undefined =>
  name === undefined ? undefined : rows.find((row) => row.name === name.toUpperCase());

/** The group of a name: `GRPn`, or by era. Undefined when `GRPn` is no group. */
function groupOf(number: string | undefined, cipher?: CipherName, hash?: HashName): string | undefined {
  if (number !== undefined) return GROUPS[Number(number)]?.name;
  return (cipher === undefined || OLD_CIPHERS.includes(cipher.name)) && hash?.name === "MD5" ? "MODP_768" : "MODP_1024";
}

function section(tags: Record<string, string | undefined>): PredefinedSection {
  return new Map(Object.entries(tags).filter((tag): tag is [string, string] => tag[1] !== undefined));
}

function mainModeTransform(name: string): PredefinedSection | undefined {
  const parts = MAIN_MODE.exec(name)?.groups;
  const cipher = find(CIPHER_NAMES, parts?.cipher);
  const hash = find(HASH_NAMES, parts?.hash);
  const group = groupOf(parts?.group, cipher, hash);
  if (!parts || !cipher?.phase1 || !hash?.phase1 || !group) return undefined;
  return section({
    ENCRYPTION_ALGORITHM: cipher.phase1,
    KEY_LENGTH: cipher.keyLength,
    HASH_ALGORITHM: hash.phase1,
    AUTHENTICATION_METHOD: parts.signature?.toUpperCase() ?? "PRE_SHARED",
    GROUP_DESCRIPTION: group,
    Life: "LIFE_MAIN_MODE",
  });
}

function quickModeSection(name: string): PredefinedSection | undefined {
  const parts = QUICK_MODE.exec(name)?.groups;
  if (!parts) return undefined;
  const cipher = find(CIPHER_NAMES, parts.cipher);
  const hash = find(HASH_NAMES, parts.hash ?? parts.ahHash);
  const group = parts.pfs === undefined ? undefined : groupOf(parts.group, cipher, hash);
  if (parts.pfs !== undefined && group === undefined) return undefined;
  const base = parts.suite.toUpperCase();
  switch (parts.part?.toUpperCase()) {
    case "-SUITE":
      return section({ Protocols: base });
    case "-XF":
      return section({
        TRANSFORM_ID: cipher?.esp ?? hash?.ah,
        ENCAPSULATION_MODE: parts.espTransport ?? parts.ahTransport ? "TRANSPORT" : "TUNNEL",
        AUTHENTICATION_ALGORITHM: hash?.hmac,
        GROUP_DESCRIPTION: group,
        KEY_LENGTH: cipher?.keyLength,
        Life: "LIFE_QUICK_MODE",
      });
    default:
      return section({ PROTOCOL_ID: cipher ? "IPSEC_ESP" : "IPSEC_AH", Transforms: `${base}-XF` });
  }
}

/** Sections with a fixed name, by lower-case name. */
const FIXED: ReadonlyMap<string, PredefinedSection> = new Map(Object.entries({
  general: section({
    Retransmits: "3",
    "Exchange-max-time": "120",
    "Check-interval": "60",
    "Policy-file": "/etc/isakmpd/isakmpd.policy",
    "Pubkey-directory": "/etc/isakmpd/pubkeys",
    "Default-phase-1-lifetime": "3600,60:86400",
    "Default-phase-2-lifetime": "1200,60:86400",
    "Default-phase-2-suites": "QM-ESP-3DES-SHA-PFS-SUITE",
    "Use-Keynote": "yes",
    "DPD-check-interval": "0",
    "NAT-T-Keepalive": "20",
    "Delete-SAs": "yes",
  }),
  "x509-certificates": section({
    "CA-directory": "/etc/isakmpd/ca/",
    "Cert-directory": "/etc/isakmpd/certs/",
    "CRL-directory": "/etc/isakmpd/crls/",
    "Private-key": "/etc/isakmpd/private/local.key",
  }),
  keynote: section({ "Credential-directory": "/etc/isakmpd/keynote/" }),
  life_main_mode: section({ LIFE_TYPE: "SECONDS", LIFE_DURATION: "3600,60:86400" }),
  life_quick_mode: section({ LIFE_TYPE: "SECONDS", LIFE_DURATION: "1200,60:86400" }),
  "default-phase-1-configuration": section({ DOI: "IPSEC", EXCHANGE_TYPE: "ID_PROT", Transforms: "3DES-SHA" }),
  "default-phase-1-configuration-rsa_sig": section({
    DOI: "IPSEC",
    EXCHANGE_TYPE: "ID_PROT",
    Transforms: "3DES-SHA-RSA_SIG",
  }),
}));

/**
 * The predefined section of that name, letter case ignored; undefined when the name follows no pattern.
 *
 * `3DES-SHA`, `AES-256-SHA2-256-GRP14-RSA_SIG`: an ISAKMP-transform. `QM-ESP-AES-SHA-PFS-SUITE`: an IPsec-suite;
 * without `-SUITE` its protocol, with `-XF` its transform.
 */
export function predefinedSection(name: string): PredefinedSection | undefined {
  return FIXED.get(name.toLowerCase()) ?? mainModeTransform(name) ?? quickModeSection(name);
}

/** Names of the common predefined transforms or suites, for hints. */
export function predefinedNames(kind: "transform" | "suite"): string[] {
  if (kind === "transform") {
    return CIPHER_NAMES.filter((cipher) => cipher.phase1).flatMap((cipher) =>
      HASH_NAMES.filter((hash) => hash.phase1).flatMap((hash) =>
        ["", "-RSA_SIG"].map((signature) => `${cipher.name}-${hash.name}${signature}`)
      )
    );
  }
  const esp = CIPHER_NAMES.flatMap((cipher) => HASH_NAMES.map((hash) => `QM-ESP-${cipher.name}-${hash.name}`));
  const ah = HASH_NAMES.map((hash) => `QM-AH-${hash.name}`);
  return [...esp, ...ah].flatMap((base) => [`${base}-SUITE`, `${base}-PFS-SUITE`]);
}
