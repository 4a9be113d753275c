/**
 * The registries of ISAKMP (RFC 2408), the IPsec DOI (RFC 2407) and IKE (RFC 2409) with their later additions. Each is
 * one object from name to number; `nameOf` reads it the other way, so names exist once.
 *
 * @module
 */

/** From registry name to number. */
export type Registry = Readonly<Record<string, number>>;

const reversed = new WeakMap<Registry, Map<number, string>>();

/** The registry's name of a number; `UNKNOWN (n)` when it has none. */
export function nameOf(registry: Registry, number: number): string {
  let names = reversed.get(registry);
  if (!names) {
    names = new Map();
    for (const [name, value] of Object.entries(registry)) if (!names.has(value)) names.set(value, name);
    reversed.set(registry, names);
  }
  return names.get(number) ?? `UNKNOWN (${number})`;
}

/** RFC 2408 3.1. */
export const EXCHANGE = {
  BASE: 1,
  ID_PROT: 2,
  AUTH_ONLY: 3,
  AGGRESSIVE: 4,
  INFO: 5,
  TRANSACTION: 6,
  QUICK_MODE: 32,
  NEW_GROUP_MODE: 33,
} as const satisfies Registry;

/** RFC 2408 3.1, bits. */
export const FLAG = { ENCRYPTION: 1, COMMIT: 2, AUTH_ONLY: 4 } as const satisfies Registry;

/** RFC 2408 3.1; NAT traversal RFC 3947; the numbers above 127 are private use, as drafts and vendors took them. */
export const PAYLOAD = {
  NONE: 0,
  SA: 1,
  PROPOSAL: 2,
  TRANSFORM: 3,
  KEY_EXCH: 4,
  ID: 5,
  CERT: 6,
  CERT_REQUEST: 7,
  HASH: 8,
  SIG: 9,
  NONCE: 10,
  NOTIFY: 11,
  DELETE: 12,
  VENDOR: 13,
  ATTRIBUTE: 14,
  NAT_D: 20,
  NAT_OA: 21,
  NAT_D_DRAFT: 130,
  NAT_OA_DRAFT: 131,
  FRAGMENT: 132,
} as const satisfies Registry;

/** RFC 2407 4.2; 0 is ISAKMP's own, for notifies before a DOI is known. */
export const DOI = { ISAKMP: 0, IPSEC: 1 } as const satisfies Registry;

/** RFC 2407 4.2, bits. */
export const SITUATION = { IDENTITY_ONLY: 1, SECRECY: 2, INTEGRITY: 4 } as const satisfies Registry;

/** RFC 2407 4.4.1. */
export const PROTOCOL_ID = { ISAKMP: 1, IPSEC_AH: 2, IPSEC_ESP: 3, IPCOMP: 4 } as const satisfies Registry;

/** RFC 2407 4.4.2. */
export const ISAKMP_TRANSFORM = { KEY_IKE: 1 } as const satisfies Registry;

/** RFC 2407 4.4.4 and the registry. */
export const ESP_TRANSFORM = {
  DES_IV64: 1,
  DES: 2,
  "3DES": 3,
  RC5: 4,
  IDEA: 5,
  CAST: 6,
  BLOWFISH: 7,
  "3IDEA": 8,
  DES_IV32: 9,
  RC4: 10,
  NULL: 11,
  AES: 12,
  AES_CTR: 13,
  AES_CCM_8: 14,
  AES_CCM_12: 15,
  AES_CCM_16: 16,
  AES_GCM_8: 18,
  AES_GCM_12: 19,
  AES_GCM_16: 20,
  SEED: 21,
  CAMELLIA: 22,
  AES_GMAC: 23,
  SERPENT: 252,
  TWOFISH: 253,
} as const satisfies Registry;

/** RFC 2407 4.4.3 and the registry. */
export const AH_TRANSFORM = {
  MD5: 2,
  SHA: 3,
  DES: 4,
  SHA2_256: 5,
  SHA2_384: 6,
  SHA2_512: 7,
  RIPEMD: 8,
  AES_XCBC: 9,
  RSA: 10,
  AES_128_GMAC: 11,
  AES_192_GMAC: 12,
  AES_256_GMAC: 13,
} as const satisfies Registry;

