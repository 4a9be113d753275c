/** What an SA may be made of. @module */
import { authenticatorByName, checkKey, cipherByName } from "../crypto/algorithms.ts";
import { isUnspecified } from "../ip/address.ts";
import { PROTOCOL, type SaParameters } from "./types.ts";

/** What is wrong with parameters, as one clause, or undefined. Keys are checked separately. */
function complaint(parameters: SaParameters): string | undefined {
  const { protocol, spi, source, destination, encryption, authentication, oldHeader, halfIv } = parameters;
  const needs = (what: boolean, text: string) => what ? undefined : text;
  const common =
    needs(Number.isInteger(spi) && spi >= 1 && spi <= 0xffffffff, `SPI ${spi}: 1 to 0xffffffff is allowed`) ??
      needs(
        source.family === destination.family || isUnspecified(source),
        "source and destination of different families",
      ) ??
      needs(!isUnspecified(destination), "no destination");
  if (common) return common;
  if (protocol === PROTOCOL.IPIP) {
    return needs(!encryption && !authentication, "algorithms for IP-in-IP, which has none");
  }
  if (protocol === PROTOCOL.AH) {
    const row = authentication === undefined ? undefined : authenticatorByName(authentication, oldHeader);
    const use = oldHeader ? "old ah" : "ah";
    return needs(!encryption, "encryption for AH, which does not encrypt") ??
      needs(authentication !== undefined, "AH without an authentication algorithm") ??
      needs(row !== undefined, `unknown authentication algorithm "${authentication}"`) ??
      needs(row!.uses.includes(use), `authentication algorithm ${authentication} with ${use}`) ??
      needs(!parameters.udpPort, "AH in UDP (RFC 3948 is for ESP alone)");
  }
  const cipher = cipherByName(encryption ?? "null");
  if (!cipher) return `unknown encryption algorithm "${encryption}"`;
  if (oldHeader) {
    return needs(cipher.oldEsp, `encryption algorithm ${cipher.name} with old ESP`) ??
      needs(authentication === undefined, "authentication with old ESP, which has none");
  }
  const authenticator = authentication === undefined ? undefined : authenticatorByName(authentication);
  return needs(!halfIv, "a 32-bit IV with new ESP") ??
    needs(
      authentication === undefined || authenticator !== undefined,
      `unknown authentication algorithm "${authentication}"`,
    ) ??
    needs(
      !authenticator || authenticator.uses.includes("esp"),
      `authentication algorithm ${authentication} with ESP`,
    ) ??
    needs(!(cipher.aead && authenticator), `${cipher.name} together with a separate authentication algorithm`) ??
    needs(cipher.name !== "null" || authenticator !== undefined, "ESP with neither encryption nor authentication") ??
    needs(cipher.cipher !== "aes-ctr" || authenticator !== undefined, "aesctr without authentication (RFC 3686 1)");
}

/**
 * Checks that algorithms, protocol and keys of an SA go together.
 *
 * @throws {RangeError} saying what does not; the message holds no octet of a key.
 */
export function checkParameters(parameters: SaParameters): void {
  const wrong = complaint(parameters);
  if (wrong) throw new RangeError(`Cannot make an SA with ${wrong}`);
  const { protocol, oldHeader, encryption, authentication, encryptionKey, authenticationKey } = parameters;
  if (protocol === PROTOCOL.ESP) checkKey(cipherByName(encryption ?? "null")!, encryptionKey ?? new Uint8Array());
  if (authentication !== undefined) {
    checkKey(
      authenticatorByName(authentication, protocol === PROTOCOL.AH && oldHeader)!,
      authenticationKey ?? new Uint8Array(),
    );
  }
}
