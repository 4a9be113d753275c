/** ID sections (Phase1-ID, IPsec-ID) and lifetimes of isakmpd.conf. @module */
import type { LifeRule } from "../ike/configuration.ts";
import { type Address, formatPrefix, lengthOfMask, type Prefix, prefixOf } from "../ip/address.ts";
import {
  addressId,
  type ClientSelector,
  distinguishedNameId,
  type Identification,
  textId,
} from "../isakmp/identification.ts";
import { CertificateError } from "../x509/error.ts";
import type { Value } from "./ini.ts";
import { type ConfReader, originOf, type View } from "./isakmpd_reader.ts";
import { IP_PROTOCOLS, SERVICES } from "../ip/names.ts";

const PHASE_1_TYPES = ["IPV4_ADDR", "IPV6_ADDR", "FQDN", "USER_FQDN", "ASN1_DN", "KEY_ID"] as const;
const PHASE_2_TYPES = ["IPV4_ADDR", "IPV4_ADDR_SUBNET", "IPV6_ADDR", "IPV6_ADDR_SUBNET"] as const;
const EITHER = [...new Set<string>([...PHASE_1_TYPES, ...PHASE_2_TYPES])];
const ALIASES: Readonly<Record<string, string>> = { UFQDN: "USER_FQDN", DER_ASN1_DN: "ASN1_DN" };

const canonical = (type: string): string => ALIASES[type.toUpperCase()] ?? type.toUpperCase();

/** The ID-type, one of `allowed`. */
function idType<Type extends string>(reader: ConfReader, view: View, allowed: readonly Type[]): Type | undefined {
  const value = reader.get(view, "ID-type");
  if (!value) return reader.missing(view, "ID-type", allowed.join(", "));
  const written = canonical(value.text);
  const type = allowed.find((one) => one === written);
  if (type) return type;
  const phase = allowed.some((one) => one.endsWith("_SUBNET")) ? 2 : 1;
  return EITHER.includes(written)
    ? reader.error(value, `found "${value.text}", allowed ${allowed.join(", ")} in phase ${phase}`)
    : reader.refuse(value, value.text, allowed);
}

/** An address tag of the family that the ID-type names. */
function addressTag(reader: ConfReader, view: View, tag: string, family: 4 | 6): Address | undefined {
  const value = reader.get(view, tag);
  if (!value) return reader.missing(view, tag, `an IPv${family} address`);
  const address = reader.address(value);
  if (!address || address.family === family) return address;
  return reader.error(value, `found "${value.text}", allowed an IPv${family} address because of the ID-type`);
}

/** Network and Netmask (IPv4), Network and Prefix or Netmask (IPv6). */
function networkOf(reader: ConfReader, view: View, family: 4 | 6): Prefix | undefined {
  const network = addressTag(reader, view, "Network", family);
  const bits = reader.get(view, "Prefix");
  let length: number | undefined;
  if (bits) length = reader.integer(view, "Prefix", 0, family === 4 ? 32 : 128);
  else {
    const mask = addressTag(reader, view, "Netmask", family);
    try {
      length = mask && lengthOfMask(mask);
    } catch (error) {
      const at = reader.get(view, "Netmask")!;
      const why = (error as Error).message.replace(/^.*: /, "");
      return reader.error(
        at,
        `found "${at.text}", allowed a mask such as ${family === 4 ? "255.255.255.0" : "ffff:ffff::"}: ${why}`,
      );
    }
  }
  if (!network || length === undefined) return undefined;
  const prefix = prefixOf(network, length);
  if (prefix.address.octets.some((octet, i) => octet !== network.octets[i])) {
    const at = reader.get(view, "Network")!;
    reader.warn(
      at,
      `found "${at.text}", which is not the first address of its network; ${formatPrefix(prefix)} is used`,
    );
  }
  return prefix;
}

/** What `Name` holds, by ID-type. */
const NAME_FORMS = {
  FQDN: "a host name",
  USER_FQDN: "user@host",
  ASN1_DN: 'a name as "ipsecbox pki dn" prints it, such as /C=SE/O=MySite/CN=gw.mysite.se',
  KEY_ID: "text",
} as const;

/** Whether an ID-type is one of phase 1 that has a `Name`. */
export const holdsName = (type: string): boolean => Object.hasOwn(NAME_FORMS, canonical(type));

function distinguishedName(reader: ConfReader, name: Value): Identification | undefined {
  try {
    return distinguishedNameId(name.text.replace(/^"(.*)"$/, "$1").replace(/^DN:/, ""));
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error;
    const why = error.message.replace(/^name "(?:[^"\\]|\\.)*": /, "");
    return reader.refuse(name, name.text, `${NAME_FORMS.ASN1_DN} (${why})`);
  }
}

