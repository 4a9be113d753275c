/** The words that isakmpd.conf's values are made of, over the registries of ISAKMP. @module */
import { ESP_CIPHERS } from "../crypto/algorithms.ts";
import { GROUPS } from "../crypto/group.ts";
import {
  AH_TRANSFORM,
  AUTHENTICATION_ALGORITHM,
  ENCAPSULATION_MODE,
  ESP_TRANSFORM,
  IKE_AUTHENTICATION,
  IKE_ENCRYPTION,
  IKE_GROUP,
  IKE_HASH,
  type Registry,
} from "../isakmp/numbers.ts";

/** The allowed words of a tag. */
export interface Words {
  /** All that isakmpd.conf(5) and the registry know. */
  readonly known: Registry;
  /** Those that can be used here, best known spelling. */
  readonly usable: readonly string[];
  /** Other spellings. */
  readonly aliases?: Readonly<Record<string, string>>;
}

const names = (all: readonly (string | undefined)[]) => all.filter((name) => name !== undefined);

export const ENCRYPTION_WORDS: Words = {
  known: IKE_ENCRYPTION,
  usable: names(ESP_CIPHERS.map((row) => row.ikeCipherName)),
};
export const HASH_WORDS: Words = {
  known: IKE_HASH,
  usable: ["MD5", "SHA", "SHA2_256", "SHA2_384", "SHA2_512"],
  aliases: { SHA1: "SHA", "SHA2-256": "SHA2_256", "SHA2-384": "SHA2_384", "SHA2-512": "SHA2_512" },
};
export const AUTHENTICATION_WORDS: Words = {
  known: IKE_AUTHENTICATION,
  usable: ["PRE_SHARED", "RSA_SIG", "DSS", "ECDSA_256", "ECDSA_384", "ECDSA_521"],
};
export const GROUP_WORDS: Words = {
  known: { ...IKE_GROUP, CURVE25519: IKE_GROUP.CURVE_25519 },
  usable: names(Object.values(GROUPS).map((group) => group?.name)),
  aliases: { EC_155: "EC2N_155", EC_185: "EC2N_185", CURVE_25519: "CURVE25519" },
};
export const ESP_WORDS: Words = {
  known: ESP_TRANSFORM,
  usable: names(ESP_CIPHERS.map((row) => row.espTransformName)),
};
export const AH_WORDS: Words = {
  known: { ...AH_TRANSFORM, AES_GMAC: AH_TRANSFORM.AES_128_GMAC },
  usable: ["MD5", "SHA", "RIPEMD", "SHA2_256", "SHA2_384", "SHA2_512", "AES_XCBC"],
};
export const ENCAPSULATION_WORDS: Words = { known: ENCAPSULATION_MODE, usable: ["TUNNEL", "TRANSPORT"] };
export const HMAC_WORDS: Words = {
  known: AUTHENTICATION_ALGORITHM,
  usable: [
    "HMAC_MD5",
    "HMAC_SHA",
    "HMAC_RIPEMD",
    "HMAC_SHA2_256",
    "HMAC_SHA2_384",
    "HMAC_SHA2_512",
    "AES_XCBC_MAC",
    "KPDK",
  ],
};
