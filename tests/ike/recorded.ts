/** The recorded negotiations of tests/vectors/ike_recorded.json, typed. @module */
import type { CbcName } from "../../lib/crypto/cipher.ts";
import type { HashName } from "../../lib/crypto/hash.ts";
import type { Bytes } from "../../lib/octets/bytes.ts";
import { parseHex } from "../../lib/octets/hex.ts";

export interface RecordedMessage {
  n: number;
  dir: "A->B" | "B->A";
  src: string;
  dst: string;
  udp: string;
  header: { cky_i: string; cky_r: string; next: number; exchange: number; flags: number; mid: string; length: number };
  payloads?: { type: number; name: string; body: string }[];
  iv?: string;
  next_iv?: string;
  plaintext?: string;
  padding?: string;
  hash_input?: string;
  natd?: { first_is_destination: boolean; input_first: string };
  fragment?: { id: number; number: number; last: number; data_len: number };
  reassembled?: string;
}

export interface RecordedSa {
  spi: string;
  keymat: string;
  enc_key: string;
  auth_key: string;
}

export interface RecordedCase {
  name: string;
  psk: string;
  messages: RecordedMessage[];
  phase1: Record<string, string>;
  phase2: {
    mid: string;
    ni_b: string;
    nr_b: string;
    hash1: string;
    hash2: string;
    hash3: string;
    g_qm_xy: string;
    transform_id: number;
    attributes: Record<string, number>;
    spi_initiator: string;
    spi_responder: string;
    sa_initiator_to_responder: RecordedSa;
    sa_responder_to_initiator: RecordedSa;
  }[];
  initiator: string;
  chosen: Record<string, number>;
}

export const CASES: readonly RecordedCase[] = JSON.parse(
  Deno.readTextFileSync(new URL("../vectors/ike_recorded.json", import.meta.url)),
).cases;

const HASH: Record<number, HashName> = { 1: "md5", 2: "sha1", 4: "sha256", 5: "sha384", 6: "sha512" };
const CIPHER: Record<number, { cipher: CbcName; keyOctets: number; blockOctets: number }> = {
  5: { cipher: "3des-cbc", keyOctets: 24, blockOctets: 8 },
  7: { cipher: "aes-cbc", keyOctets: 16, blockOctets: 16 },
};

/** What was negotiated in phase 1. */
export function algorithmsOf({ chosen }: RecordedCase) {
  const cipher = CIPHER[chosen["1"]];
  return { H: HASH[chosen["2"]], ...cipher, keyOctets: chosen["14"] ? chosen["14"] / 8 : cipher.keyOctets };
}

export const hex = (text: string): Bytes => parseHex(text);

/** The ISAKMP message of a datagram: without the non-ESP marker of port 4500. */
export function isakmpOf(message: RecordedMessage): Bytes {
  const udp = hex(message.reassembled ?? message.udp);
  return !message.reassembled && message.src.endsWith(":4500") ? udp.slice(4) : udp;
}
