/** Data attributes (RFC 2408 3.3): in transforms, mode config and RESPONDER-LIFETIME notifies. @module */
import { Builder } from "../octets/builder.ts";
import type { Bytes } from "../octets/bytes.ts";
import { formatHex } from "../octets/hex.ts";
import { Reader } from "../octets/reader.ts";
import { decoding, IsakmpError } from "./error.ts";
import {
  AUTHENTICATION_ALGORITHM,
  ENCAPSULATION_MODE,
  IKE_ATTRIBUTE,
  IKE_AUTHENTICATION,
  IKE_ENCRYPTION,
  IKE_GROUP,
  IKE_GROUP_TYPE,
  IKE_HASH,
  IPSEC_ATTRIBUTE,
  LIFE_TYPE,
  nameOf,
  type Registry,
} from "./numbers.ts";

/** An attribute; `value` is big-endian. */
export interface Attribute {
  readonly type: number;
  readonly value: Bytes;
  /** Two octets in the variable form, as text of two characters must be; otherwise two octets go in the basic form. */
  readonly variable?: true;
}

const BASIC = 0x8000;
const MOST_ATTRIBUTES = 128;

/** @throws {IsakmpError} on octets that are no attributes, or more than 128 of them. */
export function decodeAttributes(octets: Uint8Array): Attribute[] {
  return decoding("attributes", () => {
    const reader = new Reader(octets);
    const attributes: Attribute[] = [];
    while (reader.remaining) {
      if (attributes.length === MOST_ATTRIBUTES) {
        throw new IsakmpError("PAYLOAD_MALFORMED", `more than ${MOST_ATTRIBUTES} attributes`);
      }
      const type = reader.u16("attribute type");
      const length = type & BASIC ? 2 : reader.u16("attribute length");
      const value = reader.copy(length, `attribute ${type & ~BASIC}`);
      attributes.push(
        length === 2 && !(type & BASIC) ? { type, value, variable: true } : { type: type & ~BASIC, value },
      );
    }
    return attributes;
  });
}

/** The octets of attributes. */
export function encodeAttributes(attributes: readonly Attribute[]): Bytes {
  const builder = new Builder();
  for (const { type, value, variable } of attributes) {
    if (value.length === 2 && !variable) builder.u16(BASIC | type).bytes(value);
    else builder.u16(type).sized(2, () => void builder.bytes(value));
  }
  return builder.finish();
}

/** A number as an attribute: basic where it fits, else four octets, else eight. */
export function numberAttribute(type: number, value: number): Attribute {
  if (value > 0xffffffff) return { type, value: new Builder().u64(BigInt(value)).finish() };
  return { type, value: value > 0xffff ? new Builder().u32(value).finish() : new Builder().u16(value).finish() };
}

/** The number of an attribute sent in either form; more than 2^53 counts as 2^53. @throws {IsakmpError} on no or too many octets. */
export function numberOf({ type, value }: Attribute): number {
  if (value.length < 1 || value.length > 8) {
    throw new IsakmpError("ATTRIBUTES_NOT_SUPPORTED", `attribute ${type} of ${value.length} octets, 1 to 8 allowed`);
  }
  let number = 0;
  for (const octet of value) number = 256 * number + octet;
  return Math.min(number, Number.MAX_SAFE_INTEGER);
}

/** Text as an attribute, never in the basic form. */
export function textAttribute(type: number, value: Bytes): Attribute {
  return value.length === 2 ? { type, value, variable: true } : { type, value };
}

/** Whether two attributes say the same, in whichever form each was sent. */
export function equalAttribute(a: Attribute, b: Attribute): boolean {
  if (a.type !== b.type) return false;
  const strip = (value: Uint8Array) => {
    const first = value.findIndex((octet) => octet !== 0);
    return first < 0 ? new Uint8Array(0) : value.subarray(first);
  };
  return formatHex(strip(a.value)) === formatHex(strip(b.value));
}

const IKE_VALUES: Readonly<Record<number, Registry>> = {
  [IKE_ATTRIBUTE.ENCRYPTION_ALGORITHM]: IKE_ENCRYPTION,
  [IKE_ATTRIBUTE.HASH_ALGORITHM]: IKE_HASH,
  [IKE_ATTRIBUTE.AUTHENTICATION_METHOD]: IKE_AUTHENTICATION,
  [IKE_ATTRIBUTE.GROUP_DESCRIPTION]: IKE_GROUP,
  [IKE_ATTRIBUTE.GROUP_TYPE]: IKE_GROUP_TYPE,
  [IKE_ATTRIBUTE.LIFE_TYPE]: LIFE_TYPE,
};

const IPSEC_VALUES: Readonly<Record<number, Registry>> = {
  [IPSEC_ATTRIBUTE.LIFE_TYPE]: LIFE_TYPE,
  [IPSEC_ATTRIBUTE.GROUP_DESCRIPTION]: IKE_GROUP,
  [IPSEC_ATTRIBUTE.ENCAPSULATION_MODE]: ENCAPSULATION_MODE,
  [IPSEC_ATTRIBUTE.AUTHENTICATION_ALGORITHM]: AUTHENTICATION_ALGORITHM,
};

/** The registry's name of an attribute class. */
export const attributeName = (phase: 1 | 2, type: number): string =>
  nameOf(phase === 1 ? IKE_ATTRIBUTE : IPSEC_ATTRIBUTE, type);

/** A value by its registry name, or as a decimal number. */
export function attributeValueName(phase: 1 | 2, type: number, value: number): string {
  const registry = (phase === 1 ? IKE_VALUES : IPSEC_VALUES)[type];
  return registry ? nameOf(registry, value) : String(value);
}

/** `GROUP_DESCRIPTION = MODP_1024`. */
export function describeAttribute(phase: 1 | 2, attribute: Attribute): string {
  const { type, value } = attribute;
  const text = value.length >= 1 && value.length <= 8
    ? attributeValueName(phase, type, numberOf(attribute))
    : formatHex(value);
  return `${attributeName(phase, type)} = ${text}`;
}
