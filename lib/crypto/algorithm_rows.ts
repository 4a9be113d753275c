/** What a row of the algorithm registries holds. @module */
import type { HashName } from "./hash.ts";
import type { AeadName, MacName, PacketCipherName } from "./packet.ts";

/** Allowed key lengths in octets: `min`, `min + step`, ... `max`. A salt is not counted. */
export interface KeyLengths {
  readonly min: number;
  readonly max: number;
  readonly step: number;
  readonly recommended: number;
}

/** A number, or one for each key length in octets. */
export type ByKeyLength = number | Readonly<Record<number, number>>;

/** What ciphers and authenticators have in common. */
export interface AlgorithmRow {
  /** ipsecadm's keyword and the name in `SaParameters`. */
  readonly name: string;
  /** Other words that people write for it. */
  readonly aliases: readonly string[];
  /** As /kern/ipsec shows it. */
  readonly kernelName: string;
  /** In isakmpd's suite names (`QM-ESP-3DES-SHA-SUITE`); absent: no suite has it. */
  readonly suiteName?: string;
  readonly key: KeyLengths;
  /** Octets of salt or nonce at the end of the keying material (RFC 3686 5.1, RFC 4106 8.1). */
  readonly saltOctets: number;
  /** Octets of IV in each packet. */
  readonly ivOctets: number;
  /** Octets of ICV in each packet; 0 for a cipher that needs a separate authenticator. */
  readonly icvOctets: number;
  /** Number in the PF_KEY SA extension: sadb_sa_encrypt for ciphers, sadb_sa_auth for authenticators. */
  readonly pfkey: ByKeyLength;
  /** `esp_enc_alg`, `ah_auth_alg` or `esp_auth_alg` in a KeyNote query. */
  readonly keynote?: string;
  /** Why it should not be used any more; absent: no warning. */
  readonly weak?: string;
  /** Whether keys given by hand are safe: a counter mode under a key that outlives its counter is not (RFC 3686 2.1). */
  readonly manualKeys: boolean;
  /** Where it is defined for ESP or AH. */
  readonly source: string;
}

/** An ESP encryption transform. */
export interface CipherRow extends AlgorithmRow {
  /** The cipher without authentication, or the AEAD; NULL has neither. */
  readonly cipher?: PacketCipherName;
  readonly aead?: AeadName;
  /** The AEAD only authenticates: everything is associated data, IV included (RFC 4543). */
  readonly authenticatesOnly: boolean;
  /** The payload is padded to a multiple of this; at least 4 (RFC 2406 2.4). */
  readonly blockOctets: number;
  /** Whether old ESP (RFC 1827, 1829) may use it. */
  readonly oldEsp: boolean;
  /** sadb_sa_auth that goes with an AEAD. */
  readonly pfkeyAuth?: ByKeyLength;
  /** ISAKMP ESP transform identifier and its name in isakmpd.conf. */
  readonly espTransform?: number;
  readonly espTransformName?: string;
  /** Whether a proposal carries a Key Length attribute (RFC 2407 4.5, RFC 2409 appendix A). */
  readonly keyLengthAttribute: "required" | "optional" | "forbidden";
  /** Phase 1 encryption algorithm and its name in isakmpd.conf. */
  readonly ikeCipher?: number;
  readonly ikeCipherName?: string;
}

/** An authenticator of AH or ESP. */
export interface AuthenticatorRow extends AlgorithmRow {
  /** The MAC; absent where `aead` makes the ICV. */
  readonly mac?: MacName;
  readonly aead?: AeadName;
  /** The hash under the MAC. */
  readonly hash?: HashName;
  /** Row that ipsecadm's `old ah` means by the same keyword. */
  readonly oldAh?: string;
  /** Which headers may use it. */
  readonly uses: readonly ("esp" | "ah" | "old ah")[];
  /** ISAKMP AH transform identifier and its name in isakmpd.conf. */
  readonly ahTransform?: ByKeyLength;
  readonly ahTransformName?: string;
  /** Value of the phase 2 attribute Authentication Algorithm (5) and its name in isakmpd.conf. */
  readonly authentication?: ByKeyLength;
  readonly authenticationName?: string;
  /** `ah_hash_alg` in a KeyNote query. */
  readonly keynoteHash?: string;
  /** Phase 1 hash algorithm and its name in isakmpd.conf. */
  readonly ikeHash?: number;
  readonly ikeHashName?: string;
}

/** One key length. */
export const exactly = (octets: number): KeyLengths => ({ min: octets, max: octets, step: 1, recommended: octets });
/** Every key length in a range. */
export const between = (min: number, max: number, recommended: number): KeyLengths => ({
  min,
  max,
  step: 1,
  recommended,
});
/** 128, 192, 256 bits. */
export const AES_KEYS: KeyLengths = { min: 16, max: 32, step: 8, recommended: 16 };
