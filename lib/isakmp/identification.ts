/** ID payloads: who somebody is (phase 1) and whose packets an SA is for (phase 2), RFC 2407 4.6.2. @module */
import {
  type Address,
  address,
  contains,
  equalAddress,
  formatAddress,
  formatPrefix,
  lengthOfMask,
  maskOf,
  type Prefix,
  prefixOf,
} from "../ip/address.ts";
import { type Bytes, concat, decodeText, encodeText, equal } from "../octets/bytes.ts";
import { formatHex } from "../octets/hex.ts";
import { CertificateError } from "../x509/error.ts";
import { type DistinguishedName, nameFromText, parseName } from "../x509/name.ts";
import { ID_TYPE, nameOf } from "./numbers.ts";

/** The body of an ID payload. `protocol` and `port` 0 mean any. */
export interface Identification {
  /** A value of ID_TYPE. */
  readonly type: number;
  readonly protocol: number;
  readonly port: number;
  readonly data: Bytes;
}

/** Packets of one side of a phase 2 SA. */
export interface ClientSelector {
  readonly prefix: Prefix;
  /** Upper protocol number; 0: any. */
  readonly protocol: number;
  /** 0: any. */
  readonly port: number;
}

/** The ID types that may identify a peer in phase 1. */
export const PHASE_1_ID_TYPES: readonly number[] = [
  ID_TYPE.IPV4_ADDR,
  ID_TYPE.FQDN,
  ID_TYPE.USER_FQDN,
  ID_TYPE.IPV6_ADDR,
  ID_TYPE.DER_ASN1_DN,
  ID_TYPE.DER_ASN1_GN,
  ID_TYPE.KEY_ID,
];

/** The ID that is an address: IPV4_ADDR or IPV6_ADDR. */
export function addressId(of: Address, protocol = 0, port = 0): Identification {
  return { type: of.family === 4 ? ID_TYPE.IPV4_ADDR : ID_TYPE.IPV6_ADDR, protocol, port, data: of.octets };
}

/** The ID that is a network: IPV4_ADDR_SUBNET or IPV6_ADDR_SUBNET. */
export function subnetId(of: Prefix, protocol = 0, port = 0): Identification {
  const { family, octets } = of.address;
  return {
    type: family === 4 ? ID_TYPE.IPV4_ADDR_SUBNET : ID_TYPE.IPV6_ADDR_SUBNET,
    protocol,
    port,
    data: concat(octets, maskOf(family, of.length).octets),
  };
}

/** The ID that is text: FQDN, USER_FQDN or KEY_ID. */
export function textId(type: "FQDN" | "USER_FQDN" | "KEY_ID", text: string): Identification {
  return { type: ID_TYPE[type], protocol: 0, port: 0, data: encodeText(text) };
}

/** The ID that is a distinguished name in one line, `/C=SE/O=MySite/CN=gw`. @throws {CertificateError} */
export function distinguishedNameId(text: string): Identification {
  return { type: ID_TYPE.DER_ASN1_DN, protocol: 0, port: 0, data: nameFromText(text).der };
}

/** The name in a DER_ASN1_DN; undefined when it is none. */
function nameIn(data: Bytes): DistinguishedName | undefined {
  try {
    return parseName(data);
  } catch (error) {
    if (error instanceof CertificateError) return undefined;
    throw error;
  }
}

/** A client ID as it is sent: a single address as an address, anything else as a network. */
export function selectorId({ prefix, protocol, port }: ClientSelector): Identification {
  return prefix.length === 8 * prefix.address.octets.length
    ? addressId(prefix.address, protocol, port)
    : subnetId(prefix, protocol, port);
}

const DATA_OCTETS: Readonly<Record<number, number>> = {
  [ID_TYPE.IPV4_ADDR]: 4,
  [ID_TYPE.IPV4_ADDR_SUBNET]: 8,
  [ID_TYPE.IPV6_ADDR]: 16,
  [ID_TYPE.IPV6_ADDR_SUBNET]: 32,
  [ID_TYPE.IPV4_ADDR_RANGE]: 8,
  [ID_TYPE.IPV6_ADDR_RANGE]: 32,
};

/** What is wrong with the data of an ID; undefined when nothing is. */
export function faultOfId({ type, data }: Identification): string | undefined {
  const octets = DATA_OCTETS[type];
  if (octets !== undefined && data.length !== octets) {
    return `${nameOf(ID_TYPE, type)} of ${data.length} octets, ${octets} needed`;
  }
  if (octets === undefined && data.length === 0) return `${nameOf(ID_TYPE, type)} without data`;
  return undefined;
}

/**
 * The packets a phase 2 ID means. A range is accepted when it is exactly a network, because an SPD entry has prefixes.
 *
 * @throws {RangeError} on a type that names no addresses, a mask with holes, a range that is no network.
 */