/** RFC 2407 4.4.5. */
export const IPCOMP_TRANSFORM = { OUI: 1, DEFLATE: 2, LZS: 3, LZJH: 4 } as const satisfies Registry;

/** RFC 2407 4.6.2.1. */
export const ID_TYPE = {
  IPV4_ADDR: 1,
  FQDN: 2,
  USER_FQDN: 3,
  IPV4_ADDR_SUBNET: 4,
  IPV6_ADDR: 5,
  IPV6_ADDR_SUBNET: 6,
  IPV4_ADDR_RANGE: 7,
  IPV6_ADDR_RANGE: 8,
  DER_ASN1_DN: 9,
  DER_ASN1_GN: 10,
  KEY_ID: 11,
  LIST: 12,
} as const satisfies Registry;

/** RFC 2408 3.9; 11 is isakmpd's. */
export const CERT_ENCODING = {
  NONE: 0,
  PKCS: 1,
  PGP: 2,
  DNS: 3,
  X509_SIG: 4,
  X509_KE: 5,
  KERBEROS: 6,
  CRL: 7,
  ARL: 8,
  SPKI: 9,
  X509_ATTR: 10,
  KEYNOTE: 11,
} as const satisfies Registry;

/** RFC 2408 3.14.1, RFC 2407 4.6.3, RFC 3706 and vendors' private numbers. */
export const NOTIFY = {
  INVALID_PAYLOAD_TYPE: 1,
  DOI_NOT_SUPPORTED: 2,
  SITUATION_NOT_SUPPORTED: 3,
  INVALID_COOKIE: 4,
  INVALID_MAJOR_VERSION: 5,
  INVALID_MINOR_VERSION: 6,
  INVALID_EXCHANGE_TYPE: 7,
  INVALID_FLAGS: 8,
  INVALID_MESSAGE_ID: 9,
  INVALID_PROTOCOL_ID: 10,
  INVALID_SPI: 11,
  INVALID_TRANSFORM_ID: 12,
  ATTRIBUTES_NOT_SUPPORTED: 13,
  NO_PROPOSAL_CHOSEN: 14,
  BAD_PROPOSAL_SYNTAX: 15,
  PAYLOAD_MALFORMED: 16,
  INVALID_KEY_INFORMATION: 17,
  INVALID_ID_INFORMATION: 18,
  INVALID_CERT_ENCODING: 19,
  INVALID_CERTIFICATE: 20,
  CERT_TYPE_UNSUPPORTED: 21,
  INVALID_CERT_AUTHORITY: 22,
  INVALID_HASH_INFORMATION: 23,
  AUTHENTICATION_FAILED: 24,
  INVALID_SIGNATURE: 25,
  ADDRESS_NOTIFICATION: 26,
  NOTIFY_SA_LIFETIME: 27,
  CERTIFICATE_UNAVAILABLE: 28,
  UNSUPPORTED_EXCHANGE_TYPE: 29,
  UNEQUAL_PAYLOAD_LENGTHS: 30,
  CONNECTED: 16384,
  RESPONDER_LIFETIME: 24576,
  REPLAY_STATUS: 24577,
  INITIAL_CONTACT: 24578,
  R_U_THERE: 36136,
  R_U_THERE_ACK: 36137,
  UNITY_LOAD_BALANCE: 40501,
  UNITY_GROUP_HASH: 40503,
} as const satisfies Registry;

export type NotifyName = keyof typeof NOTIFY;

/** Error notifies are below the status notifies (RFC 2408 3.14.1). */
export const isErrorNotify = (type: number): boolean => type < NOTIFY.CONNECTED;

