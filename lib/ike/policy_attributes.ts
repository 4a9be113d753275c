/**
 * What a policy is told of a phase 2 proposal: the action attributes of isakmpd.policy(5), with their exact values. The
 * values are text that compares as it should: addresses are padded, so that their order is that of their text.
 *
 * @module
 */
import type { AuthenticatorRow, CipherRow } from "../crypto/algorithms.ts";
import { type Address, address } from "../ip/address.ts";
import { faultOfId, type Identification, lastOf, selectorOf } from "../isakmp/identification.ts";
import { ENCAPSULATION_MODE, ID_TYPE, PROTOCOL_ID } from "../isakmp/numbers.ts";
import { decodeText } from "../octets/bytes.ts";
import { formatHex } from "../octets/hex.ts";

/** One protocol of the proposal; `Phase2Terms` is one. */
export interface ProtocolFacts {
  /** PROTOCOL_ID: IPSEC_AH, IPSEC_ESP or IPCOMP. */
  readonly protocol: number;
  readonly cipher?: Pick<CipherRow, "keynote">;
  readonly authenticator?: Pick<AuthenticatorRow, "keynote" | "keynoteHash">;
  /** A value of ENCAPSULATION_MODE; the UDP modes count as the mode they carry. */
  readonly encapsulation: number;
  /** PFS. */
  readonly group?: number;
  readonly keyBits?: number;
  /** 0: none. */
  readonly lifeSeconds: number;
  readonly lifeKilobytes: number;
}

/** A phase 2 proposal, who makes it and between whom. */
export interface ProposalFacts {
  /** Whether this host began the phase 2. */
  readonly initiator: boolean;
  readonly exchange: "ID_PROT" | "AGGRESSIVE";
  readonly phase1Group: number;
  readonly protocols: readonly ProtocolFacts[];
  /** The peer's phase 1 ID. */
  readonly remoteId: Identification;
  /** Client IDs; both absent: the two hosts themselves. */
  readonly localClient?: Identification;
  readonly remoteClient?: Identification;
  /** Addresses of the two daemons. */
  readonly localAddress: Address;
  readonly remoteAddress: Address;
  readonly now: Date;
}

const ID_TYPE_WORDS: Readonly<Record<number, string>> = {
  [ID_TYPE.IPV4_ADDR]: "IPv4 address",
  [ID_TYPE.IPV4_ADDR_RANGE]: "IPv4 range",
  [ID_TYPE.IPV4_ADDR_SUBNET]: "IPv4 subnet",
  [ID_TYPE.IPV6_ADDR]: "IPv6 address",
  [ID_TYPE.IPV6_ADDR_RANGE]: "IPv6 range",
  [ID_TYPE.IPV6_ADDR_SUBNET]: "IPv6 subnet",
  [ID_TYPE.FQDN]: "FQDN",
  [ID_TYPE.USER_FQDN]: "User FQDN",
  [ID_TYPE.DER_ASN1_DN]: "ASN1 DN",
  [ID_TYPE.DER_ASN1_GN]: "ASN1 GN",
  [ID_TYPE.KEY_ID]: "Key ID",
};

/** Names of upper protocols; others are decimal. */
const PROTOCOL_WORDS: Readonly<Record<number, string>> = { 6: "tcp", 17: "udp", 97: "etherip" };

const yesNo = (value: boolean): string => value ? "yes" : "no";
const positive = (value: number | undefined): string => value ? String(value) : "";

/** Three digits for each octet of IPv4, four hexadecimal digits for each group of IPv6. */
export function paddedAddress({ family, octets }: Address): string {
  return family === 4
    ? Array.from(octets, (octet) => String(octet).padStart(3, "0")).join(".")
    : formatHex(octets).replace(/.{4}(?=.)/g, "$&:");
}

