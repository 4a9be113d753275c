/** PF_KEY messages as octets and as values (RFC 2367 2.1). @module */
import { type Bytes, concat } from "../octets/bytes.ts";
import { EXTENSION_NAMES, extensionByNumber, type ExtensionName, EXTENSIONS, type Extensions } from "./extensions.ts";
import type { Codec } from "./layout.ts";
import {
  ERRNO,
  type Errno,
  errnoName,
  MESSAGE_TYPES,
  type MessageType,
  nameOf,
  PfkeyError,
  SA_TYPES,
  type SaType,
  VERSION,
} from "./numbers.ts";

/** One message. */
export interface Message {
  readonly type: MessageType;
  readonly satype: SaType;
  /** Why the request failed; absent in requests and in answers to requests that succeeded. */
  readonly errno?: Errno;
  /** Chosen by the sender, echoed in the answer; an ACQUIRE's ties the SAs made for it to it. */
  readonly seq: number;
  /** The requester's process, echoed; 0 from the engine itself. */
  readonly pid: number;
  readonly extensions: Extensions;
  /** X_PROMISC only: the message that was seen, or that is to be forwarded. */
  readonly wrapped?: Uint8Array;
}

/** The 16 octets in front of the extensions, numbers as they are on the wire. */
export interface Header {
  readonly version: number;
  readonly type: number;
  readonly errno: number;
  readonly satype: number;
  readonly lengthOctets: number;
  readonly reserved: number;
  readonly seq: number;
  readonly pid: number;
}

/** Octets of the base header. */
export const HEADER_OCTETS = 16;
/** sadb_msg_len counts 8-octet words in 16 bits. */
export const MAX_MESSAGE_OCTETS = 8 * 0xffff;

/** Message types whose body may be another message. */
const WRAPPING: ReadonlySet<MessageType> = new Set(["X_PROMISC"]);

/** The base header of `octets` (at least 16), nothing checked. */
export function readHeader(octets: Uint8Array): Header {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  return {
    version: view.getUint8(0),
    type: view.getUint8(1),
    errno: view.getUint8(2),
    satype: view.getUint8(3),
    lengthOctets: 8 * view.getUint16(4, true),
    reserved: view.getUint16(6, true),
    seq: view.getUint32(8, true),
    pid: view.getUint32(12, true),
  };
}

/** The octets of a message; extensions in ascending order of type. @throws {RangeError} when it would exceed 512 KiB. */
export function encodeMessage(message: Message): Bytes {
  const { extensions, wrapped } = message;
  let length = HEADER_OCTETS + (wrapped?.length ?? 0);
  const present: [number, Codec<unknown>, unknown, number][] = [];
  for (const name of EXTENSION_NAMES) {
    const value = extensions[name];
    if (value === undefined) continue;
    const codec = EXTENSIONS[name].codec as Codec<unknown>;
    const size = codec.size(value);
    present.push([EXTENSIONS[name].number, codec, value, size]);
    length += size;
  }
  if (length > MAX_MESSAGE_OCTETS) {
    throw new RangeError(`Cannot encode PF_KEY message of ${length} octets: ${MAX_MESSAGE_OCTETS} is the most`);
  }
  const octets = new Uint8Array(length);
  const view = new DataView(octets.buffer);
  octets[0] = VERSION;
  octets[1] = MESSAGE_TYPES[message.type];
  octets[2] = message.errno ? ERRNO[message.errno][0] : 0;
  octets[3] = SA_TYPES[message.satype];
  view.setUint16(4, length / 8, true);
  view.setUint32(8, message.seq, true);
  view.setUint32(12, message.pid, true);
  let at = HEADER_OCTETS;
  for (const [number, codec, value, size] of present) {
    view.setUint16(at, size / 8, true);
    view.setUint16(at + 2, number, true);
    codec.write(value, new DataView(octets.buffer, at, size), octets.subarray(at, at + size));
    at += size;
  }
  if (wrapped) octets.set(wrapped, at);
  return octets;
}

/**
 * The message in `octets`, which must be exactly one.
 *
 * @throws {PfkeyError} EINVAL: short or wrong length, a version, type or SA type that does not exist, reserved fields not
 * zero, an extension that is unknown, twice there, too long or not as its layout says
 */
