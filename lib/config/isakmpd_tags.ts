/** Every section kind of isakmpd.conf(5) and its tags, for the hints about what is unknown. @module */

/** Section kinds. The root sections are found by name, the others by reference. */
export type SectionKind =
  | "General"
  | "Phase 1"
  | "Phase 2"
  | "X509-certificates"
  | "KeyNote"
  | "RSA_SIG"
  | "XAUTH-users"
  | "ISAKMP-peer"
  | "Phase1-ID"
  | "ISAKMP-configuration"
  | "ISAKMP-transform"
  | "Lifetime"
  | "IPsec-connection"
  | "IPsec-configuration"
  | "IPsec-suite"
  | "IPsec-protocol"
  | "IPsec-transform"
  | "IPsec-ID"
  | "Initiator-ID"
  | "IKECFG-ID";

const ID_TAGS = ["ID-type", "Address", "Network", "Netmask", "Prefix", "Name"];

/** Tags by section kind. Sections whose tags are names of the user's (Phase 1, XAUTH-users) have none. */
export const SECTION_TAGS: Readonly<Record<SectionKind, readonly string[]>> = {
  General: [
    "Retransmits",
    "Exchange-max-time",
    "Listen-on",
    "Check-interval",
    "Policy-file",
    "Pubkey-directory",
    "Default-phase-1-ID",
    "Default-phase-1-lifetime",
    "Default-phase-2-lifetime",
    "Default-phase-2-suites",
    "Shared-SADB",
    "Renegotiate-on-HUP",
    "Use-Keynote",
    "Acquire-Only",
    "DPD-check-interval",
    "Loglevel",
    "Logverbose",
    "NAT-T-Keepalive",
    "Delete-SAs",
  ],
  "Phase 1": [],
  "Phase 2": ["Connections", "Passive-connections"],
  "X509-certificates": [
    "CA-directory",
    "Cert-directory",
    "CRL-directory",
    "Private-key",
    "Private-key-directory",
    "Accept-self-signed",
  ],
  KeyNote: ["Credential-directory"],
  RSA_SIG: ["CERT", "PRIVKEY", "PUBKEY"],
  "XAUTH-users": [],
  "ISAKMP-peer": [
    "Phase",
    "Transport",
    "Port",
    "Local-address",
    "Address",
    "Configuration",
    "Authentication",
    "ID",
    "Remote-ID",
    "Flags",
    "XAUTH-user",
    "XAUTH-password",
  ],
  "Phase1-ID": ID_TAGS,
  "ISAKMP-configuration": ["DOI", "EXCHANGE_TYPE", "Transforms"],
  "ISAKMP-transform": [
    "ENCRYPTION_ALGORITHM",
    "KEY_LENGTH",
    "HASH_ALGORITHM",
    "AUTHENTICATION_METHOD",
    "GROUP_DESCRIPTION",
    "PRF",
    "Life",
  ],
  Lifetime: ["LIFE_TYPE", "LIFE_DURATION"],
  "IPsec-connection": [
    "Phase",
    "ISAKMP-peer",
    "Configuration",
    "Local-ID",
    "Remote-ID",
    "Flags",
    "PF-Tag",
    "Acquire-ID",
    "NAT-ID",
  ],
  "IPsec-configuration": ["DOI", "EXCHANGE_TYPE", "Suites"],
  "IPsec-suite": ["Protocols"],
  "IPsec-protocol": ["PROTOCOL_ID", "Transforms", "ReplayWindow"],
  "IPsec-transform": [
    "TRANSFORM_ID",
    "ENCAPSULATION_MODE",
    "AUTHENTICATION_ALGORITHM",
    "GROUP_DESCRIPTION",
    "KEY_LENGTH",
    "Life",
  ],
  "IPsec-ID": [...ID_TAGS, "Protocol", "Port"],
  "Initiator-ID": ["Authentication"],
  "IKECFG-ID": [
    "Address",
    "Netmask",
    "Nameserver",
    "WINS-server",
    "DHCP-server",
    "Network",
    "Prefix",
    "Lifetime",
    "Mode",
    "Attributes",
    "Split-include",
    "Default-domain",
    "Banner",
  ],
};

/** Root sections: found by their names. */
export const ROOT_SECTIONS = [
  "General",
  "Phase 1",
  "Phase 2",
  "X509-certificates",
  "KeyNote",
  "RSA_SIG",
  "XAUTH-users",
] as const satisfies readonly SectionKind[];

/** Tags that tell what kind of section one is that nothing refers to, the surest first. */
export const TELLING_TAGS: readonly (readonly [tag: string, kind: SectionKind])[] = [
  ["ISAKMP-peer", "IPsec-connection"],
  ["ENCRYPTION_ALGORITHM", "ISAKMP-transform"],
  ["HASH_ALGORITHM", "ISAKMP-transform"],
  ["TRANSFORM_ID", "IPsec-transform"],
  ["PROTOCOL_ID", "IPsec-protocol"],
  ["Protocols", "IPsec-suite"],
  ["Suites", "IPsec-configuration"],
  ["EXCHANGE_TYPE", "ISAKMP-configuration"],
  ["LIFE_TYPE", "Lifetime"],
  ["LIFE_DURATION", "Lifetime"],
  ["ID-type", "IPsec-ID"],
  ["Phase", "ISAKMP-peer"],
  ["Authentication", "Initiator-ID"],
];