/** The lowest and the highest address of an ID that is one or several; undefined for a mask that is none. */
function boundsOf({ type, data }: Identification): [Address, Address] | undefined {
  const half = data.length / 2;
  switch (type) {
    case ID_TYPE.IPV4_ADDR_RANGE:
    case ID_TYPE.IPV6_ADDR_RANGE:
      return [address(data.subarray(0, half)), address(data.subarray(half))];
    default:
      try {
        const { prefix } = selectorOf({ type, data, protocol: 0, port: 0 });
        return [prefix.address, lastOf(prefix)];
      } catch (error) {
        if (error instanceof RangeError) return undefined;
        throw error;
      }
  }
}

const isPrintable = (octets: Uint8Array): boolean => octets.every((octet) => octet >= 0x20 && octet < 0x7f);

/** `remote_id`, `remote_id_type`, `..._addr_lower` and so on, for one of `remote_id`, `remote_filter`, `local_filter`. */
function identity(
  prefix: string,
  id: Identification,
  nameText: (der: Uint8Array) => string,
): Record<string, string> {
  const attributes = {
    [`${prefix}_type`]: ID_TYPE_WORDS[id.type] ?? "",
    [`${prefix}_port`]: String(id.port),
    [`${prefix}_proto`]: PROTOCOL_WORDS[id.protocol] ?? String(id.protocol),
  };
  if (faultOfId(id)) return attributes;
  switch (id.type) {
    case ID_TYPE.FQDN:
    case ID_TYPE.USER_FQDN:
      return { ...attributes, [prefix]: decodeText(id.data) };
    case ID_TYPE.KEY_ID:
      return { ...attributes, [prefix]: isPrintable(id.data) ? decodeText(id.data) : formatHex(id.data) };
    case ID_TYPE.DER_ASN1_DN:
    case ID_TYPE.DER_ASN1_GN:
      return { ...attributes, [prefix]: nameText(id.data) };
  }
  const bounds = id.type in ID_TYPE_WORDS ? boundsOf(id) : undefined;
  if (!bounds) return attributes;
  const [lower, upper] = bounds.map(paddedAddress);
  const single = id.type === ID_TYPE.IPV4_ADDR || id.type === ID_TYPE.IPV6_ADDR;
  return {
    ...attributes,
    [prefix]: single ? lower : `${lower}-${upper}`,
    [`${prefix}_addr_lower`]: lower,
    [`${prefix}_addr_upper`]: upper,
  };
}

/** A filter without a client ID: the daemon's own address, as isakmpd has it always of type `IPv4 address`. */
function hostFilter(prefix: string, host: Address): Record<string, string> {
  const text = paddedAddress(host);
  return {
    [`${prefix}_type`]: host.family === 4 ? "IPv4 address" : "IPv6 address",
    [prefix]: text,
    [`${prefix}_addr_lower`]: text,
    [`${prefix}_addr_upper`]: text,
    [`${prefix}_port`]: "",
    [`${prefix}_proto`]: "",
  };
}

const TUNNEL_MODES: readonly number[] = [
  ENCAPSULATION_MODE.TUNNEL,
  ENCAPSULATION_MODE.UDP_ENCAP_TUNNEL,
  ENCAPSULATION_MODE.UDP_ENCAP_TUNNEL_DRAFT,
];

/** The attributes of one protocol, or that it is absent. */
function protocol(prefix: "ah" | "esp" | "comp", facts: ProtocolFacts | undefined): Record<string, string> {
  const attributes: Record<string, string> = { [`${prefix}_present`]: yesNo(facts !== undefined) };
  if (!facts) return attributes;
  const { cipher, authenticator } = facts;
  attributes[`${prefix}_encapsulation`] = TUNNEL_MODES.includes(facts.encapsulation) ? "tunnel" : "transport";
  attributes[`${prefix}_life_seconds`] = positive(facts.lifeSeconds);
  attributes[`${prefix}_life_kbytes`] = positive(facts.lifeKilobytes);
  attributes[`${prefix}_group_desc`] = positive(facts.group);
  attributes[`${prefix}_ecn`] = "no";
  if (prefix === "comp") return attributes;
  attributes[`${prefix}_auth_alg`] = authenticator?.keynote ?? "";
  attributes[`${prefix}_key_length`] = positive(facts.keyBits);
  attributes[`${prefix}_key_rounds`] = "";
  if (prefix === "ah") attributes.ah_hash_alg = authenticator?.keynoteHash ?? "";
  else attributes.esp_enc_alg = cipher?.keynote ?? "";
  return attributes;
}

