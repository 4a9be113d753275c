/**
 * Reading encrypted IKE with the encryption keys of phase 1, as isakmpd -W writes them. The IVs come from the messages
 * themselves (RFC 2409 appendix B): they must have been seen from the beginning of phase 1.
 *
 * @module
 */
import { createCbc } from "../crypto/cipher.ts";
import { NegotiationError } from "../ike/fault.ts";
import { exchangeIv, phase1Iv } from "../ike/keys.ts";
import { type Phase1Terms, phase1Terms } from "../ike/terms.ts";
import { IsakmpError } from "../isakmp/error.ts";
import { Reassembly } from "../isakmp/fragments.ts";
import {
  bodyOf,
  decodeHeader,
  decodePayloads,
  encodeHeader,
  type Header,
  isEncrypted,
  type Payload,
} from "../isakmp/message.ts";
import { EXCHANGE, PAYLOAD } from "../isakmp/numbers.ts";
import { KEY_EXCH_LAYOUT } from "../isakmp/payloads.ts";
import { decodeSa } from "../isakmp/proposals.ts";
import { type Bytes, concat } from "../octets/bytes.ts";
import { formatHex } from "../octets/hex.ts";

/** A message, read as far as it can be. */
export interface ReadMessage {
  readonly header: Header;
  /** Absent: encrypted, and `reason` says why it stays so. */
  readonly payloads?: readonly Payload[];
  /** It was encrypted, and has been decrypted. */
  readonly decrypted: boolean;
  readonly reason?: string;
  /** It came in IKE fragments, of which this was the last. */
  readonly reassembled: boolean;
}

/** Phase 1 SAs that are followed at the same time; the oldest is forgotten first. */
const MOST_SAS = 1024;
/** Exchanges after phase 1 whose IV is remembered, and messages that may come again. */
const MOST_EXCHANGES = 256;

interface Conversation {
  initiator?: string;
  terms?: Phase1Terms;
  g_xi?: Bytes;
  g_xr?: Bytes;
  /** Last cipher block of phase 1. */
  lastBlock?: Bytes;
  /** Last cipher block by message ID. */
  readonly exchanges: Map<number, Bytes>;
  /** IV by the message's octets: a message that is sent again is read the same way. */
  readonly ivs: Map<string, Bytes>;
  readonly fragments: Map<string, Reassembly>;
}

function remember<K, V>(map: Map<K, V>, key: K, value: V, most: number): void {
  if (map.size >= most && !map.has(key)) map.delete(map.keys().next().value!);
  map.set(key, value);
}

/** Follows phase 1 SAs by their initiator cookies. */
export class IkeReader {
  readonly #conversations = new Map<string, Conversation>();

  /** @param keyOf the encryption key for an initiator cookie (16 hexadecimal digits), if it is known */
  constructor(readonly keyOf: (initiatorCookie: string) => Uint8Array | undefined = () => undefined) {}

  /**
   * Takes a message.
   *
   * @param from who sent it, e.g. `192.0.2.1.500`
   * @throws {IsakmpError} when it cannot be read although it is not encrypted
   */
  read(from: string, datagram: Uint8Array): ReadMessage {
    return this.#read(from, datagram, false);
  }

  #read(from: string, datagram: Uint8Array, reassembled: boolean): ReadMessage {
    const { header, body } = decodeHeader(datagram);
    const conversation = this.#conversation(formatHex(header.initiatorCookie));
    if (isEncrypted(header)) return { ...this.#decrypt(conversation, header, body), reassembled };
    const { payloads } = decodePayloads(header.nextPayload, body);
    // A fragment in fragments is nothing that anybody sends.
    const piece = reassembled ? undefined : bodyOf(payloads, PAYLOAD.FRAGMENT);
    const whole = piece && this.#fragments(conversation, from).add(piece);
    if (whole) return this.#read(from, whole, true);
    if (!piece) this.#learn(conversation, from, header, payloads);
    return { header, payloads, decrypted: false, reassembled };
  }

