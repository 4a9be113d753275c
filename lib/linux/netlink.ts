/** Netlink messages (linux/netlink.h): their form, and a socket that carries them. @module */
import { ERRNO, errnoName, errnoWords, SystemError } from "../ffi/errno.ts";
import { check, cInt, errno, libc } from "../ffi/libc.ts";
import { OPTION, SOCKADDR_NL, SOCKET, TIMEVAL } from "../ffi/structs.ts";
import { type Bytes, decodeText } from "../octets/bytes.ts";
import { DecodeError } from "../octets/reader.ts";

/** Message types that every netlink family shares. */
export const NLMSG = { NOOP: 1, ERROR: 2, DONE: 3 } as const;

/** Message flags. */
export const NLM = {
  REQUEST: 0x001,
  MULTI: 0x002,
  ACK: 0x004,
  DUMP_INTERRUPTED: 0x010,
  DUMP: 0x300,
  REPLACE: 0x100,
  EXCL: 0x200,
  CREATE: 0x400,
  /** Of an acknowledgement: the request's payload is left out; attributes follow. */
  CAPPED: 0x100,
  ACK_TLVS: 0x200,
} as const;

/** Octets of struct nlmsghdr and of struct nlattr. */
export const HEADER_OCTETS = 16;
export const ATTRIBUTE_OCTETS = 4;
/** Attribute of an acknowledgement: the kernel's own words. */
const NLMSGERR_ATTR_MSG = 1;
/** Flag bits within an attribute's type: nested, network order. */
const ATTRIBUTE_TYPE_MASK = 0x3fff;
const ATTRIBUTE_NESTED = 0x8000;

const align4 = (octets: number) => (octets + 3) & ~3;

/** A message to the kernel. */
export interface Request {
  readonly type: number;
  /** NLM flags; REQUEST is added. */
  readonly flags: number;
  /** What follows the header: the family's own structure, then attributes. */
  readonly body: Bytes;
}

/** A message from the kernel. */
export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly payload: Uint8Array;
}

/** Writes a family's structure and its attributes in host order, which on every architecture we know is little-endian. */
export class BodyWriter {
  #octets = new Uint8Array(128);
  #view = new DataView(this.#octets.buffer);
  #length = 0;