export function decodeMessage(octets: Uint8Array): Message {
  if (octets.length < HEADER_OCTETS) {
    throw new PfkeyError("EINVAL", `Message of ${octets.length} octets: the header alone has ${HEADER_OCTETS}`);
  }
  const header = readHeader(octets);
  if (header.version !== VERSION) throw new PfkeyError("EINVAL", `Version ${header.version}: ${VERSION} is needed`);
  if (header.lengthOctets !== octets.length) {
    throw new PfkeyError("EINVAL", `Message says ${header.lengthOctets} octets and has ${octets.length}`);
  }
  if (header.reserved) throw new PfkeyError("EINVAL", "Message: the reserved field is not 0");
  const type = nameOf(MESSAGE_TYPES, header.type);
  if (!type) throw new PfkeyError("EINVAL", `No message type ${header.type}`);
  const wraps = WRAPPING.has(type);
  // In X_PROMISC the field is a switch (1 on, 0 off), which these two SA types happen to be the numbers of.
  const satype = nameOf(SA_TYPES, header.satype);
  if (!satype) throw new PfkeyError("EINVAL", `No SA type ${header.satype}`);
  const base = { type, satype, seq: header.seq, pid: header.pid };
  const message = header.errno ? { ...base, errno: errnoName(header.errno) } : base;
  if (wraps) {
    const wrapped = octets.slice(HEADER_OCTETS);
    return wrapped.length ? { ...message, extensions: {}, wrapped } : { ...message, extensions: {} };
  }
  return { ...message, extensions: decodeExtensions(octets) };
}

function decodeExtensions(octets: Uint8Array): Extensions {
  const extensions: Extensions = {};
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  for (let at = HEADER_OCTETS; at < octets.length;) {
    const size = 8 * view.getUint16(at, true);
    const number = view.getUint16(at + 2, true);
    const name = extensionByNumber(number);
    if (!name) throw new PfkeyError("EINVAL", `No extension type ${number}`);
    if (size < 8 || size > octets.length - at) {
      throw new PfkeyError("EINVAL", `${name}: says ${size} octets, ${octets.length - at} are left`);
    }
    if (extensions[name] !== undefined) throw new PfkeyError("EINVAL", `${name}: there twice`);
    const body = octets.subarray(at, at + size);
    const codec = EXTENSIONS[name].codec as Codec<unknown>;
    (extensions as Record<ExtensionName, unknown>)[name] = codec.read(
      new DataView(octets.buffer, octets.byteOffset + at, size),
      body,
    );
    at += size;
  }
  return extensions;
}

/** The answer that carries only an errno, to whatever `octets` began with. */
export function errorReply(octets: Uint8Array, errno: Errno): Bytes {
  const reply = new Uint8Array(HEADER_OCTETS);
  reply.set(octets.subarray(0, HEADER_OCTETS));
  reply[0] = VERSION;
  reply[2] = ERRNO[errno][0];
  reply.set([HEADER_OCTETS / 8, 0, 0, 0], 4);
  return reply;
}

/**
 * Cuts a stream into messages by sadb_msg_len.
 *
 * A length below the header's or above {@linkcode MAX_MESSAGE_OCTETS} cannot be got over: the stream is lost.
 */
export class Framer {
  #chunks: Uint8Array[] = [];
  #pending = 0;
  /** Octets that must be there before looking again, so that a message that drips in is not copied at every drop. */
  #wanted = HEADER_OCTETS;

  /** Octets of a message not complete yet. */
  get pending(): number {
    return this.#pending;
  }

  /** The messages that `chunk` completes. @throws {PfkeyError} EINVAL when the stream holds something else. */
  push(chunk: Uint8Array): Bytes[] {
    this.#chunks.push(chunk.slice());
    this.#pending += chunk.length;
    if (this.#pending < this.#wanted) return [];
    const octets = concat(...this.#chunks);
    const messages: Bytes[] = [];
    let at = 0;
    this.#wanted = HEADER_OCTETS;
    while (octets.length - at >= HEADER_OCTETS) {
      const { version, lengthOctets } = readHeader(octets.subarray(at));
      if (version !== VERSION) throw new PfkeyError("EINVAL", `Version ${version}: ${VERSION} is needed`);
      if (lengthOctets < HEADER_OCTETS) throw new PfkeyError("EINVAL", `Message says it has ${lengthOctets} octets`);
      if (octets.length - at < lengthOctets) {
        this.#wanted = lengthOctets;
        break;
      }
      messages.push(octets.slice(at, at + lengthOctets));
      at += lengthOctets;
    }
    this.#chunks = [octets.slice(at)];
    this.#pending = octets.length - at;
    return messages;
  }
}
