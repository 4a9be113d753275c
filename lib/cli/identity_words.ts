/** Identities for certificates as words of a command line. @module */
import { isAddress, parseAddress } from "../ip/address.ts";
import { decodeText, encodeText } from "../octets/bytes.ts";
import type { Identity } from "../x509/identity.ts";
import { CommandError } from "./command.ts";

/** certpatch's `-t` words. */
export const IDENTITY_TYPES = ["ip", "fqdn", "ufqdn"] as const;
export type IdentityType = typeof IDENTITY_TYPES[number];

/** The type that `word` names, in any case. @throws {CommandError} */
export function identityType(word: string): IdentityType {
  const found = IDENTITY_TYPES.find((type) => type === word.toLowerCase());
  if (!found) throw new CommandError(`-t: no identity type "${word}", allowed ${IDENTITY_TYPES.join(", ")}`);
  return found;
}

const LABEL = "[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?";
const DOMAIN = new RegExp(`^${LABEL}(\\.${LABEL})*$`);

/** No top-level domain is a number (RFC 3696 section 2): such a text is a mistyped address. */
const isDomain = (text: string) => DOMAIN.test(text) && text.length <= 253 && !/(^|\.)\d+$/.test(text);

function isUserAtDomain(text: string): boolean {
  const at = text.lastIndexOf("@");
  return /^[\x21-\x7e]+$/.test(text.slice(0, at)) && at > 0 && DOMAIN.test(text.slice(at + 1)) && text.length <= 254;
}

/** Whether the text of an identity is what `-i` takes for its type; addresses have none. */
export function isWellFormed({ type, octets }: Identity): boolean {
  if (type === "FQDN") return isDomain(decodeText(octets));
  return type !== "USER_FQDN" || isUserAtDomain(decodeText(octets));
}

/** An identity of a type. @throws {CommandError} when the text is none of it */
export function identityFromText(type: IdentityType, text: string): Identity {
  switch (type) {
    case "ip": {
      if (!isAddress(text)) throw new CommandError(`-i: "${text}" is no IPv4 or IPv6 address (-t says the type)`);
      const { family, octets } = parseAddress(text);
      return { type: family === 4 ? "IPV4_ADDR" : "IPV6_ADDR", octets };
    }
    case "fqdn":
      if (!isDomain(text)) throw new CommandError(`-i: "${text}" is no domain name`);
      return { type: "FQDN", octets: encodeText(text) };
    case "ufqdn":
      if (!isUserAtDomain(text)) throw new CommandError(`-i: "${text}" is no user@domain`);
      return { type: "USER_FQDN", octets: encodeText(text) };
  }
}

/** An identity of the type that its text looks like. @throws {CommandError} when it is none */
export function identityOfLooks(text: string): Identity {
  const type = isAddress(text) ? "ip" : isUserAtDomain(text) ? "ufqdn" : isDomain(text) ? "fqdn" : undefined;
  if (!type) throw new CommandError(`-i: "${text}" is no address, no domain name and no user@domain`);
  return identityFromText(type, text);
}