/** Who somebody is in phase 1. */
export function phase1Id(reader: ConfReader, view: View): Identification | undefined {
  const type = idType(reader, view, PHASE_1_TYPES);
  if (!type) return undefined;
  if (type === "IPV4_ADDR" || type === "IPV6_ADDR") {
    const address = addressTag(reader, view, "Address", type === "IPV4_ADDR" ? 4 : 6);
    return address && addressId(address);
  }
  const name = reader.get(view, "Name");
  if (!name?.text) {
    return reader.missing(view, "Name", NAME_FORMS[type]);
  }
  if (type === "USER_FQDN" && !/^[^@]+@[^@]+$/.test(name.text)) return reader.refuse(name, name.text, NAME_FORMS[type]);
  if (type === "FQDN" && /[@\s/]/.test(name.text)) return reader.refuse(name, name.text, NAME_FORMS[type]);
  if (type === "ASN1_DN") return distinguishedName(reader, name);
  return textId(type, name.text);
}

/** Whose packets a phase 2 SA is for. */
export function phase2Id(reader: ConfReader, view: View): ClientSelector | undefined {
  const type = idType(reader, view, PHASE_2_TYPES);
  if (!type) return undefined;
  const family = type.startsWith("IPV4") ? 4 : 6;
  let prefix: Prefix | undefined;
  if (type.endsWith("_SUBNET")) prefix = networkOf(reader, view, family);
  else {
    const address = addressTag(reader, view, "Address", family);
    prefix = address && prefixOf(address, 8 * address.octets.length);
  }
  const protocolAt = reader.get(view, "Protocol");
  const portAt = reader.get(view, "Port");
  const protocol = protocolAt ? reader.numberOrName(protocolAt, IP_PROTOCOLS, 255) : 0;
  const port = portAt ? reader.numberOrName(portAt, SERVICES, 65535) : 0;
  if (portAt && port && !protocolAt) {
    reader.error(portAt, "found a Port without a Protocol, allowed with Protocol=tcp, udp or sctp");
  }
  return prefix && protocol !== undefined && port !== undefined ? { prefix, protocol, port } : undefined;
}

const LIFE_LIMIT = 2 ** 32 - 1;

/** One Lifetime section. */
export function lifetime(reader: ConfReader, view: View): LifeRule | undefined {
  const typeAt = reader.get(view, "LIFE_TYPE");
  const durationAt = reader.get(view, "LIFE_DURATION");
  if (!typeAt) reader.missing(view, "LIFE_TYPE", "SECONDS, KILOBYTES");
  if (!durationAt) reader.missing(view, "LIFE_DURATION", "X,Y:Z or X, or ANY");
  if (!typeAt || !durationAt) return undefined;
  const word = reader.choice(typeAt, ["SECONDS", "KILOBYTES", "BYTES"]);
  if (word === "BYTES") reader.warn(typeAt, 'found "BYTES", which counts kilobytes; write KILOBYTES');
  const duration = reader.range(durationAt, 1, LIFE_LIMIT);
  if (!word || !duration) return undefined;
  const type = word === "SECONDS" ? "SECONDS" : "KILOBYTES";
  // Who writes a Lifetime section means it; defaults must not keep out clients that ask for weeks.
  const isDefault = durationAt.line === 0 || durationAt.tag !== "LIFE_DURATION";
  const capped = isDefault ? { capped: true } as const : {};
  return { type, duration, ...capped, origin: originOf(durationAt) };
}

/** The Life tag of a transform: names of Lifetime sections, or ANY. */
export function lives(reader: ConfReader, view: View): readonly LifeRule[] | "ANY" {
  const list = reader.list(view, "Life");
  if (!list) return [];
  if (list.value.text.toUpperCase() === "ANY") return "ANY";
  const rules: LifeRule[] = [];
  for (const name of list.elements) {
    const section = reader.follow(list.value, name, "Lifetime", ["LIFE_MAIN_MODE", "LIFE_QUICK_MODE"]);
    const rule = section && lifetime(reader, section);
    if (!rule) continue;
    if (rules.some(({ type }) => type === rule.type)) {
      reader.warn(list.value, `found a second lifetime in ${rule.type}; the first is used`);
    } else rules.push(rule);
  }
  return rules;
}

/** DOI of a configuration section: IPSEC, also when it is not there. */
export function checkDoi(reader: ConfReader, view: View): void {
  const doi = reader.get(view, "DOI");
  if (doi) reader.choice(doi, ["IPSEC"]);
}

/** `EXCHANGE_TYPE`, one of `allowed`. */
export function exchangeType<Type extends string>(
  reader: ConfReader,
  view: View,
  allowed: readonly Type[],
): { type: Type; at: Value } | undefined {
  const value = reader.get(view, "EXCHANGE_TYPE");
  if (!value) return reader.missing(view, "EXCHANGE_TYPE", allowed.join(", "));
  const type = reader.choice(value, allowed);
  return type && { type, at: value };
}
