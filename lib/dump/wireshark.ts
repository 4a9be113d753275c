/** Wireshark's tables of keys, `esp_sa` and `ikev1_decryption_table`: its names of algorithms, and reading the tables. @module */
import { parseAddress } from "../ip/address.ts";
import type { SaParameters } from "../ipsec/types.ts";
import type { Bytes } from "../octets/bytes.ts";
import { parseHex } from "../octets/hex.ts";

/** Wireshark's names (epan/dissectors/packet-ipsec.c) by those of crypto/algorithms.ts. */
export const WIRESHARK_CIPHERS: Readonly<Record<string, string>> = {
  des: "DES-CBC [RFC2405]",
  "3des": "TripleDES-CBC [RFC2451]",
  blf: "BLOWFISH-CBC [RFC2451]",
  cast: "CAST5-CBC [RFC2144]",
  aes: "AES-CBC [RFC3602]",
  aesctr: "AES-CTR [RFC3686]",
  "aes-gcm": "AES-GCM [RFC4106]",
  "chacha20-poly1305": "ChaCha20 with Poly1305 [RFC7634]",
  null: "NULL",
};
export const WIRESHARK_AUTHENTICATORS: Readonly<Record<string, string>> = {
  md5: "HMAC-MD5-96 [RFC2403]",
  sha1: "HMAC-SHA-1-96 [RFC2404]",
  rmd160: "MAC-RIPEMD-160-96 [RFC2857]",
  "sha2-256": "HMAC-SHA-256-128 [RFC4868]",
  "sha2-384": "HMAC-SHA-384-192 [RFC4868]",
  "sha2-512": "HMAC-SHA-512-256 [RFC4868]",
};

/** A row of `ikev1_decryption_table`. */
export interface IkeSecret {
  /** 16 hexadecimal digits. */
  readonly initiatorCookie: string;
  readonly encryptionKey: Bytes;
}

const nameOf = (names: Readonly<Record<string, string>>, text: string, what: string): string | undefined => {
  if (text === "NULL") return undefined;
  const found = Object.entries(names).find(([, name]) => name === text);
  if (!found) throw new SyntaxError(`${what} "${text}" is not known here`);
  return found[0];
};

function keyOf(text: string): Bytes | undefined {
  if (text === "") return undefined;
  return parseHex(text.replace(/^0x/i, ""));
}

/**
 * A row of `ikev1_decryption_table`: initiator cookie and encryption key in hexadecimal digits, with a comma between.
 *
 * @throws {SyntaxError} which holds no digit of the key
 */
export function parseIkeSecret(line: string): IkeSecret {
  const match = /^"?([0-9a-fA-F]{16})"?\s*,\s*"?([0-9a-fA-F]*)"?$/.exec(line.trim());
  if (!match || match[2] === "") throw new SyntaxError("16 hexadecimal digits, a comma and a key are needed");
  return { initiatorCookie: match[1].toLowerCase(), encryptionKey: parseHex(match[2]) };
}

/**
 * A row of `esp_sa`: nine fields in quotes. Addresses and SPI must be given: "*" names no SA.
 *
 * @throws {SyntaxError} which holds no digit of a key
 */
export function parseEspRow(line: string): SaParameters {
  const fields = Array.from(line.trim().matchAll(/"([^"]*)"(?:,|$)/g), ([, field]) => field);
  if (fields.length < 8) throw new SyntaxError(`${fields.length} fields in quotes, 8 or 9 are needed`);
  const [, source, destination, spi, cipher, encryptionKey, authenticator, authenticationKey] = fields;
  if (!/^0x[0-9a-f]{1,8}$/i.test(spi)) throw new SyntaxError(`SPI "${spi}": 0x and up to 8 digits are needed`);
  const noLimit = { allocations: 0, bytes: 0, addSeconds: 0, useSeconds: 0 };
  return {
    protocol: 50,
    spi: Number(spi),
    source: parseAddress(source),
    destination: parseAddress(destination),
    encryption: nameOf(WIRESHARK_CIPHERS, cipher, "cipher"),
    encryptionKey: keyOf(encryptionKey),
    authentication: nameOf(WIRESHARK_AUTHENTICATORS, authenticator, "authenticator"),
    authenticationKey: keyOf(authenticationKey),
    tunnel: false,
    oldHeader: false,
    halfIv: false,
    randomPadding: false,
    replayWindow: 0,
    hard: noLimit,
    soft: noLimit,
  };
}