  #conversation(cookie: string): Conversation {
    let found = this.#conversations.get(cookie);
    if (!found) {
      found = { exchanges: new Map(), ivs: new Map(), fragments: new Map() };
      remember(this.#conversations, cookie, found, MOST_SAS);
    }
    return found;
  }

  #fragments({ fragments }: Conversation, from: string): Reassembly {
    let found = fragments.get(from);
    if (!found) remember(fragments, from, found = new Reassembly(), 4);
    return found;
  }

  /** What the messages in clear tell: who began, what was chosen, both public values. */
  #learn(conversation: Conversation, from: string, header: Header, payloads: readonly Payload[]): void {
    if (header.exchange !== EXCHANGE.ID_PROT && header.exchange !== EXCHANGE.AGGRESSIVE) return;
    const answered = header.responderCookie.some((octet) => octet !== 0);
    if (!answered) conversation.initiator = from;
    const sa = bodyOf(payloads, PAYLOAD.SA);
    const exchangeValue = bodyOf(payloads, PAYLOAD.KEY_EXCH);
    const isInitiator = conversation.initiator === undefined ? !conversation.g_xi : conversation.initiator === from;
    try {
      if (exchangeValue) {
        conversation[isInitiator ? "g_xi" : "g_xr"] = KEY_EXCH_LAYOUT.decode(exchangeValue).publicValue;
      }
      const transforms = sa && answered ? decodeSa(sa).proposals[0]?.transforms : undefined;
      if (transforms?.length === 1) conversation.terms = phase1Terms(transforms[0]);
    } catch (error) {
      // Malformed, or terms that this program does not have: what is encrypted stays so.
      if (!(error instanceof IsakmpError || error instanceof NegotiationError)) throw error;
    }
  }

  #iv(conversation: Conversation, header: Header): Bytes | string {
    const { terms, g_xi, g_xr, exchanges } = conversation;
    if (!terms) return "the choice of algorithms was not seen";
    if (!g_xi || !g_xr) return "the public values were not seen";
    const { blockOctets } = terms.cipher;
    conversation.lastBlock ??= phase1Iv(terms.hash, g_xi, g_xr, blockOctets);
    if (header.messageId === 0) return conversation.lastBlock;
    return exchanges.get(header.messageId) ??
      exchangeIv(terms.hash, conversation.lastBlock, header.messageId, blockOctets);
  }

  #decrypt(conversation: Conversation, header: Header, body: Uint8Array): Omit<ReadMessage, "reassembled"> {
    const unread = (reason: string) => ({ header, decrypted: false, reason });
    const name = formatHex(concat(encodeHeader(header, body.length), body));
    const again = conversation.ivs.get(name);
    const iv = again ?? this.#iv(conversation, header);
    if (typeof iv === "string") return unread(iv);
    const { cipher } = conversation.terms!;
    if (body.length === 0 || body.length % cipher.blockOctets) {
      return unread(`${body.length} octets are no whole blocks`);
    }
    if (!again) {
      const last = body.slice(body.length - cipher.blockOctets) as Bytes;
      remember(conversation.ivs, name, iv, MOST_EXCHANGES);
      if (header.messageId === 0) conversation.lastBlock = last;
      else remember(conversation.exchanges, header.messageId, last, MOST_EXCHANGES);
    }
    const key = this.keyOf(formatHex(header.initiatorCookie));
    if (!key) return unread("no key for these cookies");
    try {
      using cbc = createCbc(cipher.cipher as Parameters<typeof createCbc>[0], key);
      const { payloads } = decodePayloads(header.nextPayload, cbc.decrypt(iv, body));
      return { header, payloads, decrypted: true };
    } catch (error) {
      if (error instanceof IsakmpError || error instanceof RangeError) return unread(`the key does not fit`);
      throw error;
    }
  }
}
