/**
 * Photuris messages, RFC 2522 3-7. A layout is written once, as a list of fields in wire order; decoding, encoding and
 * describing come from it. Messages 4 and 7 to 9 are masked from octet 40 on: what is clear and what is masked are two
 * lists of one row.
 *
 * @module
 */
import { type Bytes, equal } from "../octets/bytes.ts";
import { Builder } from "../octets/builder.ts";
import { formatHex } from "../octets/hex.ts";
import { DecodeError, Reader } from "../octets/reader.ts";
import { attributeName, decodeAttributes, formatAttributes, readChoice } from "./attributes.ts";
import { decodeSchemes, formatScheme } from "./schemes.ts";
import { readVpi, type Vpi } from "./vpi.ts";

export const PHOTURIS_PORT = 468;
export const COOKIE_OCTETS = 16;
/** Where the masked part of messages begins: cookies, message, LifeTime (or random) and SPI (or zero) stay clear. */
export const MASKED_AT = 40;

/** How one field of type T stands on the wire. */
interface Field<T> {
  readonly label: string;
  read(reader: Reader): T;
  write(builder: Builder, value: T): void;
  describe(value: T): string;
}
// deno-lint-ignore no-explicit-any -- a list of fields of different types
type Fields = Readonly<Record<string, Field<any>>>;
type Values<F extends Fields> = { [K in keyof F]: F[K] extends Field<infer T> ? T : never };

const u8 = (label: string): Field<number> => ({
  label,
  read: (reader) => reader.u8(label),
  write: (builder, value) => builder.u8(value),
  describe: String,
});
const u16 = (label: string): Field<number> => ({
  label,
  read: (reader) => reader.u16(label),
  write: (builder, value) => builder.u16(value),
  describe: String,
});
const u24 = (label: string): Field<number> => ({
  label,
  read: (reader) => reader.u8(label) << 16 | reader.u16(label),
  write: (builder, value) => builder.u8(value >> 16).u16(value & 0xffff),
  describe: String,
});
const u32 = (label: string): Field<number> => ({
  label,
  read: (reader) => reader.u32(label),
  write: (builder, value) => builder.u32(value),
  describe: (value) => `0x${value.toString(16).padStart(8, "0")}`,
});
/** A number of octets that are sent and hashed, whatever they are. */
const octets = (label: string, count: number): Field<Bytes> => ({
  label,
  read: (reader) => reader.copy(count, label),
  write: (builder, value) => builder.bytes(value),
  describe: formatHex,
});
const vpi = (label: string): Field<Vpi> => ({
  label,
  read: (reader) => readVpi(reader, label),
  write: (builder, value) => builder.bytes(value.raw),
  describe: ({ bits, value }) => `${bits} bits, ${formatHex(value)}`,
});
/** A list up to the end of what is being read, kept as octets because it is hashed as it came. */
const rest = (label: string, check: (octets: Uint8Array) => string): Field<Bytes> => ({
  label,
  read: (reader) => {
    const list = reader.copy(reader.remaining, label);
    check(list);
    return list;
  },
  write: (builder, value) => builder.bytes(value),
  describe: check,
});
const schemes = (label: string) =>
  rest(label, (list) => {
    if (!list.length) throw new DecodeError(`${label}: none`);
    return decodeSchemes(list).map(formatScheme).join(", ");
  });
const attributes = (label: string) => rest(label, (list) => formatAttributes(decodeAttributes(list)));
const choice = (label: string): Field<Bytes> => ({
  label,
  read: readChoice,
  write: (builder, value) => builder.bytes(value),
  describe: (value) => attributeName(value[0]),
});
const opaque = (label: string) => rest(label, (list) => `${list.length} octets`);

interface Layout<C extends Fields, M extends Fields> {
  readonly number: number;
  readonly section: string;
  /** Fields after cookies and message number. */
  readonly clear: C;
  /** Fields from octet 40 on, before the padding; absent for messages that are never masked. */
  readonly masked?: M;
}
const layout = <C extends Fields, M extends Fields = Record<never, never>>(
  number: number,
  section: string,
  clear: C,
  masked?: M,
): Layout<C, M> => ({ number, section, clear, masked });

const SPI_OWNED = { lifeTime: u24("LifeTime"), spi: u32("SPI") };
const IDENTITY = {
  identityChoice: choice("Identity-Choice"),
  identification: vpi("Identification"),
  verification: vpi("Verification"),
  attributeChoices: attributes("Attribute-Choices"),
};

