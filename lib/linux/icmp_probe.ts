/** Echo requests of chosen size that must not be fragmented, and everything that is answered to them. @module */
import { randomInt } from "node:crypto";
import { check, errno, libc } from "../ffi/libc.ts";
import { OPTION, PMTU, SOCKET } from "../ffi/structs.ts";
import { type Address, address, equalAddress } from "../ip/address.ts";
import { fold, sum } from "../ip/checksum.ts";
import { ICMP, IP_PROTOCOL, IPV4, IPV6 } from "../ip/headers.ts";
import { encodeSockaddr } from "./message.ts";
import { Readiness } from "./readiness.ts";
import { hasIpv6, setOption } from "./sockets.ts";

/** What came of a probe. */
export type ProbeAnswer =
  | { readonly kind: "reply"; readonly sequence: number }
  /** Too big for a link on the way. */
  | { readonly kind: "tooBig"; readonly sequence: number; readonly mtu: number; readonly from: Address }
  /** `code` of "destination unreachable". */
  | { readonly kind: "unreachable"; readonly sequence: number; readonly code: number; readonly from: Address }
  /** Not even sent: an errno's number. */
  | { readonly kind: "refused"; readonly sequence: number; readonly errno: number };

/** By family: echo request, echo reply, unreachable, and which type (code) says "too big". */
const TYPES = {
  4: { request: 8, reply: 0, unreachable: 3, tooBig: 3 },
  6: { request: 128, reply: 129, unreachable: 1, tooBig: 2 },
} as const;
const FRAGMENTATION_NEEDED = 4;
const MESSAGE_OCTETS = 2048;

export interface ProbeOptions {
  /** Socket mark: with the engine's own, probes go around it; absent: through it where a flow says so. */
  readonly mark?: number;
}

/** Probes to one destination. */
export class IcmpProbe implements Disposable {
  readonly #fd: number;
  readonly #family: 4 | 6;
  readonly #destination: Address;
  readonly #identifier = randomInt(0x10000);
  readonly #readiness: Readiness;
  readonly #refused: ProbeAnswer[] = [];
  #sequence = 0;
  #closed = false;