  #grow(octets: number): number {
    const at = this.#length;
    this.#length += octets;
    if (this.#length > this.#octets.length) {
      const bigger = new Uint8Array(2 * this.#length);
      bigger.set(this.#octets.subarray(0, at));
      this.#octets = bigger;
      this.#view = new DataView(bigger.buffer);
    }
    return at;
  }

  u8(...values: number[]): this {
    for (const value of values) {
      const at = this.#grow(1);
      this.#view.setUint8(at, value);
    }
    return this;
  }
  u16(value: number): this {
    const at = this.#grow(2);
    this.#view.setUint16(at, value, true);
    return this;
  }
  u32(value: number): this {
    const at = this.#grow(4);
    this.#view.setUint32(at, value, true);
    return this;
  }

  /** An attribute and its padding. */
  attribute(type: number, value: Uint8Array): this {
    this.u16(ATTRIBUTE_OCTETS + value.length).u16(type);
    const at = this.#grow(align4(value.length));
    this.#octets.set(value, at);
    return this;
  }
  attributeU8(type: number, value: number): this {
    this.u16(ATTRIBUTE_OCTETS + 1).u16(type).u8(value);
    this.#grow(3);
    return this;
  }
  attributeU32(type: number, value: number): this {
    return this.u16(ATTRIBUTE_OCTETS + 4).u16(type).u32(value);
  }
  /** An attribute of two 16-bit numbers, as a range of ports is. */
  attributeRange(type: number, first: number, last: number): this {
    return this.u16(ATTRIBUTE_OCTETS + 4).u16(type).u16(first).u16(last);
  }
  /** An attribute that holds those which `body` writes. */
  nested(type: number, body: () => void): this {
    const at = this.#grow(ATTRIBUTE_OCTETS);
    body();
    this.#view.setUint16(at, this.#length - at, true);
    this.#view.setUint16(at + 2, type | ATTRIBUTE_NESTED, true);
    return this;
  }
  /** Text with a zero at its end. */
  attributeText(type: number, text: string): this {
    return this.attribute(type, new TextEncoder().encode(text + "\0"));
  }

  finish(): Bytes {
    return this.#octets.slice(0, this.#length);
  }
}

/** Octets of requests, one after the other, numbered from `sequence`. `flagsOfLast` are added to the last. */
export function encodeRequests(requests: readonly Request[], sequence: number, flagsOfLast = 0): Bytes {
  let length = 0;
  for (const { body } of requests) length += align4(HEADER_OCTETS + body.length);
  const out = new Uint8Array(length);
  const view = new DataView(out.buffer);
  let at = 0;
  requests.forEach(({ type, flags, body }, i) => {
    view.setUint32(at, HEADER_OCTETS + body.length, true);
    view.setUint16(at + 4, type, true);
    view.setUint16(at + 6, flags | NLM.REQUEST | (i === requests.length - 1 ? flagsOfLast : 0), true);
    view.setUint32(at + 8, sequence + i, true);
    out.set(body, at + HEADER_OCTETS);
    at += align4(HEADER_OCTETS + body.length);
  });
  return out;
}

/** The messages in one datagram from the kernel. @throws {DecodeError} when a length field cannot be true. */
export function decodeMessages(octets: Uint8Array): Message[] {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  const messages: Message[] = [];
  for (let at = 0; at < octets.length;) {
    if (octets.length - at < HEADER_OCTETS) throw new DecodeError(`netlink header: ${octets.length - at} octets left`);
    const length = view.getUint32(at, true);
    if (length < HEADER_OCTETS || length > octets.length - at) {
      throw new DecodeError(`netlink message: length ${length}, ${octets.length - at} octets left`);
    }
    messages.push({
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
      payload: octets.subarray(at + HEADER_OCTETS, at + length),
    });
    at += align4(length);
  }
  return messages;
}

/** Attributes by type; of two with the same type the last counts. @throws {DecodeError} when a length cannot be true. */
export function decodeAttributes(octets: Uint8Array): Map<number, Uint8Array> {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  const attributes = new Map<number, Uint8Array>();
  for (let at = 0; at < octets.length;) {
    if (octets.length - at < ATTRIBUTE_OCTETS) {
      throw new DecodeError(`netlink attribute: ${octets.length - at} octets left`);
    }
    const length = view.getUint16(at, true);
    if (length < ATTRIBUTE_OCTETS || length > octets.length - at) {
      throw new DecodeError(`netlink attribute: length ${length}, ${octets.length - at} octets left`);
    }
    attributes.set(
      view.getUint16(at + 2, true) & ATTRIBUTE_TYPE_MASK,
      octets.subarray(at + ATTRIBUTE_OCTETS, at + length),
    );
    at += align4(length);
  }
  return attributes;
}

/** The number in an attribute of 1, 2 or 4 octets, host order. @throws {DecodeError} on any other length. */
export function attributeNumber(value: Uint8Array): number {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  if (value.length === 1) return view.getUint8(0);
  if (value.length === 2) return view.getUint16(0, true);
  if (value.length === 4) return view.getUint32(0, true);
  throw new DecodeError(`netlink attribute: a number of ${value.length} octets`);
}

/** The text in an attribute, without the zero at its end. */
export function attributeText(value: Uint8Array): string {
  const end = value.indexOf(0);
  return decodeText(end < 0 ? value : value.subarray(0, end));
}

/** What the kernel said to a request: 0 or an errno, and its own words where it has some. */
export interface Outcome {
  readonly errno: number;
  readonly words?: string;
}

/** The outcome in an NLMSG_ERROR or NLMSG_DONE message. @throws {DecodeError} */
export function decodeOutcome({ payload, flags, type }: Message): Outcome {
  if (payload.length < 4) {
    if (type === NLMSG.DONE) return { errno: 0 };
    throw new DecodeError(`netlink acknowledgement: ${payload.length} octets`);
  }
  const number = -new DataView(payload.buffer, payload.byteOffset).getInt32(0, true);
  if (!(flags & NLM.ACK_TLVS)) return { errno: number };
  let at = 4;
  if (type === NLMSG.ERROR) {
    if (payload.length < 4 + HEADER_OCTETS) throw new DecodeError(`netlink acknowledgement: ${payload.length} octets`);
    const requestOctets = new DataView(payload.buffer, payload.byteOffset).getUint32(4, true);
    at += flags & NLM.CAPPED ? HEADER_OCTETS : align4(requestOctets);
    if (at > payload.length) throw new DecodeError(`netlink acknowledgement: a request of ${requestOctets} octets`);
  }
  const words = decodeAttributes(payload.subarray(at)).get(NLMSGERR_ATTR_MSG);
  return words ? { errno: number, words: attributeText(words) } : { errno: number };
}

/** A request that the kernel refused, in its own words where it gives some. */
export class NetlinkError extends SystemError {
  constructor(call: string, { errno, words }: Outcome) {
    super(call, errno, words);
    this.name = "NetlinkError";
  }
}

/** Octets of requests in one datagram: enough for a thousand routes, small enough for every send buffer. */
const BATCH_OCTETS = 64 << 10;
const RECEIVE_OCTETS = 64 << 10;
const BUFFER_OCTETS = 8 << 20;
const REPLY_SECONDS = 10;
const DUMP_ATTEMPTS = 8;
/** Netlink's protocols: addresses, links and routes; packet filters. */
export const NETLINK = { ROUTE: 0, NETFILTER: 12 } as const;

/** A netlink socket. The kernel answers before the call that sent a request returns, so nothing here waits. */
export class Netlink implements Disposable {
  readonly fd: number;
  #sequence = 1;
  #received = new Uint8Array(RECEIVE_OCTETS);
  #open = true;

