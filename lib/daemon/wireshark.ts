/**
 * The secrets that Wireshark needs to read what isakmpd negotiated, as the tables of its configuration directory:
 * `ikev1_decryption_table` and `esp_sa`. Whoever has them can read the traffic, so they are off unless asked for.
 *
 * @module
 */
import { join } from "node:path";
import { authenticatorByName, cipherByName } from "../crypto/algorithms.ts";
import { WIRESHARK_AUTHENTICATORS, WIRESHARK_CIPHERS } from "../dump/wireshark.ts";
import type { NegotiatedSa } from "../ike/events.ts";
import { formatAddress } from "../ip/address.ts";
import { formatHex } from "../octets/hex.ts";

/** A row of `ikev1_decryption_table`. */
export function ikeSecretLine(initiatorCookie: Uint8Array, encryptionKey: Uint8Array): string {
  return `${formatHex(initiatorCookie)},${formatHex(encryptionKey)}\n`;
}

/** A row of `esp_sa`; undefined for what Wireshark does not know (AH needs no key to be read). */
export function espSecretLine(sa: NegotiatedSa): string | undefined {
  if (sa.protocol !== "esp") return undefined;
  const cipher = WIRESHARK_CIPHERS[cipherByName(sa.encryption ?? "null")?.name ?? ""];
  const authenticator = sa.authentication
    ? WIRESHARK_AUTHENTICATORS[authenticatorByName(sa.authentication)?.name ?? ""]
    : "NULL";
  if (!cipher || !authenticator) return undefined;
  const spi = `0x${sa.spi.toString(16).padStart(8, "0")}`;
  const key = (octets: Uint8Array | undefined) => octets?.length ? `0x${formatHex(octets)}` : "";
  const fields = [
    sa.source.family === 4 ? "IPv4" : "IPv6",
    formatAddress(sa.source),
    formatAddress(sa.destination),
    spi,
    cipher,
    key(sa.encryptionKey),
    authenticator,
    key(sa.authenticationKey),
    "32-bit",
  ];
  return `${fields.map((field) => `"${field}"`).join(",")}\n`;
}

/** The two tables in a directory of their own (WIRESHARK_CONFIG_DIR), mode 0600. */
export class WiresharkSecrets {
  readonly #directory: string;

  /** @throws when the directory cannot be made or written */
  constructor(directory: string) {
    this.#directory = directory;
    Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const name of ["ikev1_decryption_table", "esp_sa"]) {
      Deno.writeTextFileSync(join(directory, name), "", { mode: 0o600 });
      Deno.chmodSync(join(directory, name), 0o600);
    }
  }

  ike(initiatorCookie: Uint8Array, encryptionKey: Uint8Array): void {
    this.#append("ikev1_decryption_table", ikeSecretLine(initiatorCookie, encryptionKey));
  }

  esp(sa: NegotiatedSa): void {
    const line = espSecretLine(sa);
    if (line) this.#append("esp_sa", line);
  }

  #append(name: string, line: string): void {
    Deno.writeTextFileSync(join(this.#directory, name), line, { append: true, create: false });
  }
}