export function selectorOf(id: Identification): ClientSelector {
  const fault = faultOfId(id);
  if (fault) throw new RangeError(`Cannot use ID: ${fault}`);
  const { type, protocol, port, data } = id;
  const half = data.length / 2;
  const single = () => ({ prefix: prefixOf(address(data), 8 * data.length), protocol, port });
  switch (type) {
    case ID_TYPE.IPV4_ADDR:
    case ID_TYPE.IPV6_ADDR:
      return single();
    case ID_TYPE.IPV4_ADDR_SUBNET:
    case ID_TYPE.IPV6_ADDR_SUBNET:
      return {
        prefix: prefixOf(address(data.subarray(0, half)), lengthOfMask(address(data.subarray(half)))),
        protocol,
        port,
      };
    case ID_TYPE.IPV4_ADDR_RANGE:
    case ID_TYPE.IPV6_ADDR_RANGE: {
      const first = address(data.subarray(0, half)), last = address(data.subarray(half));
      for (let length = 0; length <= 8 * half; length++) {
        const prefix = prefixOf(first, length);
        if (equalAddress(prefix.address, first) && equalAddress(lastOf(prefix), last)) {
          return { prefix, protocol, port };
        }
      }
      throw new RangeError(`Cannot use range ${formatAddress(first)}-${formatAddress(last)}: it is not a network`);
    }
    default:
      throw new RangeError(`Cannot use ${nameOf(ID_TYPE, type)} as a client ID: an address or network is needed`);
  }
}

/** The highest address of a network. */
export function lastOf({ address: first, length }: Prefix): Address {
  const mask = maskOf(first.family, length).octets;
  return { family: first.family, octets: first.octets.map((octet, i) => octet | (~mask[i] & 0xff)) };
}

/** Whether two selectors mean the same packets, however they were written. */
export function equalSelector(a: ClientSelector, b: ClientSelector): boolean {
  return a.protocol === b.protocol && a.port === b.port && a.prefix.length === b.prefix.length &&
    equalAddress(a.prefix.address, b.prefix.address);
}

/** Whether every packet of `inner` is one of `outer`. */
export function withinSelector(outer: ClientSelector, inner: ClientSelector): boolean {
  return (outer.protocol === 0 || outer.protocol === inner.protocol) &&
    (outer.port === 0 || outer.port === inner.port) &&
    outer.prefix.length <= inner.prefix.length && contains(outer.prefix, inner.prefix.address);
}

/**
 * Whether two IDs name the same identity; protocol and port do not belong to it. FQDN and USER_FQDN ignore case, names
 * compare as RFC 5280 7.1 has it.
 */
export function sameIdentity(a: Identification, b: Identification): boolean {
  if (a.type !== b.type) return false;
  if (a.type === ID_TYPE.FQDN || a.type === ID_TYPE.USER_FQDN) {
    return decodeText(a.data).toLowerCase() === decodeText(b.data).toLowerCase();
  }
  if (equal(a.data, b.data)) return true;
  const key = a.type === ID_TYPE.DER_ASN1_DN ? nameIn(a.data)?.key : undefined;
  return key !== undefined && key === nameIn(b.data)?.key;
}

const printable = (octets: Uint8Array) => octets.every((octet) => octet >= 0x20 && octet < 0x7f);

/**
 * An ID for people and as the name of isakmpd's Initiator-ID sections: the address, `network/length`, `first-last`, the
 * text, a name as `/C=SE/CN=gw`, or hexadecimal digits where the data is not printable.
 */
export function formatId(id: Identification): string {
  const { type, data } = id;
  const half = data.length / 2;
  if (!faultOfId(id)) {
    switch (type) {
      case ID_TYPE.IPV4_ADDR:
      case ID_TYPE.IPV6_ADDR:
        return formatAddress(address(data));
      case ID_TYPE.IPV4_ADDR_SUBNET:
      case ID_TYPE.IPV6_ADDR_SUBNET:
        try {
          return formatPrefix(selectorOf(id).prefix);
        } catch {
          return `${formatAddress(address(data.subarray(0, half)))}/${formatAddress(address(data.subarray(half)))}`;
        }
      case ID_TYPE.IPV4_ADDR_RANGE:
      case ID_TYPE.IPV6_ADDR_RANGE:
        return `${formatAddress(address(data.subarray(0, half)))}-${formatAddress(address(data.subarray(half)))}`;
      case ID_TYPE.DER_ASN1_DN:
        return nameIn(data)?.text ?? formatHex(data);
    }
  }
  return printable(data) ? decodeText(data) : formatHex(data);
}

/** Type and value of an ID, with protocol and port where it has them: `IPV4_ADDR 192.0.2.1 (protocol 17, port 500)`. */
export function describeId(id: Identification): string {
  const limits = id.protocol || id.port ? ` (protocol ${id.protocol}, port ${id.port})` : "";
  return `${nameOf(ID_TYPE, id.type)} ${formatId(id)}${limits}`;
}

/** A selector for people: `192.168.1.0/24`, `192.168.1.2/32 protocol 6 port 80`. */
export function describeSelector({ prefix, protocol, port }: ClientSelector): string {
  return formatPrefix(prefix) + (protocol ? ` protocol ${protocol}` : "") + (port ? ` port ${port}` : "");
}
