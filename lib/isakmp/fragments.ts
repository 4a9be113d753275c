/** IKE fragments, payload 132: a message in pieces that IP need not fragment. @module */
import { type Bytes, concat, equal } from "../octets/bytes.ts";
import { IsakmpError } from "./error.ts";
import { encodeMessage, type Header, HEADER_OCTETS, MOST_MESSAGE_OCTETS } from "./message.ts";
import { EXCHANGE, PAYLOAD } from "./numbers.ts";
import { FRAGMENT_LAYOUT } from "./payloads.ts";

/** Octets before a piece: ISAKMP header, generic header, fragment header. */
const OVERHEAD_OCTETS = HEADER_OCTETS + 8;
const LAST = 1;
const MOST_PIECES = 32;

/** Every implementation sends this ID in all messages. */
const FRAGMENT_ID = 1;

/** The fragments of `message`, each an ISAKMP message of at most `mostOctets` octets. */
export function fragment(message: Bytes, header: Header, mostOctets: number): Bytes[] {
  const most = mostOctets - OVERHEAD_OCTETS;
  const count = Math.ceil(message.length / most);
  return Array.from({ length: count }, (_, i) => {
    const body = FRAGMENT_LAYOUT.encode({
      id: FRAGMENT_ID,
      number: i + 1,
      flags: i + 1 === count ? LAST : 0,
      piece: message.slice(i * most, (i + 1) * most),
    });
    const exchange = header.exchange === EXCHANGE.AGGRESSIVE ? EXCHANGE.AGGRESSIVE : EXCHANGE.ID_PROT;
    return encodeMessage({ ...header, exchange, flags: 0, messageId: 0 }, [{ type: PAYLOAD.FRAGMENT, body }]);
  });
}

/** The pieces of one message so far. Bounded; knows no time: the caller forgets it. */
export class Reassembly {
  #id?: number;
  #last?: number;
  #octets = 0;
  #pieces = new Map<number, Bytes>();

  /**
   * Takes the body of a FRAGMENT payload; returns the message when this was the last missing piece. A fragment of another
   * message, or one that contradicts an earlier one, starts anew: fragments are not authenticated.
   *
   * @throws {IsakmpError}
   */
  add(body: Uint8Array): Bytes | undefined {
    const { id, number, flags, piece } = FRAGMENT_LAYOUT.decode(body);
    if (number < 1 || number > MOST_PIECES) {
      throw new IsakmpError("PAYLOAD_MALFORMED", `fragment number ${number}, 1 to ${MOST_PIECES} allowed`);
    }
    const isLast = (flags & LAST) !== 0;
    const known = this.#pieces.get(number);
    if (known && equal(known, piece) && id === this.#id) return undefined;
    const contradicts = id !== this.#id || known !== undefined ||
      (isLast && this.#last !== undefined && this.#last !== number) ||
      (this.#last !== undefined && number > this.#last) ||
      this.#octets + piece.length > MOST_MESSAGE_OCTETS;
    if (contradicts) this.reset();
    this.#id = id;
    if (isLast) this.#last = number;
    this.#pieces.set(number, piece);
    this.#octets += piece.length;
    if (this.#last === undefined || this.#pieces.size < this.#last) return undefined;
    const pieces = Array.from({ length: this.#last }, (_, i) => this.#pieces.get(i + 1));
    this.reset();
    return pieces.every((part) => part !== undefined) ? concat(...pieces) : undefined;
  }

  reset(): void {
    this.#id = this.#last = undefined;
    this.#octets = 0;
    this.#pieces.clear();
  }
}
