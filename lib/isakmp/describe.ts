/** Messages as text, for isakmpd's logs and `ipsecbox dump`: every payload, field and attribute by its name. @module */
import { formatHex } from "../octets/hex.ts";
import { address, formatAddress } from "../ip/address.ts";
import { decodeText } from "../octets/bytes.ts";
import { type Attribute, decodeAttributes, describeAttribute, numberOf } from "./attributes.ts";
import { describeId } from "./identification.ts";
import { decodeHeader, decodePayloads, type Header, isEncrypted, type Payload } from "./message.ts";
import { CFG_ATTRIBUTE, EXCHANGE, FLAG, nameOf, NOTIFY, PAYLOAD, PROTOCOL_ID } from "./numbers.ts";
import { ATTRIBUTE_LAYOUT, ID_LAYOUT, LAYOUTS, NOTIFY_LAYOUT } from "./payloads.ts";
import { decodeSa, transformName } from "./proposals.ts";

const INDENT = "  ";
const indent = (lines: readonly string[]) => lines.map((line) => INDENT + line);

function describeSa(body: Uint8Array): string[] {
  return decodeSa(body).proposals.flatMap(({ number, protocol, spi, transforms }) => [
    `PROPOSAL ${number}: ${nameOf(PROTOCOL_ID, protocol)}${spi.length ? `, SPI 0x${formatHex(spi)}` : ""}`,
    ...indent(transforms.flatMap((transform) => [
      `TRANSFORM ${transform.number}: ${transformName(protocol, transform.id)}`,
      ...indent(
        transform.attributes.map((attribute) => describeAttribute(protocol === PROTOCOL_ID.ISAKMP ? 1 : 2, attribute)),
      ),
    ])),
  ]);
}

/** Attributes whose value is a secret. */
const HIDDEN: ReadonlySet<number> = new Set([
  CFG_ATTRIBUTE.XAUTH_USER_PASSWORD,
  CFG_ATTRIBUTE.XAUTH_PASSCODE,
  CFG_ATTRIBUTE.XAUTH_NEXT_PIN,
  CFG_ATTRIBUTE.XAUTH_ANSWER,
]);
const NUMBERS: ReadonlySet<number> = new Set([
  CFG_ATTRIBUTE.INTERNAL_ADDRESS_EXPIRY,
  CFG_ATTRIBUTE.XAUTH_TYPE,
  CFG_ATTRIBUTE.XAUTH_STATUS,
  CFG_ATTRIBUTE.UNITY_SAVE_PASSWORD,
  CFG_ATTRIBUTE.UNITY_NATT_PORT,
  CFG_ATTRIBUTE.UNITY_PFS,
]);

/** The value of a mode config attribute for people; a password is not shown. */
export function formatCfgValue(attribute: Attribute): string {
  const { type, value } = attribute;
  if (HIDDEN.has(type)) return `[secret, ${value.length} octets]`;
  if (value.length === 0) return "";
  if (NUMBERS.has(type) && value.length <= 8) return String(numberOf(attribute));
  if (type < CFG_ATTRIBUTE.XAUTH_TYPE && type !== CFG_ATTRIBUTE.APPLICATION_VERSION) {
    if (value.length === 4 || value.length === 16) return formatAddress(address(value));
    if (value.length === 8) return [value.subarray(0, 4), value.subarray(4)].map((half) => half.join(".")).join("/");
  }
  return value.every((octet) => octet >= 0x20 && octet < 0x7f) ? decodeText(value) : formatHex(value);
}

/** One payload: its name and its fields. Never throws: what cannot be read is said to be malformed. */
export function describePayload({ type, body }: Payload): string[] {
  const name = nameOf(PAYLOAD, type);
  try {
    if (type === PAYLOAD.ID) return [`${name}: ${describeId(ID_LAYOUT.decode(body))}`];
    if (type === PAYLOAD.NOTIFY) {
      return [`${name}: ${nameOf(NOTIFY, NOTIFY_LAYOUT.decode(body).type)}`, ...indent(NOTIFY_LAYOUT.describe(body))];
    }
    const layout = LAYOUTS.get(type);
    if (!layout) return [`${name}: ${body.length} octets ${formatHex(body)}`];
    const lines = layout.describe(body).filter((line) => !line.endsWith(": "));
    if (type === PAYLOAD.SA) lines.push(...describeSa(body));
    if (type === PAYLOAD.ATTRIBUTE) {
      for (const attribute of decodeAttributes(ATTRIBUTE_LAYOUT.decode(body).attributes)) {
        lines.push(`${nameOf(CFG_ATTRIBUTE, attribute.type)} = ${formatCfgValue(attribute)}`);
      }
    }
    return [name, ...indent(lines)];
  } catch (error) {
    return [`${name}: malformed (${error instanceof Error ? error.message : error}): ${formatHex(body)}`];
  }
}

/** The header in one line. */
export function describeHeader(header: Header): string {
  const flags = Object.entries(FLAG).filter(([, bit]) => header.flags & bit).map(([name]) => name);
  return `${nameOf(EXCHANGE, header.exchange)} cookies ${formatHex(header.initiatorCookie)} ` +
    `${formatHex(header.responderCookie)} message ID ${header.messageId.toString(16).padStart(8, "0")}` +
    (flags.length ? ` flags ${flags.join(" ")}` : "");
}

/** Header and payloads, one a line, fields indented below. */
export function describeMessage(header: Header, payloads: readonly Payload[]): string[] {
  return [describeHeader(header), ...indent(payloads.flatMap(describePayload))];
}

/** A datagram as far as it can be read without keys. Never throws. */
export function describeDatagram(datagram: Uint8Array): string[] {
  try {
    const { header, body } = decodeHeader(datagram);
    if (isEncrypted(header)) return [describeHeader(header), `${INDENT}encrypted: ${body.length} octets`];
    return describeMessage(header, decodePayloads(header.nextPayload, body).payloads);
  } catch (error) {
    return [`malformed (${error instanceof Error ? error.message : error}): ${formatHex(datagram)}`];
  }
}
