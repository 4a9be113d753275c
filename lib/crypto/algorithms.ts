/**
 * The registries of ESP ciphers and of authenticators: one row an algorithm, from which ipsecadm's keywords, PF_KEY
 * numbers, ISAKMP numbers and names, KeyNote names, key-length checks and help texts come.
 *
 * Numbers: PF_KEY as in RFC 2367 and OpenBSD's pfkeyv2.h; ISAKMP as in RFC 2407 4.4 and RFC 2409 appendix A with the
 * later registrations. A number that depends on the AES key length is a table by key octets.
 *
 * @module
 */
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

interface AlgorithmRow {
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

const exactly = (octets: number): KeyLengths => ({ min: octets, max: octets, step: 1, recommended: octets });
const between = (min: number, max: number, recommended: number): KeyLengths => ({ min, max, step: 1, recommended });
const AES_KEYS: KeyLengths = { min: 16, max: 32, step: 8, recommended: 16 };
const NONE = { saltOctets: 0, icvOctets: 0, authenticatesOnly: false, oldEsp: false, manualKeys: true } as const;
const COUNTER = { saltOctets: 4, ivOctets: 8, blockOctets: 1, authenticatesOnly: false, oldEsp: false } as const;
const HMAC = { saltOctets: 0, ivOctets: 0, manualKeys: true, aliases: [] as readonly string[] } as const;

/** ESP encryption transforms, in the order in which help lists them. */
export const ESP_CIPHERS: readonly CipherRow[] = [
  {
    ...NONE,
    name: "des",
    aliases: ["des-cbc"],
    kernelName: "DES",
    suiteName: "DES",
    cipher: "des-cbc",
    key: exactly(8),
    ivOctets: 8,
    blockOctets: 8,
    oldEsp: true,
    pfkey: 2,
    espTransform: 2,
    espTransformName: "DES",
    keyLengthAttribute: "forbidden",
    ikeCipher: 1,
    ikeCipherName: "DES_CBC",
    keynote: "des",
    weak: "its 56-bit key can be found by trying all keys",
    source: "RFC 2405",
  },
  {
    ...NONE,
    name: "3des",
    aliases: ["3des-cbc", "des3"],
    kernelName: "3DES",
    suiteName: "3DES",
    cipher: "3des-cbc",
    key: exactly(24),
    ivOctets: 8,
    blockOctets: 8,
    oldEsp: true,
    pfkey: 3,
    espTransform: 3,
    espTransformName: "3DES",
    keyLengthAttribute: "forbidden",
    ikeCipher: 5,
    ikeCipherName: "3DES_CBC",
    keynote: "3des",
    source: "RFC 2451",
  },
  {
    ...NONE,
    name: "blf",
    aliases: ["blowfish", "blowfish-cbc"],
    kernelName: "Blowfish",
    suiteName: "BLF",
    cipher: "blowfish-cbc",
    key: between(5, 56, 20),
    ivOctets: 8,
    blockOctets: 8,
    pfkey: 7,
    espTransform: 7,
    espTransformName: "BLOWFISH",
    keyLengthAttribute: "optional",
    ikeCipher: 3,
    ikeCipherName: "BLOWFISH_CBC",
    keynote: "blowfish",
    source: "RFC 2451",
  },
  {
    ...NONE,
    name: "cast",
    aliases: ["cast128", "cast128-cbc", "cast5"],
    kernelName: "CAST-128",
    suiteName: "CAST",
    cipher: "cast128-cbc",
    key: between(5, 16, 16),
    ivOctets: 8,
    blockOctets: 8,
    pfkey: 6,
    espTransform: 6,
    espTransformName: "CAST",
    keyLengthAttribute: "optional",
    ikeCipher: 6,
    ikeCipherName: "CAST_CBC",
    keynote: "cast",
    source: "RFC 2451, RFC 2144",
  },
  {
    ...NONE,
    name: "skipjack",
    aliases: ["skipjack-cbc"],
    kernelName: "Skipjack",
    cipher: "skipjack-cbc",
    key: exactly(10),
    ivOctets: 8,
    blockOctets: 8,
    pfkey: 249,
    keyLengthAttribute: "forbidden",
    weak: "its key has only 80 bits and its margin is one round",
    source: "NIST SKIPJACK and KEA specification",
  },
  {
    ...NONE,
    name: "aes",
    aliases: ["aes-cbc", "rijndael"],
    kernelName: "Rijndael-128/AES",
    suiteName: "AES",
    cipher: "aes-cbc",
    key: AES_KEYS,
    ivOctets: 16,
    blockOctets: 16,
    pfkey: 12,
    espTransform: 12,
    espTransformName: "AES",
    keyLengthAttribute: "required",
    ikeCipher: 7,
    ikeCipherName: "AES_CBC",
    keynote: "aes",
    source: "RFC 3602",
  },
  {
    ...COUNTER,
    name: "aesctr",
    aliases: ["aes-ctr"],
    kernelName: "AES-CTR",
    suiteName: "AESCTR",
    cipher: "aes-ctr",
    key: AES_KEYS,
    icvOctets: 0,
    pfkey: 13,
    espTransform: 13,
    espTransformName: "AES_CTR",
    keyLengthAttribute: "required",
    keynote: "aes-ctr",
    manualKeys: false,
    source: "RFC 3686",
  },
  {
    ...COUNTER,
    name: "aes-gcm",
    aliases: ["aesgcm", "aes-gcm-16"],
    kernelName: "AES-GCM",
    suiteName: "AESGCM",
    aead: "aes-gcm",
    key: AES_KEYS,
    icvOctets: 16,
    pfkey: 20,
    pfkeyAuth: { 16: 9, 24: 10, 32: 11 },
    espTransform: 20,
    espTransformName: "AES_GCM_16",
    keyLengthAttribute: "required",
    keynote: "aes-gcm",
    manualKeys: false,
    source: "RFC 4106",
  },
  {
    ...COUNTER,
    name: "aes-gmac",
    aliases: ["aesgmac"],
    kernelName: "AES-GMAC",
    suiteName: "AESGMAC",
    aead: "aes-gcm",
    authenticatesOnly: true,
    key: AES_KEYS,
    icvOctets: 16,
    pfkey: 21,
    pfkeyAuth: { 16: 9, 24: 10, 32: 11 },
    espTransform: 23,
    espTransformName: "AES_GMAC",
    keyLengthAttribute: "required",
    keynote: "aes-gmac",
    manualKeys: false,
    source: "RFC 4543",
  },
  {
    ...COUNTER,
    name: "chacha20-poly1305",
    aliases: ["chacha20"],
    kernelName: "ChaCha20-Poly1305",
    aead: "chacha20-poly1305",
    key: exactly(32),
    icvOctets: 16,
    pfkey: 22,
    pfkeyAuth: 12,
    keyLengthAttribute: "forbidden",
    keynote: "chacha20-poly1305",
    manualKeys: false,
    source: "RFC 7634",
  },
  {
    ...NONE,
    name: "null",
    aliases: ["none"],
    kernelName: "NULL",
    suiteName: "NULL",
    key: exactly(0),
    ivOctets: 0,
    blockOctets: 1,
    pfkey: 11,
    espTransform: 11,
    espTransformName: "NULL",
    keyLengthAttribute: "forbidden",
    keynote: "null",
    source: "RFC 2410",
  },
];

/** Authenticators, in the order in which help lists them. */
export const AUTHENTICATORS: readonly AuthenticatorRow[] = [
  {
    ...HMAC,
    name: "md5",
    aliases: ["hmac-md5", "hmac-md5-96"],
    kernelName: "HMAC-MD5",
    suiteName: "MD5",
    mac: "hmac-md5",
    hash: "md5",
    oldAh: "keyed-md5",
    uses: ["esp", "ah"],
    key: exactly(16),
    icvOctets: 12,
    pfkey: 2,
    ahTransform: 2,
    ahTransformName: "MD5",
    authentication: 1,
    authenticationName: "HMAC_MD5",
    ikeHash: 1,
    ikeHashName: "MD5",
    keynote: "hmac-md5",
    keynoteHash: "md5",
    weak: "MD5 is broken as a hash; prefer sha1 or better",
    source: "RFC 2403",
  },
  {
    ...HMAC,
    name: "sha1",
    aliases: ["sha", "hmac-sha1", "hmac-sha", "hmac-sha1-96"],
    kernelName: "HMAC-SHA1",
    suiteName: "SHA",
    mac: "hmac-sha1",
    hash: "sha1",
    oldAh: "keyed-sha1",
    uses: ["esp", "ah"],
    key: exactly(20),
    icvOctets: 12,
    pfkey: 3,
    ahTransform: 3,
    ahTransformName: "SHA",
    authentication: 2,
    authenticationName: "HMAC_SHA",
    ikeHash: 2,
    ikeHashName: "SHA",
    keynote: "hmac-sha",
    keynoteHash: "sha",
    source: "RFC 2404",
  },
  {
    ...HMAC,
    name: "rmd160",
    aliases: ["ripemd160", "hmac-ripemd160", "hmac-ripemd"],
    kernelName: "HMAC-RIPEMD-160",
    suiteName: "RIPEMD",
    mac: "hmac-ripemd160",
    hash: "ripemd160",
    uses: ["esp", "ah"],
    key: exactly(20),
    icvOctets: 12,
    pfkey: 8,
    ahTransform: 8,
    ahTransformName: "RIPEMD",
    authentication: 8,
    authenticationName: "HMAC_RIPEMD",
    keynote: "hmac-ripemd",
    keynoteHash: "ripemd",
    source: "RFC 2857",
  },
  {
    ...HMAC,
    name: "sha2-256",
    aliases: ["sha256", "hmac-sha256", "hmac-sha2-256"],
    kernelName: "HMAC-SHA2-256",
    suiteName: "SHA2-256",
    mac: "hmac-sha256",
    hash: "sha256",
    uses: ["esp", "ah"],
    key: exactly(32),
    icvOctets: 16,
    pfkey: 5,
    ahTransform: 5,
    ahTransformName: "SHA2_256",
    authentication: 5,
    authenticationName: "HMAC_SHA2_256",
    ikeHash: 4,
    ikeHashName: "SHA2_256",
    keynote: "hmac-sha2-256",
    keynoteHash: "sha2-256",
    source: "RFC 4868",
  },
  {
    ...HMAC,
    name: "sha2-384",
    aliases: ["sha384", "hmac-sha384", "hmac-sha2-384"],
    kernelName: "HMAC-SHA2-384",
    suiteName: "SHA2-384",
    mac: "hmac-sha384",
    hash: "sha384",
    uses: ["esp", "ah"],
    key: exactly(48),
    icvOctets: 24,
    pfkey: 6,
    ahTransform: 6,
    ahTransformName: "SHA2_384",
    authentication: 6,
    authenticationName: "HMAC_SHA2_384",
    ikeHash: 5,
    ikeHashName: "SHA2_384",
    keynote: "hmac-sha2-384",
    keynoteHash: "sha2-384",
    source: "RFC 4868",
  },
  {
    ...HMAC,
    name: "sha2-512",
    aliases: ["sha512", "hmac-sha512", "hmac-sha2-512"],
    kernelName: "HMAC-SHA2-512",
    suiteName: "SHA2-512",
    mac: "hmac-sha512",
    hash: "sha512",
    uses: ["esp", "ah"],
    key: exactly(64),
    icvOctets: 32,
    pfkey: 7,
    ahTransform: 7,
    ahTransformName: "SHA2_512",
    authentication: 7,
    authenticationName: "HMAC_SHA2_512",
    ikeHash: 6,
    ikeHashName: "SHA2_512",
    keynote: "hmac-sha2-512",
    keynoteHash: "sha2-512",
    source: "RFC 4868",
  },
  {
    ...HMAC,
    name: "aes-xcbc",
    aliases: ["aesxcbc", "aes-xcbc-mac"],
    kernelName: "AES-XCBC",
    mac: "aes-xcbc",
    uses: ["esp", "ah"],
    key: exactly(16),
    icvOctets: 12,
    pfkey: 251, // OpenBSD has none; Linux's number
    ahTransform: 9,
    ahTransformName: "AES_XCBC",
    authentication: 9,
    authenticationName: "AES_XCBC_MAC",
    keynote: "aes-xcbc-mac",
    keynoteHash: "aes-xcbc",
    source: "RFC 3566",
  },
  {
    name: "aes-gmac",
    aliases: ["aesgmac"],
    kernelName: "AES-GMAC",
    suiteName: "AESGMAC",
    aead: "aes-gcm",
    uses: ["ah"],
    key: AES_KEYS,
    saltOctets: 4,
    ivOctets: 8,
    icvOctets: 16,
    pfkey: { 16: 9, 24: 10, 32: 11 },
    ahTransform: { 16: 11, 24: 12, 32: 13 },
    ahTransformName: "AES_GMAC",
    authentication: { 16: 11, 24: 12, 32: 13 },
    authenticationName: "AES_GMAC",
    keynote: "aes-gmac",
    keynoteHash: "aes-gmac",
    manualKeys: false,
    source: "RFC 4543",
  },
  {
    ...HMAC,
    name: "keyed-md5",
    kernelName: "Keyed MD5",
    mac: "keyed-md5",
    hash: "md5",
    uses: ["ah", "old ah"],
    key: between(1, 256, 16),
    icvOctets: 16,
    pfkey: 249,
    ahTransform: 2,
    ahTransformName: "MD5",
    authentication: 4,
    authenticationName: "KPDK",
    keynote: "kpdk",
    keynoteHash: "md5",
    weak: "MD5 is broken as a hash and the keyed form gives it more to attack than HMAC",
    source: "RFC 1828",
  },
  {
    ...HMAC,
    name: "keyed-sha1",
    kernelName: "Keyed SHA1",
    mac: "keyed-sha1",
    hash: "sha1",
    uses: ["ah", "old ah"],
    key: between(1, 256, 20),
    icvOctets: 20,
    pfkey: 250,
    ahTransform: 3,
    ahTransformName: "SHA",
    authentication: 4,
    authenticationName: "KPDK",
    keynote: "kpdk",
    keynoteHash: "sha",
    weak: "the keyed form of a hash is weaker than HMAC",
    source: "RFC 1852",
  },
];

/** The value of `number` for a key of `keyOctets` octets (salt not counted); undefined when there is none. */
export function forKeyLength(number: ByKeyLength | undefined, keyOctets: number): number | undefined {
  return typeof number === "object" ? number[keyOctets] : number;
}

const has = (number: ByKeyLength | undefined, value: number) =>
  typeof number === "object" ? Object.values(number).includes(value) : number === value;

const named = <Row extends AlgorithmRow>(rows: readonly Row[], name: string): Row | undefined => {
  const word = name.toLowerCase();
  return rows.find((row) => row.name === word) ?? rows.find((row) => row.aliases.includes(word));
};

/** The ESP cipher called `name` (or an alias; case does not matter). */
export const cipherByName = (name: string): CipherRow | undefined => named(ESP_CIPHERS, name);
/** The authenticator called `name`; with `old`, what `ipsecadm old ah` means by it. */
export function authenticatorByName(name: string, old = false): AuthenticatorRow | undefined {
  const row = named(AUTHENTICATORS, name);
  return old && row?.oldAh ? named(AUTHENTICATORS, row.oldAh) : row;
}

/** The ESP cipher with this sadb_sa_encrypt; DES with explicit IV (1, 9: RFC 1829) is DES. */
export const cipherByPfkey = (number: number): CipherRow | undefined =>
  ESP_CIPHERS.find((row) => row.pfkey === (number === 1 || number === 9 ? 2 : number));
/** The authenticator with this sadb_sa_auth. */
export const authenticatorByPfkey = (number: number): AuthenticatorRow | undefined =>
  AUTHENTICATORS.find((row) => has(row.pfkey, number));

/** The ESP cipher with this ISAKMP transform identifier. */
export const cipherByEspTransform = (number: number): CipherRow | undefined =>
  ESP_CIPHERS.find((row) => row.espTransform === number);
/** The cipher with this phase 1 encryption algorithm. */
export const cipherByIke = (number: number): CipherRow | undefined =>
  ESP_CIPHERS.find((row) => row.ikeCipher === number);
/** The authenticator with this value of attribute 5. KPDK (4) needs the AH transform to tell MD5 from SHA. */
export const authenticatorByAttribute = (number: number, ahTransform?: number): AuthenticatorRow | undefined =>
  AUTHENTICATORS.find((row) =>
    has(row.authentication, number) && (ahTransform === undefined || has(row.ahTransform, ahTransform))
  );
/** The authenticator that an AH transform identifier means (RFC 2407 4.4.3): the HMAC form. */
export const authenticatorByAhTransform = (number: number): AuthenticatorRow | undefined =>
  AUTHENTICATORS.find((row) => has(row.ahTransform, number));
/** The authenticator whose hash has this phase 1 number. */
export const hashByIke = (number: number): AuthenticatorRow | undefined =>
  AUTHENTICATORS.find((row) => row.ikeHash === number);

/** Octets of keying material that IKE derives: the key, then the salt (RFC 4106 8.1). */
export const keymatOctets = (row: AlgorithmRow, keyOctets: number = row.key.recommended): number =>
  keyOctets + row.saltOctets;

/** The allowed lengths in words: `24`, `16, 24 or 32`, `5 to 56`; the salt is counted. */
export function keyLengthsText({ key: { min, max, step }, saltOctets }: AlgorithmRow): string {
  const lengths = [];
  for (let octets = min; octets <= max; octets += step) lengths.push(octets + saltOctets);
  if (lengths.length === 1) return `${lengths[0]}`;
  if (step === 1) return `${lengths[0]} to ${lengths.at(-1)}`;
  return `${lengths.slice(0, -1).join(", ")} or ${lengths.at(-1)}`;
}

// With odd parity; the cipher ignores the lowest bit of each octet, so that comparison does, too.
const WEAK_DES_KEYS: ReadonlySet<string> = new Set(
  (
    "0101010101010101 fefefefefefefefe 1f1f1f1f0e0e0e0e e0e0e0e0f1f1f1f1 " +
    "01fe01fe01fe01fe fe01fe01fe01fe01 1fe01fe00ef10ef1 e01fe01ff10ef10e 01e001e001f101f1 e001e001f101f101 " +
    "1ffe1ffe0efe0efe fe1ffe1ffe0efe0e 011f011f010e010e 1f011f010e010e01 e0fee0fef1fef1fe fee0fee0fef1fef1"
  ).split(" ").map((hex) => withoutParity(hex.match(/../g)!.map((pair) => parseInt(pair, 16)))),
);

function withoutParity(key: Iterable<number>): string {
  return Array.from(key, (octet) => octet >> 1).join();
}

/** Whether an 8-octet DES key is weak or semi-weak; its parity bits do not matter. */
export const isWeakDesKey = (key: Uint8Array): boolean => WEAK_DES_KEYS.has(withoutParity(key));

/**
 * Checks the length of a key (with its salt at the end) against its algorithm.
 *
 * @throws {RangeError} that tells the length given and the lengths allowed
 */
export function checkKeyLength(row: AlgorithmRow, keyOctets: number): void {
  const { min, max, step } = row.key;
  const octets = keyOctets - row.saltOctets;
  if (octets >= min && octets <= max && (octets - min) % step === 0) return;
  const salt = row.saltOctets ? ` (the last ${row.saltOctets} are the salt)` : "";
  throw new RangeError(
    `Cannot use key of ${keyOctets} octets for ${row.name}: ${keyLengthsText(row)} octets are allowed${salt}`,
  );
}

/**
 * Checks a key (with its salt at the end) against its algorithm.
 *
 * @throws {RangeError} on a length the algorithm does not have, a weak or semi-weak DES key, a 3DES key whose first two
 * or last two parts are the same (RFC 2451 2.4). The message holds no octet of the key.
 */
export function checkKey(row: AlgorithmRow, key: Uint8Array): void {
  checkKeyLength(row, key.length);
  if (row.name === "des" && isWeakDesKey(key)) {
    throw new RangeError("Cannot use key for des: it is one of the 16 weak and semi-weak DES keys");
  }
  if (row.name === "3des") {
    const [first, second, third] = [0, 8, 16].map((at) => withoutParity(key.subarray(at, at + 8)));
    const same = first === second ? "first and second" : second === third ? "second and third" : undefined;
    if (same) throw new RangeError(`Cannot use key for 3des: its ${same} part are the same, which makes it single DES`);
  }
}