  /** @throws {SystemError} saying which privilege is missing */
  constructor(destination: Address, { mark }: ProbeOptions = {}) {
    const { family } = destination;
    this.#family = family;
    this.#destination = destination;
    const protocol = family === 4 ? SOCKET.IPPROTO_ICMP : SOCKET.IPPROTO_ICMPV6;
    const type = SOCKET.SOCK_RAW | SOCKET.SOCK_CLOEXEC | SOCKET.SOCK_NONBLOCK;
    if (family === 6 && !hasIpv6()) throw new Error("this kernel has no IPv6");
    this.#fd = check(
      libc().socket(family === 4 ? SOCKET.AF_INET : SOCKET.AF_INET6, type, protocol),
      "open a raw socket for probes",
      "root or CAP_NET_RAW is needed",
    );
    try {
      const discover = family === 4 ? OPTION.IP_MTU_DISCOVER : OPTION.IPV6_MTU_DISCOVER;
      setOption(this.#fd, discover, PMTU.PROBE, "path MTU discovery");
      if (mark !== undefined) setOption(this.#fd, OPTION.SO_MARK, mark, "the mark of probes");
      this.#readiness = new Readiness(this.#fd);
    } catch (error) {
      libc().close(this.#fd);
      throw error;
    }
  }

  /** Sends a packet of `octets` octets, IP header included; returns its sequence number. */
  send(octets: number): number {
    const sequence = ++this.#sequence & 0xffff;
    const header = this.#family === 4 ? IPV4.OCTETS : IPV6.OCTETS;
    const message = new Uint8Array(Math.max(ICMP.OCTETS, octets - header));
    const view = new DataView(message.buffer);
    message[ICMP.TYPE] = TYPES[this.#family].request;
    view.setUint16(ICMP.REST, this.#identifier);
    view.setUint16(ICMP.REST + 2, sequence);
    // The kernel computes the checksum of ICMPv6.
    if (this.#family === 4) view.setUint16(ICMP.CHECKSUM, ~fold(sum(view, 0, message.length, 0)) & 0xffff);
    const to = encodeSockaddr(this.#destination, 0);
    if (libc().sendto(this.#fd, message, BigInt(message.length), SOCKET.MSG_DONTWAIT, to, to.length) < 0) {
      this.#refused.push({ kind: "refused", sequence, errno: errno() });
    }
    return sequence;
  }

  /** Waits for answers until one for which `enough` says so has come, or the time is over; returns all that came. */
  async collect(milliseconds: number, enough: (answers: readonly ProbeAnswer[]) => boolean): Promise<ProbeAnswer[]> {
    const answers: ProbeAnswer[] = this.#refused.splice(0);
    const message = new Uint8Array(MESSAGE_OCTETS);
    let timeUp = false;
    const timer = Promise.withResolvers<boolean>();
    const timeout = setTimeout(() => {
      timeUp = true;
      timer.resolve(false);
    }, milliseconds);
    try {
      while (!timeUp && !enough(answers)) {
        for (;;) {
          const octets = libc().recvBuffer(this.#fd, message, BigInt(message.length), SOCKET.MSG_DONTWAIT);
          if (octets < 0) break;
          const answer = this.#read(message.subarray(0, octets));
          if (answer) answers.push(answer);
        }
        if (enough(answers)) break;
        await Promise.race([this.#wait(), timer.promise]);
      }
      return answers;
    } finally {
      clearTimeout(timeout);
    }
  }

  #waiting: Promise<boolean> | undefined;
  /** One wait at a time: a race that was lost leaves it for the next one. */
  #wait(): Promise<boolean> {
    return this.#waiting ??= this.#readiness.wait().finally(() => this.#waiting = undefined);
  }

  #read(octets: Uint8Array): ProbeAnswer | undefined {
    const family = this.#family;
    const types = TYPES[family];
    const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
    const at = family === 4 ? (octets[0] & 15) * 4 : 0;
    if (octets.length < at + ICMP.OCTETS) return undefined;
    const [type, code] = octets.subarray(at);
    if (type === types.reply) {
      if (view.getUint16(at + ICMP.REST) !== this.#identifier) return undefined;
      return { kind: "reply", sequence: view.getUint16(at + ICMP.REST + 2) };
    }
    if (type !== types.unreachable && type !== types.tooBig) return undefined;
    const sequence = this.#quoted(octets.subarray(at + ICMP.OCTETS));
    if (sequence === undefined) return undefined;
    const from = family === 4 ? address(octets.subarray(IPV4.SOURCE, IPV4.SOURCE + 4)) : this.#destination;
    if (family === 4 ? type === types.tooBig && code === FRAGMENTATION_NEEDED : type === types.tooBig) {
      const mtu = family === 4 ? view.getUint16(at + ICMP.REST + 2) : view.getUint32(at + ICMP.REST);
      return { kind: "tooBig", sequence, mtu, from };
    }
    return { kind: "unreachable", sequence, code, from };
  }

  /** The sequence number of the probe that an error quotes; undefined: it is about something else. */
  #quoted(quote: Uint8Array): number | undefined {
    const family = this.#family;
    const [destinationAt, length] = family === 4 ? [IPV4.DESTINATION, 4] : [IPV6.DESTINATION, 16];
    const protocolAt = family === 4 ? IPV4.PROTOCOL : IPV6.NEXT_HEADER;
    const at = family === 4 ? (quote[0] & 15) * 4 : IPV6.OCTETS;
    if (quote.length < at + ICMP.OCTETS) return undefined;
    const protocol = family === 4 ? IP_PROTOCOL.ICMP : IP_PROTOCOL.ICMPV6;
    const destination = address(quote.subarray(destinationAt, destinationAt + length));
    if (quote[protocolAt] !== protocol || !equalAddress(destination, this.#destination)) return undefined;
    const view = new DataView(quote.buffer, quote.byteOffset, quote.byteLength);
    return view.getUint16(at + ICMP.REST) === this.#identifier ? view.getUint16(at + ICMP.REST + 2) : undefined;
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#readiness[Symbol.dispose]();
    libc().close(this.#fd);
  }
}