/** Attribute classes of phase 1 transforms, RFC 2409 appendix A. */
export const IKE_ATTRIBUTE = {
  ENCRYPTION_ALGORITHM: 1,
  HASH_ALGORITHM: 2,
  AUTHENTICATION_METHOD: 3,
  GROUP_DESCRIPTION: 4,
  GROUP_TYPE: 5,
  GROUP_PRIME: 6,
  GROUP_GENERATOR_1: 7,
  GROUP_GENERATOR_2: 8,
  GROUP_CURVE_A: 9,
  GROUP_CURVE_B: 10,
  LIFE_TYPE: 11,
  LIFE_DURATION: 12,
  PRF: 13,
  KEY_LENGTH: 14,
  FIELD_SIZE: 15,
  GROUP_ORDER: 16,
  BLOCK_SIZE: 17,
} as const satisfies Registry;

/** Attribute classes of phase 2 transforms, RFC 2407 4.5. */
export const IPSEC_ATTRIBUTE = {
  LIFE_TYPE: 1,
  LIFE_DURATION: 2,
  GROUP_DESCRIPTION: 3,
  ENCAPSULATION_MODE: 4,
  AUTHENTICATION_ALGORITHM: 5,
  KEY_LENGTH: 6,
  KEY_ROUNDS: 7,
  COMPRESS_DICTIONARY_SIZE: 8,
  COMPRESS_PRIVATE_ALGORITHM: 9,
  ECN_TUNNEL: 10,
  EXTENDED_SEQUENCE_NUMBER: 11,
  AUTHENTICATION_KEY_LENGTH: 12,
  SIGNATURE_ENCODING: 13,
  ADDRESS_PRESERVATION: 14,
  SA_DIRECTION: 15,
} as const satisfies Registry;

export const IKE_ENCRYPTION = {
  DES_CBC: 1,
  IDEA_CBC: 2,
  BLOWFISH_CBC: 3,
  RC5_R16_B64_CBC: 4,
  "3DES_CBC": 5,
  CAST_CBC: 6,
  AES_CBC: 7,
  CAMELLIA_CBC: 8,
  SERPENT_CBC: 65004,
  TWOFISH_CBC: 65005,
} as const satisfies Registry;

export const IKE_HASH = {
  MD5: 1,
  SHA: 2,
  TIGER: 3,
  SHA2_256: 4,
  SHA2_384: 5,
  SHA2_512: 6,
} as const satisfies Registry;

/** RFC 2409 appendix A, RFC 4754, draft-beaulieu-ike-xauth-02 and the hybrid draft. */
export const IKE_AUTHENTICATION = {
  PRE_SHARED: 1,
  DSS: 2,
  RSA_SIG: 3,
  RSA_ENC: 4,
  RSA_ENC_REV: 5,
  ELGAMAL_ENC: 6,
  ELGAMAL_ENC_REV: 7,
  ECDSA_SIG: 8,
  ECDSA_256: 9,
  ECDSA_384: 10,
  ECDSA_521: 11,
  HYBRID_INIT_RSA: 64221,
  HYBRID_RESP_RSA: 64222,
  HYBRID_INIT_DSS: 64223,
  HYBRID_RESP_DSS: 64224,
  XAUTH_INIT_PRE_SHARED: 65001,
  XAUTH_RESP_PRE_SHARED: 65002,
  XAUTH_INIT_DSS: 65003,
  XAUTH_RESP_DSS: 65004,
  XAUTH_INIT_RSA_SIG: 65005,
  XAUTH_RESP_RSA_SIG: 65006,
  XAUTH_INIT_RSA_ENC: 65007,
  XAUTH_RESP_RSA_ENC: 65008,
  XAUTH_INIT_RSA_ENC_REV: 65009,
  XAUTH_RESP_RSA_ENC_REV: 65010,
} as const satisfies Registry;

/** RFC 2409 6, RFC 3526, RFC 5903; 31 as strongSwan uses it. */
export const IKE_GROUP = {
  MODP_768: 1,
  MODP_1024: 2,
  EC2N_155: 3,
  EC2N_185: 4,
  MODP_1536: 5,
  MODP_2048: 14,
  MODP_3072: 15,
  MODP_4096: 16,
  MODP_6144: 17,
  MODP_8192: 18,
  ECP_256: 19,
  ECP_384: 20,
  ECP_521: 21,
  MODP_1024_160: 22,
  MODP_2048_224: 23,
  MODP_2048_256: 24,
  ECP_192: 25,
  ECP_224: 26,
  BRAINPOOL_224: 27,
  BRAINPOOL_256: 28,
  BRAINPOOL_384: 29,
  BRAINPOOL_512: 30,
  CURVE_25519: 31,
  CURVE_448: 32,
} as const satisfies Registry;