  /**
   * @param groups RTNLGRP numbers whose notifications are wanted; such a socket does not wait in {@linkcode receive}
   * @param protocol one of {@linkcode NETLINK}
   * @throws {SystemError} where the kernel has no netlink
   */
  constructor(groups: readonly number[] = [], protocol: number = NETLINK.ROUTE) {
    const { socket, bind, close, setsockopt } = libc();
    const nonBlocking = groups.length ? SOCKET.SOCK_NONBLOCK : 0;
    const type = SOCKET.SOCK_RAW | SOCKET.SOCK_CLOEXEC | nonBlocking;
    this.fd = check(socket(SOCKET.AF_NETLINK, type, protocol), "open a netlink socket");
    try {
      for (const option of [OPTION.SO_RCVBUFFORCE, OPTION.SO_SNDBUFFORCE]) {
        setsockopt(this.fd, ...option, cInt(BUFFER_OCTETS), 4);
      }
      // Older kernels lack these; then acknowledgements are longer and without words, and dumps are filtered here.
      for (const option of [OPTION.NETLINK_CAP_ACK, OPTION.NETLINK_EXT_ACK, OPTION.NETLINK_GET_STRICT_CHK]) {
        setsockopt(this.fd, ...option, cInt(1), 4);
      }
      const timeout = new Uint8Array(TIMEVAL.octets);
      new DataView(timeout.buffer).setBigInt64(TIMEVAL.at.seconds, BigInt(REPLY_SECONDS), true);
      setsockopt(this.fd, ...OPTION.SO_RCVTIMEO, timeout, timeout.length);
      const name = new Uint8Array(SOCKADDR_NL.octets);
      new DataView(name.buffer).setUint16(0, SOCKET.AF_NETLINK, true);
      check(bind(this.fd, name, name.length), "bind a netlink socket");
      for (const group of groups) {
        check(setsockopt(this.fd, ...OPTION.NETLINK_ADD_MEMBERSHIP, cInt(group), 4), `join netlink group ${group}`);
      }
    } catch (error) {
      close(this.fd);
      throw error;
    }
  }

  /**
   * The next datagram, or undefined when a socket with groups has none. The octets are good until the next call.
   *
   * @throws {SystemError} ENOBUFS: notifications were lost; EAGAIN: the kernel did not answer
   */
  receive(): Uint8Array | undefined {
    for (;;) {
      const octets = libc().recvBuffer(this.fd, this.#received, BigInt(this.#received.length), SOCKET.MSG_TRUNC);
      if (octets > this.#received.length) {
        throw new DecodeError(`netlink datagram of ${octets} octets, at most ${this.#received.length} can be read`);
      }
      if (octets >= 0) return this.#received.subarray(0, octets);
      const error = errno();
      if (error === ERRNO.EINTR) continue;
      if (error === ERRNO.EAGAIN) return undefined;
      throw new SystemError("receive from netlink", error);
    }
  }

  #reply(): Uint8Array {
    const octets = this.receive();
    if (!octets) throw new SystemError("receive from netlink", ERRNO.ETIMEDOUT);
    return octets;
  }

