/**
 * The registries of ESP ciphers and of authenticators: one row an algorithm, from which ipsecadm's keywords, PF_KEY
 * numbers, ISAKMP numbers and names, KeyNote names, key-length checks and help texts come.
 *
 * Numbers: PF_KEY as in RFC 2367 and OpenBSD's pfkeyv2.h; ISAKMP as in RFC 2407 4.4 and RFC 2409 appendix A with the
 * later registrations. A number that depends on the AES key length is a table by key octets.
 *
 * @module
 */
import type { AlgorithmRow, AuthenticatorRow, ByKeyLength, CipherRow } from "./algorithm_rows.ts";
import { AUTHENTICATORS } from "./authenticators.ts";
import { ESP_CIPHERS } from "./esp_ciphers.ts";
import type { AeadName, MacName, PacketCipherName } from "./packet.ts";

export type { AlgorithmRow, AuthenticatorRow, ByKeyLength, CipherRow, KeyLengths } from "./algorithm_rows.ts";
export { AUTHENTICATORS, ESP_CIPHERS };

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

/**
 * The row of a packet cipher or AEAD, for a key of `keyOctets` octets without salt.
 *
 * @throws {RangeError} when the key has a length that the cipher does not have
 */
export function packetCipherRow(name: PacketCipherName | AeadName, keyOctets: number): CipherRow {
  const row = ESP_CIPHERS.find((row) => row.cipher === name || row.aead === name)!;
  checkKeyLength({ ...row, saltOctets: 0 }, keyOctets);
  return row;
}

/** Octets of the IV that a packet cipher is given: one block; in CTR mode the whole first counter block (RFC 3686 4). */
export const givenIvOctets = ({ blockOctets }: CipherRow): number => blockOctets === 1 ? 16 : blockOctets;

/** The row of a MAC. @throws {RangeError} when the key has a length that the MAC does not have */
export function packetMacRow(name: MacName, keyOctets: number): AuthenticatorRow {
  const row = AUTHENTICATORS.find((row) => row.mac === name)!;
  checkKeyLength(row, keyOctets);
  return row;
}