export const IKE_GROUP_TYPE = { MODP: 1, ECP: 2, EC2N: 3 } as const satisfies Registry;

/** RFC 2407 4.5 and RFC 2409 appendix A agree. */
export const LIFE_TYPE = { SECONDS: 1, KILOBYTES: 2 } as const satisfies Registry;

/** RFC 2407 4.5, RFC 3947 5.1; the numbers above 61000 are those of the NAT traversal drafts. */
export const ENCAPSULATION_MODE = {
  TUNNEL: 1,
  TRANSPORT: 2,
  UDP_ENCAP_TUNNEL: 3,
  UDP_ENCAP_TRANSPORT: 4,
  UDP_ENCAP_TUNNEL_DRAFT: 61443,
  UDP_ENCAP_TRANSPORT_DRAFT: 61444,
} as const satisfies Registry;

export const AUTHENTICATION_ALGORITHM = {
  HMAC_MD5: 1,
  HMAC_SHA: 2,
  DES_MAC: 3,
  KPDK: 4,
  HMAC_SHA2_256: 5,
  HMAC_SHA2_384: 6,
  HMAC_SHA2_512: 7,
  HMAC_RIPEMD: 8,
  AES_XCBC_MAC: 9,
  SIG_RSA: 10,
  AES_128_GMAC: 11,
  AES_192_GMAC: 12,
  AES_256_GMAC: 13,
} as const satisfies Registry;

/** Types of the ATTRIBUTE payload, draft-dukes-ike-mode-cfg. */
export const CFG_TYPE = { REQUEST: 1, REPLY: 2, SET: 3, ACK: 4 } as const satisfies Registry;

/** Attributes of mode config, XAUTH (16520 on) and Cisco's Unity extensions (28672 on). */
export const CFG_ATTRIBUTE = {
  INTERNAL_IP4_ADDRESS: 1,
  INTERNAL_IP4_NETMASK: 2,
  INTERNAL_IP4_DNS: 3,
  INTERNAL_IP4_NBNS: 4,
  INTERNAL_ADDRESS_EXPIRY: 5,
  INTERNAL_IP4_DHCP: 6,
  APPLICATION_VERSION: 7,
  INTERNAL_IP6_ADDRESS: 8,
  INTERNAL_IP6_NETMASK: 9,
  INTERNAL_IP6_DNS: 10,
  INTERNAL_IP6_NBNS: 11,
  INTERNAL_IP6_DHCP: 12,
  INTERNAL_IP4_SUBNET: 13,
  SUPPORTED_ATTRIBUTES: 14,
  INTERNAL_IP6_SUBNET: 15,
  XAUTH_TYPE: 16520,
  XAUTH_USER_NAME: 16521,
  XAUTH_USER_PASSWORD: 16522,
  XAUTH_PASSCODE: 16523,
  XAUTH_MESSAGE: 16524,
  XAUTH_CHALLENGE: 16525,
  XAUTH_DOMAIN: 16526,
  XAUTH_STATUS: 16527,
  XAUTH_NEXT_PIN: 16528,
  XAUTH_ANSWER: 16529,
  UNITY_BANNER: 28672,
  UNITY_SAVE_PASSWORD: 28673,
  UNITY_DEFAULT_DOMAIN: 28674,
  UNITY_SPLIT_DNS: 28675,
  UNITY_SPLIT_INCLUDE: 28676,
  UNITY_NATT_PORT: 28677,
  UNITY_LOCAL_LAN: 28678,
  UNITY_PFS: 28679,
  UNITY_FIREWALL: 28680,
  UNITY_BACKUP_SERVERS: 28681,
  UNITY_DDNS_HOSTNAME: 28682,
} as const satisfies Registry;