  /** The first of `count` fresh sequence numbers, which never pass 2^31. */
  #number(count: number): number {
    if (this.#sequence + count > 0x7fffffff) this.#sequence = 1;
    const first = this.#sequence;
    this.#sequence += count;
    return first;
  }

  #send(octets: Bytes): void {
    check(libc().sendBuffer(this.fd, octets, BigInt(octets.length), 0), "send to netlink");
  }

  /**
   * Sends requests in large batches. The kernel tells only of failures, and of the last request that all is done.
   *
   * @returns the failures by index into `requests`; empty when all went well
   * @throws {SystemError} when netlink itself fails
   */
  transact(requests: readonly Request[]): Map<number, Outcome> {
    const failures = new Map<number, Outcome>();
    for (let from = 0; from < requests.length;) {
      let to = from;
      let octets = 0;
      while (to < requests.length && (to === from || octets + requests[to].body.length + 20 <= BATCH_OCTETS)) {
        octets += requests[to++].body.length + 20;
      }
      this.#transactOne(requests.slice(from, to), from, failures);
      from = to;
    }
    return failures;
  }

  #transactOne(requests: readonly Request[], offset: number, failures: Map<number, Outcome>): void {
    const first = this.#number(requests.length);
    const last = first + requests.length - 1;
    this.#send(encodeRequests(requests, first, NLM.ACK));
    for (;;) {
      for (const message of decodeMessages(this.#reply())) {
        if (message.type !== NLMSG.ERROR || message.sequence < first || message.sequence > last) continue;
        const outcome = decodeOutcome(message);
        if (outcome.errno !== 0) failures.set(offset + message.sequence - first, outcome);
        if (message.sequence === last) return;
      }
    }
  }

  /**
   * Sends requests as one transaction of netfilter's, between the messages that begin and end it: all or none is done.
   *
   * @returns the first failure; undefined when all went well
   * @throws {SystemError} when netlink itself fails
   */
  transaction(begin: Request, requests: readonly Request[], end: Request): Outcome | undefined {
    const first = this.#number(requests.length + 2);
    const last = first + requests.length;
    const asking = requests.map((each, i) => i < requests.length - 1 ? each : { ...each, flags: each.flags | NLM.ACK });
    this.#send(encodeRequests([begin, ...asking, end], first));
    for (;;) {
      for (const message of decodeMessages(this.#reply())) {
        if (message.type !== NLMSG.ERROR || message.sequence < first || message.sequence > last + 1) continue;
        const outcome = decodeOutcome(message);
        // After a failure there may be more, which belong to no later transaction.
        if (outcome.errno !== 0) return outcome;
        if (message.sequence === last) return undefined;
      }
    }
  }

  /** Sends one request. @param what words for the error @throws {NetlinkError} */
  execute(request: Request, what: string): void {
    const outcome = this.transact([request]).get(0);
    if (outcome) throw new NetlinkError(what, outcome);
  }

  /**
   * The messages that answer a request: one, or with the flag DUMP all there are. A dump that changed while it was
   * read is read again.
   *
   * @throws {NetlinkError} when the kernel refuses
   */
  query(request: Request, what: string): Message[] {
    const isDump = (request.flags & NLM.DUMP) === NLM.DUMP;
    for (let attempt = 1;; attempt++) {
      const sequence = this.#number(1);
      this.#send(encodeRequests([request], sequence));
      const messages: Message[] = [];
      let interrupted = false;
      for (let done = false; !done;) {
        for (const message of decodeMessages(this.#reply())) {
          if (message.sequence !== sequence) continue;
          if (message.flags & NLM.DUMP_INTERRUPTED) interrupted = true;
          if (message.type === NLMSG.ERROR || message.type === NLMSG.DONE) {
            const outcome = decodeOutcome(message);
            if (outcome.errno !== 0) throw new NetlinkError(what, outcome);
            done = true;
          } else {
            messages.push({ ...message, payload: message.payload.slice() });
            if (!isDump) done = true;
          }
        }
      }
      if (!interrupted || attempt === DUMP_ATTEMPTS) return messages;
    }
  }

  [Symbol.dispose](): void {
    if (this.#open) libc().close(this.fd);
    this.#open = false;
  }
}

/** "operation not permitted (EPERM)", with the kernel's own words where it gave some. */
export function describeOutcome({ errno, words }: Outcome): string {
  return `${errnoWords(errno)} (${errnoName(errno)})${words ? `: ${words}` : ""}`;
}