export const LAYOUTS = {
  Cookie_Request: layout(0, "RFC 2522 3.1", { counter: u8("Counter") }),
  Cookie_Response: layout(1, "RFC 2522 3.2", { counter: u8("Counter"), offeredSchemes: schemes("Offered-Schemes") }),
  Value_Request: layout(2, "RFC 2522 4.1", {
    counter: u8("Counter"),
    schemeChoice: u16("Scheme-Choice"),
    exchangeValue: vpi("Initiator-Exchange-Value"),
    offeredAttributes: attributes("Initiator-Offered-Attributes"),
  }),
  Value_Response: layout(3, "RFC 2522 4.2", {
    reserved: octets("Reserved", 3),
    exchangeValue: vpi("Responder-Exchange-Value"),
    offeredAttributes: attributes("Responder-Offered-Attributes"),
  }),
  Identity_Request: layout(4, "RFC 2522 5.1", SPI_OWNED, IDENTITY),
  Secret_Response: layout(5, "optional", { content: opaque("Content") }),
  Secret_Request: layout(6, "optional", { content: opaque("Content") }),
  Identity_Response: layout(7, "RFC 2522 5.1", SPI_OWNED, IDENTITY),
  SPI_Needed: layout(8, "RFC 2522 6.1", { random: u24("Reserved-LT"), zero: u32("Reserved-SPI") }, {
    verification: vpi("Verification"),
    attributesNeeded: attributes("Attributes-Needed"),
  }),
  SPI_Update: layout(9, "RFC 2522 6.2", SPI_OWNED, {
    verification: vpi("Verification"),
    attributeChoices: attributes("Attribute-Choices"),
  }),
  Bad_Cookie: layout(10, "RFC 2522 7.1", {}),
  Resource_Limit: layout(11, "RFC 2522 7.2", { counter: u8("Counter") }),
  Verification_Failure: layout(12, "RFC 2522 7.3", {}),
  Message_Reject: layout(13, "RFC 2522 7.4", { badMessage: u8("Bad-Message"), offset: u16("Offset") }),
};

type Layouts = typeof LAYOUTS;
export type MessageName = keyof Layouts;
/** The messages whose content is masked. */
export type MaskedName = {
  [N in MessageName]: keyof NonNullable<Layouts[N]["masked"]> extends never ? never : N;
}[MessageName];

interface Header {
  /** 16 octets. */
  readonly initiatorCookie: Bytes;
  readonly responderCookie: Bytes;
}
type ClearOf<N extends MessageName> = Values<Layouts[N]["clear"]>;
/** A message as it travels: for masked ones `masked` is the ciphertext. */
export type MessageOf<N extends MessageName> = Readonly<
  { name: N } & Header & ClearOf<N> & (N extends MaskedName ? { masked: Bytes } : unknown)
>;
export type Message = { [N in MessageName]: MessageOf<N> }[MessageName];
/** The fields of a masked part. */
export type MaskedOf<N extends MaskedName> = Readonly<Values<NonNullable<Layouts[N]["masked"]>>>;

const byNumber = new Map(Object.entries(LAYOUTS).map(([name, row]) => [row.number, name as MessageName]));

/** The name of a message number, if it has one. */
export const messageName = (number: number): MessageName | undefined => byNumber.get(number);

function readFields(fields: Fields, reader: Reader): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([key, field]) => [key, field.read(reader)]));
}
function writeFields(fields: Fields, builder: Builder, values: Record<string, unknown>): void {
  for (const [key, field] of Object.entries(fields)) field.write(builder, values[key]);
}

/** A datagram whose first 33 octets are sound but whose message or fields are not: what Message_Reject can speak of. */
export class MessageError extends DecodeError {
  override name = "MessageError";
  constructor(message: string, readonly number: number, readonly offset: number, readonly known: boolean) {
    super(message);
  }
}

/**
 * Decodes a datagram. All lengths are checked against the datagram's.
 *
 * @throws {DecodeError} when it is shorter than the header
 * @throws {MessageError} when the message is unknown or its fields do not fill the datagram exactly
 */
export function decodeMessage(datagram: Uint8Array): Message {
  const reader = new Reader(datagram);
  const initiatorCookie = reader.copy(COOKIE_OCTETS, "Initiator-Cookie");
  const responderCookie = reader.copy(COOKIE_OCTETS, "Responder-Cookie");
  const number = reader.u8("Message");
  const name = byNumber.get(number);
  if (!name) throw new MessageError(`unknown message ${number}`, number, 2 * COOKIE_OCTETS, false);
  const { clear, masked } = LAYOUTS[name] as Layout<Fields, Fields>;
  try {
    const values = readFields(clear, reader);
    const tail = masked ? { masked: reader.copy(reader.remaining) } : {};
    reader.end(name);
    return { name, initiatorCookie, responderCookie, ...values, ...tail } as Message;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new MessageError(`${name}: ${error.message}`, number, reader.at, true);
  }
}