/** Every attribute that isakmpd.policy(5) has. */
export const POLICY_ATTRIBUTES: readonly string[] = [
  "app_domain",
  "doi",
  "initiator",
  "phase_1",
  "phase1_group_desc",
  "pfs",
  ...["ah", "esp", "comp"].flatMap((prefix) =>
    ["present", "life_seconds", "life_kbytes", "encapsulation", "ecn", "group_desc"].map((name) => `${prefix}_${name}`)
  ),
  "ah_hash_alg",
  "esp_enc_alg",
  "comp_alg",
  ...["ah", "esp"].flatMap((prefix) => ["auth_alg", "key_length", "key_rounds"].map((name) => `${prefix}_${name}`)),
  "comp_dict_size",
  "comp_private_alg",
  ...["remote_filter", "local_filter", "remote_id"].flatMap((prefix) =>
    ["", "_type", "_addr_upper", "_addr_lower", "_port", "_proto"].map((suffix) => prefix + suffix)
  ),
  "remote_negotiation_address",
  "local_negotiation_address",
  "remote_ike_address",
  "local_ike_address",
  "GMTTimeOfDay",
  "LocalTimeOfDay",
];

const digits = (...parts: number[]): string => parts.map((part) => String(part).padStart(2, "0")).join("");

/**
 * The action attributes of a proposal. Names that isakmpd.policy(5) does not have are not there, and so are empty.
 *
 * @param nameText how a DER name is written in one line
 */
export function policyAttributes(
  facts: ProposalFacts,
  nameText: (der: Uint8Array) => string = formatHex,
): Record<string, string> {
  const { localClient, remoteClient, localAddress, remoteAddress, now } = facts;
  const of = (number: number) => facts.protocols.find(({ protocol }) => protocol === number);
  const [local, remote] = [paddedAddress(localAddress), paddedAddress(remoteAddress)];
  return {
    app_domain: "IPsec policy",
    doi: "ipsec",
    initiator: yesNo(facts.initiator),
    phase_1: facts.exchange === "AGGRESSIVE" ? "aggressive" : "main",
    phase1_group_desc: String(facts.phase1Group),
    pfs: yesNo(facts.protocols.some(({ group }) => group !== undefined)),
    ...protocol("ah", of(PROTOCOL_ID.IPSEC_AH)),
    ...protocol("esp", of(PROTOCOL_ID.IPSEC_ESP)),
    ...protocol("comp", of(PROTOCOL_ID.IPCOMP)),
    ...identity("remote_id", facts.remoteId, nameText),
    ...(remoteClient ? identity("remote_filter", remoteClient, nameText) : hostFilter("remote_filter", remoteAddress)),
    ...(localClient ? identity("local_filter", localClient, nameText) : hostFilter("local_filter", localAddress)),
    remote_negotiation_address: remote,
    local_negotiation_address: local,
    remote_ike_address: remote,
    local_ike_address: local,
    GMTTimeOfDay: digits(
      now.getUTCFullYear(),
      now.getUTCMonth() + 1,
      now.getUTCDate(),
      now.getUTCHours(),
      now.getUTCMinutes(),
      now.getUTCSeconds(),
    ),
    LocalTimeOfDay: digits(
      now.getFullYear(),
      now.getMonth() + 1,
      now.getDate(),
      now.getHours(),
      now.getMinutes(),
      now.getSeconds(),
    ),
  };
}