/** Encodes a message; the masked part is taken as it is. */
export function encodeMessage(message: Message): Bytes {
  const { number, clear, masked } = LAYOUTS[message.name] as Layout<Fields, Fields>;
  const builder = new Builder().bytes(message.initiatorCookie, message.responderCookie).u8(number);
  writeFields(clear, builder, message as unknown as Record<string, unknown>);
  if (masked) builder.bytes((message as MessageOf<MaskedName>).masked);
  return builder.finish();
}

/** Octets of the self-describing padding, RFC 2522 5.1: 1, 2, 3, ... n. */
export const PADDING_OCTETS = { least: 8, most: 255 } as const;
/** Messages are filled to a multiple of this. */
const PADDING_BOUNDARY = 128;

/** `count` octets of padding. */
export function padding(count: number): Bytes {
  return Uint8Array.from({ length: count }, (_, at) => at + 1);
}

/**
 * How many octets of padding a masked part of `contentOctets` gets: at least 8, up to a 128-octet boundary of the
 * message or, as `random` (0 to 255) says, the boundary after it; the masked part stays a multiple of the cipher's block
 * because both 40 and 128 are.
 */
export function paddingOctets(contentOctets: number, random: number): number {
  const open = MASKED_AT + contentOctets;
  const least = Math.ceil((open + PADDING_OCTETS.least) / PADDING_BOUNDARY) * PADDING_BOUNDARY - open;
  return random & 1 && least + PADDING_BOUNDARY <= PADDING_OCTETS.most ? least + PADDING_BOUNDARY : least;
}

/** The octets of a masked part without its padding. */
export function encodeMasked<N extends MaskedName>(name: N, values: MaskedOf<N>): Bytes {
  const builder = new Builder();
  writeFields(LAYOUTS[name].masked as Fields, builder, values as Record<string, unknown>);
  return builder.finish();
}

/**
 * Decodes an unmasked part: padding is checked and stripped first.
 *
 * @throws {DecodeError} on bad padding (usually: a wrong key) or fields that do not fill the rest
 */
export function decodeMasked<N extends MaskedName>(
  name: N,
  octets: Uint8Array,
): { fields: MaskedOf<N>; padding: Bytes } {
  const count = octets.at(-1) ?? 0;
  if (count < PADDING_OCTETS.least || count > octets.length) throw new DecodeError(`${name}: bad padding`);
  const tail = octets.subarray(octets.length - count);
  if (!equal(tail, padding(count))) throw new DecodeError(`${name}: bad padding`);
  const reader = new Reader(octets.subarray(0, octets.length - count));
  const fields = readFields(LAYOUTS[name].masked as Fields, reader);
  reader.end(name);
  return { fields: fields as MaskedOf<N>, padding: tail.slice() as Bytes };
}

/** Whether a message of this name is masked. */
export const isMasked = (name: MessageName): name is MaskedName => LAYOUTS[name].masked !== undefined;

function describeFields(fields: Fields, values: Record<string, unknown>): string[] {
  return Object.entries(fields).map(([key, field]) => `${field.label}: ${field.describe(values[key])}`);
}

/** The fields of an unmasked part, one line each. */
export function describeMasked<N extends MaskedName>(name: N, values: MaskedOf<N>): string[] {
  return describeFields(LAYOUTS[name].masked as Fields, values as Record<string, unknown>);
}

/**
 * A datagram for people: the first line names the message, then one line a field. A malformed one is described as far
 * as it goes; nothing is thrown.
 */
export function describe(datagram: Uint8Array): string[] {
  let message: Message;
  try {
    message = decodeMessage(datagram);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return [`Photuris, ${datagram.length} octets, malformed: ${error.message}`];
  }
  const { number, clear, masked } = LAYOUTS[message.name] as Layout<Fields, Fields>;
  const lines = [
    `Photuris ${message.name} (${number}), ${datagram.length} octets`,
    `Initiator-Cookie: ${formatHex(message.initiatorCookie)}`,
    `Responder-Cookie: ${formatHex(message.responderCookie)}`,
    ...describeFields(clear, message as unknown as Record<string, unknown>),
  ];
  if (masked) lines.push(`masked: ${(message as MessageOf<MaskedName>).masked.length} octets`);
  return lines;
}
